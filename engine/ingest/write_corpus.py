"""Pass 2 of ingest: input files + a segment of a store → its corpus shards that are missing, and their texts back.

The rows that the first pass refused are left out. A shard is a pure function of what is frozen of its segment and of
the inputs, so that it does not matter who writes it, when, or after which kill.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.errors import InputError
from engine.ingest.ahead import ahead
from engine.ingest.input_file import FileVersion, columns_of, options_of
from engine.ingest.near_duplicates.marks import Marker
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.kinds import as_stored
from engine.inputs.labels.classes import indexer
from engine.progress import Tick, silent
from store import Store
from store.errors import DamageError
from store.families.corpus import add_statistics, corpus_batch, corpus_statistics
from store.families.rejects import check_rejects
from store.format.header import create_header
from store.format.names import CORPUS
from store.format.segments import SegmentRecord, append_segment
from store.format.shard import read_shard, write_shard
from store.snapshot import Snapshot


def write_corpus(
    store: Store,
    files: Sequence[FileVersion],
    *,
    segment: int = 0,
    repair: Collection[int] = (),
    tick: Tick = silent,
) -> None:
    """Write the corpus shards of a segment that are missing, and seal the corpus.

    Args:
        store: the store.
        files: inputs of the segment as they are now, in the order in which they were given first; see
            `engine.ingest.known_inputs`.
        segment: its number; 0 is what the store was made with.
        repair: committed shards of it to make again instead, because their files are damaged.
        tick: told how far it is.

    Raises:
        InputError: a file changed meanwhile, or gives fewer or more rows than were counted.
    """
    corpus, layout = store.corpus.for_repair() if repair else store.memoised().corpus, store.layout
    record, shards = store.header.segments[segment], layout.shard_ranges[segment]
    wanted = set(repair) or set(corpus.missing()) & set(shards)
    if wanted:
        tick("writing the corpus", layout.range_of(min(wanted))[0], layout.rows)
    batches = _Rows(ahead(_marked(store, record, ahead(_accepted(store, record, files)), tick)))
    for shard in range(shards.start, max(wanted, default=-1) + 1):
        first, stop = layout.range_of(shard)
        if shard not in wanted or (not repair and corpus.record(shard) is not None):
            batches.skip(stop - first)
            continue
        statistics = corpus_statistics()
        rows = ahead(batches.take(stop - first, statistics, first))
        write_shard(corpus, shard, first, rows, schema=store.stored_schema(CORPUS, shard), statistics=statistics)
        tick("writing the corpus", stop, layout.rows)
    if not repair:
        _freeze_again(store, record)
        corpus.seal()


def _freeze_again(store: Store, segment: SegmentRecord) -> None:
    """Create the copy of what is frozen of a segment: who made it may have been killed before."""
    if segment.segment == 0:
        create_header(store.storage, store.header)
    else:
        append_segment(store.storage, segment)


def _marked(
    store: Store, segment: SegmentRecord, blocks: Iterator[dict[str, pa.Array]], tick: Tick
) -> Iterator[dict[str, pa.Array]]:
    """``blocks``, with columns of marks if the rows of ``segment`` are marked; they are compared with all before."""
    if segment.near_duplicates is None:
        yield from blocks
        return
    marker = Marker(segment.near_duplicates)
    for shard in range(segment.first_shard):
        marker.mark(pa.array(read_texts(store, shard), pa.string()))
        tick("comparing with the rows before", store.layout.range_of(shard)[1], segment.first_row)
    for block in blocks:
        yield block | marker.mark(block["text"])


def _accepted(store: Store, segment: SegmentRecord, files: Sequence[FileVersion]) -> Iterator[dict[str, pa.Array]]:
    """The columns of the rows of ``segment`` that were not refused, block by block, in input order."""
    index_of = indexer(store.header.classes)
    refused = _refused_by_file(store, segment)
    read = {name: alias for name, alias in segment.extras.items() if name not in segment.made}
    extras = {name: pa.type_for_alias(alias) for name, alias in read.items()}
    for file, entry in zip(files, segment.inputs, strict=True):
        file.check()
        if not entry["rows"]:
            continue
        rows = 0
        columns, options = columns_of(entry), options_of(entry)
        for block in read_blocks(file.path, columns, options, classes=store.header.classes, name=entry["path"]):
            file.check()
            rows += block.rows
            if rows > entry["rows"]:
                raise _changed(file.path)
            yield _accepted_columns(block, refused.get(entry["path"], np.empty(0, np.int64)), extras, index_of)
        if rows < entry["rows"]:
            raise _changed(file.path)


def _accepted_columns(
    block: Block,
    refused: npt.NDArray[np.int64],
    extras: dict[str, pa.DataType],
    index_of: Callable[[str], int | None],
) -> dict[str, pa.Array]:
    """The columns of the rows of ``block`` whose numbers are not in ``refused``, which is ascending.

    To take rows also clears what Parquet leaves under nulls, which would be written.
    """
    if not extras.keys() <= block.extras.keys():
        raise _changed(block.file)
    labels = block.label.dictionary_encode()
    indices = pa.array(map(index_of, labels.dictionary.to_pylist()), pa.int16())
    columns = {
        "id": block.id,
        "text": block.text,
        "label": indices.take(labels.indices),
        **{name: _stored(block, name, type_) for name, type_ in extras.items()},
    }
    begin, end = np.searchsorted(refused, [block.first_row, block.first_row + block.rows])
    kept = pa.array(np.delete(np.arange(block.rows), refused[begin:end] - block.first_row))
    return {name: array.take(kept) if begin < end or array.null_count else array for name, array in columns.items()}


def _stored(block: Block, name: str, type_: pa.DataType) -> pa.Array:
    try:
        return as_stored(block.extras[name], type_)
    except pa.ArrowInvalid:
        raise _changed(block.file) from None


def _changed(file: str) -> InputError:
    return InputError(f"{file} changed while it was read: it has not the rows that were counted; begin a new store")


def _refused_by_file(store: Store, segment: SegmentRecord) -> dict[str, npt.NDArray[np.int64]]:
    """Numbers of the refused rows of each file of ``segment``, ascending.

    Raises:
        DamageError: the file of refused rows is damaged; with other rows the corpus would come out wrong.
    """
    file = f"{store.location}/{segment.rejects_file}"
    remedy = f"`engine verify {store.location} --repair` makes it again"
    if (problem := check_rejects(store.storage, segment)) is not None:
        raise DamageError(f"{file} {problem.text}; {remedy}")
    try:
        rejects = pa.ipc.open_file(store.storage.read(segment.rejects_file)).read_all()
    except pa.ArrowException as error:
        raise DamageError(f"{file} is damaged: {error}; {remedy}") from None
    files = rejects.column("file").combine_chunks().dictionary_encode()
    rows = rejects.column("source_row").to_numpy()
    numbers = files.indices.to_numpy()
    order = np.lexsort((rows, numbers))
    parts = np.split(rows[order], np.cumsum(np.bincount(numbers, minlength=len(files.dictionary)))[:-1])
    return dict(zip(files.dictionary.to_pylist(), parts, strict=False))


class _Rows:
    """A queue of accepted rows that hands out any number of them."""

    def __init__(self, blocks: Iterator[dict[str, pa.Array]]) -> None:
        self._blocks = blocks
        self._held: dict[str, pa.Array] | None = None

    def _next(self, rows: int) -> Iterator[dict[str, pa.Array]]:
        """Pieces that add up to ``rows`` rows."""
        while rows:
            held = self._held if self._held is not None else next(self._blocks)
            size = len(held["id"])
            self._held = {name: array.slice(rows) for name, array in held.items()} if size > rows else None
            piece = {name: array.slice(0, rows) for name, array in held.items()}
            rows -= min(size, rows)
            yield piece

    def skip(self, rows: int) -> None:
        """Pass over ``rows`` rows."""
        for _ in self._next(rows):
            pass

    def take(self, rows: int, statistics: dict[str, Any], first_row: int) -> Iterator[pa.RecordBatch]:
        """The next ``rows`` rows as corpus batches, counted into ``statistics``."""
        for piece in self._next(rows):
            extras = {name: array for name, array in piece.items() if name not in ("id", "text", "label")}
            batch = corpus_batch(
                first_row=first_row, ids=piece["id"], texts=piece["text"], labels=piece["label"], extras=extras
            )
            add_statistics(statistics, batch)
            first_row += batch.num_rows
            yield batch


def read_texts(store: Snapshot, shard: int) -> list[str]:
    """Texts of one corpus shard, in row order."""
    corpus = store.corpus
    record = corpus.record(shard)
    if record is None:
        raise InputError(corpus.lacking(corpus.missing()))
    texts: list[str] = read_shard(corpus, record, check_hash=True).column("text").to_pylist()
    return texts
