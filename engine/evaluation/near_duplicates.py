"""A store → which of its rows are nearly the same as others of it, or as rows of test files. Nothing is written.

Rows that were marked when they were read (`engine.ingest.near_duplicates.marks`) are not compared again. Knows no SQL.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.ingest.columns_before import columns_before
from engine.ingest.near_duplicates.index import THRESHOLD, NearDuplicates, check_threshold
from engine.ingest.near_duplicates.marks import Marker
from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.classes import indexer
from engine.inputs.messages import SHOWN, counted, no_usable_row
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.progress import Tick, silent
from store import Store
from store.errors import StoreMissingError
from store.format.names import CORPUS
from store.format.segments import MARK, MARK_SIMILARITY
from store.gold.held import held_gold
from store.rows.family_reader import FamilyReader
from store.storage import Storage
from store.store import open_store

_log = logging.getLogger(__name__)
_STAGE = "comparing texts"
_GROUPS = pa.schema(
    [
        ("row", pa.int64()), ("id", pa.string()), ("gold", pa.string()), ("others", pa.int64()),
        ("least_similarity", pa.float64()), ("classes", pa.list_(pa.string())), ("rows", pa.list_(pa.int64())),
    ]
)  # fmt: skip
_TEST = pa.schema(
    [("test_file", pa.string()), ("test_row", pa.int64()), ("test_id", pa.string()), ("test_label", pa.string())]
)


@dataclass(frozen=True, kw_only=True)
class NearDuplicatesConfig:
    """What is compared.

    Attributes:
        store: its location, or a `Storage`.
        against: test files; rows of the store that are nearly the same as one of theirs are looked for. If empty, rows
            that are nearly the same as an earlier one of the store.
        similarity: the least that counts, as in `engine.ingest.near_duplicates`; if None, that of the store's marks, or
            0.8.
        rounds: of gold that count, 0 being the corpus's own; all if None.
        columns: of the test files, as far as the user gave them.
        options: how these are read.
    """

    store: str | Storage
    against: tuple[str, ...] = ()
    similarity: float | None = None
    rounds: tuple[int, ...] | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT

    def __post_init__(self) -> None:
        if self.similarity is not None:
            check_threshold(self.similarity, named="--similarity")


@dataclass(frozen=True, kw_only=True)
class NearDuplicateRows:
    """Rows of a store that are nearly the same as others.

    Attributes:
        rows: that the store has.
        similarity: the least that counted.
        near: rows that are nearly the same as an earlier row, or as a test row.
        groups: rows that they are nearly the same as: of the store, or of the test.
        disagreeing: of the store, groups with several gold classes; of a test, rows with another class than the test's.
        test_rows: that could be read; None without a test.
        table: of the store, a row a group, the largest first: ``row``, ``id`` and ``gold`` of its first row, ``others``
            (how many are like it), ``least_similarity``, the gold ``classes`` of all and the ``rows`` of the others. Of
            a test, a row a row of the store, the most similar first: ``row``, ``id``, ``gold``, ``similarity``, and
            ``test_file``, ``test_row``, ``test_id`` and ``test_label`` of the test row that it is most like.
    """

    rows: int
    similarity: float
    near: int
    groups: int
    disagreeing: int
    test_rows: int | None
    table: pa.Table


def near_duplicates(config: NearDuplicatesConfig, *, tick: Tick = silent) -> NearDuplicateRows:
    """Find rows of a store that are nearly the same as others.

    Raises:
        InputError: a test file cannot be read, or has no text.
        StoreError: there is no store, its texts are not finished, or a round of gold is not there.
    """
    store = open_store(config.store).memoised()
    if missing := store.corpus.missing():
        raise StoreMissingError(store.corpus.lacking(missing))
    return _like_tests(store, config, tick) if config.against else _like_earlier(store, config, tick)


def _like_earlier(store: Store, config: NearDuplicatesConfig, tick: Tick) -> NearDuplicateRows:
    threshold = config.similarity or store.header.near_duplicates or THRESHOLD
    rows, firsts, similarities = _marks(store, threshold, tick)
    order = np.lexsort((rows, firsts))
    starts = np.flatnonzero(np.diff(firsts[order], prepend=-1))
    members = [part.tolist() for part in np.split(rows[order], starts[1:])] if len(rows) else []
    least = np.minimum.reduceat(similarities[order], starts) if len(rows) else similarities
    heads = firsts[order][starts]
    about = _about(store, np.union1d(heads, rows), config.rounds)
    table = pa.Table.from_pylist(
        [
            {
                **about[head],
                "others": len(others),
                "least_similarity": similarity,
                "classes": _classes(about, head, others),
                "rows": others,
            }
            for head, others, similarity in zip(heads.tolist(), members, least.tolist(), strict=True)
        ],
        schema=_GROUPS,
    )  # fmt: skip
    return NearDuplicateRows(
        rows=store.layout.rows,
        similarity=threshold,
        near=len(rows),
        groups=len(heads),
        disagreeing=pc.sum(pc.greater(pc.list_value_length(table.column("classes")), 1)).as_py() or 0,
        test_rows=None,
        table=table.sort_by([("others", "descending"), ("row", "ascending")]),
    )


Marks = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""(n,) rows, ascending, the row that each is nearly the same as, and how similar they are."""


