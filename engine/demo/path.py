"""Generated reviews → gold → teacher → store → SQL → student → the paper's four rows, all measured → a report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import store
from engine.demo.models import Shape, make_model, make_tokenizer
from engine.demo.reviews import CLASSES, ReviewConfig, generate
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.inputs.labels.labelled import GoldConfig
from engine.labelling.label import label
from engine.labelling.planning.config import LabelConfig
from engine.labelling.summary import LabelSummary
from engine.progress import Tick, silent
from engine.report.report import ReportConfig, make_report
from engine.training.distill import DistillConfig, train
from engine.training.finetune import FinetuneConfig, finetune
from engine.training.output.trained import Trained
from engine.training.tasks.config import LoopConfig

TEACHER = Shape(hidden=64, layers=2, heads=2)
STUDENT = Shape(hidden=32, layers=1, heads=2)
DEFAULT_ROWS = 12_000
GOLD_ROWS = 300
TEST_ROWS = 2_000
SAMPLE_ROWS = 500
STUDENT_ROWS = 48_000
OTHER_ROWS = 8_000
PRETRAIN = LoopConfig(epochs=3, batch_size=32, learning_rate=1e-3)
TUNE = LoopConfig(epochs=5, batch_size=16, learning_rate=3e-4)
DIRECT = LoopConfig(epochs=15, batch_size=16, learning_rate=1e-3)
QUERY = "SELECT class, count(*) AS rows, round(avg(confidence), 4) AS confidence FROM labels GROUP BY 1 ORDER BY 1"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row of the table.

    Attributes:
        model: its name, shape and number of parameters.
        procedure: of its training, in words.
        sample_size: rows of its training.
        training_seconds: wall time.
        accuracy: on the test rows.
        rows_per_second: tokenising and computing the test rows.
    """

    model: str
    procedure: str
    sample_size: int
    training_seconds: float
    accuracy: float
    rows_per_second: float


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """The results of the demo.

    Attributes:
        arms: the four rows.
        query: an SQL query of the store.
        answer: to the query.
        label_rows_per_second: of the teacher's label run.
        report: path of the HTML page.
    """

    arms: list[Arm]
    query: str
    answer: pa.Table
    label_rows_per_second: float
    report: Path


def run_demo(folder: Path, *, rows: int = DEFAULT_ROWS, say: Callable[[str], None], tick: Tick = silent) -> DemoResult:
    """Run the whole path in ``folder``.

    Args:
        folder: empty; gold, unlabelled, annotated and test text, models, store and report stay in it.
        rows: unlabelled reviews.
        say: told each stage as it begins.
        tick: told the progress of a stage.
    """
    say(f"generating {rows:,} unlabelled, {2 * GOLD_ROWS:,} labelled and {TEST_ROWS:,} test reviews")
    _write_reviews(folder, rows)
    _write_models(folder)
    teacher = _teach(folder, say, tick)
    location = str(folder / "reviews.store")
    labels = _label(folder, location, teacher, rows, say, tick)
    answer = store.open(location).sql(QUERY)
    say(f"adding a round of gold: {SAMPLE_ROWS} of these reviews at random, as annotators would send them back")
    add_gold(GoldRoundConfig(store=location, inputs=(str(folder / "annotated.parquet"),)), tick=tick)
    say("distilling the student from the store")
    student = _distil(folder, location, rows, tick)
    say("fine-tuning the same student directly, on as many labels and on twice as many")
    direct = _finetune(folder, "direct", start="start-student", files=("gold",), loop=DIRECT, tick=tick)
    double = _finetune(
        folder, "direct-double", start="start-student", files=("gold", "gold-extra"), loop=DIRECT, tick=tick
    )
    say("making the report")
    runs = tuple(run.out for run in (teacher, student, direct, double))
    page = make_report(ReportConfig(store=location, out=str(folder / "report.html"), runs=runs), tick=tick)
    return DemoResult(
        arms=[
            _arm("teacher", TEACHER, f"{OTHER_ROWS:,} hotel reviews, then gold", teacher),
            _arm("student", STUDENT, "distilled from the teacher", student),
            _arm("student", STUDENT, "fine-tuned on gold", direct),
            _arm("student", STUDENT, "fine-tuned on twice the gold", double),
        ],
        query=QUERY,
        answer=answer,
        label_rows_per_second=labels.rows_per_second or 0.0,
        report=Path(page.out),
    )


