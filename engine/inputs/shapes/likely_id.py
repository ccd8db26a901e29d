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
_MOST_AGAIN = 0.02
"""Share of the rows whose value came before: a few tickets are exported twice, and a customer writes again."""


def id_note(columns: Columns, first: Mapping[str, pa.Array], wanted: ColumnNames, file: str) -> list[str]:
    """A note on the columns of ``file`` that are named as ids are and have hardly any value twice.

    Args:
        columns: of the file.
        first: its first rows, by the names under which the columns are kept.
        wanted: column names that the user gave.
        file: its path.
    """
    if columns.id is not None or wanted.id is not None:
        return []
    given = dict(zip(columns.given(columns.extras), (first[kept] for kept in columns.extras), strict=True))
    again = {name: _again(values) for name, values in given.items() if _NAME.fullmatch(name)}
    times = {name: count for name, count in again.items() if count is not None}
    found = [name for name, count in times.items() if count <= _MOST_AGAIN * len(given[name])]
    if not found:
        return []
    names, way = " and ".join(map(repr, found)), f"--id {shlex.quote(found[0])}" if len(found) == 1 else "--id NAME"
    have = "has" if len(found) == 1 else "have"
    repeated = max(times[name] for name in found)
    but = f", but for {repeated:,} whose value came before and which would be refused" if repeated else ""
    note = (
        f"{file}: an id is the file's name and the row's number; {names} {have} another value in each of the first "
        f"rows{but}: {way} reads the ids from there, and --id none leaves out this note"
    )
    return [note]


def _again(array: pa.Array) -> int | None:
    """How many values came before; None if some are missing, or they are no ids."""
    if len(array) < _FEWEST:
        return None
    is_plain = pa.types.is_integer(array.type) or pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    is_plain = is_plain or pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    return len(array) - pc.count_distinct(array).as_py() if is_plain and not array.null_count else None
