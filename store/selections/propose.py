"""Rows without gold → those that people should label next, by one of `store.selections.methods.METHODS`. Runs no SQL.

What may be proposed are texts that nobody has labelled: no row with gold, none whose text one with gold has too, one
row a text, and none that a label set failed on. Equal texts are those of equal ``text_hash``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.errors import QueryError
from store.families.labels import softmax
from store.format.names import CORPUS, LABELS
from store.gold.held import held_gold
from store.rows.family_reader import FamilyReader, failed_rows
from store.rows.row_set import RowNumbers, RowSet
from store.selections.card import Proposed
from store.snapshot import Snapshot

_CHUNK = 1 << 16  # rows whose logits are in memory together
_STREAM = 1 << 63  # of random numbers, beside those of trainings with the same seed
_MOST_LENGTHS = 64
_DIGITS = 12  # of a divergence: the others depend on the order of sums, and would break ties

_Keys = tuple[npt.NDArray[Any], ...]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The rows that may be proposed.

    Attributes:
        snapshot: the store.
        rows: (n,) their numbers, ascending.
        labels: the label set that says how sure it is; None if the store has none.
        proposed: the method, its seed and the label sets that it compares.
    """

    snapshot: Snapshot
    rows: RowNumbers
    labels: str | None
    proposed: Proposed

    def column(self, path: str, name: str) -> npt.NDArray[Any]:
        """(n,) a column of the family at ``path``, which has no null there."""
        return _numpy(FamilyReader(self.snapshot, path, [name]), self.rows)

    @cached_property
    def chance(self) -> npt.NDArray[np.uint64]:
        """(n,) random words, which decide between equal rows: a label set of bare answers is as sure of every one.

        A row has the same word among any candidates: a larger limit adds rows, and appended rows move no others.
        """
        key = np.array([self.proposed.seed or 0, _STREAM], np.uint64)
        words = np.random.Philox(key=key).random_raw(self.snapshot.layout.rows)  # raw: the same with every numpy
        return np.asarray(words, np.uint64)[self.rows]


def propose(snapshot: Snapshot, among: RowSet, limit: int, *, labels: str | None, proposed: Proposed) -> RowSet:
    """The first ``limit`` of the rows of ``among``, in the order of the method; fewer if there are no more.

    Args:
        snapshot: the store; its label sets are finished.
        among: the rows that may be proposed if they have no gold yet.
        limit: how many, at least 1.
        labels: the label set that says how sure it is; None if the store has none.
        proposed: the method, its seed, the label sets that it compares and the rounds of gold that count.

    Raises:
        QueryError: no row is left.
        DamageError: a file of the store is damaged.
    """
    label_sets = {*proposed.label_sets, *([] if labels is None else [labels])}
    rows = _open_rows(snapshot, among, sorted(label_sets), proposed.rounds)
    if not len(rows):
        raise QueryError(
            f"{snapshot.location} has nothing to propose: each of the {len(among):,} rows to choose from has gold, or "
            "the text of a row with gold, or no label"
        )
    candidates = Candidates(snapshot=snapshot, rows=rows, labels=labels, proposed=proposed)
    keys = _KEYS[proposed.method](candidates)
    places = np.lexsort((candidates.chance, *reversed(keys)))[:limit]
    return RowSet.of(rows[places], size=snapshot.layout.rows)


def _open_rows(snapshot: Snapshot, among: RowSet, label_sets: Sequence[str], rounds: Sequence[int]) -> RowNumbers:
    """Rows of ``among``, ascending: the first of each text that has no gold and that all ``label_sets`` label."""
    reader = FamilyReader(snapshot, CORPUS, ["label", "text_hash"])
    texts, has_gold = np.empty(snapshot.layout.rows, np.uint64), np.zeros(snapshot.layout.rows, np.bool_)
    for first, stop in map(snapshot.layout.range_of, range(snapshot.layout.shards)):
        if not (pieces := reader.read(np.arange(first, stop))):
            continue  # a shard without rows
        texts[first:stop] = pa.concat_arrays([piece["text_hash"] for piece in pieces]).to_numpy()
        own = pa.concat_arrays([piece["label"] for piece in pieces])
        has_gold[first:stop] = own.is_valid().to_numpy(zero_copy_only=False)
    has_gold[held_gold(snapshot, rounds).rows] = True
    is_open = ~np.isin(texts, texts[has_gold])
    for name in label_sets:
        is_open[failed_rows(snapshot, name)] = False
    rows = among.numbers()
    rows = rows[is_open[rows]]
    _, firsts = np.unique(texts[rows], return_index=True)
    return rows[np.sort(firsts)]


def _numpy(reader: FamilyReader, rows: RowNumbers) -> npt.NDArray[Any]:
    """The values of the reader's one column, without nulls; lists of a fixed size one after the other."""
    (name,) = reader.types
    column = pa.concat_arrays([piece[name] for piece in reader.read(rows)])
    if pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


# keys: by which the candidates are sorted, the first one first; (n,) each, small ones before large ones


def _by_margin(candidates: Candidates) -> _Keys:
    return (candidates.column(f"{LABELS}/{candidates.labels}", "margin"),)


def _by_turns(candidates: Candidates) -> _Keys:
    """Every class and length in turn; lengths are characters, in powers of two."""
    path = f"{LABELS}/{candidates.labels}"
    margins = candidates.column(path, "margin")
    lengths = np.frexp(candidates.column(CORPUS, "n_chars"))[1]
    strata = candidates.column(path, "prediction").astype(np.int64) * _MOST_LENGTHS + lengths
    return (turns(strata, margins, candidates.chance), margins)


def turns(strata: npt.NDArray[np.int64], scores: npt.NDArray[Any], ties: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """(n,) how many of its own stratum come before each: the least ``scores`` first, then the least ``ties``."""
    order = np.lexsort((ties, scores, strata))
    grouped = strata[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = grouped[1:] != grouped[:-1]
    places = np.arange(len(order))
    found = np.empty(len(order), np.int64)
    found[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return found


def _by_divergence(candidates: Candidates) -> _Keys:
    return (-np.round(np.concatenate(list(_divergences(candidates))), _DIGITS),)


def _divergences(candidates: Candidates) -> Iterator[_Floats]:
    """The divergence of the label sets' probabilities of each candidate, chunk by chunk."""
    snapshot, classes = candidates.snapshot, len(candidates.snapshot.header.classes)
    readers = [FamilyReader(snapshot, f"{LABELS}/{name}", ["logits"]) for name in candidates.proposed.label_sets]
    for start in range(0, len(candidates.rows), _CHUNK):
        rows = candidates.rows[start : start + _CHUNK]
        yield divergence([softmax(_numpy(reader, rows).reshape(-1, classes)) for reader in readers])


def divergence(probabilities: Sequence[_Floats]) -> _Floats:
    """(n,) the Jensen-Shannon divergence of several (n, classes) tables of probabilities, in nats.

    It is the entropy of their mean less the mean of their entropies: 0 where all say the same, and at most the
    logarithm of their number (Lin 1991; as a vote of a committee, McCallum and Nigam 1998).
    """
    table = np.stack(probabilities)
    found: _Floats = _entropy(table.mean(axis=0)) - _entropy(table).mean(axis=0)
    return found


def _entropy(probabilities: _Floats) -> _Floats:
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    found: _Floats = -(probabilities * logs).sum(axis=-1)
    return found


_KEYS: dict[str, Callable[[Candidates], _Keys]] = {
    "margin": _by_margin,
    "diverse": _by_turns,
    "disagreement": _by_divergence,
    "random": lambda _: (),  # chance alone
}
