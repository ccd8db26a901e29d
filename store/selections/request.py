"""Which rows to select, as the user says it: checked as far as that needs no store."""

from dataclasses import dataclass

from store.errors import QueryError
from store.selections.methods import METHODS


@dataclass(frozen=True, kw_only=True)
class SelectionRequest:
    """Which rows to select: those of ``where`` that are in all of ``and_``, and those of ``or_``, but none of ``not_``.

    Attributes:
        where: an SQL condition. Without one it is all rows, or none where only ``or_`` says with which to begin.
        labels: the label set whose columns it may use, if there are several. Where label sets are compared, those, the
            first of which it uses; if less than two are named, all are compared.
        order_by: SQL: which of those rows come first; equal ones by row number.
        limit: how many of the first to keep; all where None.
        propose: which rows come first in place of an order: one of `store.selections.methods.METHODS`. Rows that need
            no label are left out, as `store.selections.propose` says.
        seed: of the method ``random``; 0 where None.
        and_, or_, not_: names of other selections.
    """

    where: str | None = None
    labels: str | tuple[str, ...] | None = None
    order_by: str | None = None
    limit: int | None = None
    propose: str | None = None
    seed: int | None = None
    and_: tuple[str, ...] = ()
    or_: tuple[str, ...] = ()
    not_: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise QueryError(f"--limit is {self.limit}; it must be at least 1")
        self._check_proposal()
        if self.order_by is not None and self.limit is None:
            raise QueryError("--order-by says which rows --limit keeps, for a selection has no order; give --limit too")
        if self.where is None and self.limit is None and not self.algebra:
            raise QueryError("which rows? Give a condition (--where), other selections (--and, --or, --not) or --limit")

    def _check_proposal(self) -> None:
        if self.propose is not None and self.propose not in METHODS:
            raise QueryError(f"--propose is {self.propose!r}; the ways to propose rows are {', '.join(METHODS)}")
        if self.propose is not None and self.limit is None:
            raise QueryError("--propose says which rows --limit keeps; give --limit too: how many to propose")
        if self.propose is not None and self.order_by is not None:
            raise QueryError("--propose and --order-by both say which rows come first; give one of them")
        if self.seed is not None and self.propose != "random":
            raise QueryError("--seed is of --propose random; nothing else is random")
        if self.seed is not None and not 0 <= self.seed < 1 << 64:
            raise QueryError(f"--seed is {self.seed}; it must be from 0 to 2^64 - 1")
        if len(self.named) > 1 and self.propose != "disagreement":
            raise QueryError("--labels names several label sets, which only --propose disagreement compares; name one")

    @property
    def named(self) -> tuple[str, ...]:
        """The label sets that are named."""
        return (self.labels,) if isinstance(self.labels, str) else tuple(self.labels or ())

    @property
    def algebra(self) -> dict[str, list[str]]:
        """Names of other selections, by the set operation."""
        named = {"and": self.and_, "or": self.or_, "not": self.not_}
        return {word: list(names) for word, names in named.items() if names}

    @property
    def has_sql(self) -> bool:
        """Whether the columns of a view are asked."""
        return self.where is not None or self.order_by is not None
