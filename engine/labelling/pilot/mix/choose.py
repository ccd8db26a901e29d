"""The mix of a corpus → whole shards, or rows, that together have the same mix. Pure numpy, and the same each time."""

import numpy as np

from engine.labelling.pilot.mix.mix import Candidates, Mix, Numbers

LEAST_SHARDS = 3
"""Whole shards are a pilot if they are at least so many: one shard says little of the others."""


def choose_shards(mix: Mix, *, rows: int) -> list[int]:
    """Shards of about ``rows`` texts in all, whose mix is as near that of all as can be; none if that is too few.

    Each is the one with which those chosen come nearest. At most half of the shards are chosen.
    """
    sizes = mix.rows.sum(axis=1)
    count = int(rows / sizes.mean() + 0.5) if len(sizes) and sizes.sum() else 0
    if count < LEAST_SHARDS or 2 * count > len(sizes):
        return []
    wanted = mix.rows.sum(axis=0) / sizes.sum()
    chosen: list[int] = []
    held = np.zeros(mix.rows.shape[1])
    is_left = sizes > 0
    for _ in range(min(count, int(is_left.sum()))):
        sums = held + mix.rows
        away = ((sums / np.maximum(sums.sum(axis=1, keepdims=True), 1) - wanted) ** 2).sum(axis=1)
        best = int(np.argmin(np.where(is_left, away, np.inf)))
        chosen.append(best)
        held, is_left[best] = held + mix.rows[best], False
    return [int(mix.shards[number]) for number in chosen]


def choose_rows(candidates: Candidates, mix: Mix, *, rows: int) -> Candidates:
    """``rows`` of the candidates, of each stratum its share; those with gold first: the teacher is judged by them."""
    shares = allot(mix.rows.sum(axis=0), rows)
    order = np.lexsort((candidates.keys, candidates.gold < 0, candidates.strata))
    strata = candidates.strata[order]
    rank = np.arange(len(order)) - np.searchsorted(strata, strata)
    chosen = rank < shares[strata]
    others = order[~chosen]  # a stratum may have fewer candidates than its share
    filling = others[np.argsort(candidates.keys[others], kind="stable")][: int(shares.sum()) - int(chosen.sum())]
    return candidates.take(np.sort(np.concatenate([order[chosen], filling])))


def allot(counts: Numbers, rows: int) -> Numbers:
    """(strata,) how many of ``rows`` each gets: its share of ``counts``, the largest remainders rounded up."""
    total = int(counts.sum())
    if total == 0:
        return np.zeros_like(counts)
    exact = counts.astype(np.float64) * (min(rows, total) / total)
    shares = np.floor(exact).astype(np.int64)
    left = min(rows, total) - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:left]] += 1
    return shares


def parts_of(strata: Numbers, parts: int) -> list[Numbers]:
    """Places of texts in ``parts`` parts of one size, each with the mix of all."""
    order = np.argsort(strata, kind="stable")
    return [np.sort(order[part::parts]) for part in range(parts) if len(order[part::parts])]
