"""A few texts and a classifier → the files, stores and models of which mistakes are made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

import engine
from engine.training.output.run_folder import RunFolder

ROWS = 40
LABELS = "labels"
TEXTS, GOLD, ODD, EMPTY, REVIEWS = "texts.parquet", "gold.csv", "odd.csv", "empty.csv", "reviews.store"
HEADLESS, OTHER, LOCKED, BEGUN = "headless", "other", "locked", "begun"
_WEIGHTS = "model.safetensors"


def made_files(folder: Path, model: str, texts: list[str]) -> None:
    """Make them in ``folder``.

    Args:
        folder: is there.
        model: folder of a classifier of two classes, whose weights are one file.
        texts: of all files with rows.
    """
    pq.write_table(pa.table({"text": texts}), folder / TEXTS)
    labels = [str(number % 2) for number in range(len(texts))]
    pyarrow.csv.write_csv(pa.table({"text": texts, "label": labels}), folder / GOLD)
    odd = ["good" if number % 2 else "bad" for number in range(len(texts))]
    pyarrow.csv.write_csv(pa.table({"text": texts, "label": odd}), folder / ODD)
    (folder / EMPTY).write_text("id,text\n", encoding="utf-8")
    engine.label(
        engine.LabelConfig(store=str(folder / REVIEWS), teacher=model, inputs=(str(folder / GOLD),), name=LABELS)
    )
    _made_models(folder, model)
    (folder / BEGUN).mkdir()
    RunFolder(str(folder / BEGUN)).begin({"loop.epochs": 99})


def _made_models(folder: Path, model: str) -> None:
    """The classifier without its head, with other weights, and where no temperature can be written."""
    for name in (HEADLESS, OTHER, LOCKED):
        shutil.copytree(model, folder / name)
    (folder / LOCKED / "calibration.json").mkdir()
    weights = load_file(folder / OTHER / _WEIGHTS)
    head = {name for name in weights if "classifier" in name}
    assert head, f"{model} has no weights of a classifier"
    save_file({name: tensor for name, tensor in weights.items() if name not in head}, folder / HEADLESS / _WEIGHTS)
    save_file({name: tensor * np.float32(0.5) for name, tensor in weights.items()}, folder / OTHER / _WEIGHTS)
    config = json.loads((folder / HEADLESS / "config.json").read_text("utf-8"))
    config["architectures"] = [config["architectures"][0].replace("ForSequenceClassification", "ForMaskedLM")]
    (folder / HEADLESS / "config.json").write_text(json.dumps(config), encoding="utf-8")
