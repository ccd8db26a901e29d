"""Files of lines, in any encoding and also compressed → their lines as UTF-8, in bounded memory.

A byte order mark is not part of the text. A line longer than `LINE_BYTES` is refused, and the rest of it is not held.
"""

import bz2
import codecs
import io
import lzma
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.encodings import SAMPLE_BYTES, UTF8, Utf8Bytes, Utf8Watch, encoding_name, encoding_named, guessed
from engine.inputs.paths.file_kinds import COMPRESSIONS, UNPACK

LINE_BYTES = 16 << 20
_OTHERS = {
    b"PK\x03\x04": "is an Excel workbook or a zip archive and not text; save its sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook and not text; save its sheet as CSV",
    b"%PDF-": "is a PDF and not text",
    b"PAR1": "is a Parquet file; let its name end in .parquet",
    b"ARROW1": "is an Arrow file; let its name end in .arrow",
    b"\x1f\x8b": "was compressed with gzip; let its name end in .gz",
    b"\x28\xb5\x2f\xfd": "was compressed with zstd; let its name end in .zst",
    b"\xfd7zXZ\x00": "was compressed with xz; let its name end in .xz",
    b"BZh91AY&SY": "was compressed with bzip2; let its name end in .bz2",
    b"version https://git-lfs.github.com/": "only names the file that Git LFS keeps; fetch that with: git lfs pull",
}
_HEAD_BYTES, _TAR_MARK_AT = 512, 257
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_BOM = b"\xef\xbb\xbf"
_ARROW_CODECS = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd"}
_ZSTD, _ZSTD_WINDOW = b"\x28\xb5\x2f\xfd", 1 << 27


def open_lines(file: str, encoding: str | None = None) -> io.BufferedReader:
    """The text of a file that may be compressed, as UTF-8 without a byte order mark.

    Args:
        file: where it is.
        encoding: of the file; found out where None.

    Raises:
        InputError: there is no such encoding, the file is of another kind or not UTF-8 (which may be found in the
            midst of reading), or it was compressed with a window that is too large.
    """
    source = open_bytes(file)
    head = source.read(SAMPLE_BYTES)
    _check_kind(head, file, unpacked=Path(file).suffix.lower())
    found = guessed(head) if encoding is None else encoding_named(encoding)
    watch = Utf8Watch(file) if encoding is None and found == UTF8 else None
    raw = Utf8Bytes(source, head, found, watch)
    text: io.BufferedReader = io.BufferedReader(raw, SAMPLE_BYTES)
    if text.peek(len(_BOM)).startswith(_BOM):
        text.read(len(_BOM))
    return text


def check_is_table(file: str, kind: str, mark: bytes) -> None:
    """Refuse what is plainly no table file.

    Args:
        file: where it is.
        kind: what it is to be, ``Parquet`` or ``Arrow``.
        mark: how such a file begins, if it is no stream.

    Raises:
        InputError: it is empty, text, or of another kind that is known.
    """
    with Path(file).open("rb") as source:
        head = source.read(_HEAD_BYTES)
    if head.startswith(mark):
        return
    _check_kind(head, file)
    if not head:
        raise InputError(f"{file} is empty; leave it out, or write it again")
    if _is_text(head):
        raise InputError(f"{file} is text and not {kind}; let its name end as its format does, as .csv or .jsonl")


def _check_kind(head: bytes, file: str, *, unpacked: str = "") -> None:
    """Refuse what begins as a file of another kind does; ``unpacked`` is the ending that said how."""
    for start, words in _OTHERS.items():
        if head.startswith(start):
            if unpacked in COMPRESSIONS and words.startswith("was compressed"):
                inner = f"once{Path(Path(file).stem).suffix}{words.rpartition(' ')[2]}"
                way = f"{UNPACK[unpacked]} {shlex.quote(file)} > {inner}"
                raise InputError(f"{file} was compressed twice; unpack it once, with: {way}")
            raise InputError(f"{file} {words}")
    if head[_TAR_MARK_AT:].startswith(b"ustar"):
        raise InputError(f"{file} is a tar archive; unpack it first, with: tar -xf {shlex.quote(file)}")


def _is_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(UTF8)().decode(head)
    except UnicodeDecodeError:
        return False
    return not _CONTROLS.search(head) and not any(head.startswith(start) for start in _OTHERS)


def find_encoding(file: str, encoding: str | None = None) -> str:
    """The name of the encoding in which `open_lines` reads ``file``."""
    if encoding is not None:
        return encoding_named(encoding)
    with open_bytes(file) as source:
        return guessed(source.read(SAMPLE_BYTES))


