"""Changes of a recipe, each of which trains a model of a finished `engine compare` anew."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.comparison.experiment.choices import DIRECT, DISTILLED
from engine.comparison.experiment.data.rows import Rows
from engine.inputs.labels.labelled import GoldConfig
from engine.training.distill import DistillConfig, train
from engine.training.finetune import FinetuneConfig, finetune
from engine.training.tasks.soft_loss import SoftLoss


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What the levers start from.

    Attributes:
        folder: of the experiment.
        work: where the levers' models and logits go.
        rows: of the experiment.
        settings: with which it was begun.
        other: initial weights of as large a student, from elsewhere; for the levers that begin with them.
    """

    folder: Path
    work: Path
    rows: Rows
    settings: dict[str, Any]
    other: str | None = None

    @property
    def length(self) -> int:
        """Tokens a row."""
        return int(self.settings["max_length"])

    @property
    def student(self) -> str:
        """Its initial weights."""
        return str(json.loads((self.folder / "runs" / "distilled-0.json").read_text("utf-8"))["model"])

    def possible_levers(self) -> list[str]:
        """All that need no other start, or all."""
        return [name for name in LEVERS if self.other is not None or name not in NEED_OTHER]

    def problem(self, levers: list[str], *, seeds: int) -> str | None:
        """Why these cannot be trained, if they cannot."""
        if unknown := sorted({*levers} - {*LEVERS}):
            return f"there is no lever {unknown[0]!r}; there are {', '.join(LEVERS)}"
        from_teacher = next((lever for lever in levers if lever.startswith("from-teacher")), None)
        if from_teacher and "#" not in self.student:
            return f"{from_teacher} needs an experiment whose student is some layers; that is {self.student}"
        if self.other is None and (lacking := NEED_OTHER.intersection(levers)):
            return f"{min(lacking)} needs --other-start"
        if not all((self.folder / "runs" / f"{arm}-{seeds - 1}.json").exists() for arm in ("distilled", "direct")):
            return f"the experiment has not as many as {seeds} seeds; lower --seeds"
        for name, loop in (("distilled", DISTILLED), ("direct", DIRECT)):
            for key, value in asdict(loop).items():
                if key != "seed" and self.settings.get(f"{name}.{key}") != value:
                    return f"the experiment has another recipe: its {name}.{key} is not {value}"
        if any(self.settings[f"loss.{key}"] != value for key, value in asdict(SoftLoss()).items()):
            return "the experiment has another loss"
        return None

    def distil(self, seed: int, **changes: Any) -> DistillConfig:
        """The training of the experiment's distilled student, with changes."""
        loop = replace(DISTILLED, seed=seed, dtype=self.settings["dtype"])
        given = {
            "store": str(self.folder / "pool.store"),
            "student": self.student,
            "labels": f"seed-{seed}",
            "max_length": self.length,
            "loop": loop,
        }
        return DistillConfig(**{**given, **changes})

    def direct(self, seed: int, **changes: Any) -> FinetuneConfig:
        """The training of the experiment's student on gold alone, with changes."""
        file = self.folder / f"seed-{seed}" / f"labelled-{self.rows.labels}.parquet"
        given = {
            "gold": GoldConfig(files=(str(file),), classes=tuple(self.rows.classes)),
            "model": self.student,
            "max_length": self.length,
            "loop": replace(DIRECT, seed=seed, dtype=self.settings["dtype"]),
        }
        return FinetuneConfig(**{**given, **changes})


Make = Callable[[Experiment, int, Path], int]
"""Trains the model of a seed in a folder, and says how many tokens a row it takes."""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One change.

    Attributes:
        what: it is, in words.
        base: the arm of the experiment that it changes.
        make: trains.
    """

    what: str
    base: str
    make: Make


def _distilled(what: str, change: Callable[[Experiment, DistillConfig], DistillConfig]) -> Lever:
    def make(experiment: Experiment, seed: int, out: Path) -> int:
        train(change(experiment, experiment.distil(seed, out=str(out))))
        return experiment.length

    return Lever(what=what, base="distilled", make=make)


def _gold_last(experiment: Experiment, seed: int, out: Path) -> int:
    distilled = experiment.folder / f"seed-{seed}" / f"distilled-{seed}"
    direct = experiment.direct(seed, out=str(out), model=str(distilled))
    finetune(replace(direct, loop=replace(direct.loop, epochs=2, learning_rate=2e-5)))
    return experiment.length


def _length(tokens: int) -> Lever:
    def make(experiment: Experiment, seed: int, out: Path) -> int:
        finetune(experiment.direct(seed, out=str(out), max_length=tokens))
        return tokens

    return Lever(what=f"at most {tokens} tokens a row, trained and judged", base="direct", make=make)


def _other_start(experiment: Experiment, seed: int, out: Path) -> int:
    train(experiment.distil(seed, out=str(out), student=experiment.other))
    return experiment.length


def _other_start_on_gold(experiment: Experiment, seed: int, out: Path) -> int:
    finetune(experiment.direct(seed, out=str(out), model=experiment.other))
    return experiment.length


def _from_teacher(experiment: Experiment, config: DistillConfig) -> DistillConfig:
    seed, (_, sign, layers) = config.loop.seed, experiment.student.partition("#")
    return replace(config, student=f"{experiment.folder / f'seed-{seed}' / f'teacher-{seed}'}{sign}{layers}")


def _mean_of_teachers(experiment: Experiment, config: DistillConfig) -> DistillConfig:
    sets = (experiment.folder / "pool.store" / "labels").iterdir()
    teachers = sorted(place.name for place in sets if not place.name.endswith("-self"))
    return replace(config, labels=tuple(teachers))


def _epochs(number: int) -> Callable[[Experiment, DistillConfig], DistillConfig]:
    return lambda _, config: replace(config, loop=replace(config.loop, epochs=number))


def _rate(learning_rate: float) -> Callable[[Experiment, DistillConfig], DistillConfig]:
    return lambda _, config: replace(config, loop=replace(config.loop, learning_rate=learning_rate))


LEVERS = {
    "length-128": _length(128),
    "length-512": _length(512),
    "gold-last": Lever(what="two more epochs on the gold labels alone, at 2e-5", base="distilled", make=_gold_last),
    "other-start": Lever(
        what="begins as paraphrase-MiniLM-L3, which was pretrained with three layers",
        base="distilled",
        make=_other_start,
    ),
    "other-start-direct": Lever(what="the same, on gold labels", base="direct", make=_other_start_on_gold),
    "from-teacher": _distilled("begins with the same layers of its own teacher, as that was trained", _from_teacher),
    "from-teacher-epochs-4": _distilled(
        "the same, and 4 epochs in place of 2",
        lambda experiment, config: _epochs(4)(experiment, _from_teacher(experiment, config)),
    ),
    "mean-of-teachers": _distilled("learns from the mean of the teachers of all seeds", _mean_of_teachers),
    "epochs-4": _distilled("4 epochs in place of 2", _epochs(4)),
    "epochs-8": _distilled("8 epochs in place of 2", _epochs(8)),
    "rate-4e-4": _distilled("a learning rate of 4e-4 in place of 2e-4", _rate(4e-4)),
    "mse": _distilled(
        "squared differences of centred logits in place of KL",
        lambda _, config: replace(config, loss=SoftLoss(kind="mse")),
    ),
    "confident": _distilled(
        "rows weigh as much as their teacher is sure of them", lambda _, config: replace(config, weight="confidence")
    ),
}
NEED_OTHER = frozenset({"other-start", "other-start-direct"})
"""Those that begin with `Experiment.other`."""
