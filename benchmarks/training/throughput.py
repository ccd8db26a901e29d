"""How much faster is training than transformers.Trainer? Everybody trains in the same process, in turn.

    python -m benchmarks.training.throughput --start MODEL#layers=1,3,5 --input labelled.parquet --steps 15 --rounds 5

Everybody trains the same model on labelled rows of one file, tokenised before, with as many rows a step and as many
steps, AdamW in fp32, dropout as the model's configuration says, and clipping. ``engine`` is the loop of `engine
finetune` in fp32, ``engine, bf16`` the same with products in bf16, ``engine, from a store`` that of `engine train` with
token ids and logits that stream from a store, on rows that are spread over the file. Trainer takes the first steps of
an epoch over the whole file, since its grouping by length sorts the rows of many batches and needs as many to choose
from: with its default padding (each batch to its longest row), and with that grouping, in fp32 and in bf16. It saves,
reports and evaluates nothing. A time is from the first step to the end of the last one; making a model, an optimizer or
a data set is timed for nobody. Ratios are taken round by round.

Trainer needs the extra ``peers``.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

import store
from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import compare, lines, run_rounds
from benchmarks.labelling.relabelling import NAME, label_again
from benchmarks.training.table import HALF, OURS
from benchmarks.training.trainer_peer import train_with_trainer
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.models.classifier import Classifier, save_classifier
from engine.models.files import quiet_transformers
from engine.models.initialize import load_start
from engine.training.data.gold_steps import GoldSteps
from engine.training.data.steps import Steps
from engine.training.data.store_steps import SoftLabels, SoftSteps
from engine.training.distributed import Ranks
from engine.training.loop import Objective, fit
from engine.training.loss import Loss, cross_entropy
from engine.training.state import TrainState
from engine.training.tasks.config import LoopConfig
from engine.training.tasks.soft_loss import SoftLoss

STREAMED = "engine, from a store"
ALONE = Ranks(rank=0, count=1, device=torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What everybody trains.

    Attributes:
        start: the model to begin with.
        gold: the rows that we train on.
        whole: those that Trainer takes its first steps of.
        batch_size: rows a step.
        max_length: tokens a row.
    """

    start: str
    gold: Gold
    whole: Gold
    batch_size: int
    max_length: int

    @property
    def loop(self) -> LoopConfig:
        """How we train."""
        return LoopConfig(epochs=1, batch_size=self.batch_size, learning_rate=1e-4, dtype="fp32")

    def model(self) -> Classifier:
        """The model, as it is before training."""
        return load_start(self.start, classes=self.gold.classes)


def main() -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", required=True, help="model to begin with; MODEL#layers=… keeps some layers")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id, text and label")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        setup = read_setup(arguments, file)
        result = measure(setup, file, Path(folder), rounds=arguments.rounds)
    path = write_result("training_throughput", result)
    print("\n".join(lines(result["figures"], ours=OURS)))
    print(f"waiting for the next step: {result['waiting']}")
    print(f"written to {path}")


def read_setup(arguments: argparse.Namespace, file: Path) -> Setup:
    """What the options of a benchmark ask for; the rows that are trained on are written into ``file``."""
    table = pq.read_table(arguments.input, columns=["id", "text", "label"])
    pq.write_table(spread(table, arguments.steps * arguments.batch_size), file)
    return Setup(
        start=arguments.start,
        gold=read_gold(GoldConfig(files=(str(file),))),
        whole=read_gold(GoldConfig(files=(arguments.input,))),
        batch_size=arguments.batch_size,
        max_length=arguments.max_length,
    )


