"""A store, its label sets and rounds of gold → how many gold rows a teacher itself was trained on. No torch.

It knows their labels by heart, so that an estimate from them says nothing of new texts. What a model has learned is
noted in its folder, and beside the labels that it made; those that earlier versions made have the folder alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.models.gold_texts import read_gold_texts
from store import Store
from store.families.label_card import label_card
from store.families.learned_texts import learned_texts as held_beside
from store.families.text_hash import text_hashes
from store.format.names import CORPUS
from store.gold.held import OWN, held_gold
from store.rows.family_reader import FamilyReader
from store.storage.file_hash import sha256_of


@dataclass(frozen=True, kw_only=True)
class LearnedGold:
    """The gold rows that a teacher learned.

    Attributes:
        labels: its label set.
        model: where the teacher is.
        learned: how many gold rows that count it learned.
        gold: how many count.
        others: rounds of which it learned none, ascending; 0 is the corpus's own.
    """

    labels: str
    model: str
    learned: int
    gold: int
    others: list[int]


def learned_gold_note(store: Store, labels: str | None, rounds: Sequence[int] | None) -> str | None:
    """What is wrong with an estimate from gold that a teacher learned, and what to do; None if none is known to be.

    Args:
        store: the store.
        labels: label sets with commas between them; all if None.
        rounds: that count, 0 being the corpus's own; all where None.
    """
    names = list(store.label_sets()) if labels is None else labels.split(",")
    found = [one for name in names if (one := learned_gold(store, name, rounds)) is not None and one.learned]
    if not found:
        return None
    said = "; ".join(
        f"{one.learned:,} of the {one.gold:,} gold rows that count have texts that the teacher of {one.labels!r} was "
        "trained on"
        for one in found
    )
    ways = [f"`engine eval {one.model} FILE` judges it on others" for one in found[:1]]
    if others := sorted(set.intersection(*(set(one.others) for one in found))):
        ways.append(f"{' '.join(f'--round {number}' for number in others)} counts gold that it did not learn")
    return f"{said}: it knows those labels, so that accuracy comes out too high. {', or '.join(ways)}"


def learned_gold(store: Store, name: str, rounds: Sequence[int] | None) -> LearnedGold | None:
    """The gold that the teacher of the label set ``name`` learned; None if that is not known."""
    card, texts = label_card(store.label_set(name)), learned_texts(store, name)
    if card is None or card.model is None or texts is None:
        return None
    held = held_gold(store, rounds)
    rows = np.arange(store.layout.rows) if held.own else held.rows
    pieces = FamilyReader(store, CORPUS, ["label", "text_hash"]).read(rows)
    own = pa.concat_arrays([piece["label"] for piece in pieces])
    hashes = pa.concat_arrays([piece["text_hash"] for piece in pieces]).to_numpy()
    of_round = held.column("gold_round", rows, own)
    has_gold = of_round.is_valid().to_numpy(zero_copy_only=False)
    is_learned = np.isin(hashes, texts) & has_gold
    numbers = of_round.fill_null(OWN).to_numpy()
    return LearnedGold(
        labels=name,
        model=card.model,
        learned=int(is_learned.sum()),
        gold=int(has_gold.sum()),
        others=sorted({*np.unique(numbers[has_gold]).tolist()} - {*np.unique(numbers[is_learned]).tolist()}),
    )


def learned_texts(store: Store, name: str) -> npt.NDArray[np.uint64] | None:
    """Hashes of the texts that the teacher of the label set ``name`` learned, ascending; None if that is not known.

    It is if the label set says so, or the teacher's folder is where its card says and has the weights of then.
    """
    labels = store.label_set(name)
    if (beside := held_beside(labels)) is not None:
        return beside
    card = label_card(labels)
    if card is None or card.model is None or (texts := read_gold_texts(Path(card.model))) is None:
        return None
    weights = sorted(Path(card.model).glob("*.safetensors"))
    return texts if len(weights) == 1 and sha256_of(weights[0]) == card.weights_sha256 else None


def learned_rows_note(
    model: str, learned: npt.NDArray[np.uint64] | None, texts: Iterable[str], *, which: str = "rows"
) -> str | None:
    """What is wrong with judging a model on texts whose gold it has learned; None if it has learned that of none.

    Args:
        model: what it is called.
        learned: hashes of the texts whose gold it learned; None if that is not known.
        texts: of the rows.
        which: what the rows are called.
    """
    if learned is None:
        return None
    hashes = text_hashes(pa.array(texts, pa.string()))
    if not (found := int(np.isin(hashes, learned).sum())):
        return None
    return (
        f"{found:,} of the {len(hashes):,} {which} have texts that {model} was trained on: it knows those labels, so "
        "that accuracy comes out too high. Judge it on others"
    )
