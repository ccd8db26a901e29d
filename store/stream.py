"""Store + seed + epoch → batches of arrays, in the order of `store.rows.order`. A plain iterable; knows no torch.

Memory is bounded by some four windows of rows: the one that is given out, and the next one, which is read ahead, put
together and brought in order. Only the columns asked for are read. Rows whose labelling failed, or that are not in the
selection, are left out.

A step is the next ``batch_size`` rows of the order, whatever the number of ranks: each rank is given its part of every
step and reads no other rows. So the state of a stream is its seed, its epoch and the number of the next step.
"""

import copy
import dataclasses
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.errors import StoreMissingError
from store.families.registry import kind_of
from store.format.names import CORPUS, GOLD
from store.gold.reader import GoldReader
from store.rows.family_reader import ColumnArrays, FamilyReader
from store.rows.order import EpochOrder, Window
from store.rows.rechunk import Batch, part_of, rechunk
from store.rows.row_set import RowNumbers
from store.rows.window import WindowRows
from store.selections.selection import chosen_rows
from store.snapshot import Snapshot

Reader = FamilyReader | GoldReader


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """The rows of a stream, their columns and their order.

    Attributes:
        labels: name of the label set; None if no label column is read. Of several, in a tuple, each label column
            has an axis more: (rows, label sets, …).
        select: name of a selection, whose rows alone come; all rows if None.
        columns: of the corpus (``text``, ``label``, …) and of the label set (``logits``, ``confidence``, …), and
            ``gold``, the label of the latest round of gold, else that of the corpus.
        rounds: the rounds that ``gold`` is from, 0 being the corpus's own; all that exist now if None.
        encoding: name of a kept encoding; adds ``input_ids`` (flat) and ``offsets`` (rows + 1).
        batch_size: rows a step, of all ranks together; the last one of an epoch may be shorter.
        seed: of the order.
        epoch: from 0.
        step: steps of the epoch to pass over, for a resume.
        rank: which part of each step comes, from 0.
        ranks: how many parts there are.
        workers: threads that read ahead; 0 reads in the caller's when a window begins.
    """

    labels: str | tuple[str, ...] | None = None
    select: str | None = None
    columns: tuple[str, ...] = ("logits",)
    rounds: tuple[int, ...] | None = None
    encoding: str | None = None
    batch_size: int = 64
    seed: int = 0
    epoch: int = 0
    step: int = 0
    rank: int = 0
    ranks: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; it must be at least 1")
        if not 0 <= self.rank < self.ranks:
            raise ValueError(f"rank is {self.rank} of {self.ranks}; it must be from 0 to {self.ranks - 1}")
        if self.step < 0 or self.workers < 0:
            raise ValueError(f"step is {self.step} and workers {self.workers}; neither can be negative")

    @property
    def label_sets(self) -> tuple[str, ...]:
        """Names of all label sets that are asked."""
        return () if self.labels is None else (self.labels,) if isinstance(self.labels, str) else self.labels


