"""Rows that a model is judged on → a word on those whose texts it learns: they say less of new texts. No torch."""

import logging

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.evaluation.learned_gold import learned_rows_note
from engine.inputs.labels.labelled import Gold
from engine.training.data.soft_gold import distilled_texts
from engine.training.data.store_steps import SoftLabels
from store import Store
from store.families.text_hash import text_hashes

_log = logging.getLogger(__name__)


def say_learned(
    model: str, learned: npt.NDArray[np.uint64] | None, *, evaluation: Gold | None, validation: Gold | None
) -> None:
    """Warn of rows whose gold a model learns.

    Args:
        model: where it is, or will be.
        learned: hashes of the texts whose gold it learns; None if that is not known.
        evaluation: rows that it is judged on in the end.
        validation: rows that it is judged on while it is trained.
    """
    for which, rows in (("evaluation rows", evaluation), ("validation rows", validation)):
        texts = () if rows is None else rows.texts
        if said := learned_rows_note(model, learned, texts, which=which):
            _log.warning("%s", said)


def say_distilled(model: str, store: Store, soft: SoftLabels, evaluation: Gold | None) -> None:
    """Say so if rows of the final ``evaluation`` are among those from whose soft labels ``model`` learns."""
    if evaluation is None:
        return
    hashes = text_hashes(pa.array(evaluation.texts, pa.string()))
    if found := int(distilled_texts(store, soft, hashes).sum()):
        _log.warning(
            "%s of the %s evaluation rows have texts that %s has, too: %s learns what their teacher says of them, so "
            "that its accuracy says less of new texts. Judge it on others, or leave those out with --select",
            f"{found:,}",
            f"{len(hashes):,}",
            store.location,
            model,
        )
