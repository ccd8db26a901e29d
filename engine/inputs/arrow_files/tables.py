"""Parquet and Arrow files → raw blocks, in bounded memory."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.inputs.arrow_files.arrow_sandbox import check_arrow
from engine.inputs.arrow_files.class_names import class_names
from engine.inputs.arrow_files.table_blocks import table_blocks
from engine.inputs.arrow_files.values import can_be_kept, text_bytes, value_type
from engine.inputs.arrow_files.ways import refuse_first_feather, text_in_struct
from engine.inputs.blocks import BLOCK_BYTES, RawBlock, rows_at_once
from engine.inputs.columns import ColumnNames, Columns, find_columns
from engine.inputs.lines import check_is_table
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.shapes.likely_text import with_example

_PARQUET = b"PAR1"
_LONGEST_TYPE = 100  # characters
_LOOKED_AT = 20  # rows
_BYTES_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def read_parquet(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a Parquet file. Columns that are not needed are not read."""
    check_is_table(file, "Parquet", _PARQUET)
    # Without pre_buffer: it would hold all row groups of the file at once.
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True) as source:
        schema = source.schema_arrow
        reading = _reading(schema, wanted, options, file)
        columns = reading.columns
        raw = [schema.names[columns.places[name]] for name in columns.names()]
        rows = _batch_rows(source.metadata, rows_at_once(columns))
        batches = source.iter_batches(batch_size=rows, columns=raw)
        named = (pa.record_batch([batch.column(name) for name in raw], columns.names()) for batch in batches)
        yield from table_blocks(named, reading, file, rows=rows)


def _reading(schema: pa.Schema, wanted: ColumnNames, options: ReadOptions, file: str) -> Reading:
    """How a file is read. Columns that cannot be kept, such as vectors, are left out with a note."""
    columns = _find_columns(schema, wanted, file)
    types = {name: schema.field(columns.places[name]).type for name in columns.extras if name in columns.places}
    unkept = {name: type_ for name, type_ in types.items() if not can_be_kept(type_)}
    said = ", ".join(f"{name!r} ({str(type_)[:_LONGEST_TYPE]})" for name, type_ in unkept.items())
    notes = [f"{file}: columns that cannot be kept as numbers or text are left out: {said}"] if unkept else []
    if durations := [name for name, type_ in types.items() if pa.types.is_duration(value_type(type_))]:
        notes.append(f"{file}: kept in seconds: {', '.join(map(repr, durations))}")
    label = columns.places.get(columns.label or "")
    return Reading(
        columns=dataclasses.replace(columns, extras=tuple(name for name in columns.extras if name not in unkept)),
        options=options,
        classes=class_names(schema, label, file, is_said=options.names_numbers),
        notes=tuple(notes),
    )


def _find_columns(schema: pa.Schema, wanted: ColumnNames, file: str) -> Columns:
    """As `find_columns`; if the text is inside of a struct, the error says how to get it."""
    try:
        return find_columns(schema.names, wanted, file=file)
    except InputError as error:
        way = text_in_struct(schema, wanted, file)
        if way is None:
            raise with_example(error, _some_strings(schema, file)) from None
        raise InputError(f"{error}. The text is further down; take it out: {way}") from None


def _some_strings(schema: pa.Schema, file: str) -> dict[str, list[str]]:
    """The first values of each column of strings."""
    names = [field.name for field in schema if value_type(field.type) in _BYTES_OF]
    names = [name for name in names if schema.names.count(name) == 1]
    with Path(file).open("rb") as begin:
        is_parquet = begin.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        with pq.ParquetFile(file, pre_buffer=False) as source:
            batch = next(source.iter_batches(_LOOKED_AT, columns=names), None)
    else:
        with arrow_batches(file) as (_, batches):
            batch = next((batch.slice(0, _LOOKED_AT) for batch in batches), None)
    if batch is None:
        return {}
    columns = {name: text_bytes(batch.column(name), name=name, file=file).drop_null() for name in names}
    return {name: [text.decode(errors="replace") for text in array.to_pylist()] for name, array in columns.items()}


def _batch_rows(metadata: pq.FileMetaData, most: int) -> int:
    """Rows that are read at once: ``most``, or fewer where they are large."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    bytes_per_row = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(most, int(BLOCK_BYTES / max(1, bytes_per_row))))


def read_arrow(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    """The rows of an Arrow file or stream, which a child has read before.

    Raises:
        InputError: the child did not survive it, or found it damaged.
    """
    check_is_table(file, "Arrow", b"ARROW1")
    refuse_first_feather(file)
    check_arrow(file)
    with arrow_batches(file) as (schema, batches):
        reading = _reading(schema, wanted, options, file)
        columns = reading.columns
        places = [columns.places[name] for name in columns.names()]
        named = (pa.record_batch([batch.column(place) for place in places], columns.names()) for batch in batches)
        yield from table_blocks(named, reading, file)


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
