"""The text of a JSON file → its values one by one, however large the file is. A part of the text is held at a time."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from engine.errors import InputError
from engine.inputs.json_files.decoding import LAST_WINS, SCAN, RepeatedKeyError
from engine.inputs.json_files.jq_commands import from_lines
from engine.inputs.json_files.known_rows.wrapped_text import way_of_fault
from engine.inputs.lines import LINE_BYTES

_SPACE = re.compile(r"[ \t\r\n\ufeff\x1e]*")  # \x1e is before each value of a JSON text sequence (RFC 7464)
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8
_CLOSED = '{["'  # a value that begins so is whole once it can be parsed
_NEXT = frozenset(",]} \t\r\n")  # one of them follows a number that is whole
_ENDING = re.compile(r"( starting)? at$")
_PIECE = 1 << 20


class NotJsonError(InputError):
    """A text is not JSON."""


class JsonText:
    """A text that is read forwards, value by value.

    Args:
        source: bytes in UTF-8; other bytes spoil the value that they stand in.
        file: for messages.

    Attributes:
        size: of the value that was read last, in characters.
        fault: of that value, if it could be parsed all the same: a key that comes twice.
    """

    def __init__(self, source: BinaryIO, file: str) -> None:
        self.size = 0
        self.fault: str | None = None
        self._source, self._file = source, file
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape").decode
        self._held, self._at, self._ended = "", 0, False
        self._line = 1  # of the first held character
        self._is_clean = True

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        begin = self._held[self._at : self._at + 1]
        if begin > " " and begin != "\ufeff":  # most often no white space is there
            return begin
        while True:
            space = _SPACE.match(self._held, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._held) or self._ended:
                return self._held[self._at : self._at + 1]
            self._read_on()

    def skip(self, expected: str) -> None:
        """Pass over one of the characters ``expected``.

        Raises:
            NotJsonError: another one is next.
        """
        if (found := self.peek()) == "" or found not in expected:
            raise self._error("it is cut off" if found == "" else f"expecting {' or '.join(map(repr, expected))}")
        self._at += 1

    def value(self) -> Any:
        """The next value.

        Raises:
            NotJsonError: it is not JSON, nested too deeply, or longer than `LINE_BYTES`.
        """
        self.peek()
        while True:
            try:
                value, end = self._decoded()
            except RecursionError:
                raise self._error("a value is nested too deeply") from None
            except json.JSONDecodeError as error:
                if self._ended:
                    raise self._error(_ENDING.sub("", error.msg), error.pos) from None
                if len(self._held) - self._at > LINE_BYTES:
                    raise self._error(f"{error.msg}, or a value is longer than {LINE_BYTES:,} characters") from None
            except ValueError as error:  # a number of too many digits
                raise self._error(str(error)) from None
            else:
                if self._ended or self._held[self._at] in _CLOSED or self._held[end : end + 1] in _NEXT:
                    self.size, self._at = end - self._at, end
                    return value
            self._read_on()

    def _decoded(self) -> tuple[Any, int]:
        self.fault = None
        try:
            return SCAN(self._held, self._at)
        except StopIteration as error:
            raise json.JSONDecodeError("Expecting value", self._held, error.value) from None
        except RepeatedKeyError as error:
            self.fault = str(error)
            return LAST_WINS.raw_decode(self._held, self._at)

    @property
    def line(self) -> int:
        """The number of the line that is read next, from 1."""
        return self._line + self._held.count("\n", 0, self._at)

    @property
    def is_spoilt(self) -> bool:
        """Whether the value that was read last has bytes that are not UTF-8."""
        return not self._is_clean and _ESCAPED.search(self._held, self._at - self.size, self._at) is not None

    def _read_on(self) -> None:
        """Forget what was read, and hold as much again as is left, so that long values are not parsed too often."""
        self._line += self._held.count("\n", 0, self._at)
        left = self._held[self._at :]
        piece = self._source.read(max(_PIECE, len(left)))
        read = self._decode(piece, final=not piece)
        self._is_clean = self._is_clean and _is_clean(read)
        self._held, self._at, self._ended = left + read, 0, not piece

    def _error(self, why: str, at: int | None = None) -> NotJsonError:
        if why.startswith("Invalid control character") and self._held[at or 0] in "\r\n":
            way = from_lines("tr -d '\\r\\n'", self._file, "rows.json")
            why = f"a line ends inside of a string; if a program cut the text into lines, put it together: {way}"
        elif way := way_of_fault(self._held, self._at if at is None else at, self._file, is_line=False):
            why = f"{why}; {way}"
        line = self._line + self._held.count("\n", 0, self._at if at is None else at)
        return NotJsonError(f"{self._file} cannot be read: it is not JSON from line {line:,} on: {why}")


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def elements(text: JsonText) -> Iterator[Any]:
    """The elements of the array that is next."""
    text.skip("[")
    if text.peek() != "]":
        yield text.value()
        while text.peek() != "]":
            text.skip(",]")
            yield text.value()
    text.skip("]")


def keys(text: JsonText) -> Iterator[str]:
    """The keys of the object that is next. After each of them, its value is to be read."""
    text.skip("{")
    while text.peek() != "}":
        key = text.value()
        if not isinstance(key, str):
            text.skip('"')
        text.skip(":")
        yield key
        if text.peek() != "}":
            text.skip(",}")
    text.skip("}")
