r"""How a delimited file is written: what stands between fields and around them. Reads nothing.

A dialect is said in two words. ``delimiter``: a character, with a space behind it if white space there is not part of
a field (``", "``). ``quote``: the quotation mark, doubled inside a field; with a backslash before it if that escapes
it there (``\"``); empty if there is none.
"""

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from engine.errors import InputError

SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line that names the delimiter, as spreadsheets write it."""
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
_WORDS = {"\t": "a tab", " ": "a space"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How fields are told apart.

    Attributes:
        delimiter: between fields, one character.
        quote: around a field, one character; empty if it is a character like any other.
        escaped: a backslash stands before a quotation mark in a field; else the mark is doubled.
        skip_space: white space behind a delimiter is not part of the field.
    """

    delimiter: str = ","
    quote: str = '"'
    escaped: bool = False
    skip_space: bool = False

    @classmethod
    def said(cls, delimiter: str, quote: str) -> "Dialect":
        """Of the two words of the options.

        Raises:
            InputError: they cannot be told apart, or are of too many characters.
        """
        mark = quote.removeprefix("\\") if len(quote) == 2 else quote
        character, space = (delimiter[0], delimiter[1:]) if delimiter else ("", "")
        if not character or space not in ("", " ") or character in "\r\n\\":
            raise InputError(f"--delimiter is {delimiter!r}; it must be one character, tab, comma, semicolon or pipe")
        if len(mark) > 1 or mark in ("\r", "\n", " ", character):
            raise InputError(f"--quote is {quote!r}; it must be one character other than the delimiter, or none")
        return cls(delimiter=character, quote=mark, escaped=len(quote) == 2, skip_space=bool(space))

    @property
    def words(self) -> tuple[str, str]:
        """Its two words, from which `said` makes it again."""
        return self.delimiter + " " * self.skip_space, "\\" * self.escaped + self.quote

    def fields(self, lines: Iterable[str | None], *, strict: bool = True) -> Any:
        """A `csv.reader`. If it is strict, a quotation mark that closes a field has to stand at its end."""
        return csv.reader(
            cast("Iterable[str]", lines),  # None, for a line that is too long, fails as it should
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar="\\" if self.escaped else None,
            skipinitialspace=self.skip_space,
            strict=strict,
        )

    def split(self, line: str) -> list[str]:
        """The fields of one line if quotation marks mean nothing."""
        fields = line.rstrip("\r\n").split(self.delimiter)
        return [field.lstrip(" ") for field in fields] if self.skip_space else fields

    def prepared(self) -> Callable[[str], str]:
        """What is done to text before `fields` gets it: backslashes that escape nothing are doubled to be kept."""
        if not self.escaped:
            return str
        escape = re.compile(r"(\\[\\" + re.escape(self.quote) + r"])|\\")
        return lambda text: escape.sub(lambda found: found[1] or "\\\\", text)


def delimiter_named(said: str) -> str:
    r"""A delimiter as users say it, as ``tab``, ``\t``, ``\x01``, ``;`` or ``none`` → as it is kept in the options."""
    if code := re.fullmatch(r"\\x([0-9a-fA-F]{2})", said):
        return chr(int(code[1], 16))
    return "" if said == "none" else _DELIMITERS.get(said.lower(), said)


def quote_named(said: str) -> str:
    """A quotation mark as users say it → as it is kept in the options."""
    return "" if said == "none" else said


def shown(delimiter: str) -> str:
    """How a message calls ``delimiter``."""
    return _WORDS.get(delimiter, repr(delimiter[:1]))