class Stream:
    """An iterable of dicts of numpy arrays. Always has ``row``, (rows,) int64.

    ``logits`` is (rows, classes) float16 as stored; texts and other strings come as arrays of objects; a ``label`` or
    ``gold`` that is null is -1. A batch may have no rows, if the last step has fewer rows than there are ranks.
    """

    def __init__(self, snapshot: Snapshot, config: StreamConfig) -> None:
        snapshot = snapshot.memoised()
        self.config = config
        self._step = config.step
        self._readers = _readers(snapshot, config)
        self._chosen = chosen_rows(snapshot, labels=config.label_sets, select=config.select)
        self._store_rows = snapshot.layout.rows
        self._order = self._epoch_order()

    @property
    def rows(self) -> int:
        """Rows of one epoch, of all ranks."""
        return len(self._order)

    @property
    def steps(self) -> int:
        """Steps of one epoch; every rank has as many."""
        return -(-self.rows // self.config.batch_size)

    def state(self) -> dict[str, int]:
        """Where the stream is: seed, epoch and the step that comes next."""
        return {"seed": self.config.seed, "epoch": self.config.epoch, "step": self._step}

    def at(self, *, epoch: int, step: int = 0) -> "Stream":
        """The same stream at another place. It shares all that was opened, so that no record is read again."""
        other = copy.copy(self)
        other.config = dataclasses.replace(self.config, epoch=epoch, step=step)
        other._step = step
        other._order = other._epoch_order()
        return other

    def _epoch_order(self) -> EpochOrder:
        return EpochOrder(self._store_rows, seed=self.config.seed, epoch=self.config.epoch, chosen=self._chosen)

    def __iter__(self) -> Iterator[Batch]:
        """The batches from ``config.step`` to the end of the epoch."""
        self._step = self.config.step
        for batch in rechunk(self._windows(), _part_sizes(self.rows, self.config)):
            self._step += 1
            yield batch

    def __call__(self) -> Iterator[Batch]:
        """The same as ``iter(stream)``: a webdataset pipeline calls its first stage."""
        return iter(self)

    def _windows(self) -> Iterator[WindowRows]:
        """This rank's rows of each window, the next one read ahead."""
        windows = self._order.windows(self.config.step * self.config.batch_size)
        if self.config.workers == 0:
            yield from (self._load(window, None) for window in windows)
            return
        with ExitStack() as stack:
            # A pool for whole windows and one for their parts, so that no thread waits for one of its own pool.
            ahead, parts = (stack.enter_context(ThreadPoolExecutor(n)) for n in (1, self.config.workers))
            coming: Future[WindowRows] | None = None
            for window in windows:
                ready, coming = coming, ahead.submit(self._load, window, parts)
                if ready is not None:
                    yield ready.result()
            if coming is not None:
                yield coming.result()

    def _load(self, window: Window, pool: ThreadPoolExecutor | None) -> WindowRows:
        """This rank's rows of ``window`` that come from ``config.step`` on, with all columns, in their order."""
        order = window.order[_is_ours(window, self.rows, self.config)]
        members, order = _compact(window.members, order)
        columns: dict[str, list[pa.Array]] = {}
        types: dict[str, pa.DataType] = {}
        for reader in self._readers:
            pieces = _read(reader, members, pool, parts=self.config.workers)
            types |= reader.types
            for name in reader.types:
                arrays = [piece[name] for piece in pieces]
                columns.setdefault(name, []).append(pa.concat_arrays(arrays) if arrays else pa.nulls(0))
        return WindowRows(members, columns, types, order)


def _compact(members: RowNumbers, order: npt.NDArray[np.int64]) -> tuple[RowNumbers, npt.NDArray[np.int64]]:
    """Those of ``members`` that ``order`` has, ascending, and the same order as places among them."""
    if len(order) == len(members):
        return members, order
    is_wanted = np.zeros(len(members), np.bool_)
    is_wanted[order] = True
    places = np.cumsum(is_wanted) - 1
    return members[is_wanted], places[order]


def _readers(snapshot: Snapshot, config: StreamConfig) -> list[Reader]:
    """A reader for each family of which a column is asked, and one of the gold that holds.

    Raises:
        StoreMissingError: no family has one of them.
    """
    readers: list[Reader] = [GoldReader(snapshot, config.rounds)] if GOLD in config.columns else []
    readers += [FamilyReader(snapshot, path, columns) for path, columns in _sources(snapshot, config) if columns]
    known = {name for reader in readers for name in reader.types}
    if unknown := set(config.columns) - known:
        asked = ", ".join(config.label_sets) or None
        raise StoreMissingError(f"no column {', '.join(sorted(unknown))} in {snapshot.location} (labels: {asked})")
    return readers


def _sources(snapshot: Snapshot, config: StreamConfig) -> Iterator[tuple[str, list[str]]]:
    """The path of each family that is asked, and its columns: what the corpus has is read from there alone."""
    corpus = snapshot.schema(CORPUS)
    yield CORPUS, kind_of(CORPUS).columns(corpus, config.columns)
    others = [name for name in config.columns if name not in corpus.names]
    for labels in config.label_sets:
        path = snapshot.label_set(snapshot.one_label_set(labels)).path
        yield path, kind_of(path).columns(snapshot.schema(path), others)
    if config.encoding is not None:
        path = snapshot.tokens(config.encoding).path
        schema = snapshot.schema(path)
        yield path, kind_of(path).columns(schema, schema.names)


def _read(reader: Reader, members: RowNumbers, pool: ThreadPoolExecutor | None, *, parts: int) -> list[ColumnArrays]:
    """The columns that ``reader`` has for ``members``, by the threads of ``pool`` if there is one."""
    if pool is None or parts == 1:
        return reader.read(members)
    return [piece for pieces in pool.map(reader.read, np.array_split(members, parts)) for piece in pieces]


def _part_sizes(rows: int, config: StreamConfig) -> Iterator[int]:
    """This rank's rows of each step, from ``config.step`` on."""
    for start in range(config.step * config.batch_size, rows, config.batch_size):
        first, stop = part_of(min(config.batch_size, rows - start), rank=config.rank, ranks=config.ranks)
        yield stop - first


def _is_ours(window: Window, rows: int, config: StreamConfig) -> npt.NDArray[np.bool_]:
    """(members,) whether what stands at each place of the window's order comes to this rank."""
    steps, places = np.divmod(window.start + np.arange(len(window.order)), config.batch_size)
    sizes = np.minimum(config.batch_size, rows - steps * config.batch_size)
    first, stop = part_of(sizes, rank=config.rank, ranks=config.ranks)
    ours: npt.NDArray[np.bool_] = (steps >= config.step) & (places >= first) & (places < stop)
    return ours
