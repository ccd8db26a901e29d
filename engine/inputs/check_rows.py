"""Raw blocks → checked blocks: every row is either fit to be labelled or has a reason why not.

Vectorised where all is well; row by row only in a block whose bytes are not UTF-8.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.arrow_files.values import kept_bytes, label_bytes, scalar_bytes, text_bytes
from engine.inputs.blocks import Problems, RawBlock
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.kinds import Kind, kind_of

MAX_TEXT_BYTES = 2_000_000
MAX_NAME_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Block:
    """Checked rows of one file.

    Attributes:
        file: path as the user gave it.
        first_row: number of the first row in its file, from 1.
        id: string array; ``file:row`` where the file has no id column.
        text: string array.
        label: string array of class names or indices as written; null for rows without gold.
        extras: kept columns: string, bool, int64, uint64 or double arrays.
        kinds: what the values of each are, which may be more than their array says.
        problems: a reason a row, or None if it is fit. Its id may be null, its text is not to be used.
        columns: names of the columns that the text, the id and the label came from.
    """

    file: str
    first_row: int
    id: pa.Array
    text: pa.Array
    label: pa.Array
    extras: dict[str, pa.Array]
    kinds: dict[str, Kind]
    problems: Problems
    columns: ColumnNames

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.problems)


def read_blocks(file: str, wanted: ColumnNames, *, name: str | None = None) -> Iterator[Block]:
    """The rows of ``file``, checked, block by block.

    Args:
        file: where it is.
        wanted: column names that the user gave.
        name: what ids and messages call it, where it was somewhere else when it was first read.

    Raises:
        InputError: the file cannot be read, or a column is missing or of a type that cannot be text.
    """
    for raw in read_raw(file, wanted):
        yield check_block(raw, file=name or file)


def check_block(raw: RawBlock, *, file: str) -> Block:
    """Judge every row of ``raw``."""
    columns, problems = raw.columns, list(raw.problems)
    extras = {name: _extra(raw.data[name], name, file, problems) for name in columns.extras}
    return Block(
        file=file,
        first_row=raw.first_row,
        text=_texts(raw, file, problems),
        id=ids(raw, file, problems),
        label=labels(raw, file, problems),
        extras=extras,
        kinds={name: raw.kinds.get(name) or kind_of(array) for name, array in extras.items()},
        problems=problems,
        columns=ColumnNames(text=columns.text or None, id=columns.id, label=columns.label),
    )


def _texts(raw: RawBlock, file: str, problems: Problems) -> pa.Array:
    name = raw.columns.text
    array = text_bytes(raw.data[name], name=name, file=file) if name else pa.nulls(raw.rows, pa.large_binary())
    return _required(array, problems, "text", limit=MAX_TEXT_BYTES)


def ids(raw: RawBlock, file: str, problems: Problems) -> pa.Array:
    """Ids as strings, ``file:row`` if no column has them; adds their faults to ``problems``."""
    name = raw.columns.id
    if name is None:
        return pa.array([f"{file}:{row}" for row in range(raw.first_row, raw.first_row + raw.rows)], pa.string())
    return _required(scalar_bytes(raw.data[name], name=name, file=file), problems, "id", limit=MAX_NAME_BYTES)


def labels(raw: RawBlock, file: str, problems: Problems) -> pa.Array:
    """Labels as written; one of no characters is none. Adds to ``problems`` what is wrong with them."""
    name = raw.columns.label
    if name is None:
        return pa.nulls(raw.rows, pa.string())
    array = label_bytes(raw.data[name], name=name, file=file)
    array = pc.if_else(pc.equal(pc.binary_length(array), 0), None, array)
    return _usable(array, problems, "label", limit=MAX_NAME_BYTES)


def _required(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    _refuse(array.is_null(), problems, f"{what} is null")
    return _usable(array, problems, what, limit=limit)


def _usable(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    """Bytes → strings. What is too long or not UTF-8 becomes null, with a reason, as has what says nothing."""
    strings = _strings(_short(array, problems, what, limit=limit), problems, what)
    _refuse(pc.equal(pc.binary_length(strings), 0), problems, f"{what} is empty")
    _refuse(pc.utf8_is_space(strings), problems, f"{what} is blank")
    _refuse(pc.match_substring(strings, "\0"), problems, f"{what} contains NUL")
    return strings


def _short(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    too_long = pc.fill_null(pc.greater(pc.binary_length(array), limit), False)
    refused = _refuse(too_long, problems, f"{what} is longer than {limit:,} bytes")
    return pc.if_else(too_long, None, array) if refused else array


def _strings(array: pa.Array, problems: Problems, what: str) -> pa.Array:
    """Bytes → strings; what is not UTF-8 becomes null, with a reason in ``problems``."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        values: list[str | None] = []
        for row, value in enumerate(array.to_pylist()):
            try:
                values.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError as error:
                values.append(None)
                problems[row] = problems[row] or _encoding_problem(value, error, what)
        return pa.array(values, pa.string())


def _encoding_problem(value: bytes, error: UnicodeDecodeError, what: str) -> str:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return f"{what} has invalid UTF-8 at byte {error.start:,}"
    return f"{what} has a lone surrogate at byte {error.start:,}"


def _extra(array: pa.Array, name: str, file: str, problems: Problems) -> pa.Array:
    """A kept column; strings that are not UTF-8 get replacement characters."""
    array = kept_bytes(array, name=name, file=file)
    if not pa.types.is_large_binary(array.type):
        return array
    array = _short(array, problems, repr(name), limit=MAX_TEXT_BYTES)
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        decoded = (None if value is None else value.decode("utf-8", "replace") for value in array.to_pylist())
        return pa.array(decoded, pa.string())


def _refuse(mask: pa.BooleanArray, problems: Problems, reason: str) -> bool:
    """Give ``reason`` to the rows of ``mask`` that have none; whether there are any."""
    if not pc.any(mask).as_py():
        return False
    for row in pc.indices_nonzero(mask).to_pylist():
        problems[row] = problems[row] or reason
    return True