def _marks(store: Store, threshold: float, tick: Tick) -> Marks:
    """The marks of a store: as they are kept, or, if some rows have none or those of another similarity, made now."""
    is_kept = all(segment.near_duplicates == threshold for segment in store.header.segments)
    marker = None if is_kept else Marker(threshold)
    rows, firsts, similarities = [], [], []
    for batch in _batches(store, [MARK, MARK_SIMILARITY] if is_kept else ["text"], tick):
        marks = pa.record_batch(batch if marker is None else {"row": batch["row"], **marker.mark(batch["text"])})
        marks = marks.filter(marks.column(MARK).is_valid())
        rows.append(marks.column("row").to_numpy())
        firsts.append(marks.column(MARK).to_numpy())
        similarities.append(marks.column(MARK_SIMILARITY).to_numpy())
    return np.concatenate(rows), np.concatenate(firsts), np.concatenate(similarities)


def _batches(store: Store, columns: list[str], tick: Tick) -> Iterator[dict[str, pa.Array]]:
    """The row numbers and some columns of the corpus, batch by batch, in order."""
    done = 0
    for batch in store.dataset(CORPUS).to_batches(columns=["row", *columns]):
        yield {name: batch.column(name) for name in ("row", *columns)}
        done += batch.num_rows
        tick(_STAGE, done, store.layout.rows)


def _about(store: Store, rows: npt.NDArray[np.int64], rounds: tuple[int, ...] | None) -> dict[int, dict[str, object]]:
    """The number, the id and the gold class of each of ``rows``, which ascend."""
    pieces = FamilyReader(store, CORPUS, ["id", "label"]).read(rows) if len(rows) else []
    ids = [id_ for piece in pieces for id_ in piece["id"].to_pylist()]
    own = pa.array([label for piece in pieces for label in piece["label"].to_pylist()], pa.int16())
    gold = held_gold(store, rounds).column("gold", rows, own).to_pylist()
    names = [None if label is None else store.header.classes[label] for label in gold]
    columns = zip(rows.tolist(), ids, names, strict=True)
    return {row: {"row": row, "id": id_, "gold": name} for row, id_, name in columns}


def _classes(about: dict[int, dict[str, object]], head: int, others: list[int]) -> list[str]:
    return sorted({str(name) for row in (head, *others) if (name := about[row]["gold"]) is not None})


def _like_tests(store: Store, config: NearDuplicatesConfig, tick: Tick) -> NearDuplicateRows:
    threshold = config.similarity or store.header.near_duplicates or THRESHOLD
    tests = _read_tests(store, config, index := NearDuplicates(threshold=threshold))
    rows, found = [], []
    for batch in _batches(store, ["text"], tick):
        for row, similar in zip(batch["row"].to_pylist(), index.most_similar(batch["text"].to_pylist()), strict=True):
            if similar is not None:
                rows.append(row)
                found.append(similar)
    about = _about(store, np.array(rows, np.int64), config.rounds)
    own = pa.schema([*list(_GROUPS)[:3], ("similarity", pa.float64())])
    ours = pa.Table.from_pylist(
        [{**about[row], "similarity": one.similarity} for row, one in zip(rows, found, strict=True)], schema=own
    )
    theirs = tests.take(pa.array([one.position for one in found], pa.int64()))
    table = pa.table([*ours.columns, *theirs.columns], names=[*ours.column_names, *theirs.column_names])
    return NearDuplicateRows(
        rows=store.layout.rows,
        similarity=threshold,
        near=len(rows),
        groups=len({one.position for one in found}),
        disagreeing=pc.sum(pc.not_equal(table.column("gold"), table.column("test_label"))).as_py() or 0,
        test_rows=len(tests),
        table=table.sort_by([("similarity", "descending"), ("row", "ascending")]),
    )


def _read_tests(store: Store, config: NearDuplicatesConfig, index: NearDuplicates) -> pa.Table:
    """The test rows, whose texts are added to ``index``.

    Raises:
        InputError: a file cannot be read, or none has a text.
    """
    index_of, files = indexer(store.header.classes), expand(config.against)
    tables, notes, refused = [_TEST.empty_table()], dict[str, None](), list[str]()
    columns = dataclasses.replace(config.columns, before=columns_before(store))
    for file in files:
        for block in read_blocks(file, columns, config.options, classes=store.header.classes):
            notes |= dict.fromkeys(block.reading.notes)
            fit = np.flatnonzero([problem is None for problem in block.problems])
            problems = enumerate(block.problems, start=block.first_row)
            refused += [f"{block.file} row {row:,}: {in_detail(problem)}" for row, problem in problems if problem]
            index.add(block.text.take(pa.array(fit)).to_pylist())
            tables.append(_tests_of(block, index_of, store.header.classes).take(pa.array(fit)))
    if not len(index):
        raise InputError(no_usable_row(files, len(refused), refused[:SHOWN]))
    for note in notes:
        _log.info("%s", note)
    if refused:
        _log.warning("not compared: %s of the test, such as %s", counted(len(refused), "row"), refused[0])
    return pa.concat_tables(tables)


def _tests_of(block: Block, index_of: Callable[[str], int | None], classes: list[str]) -> pa.Table:
    """The rows of ``block``; a label that is one of ``classes`` in the store's words."""
    written = [label for label in block.label.unique().to_pylist() if label is not None]
    names = {label: label if (at := index_of(label)) is None else classes[at] for label in written}
    labels = [names.get(label) for label in block.label.to_pylist()]
    columns = [[block.file] * block.rows, np.arange(block.first_row, block.first_row + block.rows), block.id, labels]
    return pa.table([pa.array(column, type_) for column, type_ in zip(columns, _TEST.types, strict=True)], schema=_TEST)
