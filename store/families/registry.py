"""All kinds of families, and the kind of the family at a path."""

from typing import Any

import pyarrow as pa

from store.errors import StoreMissingError
from store.families.corpus import CORPUS_KIND
from store.families.gold import GOLD_KIND
from store.families.kind import FamilyKind
from store.families.labels import LABELS_KIND
from store.families.rejects import REJECTS_KIND
from store.families.tokens import TOKENS_KIND

KINDS: dict[str, FamilyKind] = {
    kind.name: kind for kind in (CORPUS_KIND, TOKENS_KIND, LABELS_KIND, GOLD_KIND, REJECTS_KIND)
}
"""By name; each comes after those that its rows are made from."""


def kind_of(path: str) -> FamilyKind:
    """The kind of the family at ``path``.

    Raises:
        StoreMissingError: there is no such kind.
    """
    kind = KINDS.get(path.split("/")[0])
    if kind is None or not kind.has_path(path):
        raise StoreMissingError(f"a store has no family {path!r}; it may have: {', '.join(KINDS)}")
    return kind


def shard_statistics(path: str, rows: pa.Table) -> dict[str, Any]:
    """The statistics of a shard of the family at ``path`` that holds ``rows``: a pure function of them."""
    return kind_of(path).statistics(rows)
