"""The process that `benchmarks.memory.run` watches: a request as JSON on stdin, what it did as JSON on stdout."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import engine

Request = dict[str, Any]


def import_only(_request: Request) -> int:
    """All that labelling and training import."""
    import engine.compute.encoder
    import engine.labelling.label
    import engine.training.finetune  # noqa: F401 - imported for the memory that it takes

    return 0


def load(request: Request) -> int:
    """The model, and nothing else."""
    from engine.models.classifier import load_classifier

    load_classifier(request["model"])
    return 0


def label(request: Request) -> int:
    """Label a file in one process."""
    config = engine.LabelConfig(
        store=str(Path(request["work"]) / "store"),
        teacher=request["model"],
        inputs=(request["file"],),
        choices=engine.Choices(dtype=request["dtype"], max_length=request["max_length"]),
        devices=("cpu",),
    )
    return engine.label(config).rows


def finetune(request: Request) -> int:
    """Fine-tune on a file, for one epoch."""
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(request["file"],)),
        model=request["model"],
        out=str(Path(request["work"]) / "out"),
        max_length=request["max_length"],
        loop=engine.LoopConfig(epochs=1, dtype=request["dtype"]),
    )
    return engine.finetune(config).rows


if __name__ == "__main__":
    given = json.load(sys.stdin)
    started = time.perf_counter()
    rows = {"import": import_only, "load": load, "label": label, "finetune": finetune}[given["what"]](given)
    sys.stdout.write(json.dumps({"rows": rows, "seconds": round(time.perf_counter() - started, 2)}))
