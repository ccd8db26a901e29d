"""How fast does a student learn from the store on a GPU, and how much faster than with transformers.Trainer?

The part ``train`` of `benchmarks.gpu.run`: one epoch of `engine.train` over the store that the part ``label`` has made,
from its stored tokens and logits, by a student of BERT-small's shape; and Trainer on a sample of the same token ids.
"""

import shutil
from typing import Any

import numpy as np

import engine
import store
from benchmarks.gpu.setup import Setup
from benchmarks.harness.made_models import SHAPES, make_teacher, read_tokenizer
from benchmarks.labelling.peers.peer import is_installed
from benchmarks.labelling.relabelling import NAME, stored_lengths
from engine.models.initialize import load_start

BATCH_SIZE = 256
_PASSES = 3  # forward, and backward for inputs and for weights


def train(setup: Setup, done: dict[str, Any]) -> dict[str, Any]:
    """An epoch over all rows, and Trainer on a sample."""
    shape = SHAPES["bert-small" if setup.on_gpu else "tiny"]
    student, place = setup.work / "student", setup.work / f"{setup.shape}-{setup.rows}.store"
    if not student.exists():
        make_teacher(student, shape, read_tokenizer(str(setup.teacher)))
    if not place.exists() or NAME not in store.open(place).label_sets():
        setup.label(setup.rows)
    batch_size = BATCH_SIZE if setup.on_gpu else 8
    out = setup.work / "trained"
    shutil.rmtree(out, ignore_errors=True)
    config = engine.DistillConfig(
        store=str(place),
        student=str(student),
        out=str(out),
        loop=engine.LoopConfig(epochs=1, batch_size=batch_size, learning_rate=2e-4),
    )
    trained = engine.train(config)
    lengths = stored_lengths(place).astype(float)
    operations = _PASSES * shape.flops(lengths.mean(), (lengths**2).mean()) * trained.rows
    tflops = operations / trained.seconds / 1e12
    ceiling = done.get("ceilings", {}).get(setup.dtype)
    return {
        "rows": trained.rows,
        "batch_size": batch_size,
        "seconds": trained.seconds,
        "rows_per_second": round(trained.rows_per_second, 1),
        "tokens_per_second": round(lengths.sum() / trained.seconds, 1),
        "waiting": round(trained.waiting, 5),
        "model_tflops": round(tflops, 4),
        **({} if ceiling is None else {"mfu": round(tflops / ceiling["square"], 4)}),
        **_trainer(setup, str(student), batch_size, trained.rows_per_second),
    }


def _trainer(setup: Setup, student: str, batch_size: int, ours: float) -> dict[str, Any]:
    """Trainer in bfloat16, with its default padding and grouped by length, on the sample's first rows."""
    if not is_installed("accelerate"):
        return {"trainer": "left out: accelerate is not installed"}
    from benchmarks.training.trainer_peer import train_with_trainer

    place = setup.work / f"{setup.shape}-{setup.rows}.store"
    rows = _rows(place, setup.sample)
    loop = engine.LoopConfig(epochs=1, batch_size=batch_size, learning_rate=2e-4)
    figures = {}
    for sampling in ("random", "group_by_length"):
        model = load_start(student, classes=store.open(place).header.classes)
        seconds = train_with_trainer(model, rows, setup.work / "trainer", loop, sampling=sampling)
        speed = len(rows) / seconds
        figures[sampling] = {"rows_per_second": round(speed, 1), "times_as_fast": round(ours / speed, 2)}
    return {"trainer_rows": len(rows), "trainer": figures}


def _rows(place: Any, count: int) -> list[dict[str, Any]]:
    """Token ids and predictions of the first rows of the store's order."""
    made = store.open(place)
    stream = made.stream(labels=NAME, columns=("prediction",), encoding=made.encodings()[0], batch_size=count)
    batch = next(iter(stream))
    ids = np.split(batch["input_ids"].astype(int), batch["offsets"][1:-1])
    return [
        {"input_ids": row.tolist(), "label": int(label)} for row, label in zip(ids, batch["prediction"], strict=True)
    ]
