r"""Bytes of a text file → its lines, without their ends and without what is no part of a text.

Lines end in ``\n`` or ``\r\n``. A ``\r`` alone ends a line of an old Mac; in a file of ``\n`` it is a character of a
text. A byte order mark at the beginning of a line comes from files that were put together, and a ``\x1a`` at the end of
the file is the mark by which DOS knew it.
"""

import io
import re
from collections.abc import Iterator, Sequence

from engine.inputs.lines import pieces_of

_LONE_RETURN = re.compile(rb"\r(?=[^\r\n])")
_FIRST_IS_LONE = re.compile(rb"[^\r\n]+\r[^\r\n]")
_NOT_RARE = 0.2
_BOMS = re.compile(rb"^(?:\xef\xbb\xbf)+", re.MULTILINE)
_END_MARK = re.compile(rb"\x1a+(?:\r\n|\r|\n)?\Z")


def returns_end_lines(data: bytes) -> bool:
    r"""Whether a ``\r`` alone ends lines of a file that begins with ``data``.

    It does if there is no ``\n``. Beside ``\r\n`` it does if it is not rare; beside ``\n``, which people have around
    texts with a ``\r`` in them, only if the first line and half of all lines end so.
    """
    if b"\r" not in data:
        return False
    ends, alone = data.count(b"\n"), len(_LONE_RETURN.findall(data))
    if not ends or ends == data.count(b"\r\n"):
        return alone >= _NOT_RARE * ends
    return _FIRST_IS_LONE.match(data) is not None and alone >= ends


def lines_of_data(data: bytes, *, returns: bool) -> list[bytes]:
    r"""The lines of ``data``; with ``returns``, ``\r`` alone ends one as well."""
    if returns:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\xef" in data:  # rare, and quicker to find than all of it
        data = _BOMS.sub(b"", data)
    lines = data.removesuffix(b"\n").split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in data else lines


def runs_of_lines(source: io.BufferedReader, *, returns: bool) -> Iterator[Sequence[bytes | None]]:
    """The lines of ``source``, many at once; None for one that is too long."""
    for piece in _without_end_mark(pieces_of(source, (b"\n", b"\r") if returns else (b"\n",))):
        yield [None] if piece is None else lines_of_data(piece, returns=returns)


def whole_text(data: bytes) -> bytes:
    """The text of a file that is one row."""
    return _BOMS.sub(b"", _END_MARK.sub(b"", data)).strip(b"\r\n")


def _without_end_mark(pieces: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """All ``pieces``, the last one without the mark of DOS."""
    held = next(pieces, b"")
    for piece in pieces:
        yield held
        held = piece
    if held is not None and held[-8:].rstrip(b"\r\n").endswith(b"\x1a"):
        held = _END_MARK.sub(b"", held)
    if held != b"":
        yield held
