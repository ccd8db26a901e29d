"""`FamilyKind`: everything in which one kind of family differs from the others; `store.families.registry` has them all.

Whoever reads, writes or checks a family asks its kind, and never looks at its path. So a new kind of column is one
module with its schema, statistics and check, and one entry in the registry.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from store.format.family import Family
from store.format.header import Header
from store.format.layout import Layout
from store.format.record_files import Memo
from store.storage import Storage


class Cut(enum.Enum):
    """How the rows of a family are cut into files."""

    LAYOUT = "shards of the store's layout: a value for every row once the family is finished"
    ROUNDS = "a shard a round: any rows, any number of rounds, never finished"
    ONE_FILE = "one file a segment, which the header or the file of the segment names"


def no_statistics(_: pa.Table) -> dict[str, Any]:
    """The statistics of a kind that has none."""
    return {}


def no_problem(_: pa.Table) -> str:
    """The check of a kind whose rows are right if their schema is."""
    return ""


@dataclass(frozen=True, kw_only=True)
class FamilyKind:
    """One kind of family.

    Attributes:
        name: first part of its path.
        schema: columns of a family of this kind, from the store's header and, if it has one, the family's card.
        statistics: the statistics in a shard's record: a pure function of the shard's rows.
        check_rows: problem of a shard's rows, whose schema is right; empty if there is none.
        cut: how its rows are cut into files.
        is_named: whether a store has any number of such families, each at ``<kind>/<name>``, and not just one.
        has_card: whether a family is begun by freezing a card.
        is_compressed: whether its data files are; then they cannot be read without a copy.
        streamed: columns that a stream can read; all if None.
        has_extras: whether it has the kept input columns: the files of a segment have those that its inputs had.
    """

    name: str
    schema: Callable[[Header, Family], pa.Schema]
    statistics: Callable[[pa.Table], dict[str, Any]] = no_statistics
    check_rows: Callable[[pa.Table], str] = no_problem
    cut: Cut = Cut.LAYOUT
    is_named: bool = False
    has_card: bool = False
    is_compressed: bool = False
    streamed: tuple[str, ...] | None = None
    has_extras: bool = False

    @property
    def is_laid_out(self) -> bool:
        """Whether its shards are those of the store's layout."""
        return self.cut is Cut.LAYOUT

    def has_path(self, path: str) -> bool:
        """Whether ``path`` is that of a family of this kind."""
        return path.split("/")[0] == self.name and path.count("/") == int(self.is_named)

    def family(self, storage: Storage, path: str, *, layout: Layout, memo: Memo | None = None) -> Family:
        """The family at ``path``, whether or not anything is committed in it."""
        return Family(
            storage,
            path,
            layout.shard_ranges if self.is_laid_out else layout.shards,
            has_card=self.has_card,
            is_compressed=self.is_compressed,
            memo=memo,
        )

    def columns(self, schema: pa.Schema, wanted: Iterable[str]) -> list[str]:
        """Those of ``wanted`` that a stream can read from a family with ``schema``."""
        return [name for name in wanted if name in (schema.names if self.streamed is None else self.streamed)]
