"""The process that runs one query: a request comes in on stdin as JSON, an Arrow IPC stream goes to the named file.

Exit status 1 with the message on stdout where the query is refused or fails, 4 where the store is damaged. Its parent
ends it when its time is over.
"""

import json
import sys

import duckdb
import pyarrow as pa

from store.contents import Contents, read_header
from store.errors import DamageError, StoreError
from store.sql import CHILD_FOUND_DAMAGE, DEFAULT_MEMORY, connect, open_reader
from store.storage import storage_at


def run(request: dict[str, str]) -> None:
    """Answer one request (see `store.sql.run_in_child` for its keys)."""
    storage = storage_at(request["location"])
    contents = Contents(storage, read_header(storage))
    memory = request.get("memory") or DEFAULT_MEMORY
    connection = connect(contents, labels=request.get("labels"), memory=memory, temporary=request["temporary"])
    reader = open_reader(connection, contents, request["sql"])
    with pa.OSFile(request["result"], "wb") as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    connection.close()


def main() -> int:
    """Read the request, answer it, say what went wrong."""
    try:
        run(json.load(sys.stdin))
    except DamageError as error:
        sys.stdout.write(str(error))
        return CHILD_FOUND_DAMAGE
    except (StoreError, duckdb.Error, pa.ArrowException, OSError) as error:
        sys.stdout.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
