"""A store, its label sets and rounds of gold → which gold rows a teacher itself was trained on. No torch.

It knows their labels by heart, so that an estimate from them says nothing of new texts. What a model has learned is
noted in its folder, and beside the labels that it made; those that earlier versions made have the folder alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.models.notes.gold_texts import read_gold_texts
from store import Store
from store.families.label_card import label_card
from store.families.learned_texts import learned_texts as held_beside
from store.families.text_hash import text_hashes
from store.format.names import CORPUS
from store.gold.held import held_gold
from store.gold.judged import judged_rows, labelled_rows
from store.rows.family_reader import FamilyReader
from store.rows.row_set import RowNumbers
from store.selections.hard_gold import is_more_than_chance
from store.storage.file_hash import sha256_of

_DEVIATIONS = 3.0  # from the number of rows that a random sample would have
_MOST = 0.5  # a share of rows from which on it says nothing that some are all learned


@dataclass(frozen=True, kw_only=True)
class LearnedGold:
    """The gold rows that a teacher learned.

    Attributes:
        labels: its label set.
        model: where the teacher is.
        rows: (n,) numbers of those that it learned, of the gold rows that count and have a label of it; ascending.
        gold: how many of these there are.
        is_more: whether it learned more of them than it would have learned of a random sample of the rows that it
            labelled.
    """

    labels: str
    model: str
    rows: RowNumbers
    gold: int
    is_more: bool

    @property
    def words(self) -> str:
        """What that does to an estimate; one sentence."""
        said = (
            f"{len(self.rows):,} of the {self.gold:,} gold rows that count have texts that the teacher of "
            f"{self.labels!r} was trained on"
        )
        if self.is_more:
            return f"{said}: it knows those labels, so that accuracy comes out too high."
        return (
            f"{said}, no more than a random sample may have: accuracy is that of the store's rows, and less on others."
        )


def learned_gold(store: Store, name: str, rounds: Sequence[int] | None) -> LearnedGold | None:
    """The gold that the teacher of the label set ``name`` learned; None if that is not known."""
    card, texts = label_card(store.label_set(name)), learned_texts(store, name)
    if card is None or card.model is None or texts is None:
        return None
    judged = judged_rows(store, held_gold(store, rounds), name)
    learned = judged[_are_learned(store, judged, texts)]
    is_more = False
    if len(learned):
        share = float(_are_learned(store, labelled_rows(store, name), texts).mean())
        is_all = len(learned) == len(judged) and share < _MOST
        is_more = is_all or is_more_than_chance(len(learned), len(judged), share, deviations=_DEVIATIONS)
    return LearnedGold(labels=name, model=card.model, rows=learned, gold=len(judged), is_more=is_more)


def _are_learned(store: Store, rows: RowNumbers, texts: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """(n,) whether each of ``rows`` has one of ``texts``, which are hashes."""
    pieces = FamilyReader(store, CORPUS, ["text_hash"]).read(rows)
    return np.concatenate([np.empty(0, np.bool_), *(np.isin(piece["text_hash"].to_numpy(), texts) for piece in pieces)])


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


def rows_not_learned(learned: Sequence[npt.NDArray[np.uint64] | None], texts: Iterable[str]) -> npt.NDArray[np.int64]:
    """Places of those of ``texts`` whose gold no model has ``learned``; of each model its hashes, or None."""
    hashes = text_hashes(pa.array(texts, pa.string()))
    known = np.zeros(len(hashes), np.bool_)
    for one in learned:
        known |= np.isin(hashes, [] if one is None else one)
    return np.flatnonzero(~known)


def learned_rows_note(
    model: str, learned: npt.NDArray[np.uint64] | None, texts: Sequence[str], *, which: str = "rows"
) -> str | None:
    """What is wrong with judging a model on texts whose gold it has learned; None if it has learned that of none.

    Args:
        model: what it is called.
        learned: hashes of the texts whose gold it learned; None if that is not known.
        texts: of the rows.
        which: what the rows are called.
    """
    if not (found := len(texts) - len(rows_not_learned([learned], texts))):
        return None
    return (
        f"{found:,} of the {len(texts):,} {which} have texts that {model} was trained on: it knows those labels, so "
        "that accuracy comes out too high. Judge it on others"
    )
