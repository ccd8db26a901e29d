"""Lines of a delimited file, of which the last ones can be read again. Memory is that of one row and one piece."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from itertools import chain

from engine.inputs.lines import LINE_BYTES, pieces_of

Lines = list[str | None]
"""Lines with their ends; None for one that is too long."""

TOO_LONG = f"a quotation mark is not closed within {LINE_BYTES:,} characters"


_AT_ONCE = 128  # lines are often read again, and then a few of them
RETURN = "\udc0d"
"""In the place of a carriage return inside of a field."""
_LONE_RETURN = re.compile(r"\r(?!\n)")
_MARK = "\ufeff"
_MARK_AT_START = re.compile(rf"(?:\A|(?<=[\r\n])){_MARK}+")


def lines_in(text: str) -> list[str]:
    r"""The lines of ``text``: they end in ``\n``, ``\r`` or both, and in nothing else that Unicode calls a line end."""
    return list(io.StringIO(text, newline=""))


def decoded(data: bytes, *, old_mac: bool) -> str:
    r"""Bytes → text of lines. What is not UTF-8 becomes surrogates, and so does a ``\r`` that is part of a text.

    A byte order mark at the start of a line, as in files that were put together, is left out.

    Args:
        data: the bytes.
        old_mac: lines end in ``\r``. They do not where the first one ends in ``\n``; pandas, for one, writes a ``\r``
            inside of a field without quotation marks around it.
    """
    text = data.decode("utf-8", "surrogateescape")
    text = _MARK_AT_START.sub("", text) if _MARK in text else text
    return text if old_mac or "\r" not in text else _LONE_RETURN.sub(RETURN, text)


def encoded(field: str) -> bytes:
    """Inverse of `decoded`, for a field."""
    return field.replace(RETURN, "\r").encode("utf-8", "surrogateescape")


def runs_of_lines(source: io.BufferedReader, prepared: Callable[[str], str], *, old_mac: bool) -> Iterator[Lines]:
    """The lines of ``source``, many at once."""
    for piece in pieces_of(source, (b"\n", b"\r") if old_mac else (b"\n",)):
        yield [None] if piece is None else [*lines_in(prepared(decoded(piece, old_mac=old_mac)))]


class Tape:
    """Lines that are read from a place that can be set back.

    Attributes:
        at: the number of the line from which `lines` reads, from 0. Lines before it are forgotten.
        characters: how many were read so far.
    """

    def __init__(self, runs: Iterator[Lines]) -> None:
        self.at = self.characters = 0
        self._runs = runs
        self._kept: Lines = []
        self._first = 0

    def lines(self) -> Iterator[str | None]:
        """The lines from `at` on. Those from `at` to the one that is read are held.

        Raises:
            csv.Error: while it is read, if they are more than `LINE_BYTES` characters.
        """
        return chain.from_iterable(self._from_here())

    def line(self, number: int) -> str | None:
        """One line that is held; an empty one if the file has no such line."""
        while number - self._first >= len(self._kept):
            if (run := next(self._runs, None)) is None:
                return ""
            self._hold(run)
        return self._kept[number - self._first]

    def skip_line(self) -> None:
        """Go on behind the line here."""
        self.line(self.at)
        self.at += 1

    def held(self, count: int) -> list[str]:
        """The ``count`` lines from `at` on, which were read before."""
        return [line or "" for line in self._kept[self.at - self._first : self.at - self._first + count]]

    def _from_here(self) -> Iterator[Lines]:
        place = self.at
        while lines := self._kept[place - self._first : place - self._first + _AT_ONCE]:
            yield lines
            place += len(lines)
        for run in self._runs:
            if self._hold(run) > LINE_BYTES:
                raise csv.Error(TOO_LONG)
            yield run

    def _hold(self, run: Lines) -> int:
        """Keep ``run``, and of the lines before it those from `at` on; how many characters these are."""
        del self._kept[: self.at - self._first]
        self._first = self.at
        before = sum(map(len, filter(None, self._kept)))
        self._kept += run
        self.characters += sum(map(len, filter(None, run)))
        return before
