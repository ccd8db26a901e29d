"""What input files hold, and how they are called → which of them repeat another. Reads nothing."""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path

from engine.errors import InputError

FIRST_TEXTS = 50
_FEWEST, _FEWEST_LETTERS, _NEARLY, _MOST_FILES = 3, 40, 0.8, 3

_WORDS = (
    r"samples?|sampled|subset|small|mini|tiny|clean|cleaned|dedup|deduped|deduplicated|backup|bak|old|orig|original"
    r"|raw|copy|final|fixed|corrected|reviewed|v"
)
_OF_COPY = re.compile(rf"(?:[-_. ]+(?:{_WORDS})\d*| ?\(\d+\))$", re.IGNORECASE)
_COPY_OF = re.compile(r"copy[ _-]of[ _-]", re.IGNORECASE)


def called_as_copies(files: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of a file and the one in the same folder of which its name says that it is a copy or a part.

    ``reviews_sample.csv`` and ``reviews (1).csv`` are beside ``reviews.csv``.
    """
    plain = {_stem(file): file for file in files}
    pairs = ((file, plain.get(_without_words(_stem(file)))) for file in files)
    return [(file, other) for file, other in pairs if other is not None and other != file]


def _stem(file: str) -> str:
    """The path of ``file`` without what says of which kind it is."""
    path = Path(file)
    return str(path.with_name(re.sub(r"(\.[A-Za-z]\w{0,7}){1,2}$", "", path.name) or path.name))


def _without_words(stem: str) -> str:
    path = Path(stem)
    name = _COPY_OF.sub("", path.name, count=1)
    while (shorter := _OF_COPY.sub("", name)) != name:
        name = shorter
    return str(path.with_name(name)) if name.strip() else stem


class CopyFinder:
    """Tells which files have their rows in common with an earlier one: all of them, or nearly all of the first.

    Args:
        named: files that are read since the user named each; all files if None. Of others, two versions are refused.
    """

    def __init__(self, named: Collection[str] | None = None) -> None:
        self._named = named
        self._first: dict[int, str] = {}
        self._with: dict[int, list[str]] = {}

    def check(self, file: str, texts: Sequence[str | None]) -> None:
        """Refuse a file of a folder or a glob whose first rows are those of an earlier one, whatever its name is.

        Args:
            file: its path.
            texts: its first ones, at least `FIRST_TEXTS` if it has as many.

        Raises:
            InputError: it is another version of an earlier file.
        """
        if self._named is None:
            return
        first = [text for text in texts[:FIRST_TEXTS] if text]
        found = set(first)
        if 2 * len(found) < len(first):  # texts that come again and again in one file say nothing of two
            return
        if len(found) < _FEWEST or sum(map(len, found)) < _FEWEST_LETTERS:
            return
        alike = Counter(other for text in found for other in self._with.get(hash(text), ()))
        for other, times in alike.most_common():
            if times < _NEARLY * len(found):
                break
            if not {file, other} <= {*self._named}:
                raise InputError(
                    f"{other} and {file} seem to be two versions of the same rows: {times:,} of the first "
                    f"{len(found):,} texts of one are in the other. Name the one that is to be read, "
                    f"{shlex.quote(other)} or {shlex.quote(file)}, or each file if all rows are wanted"
                )
        for text in found:
            others = self._with.setdefault(hash(text), [])
            if len(others) < _MOST_FILES:
                others.append(file)

    def notes(self, file: str, rows: Sequence[Hashable]) -> list[str]:
        """A note, if the ``rows`` of ``file``, or what stands for them all, are those of an earlier file.

        Args:
            file: its path.
            rows: in their order. If there are none, there is nothing to repeat.
        """
        if not rows:
            return []
        first = self._first.setdefault(hash(tuple(rows)), file)
        return [] if first == file else [f"{file}: its rows are those of {first}, so that all of them come twice"]
