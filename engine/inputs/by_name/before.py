"""The columns with which other files were read → which of a file's columns are the same. Case makes no difference."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from engine.inputs.by_name.joined_text import parts_of
from store.format.label_command import csv_line

KINDS = ("text", "id", "label")


@dataclass(frozen=True, kw_only=True)
class ColumnsBefore:
    """The columns with which other files were read that the next ones belong to.

    Attributes:
        where: names what these files have become, for messages.
        text: columns of texts; of each file one, which may be several with commas between them.
        id: columns of ids.
        label: columns of labels.
    """

    where: str
    text: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    label: tuple[str, ...] = ()

    def of(self, what: str) -> tuple[str, ...]:
        """Those of ``what``: ``text``, ``id`` or ``label``."""
        found: tuple[str, ...] = getattr(self, what)
        return found

    def or_of(self, other: "ColumnsBefore | None") -> "ColumnsBefore":
        """These, and of each kind that is not among them those of ``other``."""
        if other is None:
            return self
        text, id_, label = (self.of(what) or other.of(what) for what in KINDS)
        return dataclasses.replace(self, text=text, id=id_, label=label)

    def here(self, what: str, columns: Collection[str]) -> list[str]:
        """Those of ``what`` that a file with these ``columns`` has, as it calls them."""
        found = []
        for name in self.of(what):
            parts = _parts(name, columns) if what == "text" else (name,)
            spelled = [_spelled(part, columns) for part in parts]
            if None not in spelled:
                found.append(csv_line(map(str, spelled)) if len(parts) > 1 else str(spelled[0]))
        return list(dict.fromkeys(found))

    def half_here(self, columns: Collection[str]) -> tuple[tuple[str, ...], list[str]] | None:
        """The columns of a text of which a file with these ``columns`` has some, and those that it has not; or None."""
        for name in self.text:
            parts = _parts(name, columns)
            lacking = [part for part in parts if _spelled(part, columns) is None]
            if 0 < len(lacking) < len(parts):
                return parts, lacking
        return None


def _parts(name: str, columns: Collection[str]) -> tuple[str, ...]:
    return (name,) if _spelled(name, columns) is not None else parts_of(name)


def _spelled(name: str, columns: Collection[str]) -> str | None:
    """``name`` as a file spells it; None if it has no such column, or several that differ in case alone."""
    if name in columns:
        return name
    found = [column for column in columns if column.casefold() == name.casefold()]
    return found[0] if len(found) == 1 else None