def _write_reviews(folder: Path, rows: int) -> None:
    sizes = {"gold": GOLD_ROWS, "gold-extra": GOLD_ROWS, "test": TEST_ROWS}
    for seed, (name, size) in enumerate(sizes.items()):
        pq.write_table(generate(ReviewConfig(rows=size, seed=seed)), folder / f"{name}.parquet")
    other = ReviewConfig(rows=OTHER_ROWS, seed=len(sizes) + 1, domain="hotel")
    pq.write_table(generate(other), folder / "other.parquet")
    unlabelled = generate(ReviewConfig(rows=rows, seed=len(sizes)))
    pq.write_table(unlabelled.drop_columns(["label"]), folder / "unlabelled.parquet")
    sample = np.random.default_rng(0).choice(rows, min(SAMPLE_ROWS, rows), replace=False)
    pq.write_table(unlabelled.select(["id", "label"]).take(np.sort(sample)), folder / "annotated.parquet")


def _write_models(folder: Path) -> None:
    files = [folder / "unlabelled.parquet", folder / "other.parquet"]
    texts = [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]
    tokenizer = make_tokenizer(texts, vocab_size=2_000, positions=TEACHER.positions)
    make_model(folder / "start-teacher", tokenizer, TEACHER, classes=CLASSES)
    make_model(folder / "start-student", tokenizer, STUDENT, classes=CLASSES)


def _teach(folder: Path, say: Callable[[str], None], tick: Tick) -> Trained:
    """The teacher: a stand-in for a pretrained model, fine-tuned on gold."""
    say(f"making a stand-in for a pretrained model: it learns from {OTHER_ROWS:,} labelled reviews of hotels")
    _finetune(folder, "pretrained", start="start-teacher", files=("other",), loop=PRETRAIN, tick=tick)
    say(f"fine-tuning the teacher on {GOLD_ROWS:,} labels")
    return _finetune(folder, "teacher", start="pretrained", files=("gold",), loop=TUNE, tick=tick)


def _label(
    folder: Path, location: str, teacher: Trained, rows: int, say: Callable[[str], None], tick: Tick
) -> LabelSummary:
    say(f"labelling {rows:,} reviews into {location}")
    inputs = (str(folder / "unlabelled.parquet"),)
    return label(LabelConfig(store=location, teacher=teacher.out, inputs=inputs, shards=4), tick=tick)


def _distil(folder: Path, location: str, rows: int, tick: Tick) -> Trained:
    config = DistillConfig(
        store=location,
        student=str(folder / "start-student"),
        out=str(folder / "student"),
        loop=LoopConfig(epochs=max(4, STUDENT_ROWS // rows), batch_size=64, learning_rate=2e-3),
        evaluation=(str(folder / "test.parquet"),),
    )
    return train(config, tick=tick)


def _finetune(folder: Path, name: str, *, start: str, files: tuple[str, ...], loop: LoopConfig, tick: Tick) -> Trained:
    config = FinetuneConfig(
        gold=GoldConfig(files=tuple(str(folder / f"{file}.parquet") for file in files)),
        model=str(folder / start),
        out=str(folder / name),
        loop=loop,
        evaluation=(str(folder / "test.parquet"),) if files[0] == "gold" else (),
    )
    return finetune(config, tick=tick)


def _arm(name: str, shape: Shape, procedure: str, trained: Trained) -> Arm:
    evaluation = trained.evaluation
    assert evaluation is not None, "every arm is evaluated"
    return Arm(
        model=f"{name} ({shape.layers} × {shape.hidden}, {evaluation.parameters / 1e6:.2f}M)",
        procedure=procedure,
        sample_size=trained.rows,
        training_seconds=round(trained.seconds, 1),
        accuracy=evaluation.accuracy,
        rows_per_second=evaluation.rows_per_second,
    )
