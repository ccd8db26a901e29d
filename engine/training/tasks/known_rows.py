"""Rows that a model is to be judged on → a word on those whose texts it learns: they say less of new texts."""

import logging

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.evaluation.learned_gold import learned_rows_note
from engine.training.data.soft_gold import distilled_texts
from engine.training.data.store_steps import SoftLabels
from engine.training.distributed import Ranks
from engine.training.run import TrainingTask
from store import Store
from store.families.text_hash import text_hashes

_log = logging.getLogger(__name__)


def say_learned(task: TrainingTask, learned: npt.NDArray[np.uint64], ranks: Ranks) -> None:
    """Warn of evaluation and validation rows whose gold the model of ``task`` learns; ``learned`` are their hashes."""
    if not ranks.is_first:
        return
    for which, rows in (("evaluation rows", task.evaluation_rows), ("validation rows", task.validation_rows)):
        texts = () if rows is None else rows.texts
        if said := learned_rows_note(task.evaluation.model, learned, texts, which=which):
            _log.warning("%s", said)


def say_distilled(task: TrainingTask, store: Store, soft: SoftLabels, ranks: Ranks) -> None:
    """Say so if evaluation rows are among those from whose soft labels the model of ``task`` learns."""
    if task.evaluation_rows is None or not ranks.is_first:
        return
    hashes = text_hashes(pa.array(task.evaluation_rows.texts, pa.string()))
    if found := int(distilled_texts(store, soft, hashes).sum()):
        _log.warning(
            "%s of the %s evaluation rows have texts that %s has, too: %s learns what their teacher says of them, so "
            "that its accuracy says less of new texts. Judge it on others, or leave those out with --select",
            f"{found:,}",
            f"{len(hashes):,}",
            store.location,
            task.evaluation.model,
        )
