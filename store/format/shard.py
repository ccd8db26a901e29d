"""Record batches ⇄ one Arrow IPC file. The file format, not the stream format: a truncated stream reads short silently.

The same rows give the same bytes, however they come. A file's batches all hold `BATCH_ROWS` rows, but for the last
one, so that a reader finds a row without reading the others.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import pyarrow as pa

from store.errors import DamageError, StoreMissingError
from store.format.family import Family
from store.format.findings import Kind, Problem, damaged
from store.format.record import Record, data_name
from store.storage import Staged, Storage

BATCH_ROWS = 1024
REMEDY = "`engine verify STORE --repair` makes it again"


def rebatch(tables: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `BATCH_ROWS`, but for the last. Holds one batch and one input at a time."""
    pending: list[pa.Table] = []
    held = 0
    for piece in tables:
        table = pa.Table.from_batches([piece]) if isinstance(piece, pa.RecordBatch) else piece
        pending.append(table.cast(schema))
        held += table.num_rows
        if held >= BATCH_ROWS:
            whole = pa.concat_tables(pending)
            cut = held - held % BATCH_ROWS
            for start in range(0, cut, BATCH_ROWS):
                yield one_batch(whole.slice(start, BATCH_ROWS))
            pending, held = [whole.slice(cut)], held - cut
    if held:
        yield one_batch(pa.concat_tables(pending))


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A copy of ``table``: a slice would be written with the beginning of the row behind it as padding."""
    if table.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=table.schema)
    return pa.record_batch([pa.concat_arrays(column.chunks) for column in table.columns], schema=table.schema)


class ShardWriter:
    """Writes one file of a family, batch by batch, and publishes it under its hash's name.

    Use as a context manager: what is not published when it ends is removed, and what is published is its writer's,
    whom nobody takes for dead, until then.
    """

    def __init__(self, storage: Storage, schema: pa.Schema, *, compressed: bool) -> None:
        self.rows = 0
        self._staged: Staged = storage.stage()
        options = pa.ipc.IpcWriteOptions(compression="zstd" if compressed else None)
        self._writer = pa.ipc.new_file(self._staged, schema, options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append ``batch``."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def finish(self) -> str:
        """Write the end of the file, once; its sha256."""
        if self._writer is not None:
            self._writer.close()  # the second time, Arrow would write it again
            self._writer = None
        return self._staged.sha256

    def publish(self, folder: str, shard: int) -> tuple[str, int, str]:
        """Finish the file and make it visible; its name in ``folder``, size in bytes and sha256."""
        name = data_name(shard, self.finish())
        self._staged.publish(f"{folder}/{name}")
        return name, self._staged.size, self._staged.sha256

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._staged.discard()


def write_shard(
    family: Family,
    shard: int,
    first_row: int,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: pa.Schema,
    statistics: dict[str, Any],
    computed: dict[str, Any] | None = None,
) -> bool:
    """Write and commit one shard; False if another writer had committed equal bytes.

    Args:
        family: where it goes; begun, if it has a card.
        shard: its number.
        first_row: row number of its first row.
        batches: its rows.
        schema: of the family.
        statistics: for its record; read after ``batches`` is exhausted, so that a generator may fill it.
        computed: for its record.

    Raises:
        MismatchError: another writer had committed other bytes.
        StoreMissingError: the family has been removed.
    """
    with ShardWriter(family.storage, schema, compressed=family.is_compressed) as writer:
        for batch in rebatch(batches, schema):
            writer.write(batch)
        with family.kept():
            file, size, sha256 = writer.publish(family.path, shard)
            return family.commit(
                Record(
                    shard=shard,
                    first_row=first_row,
                    rows=writer.rows,
                    file=file,
                    bytes=size,
                    sha256=sha256,
                    statistics=statistics,
                    computed=computed or {},
                )
            )


def open_shard(
    family: Family,
    record: Record,
    *,
    check_hash: bool = False,
    columns: Sequence[int] | None = None,
    threads: bool = True,
) -> pa.ipc.RecordBatchFileReader:
    """A reader of a committed shard: it reads what is asked for, or maps the file if the storage can.

    Args:
        family: where it lies.
        record: its commit.
        check_hash: compare every byte with the record first.
        columns: places of those that are read, ascending; all if None.
        threads: whether Arrow decodes the columns in threads of its own.

    Raises:
        DamageError: the file is missing, has another size or hash, or is no Arrow file.
        StoreMissingError: it is missing, since the family has been removed or the shard repaired meanwhile.
    """
    try:
        file = family.storage.open(f"{family.path}/{record.file}")
    except StoreMissingError:
        if (change := family.change_of(record)) is not None:
            raise StoreMissingError(change) from None
        raise _damage(family, record, "is missing, and its record says that it is committed") from None
    if file.size() != record.bytes:
        raise _damage(family, record, f"has {file.size():,} bytes and its record says {record.bytes:,}")
    if check_hash:
        file = _checked(family, record, file)
    options = pa.ipc.IpcReadOptions(included_fields=None if columns is None else list(columns), use_threads=threads)
    with DamageNamed(family, record):
        return pa.ipc.open_file(file, options=options)


def _checked(family: Family, record: Record, file: pa.NativeFile) -> pa.NativeFile:
    """All bytes of ``file``, read once, which are those of ``record``."""
    data = file.read_buffer()
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise _damage(family, record, "is damaged: its sha256 is not that of its record")
    return pa.BufferReader(data)


def _damage(family: Family, record: Record, problem: str) -> DamageError:
    return DamageError(f"{family.storage.location}/{family.path}/{record.file} {problem}; {REMEDY}")


def read_shard(family: Family, record: Record, *, check_hash: bool = False) -> pa.Table:
    """All rows of a committed shard.

    Args:
        family: where it lies.
        record: its commit.
        check_hash: compare every byte with the record first.

    Raises:
        DamageError: as `open_shard`, or a batch cannot be read.
    """
    reader = open_shard(family, record, check_hash=check_hash)
    with DamageNamed(family, record):
        return reader.read_all()


class DamageNamed:
    """A context in which errors of Arrow become a `DamageError` that names the shard's file.

    It is entered for every shard that is read, and is a class because a generator takes twice as long.

    Args:
        family: where the shard lies.
        record: its commit.
    """

    __slots__ = ("_family", "_record")

    def __init__(self, family: Family, record: Record) -> None:
        self._family = family
        self._record = record

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, PermissionError):
            return  # who may not read a file does not know what is in it
        if isinstance(error, pa.ArrowException | OSError | KeyError | ValueError):
            raise _damage(self._family, self._record, f"is damaged: {error}") from None


def check_bytes(storage: Storage, name: str, *, size: int, sha256: str) -> Problem | None:
    """The problem of a data file's bytes; None if they are those of its record."""
    try:
        buffer = storage.read(name)
        found = hashlib.sha256(buffer).hexdigest()
    except StoreMissingError:
        return Problem(Kind.MISSING, "is missing")
    except PermissionError:
        raise
    except OSError as error:
        return Problem(Kind.DAMAGED, f"cannot be read: {error.strerror or error}")
    if buffer.size != size:
        return Problem(Kind.DAMAGED, f"has {buffer.size:,} bytes, and its record says {size:,}")
    same = found == sha256
    return None if same else damaged(f"has the sha256 {found[:16]}, and its record says {sha256[:16]}")
