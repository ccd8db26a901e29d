"""The public `Store` that ``store.open`` gives: a snapshot with SQL, streaming and selections as methods."""

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

    from store.copying.copy_store import Copied
    from store.removal import Removal
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
            rounds: the rounds of gold that are seen, 0 being the corpus's own; all if None.

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
            rounds: the rounds of gold that count, 0 being the corpus's own; all if None. The latest holds.
            by: of ``slices`` and ``estimates``: an SQL expression over ``reviews``, such as ``left(id, 3)``.

        Raises:
            store.errors.QueryError: there is no such question, or ``by`` is no expression.
            store.errors.StoreMissingError: the store lacks something it needs, such as gold.
        """
        from store.sql.questions import ready, sliced

        asked = ready(self, question, labels=labels, rounds=rounds)
        if by is not None:
            asked = sliced(asked, by, ask=lambda query: self.sql(query, labels=labels))
        return self.sql(asked.sql, labels=labels, rounds=rounds)

    def select(  # noqa: PLR0913 - an editor shows them
        self,
        name: str,
        *,
        where: str | None = None,
        labels: "str | tuple[str, ...] | None" = None,
        order_by: str | None = None,
        limit: int | None = None,
        propose: str | None = None,
        seed: int | None = None,
        and_: "tuple[str, ...]" = (),
        or_: "tuple[str, ...]" = (),
        not_: "tuple[str, ...]" = (),
    ) -> "Selection":
        """Freeze rows under ``name``: of ``where``, and in all of ``and_``; also those of ``or_``; none of ``not_``.

        Args:
            name: of the selection.
            where: an SQL condition over the columns of ``reviews``; all rows if None, or none if only ``or_`` is given.
            labels: the label set whose columns it may use, if there are several; of ``disagreement``, those compared.
            order_by: SQL: which of those rows come first; equal ones by row number. Needs ``limit``.
            limit: how many of the first to keep; all if None.
            propose: which come first in place of ``order_by``, for annotators: ``margin``, ``diverse``,
                ``disagreement`` or ``random``. Rows whose text has gold, copies and failed rows are left out.
            seed: of ``random``; 0 if None.
            and_: names of selections that a row must be in.
            or_: names of selections whose rows are added.
            not_: names of selections whose rows are taken away.

        Raises:
            store.errors.QueryError: the SQL is refused or fails, or nothing says which rows.
            store.errors.InvalidNameError: a selection cannot be called ``name``.
            store.errors.StoreMissingError: no such label set or selection, or a family that is read is unfinished.
            store.errors.StoreExistsError: ``name`` has other rows already.
            store.errors.MismatchError: the sources of a named selection have changed.
        """
        from store.selections.request import SelectionRequest
        from store.selections.select import select

        request = SelectionRequest(
            where=where, labels=labels, order_by=order_by, limit=limit, propose=propose, seed=seed,
            and_=and_, or_=or_, not_=not_,
        )  # fmt: skip
        return select(self, name, request, ask=lambda query, labels: self.sql(query, labels=labels))

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

    def stream(  # noqa: PLR0913 - an editor shows them
        self, *, labels: "str | tuple[str, ...] | None" = None, select: str | None = None,
        columns: "tuple[str, ...]" = ("logits",), rounds: "tuple[int, ...] | None" = None, encoding: str | None = None,
        batch_size: int = 64, seed: int = 0, epoch: int = 0, step: int = 0, rank: int = 0, ranks: int = 1,
        workers: int = 1,
    ) -> "Stream":  # fmt: skip
        """Batches of arrays in a shuffled, repeatable order: dicts that always have ``row``, (rows,) int64.

        Args:
            labels: the label set; of several, in a tuple, each label column has an axis more: (rows, label sets, …).
            select: a selection, whose rows alone come; all rows if None.
            columns: of the corpus (``text``, ``label``, …) and of the label set (``logits``, (rows, classes) float16;
                ``confidence``, …), and ``gold``, the label of the latest round of gold, else that of the corpus.
            rounds: the rounds that ``gold`` is from, 0 being the corpus's own; all that exist now if None.
            encoding: a kept encoding; adds ``input_ids`` (flat) and ``offsets`` (rows + 1).
            batch_size: rows a step, of all ranks together; the last step of an epoch may be shorter.
            seed: of the order.
            epoch: from 0.
            step: steps of the epoch to pass over, for a resume; see `store.stream.Stream.state`.
            rank: which part of each step comes, from 0.
            ranks: how many parts there are.
            workers: threads that read ahead; with 0 a window is read in the caller's thread when it begins.

        Raises:
            store.errors.StoreMissingError: there is no such label set, selection, encoding or column.
            store.errors.MismatchError: labels that the selection was made from have changed.
            ValueError: a number is out of its range.
        """
        from store.stream import Stream, StreamConfig

        config = StreamConfig(
            labels=labels, select=select, columns=columns, rounds=rounds, encoding=encoding, batch_size=batch_size,
            seed=seed, epoch=epoch, step=step, rank=rank, ranks=ranks, workers=workers,
        )  # fmt: skip
        return Stream(self, config)

    def copy(self, to: str | os.PathLike[str] | Storage, *, labels: "Sequence[str]" = ()) -> "Copied":
        """Copy the store; each file is compared with its hash on the way. Run again, it goes on where it was stopped.

        Args:
            to: a folder that does not exist yet, or a copy of this store.
            labels: the label sets to copy; all if empty.

        Raises:
            store.errors.StoreExistsError: there is something else.
            store.errors.DamageError: a file of this store is damaged.
        """
        from store.copying.copy_store import copy_store

        return copy_store(self, open_storage(to), labels=labels)

    def remove(self, *targets: str) -> "list[Removal]":
        """Take label sets, selections or token ids away, for good; what was removed.

        Args:
            targets: ``labels/NAME``, ``selections/NAME`` or ``tokens/NAME``.

        Raises:
            store.errors.StoreMissingError: there is no such thing.
            store.errors.InUseError: something else needs it, or a run is writing it.
        """
        from store.removal import remove

        return remove(self, targets)

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
