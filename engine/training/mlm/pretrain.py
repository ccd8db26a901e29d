"""The start of a fine-tuning + texts without labels → a better start: masked language modelling on these texts.

It is a training of its own in the folder ``mlm`` of the fine-tuning: with checkpoints, metrics and exact resume. What
it makes is a model folder with which any training can begin.
"""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.compute.masked_forward import masked_forward
from engine.inputs.labels.labelled import Gold
from engine.models.classifier import Classifier
from engine.models.notes.card_head import CARD
from engine.progress import Tick, silent
from engine.training.data.soft_gold import has_texts
from engine.training.distributed import Ranks
from engine.training.loop import Objective, fit
from engine.training.loss import MaskedLoss
from engine.training.mlm.model import load_masked, masking_of, save_masked
from engine.training.mlm.steps import MaskedSteps
from engine.training.mlm.texts import Pretraining, first_rejected, read_texts, remove_texts
from engine.training.output.checkpoint import Checkpoints, tensors_sha256
from engine.training.output.mlm_report import MlmReport, read_mlm_report, write_mlm_report
from engine.training.output.model_card import mlm_card
from engine.training.output.run_folder import CHECKPOINTS, MLM, RunFolder, flat_names
from engine.training.output.saved_model import put_in_place
from engine.training.output.saving import Saving
from engine.training.tasks.config import RunConfig
from store import Store
from store.families.text_hash import text_hashes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MlmTask:
    """A pretraining that can begin.

    Attributes:
        asked: what is to be learned, and how.
        run: the fine-tuning behind it, whose folder, seed, micro-batches, dtype and checkpoints it has.
        start: of both.
        module: the masked language model of ``start``.
        max_length: tokens a text.
    """

    asked: Pretraining
    run: RunConfig
    start: Classifier
    module: Any
    max_length: int

    def settings(self) -> dict[str, Any]:
        """Those that decide the result."""
        loop = self.run.loop
        return flat_names(
            {
                **self.asked.settings(),
                "start_sha256": tensors_sha256(self.module),
                "encoding_sha256": self.start.encoding(self.max_length).fingerprint,
                "loop": {"seed": loop.seed, "tokens_per_batch": loop.tokens_per_batch, "dtype": loop.dtype},
            }
        )


def pretrain(
    start: Classifier,
    asked: Pretraining,
    run: RunConfig,
    *,
    max_length: int,
    judged: Gold | None,
    ranks: Ranks,
    tick: Tick,
) -> tuple[MlmReport, Path]:
    """Train the masked language model of ``start``; what was done before is not done again.

    Args:
        start: of the fine-tuning.
        asked: what is to be learned.
        run: the fine-tuning.
        max_length: tokens a text.
        judged: rows that the classifier will be judged on, or None.
        ranks: the processes that train together.
        tick: told how far it is.

    Returns:
        The report, and the folder of the model.

    Raises:
        ModelError: ``start`` is no masked language model.
        InputError: the texts cannot be read.
        TrainingError: the folder has another run, or the training fails.
    """
    out = Path(run.out)
    module = load_masked(start, longest=max_length, seed=run.loop.seed)
    task = MlmTask(asked=asked, run=run, start=start, module=module, max_length=max_length)
    folder = RunFolder(str(out / MLM))
    settings = task.settings()
    folder.check(settings)
    if folder.is_done:
        return read_mlm_report(folder.path), folder.path
    store = read_texts(asked, out, tick=tick if ranks.is_first else silent)
    ranks.agree(json.dumps([settings, store.layout.rows]), name="settings, models or texts")
    if ranks.is_first:
        _say_known(store, judged)
        with folder.locked():
            folder.begin(settings)
            report = _fit(task, store, folder, ranks, tick)
            _save(task, report, folder)
        remove_texts(out)
    else:
        report = _fit(task, store, folder, ranks, silent)
    ranks.meet()
    return report, folder.path


def _fit(task: MlmTask, store: Store, folder: RunFolder, ranks: Ranks, tick: Tick) -> MlmReport:
    """Train the module of ``task`` in place."""
    config, run = task.asked.config, task.run
    masking = masking_of(task.start, seed=run.loop.seed)
    steps = MaskedSteps(store, task.start.encoding(task.max_length), masking, batch_size=config.batch_size, ranks=ranks)
    loop = replace(run.loop, epochs=config.epochs, batch_size=config.batch_size, learning_rate=config.learning_rate)
    objective = Objective(
        model=replace(task.start, module=task.module),
        steps=steps,
        loss=MaskedLoss(hidden_per_row=steps.hidden_per_row),
        config=loop,
        make=masked_forward,
    )
    saving = Saving(folder.path, run.saving, Checkpoints(folder.path / CHECKPOINTS, keep=run.saving.keep))
    _log.info("%s texts come before the labels: the model finds hidden words out in them", f"{steps.rows:,}")
    try:
        state = fit(objective, ranks=ranks, saving=saving, tick=tick)
    finally:
        saving.end()
    rejected = 0 if task.asked.stored is not None else store.header.rejected
    return MlmReport(
        inputs=[*task.asked.config.inputs],
        rows=steps.rows,
        rejected=rejected,
        reasons=first_rejected(store) if rejected else [],
        steps=state.done,
        dtype=state.dtype,
        epochs=state.reports,
    )


def _save(task: MlmTask, report: MlmReport, folder: RunFolder) -> None:
    def write(made: Path) -> None:
        save_masked(task.start, task.module, made)
        (made / CARD).write_text(mlm_card(task.start, report), encoding="utf-8")
        write_mlm_report(report, made)

    put_in_place(folder.path, write)


def _say_known(store: Store, judged: Gold | None) -> None:
    """Say so if texts of rows that the classifier is judged on are among those that it learns."""
    if judged is None:
        return
    hashes = text_hashes(pa.array(judged.texts, pa.string()))
    if found := int(has_texts(store, hashes).sum()):
        _log.warning(
            "%s of the %s evaluation rows have texts that --mlm has, too: the model has read them, without their "
            "labels. Leave those out of --mlm if that is to say how good it is on new texts",
            f"{found:,}",
            f"{len(hashes):,}",
        )
