"""Findings: everything wrong in a store, made by `store.verify`, printed by ``engine verify``, read by repair."""

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Kind(enum.StrEnum):
    """What kind of finding it is. The first three are damage."""

    DAMAGED = "damaged"
    """Bytes are not those that were written."""
    MISSING = "missing"
    """A file that was committed is gone."""
    MISMATCH = "mismatch"
    """Two files are each whole and contradict each other."""
    UNFINISHED = "unfinished"
    """Incomplete: a run was interrupted or is still running."""
    LITTER = "litter"
    """A file that nothing needs: a writer was killed before its commit, or a repair took its place."""


class Problem(NamedTuple):
    """The problem of one file.

    Attributes:
        kind: see `Kind`.
        text: in words.
    """

    kind: Kind
    text: str


def damaged(text: str) -> Problem | None:
    """Damage that ``text`` describes; None if it is empty."""
    return Problem(Kind.DAMAGED, text) if text else None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as in a finished, undamaged store.

    Attributes:
        kind: see `Kind`.
        family: path of the family, such as ``labels/bert``; empty for the header.
        shard: its number; None if the finding is of no one shard.
        file: name of the file, from the store's root.
        problem: what is wrong, in words.
    """

    kind: Kind
    family: str
    shard: int | None
    file: str
    problem: str

    @property
    def is_damage(self) -> bool:
        """Whether the store is not what it promises to be."""
        return self.kind in (Kind.DAMAGED, Kind.MISSING, Kind.MISMATCH)
