"""The rows that every contender of `benchmarks.loader.run` writes and gives back, and whether an epoch gave each once.

Numpy alone, so that every interpreter can import it. Data cross from one process to another as files of numpy arrays.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CLASSES = 2
BATCH_ROWS = 64
VOCABULARY = 30_522
# Tokens of a row: the distribution of `engine.tokens.tokens.made_up_tokens`, whose mean is that of real reviews.
_LOG_MEDIAN, _SIGMA, _SHORTEST, _LONGEST = 4.8, 0.8, 8, 512


class Batch(NamedTuple):
    """A batch as a contender gives it, all of it numpy.

    Attributes:
        rows: (n,) their numbers.
        ids: their token ids: an array a row, or one array of all, one row after the other.
        offsets: (n + 1,) where each row begins, and the end, where ``ids`` is one array.
        logits: (n, classes), or an array a row.
    """

    rows: Sequence[int] | npt.NDArray[Any]
    ids: Sequence[npt.NDArray[Any]] | npt.NDArray[Any]
    offsets: npt.NDArray[Any] | None
    logits: Sequence[npt.NDArray[Any]] | npt.NDArray[Any]


def in_one(batch: Batch) -> Batch:
    """The same batch with one array of each kind, which passes faster from one process to another than many do."""
    lengths, ids = _flat(batch)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Batch(np.asarray(batch.rows), ids, offsets, np.asarray(batch.logits))


def collating(to_batch: Callable[[Any], Batch], workers: int) -> Callable[[Any], Batch]:
    """The collate function of a loader: ``to_batch``, whose batches are joined if workers pass them on."""
    return partial(_joined, to_batch) if workers else to_batch


def batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of `BATCH_ROWS` rows; the last one may be shorter."""
    rest = (row for row in rows)  # some iterators of peers begin again when they are asked once more after their end
    while some := list(islice(rest, BATCH_ROWS)):
        yield some


def _joined(to_batch: Callable[[Any], Batch], rows: Any) -> Batch:
    return in_one(to_batch(rows))


@dataclass(frozen=True, kw_only=True)
class Data:
    """The truth.

    Attributes:
        ids: (tokens,) uint16, of all rows one after the other.
        offsets: (rows + 1,) int64; row i is ``ids[offsets[i]:offsets[i + 1]]``.
        logits: (rows, classes) float16.
    """

    ids: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float16]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    def each(self) -> Iterator[tuple[int, npt.NDArray[np.uint16], npt.NDArray[np.float16]]]:
        """Number, token ids and logits of each row, in order."""
        for row, (start, stop) in enumerate(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)):
            yield row, self.ids[start:stop], self.logits[row]

    def save(self, folder: Path) -> None:
        """Into files in ``folder``, which is made. The inverse is `load_data`."""
        folder.mkdir(parents=True)
        for name in ("ids", "offsets", "logits"):
            np.save(folder / f"{name}.npy", getattr(self, name))


def load_data(folder: Path) -> Data:
    """What `Data.save` wrote."""
    return Data(**{name: np.load(folder / f"{name}.npy") for name in ("ids", "offsets", "logits")})


def make_data(rows: int) -> Data:
    """Made-up rows, the same ones every time."""
    chance = np.random.default_rng(0)
    lengths = np.clip(chance.lognormal(_LOG_MEDIAN, _SIGMA, rows), _SHORTEST, _LONGEST).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Data(
        ids=chance.integers(0, VOCABULARY, offsets[-1]).astype(np.uint16),
        offsets=offsets,
        logits=chance.normal(0, 3, (rows, CLASSES)).astype(np.float16),
    )


class EpochCheck:
    """Sees every batch of an epoch."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._times = np.zeros(len(data.lengths), np.int64)

    def add(self, batch: Batch) -> None:
        """Look at one batch.

        Raises:
            ValueError: its token ids or its logits are not those of its rows.
        """
        data, rows = self._data, np.asarray(batch.rows, np.int64)
        lengths, ids = _flat(batch)
        if not np.array_equal(lengths, data.lengths[rows]) or not np.array_equal(ids, _ids_of(data, rows)):
            raise ValueError(f"the token ids of rows {rows[:3]}… are not those that were written")
        if not np.array_equal(np.asarray(batch.logits, np.float16), data.logits[rows]):
            raise ValueError(f"the logits of rows {rows[:3]}… are not those that were written")
        self._times += np.bincount(rows, minlength=len(self._times))

    def finish(self) -> None:
        """After the last batch.

        Raises:
            ValueError: a row did not come, or came twice.
        """
        missing, doubled = np.flatnonzero(self._times == 0), np.flatnonzero(self._times > 1)
        if len(missing) or len(doubled):
            raise ValueError(
                f"{len(missing):,} rows did not come ({missing[:3]}…), {len(doubled):,} came twice ({doubled[:3]}…)"
            )


def _flat(batch: Batch) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Lengths of the rows, and their ids one after the other."""
    if batch.offsets is not None:
        return np.diff(batch.offsets), np.asarray(batch.ids)
    return np.array([len(ids) for ids in batch.ids]), np.concatenate(list(batch.ids))


def _ids_of(data: Data, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """The token ids of ``rows``, one after the other."""
    return np.concatenate([data.ids[data.offsets[row] : data.offsets[row + 1]] for row in rows.tolist()])
