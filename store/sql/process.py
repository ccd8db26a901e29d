"""SELECTs in a process of their own, which ends whatever the query does: `store.sql.child` is the other side.

The parent ends the child when its time is over. The child has limits of its own, for a parent that was killed and
for memory that DuckDB does not count; whichever of them ends it, the caller gets an error that names limit and remedy.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from store.errors import DamageError, QueryError, QueryTimeoutError

CHILD_FOUND_DAMAGE = 4
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"}  # a library may cry in any bytes
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt])(i?)b", re.IGNORECASE)
_LEAST_MEMORY = 10 << 20
_MOST_MEMORY = 1000 * 10**12
_LONGEST = 30 * 86_400
_RESERVED = 2 << 30  # what Python, Arrow and DuckDB map before the first query; 1.3 GB were measured on two cores
_RESERVED_A_CORE = 32 << 20  # stacks and arenas of threads


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a query may use.

    Attributes:
        timeout: seconds.
        memory: of DuckDB, such as ``4GB``.
        disk: bytes, of what is spilled and of the result, each.
    """

    timeout: float = 60.0
    memory: str = "4GB"
    disk: int = 20 * 10**9

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= _LONGEST:
            raise QueryError(f"--timeout is {self.timeout:g}; it is in seconds, more than 0 and at most {_LONGEST:,}")
        if not _LEAST_MEMORY <= self.memory_bytes <= _MOST_MEMORY:
            raise QueryError(f"--memory is {self.memory}; it must be at least 10MB and at most 1000TB")

    @property
    def memory_bytes(self) -> int:
        """``memory`` in bytes.

        Raises:
            QueryError: it is no size.
        """
        match = _SIZE.fullmatch(self.memory.strip())
        if match is None:
            raise QueryError(f"--memory is {self.memory!r}; it must be a size such as 500MB, 4GB or 2GiB")
        return int(float(match[1]) * (1024 if match[3] else 1000) ** ("kmgt".index(match[2].lower()) + 1))

    @property
    def data_bytes(self) -> int:
        """The limit of private writable memory (RLIMIT_DATA): room for `memory_bytes`, twice.

        Allocators keep address space that they have given back. Where DuckDB held 1 GB, 1.8 GB were mapped beside what
        was there at the beginning, and 7.1 GB where it held 4 GB.
        """
        return 2 * self.memory_bytes + _RESERVED + _RESERVED_A_CORE * (os.cpu_count() or 1)


def run_in_child(
    location: str,
    sql: str,
    result: Path,
    *,
    labels: str | None = None,
    rounds: Sequence[int] | None = None,
    limits: Limits | None = None,
) -> None:
    """Run one SELECT in a process of its own.

    Args:
        location: of the store, on disk.
        sql: the query.
        result: a file that is created with the result, as an Arrow IPC stream.
        labels: the label set of the view ``reviews``, where there are several.
        rounds: the rounds of gold that are seen; all where None.
        limits: what the query may use.

    Raises:
        QueryTimeoutError: it took longer than it may.
        QueryError: it is refused, fails, or the process died.
        DamageError: a file of the store is damaged.
    """
    run_all_in_child(location, [(sql, result)], labels=labels, rounds=rounds, limits=limits)


def run_all_in_child(
    location: str,
    asked: list[tuple[str, Path]],
    *,
    labels: str | None = None,
    rounds: Sequence[int] | None = None,
    limits: Limits | None = None,
) -> None:
    """Run several SELECTs one after the other, over one connection, in a process of its own.

    Args:
        location: of the store, on disk.
        asked: each query, and the file that is created with its result, as in `run_in_child`.
        labels: the label set of the view ``reviews``, where there are several.
        rounds: as in `run_in_child`.
        limits: what they may use: the time is that of all of them together.

    Raises:
        QueryTimeoutError: they took longer than they may.
        QueryError: one is refused or fails, or the process died.
        DamageError: a file of the store is damaged.
    """
    limits = limits or Limits()
    command = [sys.executable, "-P", "-m", "store.sql.child"]  # -P: a store.py in the working directory is not ours
    with tempfile.TemporaryDirectory(prefix="engine-sql-") as temporary:  # a child that is ended cannot clean up
        named = [(sql, str(result)) for sql, result in asked]
        request = {"location": location, "asked": named, "temporary": temporary, "labels": labels, "rounds": rounds}
        given = json.dumps({**request, "limits": asdict(limits)})
        try:
            done = subprocess.run(command, input=given, capture_output=True, timeout=limits.timeout, **_TEXT)
        except subprocess.TimeoutExpired:
            raise _timed_out(limits) from None
    if done.returncode != 0:
        raise _error(done, limits)


def _timed_out(limits: Limits) -> QueryTimeoutError:
    return QueryTimeoutError(f"the query ran past its limit of {limits.timeout:g} s and was ended; see --timeout")


def _error(done: subprocess.CompletedProcess[str], limits: Limits) -> DamageError | QueryError:
    """What a child that did not end well died of."""
    said = done.stdout.strip()
    if done.returncode == CHILD_FOUND_DAMAGE:
        return DamageError(said)
    if done.returncode == 1 and said:
        return QueryError(said)
    if done.returncode in (-signal.SIGALRM, -signal.SIGXCPU):
        return _timed_out(limits)
    if done.returncode == -signal.SIGKILL:
        return QueryError(
            "the query's process was killed, as a system does that is out of memory; "
            f"give it less than --memory {limits.memory}, or select less"
        )
    how = f"of signal {-done.returncode}" if done.returncode < 0 else f"with {done.returncode}"
    words = done.stderr.strip()[-2000:] or "it said nothing"
    return QueryError(f"the query's process died {how}: {words}. See --memory ({limits.memory}), or simplify the query")


Ask = Callable[[str, str | None], pa.Table]
"""Runs a SELECT; its second argument is the label set of ``reviews``, where there are several."""


def child_asker(location: str, limits: Limits) -> Ask:
    """What runs each query in a process of its own, which ends when its time is over.

    Args:
        location: of the store, on disk.
        limits: what each query may use.
    """

    def ask(sql: str, labels: str | None) -> pa.Table:
        with tempfile.TemporaryDirectory(prefix="engine-select-") as folder:
            result = Path(folder) / "result.arrows"
            run_in_child(location, sql, result, labels=labels, limits=limits)
            with pa.memory_map(str(result)) as source:
                return pa.ipc.open_stream(source).read_all()

    return ask
