"""A store and the user's choice → the rows of each split.

A share is of the texts' hashes, which the store keeps: so a row is in the same split in every export, also after rows
were appended, and equal texts are never in two.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from store import Store
from store.format.names import CORPUS
from store.rows.row_set import WORD_ROWS, RowNumbers, RowSet
from store.selections.selection import read_selection

_NAME = re.compile(r"\w+(\.\w+)*", re.ASCII)
_TAKEN = "all"
_HASHES = 2**64
_EXACT = 1e-9


@dataclass(frozen=True, kw_only=True)
class Split:
    """Some rows of a store.

    Attributes:
        name: None if the rows are not split.
        rows: which they are.
    """

    name: str | None
    rows: RowSet


def rows_of_splits(store: Store, select: str | None, splits: Mapping[str, float | str]) -> tuple[RowSet, list[Split]]:
    """The rows that are asked for, and those of each split.

    Args:
        store: the store.
        select: a selection; all rows if None.
        splits: by name, shares that sum to 1, or names of selections that have no row in common.

    Raises:
        InputError: the splits are not so, or a split has no rows.
        StoreMissingError: there is no such selection.
        MismatchError: the labels that a selection was made from have changed.
    """
    size = store.layout.rows
    asked = RowSet.every(size) if select is None else _selected(store, select)
    if not len(asked):
        raise InputError(f"{store.location} has no rows to export" if select is None else f"{select!r} has no rows")
    if not splits:
        return asked, [Split(name=None, rows=asked)]
    _check_names(splits)
    selections = {name: value for name, value in splits.items() if isinstance(value, str)}
    shares = {name: value for name, value in splits.items() if not isinstance(value, str)}
    if shares and selections:
        raise InputError("--split has shares and selections; give one or the other for all splits")
    rows = _by_hash(store, shares) if shares else [_selected(store, name) for name in selections.values()]
    found = [Split(name=name, rows=asked & some) for name, some in zip(splits, rows, strict=True)]
    for split in found:
        if not len(split.rows):
            raise InputError(f"the split {split.name} has no rows; give it a larger share, or leave it out")
    _check_apart(found)
    return asked, found


def _selected(store: Store, name: str) -> RowSet:
    return read_selection(store, name).rows.of_size(store.layout.rows)


def _check_names(splits: Mapping[str, float | str]) -> None:
    for name in splits:
        if not _NAME.fullmatch(name) or name == _TAKEN:
            raise InputError(f"a split cannot be called {name!r}; use letters, digits and _, and not {_TAKEN!r}")


def _check_apart(splits: list[Split]) -> None:
    """Refuse splits that have rows in common.

    Raises:
        InputError: two have.
    """
    for number, one in enumerate(splits):
        for other in splits[:number]:
            if both := len(one.rows & other.rows):
                raise InputError(
                    f"the splits {other.name} and {one.name} have {both:,} rows in common; take them out of one, with "
                    "`engine select … --not NAME`"
                )


def _by_hash(store: Store, shares: Mapping[str, float]) -> list[RowSet]:
    """The rows of each share, by the hash of their texts."""
    values = list(shares.values())
    if not all(0 < share <= 1 for share in values) or abs(math.fsum(values) - 1) > _EXACT:
        said = " + ".join(f"{share:g}" for share in values)
        raise InputError(f"the shares of --split are {said} = {math.fsum(values):g}; they must be above 0 and sum to 1")
    ends = [min(round(math.fsum(values[:number]) * _HASHES), _HASHES - 1) for number in range(1, len(values))]
    found = [~RowSet.every(store.layout.rows) for _ in values]
    for batch in store.dataset(CORPUS).to_batches(columns=["row", "text_hash"]):
        hashes = batch.column("text_hash").to_numpy()
        places = np.searchsorted(np.array(ends, np.uint64), hashes, side="right")
        for split, some in enumerate(found):
            _add(some, batch.column("row").to_numpy()[places == split])
    return found


def _add(some: RowSet, numbers: RowNumbers) -> None:
    """Put ``numbers`` into ``some``, in its own memory."""
    bits = np.uint64(1) << (numbers % WORD_ROWS).astype(np.uint64)
    np.bitwise_or.at(some.words, numbers // WORD_ROWS, bits)
