"""What ``store.open`` gives: a store's contents, with SQL and streaming as methods."""

import os
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Any

from store.format.header import read_header
from store.snapshot import Snapshot
from store.storage import Storage, open_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from store.selections.selection import Selection
    from store.sql.session_pool import SessionPool
    from store.stream import Stream
    from store.verify.process import Verification


class Store(Snapshot):
    """An open store. See `store.snapshot.Snapshot` for its families."""

    def sql(self, query: str, *, labels: str | None = None, rounds: "Sequence[int] | None" = None) -> "pa.Table":
        """The result of one SELECT over the views of `store.sql.views`.

        Args:
            query: DuckDB SQL.
            labels: the label set of ``reviews``; needed if there are several.
            rounds: the rounds of gold that are seen, 0 being the corpus's own; all where None.

        Raises:
            store.errors.QueryError: it is refused or fails.
        """
        return self._sessions.query(query, labels=labels, rounds=rounds)

    @cached_property
    def _sessions(self) -> "SessionPool":
        """Open connections, until this object is garbage. They have a snapshot of their own, to keep no hold of it."""
        from store.sql.session_pool import SessionPool

        snapshot = Snapshot(self.storage, self.header)
        pool = SessionPool(snapshot if self._memos is None else snapshot.memoised())
        weakref.finalize(self, pool.close)
        return pool

    def __getstate__(self) -> dict[str, Any]:
        """All but the connections: a copy, here or in another process, opens its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_sessions"}

    def audit(
        self,
        question: str,
        *,
        labels: str | None = None,
        rounds: "Sequence[int] | None" = None,
        by: str | None = None,
    ) -> "pa.Table":
        """The answer to a named question about the labels; ``store.sql.questions.questions()`` are all of them.

        Args:
            question: its name, such as ``accuracy``.
            labels: the label set that is asked about; needed if there are several.
            rounds: the rounds of gold that count, 0 being the corpus's own; all where None. The latest holds.
            by: of ``slices`` and ``estimates``: an SQL expression over ``reviews``, such as ``left(id, 3)``.

        Raises:
            store.errors.QueryError: there is no such question, or ``by`` is no expression.
            store.errors.StoreMissingError: the store lacks something that it needs, such as gold.
        """
        from store.sql.questions import ready, sliced

        asked = ready(self, question, labels=labels, rounds=rounds)
        if by is not None:
            asked = sliced(asked, by, ask=lambda query: self.sql(query, labels=labels))
        return self.sql(asked.sql, labels=labels, rounds=rounds)

    def select(self, name: str, **wanted: Any) -> "Selection":
        """Freeze the rows of an SQL condition under ``name``; arguments as in `store.selections.select.Wanted`."""
        from store.selections.select import Wanted, select
        from store.sql import session as sql

        return select(self, name, Wanted(**wanted), ask=lambda query, labels: sql.query(self, query, labels=labels))

    def selection(self, name: str) -> "Selection":
        """The frozen selection ``name``.

        Raises:
            store.errors.StoreMissingError: there is none.
            store.errors.MismatchError: labels that it was made from have changed.
        """
        from store.selections.selection import read_selection

        return read_selection(self, name)

    def selections(self) -> list[str]:
        """Names of the frozen selections, sorted."""
        from store.selections.selection import selections

        return selections(self)

    def stream(self, **config: Any) -> "Stream":
        """Batches of arrays in a shuffled, repeatable order; arguments as in `store.stream.StreamConfig`."""
        from store.stream import Stream, StreamConfig

        return Stream(self, StreamConfig(**config))

    def verify(self) -> "Verification":
        """Check every hash, row number and fingerprint, and whether the families fit together."""
        from store.verify.process import verify_store

        return verify_store(self.storage)


def open_store(place: str | os.PathLike[str] | Storage) -> Store:
    """The store at ``place``.

    Raises:
        store.errors.StoreMissingError: there is none.
        store.errors.FormatError: its format is not known to this program.
    """
    storage = open_storage(place)
    return Store(storage, read_header(storage))
