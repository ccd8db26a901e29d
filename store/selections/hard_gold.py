"""A store → which of its gold rows a selection chose for being hard, and why an estimate from them is not of all rows.

Gold that came in does not say who chose its rows. A round counts as chosen by a selection if more of its rows lie in
that selection than chance would put there; so a random sample that happens to hold some hard rows does not.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from store.errors import DamageError
from store.gold.held import HeldGold, chosen_rounds, held_gold
from store.rows.row_set import RowNumbers
from store.selections.card import Card, Proposed
from store.selections.selection import check_bits, read_card, rows_of_card, selections
from store.snapshot import Snapshot

_RANDOM = "random"
_DEVIATIONS = 4.0  # from the number of rows that chance would put there


@dataclass(frozen=True, kw_only=True)
class HardGold:
    """The gold rows that one selection chose.

    Attributes:
        name: of the selection.
        method: by which it proposed them.
        rows: (n,) int64 their numbers, ascending.
        rounds: of gold that they are from, ascending.
    """

    name: str
    method: str
    rows: RowNumbers
    rounds: list[int]


def hard_gold(snapshot: Snapshot, held: HeldGold) -> list[HardGold]:
    """Of each selection that proposed hard rows, those whose gold label holds; without selections that chose none.

    A selection that is damaged is passed over: `engine verify` speaks of it.
    """
    found = []
    for name in selections(snapshot) if len(held.rows) else []:
        with suppress(DamageError):
            card = read_card(snapshot, name)
            if card.proposed is None or card.proposed.method == _RANDOM or check_bits(snapshot, card) is not None:
                continue
            is_chosen = rows_of_card(snapshot, card).of_size(snapshot.layout.rows).has(held.rows)
            if rounds := _rounds_chosen(held, is_chosen, card, card.proposed):
                rows = held.rows[is_chosen & np.isin(held.rounds, rounds)]
                found.append(HardGold(name=name, method=card.proposed.method, rows=rows, rounds=rounds))
    return found


def hard_gold_words(found: Sequence[HardGold], judged: RowNumbers, *, known: RowNumbers) -> str | None:
    """What is wrong with an estimate from gold of which some was chosen for being hard; None if none counts.

    Args:
        found: what selections chose.
        judged: (n,) the rows from which the estimate is made, ascending.
        known: row numbers, ascending, whose labels the teacher learned: it is right on these, however hard.
    """
    parts = [(one, np.setdiff1d(np.intersect1d(one.rows, judged), known)) for one in found]
    parts = [(one, rows) for one, rows in parts if len(rows)]
    if not parts:
        return None
    hard = len(np.unique(np.concatenate([rows for _, rows in parts])))
    names = ", ".join(
        f"{one.name!r} (--propose {one.method}, {len(rows):,} row{'s' * (len(rows) != 1)})" for one, rows in parts
    )
    return (
        f"{hard:,} of the {len(judged):,} gold rows that count were chosen for being hard, by the "
        f"selection{'s' * (len(parts) > 1)} {names}. Labels are wrong on such rows more often than on all, so accuracy "
        "comes out too low, and other figures from gold are off, too."
    )


def lost_with_selection(snapshot: Snapshot, name: str) -> str | None:
    """What is not known any more when the selection ``name`` is removed; None if no gold is of rows that it chose.

    Raises:
        DamageError: the file of a round is damaged.
    """
    found = [
        one
        for number in chosen_rounds(snapshot)
        for one in hard_gold(snapshot, held_gold(snapshot, [number]))
        if one.name == name
    ]
    if not found:
        return None
    rounds = sorted({number for one in found for number in one.rounds})
    rows = len(np.unique(np.concatenate([one.rows for one in found])))
    return (
        f"{rows:,} gold rows, of --round {' and '.join(map(str, rounds))}, were chosen by it for being hard, and "
        "nothing will say so then: accuracy from them comes out too low without a word. Leave them out yourself, with "
        "--round of the others"
    )


def _rounds_chosen(held: HeldGold, is_chosen: npt.NDArray[np.bool_], card: Card, proposed: Proposed) -> list[int]:
    """The rounds of which more rows are chosen than chance would choose; none that was there before the selection.

    Args:
        held: the gold.
        is_chosen: (n,) whether each of its rows is in the selection.
        card: of the selection.
        proposed: how it chose.
    """
    share, rounds = card.selected / card.rows, []
    for number in np.unique(held.rounds[is_chosen]).tolist():
        of_round = (held.rounds == number) & (held.rows < card.rows)
        rows, hits = int(of_round.sum()), int((of_round & is_chosen).sum())
        if is_more_than_chance(hits, rows, share, deviations=_DEVIATIONS) and number not in proposed.rounds:
            rounds.append(number)
    return rounds


def is_more_than_chance(hits: int, rows: int, share: float, *, deviations: float) -> bool:
    """Whether ``hits`` of ``rows`` are of a kind more often than random rows are, a ``share`` of which is such.

    ``deviations`` is how many standard deviations more they have to be.
    """
    return hits - rows * share > deviations * math.sqrt(rows * share * (1 - share))