def encoding_notes(file: str, said: str | None, found: str) -> tuple[str, ...]:
    """What a user has to know of the encoding of ``file``, if it was ``found`` and not ``said``."""
    return () if said is not None or found == UTF8 else (f"{file}: read as {encoding_name(found)}",)


def open_bytes(file: str) -> io.BufferedReader:
    """The bytes of a file, unpacked as its name says."""
    suffix = Path(file).suffix.lower()
    if suffix in COMPRESSIONS:
        _check_compressed(file)
    source: Any
    if suffix == ".xz":
        source = _Xz(file)
    elif suffix == ".bz2":
        source = bz2.BZ2File(file)
    else:
        if suffix == ".zst":
            _check_window(file)
        source = pa.input_stream(file, compression=_ARROW_CODECS.get(suffix))
    return io.BufferedReader(source, SAMPLE_BYTES)


def _check_compressed(file: str) -> None:
    with Path(file).open("rb") as source:
        head = source.read(_HEAD_BYTES)
    if head and _is_text(head):
        raise InputError(f"{file} is not compressed; let its name end in {Path(Path(file).stem).suffix}")


class _Xz(lzma.LZMAFile):
    """An .xz file that fails as other damaged files do."""

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as it goes.

        Raises:
            OSError: the file is damaged.
        """
        try:
            return super().readinto(buffer)
        except lzma.LZMAError as error:
            raise OSError(str(error)) from error


def _check_window(file: str) -> None:
    """Refuse what ``zstd --long`` wrote: its frames need more memory than the library gives them (RFC 8878, 3.1.1)."""
    with Path(file).open("rb") as source:
        head = source.read(6)
    if len(head) < 6 or not head.startswith(_ZSTD) or head[4] & 0x20:  # a single segment has no window
        return
    exponent, mantissa = head[5] >> 3, head[5] & 7
    if (1 << 7 + exponent) * (8 + mantissa) > _ZSTD_WINDOW:
        raise InputError(
            f"{file} was compressed with a window larger than 128 MiB (zstd --long); unpack it with: "
            f"zstd -d --long=31 {shlex.quote(file)}"
        )


def lines_of(file: str, encoding: str | None = None) -> Iterator[bytes | None]:
    """Lines with their ends, as UTF-8; None for one that is too long."""
    with open_lines(file, encoding) as source:
        yield from all_lines(source)


def all_lines(source: Any) -> Iterator[bytes | None]:
    """As `lines_of`, of what has a ``readline``."""
    while line := source.readline(LINE_BYTES):
        yield None if passed_over(line, b"\n", source) else line


def passed_over(line: Any, end: Any, source: Any) -> bool:
    """Whether ``line`` is cut at `LINE_BYTES`; then the rest of it is read and forgotten."""
    if len(line) < LINE_BYTES or line.endswith(end):
        return False
    while (rest := source.readline(LINE_BYTES)) and not rest.endswith(end):
        pass
    return True


def pieces_of(source: io.BufferedReader, ends: tuple[bytes, ...] = (b"\n",)) -> Iterator[bytes | None]:
    r"""Runs of whole lines, about a mebibyte each; None for a line that is too long.

    Args:
        source: the bytes.
        ends: what may end a line; ``\r\n`` stays whole.
    """
    rest = b""
    while data := source.read(SAMPLE_BYTES):
        data = rest + data
        if len(data) > LINE_BYTES and not 0 < _first_end(data, ends) <= LINE_BYTES:
            yield None
            rest = data[_first_end(data, ends) :] if _first_end(data, ends) else _after_line(source, ends)
            continue
        cut = _last_end(data, ends)
        if cut:
            yield data[:cut]
        rest = data[cut:]
    if rest:
        yield rest


def _first_end(data: bytes, ends: tuple[bytes, ...]) -> int:
    """Where the first line of ``data`` ends; 0 if it goes on."""
    return min((place for end in ends if (place := data.find(end)) >= 0), default=-1) + 1


def _last_end(data: bytes, ends: tuple[bytes, ...]) -> int:
    """Where the last whole line of ``data`` ends; 0 if it has none."""
    return max(data.rfind(end, 0, len(data) - (end == b"\r")) for end in ends) + 1


def _after_line(source: io.BufferedReader, ends: tuple[bytes, ...]) -> bytes:
    """What stands behind the line that is being read, which is forgotten."""
    while data := source.read(SAMPLE_BYTES):
        if end := _first_end(data, ends):
            return data[end:]
    return b""
