"""A step of an experiment → the calls of the engine that do it, and the files that say it is done."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.comparison.experiment import corpus
from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.experiment.data.gold import some
from engine.comparison.experiment.data.rows import GOLD, TEST, Rows, read_gold_rows, write_gold
from engine.comparison.experiment.draws import gold_order
from engine.comparison.experiment.folder import ExperimentFolder
from engine.comparison.experiment.kept_runs import has_run, read_run, write_run
from engine.comparison.experiment.notes import read_note
from engine.comparison.experiment.plan import CORPUS_STEP, Labelling, Step, Training
from engine.comparison.experiment.settled import Settled
from engine.comparison.experiment.spans import noted
from engine.comparison.experiment.speed import measure_speeds, read_speeds
from engine.comparison.results import DISTILLED, TEACHER, ArmRun, Speed
from engine.compute.device import best_device, limited_threads, worker_threads
from engine.errors import TrainingError
from engine.evaluation.answers import answers_of
from engine.evaluation.evaluate import EvalConfig
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import GoldConfig
from engine.labelling.label import label
from engine.labelling.planning.choices import Choices
from engine.labelling.planning.config import LabelConfig
from engine.labelling.summary import LabelSummary
from engine.models.classifier import load_classifier, parameters
from engine.progress import Tick, silent
from engine.training.distill import DistillConfig, train
from engine.training.finetune import FinetuneConfig, finetune
from engine.training.output.run_folder import CHECKPOINTS
from engine.training.output.trained import Trained
from store.format.names import LABELS
from store.format.run_log import shard_seconds
from store.storage import open_storage
from store.storage.atomic_file import write_file

_SPEED, _LABELLED = "speed", "labelled"


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What all steps of an experiment have in common.

    Attributes:
        config: the user's choices.
        settled: what was left open, decided.
        folder: of the experiment.
        rows: that it has.
        identity: hash of the settings.
        tick: told of progress.
    """

    config: CompareConfig
    settled: Settled
    folder: ExperimentFolder
    rows: Rows
    identity: str
    tick: Tick = silent

    def is_done(self, step: Step) -> bool:
        """Whether a step is done."""
        if isinstance(step, Training):
            return has_run(self.folder.runs, step.name)
        if isinstance(step, Labelling):
            return self._labelled_file(step.name).exists() and corpus.has_labels(self.folder.store, step.name)
        return corpus.has_corpus(self.folder.store) if step.name == CORPUS_STEP else self._speed_file.exists()

    def has_model(self, step: Training) -> bool:
        """Whether the model that the training ``step`` made is still there."""
        return any(self._place(step.name, step.seed).glob("*.safetensors"))

    def do(self, step: Step) -> None:
        """Do a step, or go on with what an earlier run has begun of it.

        Raises:
            EngineError: a training or a label run fails.
            StoreError: the store is damaged.
        """
        self.folder.runs.mkdir(exist_ok=True)
        with noted(self.folder.spans, step.name):
            self._do(step)

    def _do(self, step: Step) -> None:
        if isinstance(step, Training):
            self._train(step)
        elif isinstance(step, Labelling):
            self._label(step)
        elif step.name == CORPUS_STEP:
            corpus.make_corpus(self.folder.store, self.folder.data, self.rows, with_gold=self._has_gold, tick=self.tick)
        else:
            self._measure_speeds()

    def run(self, step: Training) -> ArmRun:
        """What the training ``step``, which is done, has measured."""
        return read_run(self.folder.runs, step.name, identity=self.identity)

    def speeds(self) -> dict[str, Speed]:
        """The measured speeds by arm; empty if they are not measured yet.

        Raises:
            TrainingError: their file is damaged.
        """
        return read_note(self._speed_file, read_speeds) if self._speed_file.exists() else {}

    @property
    def _speed_file(self) -> Path:
        return self.folder.runs / f"{_SPEED}.json"

    @property
    def _has_gold(self) -> bool:
        return self.config.loss.gold_weight > 0

    def _place(self, name: str, seed: int | None) -> Path:
        return self.folder.seed(seed or 0) / name

    def _order(self, seed: int) -> npt.NDArray[np.int64]:
        keep = self.config.keep_split
        return gold_order(seed, labels=self.rows.labels, extra=self.rows.extra, keep_split=keep)

    def _train(self, step: Training) -> None:
        trained = self._finetune(step) if step.label_set is None else self._distil(step, step.label_set)
        shutil.rmtree(Path(trained.out) / CHECKPOINTS, ignore_errors=True)
        model = load_classifier(trained.out)
        test = read_gold_rows(self.folder.data / TEST, self.rows.classes)
        limits = EvalConfig(model=trained.out, inputs=(), max_length=self.settled.max_length)
        with limited_threads(best_device(), worker_threads(("cpu",))):  # the same bits, however many processes fit
            answers = answers_of(model, test.texts, limits, self.tick)
        assert model.classes == self.rows.classes, "a model is trained for the classes in their order"
        run = ArmRun(
            arm=step.arm,
            labels=step.labels,
            pool=step.pool,
            seed=step.seed or 0,
            model=trained.start if step.begins_as is None else f"{step.begins_as.arm}{self._layers(step)}",
            parameters=parameters(model.module),
            bytes=sum(file.stat().st_size for file in model.folder.glob("*.safetensors")),
            logits=answers.logits.astype(np.float16),
            steps=trained.steps,
            training_seconds=round(trained.seconds, 3),
            labelling_seconds=self._labelling_seconds(step),
        )
        write_run(self.folder.runs, step.name, run, identity=self.identity)

    def _finetune(self, step: Training) -> Trained:
        seed, recipes = step.seed or 0, self.config
        is_teacher = step.arm == TEACHER
        gold = self._place(f"labelled-{step.labels}.parquet", seed)
        if not gold.exists():
            every = read_gold_rows(self.folder.data / GOLD, self.rows.classes)
            chosen = self._order(seed)[: step.labels]
            ids = [str(row) for row in chosen]  # the user's may be the same in --labelled and --extra
            write_gold(gold, replace(some(every, chosen), ids=ids))
        columns = ColumnNames(text="text", id="id", label="label")
        recipe = recipes.recipe_teacher if is_teacher else recipes.recipe_direct
        config = FinetuneConfig(
            gold=GoldConfig(files=(str(gold),), columns=columns, classes=tuple(self.rows.classes)),
            model=self.config.teacher if is_teacher else self.config.student_start,
            out=str(self._place(step.name, seed)),
            max_length=self.settled.max_length,
            loop=self.settled.loop(recipe, seed),
        )
        trained = finetune(config, tick=self.tick)
        if trained.rows != step.labels:
            raise TrainingError(
                f"{gold} has {step.labels:,} rows, and {trained.rows:,} of them could be learned from; remove it and "
                f"{config.out}, and run the same command again"
            )
        return trained

    def _distil(self, step: Training, label_set: str) -> Trained:
        seed = step.seed or 0
        order = self._order(seed) if self._has_gold else None
        select = corpus.select_rows(
            self.folder.store, f"seed-{seed}-{step.pool}", self.rows, order, seed=seed, pool=step.pool
        )
        config = DistillConfig(
            store=str(self.folder.store),
            student=self._start(step),
            out=str(self._place(step.name, seed)),
            labels=label_set,
            select=select,
            loss=self.config.loss,
            max_length=self.settled.max_length,
            loop=self.settled.loop(self.config.recipe_distilled, seed),
        )
        return train(config, tick=self.tick)

    def _start(self, step: Training) -> str:
        """The initial weights of a student that is distilled."""
        if step.begins_as is None:
            return self.config.student
        return f"{self._place(step.begins_as.name, step.seed)}{self._layers(step)}"

    def _layers(self, step: Training) -> str:
        """Which layers of its teacher a student begins with: of one of its own size all."""
        return self.config.student if step.arm == DISTILLED else ""

    def _label(self, step: Labelling) -> None:
        choices = Choices(
            max_length=self.settled.max_length,
            dtype=self.settled.label_dtype,
            tokens_per_batch=self.settled.label_tokens,
        )
        teacher = str(self._place(step.teacher.name, step.seed))
        summary = label(
            LabelConfig(store=str(self.folder.store), teacher=teacher, name=step.name, choices=choices), tick=self.tick
        )
        seconds = labelling_seconds(self.folder.store, summary)
        write_file(self._labelled_file(step.name), json.dumps({"seconds": seconds, "rows": summary.rows}) + "\n")

    def _labelled_file(self, label_set: str) -> Path:
        return self.folder.runs / f"{_LABELLED}-{label_set}.json"

    def _labelling_seconds(self, step: Training) -> float:
        """Those of the rows that a student learned from."""
        if step.label_set is None:
            return 0.0
        seconds = read_note(self._labelled_file(step.label_set), lambda labelled: float(labelled["seconds"]))
        return round(seconds * step.pool / self.rows.pool, 3)

    def _measure_speeds(self) -> None:
        models = {arm: str(self._place(f"{arm}-0", 0)) for arm in (TEACHER, DISTILLED)}
        test = read_gold_rows(self.folder.data / TEST, self.rows.classes)
        speeds = measure_speeds(models, test.texts, tick=self.tick)
        write_file(self._speed_file, json.dumps({arm: asdict(speed) for arm, speed in speeds.items()}) + "\n")


def labelling_seconds(store: Path, summary: LabelSummary) -> float:
    """Seconds of one device for a whole label set, also if several runs shared it or came one after the other.

    The notes of a run that was killed lack its last shards: those count as long as the others.

    Args:
        store: where.
        summary: of the last run.
    """
    devices = len(set(summary.devices))
    if summary.rows_done == summary.rows:
        return round(summary.seconds * devices, 3)
    noted = shard_seconds(open_storage(str(store)))
    known = [seconds for (family, _), seconds in noted.items() if family == f"{LABELS}/{summary.name}"]
    return round(sum(known) / len(known) * summary.shards, 3) if known else 0.0
