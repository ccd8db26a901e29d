"""SELECTs in a child process, so that every query ends: `store.sql.child` is the other side.

The parent ends the child when the time limit is over. The child has limits of its own, in case the parent was killed,
and for memory that DuckDB does not count; whichever of them ends it, the error names the limit and the remedy. This
module imports neither pyarrow nor duckdb: the child can start before its parent has imported them.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from store.errors import DamageError, QueryError, QueryTimeoutError

if TYPE_CHECKING:
    import pyarrow as pa

CHILD_FOUND_DAMAGE = 4
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt])(i?)b", re.IGNORECASE)
_LEAST_MEMORY = 10 << 20
_MOST_MEMORY = 1000 * 10**12
_LONGEST = 30 * 86_400
_RESERVED = 2 << 30  # what Python, Arrow and DuckDB map before the first query; 1.3 GB were measured on two cores
_RESERVED_A_CORE = 32 << 20  # stacks and arenas of threads


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the queries.

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
            QueryError: it is not a size.
        """
        match = _SIZE.fullmatch(self.memory.strip())
        if match is None:
            raise QueryError(f"--memory is {self.memory!r}; it must be a size such as 500MB, 4GB or 2GiB")
        return int(float(match[1]) * (1024 if match[3] else 1000) ** ("kmgt".index(match[2].lower()) + 1))

    @property
    def data_bytes(self) -> int:
        """The limit of private writable memory (RLIMIT_DATA): room for `memory_bytes`, twice.

        Allocators keep address space that was freed. When DuckDB held 1 GB, 1.8 GB more were mapped than at the
        beginning; when it held 4 GB, 7.1 GB more.
        """
        return 2 * self.memory_bytes + _RESERVED + _RESERVED_A_CORE * (os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One SELECT for a child process.

    Attributes:
        sql: the query.
        result: the file that is created with the result, an Arrow IPC stream; it exists once the result is complete.
        name: of the question, for the message if it takes too long.
    """

    sql: str
    result: Path
    name: str | None = None


class Child:
    """A process that runs queries over one connection. Use as a context manager, which ends it.

    It starts at once and imports what it needs, while its parent prepares the queries.

    Args:
        address: how another process opens the store; see `store.storage.base.Storage.address`.
        labels: the label set of the view ``reviews``; needed if there are several.
        rounds: the rounds of gold that are seen; all if None.
        limits: what the queries may use, all of them together.
    """

    def __init__(
        self,
        address: str,
        *,
        labels: str | None = None,
        rounds: Sequence[int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._temporary = tempfile.TemporaryDirectory(prefix="engine-sql-")  # a killed child cannot remove it
        command = [sys.executable, "-P", "-m", "store.sql.child"]  # -P: not a store.py in the working directory
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        store = {"address": address, "temporary": self._temporary.name, "labels": labels, "rounds": rounds}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died already: `run` says of what
            self._process.stdin.write(_line({**store, "limits": asdict(self._limits)}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:  # closes the pipes and waits
            pass
        self._temporary.cleanup()

    def run(self, queries: Sequence[Query]) -> None:
        """Run ``queries`` one after the other, once. Those before one that fails have their results.

        Raises:
            QueryTimeoutError: they took longer than they may, from now on.
            QueryError: one is refused or fails, or the process died.
            DamageError: a file of the store is damaged.
        """
        given = _line([(query.sql, str(query.result)) for query in queries])
        try:
            said, stderr = self._process.communicate(given, timeout=self._limits.timeout)
        except subprocess.TimeoutExpired:
            raise _timed_out(queries, self._limits) from None
        status = self._process.returncode
        if status in (-signal.SIGALRM, -signal.SIGXCPU):
            raise _timed_out(queries, self._limits)
        if status != 0:
            raise _error(status, _text(said), _text(stderr), self._limits)


def run_in_child(
    address: str,
    sql: str,
    result: Path,
    *,
    labels: str | None = None,
    rounds: Sequence[int] | None = None,
    limits: Limits | None = None,
) -> None:
    """Run one SELECT in a child process; arguments and errors as in `Query`, `Child` and `Child.run`."""
    run_all_in_child(address, [Query(sql=sql, result=result)], labels=labels, rounds=rounds, limits=limits)


def run_all_in_child(
    address: str,
    queries: Sequence[Query],
    *,
    labels: str | None = None,
    rounds: Sequence[int] | None = None,
    limits: Limits | None = None,
) -> None:
    """Run several SELECTs in one child process; arguments and errors as in `Child` and `Child.run`."""
    with Child(address, labels=labels, rounds=rounds, limits=limits) as child:
        child.run(queries)


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _text(data: bytes) -> str:
    """``data`` as text: a library may write any bytes."""
    return data.decode("utf-8", "replace").strip()


def _timed_out(queries: Sequence[Query], limits: Limits) -> QueryTimeoutError:
    """The error of the first query without a result."""
    late = next((query for query in queries if not query.result.exists()), queries[-1])
    who = "the query" if late.name is None else f"the question {late.name}"
    shared = f", which all {len(queries)} queries share," if len(queries) > 1 else ""
    return QueryTimeoutError(f"{who} ran past its limit of {limits.timeout:g} s{shared} and was ended; see --timeout")


def _error(status: int, said: str, stderr: str, limits: Limits) -> DamageError | QueryError:
    """Turn the exit status and the output of a failed child process into an error."""
    if status == CHILD_FOUND_DAMAGE:
        return DamageError(said)
    if status == 1 and said:
        return QueryError(said)
    if status == -signal.SIGKILL:
        return QueryError(
            "the query's process was killed, as a system does that is out of memory; "
            f"give it less than --memory {limits.memory}, or select less"
        )
    how = f"of signal {-status}" if status < 0 else f"with {status}"
    words = stderr[-2000:] or "it said nothing"
    return QueryError(f"the query's process died {how}: {words}. See --memory ({limits.memory}), or simplify the query")


Ask = Callable[[str, str | None], "pa.Table"]
"""Runs a SELECT; its second argument is the label set of ``reviews``, needed if there are several."""


def child_asker(address: str, limits: Limits) -> Ask:
    """A function that runs each query in a child process of its own.

    Args:
        address: how another process opens the store; see `store.storage.base.Storage.address`.
        limits: what each query may use.
    """

    def ask(sql: str, labels: str | None) -> "pa.Table":
        import pyarrow as pa

        with tempfile.TemporaryDirectory(prefix="engine-select-") as folder:
            result = Path(folder) / "result.arrows"
            run_in_child(address, sql, result, labels=labels, limits=limits)
            with pa.memory_map(str(result)) as source:
                return pa.ipc.open_stream(source).read_all()

    return ask
