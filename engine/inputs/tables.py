"""Parquet and Arrow files → raw blocks, in bounded memory."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from engine.inputs.arrow_sandbox import check_arrow
from engine.inputs.blocks import BLOCK_BYTES, BLOCK_ROWS, RawBlock, blocks_of_batches
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.values import can_be_kept

_BYTES_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def read_parquet(file: str, wanted: ColumnNames, _: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a Parquet file. Columns that are not needed are not read."""
    # Without pre_buffer: it would hold all row groups of the file at once.
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True) as source:
        columns = _columns(source.schema_arrow, wanted, file)
        raw = [source.schema_arrow.names[columns.places[name]] for name in columns.names()]
        batches = source.iter_batches(batch_size=_batch_rows(source.metadata), columns=raw)
        named = (pa.record_batch([batch.column(name) for name in raw], columns.names()) for batch in batches)
        yield from blocks_of_batches(named, Reading(columns=columns))


def _columns(schema: pa.Schema, wanted: ColumnNames, file: str) -> Columns:
    """Which column is what; those that cannot be kept, such as lists, are not read."""
    columns = find_columns(schema.names, wanted, file=file)
    places = columns.places
    unkept = [name for name in columns.extras if name in places and not can_be_kept(schema.field(places[name]).type)]
    return dataclasses.replace(columns, extras=tuple(name for name in columns.extras if name not in unkept))


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows that are read at once: fewer where they are large."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    bytes_per_row = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(BLOCK_ROWS, int(BLOCK_BYTES / max(1, bytes_per_row))))


def read_arrow(file: str, wanted: ColumnNames, _: ReadOptions) -> Iterator[RawBlock]:
    """The rows of an Arrow file or stream, which a child has read before.

    Raises:
        InputError: the child did not survive it, or found it damaged.
    """
    check_arrow(file)
    with arrow_batches(file) as (schema, batches):
        columns = _columns(schema, wanted, file)
        places = [columns.places[name] for name in columns.names()]
        named = (pa.record_batch([batch.column(place) for place in places], columns.names()) for batch in batches)
        yield from blocks_of_batches(named, Reading(columns=columns))


@contextmanager
def arrow_batches(file: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and the batches of an Arrow file or stream, as they are."""
    with pa.memory_map(file) as source:
        try:
            reader = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            stream = pa.ipc.open_stream(source)
            yield stream.schema, iter(stream)
            return
        yield reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))


def validate(batch: pa.RecordBatch) -> None:
    """Refuse a batch whose offsets, indices or lengths point out of its buffers. Text may be of any bytes.

    Raises:
        pyarrow.ArrowInvalid: they do.
    """
    for column in batch.columns:
        if can_be_kept(column.type):
            as_bytes = _BYTES_OF.get(column.type)
            (column if as_bytes is None else column.view(as_bytes)).validate(full=True)
