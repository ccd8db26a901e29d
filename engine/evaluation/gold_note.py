"""A store, a label set and rounds of gold → what makes estimates from that gold wrong, and one way out of all of it.

Gold that was chosen for being hard makes accuracy too low, gold that the teacher learned too high. What leads out of
one of them may lead into the other: a way is named only where neither is known of the gold to which it leads. No torch.
"""

import shlex
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from engine.evaluation.learned_gold import LearnedGold, learned_gold
from engine.inputs.messages import counted, listed
from store import Store
from store.gold.held import OWN, chosen_rounds, held_gold
from store.gold.judged import judged_rows
from store.selections.hard_gold import hard_gold, hard_gold_words
from store.selections.selection import selections

_SAMPLE = 500  # rows
_NAME = "check"


def gold_note(
    store: Store,
    labels: str,
    rounds: Sequence[int] | None = None,
    *,
    compared: Sequence[str] = (),
    knows_learned: bool = False,
) -> str | None:
    """What is wrong with an estimate from gold, and what to do; None if nothing is known to be.

    Args:
        store: the store.
        labels: the label set that is judged.
        rounds: that count, 0 being the corpus's own; all where None.
        compared: label sets that are judged beside it.
        knows_learned: whether the estimate leaves out by itself what a teacher learned.

    Raises:
        StoreMissingError: there is no such label set or round.
        DamageError: a file is damaged.
    """
    held = held_gold(store, rounds)
    learned = {} if knows_learned else _learned(store, (labels, *compared), rounds)
    known = learned[labels].rows if labels in learned else np.empty(0, np.int64)
    found = hard_gold(store, held)
    hard = hard_gold_words(found, judged_rows(store, held, labels), known=known) if found else None
    said = [*([hard] if hard else []), *(one.words for one in learned.values())]
    if hard or any(one.is_more for one in learned.values()):
        said.append(_way(store, labels, list(learned)))
    if models := [one.model for one in learned.values() if Path(one.model).is_dir()]:
        command = f"`engine eval {shlex.quote(models[0])} FILE`"
        said.append(f"{command} judges that teacher on labelled texts of your own that it has not seen.")
    return " ".join(said) or None


def _learned(store: Store, labels: Sequence[str], rounds: Sequence[int] | None) -> dict[str, LearnedGold]:
    """Of each label set whose teacher learned gold that counts, how much."""
    found = {name: learned_gold(store, name, rounds) for name in labels}
    return {name: one for name, one in found.items() if one is not None and len(one.rows)}


def _way(store: Store, labels: str, learned: Sequence[str]) -> str:
    """How to get an estimate of all rows: from rounds of which nothing is known to be wrong, or from a new sample."""
    names = list(dict.fromkeys((labels, *learned)))
    clean = [number for number in chosen_rounds(store) if _is_clean(store, names, [number])]
    for some in (clean, *([number] for number in reversed(clean))):
        if some and _is_clean(store, names, some):
            rows = len(judged_rows(store, held_gold(store, some), labels))
            whose = "the corpus's own gold" if some == [OWN] else "other gold"
            return f"{' '.join(f'--round {one}' for one in some)} counts {whose} alone ({counted(rows, 'row')})."
    return _new_sample(store, labels)


def _is_clean(store: Store, labels: Sequence[str], rounds: Sequence[int]) -> bool:
    """Whether ``rounds`` have gold to judge all ``labels`` by, and nothing is known to be wrong with it."""
    held = held_gold(store, rounds)
    if any(not len(judged_rows(store, held, name)) for name in labels) or hard_gold(store, held):
        return False
    return not any(one.is_more for one in _learned(store, labels, rounds).values())


def _new_sample(store: Store, labels: str) -> str:
    """The steps to a round of gold of rows that were drawn from all. Its number stirs them: no sample is an old one."""
    place, number = shlex.quote(store.location), chosen_rounds(store)[-1] + 1
    taken = set(selections(store))
    name = next(name for one in count(1) if (name := _NAME if one == 1 else f"{_NAME}-{one}") not in taken)
    which = f" --labels {labels}" if len(store.label_sets()) > 1 else ""
    return (
        f"Draw a random sample of all rows: `engine select {place} {name}{which} --order-by 'hash(row, {number})' "
        f"--limit {_SAMPLE} --out {name}.csv`. Have people add a column called label to the file, with the class of "
        f"each row ({listed(store.header.classes)}). Then `engine audit {place} --gold {name}.csv` adds their labels, "
        f"and --round {number} counts them alone."
    )