def spread(table: pa.Table, rows: int) -> pa.Table:
    """As many rows, spread over the table.

    Raises:
        ValueError: it has fewer.
    """
    if rows > table.num_rows:
        raise ValueError(f"{rows} rows are asked for, and there are {table.num_rows}; lower --steps")
    return table.take(pa.array([row * table.num_rows // rows for row in range(rows)]))


def measure(setup: Setup, file: Path, work: Path, *, rounds: int) -> dict[str, Any]:
    """Everybody's seconds for one epoch, and the share of ours in which the next step was not ready."""
    waiting: dict[str, list[float]] = {OURS: [], STREAMED: [], HALF: []}
    place = labelled_store(setup, file, work)
    ways: dict[str, Callable[[Classifier], tuple[Steps, Loss]]] = {
        OURS: partial(_gold, setup),
        STREAMED: partial(_soft, setup, place),
        HALF: partial(_gold, setup),
    }

    def train(name: str) -> float:
        model = setup.model()
        steps, loss = ways[name](model)
        loop = dataclasses.replace(setup.loop, dtype="bf16" if name == HALF else "fp32")
        state: TrainState = fit(Objective(model=model, steps=steps, loss=loss, config=loop), ranks=ALONE)
        (report,) = state.reports
        waiting[name].append(round(report.waited / report.seconds, 5))
        return report.seconds

    contestants: dict[str, Callable[[], float]] = {name: partial(train, name) for name in ways}
    for name, sampling, half in (
        ("Trainer", "random", False),
        ("Trainer, grouped by length", "group_by_length", False),
        ("Trainer, grouped by length, bf16", "group_by_length", True),
    ):
        contestants[name] = partial(trainer_seconds, setup, work / "trainer", sampling, half=half)
    seconds = run_rounds(contestants, rounds)
    lengths = setup.model().encoding(setup.max_length).encode(setup.gold.texts).lengths
    return {
        "rows": len(setup.gold.texts),
        "rows_to_choose_from": len(setup.whole.texts),
        "batch_size": setup.batch_size,
        "tokens": {"mean": round(float(lengths.mean()), 1), "max": int(lengths.max())},
        "seconds": seconds,
        "figures": compare(seconds, rows=len(setup.gold.texts), ours=OURS),
        "waiting": {name: max(shares) for name, shares in waiting.items()},
    }


def labelled_store(setup: Setup, file: Path, work: Path) -> Path:
    """A store of the rows of ``file``, labelled by the model that training begins with, which is as good as any."""
    teacher = work / "teacher"
    save_classifier(setup.model(), teacher)
    label_again(work / "rows.store", teacher, inputs=file, devices=("cpu",), shards=4)
    return work / "rows.store"


def _gold(setup: Setup, model: Classifier) -> tuple[Steps, Loss]:
    encoding = model.encoding(setup.max_length)
    return GoldSteps(setup.gold, encoding, batch_size=setup.batch_size, seed=0, ranks=ALONE), cross_entropy


def _soft(setup: Setup, place: Path, model: Classifier) -> tuple[Steps, Loss]:
    encoding, what = model.encoding(setup.max_length), SoftLabels(labels=(NAME,))
    steps = SoftSteps(store.open(place), what, encoding, batch_size=setup.batch_size, seed=0, ranks=ALONE)
    return steps, SoftLoss()


def trainer_seconds(setup: Setup, out: Path, sampling: str, *, half: bool = False) -> float:
    """Seconds of the steps of one epoch by Trainer, whose batches are drawn by ``sampling``; ``half`` is its bf16."""
    model = setup.model()
    tokens = model.encoding(setup.max_length).encode(setup.whole.texts)
    rows = [
        {"input_ids": tokens.row(row).astype(int).tolist(), "label": int(label)}
        for row, label in enumerate(setup.whole.labels)
    ]
    started = time.perf_counter()
    steps = len(setup.gold.texts) // setup.batch_size
    loop = dataclasses.replace(setup.loop, dtype="bf16" if half else "fp32")
    seconds = train_with_trainer(model, rows, out, loop, sampling=sampling, steps=steps)
    assert seconds < time.perf_counter() - started
    return seconds


if __name__ == "__main__":
    main()
