"""Files of lines, also compressed → their lines, in bounded memory. A byte order mark is not part of the text.

A line longer than `LINE_BYTES` is refused, and the rest of it is not held.
"""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

LINE_BYTES = 16 << 20
_BOM = b"\xef\xbb\xbf"


def open_lines(file: str) -> io.BufferedReader:
    """The bytes of a file that may be compressed, without a byte order mark."""
    source = io.BufferedReader(pa.input_stream(file, compression="detect"), 1 << 20)
    if source.peek(len(_BOM)).startswith(_BOM):
        source.read(len(_BOM))
    return source


def lines_of(file: str) -> Iterator[bytes | None]:
    """Lines with their ends; None for one that is too long."""
    with open_lines(file) as source:
        while line := source.readline(LINE_BYTES):
            yield None if passed_over(line, b"\n", source) else line


def passed_over(line: Any, end: Any, source: Any) -> bool:
    """Whether ``line`` is cut at `LINE_BYTES`; then the rest of it is read and forgotten."""
    if len(line) < LINE_BYTES or line.endswith(end):
        return False
    while (rest := source.readline(LINE_BYTES)) and not rest.endswith(end):
        pass
    return True
