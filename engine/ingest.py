"""Input files → a store's header, corpus and rejects, in two passes and bounded memory.

The first pass checks and counts every row and freezes ``store.json``; the second writes the shards that are missing.
Killed anywhere and run again, it gives the same bytes. Knows nothing of models.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.errors import InputError
from engine.inputs.checks import Block, read_blocks
from engine.inputs.classes import check_class_names, classes_of, indexer
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.inputs.survey import Names, Rejects, describe_input, survey_files
from engine.progress import Tick, silent
from store import Store
from store.contents import Contents, Header, create
from store.schema import CORPUS, REJECTS, RESERVED_COLUMNS, rejects_schema
from store.shard import ShardWriter, read_shard, write_shard
from store.storage import Storage
from store.texts import add_statistics, corpus_batch, corpus_statistics

ROWS_PER_SHARD = 32_768


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What to read and how.

    Attributes:
        files: paths and globs.
        columns: names that the user gave.
        classes: class names, in order; from the gold labels or the model where None.
        shards: how many; one for every `ROWS_PER_SHARD` rows where None.
        on_bad_row: ``reject`` or ``fail``.
    """

    files: tuple[str, ...]
    columns: ColumnNames = field(default_factory=ColumnNames)
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        if self.shards is not None and self.shards < 1:
            raise InputError(f"--shards is {self.shards}; it must be at least 1")
        if self.on_bad_row not in ("reject", "fail"):
            raise InputError(f"--on-bad-row is {self.on_bad_row!r}; it must be reject or fail")


