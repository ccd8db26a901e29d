"""A store → a locked-down DuckDB connection with the views of `store.sql.views`.

The views show what is committed, of an unfinished store too. A query is one SELECT (or EXPLAIN of one): it can touch
no file, no setting, no extension and no Python variable. DuckDB's Arrow scan refuses float16, so that label files are
opened with a float32 schema. A time limit that always holds needs a process: `store.sql.process`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from store.errors import QueryError
from store.snapshot import Snapshot
from store.sql.texts.hints import Names, explained
from store.sql.texts.statement import check_statement
from store.sql.views import Views


class Session:
    """A connection that has the views and can do nothing but read them. Use as a context manager.

    Args:
        snapshot: the store.
        labels: the label set of the view ``reviews``; needed if there are several.
        rounds: the rounds of gold that are seen, 0 being the corpus's own; all if None.
        memory: DuckDB's limit, such as ``4GB``.
        temporary: an empty private folder to spill to; spilling is off without one.
        spill: bytes that may be in it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        labels: str | None = None,
        rounds: Sequence[int] | None = None,
        memory: str = "4GB",
        temporary: str = "",
        spill: int = 20 * 10**9,
    ) -> None:
        self._snapshot = snapshot
        self.connection = duckdb.connect(
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
        if temporary:  # duckdb 2.0 shows this setting when it is given above, and does not obey it
            self.connection.execute(f"SET max_temp_directory_size = '{spill}B'")
        self._views = Views(self.connection, snapshot, labels, rounds)
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def forget(self) -> None:
        """Let the next query read again what is committed, in the label sets that there were at the beginning."""
        self._views.forget()

    def reader(self, sql: str) -> pa.RecordBatchReader:
        """Check and start one SELECT; its result, batch by batch.

        Raises:
            QueryError: it is refused or fails; also while the result is read.
            DamageError: a file that it read is damaged; also while the result is read.
        """
        check_statement(self.connection, sql)
        self._views.failure.error = None
        with self._failures():
            reader = self.connection.sql(sql).to_arrow_reader()
        schema = _with_different_names(reader.schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(reader, schema))

    def _batches(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._failures():
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn errors of DuckDB, and of Arrow if a query fails after its first rows, into ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if self._views.failure.error is not None:
                raise self._views.failure.error from None
            raise QueryError(self._explained(str(error))) from None

    def _explained(self, error: str) -> str:
        snapshot = self._snapshot
        names = Names(columns=self._views.columns(), classes=snapshot.header.classes, label_sets=snapshot.label_sets())
        return explained(error, names)


def _with_different_names(schema: pa.Schema) -> pa.Schema:
    """A second column of a name gets ``_1`` behind it, and so on: rows as dicts would lose one."""
    names: list[str] = []
    for name in schema.names:
        free = (f"{name}_{number}" if number else name for number in range(len(names) + 1))
        names.append(next(candidate for candidate in free if candidate not in names))
    return pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])


def query(snapshot: Snapshot, sql: str, *, labels: str | None = None, rounds: Sequence[int] | None = None) -> pa.Table:
    """Run one SELECT in this process, without a time limit; ``labels`` and ``rounds`` as in `Session`.

    Raises:
        QueryError: it is refused or fails.
        StoreMissingError: there is no such label set or round.
        DamageError: a file that it read is damaged.
    """
    with (
        tempfile.TemporaryDirectory(prefix="engine-sql-") as temporary,
        Session(snapshot, labels=labels, rounds=rounds, temporary=temporary) as session,
    ):
        return session.reader(sql).read_all()
