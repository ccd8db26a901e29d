"""The child process that runs queries, and writes the result of each into a file as an Arrow IPC stream.

Two lines of JSON come in on stdin: the store and the limits, so that limits are set and modules imported while the
parent (`store.sql.process.Child`) prepares; then the queries and their files. A result is renamed to its name when it
is complete. Exit status: 1 if a query is refused or fails, 4 if the store is damaged, with the message on stdout. The
parent ends this process when its time is over, which begins with the queries; without a parent, the system does. All
other limits are set before anything is imported that a query could misuse.
"""

import errno
import importlib
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.errors import DamageError, QueryError, StoreError
from store.sql.process import CHILD_FOUND_DAMAGE, Limits

if TYPE_CHECKING:
    import pyarrow as pa

_AFTER_PARENT = 1.0  # seconds: the parent, if it still runs, comes first
_AFTER_DUCKDB = (
    64 << 20
)  # bytes: DuckDB, which counts what it spills in large blocks, gives a better message than the system


def limit(limits: Limits) -> None:
    """Let the system end this process when it uses more than it may; `start_clock` limits its time."""
    cpu = math.ceil((limits.timeout + _AFTER_PARENT) * (os.cpu_count() or 1)) + 1
    _lower(resource.RLIMIT_CPU, cpu)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, limits.disk + _AFTER_DUCKDB)
    _lower(resource.RLIMIT_DATA, limits.data_bytes)  # not RLIMIT_AS: a store is mapped into memory, whatever its size


def start_clock(limits: Limits) -> None:
    """Let the system end this process when its time is over, from now on."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.timeout + _AFTER_PARENT)


def _lower(limit_: int, value: int) -> None:
    """Set the soft and the hard limit, unless they are lower already."""
    _, hard = resource.getrlimit(limit_)
    value = min(value, sys.maxsize)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit_, (value, value))


class _WithoutPandas(MetaPathFinder):
    """Hides pandas in this process: pyarrow imports it if it can, which takes longer than all questions."""

    def find_spec(self, name: str, *_: Any) -> None:
        """Refuse pandas, and leave other modules to the finders behind this one."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def run(request: dict[str, Any], limits: Limits, queries: Iterable[tuple[str, str]]) -> None:
    """Answer ``queries``, pairs of a SELECT and the file of its result."""
    from store.format.header import read_header
    from store.snapshot import Snapshot
    from store.sql.session import Session
    from store.storage import open_storage

    storage = open_storage(request["address"])
    snapshot = Snapshot(storage, read_header(storage)).memoised()
    settings = {"memory": limits.memory, "temporary": request["temporary"], "spill": limits.disk}
    with Session(snapshot, labels=request["labels"], rounds=request["rounds"], **settings) as session:
        for sql, result in queries:
            _write(session.reader(sql), result)


def _write(reader: "pa.RecordBatchReader", result: str) -> None:
    """Write all batches; the file has its name when they are all in it."""
    import pyarrow as pa

    part = f"{result}.part"
    with pa.OSFile(part, "wb") as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    Path(part).replace(result)


def main() -> int:
    """Read the request, answer it, report errors."""
    request = json.loads(sys.stdin.readline())
    limits = Limits(**request["limits"])
    limit(limits)
    try:
        sys.meta_path.insert(0, _WithoutPandas())
        importlib.import_module("store.sql.session")  # takes longer than most queries
        queries = sys.stdin.readline()
        if not queries:  # the parent has none, or is gone
            return 0
        start_clock(limits)
        run(request, limits, json.loads(queries))
    except DamageError as error:
        sys.stdout.write(str(error))
        return CHILD_FOUND_DAMAGE
    except (StoreError, OSError, MemoryError) as error:
        sys.stdout.write(str(_named(error, limits)))
        return 1
    return 0


def _named(error: Exception, limits: Limits) -> Exception:
    """``error``, or one that names the limit if a limit caused it."""
    if isinstance(error, MemoryError):
        return QueryError(f"the query needs more memory than --memory {limits.memory} allows")
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return QueryError(f"the result is larger than {limits.disk:,} bytes; select fewer rows or columns")
    return error


if __name__ == "__main__":
    sys.exit(main())
