"""A seed → which rows each arm learns from: prefixes of one order, so that smaller sets lie in larger ones. Pure."""

import numpy as np
import numpy.typing as npt

RowNumbers = npt.NDArray[np.int64]
_GOLD, _POOL = 0, 1  # so that the orders of both have nothing to do with one another


def gold_order(seed: int, *, labels: int, extra: int, keep_split: bool) -> RowNumbers:
    """(labels + extra,) an order of the gold rows, of which an arm with k labels learns from the first k.

    Args:
        seed: of the order.
        labels: gold rows of the arms with few labels.
        extra: further ones.
        keep_split: whether the first ``labels`` rows stay the first ones, in another order.
    """
    draw = np.random.default_rng((seed, _GOLD))
    if not keep_split:
        return draw.permutation(labels + extra)
    return np.concatenate([draw.permutation(labels), labels + draw.permutation(extra)])


def pool_rows(seed: int, *, pool: int, size: int) -> RowNumbers:
    """(size,) the unlabelled rows, of ``pool``, that a student of this seed learns from, ascending."""
    return np.sort(np.random.default_rng((seed, _POOL)).permutation(pool)[:size])
