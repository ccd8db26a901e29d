"""First rows of a file without a column of ids → a note on a column that seems to hold them.

It is not read as such by itself: one that refers to something else can have another value in each of some rows, too.
"""

import re
import shlex
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.columns import ColumnNames, Columns

_NAME = re.compile(r".*(\w[_\s.-](id|Id|ID)|[a-z](Id|ID))")
_FEWEST = 2


def id_note(columns: Columns, first: Mapping[str, pa.Array], wanted: ColumnNames, file: str) -> list[str]:
    """A note on the columns of ``file`` that are named as ids are and have no value twice.

    Args:
        columns: of the file.
        first: its first rows, by the names under which the columns are kept.
        wanted: column names that the user gave.
        file: its path.
    """
    if columns.id is not None or wanted.id is not None:
        return []
    given = zip(columns.given(columns.extras), columns.extras, strict=True)
    found = [name for name, kept in given if _NAME.fullmatch(name) and _is_distinct(first[kept])]
    if not found:
        return []
    names, way = " and ".join(map(repr, found)), f"--id {shlex.quote(found[0])}" if len(found) == 1 else "--id NAME"
    have = "has" if len(found) == 1 else "have"
    note = (
        f"{file}: an id is the file's name and the row's number; {names} {have} another value in each of the first "
        f"rows: {way} reads the ids from there, and --id none leaves out this note"
    )
    return [note]


def _is_distinct(array: pa.Array) -> bool:
    """Whether all values are there, and none comes twice."""
    if len(array) < _FEWEST:
        return False
    is_plain = pa.types.is_integer(array.type) or pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    is_plain = is_plain or pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    return is_plain and not array.null_count and pc.count_distinct(array).as_py() == len(array)
