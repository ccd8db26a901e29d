"""A store → which of its gold rows a selection chose for being hard, and why an estimate from them is not of all rows.

Gold that came in does not say who chose its rows. A round counts as chosen by a selection if more of its rows lie in
that selection than chance would put there; so a random sample that happens to hold some hard rows does not.
"""

import math
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.errors import DamageError
from store.format.names import CORPUS
from store.gold.held import OWN, HeldGold, chosen_rounds, has_gold, held_gold
from store.rows.family_reader import FamilyReader
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


def hard_gold_note(snapshot: Snapshot, rounds: Sequence[int] | None = None) -> str | None:
    """What is wrong with an estimate from the gold of ``rounds``, and what to do; None if nothing is known to be.

    Args:
        snapshot: the store.
        rounds: that count, 0 being the corpus's own; all where None.

    Raises:
        StoreMissingError: one of them is not there.
        DamageError: the file of one is damaged.
    """
    held = held_gold(snapshot, rounds)
    if not (found := hard_gold(snapshot, held)):
        return None
    hard = len(np.unique(np.concatenate([one.rows for one in found])))
    names = ", ".join(f"{one.name!r} (--propose {one.method}, {len(one.rows):,} rows)" for one in found)
    whose = f"the selection{'s' * (len(found) > 1)} {names}"
    others = set(chosen_rounds(snapshot, rounds)) - {number for one in found for number in one.rounds}
    return (
        f"{hard:,} of the {_gold_rows(snapshot, held):,} gold rows that count were chosen for being hard, by {whose}. "
        "Labels are wrong on such rows more often than on all, so accuracy comes out too low, and other figures from "
        f"gold are off, too. {_remedy(snapshot, sorted(others))}"
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
        is_more = hits - rows * share > _DEVIATIONS * math.sqrt(rows * share * (1 - share))
        if is_more and number not in proposed.rounds:
            rounds.append(number)
    return rounds


def _gold_rows(snapshot: Snapshot, held: HeldGold) -> int:
    """Rows that have gold: those of rounds, and others that have the corpus's own."""
    if not held.own:
        return len(held.rows)
    own = sum(record.statistics.get("gold", 0) for record in snapshot.corpus.records().values())
    labels = [piece["label"] for piece in FamilyReader(snapshot, CORPUS, ["label"]).read(held.rows)]
    return int(own) + int(pa.concat_arrays(labels).null_count)


def _remedy(snapshot: Snapshot, others: list[int]) -> str:
    """How to get an estimate of all rows: from rounds that are no such ones, or from a new random sample."""
    usable = [number for number in others if has_gold(snapshot, [number]) and not _is_hard(snapshot, number)]
    if usable:
        flags = " ".join(f"--round {number}" for number in usable)
        whose = "the corpus's own gold" if usable == [OWN] else "the other gold"
        return f"{flags} counts {whose} alone"
    place = shlex.quote(snapshot.location)
    return (
        f"Label a random sample of all rows (`engine select {place} check --order-by 'hash(row)' --limit 500 --out "
        f"check.csv`), add it with `engine audit {place} --gold check.csv`, and count its --round alone"
    )


def _is_hard(snapshot: Snapshot, number: int) -> bool:
    """Whether a selection chose rows of a round for being hard, also if later rounds say what holds of them."""
    return len(hard_gold(snapshot, held_gold(snapshot, [number]))) > 0
