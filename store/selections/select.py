"""A condition in SQL, and other selections → a frozen selection. What runs the SQL is handed in.

The condition is asked of the view ``reviews``, or of ``corpus`` where no label set is joined.
"""

from contextlib import ExitStack

import numpy as np

from store.errors import DamageError, MismatchError, QueryError, StoreMissingError
from store.format.names import CORPUS, GOLD, LABELS
from store.gold.fingerprint import fingerprints
from store.gold.held import chosen_rounds
from store.rows.row_set import RowNumbers, RowSet
from store.selections.card import Proposed, card_name
from store.selections.propose import propose
from store.selections.request import SelectionRequest
from store.selections.selection import Selection, changed_source, freeze_selection, read_selection
from store.snapshot import Snapshot
from store.sql.process import Ask
from store.sql.texts.conditions import order_clause, views_read, where_clause


def select(snapshot: Snapshot, name: str, request: SelectionRequest, *, ask: Ask) -> Selection:
    """Select rows and freeze them under ``name``.

    Args:
        snapshot: the store.
        name: of the selection.
        request: which rows.
        ask: runs the SQL.

    Raises:
        QueryError: the SQL is refused or fails.
        InvalidNameError: the selection cannot be called so.
        StoreMissingError: there is no such label set or selection, or a family that is read is not finished.
        StoreExistsError: there is a selection of that name with other rows.
        MismatchError: what a named selection was made from has changed, or did so while this one was made.
        DamageError: a file of the store is damaged.
    """
    card_name(name)
    work = _Selecting(snapshot, request, ask)
    sources = fingerprints(snapshot, work.families())
    rows, before = work.rows(), dict(sources)
    for other in work.others.values():
        is_of_now = other.rows.size == snapshot.layout.rows
        sources |= other.sources if is_of_now else fingerprints(snapshot, other.sources)
    made = Selection(
        name=name,
        rows=rows,
        sql=request.where,
        order_by=request.order_by,
        limit=request.limit,
        labels=work.labels,
        proposed=work.proposed,
        algebra=request.algebra,
        sources=sources,
    )
    with ExitStack() as stack:
        for path in sources:  # a selection must not be frozen while one of them is removed
            stack.enter_context(snapshot.family(path).kept())
        if (change := changed_source(snapshot, before)) is not None:
            raise MismatchError(f"the selection {name!r} of {snapshot.location} {change}; select again")
        return freeze_selection(snapshot, made)


class _Selecting:
    """One selection in the making.

    Attributes:
        labels: the label set that is joined; None if none is.
        proposed: how rows are proposed; None if they are not.
        others: the selections that are named.
    """

    def __init__(self, snapshot: Snapshot, request: SelectionRequest, ask: Ask) -> None:
        self._snapshot = snapshot
        self._request = request
        self._ask = ask
        self.labels = self._label_set()
        self.proposed = self._proposed()
        self.others = {name: read_selection(snapshot, name) for name in (*request.and_, *request.or_, *request.not_)}
        self._rows_of = {name: one.rows.of_size(snapshot.layout.rows) for name, one in self.others.items()}

    def _label_set(self) -> str | None:
        request, there = self._request, self._snapshot.label_sets()
        named = request.named[0] if request.named else None
        if request.propose == "disagreement":
            named = named or next(iter(there), None)
        if request.propose is None:
            is_asked = named is not None or (request.has_sql and len(there) == 1)
        else:
            is_asked = bool(there) or request.propose != "random"
        return self._snapshot.one_label_set(named) if is_asked else None

    def _proposed(self) -> Proposed | None:
        request = self._request
        if request.propose is None:
            return None
        return Proposed(
            method=request.propose,
            seed=(request.seed or 0) if request.propose == "random" else None,
            label_sets=self._compared() if request.propose == "disagreement" else [],
            rounds=list(chosen_rounds(self._snapshot)),
        )

    def _compared(self) -> list[str]:
        """The label sets that are compared."""
        there, named = self._snapshot.label_sets(), list(dict.fromkeys(self._request.named))
        if len(there) < 2:
            raise StoreMissingError(
                f"--propose disagreement compares label sets, and {self._snapshot.location} has {len(there)}; `engine "
                "label` with another teacher adds one, and --propose margin needs only one"
            )
        return [self._snapshot.one_label_set(name) for name in (named if len(named) > 1 else there)]

    def families(self) -> set[str]:
        """Paths of what may be read; the SQL is checked."""
        views = views_read(self._request.where, self._request.order_by, ask=lambda sql: self._ask(sql, self.labels))
        names = set(self._snapshot.label_sets()) if "labels" in views else set()
        names |= {self.labels} if self.labels is not None else set()
        names |= set(self.proposed.label_sets) if self.proposed is not None else set()
        return {CORPUS, *(f"{LABELS}/{name}" for name in names), *({GOLD} if "gold" in views else ())}

    def rows(self) -> RowSet:
        """The rows that are request."""
        request, size = self._request, self._snapshot.layout.rows
        if self.proposed is not None and request.limit is not None:
            among = self._combined()
            return propose(self._snapshot, among, request.limit, labels=self.labels, proposed=self.proposed)
        if not request.algebra:
            order = "" if request.limit is None else order_clause(request.order_by)
            clauses = where_clause(request.where) + order
            return RowSet.of(self._numbers(clauses, limit=request.limit), size=size)
        rows = self._combined()
        if request.limit is None:
            return rows
        first = rows.numbers() if request.order_by is None else self._numbers(order_clause(request.order_by))
        return RowSet.of(first[rows.has(first)][: request.limit], size=size)

    def _combined(self) -> RowSet:
        request, size = self._request, self._snapshot.layout.rows
        rows = RowSet.every(size)
        if request.where is not None:
            rows = RowSet.of(self._numbers(where_clause(request.where)), size=size)
        elif request.or_ and not request.and_:
            rows = ~rows
        for name in request.and_:
            rows &= self._rows_of[name]
        for name in request.or_:
            rows |= self._rows_of[name]
        for name in request.not_:
            rows &= ~self._rows_of[name]
        return rows

    def _numbers(self, clauses: str, *, limit: int | None = None) -> RowNumbers:
        """Row numbers, in order."""
        view = "corpus" if self.labels is None else "reviews"
        query = f"SELECT row FROM {view}{clauses}" + ("" if limit is None else f" LIMIT {limit}")
        try:
            numbers: RowNumbers = self._ask(query, self.labels).column("row").to_numpy().astype(np.int64)
        except QueryError as error:
            if not (hint := self._hint(str(error))):
                raise
            raise QueryError(f"{error}\n{hint}") from None
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self._snapshot.layout.rows:
            raise DamageError(f"{self._snapshot.location} has row numbers that are not its own; see `engine verify`")
        return numbers

    def _hint(self, error: str) -> str:
        if self.labels is not None or "Referenced column" not in error:
            return ""
        names = ", ".join(self._snapshot.label_sets()) or "none yet"
        return f"Columns of a label set need one: choose it with --labels. This store has: {names}."
