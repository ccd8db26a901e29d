"""Gold labels → a fine-tuned classifier: the teacher, and the paper's directly trained students.

torch is imported when the request has been looked at and the rows are read: a mistake in them is said before.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingError
from engine.evaluation.evaluate import EvalConfig, read_evaluation_rows
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.models.loading.first_look import look_for_start
from engine.models.notes.gold_texts import read_gold_texts
from engine.progress import Tick, silent
from engine.training.data.stored_gold import StoredGold
from engine.training.mlm.config import MlmConfig
from engine.training.mlm.texts import MlmRequest, look_for_texts
from engine.training.output.run_folder import MLM, TEXTS, RunFolder, flat_names
from engine.training.output.start_note import start_note
from engine.training.tasks.config import LoopConfig, RunConfig
from engine.training.tasks.done_already import done_already
from engine.training.tasks.known_rows import say_learned
from engine.training.tasks.known_settings import gold_sha256, known_settings
from engine.training.tasks.launch import quiet_others

if TYPE_CHECKING:
    from engine.training.output.trained import Trained


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(RunConfig):
    """A training on gold labels.

    Attributes:
        gold: labelled files and how to read them; of ``evaluation`` and ``validation`` too.
        stored: learn from the gold of a store instead.
        model: hub id or path of the initial weights; ``MODEL#layers=1,3,5`` keeps some layers, and a ``config.json``
            means random weights.
        revision: of the hub id.
        mlm: texts on which masked language modelling makes ``model`` a better start before; None for none.
        max_length: tokens a row; those of a training of ours that made ``model``, or 512, or as many as the model
            takes, if None.
        loop: hyperparameters.
    """

    gold: GoldConfig
    stored: StoredGold | None = None
    model: str
    revision: str | None = None
    mlm: MlmConfig | None = None
    max_length: int | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)


def finetune(config: FinetuneConfig, *, tick: Tick = silent) -> "Trained":
    """Train on gold labels, evaluate, and save; an interrupted run of the same training is resumed.

    Raises:
        EngineError: the files or the model cannot be used, the folder has another run, or the training fails.
    """
    folder = RunFolder(config.out)
    quiet_others()
    start = look_for_start(config.model, config.revision)
    gold = read_gold(config.gold) if config.stored is None else config.stored.read()
    evaluation, validation = (
        read_evaluation_rows(judged_by(config, inputs, before=gold.read_from), gold.classes) if inputs else None
        for inputs in (config.evaluation, config.validation.inputs)
    )
    asked = None
    if config.mlm is not None:
        asked = look_for_texts(config.mlm, config.gold, classes=gold.classes, before=gold.read_from, out=folder.path)
    elif not folder.has_begun and any((folder.path / name).exists() for name in (MLM, TEXTS)):
        raise TrainingError(
            f"{folder.path} holds a masked language modelling that was begun; give --mlm as then, or name a new folder "
            "with --out"
        )
    known = flat_names({**gold_settings(gold, asked), **known_settings(config, gold.classes, validation)})
    folder.check(known, partly=True)
    note = start_note(config.model, start, config.max_length)
    if (trained := done_already(folder, known, note, evaluation)) is not None:
        say_learned(config.out, read_gold_texts(folder.path), evaluation=evaluation, validation=validation)
        return trained
    from engine.training.tasks.gold import train_on_gold

    return train_on_gold(config, gold, evaluation, validation, asked=asked, note=note, tick=tick)


def gold_settings(gold: Gold, asked: MlmRequest | None) -> dict[str, Any]:
    """The settings of a run that are the fine-tuning's own."""
    return {"gold_sha256": gold_sha256(gold), **({} if asked is None else {"mlm": asked.settings()})}


def judged_by(
    config: FinetuneConfig,
    inputs: tuple[str, ...],
    max_length: int | None = None,
    *,
    before: ColumnsBefore | None = None,
) -> EvalConfig:
    """The evaluation on the rows of ``inputs``; ``before`` are the columns of the rows that are learned from."""
    return EvalConfig(
        model=config.out,
        inputs=inputs,
        columns=replace(config.gold.columns, before=before),
        options=config.gold.options,
        max_length=max_length,
    )
