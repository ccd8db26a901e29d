"""Runs of JSON Lines → Arrow tables, if their lines are plain; several times as fast as one line after the other.

Plain is a line that Arrow's parser and ours read alike: an object with known keys, none of them twice, whose values are
strings, whole numbers of 64 bits, or true and false, of one kind for a key, or null. All others go the slow way, which
also says what is wrong with them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.json as pj

from engine.inputs.json_files.objects import JsonObject
from engine.inputs.lines import LINE_BYTES

_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64()}
_FEW = 4
_BEGIN, _END, _RETURN, _NEW_LINE = b"{}\r\n"


class PlainLines:
    """Parses the plain lines of one file.

    Args:
        keys: that its objects may have.
        texts: those of them whose values are strings, or the line is not plain.
    """

    def __init__(self, keys: Iterable[str], texts: Iterable[str]) -> None:
        self._types: dict[str, pa.DataType | None] = dict.fromkeys(keys)
        self._types.update(dict.fromkeys(texts, pa.string()))
        self._may_be = True
        self._failed = 0

    def learn(self, rows: Sequence[JsonObject]) -> None:
        """Take in what the values of ``rows``, which went the slow way, are."""
        if self._failed > _FEW:
            self._may_be = False
        for key, known in self._types.items() if self._may_be else ():
            types = {_TYPES.get(type(value)) for row in rows if (value := row.values.get(key)) is not None}
            if not types <= {known}:
                self._types[key] = next(iter(types))
                self._may_be = self._may_be and known is None and len(types) == 1 and None not in types
        self._failed += 1

    def table(self, lines: bytes) -> pa.Table | None:
        """A row a line, and a column a key; None if a line is not plain, or the kinds of the values are not known."""
        if not self._may_be or not self._failed or not lines:
            return None
        rows = _rows_of(np.frombuffer(lines, np.uint8))
        if not rows or b"\0" in lines or not _is_utf8(lines):  # Arrow's parser stops at a NUL
            return None
        schema = pa.schema([(key, type_ or pa.string()) for key, type_ in self._types.items()])
        parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
        read = pj.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        try:
            table = pj.read_json(pa.BufferReader(lines), read_options=read, parse_options=parse)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != rows:
            return None
        self._failed = 1
        return table.combine_chunks()


def _rows_of(lines: npt.NDArray[np.uint8]) -> int:
    """How many lines there are, if each begins and ends as an object does and none is too long; else 0.

    Then no object goes on in the next line, which would begin with a brace behind one: JSON has none of these.
    """
    ends = np.flatnonzero(lines == _NEW_LINE)
    if lines[-1] != _NEW_LINE:
        ends = np.append(ends, len(lines))
    begins = np.concatenate([[0], ends[:-1] + 1])
    if not (lines[begins] == _BEGIN).all() or (ends - begins).max() >= LINE_BYTES:
        return 0
    lasts = ends - 1
    lasts = np.where(lines[lasts] == _RETURN, lasts - 1, lasts)
    return len(ends) if (lines[lasts] == _END).all() else 0


def _is_utf8(data: bytes) -> bool:
    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
