"""The user's choices of an experiment, and what of them decides its figures. Reads nothing."""

from dataclasses import dataclass, field

from engine.comparison.prices import UNKNOWN, Prices
from engine.comparison.results import ARMS
from engine.errors import InputError, TrainingError
from engine.ingest.near_duplicates.index import check_threshold
from engine.inputs.columns import ColumnNames
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.models.loading.chosen_layers import split_layers
from engine.training.tasks.config import DTYPES, LoopConfig
from engine.training.tasks.soft_loss import SoftLoss

MAX_LENGTH = 256
LAYERS = "#layers="
TEST_SHARE = 3
"""Without test files one labelled row in so many is a test row."""
TEACHER = LoopConfig(epochs=5, batch_size=32, learning_rate=5e-5)
DIRECT = LoopConfig(epochs=5, batch_size=32, learning_rate=1e-4)
DISTILLED = LoopConfig(epochs=2, batch_size=64, learning_rate=2e-4)


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """An experiment: what distilling is worth, against training the student on as many labels again.

    Attributes:
        labelled: files of labelled rows.
        extra: files of further labelled rows, which the arm ``direct+extra`` has besides; if empty, those of
            ``labelled`` that are more than ``labels``.
        unlabelled: files of texts for the teacher to label.
        test: files of labelled rows to judge on; if empty, a third of ``labelled``.
        teacher: hub id or path of the teacher's initial weights.
        student: the same of the student's; ``MODEL#layers=1,3,5`` keeps some layers. ``#layers=1,3,5`` are those of
            ``teacher``; a student that is distilled then begins with those of its own teacher, as it was trained.
        out: folder of the experiment: new, or one to go on with.
        seeds: how many draws of all that is random.
        arms: those that are trained, with what they need, such as a teacher; all if empty. The comparison has all that
            are there: an arm may have more seeds than another.
        labels: rows that the arms without the extra ones learn from; if None, as many as ``labelled`` has, or half of
            them if there are no files of extra ones.
        label_sizes: further numbers of labels for the direct arm, nested in one another.
        pool_sizes: further numbers of unlabelled rows for the distilled arm, likewise.
        keep_split: whether every seed has the same labelled rows, the first ``labels`` of the files.
        max_length: tokens a row, of all models; `MAX_LENGTH`, or as many as both models take, if None.
        recipe_teacher: of the teacher's training; seed and dtype are set by the experiment.
        recipe_direct: of the student's on gold labels.
        recipe_distilled: of the student's on soft labels.
        loss: on soft labels; with a gold weight the labelled rows of the seed are learned from, too.
        dtype: of the products of trainings, ``fp32`` or ``bf16``; by the processor if None.
        near: similarity from which a row counts as nearly the same as a test row, as in
            `engine.ingest.near_duplicates`; 0 if only equal texts count. If None, 0.8, or what an experiment
            that goes on was begun with.
        columns: names of the files' columns, as far as the user gave them.
        options: how the files are read.
        classes: class names, in order; those of the labels if None.
        on_bad_row: ``reject`` or ``fail``.
        prices: of devices and labels.
        max_hours: no step is begun after so long; never if None.
        plots: folder for the plots, or its URL; none are made if None.
    """

    labelled: tuple[str, ...]
    extra: tuple[str, ...] = ()
    unlabelled: tuple[str, ...]
    test: tuple[str, ...] = ()
    teacher: str
    student: str
    out: str
    seeds: int = 3
    arms: tuple[str, ...] = ()
    labels: int | None = None
    label_sizes: tuple[int, ...] = ()
    pool_sizes: tuple[int, ...] = ()
    keep_split: bool = False
    max_length: int | None = None
    recipe_teacher: LoopConfig = TEACHER
    recipe_direct: LoopConfig = DIRECT
    recipe_distilled: LoopConfig = DISTILLED
    loss: SoftLoss = field(default_factory=SoftLoss)
    dtype: str | None = None
    near: float | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    classes: tuple[str, ...] | None = None
    on_bad_row: str = "reject"
    prices: Prices = UNKNOWN
    max_hours: float | None = None
    plots: str | None = None

    def __post_init__(self) -> None:
        check_on_bad_row(self.on_bad_row)
        if self.begins_as_teacher and (self.teacher.endswith(".json") or split_layers(self.teacher)[1] is not None):
            what = "a configuration without weights" if self.teacher.endswith(".json") else "some layers itself"
            raise InputError(
                f"--layers {self.student.removeprefix(LAYERS)} are of --teacher, and that is {what} ({self.teacher}): "
                "name the student's weights with --student"
            )
        if self.near:
            check_threshold(self.near)
        sizes = {"--label-count": (self.labels,), "--label-sizes": self.label_sizes, "--pool-sizes": self.pool_sizes}
        for flag, given in {"--seeds": (self.seeds,), **sizes}.items():
            if any(size is not None and size < 1 for size in given):
                raise InputError(f"{flag} is {','.join(map(str, given))}; each number must be at least 1")
        if unknown := [arm for arm in self.arms if arm not in ARMS]:
            raise InputError(f"--arms has {unknown[0]!r}; the arms are {', '.join(ARMS)}")
        if self.max_hours is not None and not self.max_hours > 0:
            raise InputError(f"--max-hours is {self.max_hours:g}; it must be more than 0")
        if self.dtype not in (None, *DTYPES):
            raise TrainingError(f"--dtype is {self.dtype!r}; it is one of {', '.join(DTYPES)}")

    @property
    def begins_as_teacher(self) -> bool:
        """Whether a student that is distilled begins with layers of its teacher."""
        return self.student.startswith(LAYERS)

    @property
    def student_start(self) -> str:
        """The initial weights of a student that learns from gold alone."""
        return f"{self.teacher}{self.student}" if self.begins_as_teacher else self.student