def ingest(storage: Storage, config: IngestConfig, *, known: Sequence[str] | None = None, tick: Tick = silent) -> Store:
    """Make the store at ``storage`` from input files: both passes.

    Args:
        storage: where; it must not hold a store.
        config: what to read.
        known: class names of the model that will label, in its order.
        tick: told how far it is.

    Raises:
        InputError: a file or column is bad, no row is left, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    files = expand(config.files)
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        rejects = Rejects(writer, on_bad_row=config.on_bad_row)
        names = Names(classes=config.classes, known=known)
        survey = survey_files(files, config.columns, names=names, rejects=rejects, tick=tick)
        if survey.rejected == survey.rows:
            raise InputError(f"{', '.join(files)}: no usable row among {survey.rows:,}")
        classes = list(config.classes) if config.classes is not None else classes_of(survey.labels, known)
        check_class_names(classes)
        _check_known(classes, known)
        file, size, sha256 = writer.publish(REJECTS, 0)
    rows = survey.rows - survey.rejected
    header = Header(
        classes=classes,
        rows=rows,
        shards=config.shards or -(-rows // ROWS_PER_SHARD),
        extras=_merge_extras(survey.extras),
        inputs=survey.inputs,
        rejects={"file": file, "rows": survey.rejected, "bytes": size, "sha256": sha256},
    )
    made = Store(storage, create(storage, header))
    write_corpus(made, files, tick=tick)
    return made


def _check_known(classes: list[str], known: Sequence[str] | None) -> None:
    if known is not None and set(classes) != set(known):
        raise InputError(
            f"the gold labels are {', '.join(classes[:20])}, and the model has {', '.join(known)}: choose "
            "another column with --label, or name the classes with --classes"
        )


def _merge_extras(files: list[dict[str, pa.DataType]]) -> dict[str, str]:
    """Columns that every file has, under names that do not clash, in SQL, with the store's or with each other.

    A mixed type becomes string.
    """
    merged: dict[str, str] = {}
    taken = set(RESERVED_COLUMNS)
    for name in files[0] if files else {}:
        if name.lower() in taken or not all(name in file for file in files):
            continue
        taken.add(name.lower())
        types = {str(file[name]) for file in files}
        merged[name] = types.pop() if len(types) == 1 else "string"
    return merged


def check_inputs(made: Store, files: Sequence[str]) -> None:
    """Refuse input files that are not those which the store was made from.

    Raises:
        InputError: another number of files, or one of another size or content.
    """
    held = made.header.inputs
    if len(files) != len(held):
        raise InputError(f"{made.location} was made from {len(held)} input files, and {len(files)} are given now")
    for file, entry in zip(files, held, strict=True):
        if not Path(file).exists():
            raise InputError(f"{made.location} needs its input {file} to finish its corpus, and it is not there")
        now = describe_input(file)
        if now["sha256"] != entry["sha256"]:
            raise InputError(
                f"{file} has changed since {made.location} was begun: {entry['size']:,} bytes with sha256 "
                f"{entry['sha256'][:16]} then, {now['size']:,} bytes with {now['sha256'][:16]} now. "
                "Restore it, or label into a new store"
            )


def write_corpus(made: Store, files: Sequence[str], *, tick: Tick = silent) -> None:
    """Pass 2: write the corpus shards that are missing, and seal the corpus.

    Args:
        made: the store.
        files: where its inputs are now, in the order in which they were given first; see `check_inputs`.
        tick: told how far it is.

    Raises:
        InputError: the files give fewer or more rows than were counted.
    """
    corpus, header = made.corpus, made.header
    missing = set(corpus.missing())
    batches = _Rows(_accepted(made, files))
    for shard in range(max(missing, default=-1) + 1):
        first, stop = made.shard_range(shard)
        if shard not in missing:
            batches.skip(stop - first)
            continue
        statistics = corpus_statistics()
        rows = batches.take(stop - first, statistics, first)
        write_shard(corpus, shard, first, rows, schema=made.schema(CORPUS), statistics=statistics)
        tick("writing the corpus", stop, header.rows)
    corpus.seal()


def _accepted(made: Store, files: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
    """The columns of the rows that were not refused, block by block, in input order."""
    index_of = indexer(made.header.classes)
    refused = _refused_by_file(made)
    for file, entry in zip(files, made.header.inputs, strict=True):
        if not entry["rows"]:
            continue
        rows = 0
        for block in read_blocks(file, ColumnNames(**entry["columns"]), name=entry["path"]):
            rows += block.rows
            if rows > entry["rows"]:
                raise _changed(file)
            yield _accepted_columns(block, refused.get(entry["path"], np.empty(0, np.int64)), made.extras(), index_of)
        if rows < entry["rows"]:
            raise _changed(file)


def _accepted_columns(
    block: Block,
    refused: npt.NDArray[np.int64],
    extras: dict[str, pa.DataType],
    index_of: Callable[[str], int | None],
) -> dict[str, pa.Array]:
    """The columns of the rows of ``block`` whose numbers are not in ``refused``, which is ascending."""
    if not extras.keys() <= block.extras.keys():
        raise _changed(block.file)
    begin, end = np.searchsorted(refused, [block.first_row, block.first_row + block.rows])
    kept = pa.array(np.delete(np.arange(block.rows), refused[begin:end] - block.first_row))
    labels = [None if label is None else index_of(label) for label in block.label.take(kept).to_pylist()]
    return {
        "id": block.id.take(kept),
        "text": block.text.take(kept),
        "label": pa.array(labels, pa.int16()),
        **{name: block.extras[name].take(kept).cast(type_) for name, type_ in extras.items()},
    }


def _changed(file: str) -> InputError:
    return InputError(f"{file} changed while it was read: it has not the rows that were counted; begin a new store")


def _refused_by_file(made: Store) -> dict[str, npt.NDArray[np.int64]]:
    """Numbers of the refused rows of each file, ascending."""
    rejects = made.rejects().to_table(columns=["file", "source_row"])
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


def read_texts(made: Contents, shard: int) -> list[str]:
    """Texts of one corpus shard, in row order."""
    record = made.corpus.record(shard)
    if record is None:
        raise InputError(f"{made.location}: shard {shard} of the corpus is not written; run the label command again")
    texts: list[str] = read_shard(made.corpus, record).column("text").to_pylist()
    return texts
