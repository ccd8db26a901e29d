"""A store → a locked-down DuckDB connection with the views ``corpus labels reviews gold rejects shards``.

The views show what is committed, of an unfinished store too. A query is one SELECT (or EXPLAIN of one): it can touch
no file, no setting, no extension and no Python variable. DuckDB's Arrow scan refuses float16, so that label files are
opened with a float32 schema. `run_in_child` adds what a thread cannot have: a hard end.
"""

import json
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from store.contents import Contents
from store.errors import DamageError, QueryError, QueryTimeoutError
from store.views import make_views

DEFAULT_TIMEOUT = 60.0
DEFAULT_MEMORY = "4GB"
CHILD_FOUND_DAMAGE = 4


def connect(
    contents: Contents, *, labels: str | None = None, memory: str = DEFAULT_MEMORY, temporary: str = ""
) -> duckdb.DuckDBPyConnection:
    """A connection that has the views and can do nothing but read them.

    Args:
        contents: the store.
        labels: the label set of the view ``reviews``; needed where there are several.
        memory: DuckDB's limit, such as ``4GB``.
        temporary: an empty private folder to spill to; spilling is off without one.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "python_scan_all_frames": "false",
            "memory_limit": memory,
            "temp_directory": temporary,
        },
    )
    make_views(connection, contents, labels)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what is not one SELECT or EXPLAIN of one. Nothing is run.

    Raises:
        QueryError: it is something else, or cannot be parsed.
    """
    kinds = _statement_kinds(connection, sql)
    if len(kinds) != 1:
        raise QueryError(f"one SELECT is allowed, and this is {len(kinds)} statements")
    if kinds[0] == "EXPLAIN":
        kinds = _explained_kinds(connection, sql)
    if kinds != ["SELECT"]:
        raise QueryError(f"only SELECT is allowed here, and this is {' '.join(kinds)}; a store is never changed by SQL")
    if any(word == b"(" and inner == b"COPY" for (_, word), (_, inner) in pairwise(_words(sql))):
        raise QueryError("only SELECT is allowed here, and this is WITH … AS (COPY …); a store is never changed by SQL")


def _statement_kinds(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    try:
        return [statement.type.name for statement in connection.extract_statements(sql)]
    except (duckdb.Error, ValueError) as error:  # a ValueError: a kind that duckdb's Python side has no name for
        raise QueryError(str(error)) from None


def _explained_kinds(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Kinds of what stands behind EXPLAIN: duckdb itself says EXPLAIN of EXPLAIN ANALYZE COPY, too."""
    starts, words = zip(*_words(sql), strict=True)
    begin = 2 if words[1] == b"ANALYZE" else 1
    if words[begin] == b"(" and words[begin + 1] in (b"ANALYZE", b"FORMAT"):
        begin = words.index(b")", begin) + 1
    inner = _statement_kinds(connection, sql.encode()[starts[begin] :].decode())
    return inner if inner == ["SELECT"] else ["EXPLAIN", *inner]


def _words(sql: str) -> list[tuple[int, bytes]]:
    """Words and signs in capitals, each with its place in bytes, without comments."""
    text = sql.encode()
    tokens = duckdb.tokenize(sql)
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    return [
        (start, text[start:end].strip().upper())
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind != duckdb.token_type.comment
    ]


def query(contents: Contents, sql: str, *, labels: str | None = None) -> pa.Table:
    """Run one SELECT in this process, without a time limit.

    Raises:
        QueryError: it is refused or fails.
    """
    with tempfile.TemporaryDirectory(prefix="engine-sql-") as temporary:
        connection = connect(contents, labels=labels, temporary=temporary)
        try:
            return open_reader(connection, contents, sql).read_all()
        except (OSError, pa.ArrowException) as error:  # how Arrow tells of a query that fails after its first rows
            raise QueryError(str(error)) from None
        finally:
            connection.close()


def open_reader(connection: duckdb.DuckDBPyConnection, contents: Contents, sql: str) -> pa.RecordBatchReader:
    """Check and start one SELECT; its result, batch by batch.

    Raises:
        QueryError: it is refused or fails.
    """
    check_statement(connection, sql)
    try:
        return _with_different_names(connection.sql(sql).to_arrow_reader())
    except duckdb.Error as error:
        hint = ""
        if "reviews does not exist" in str(error):
            names = ", ".join(contents.label_sets()) or "none yet"
            hint = f"\nThe view reviews joins one label set: choose it with --labels. This store has: {names}."
        raise QueryError(f"{error}{hint}") from None


def _with_different_names(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """A second column of a name gets ``_1`` behind it, and so on: rows as dicts would lose one."""
    names: list[str] = []
    for name in reader.schema.names:
        free = (f"{name}_{number}" if number else name for number in range(len(names) + 1))
        names.append(next(candidate for candidate in free if candidate not in names))
    if names == reader.schema.names:
        return reader
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    batches = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)


def run_in_child(location: str, sql: str, result: Path, **limits: Any) -> None:
    """Run one SELECT in a process of its own and end it when its time is over.

    Args:
        location: of the store, on disk.
        sql: the query.
        result: a file that is created with the result, as an Arrow IPC stream.
        limits: ``labels``, ``memory`` (as in `connect`) and ``timeout`` (seconds).

    Raises:
        QueryTimeoutError: it took longer than ``timeout``.
        QueryError: it is refused, fails, or the process died.
        DamageError: a file of the store is damaged.
    """
    timeout = limits.pop("timeout", DEFAULT_TIMEOUT)
    command = [sys.executable, "-P", "-m", "store.sql_child"]  # -P: a store.py in the working directory is not ours
    with tempfile.TemporaryDirectory(prefix="engine-sql-") as temporary:  # a child that is ended cannot clean up
        request = {"location": location, "sql": sql, "result": str(result), "temporary": temporary, **limits}
        try:
            done = subprocess.run(command, input=json.dumps(request), text=True, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise QueryTimeoutError(
                f"the query ran past its limit of {timeout:g} s and was ended; see --timeout"
            ) from None
    if done.returncode == CHILD_FOUND_DAMAGE:
        raise DamageError(done.stdout.strip())
    if done.returncode == 1 and done.stdout:
        raise QueryError(done.stdout.strip())
    if done.returncode != 0:
        raise QueryError(f"the query's process died with {done.returncode}: {done.stderr.strip()[-2000:]}")
