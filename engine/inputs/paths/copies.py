"""What input files hold → a note on those that repeat an earlier one. Reads nothing."""

from collections.abc import Hashable, Sequence


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
