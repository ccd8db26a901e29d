"""Open sessions of one store, kept between queries: opening one takes some fifty times as long as a small query.

A session is used by one query at a time, so that threads do not wait for each other: each takes an idle one, or opens
another. DuckDB does not survive a fork: idle sessions are closed before this process forks.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakSet

import pyarrow as pa

from store.snapshot import Snapshot
from store.sql.session import Session

_MOST_IDLE = 4  # each has DuckDB's threads, asleep
_LOCK = threading.RLock()  # of all pools, held while this process forks; a pool may be closed by the garbage collector

_Choice = tuple[str | None, tuple[int, ...] | None]


@dataclass(frozen=True, eq=False)
class _Pooled:
    """A session with its private folder to spill to.

    Attributes:
        choice: the label set and the rounds of gold that its views show.
        label_sets: for which it has views.
    """

    choice: _Choice
    label_sets: list[str]
    session: Session
    folder: str

    def close(self) -> None:
        """Close the connection and remove the folder."""
        self.session.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class SessionPool:
    """Answers queries about one store.

    Args:
        snapshot: the store. Whoever owns the pool must not be reachable from it, since DuckDB's references to what it
            scans are hidden from the garbage collector.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._idle: list[_Pooled] = []
        self._is_closed = False
        with _LOCK:
            _POOLS.add(self)

    def query(self, sql: str, *, labels: str | None = None, rounds: Sequence[int] | None = None) -> pa.Table:
        """Run one SELECT over what is committed now; arguments and errors as in `store.sql.session.query`."""
        pooled = self._take((labels, None if rounds is None else tuple(rounds)))
        try:
            table = pooled.session.reader(sql).read_all()
        except BaseException:
            pooled.close()
            raise
        pooled.session.forget()
        self._keep(pooled)
        return table

    def close(self) -> None:
        """Close all idle sessions, and from now on every other one after its query."""
        self._is_closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close all idle sessions."""
        with _LOCK:
            while self._idle:
                self._idle.pop().close()

    def _take(self, choice: _Choice) -> _Pooled:
        """An idle session with the views of all label sets that there are now, or a new one."""
        names = self._snapshot.label_sets()
        with _LOCK:
            for pooled in [one for one in self._idle if one.choice == choice]:
                self._idle.remove(pooled)
                if pooled.label_sets == names:
                    return pooled
                pooled.close()
        return self._open(choice, names)

    def _open(self, choice: _Choice, names: list[str]) -> _Pooled:
        folder = tempfile.mkdtemp(prefix="engine-sql-")
        try:
            session = Session(self._snapshot, labels=choice[0], rounds=choice[1], temporary=folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _Pooled(choice, names, session, folder)

    def _keep(self, pooled: _Pooled) -> None:
        """Make ``pooled`` idle; the one that has been idle longest is closed if there are too many."""
        with _LOCK:
            self._idle.append(pooled)
            while self._idle and (self._is_closed or len(self._idle) > _MOST_IDLE):
                self._idle.pop(0).close()


_POOLS: WeakSet[SessionPool] = WeakSet()


def _before_fork() -> None:
    _LOCK.acquire()
    for pool in list(_POOLS):
        pool.close_idle()


os.register_at_fork(before=_before_fork, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)
