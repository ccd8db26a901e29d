"""The start of a fine-tuning + texts without labels → a better start: masked language modelling on these texts.

It is a training of its own in the folder ``mlm`` of the fine-tuning: with checkpoints, metrics and exact resume. What
it makes is a model folder with which any training can begin.
"""

import json
import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.compute.device import free_memory
from engine.compute.masked_forward import masked_forward
from engine.inputs.labels.labelled import Gold
from engine.inputs.messages import counted
from engine.inputs.texts_alone import TextCounts
from engine.models.classifier import Classifier
from engine.models.files import weights_sha256
from engine.models.notes.card_head import CARD
from engine.progress import Tick, silent
from engine.tokens.masking import SHARE
from engine.training.data.soft_gold import has_texts
from engine.training.distributed import Ranks
from engine.training.loop import Objective, fit
from engine.training.loss import masked_cross_entropy
from engine.training.mlm.model import load_masked, masking_of, save_masked
from engine.training.mlm.steps import MaskedSteps
from engine.training.mlm.texts import MlmRequest, read_texts, remove_texts
from engine.training.output.checkpoint import Checkpoints, tensors_sha256
from engine.training.output.metrics_log import tensorboard_writer
from engine.training.output.mlm_report import MlmReport, read_mlm_report, write_mlm_report
from engine.training.output.model_card import mlm_card
from engine.training.output.run_folder import CHECKPOINTS, DONE, MLM, RunFolder, flat_names
from engine.training.output.saved_model import put_in_place
from engine.training.output.saving import Saving
from engine.training.tasks.config import LoopConfig, RunConfig
from store import Store
from store.families.text_hash import text_hashes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MlmTask:
    """A pretraining that can begin.

    Attributes:
        asked: what is to be learned, and how.
        finetuning: that comes behind it, whose folder, seed, micro-batches, dtype and checkpoints it has.
        start: of both.
        module: the masked language model of ``start``.
        max_length: tokens a text.
    """

    asked: MlmRequest
    finetuning: RunConfig
    start: Classifier
    module: Any
    max_length: int

    @property
    def loop(self) -> LoopConfig:
        """All hyperparameters."""
        return replace(self.finetuning.loop, **self.asked.config.loop())

    def settings(self) -> dict[str, Any]:
        """Those that decide the result."""
        return flat_names(
            {
                "texts_sha256": self.asked.sha256,
                "share": SHARE,
                "start_sha256": tensors_sha256(self.module),
                "encoding_sha256": self.start.encoding(self.max_length).fingerprint,
                "max_length": self.max_length,
                "loop": asdict(self.loop),
            }
        )


def pretrain(
    start: Classifier,
    asked: MlmRequest,
    finetuning: RunConfig,
    *,
    max_length: int,
    judged: dict[str, Gold | None],
    ranks: Ranks,
    tick: Tick,
) -> tuple[MlmReport, Path]:
    """Train the masked language model of ``start``; what was done before is not done again.

    Args:
        start: of the fine-tuning.
        asked: what is to be learned.
        finetuning: that comes behind it.
        max_length: tokens a text.
        judged: rows that the classifier will be judged on, by what they are called.
        ranks: the processes that train together.
        tick: told how far it is.

    Returns:
        The report, and the folder of the model.

    Raises:
        ModelError: ``start`` is no masked language model.
        InputError: the texts cannot be read.
        TrainingError: the folder has another run, or the training fails.
    """
    tensorboard_writer(finetuning.saving.report_to)  # fails before texts are read, if its package is missing
    out = Path(finetuning.out)
    module = load_masked(start, longest=max_length, seed=finetuning.loop.seed)
    task = MlmTask(asked=asked, finetuning=finetuning, start=start, module=module, max_length=max_length)
    folder = RunFolder(str(out / MLM))
    settings = task.settings()
    folder.check(settings)
    report = _done(folder.path) if folder.is_done else None
    if report is not None:
        _log.debug("%s is done already", folder.path)
    elif ranks.is_first:
        store, counts = read_texts(asked, out, tick=tick)
        _say_known(store, judged)
        with folder.locked():
            (folder.path / DONE).unlink(missing_ok=True)  # of a model that was found damaged
            _agree(ranks, settings, store)
            folder.begin(settings)
            report = _save(task, _fit(task, store, counts, ranks, tick), folder.path)
    else:
        store, counts = read_texts(asked, out)
        _agree(ranks, settings, store)
        report = _fit(task, store, counts, ranks, silent)
    ranks.meet()
    if ranks.is_first:
        remove_texts(out)
    return report, folder.path


def _agree(ranks: Ranks, settings: dict[str, Any], store: Store) -> None:
    ranks.agree(json.dumps([settings, store.layout.rows]), name="settings, models or texts")


def _fit(task: MlmTask, store: Store, counts: TextCounts, ranks: Ranks, tick: Tick) -> MlmReport:
    """Train the module of ``task`` in place."""
    loop, saving_config, folder = task.loop, task.finetuning.saving, Path(task.finetuning.out) / MLM
    masking, encoding = masking_of(task.start, seed=loop.seed), task.start.encoding(task.max_length)
    steps = MaskedSteps(store, encoding, masking, batch_size=loop.batch_size, ranks=ranks, tick=tick)
    objective = Objective(
        model=replace(task.start, module=task.module),
        steps=steps,
        loss=partial(masked_cross_entropy, share=steps.share),
        config=loop,
        make=masked_forward,
        doing="masked texts",
        rate="--mlm-learning-rate",
    )
    saving = Saving(folder, saving_config, Checkpoints(folder / CHECKPOINTS, keep=saving_config.keep))
    _log.info("before the labels, the model finds hidden words out in %s", counted(steps.learned, "text"))
    try:
        state = fit(objective, ranks=ranks, saving=saving, tick=tick)
    finally:
        saving.end()
        free_memory(ranks.device)
    return MlmReport(
        inputs=[*task.asked.config.inputs],
        rows=steps.learned,
        rejected=counts.rejected,
        reasons=counts.reasons,
        steps=state.done,
        dtype=state.dtype,
        epochs=state.reports,
    )


def _save(task: MlmTask, report: MlmReport, folder: Path) -> MlmReport:
    """Put model, card and report into the folder; the report as it is there."""

    def write(made: Path) -> None:
        save_masked(task.start, task.module, made)
        (made / CARD).write_text(mlm_card(task.start, report), encoding="utf-8")
        write_mlm_report(replace(report, weights_sha256=weights_sha256(made)), made)

    put_in_place(folder, write)
    return read_mlm_report(folder)


def _done(folder: Path) -> MlmReport | None:
    """The report of a run that is done; None, with a word, if its model is damaged: a checkpoint makes it anew."""
    report = read_mlm_report(folder)
    if weights_sha256(folder) == report.weights_sha256:
        return report
    _log.warning("the weights in %s are damaged or others; they are made anew from the last checkpoint there", folder)
    return None


def _say_known(store: Store, judged: dict[str, Gold | None]) -> None:
    """Say so if texts of rows that the classifier is judged on are among those that it learns."""
    for name, rows in judged.items():
        hashes = text_hashes(pa.array([] if rows is None else rows.texts, pa.string()))
        if found := int(has_texts(store, hashes).sum()) if len(hashes) else 0:
            _log.warning(
                "%s of the %s %s have texts that --mlm has, too: the model has read them, without their labels. Leave "
                "those out of --mlm if that is to say how good it is on new texts",
                f"{found:,}",
                f"{len(hashes):,}",
                name,
            )
