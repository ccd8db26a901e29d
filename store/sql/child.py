"""The process that runs queries: a request comes in on stdin as JSON, an Arrow IPC stream goes to each named file.

Exit status 1 with the message on stdout where a query is refused or fails, 4 where the store is damaged. Its parent
(`store.sql.process`) ends it when its time is over; where the parent is gone, the system does. What can be limited is
limited before anything that a query could misuse is imported.
"""

import errno
import json
import math
import os
import resource
import signal
import sys
from typing import Any

from store.errors import DamageError, QueryError, StoreError
from store.sql.process import CHILD_FOUND_DAMAGE, Limits

_AFTER_PARENT = 1.0  # seconds: the parent, if it is there, comes first
_AFTER_DUCKDB = 64 << 20  # bytes: DuckDB, which counts what it spills in large blocks, says more than the system


def limit(limits: Limits) -> None:
    """End this process by the system's own means when it uses more than it may."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.timeout + _AFTER_PARENT)
    cpu = math.ceil((limits.timeout + _AFTER_PARENT) * (os.cpu_count() or 1)) + 1
    _lower(resource.RLIMIT_CPU, cpu)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, limits.disk + _AFTER_DUCKDB)
    _lower(resource.RLIMIT_DATA, limits.data_bytes)  # not RLIMIT_AS: a store is mapped into memory, whatever its size


def _lower(what: int, value: int) -> None:
    """Set both limits, where they are not lower already."""
    _, hard = resource.getrlimit(what)
    value = min(value, sys.maxsize)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def run(request: dict[str, Any], limits: Limits) -> None:
    """Answer one request (`store.sql.process.run_in_child` makes it)."""
    import pyarrow as pa

    from store.format.header import read_header
    from store.snapshot import Snapshot
    from store.sql.session import Session
    from store.storage import open_storage

    storage = open_storage(request["location"])
    snapshot = Snapshot(storage, read_header(storage))
    settings = {"memory": limits.memory, "temporary": request["temporary"], "spill": limits.disk}
    with Session(snapshot, labels=request["labels"], rounds=request["rounds"], **settings) as session:
        for sql, result in request["asked"]:
            reader = session.reader(sql)
            with pa.OSFile(result, "wb") as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)


def main() -> int:
    """Read the request, answer it, say what went wrong."""
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    limit(limits)
    try:
        run(request, limits)
    except DamageError as error:
        sys.stdout.write(str(error))
        return CHILD_FOUND_DAMAGE
    except (StoreError, OSError, MemoryError) as error:
        sys.stdout.write(str(_named(error, limits)))
        return 1
    return 0


def _named(error: Exception, limits: Limits) -> Exception:
    """``error`` with the limit that it met, where it is one."""
    if isinstance(error, MemoryError):
        return QueryError(f"the query needs more memory than --memory {limits.memory} allows")
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return QueryError(f"the result is larger than {limits.disk:,} bytes; select fewer rows or columns")
    return error


if __name__ == "__main__":
    sys.exit(main())
