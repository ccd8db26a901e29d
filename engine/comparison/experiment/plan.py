"""Sizes and seeds → the steps of an experiment, in their order, and which of them each one needs. Pure.

A step is the training of one model, with its logits of the test rows; or a teacher's labels of the pool; or to measure
speed. Steps of a seed come before those of the next one: a table can be made after each.
"""

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.comparison.results import DIRECT, DIRECT_EXTRA, DISTILLED, SELF_DISTILLED, TEACHER
from engine.errors import InputError

CORPUS_STEP, SPEED_STEP = "corpus", "speed"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many rows the arms have.

    Attributes:
        labels: gold rows of the arms with few labels.
        extra: further ones of the arm that has them.
        pool: unlabelled rows.
        label_sizes: further numbers of gold rows, for the direct arm.
        pool_sizes: further numbers of unlabelled rows, for the distilled arm.

    Raises:
        InputError: there are not as many rows.
    """

    labels: int
    extra: int
    pool: int
    label_sizes: tuple[int, ...] = ()
    pool_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        gold = self.labels + self.extra
        for flag, sizes, most, what in (
            ("--label-sizes", self.label_sizes, gold, "labelled"),
            ("--pool-sizes", self.pool_sizes, self.pool, "unlabelled"),
        ):
            if sizes and max(sizes) > most:
                raise InputError(f"{flag} has {max(sizes):,}, and there are {most:,} {what} rows beside the test")


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something to do, once.

    Attributes:
        name: of the step, by which others need it.
        seed: that it is done for; None if for all.
        needs: names of the steps that must be done before.
    """

    name: str
    seed: int | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Training(Step):
    """The training of one model.

    Attributes:
        arm: as in `engine.comparison.results.ArmRun`.
        labels: gold rows that it, or its teacher, learns from.
        pool: unlabelled rows; 0 for an arm of gold alone.
        label_set: that it learns from, and the step that makes it; None for an arm of gold alone.
        begins_as: the training of its teacher, if it begins with layers of that.
    """

    arm: str
    labels: int
    pool: int = 0
    label_set: str | None = None
    begins_as: "Training | None" = None


@dataclass(frozen=True, kw_only=True)
class Labelling(Step):
    """The labels of one model for the pool; the step is called as the label set.

    Attributes:
        teacher: the training of the model.
    """

    teacher: Training


def plan(sizes: Sizes, *, seeds: int, as_teacher: bool = False) -> list[Step]:
    """All steps of an experiment; ``as_teacher`` if students that are distilled begin with layers of their teachers."""
    steps: list[Step] = [Step(name=CORPUS_STEP)]
    for seed in range(seeds):
        steps += _of_seed(sizes, seed, as_teacher=as_teacher)
        if seed == 0:
            models = (f"{TEACHER}-0", f"{DISTILLED}-0")
            steps.append(Step(name=SPEED_STEP, seed=seed, needs=models))
    return steps


def of_arms(steps: Sequence[Step], arms: Collection[str]) -> list[Step]:
    """Those of ``steps`` that train some arms, what they need, and the speed of models that are among them.

    Args:
        steps: of `plan`; each comes behind those that it needs.
        arms: as in `engine.comparison.results.ArmRun`.

    Raises:
        InputError: an arm has no step.
    """
    lacking = [arm for arm in arms if not any(isinstance(step, Training) and step.arm == arm for step in steps)]
    if lacking:
        raise InputError(f"--arms has {lacking[0]}, and there are no extra labelled rows to train it on")
    needed: set[str] = set()
    for step in reversed(steps):
        if step.name in needed or (isinstance(step, Training) and step.arm in arms):
            needed |= {step.name, *step.needs}
    return [step for step in steps if step.name in needed or (step.name == SPEED_STEP and {*step.needs} <= needed)]


def _of_seed(sizes: Sizes, seed: int, *, as_teacher: bool) -> Iterator[Step]:
    on_pool = functools.partial(_on_pool, sizes=sizes, as_teacher=as_teacher)
    teacher = _on_gold(TEACHER, sizes.labels, seed)
    direct = _on_gold(DIRECT, sizes.labels, seed)
    labels, own_labels = _labels(f"seed-{seed}", teacher), _labels(f"seed-{seed}-self", direct)
    yield from (teacher, labels, on_pool(DISTILLED, labels), direct)
    if sizes.extra:
        yield _on_gold(DIRECT_EXTRA, sizes.labels + sizes.extra, seed)
    yield from (own_labels, on_pool(SELF_DISTILLED, own_labels))
    for size in sorted({*sizes.label_sizes} - {sizes.labels, sizes.labels + sizes.extra}):
        yield _on_gold(DIRECT, size, seed, suffix=f"-{size}")
    for size in sorted({*sizes.pool_sizes} - {sizes.pool}):
        yield on_pool(DISTILLED, labels, pool=size, suffix=f"-{size}")


def _on_gold(arm: str, labels: int, seed: int, *, suffix: str = "") -> Training:
    return Training(name=f"{arm}{suffix}-{seed}", seed=seed, arm=arm, labels=labels)


def _labels(name: str, teacher: Training) -> Labelling:
    return Labelling(name=name, seed=teacher.seed, needs=(CORPUS_STEP, teacher.name), teacher=teacher)


def _on_pool(
    arm: str, labels: Labelling, *, sizes: Sizes, as_teacher: bool, pool: int | None = None, suffix: str = ""
) -> Training:
    begins_as = labels.teacher if as_teacher else None
    return Training(
        name=f"{arm}{suffix}-{labels.seed}",
        seed=labels.seed,
        needs=(labels.name,) if begins_as is None else (labels.name, begins_as.name),
        begins_as=begins_as,
        arm=arm,
        labels=sizes.labels,
        pool=sizes.pool if pool is None else pool,
        label_set=labels.name,
    )
