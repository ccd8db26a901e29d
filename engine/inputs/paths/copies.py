"""What input files hold, and how they are called → which of them repeat another. Reads nothing."""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path

_WORDS = (
    r"samples?|sampled|subset|small|mini|tiny|clean|cleaned|dedup|deduped|deduplicated|backup|bak|old|orig|original"
    r"|raw|copy"
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
    """Tells which files have all their rows in common with an earlier one."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}

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
