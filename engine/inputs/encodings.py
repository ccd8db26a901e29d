"""Bytes of a file of lines → its encoding, and the same bytes as UTF-8. Knows nothing of rows and opens nothing.

A file without a byte order mark is UTF-8, or UTF-16 where every second byte of its ASCII letters is NUL. One of which
most lines with other letters are not UTF-8 is refused as a whole: of a file in Windows-1252 only the plain lines would
be left, which are no fair sample of it.
"""

import codecs
import io
import re
from collections import Counter
from typing import Any

from engine.errors import InputError
from engine.inputs.text_files.old_encodings import way_out

UTF8 = "utf-8"
SAMPLE_BYTES = 1 << 20
MAX_REST = 16 << 20

_MARKS = (  # the marks of UTF-32 begin with those of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARK_ERROR = "softlabel.lone_surrogate"
_LOOKED_AT = 1 << 14
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_MANY_CONTROLS, _CLEARLY, _ENOUGH = 0.2, 10, 0.005
_SPACES, _ASCII = b'\t\n\r ,"', bytes(range(9, 127))
_FEW, _SHARE = 3, 0.05
_SEVEN_BITS = {  # marks of encodings of 7 bits, which are ASCII otherwise
    re.compile(rb"\x1b\$[B@]"): "iso2022_jp",
    re.compile(rb"\x1b\$\)C"): "iso2022_kr",
    re.compile(rb"~\{(?:[!-w][!-~])+~\}(?s:.*?)~\{(?:[!-w][!-~])+~\}"): "hz",
}


def _lone_surrogate(error: UnicodeError) -> tuple[str, int]:
    """In the place of bytes that mean nothing: a character that no text may have, so that the row is refused."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_MARK_ERROR, _lone_surrogate)


def encoding_named(name: str) -> str:
    """Python's own name of the encoding ``name``. A byte order mark is never part of it.

    Raises:
        InputError: there is none.
    """
    try:
        known = io.TextIOWrapper(io.BytesIO(), encoding=name)
        known.read()
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise InputError(
            f"--encoding is {name!r}, and no text encoding has that name; for example utf-8, cp1252, latin-1, utf-16, "
            "cp1251, gb18030, big5, shift_jis or cp949"
        ) from None
    return UTF8 if found == "utf-8-sig" else found


def guessed(head: bytes) -> str:
    """The encoding of a file that begins with ``head``: UTF-8, or what a byte order mark or NULs show."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    head = head[:_LOOKED_AT]
    if b"\0" not in head or (_is_utf8(head) and len(_CONTROLS.findall(head)) < _MANY_CONTROLS * len(head)):
        return UTF8
    pairs = Counter(zip(head[0::2], head[1::2], strict=False))
    if pairs[0, 0]:  # no text has a NUL
        return UTF8
    for characters in (_SPACES, _ASCII):
        little, big = (sum(pairs[pair] for pair in _with_nul(characters, first)) for first in (True, False))
        if max(little, big) > max(_CLEARLY * min(little, big), _ENOUGH * pairs.total()):
            return "utf-16-le" if little > big else "utf-16-be"
    return UTF8


def _with_nul(characters: bytes, first: bool) -> list[tuple[int, int]]:
    """ASCII ``characters`` in UTF-16, the low byte ``first`` or last."""
    return [(character, 0) if first else (0, character) for character in characters]


def encoding_name(encoding: str) -> str:
    """How a message calls ``encoding``."""
    return {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32-le": "UTF-32", "utf-32-be": "UTF-32"}.get(
        encoding, encoding
    )


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(UTF8)().decode(data)
    except UnicodeDecodeError:
        return False
    return True


class Utf8Watch:
    """Refuses a file most of whose lines that are not ASCII are not UTF-8 either. Gets its bytes one after the other.

    A file of three such lines or more is refused at once, so that none of its rows is read; one or two of them decide
    at its end, and only where they are a twentieth of the lines.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._rest = b""
        self._lines = self._good = self._bad = 0
        self._sample = b""

    def see(self, data: bytes) -> None:
        """The next bytes of the file."""
        self._lines += data.count(b"\n")
        if b"\x1b" in data or (b"~" in data and b"~{" in data):  # one byte is found much faster than two
            self._refuse_seven_bits(data)
        if data.isascii() and not self._rest:
            return
        data = self._rest + data
        end = data.rfind(b"\n") + 1 if len(data) < MAX_REST else len(data)
        self._rest = data[end:] if not data[end:].isascii() else b""
        self._judge(data[:end])
        if self._bad >= _FEW:
            self._refuse_if_most()

    def end(self) -> None:
        """There are no more bytes."""
        self._judge(self._rest)
        self._rest = b""
        if self._bad >= max(1, _SHARE * self._lines):
            self._refuse_if_most()

    def _refuse_seven_bits(self, data: bytes) -> None:
        for mark, name in _SEVEN_BITS.items():
            if mark.search(data):
                called = {"hz": "HZ, a Chinese encoding"}.get(name, name.replace("iso2022_", "ISO-2022-").upper())
                raise InputError(
                    f"{self._file} is not UTF-8: it looks like {called}. Read it with --encoding {name}; --encoding "
                    "utf-8 takes it as it is"
                )

    def _judge(self, data: bytes) -> None:
        strict = _is_whole_utf8(data)
        for line in data.split(b"\n"):
            if line.isascii():
                continue
            if strict or _is_whole_utf8(line):
                self._good += 1
            else:
                self._bad += 1
                self._sample += line[:200] + b"\n" if len(self._sample) < SAMPLE_BYTES else b""

    def _refuse_if_most(self) -> None:
        if self._bad <= self._good:
            return
        way = way_out(self._sample)
        raise InputError(f"{self._file} is not UTF-8: {way}; --encoding utf-8 refuses only the lines that are not")


def _is_whole_utf8(data: bytes) -> bool:
    """Whether ``data`` is UTF-8, but for surrogates: those come from programs, not from another encoding."""
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


class Utf8Bytes(io.RawIOBase):
    """Another file's bytes as UTF-8. Bytes that mean nothing become a lone surrogate, which refuses their row only."""

    def __init__(self, source: io.BufferedReader, head: bytes, encoding: str, watch: Utf8Watch | None) -> None:
        """What ``source`` holds after ``head``, which was read from it."""
        self._source, self._head, self._watch = source, head, watch
        self._decoder = None if encoding == UTF8 else codecs.getincrementaldecoder(encoding)(_MARK_ERROR)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as it goes; 0 at the end."""
        if not self._ready:
            self._ready = memoryview(self._next())
        taken = self._ready[: len(buffer)]
        buffer[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def close(self) -> None:
        """Close the file as well."""
        self._source.close()
        super().close()

    def _next(self) -> bytes:
        while data := self._head or self._source.read(SAMPLE_BYTES):
            self._head = b""
            if self._watch is not None:
                self._watch.see(data)
            if changed := self._changed(data, final=False):
                return changed
        if self._watch is not None:
            self._watch.end()
        return self._changed(b"", final=True)

    def _changed(self, data: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")
