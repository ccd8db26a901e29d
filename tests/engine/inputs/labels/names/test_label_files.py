"""Small JSON files beside a data set that name its labels."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.options import ReadOptions
from store.format.shard import read_shard
from store.storage import MemoryStorage

CLASSES = ("negative", "positive")
BY_NUMBER = {"0": "positive", "1": "negative"}
BY_NAME = {"negative": 1, "positive": 0}


def write(folder: Path, name: str, content: Any, labels: tuple[object, ...] = (0, 1, 1)) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    rows = [{"id": f"r{n}", "text": f"text {n}", "label": label} for n, label in enumerate(labels)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def gold(files: str, **options: object) -> list[str]:
    found = read_gold(GoldConfig(files=(files,), classes=CLASSES, options=ReadOptions(**options)))
    return [CLASSES[label] for label in found.labels]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("id2label.json", BY_NUMBER),
        ("label2id.json", BY_NAME),
        ("label_map.json", BY_NAME),
        ("label_map.json", BY_NUMBER),
        ("labels_map.json", {"id2label": BY_NUMBER, "label2id": BY_NAME}),
        ("label_mapping.json", {"label2id": BY_NAME}),
        ("id2label.json", ["positive", "negative"]),
    ],
)
def test_the_names_of_the_file_are_those_of_the_labels_at_every_door(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: Any
) -> None:
    folder = write(tmp_path / "ds", name, content)
    assert expand([folder]) == [f"{folder}/train.jsonl"]
    caplog.set_level(logging.INFO)
    assert gold(folder) == gold(f"{folder}/train.jsonl") == ["positive", "negative", "negative"]
    said = f"{folder}/train.jsonl: {folder}/{name} names its labels: 0 is positive, 1 is negative"
    assert said in caplog.messages
    made = ingest(MemoryStorage(), IngestConfig(files=(folder,)), known=CLASSES)
    assert read_shard(made.corpus, made.corpus.record(0))["label"].to_pylist() == [1, 0, 0]
    store = ingest(MemoryStorage(), IngestConfig(files=(folder,), columns=ColumnNames(label=NO_COLUMN)), known=CLASSES)
    add_gold(GoldRoundConfig(store=store.storage, inputs=(folder,)))
    rows = store.sql("SELECT class FROM gold ORDER BY row").to_pylist()
    assert [row["class"] for row in rows] == ["positive", "negative", "negative"]


def test_a_map_of_the_user_wins(tmp_path: Path) -> None:
    folder = write(tmp_path / "ds", "id2label.json", BY_NUMBER)
    assert gold(folder, label_map=(("0", "negative"), ("1", "positive"))) == ["negative", "positive", "positive"]


def test_names_in_the_label_column_stay(tmp_path: Path) -> None:
    assert gold(write(tmp_path / "ds", "id2label.json", BY_NUMBER, CLASSES)) == [*CLASSES]


@pytest.mark.parametrize("content", [{}, [], 5, {"cat": {"id": 1}}, {"neg": "negative"}, {"0": "1", "1": "0"}])
def test_other_contents_say_nothing(tmp_path: Path, content: Any) -> None:
    assert gold(write(tmp_path / "ds", "label_map.json", content)) == ["negative", "positive", "positive"]


@pytest.mark.parametrize("content", ["{", {"1": "negative", "2": "positive"}])
def test_a_file_that_cannot_be_used_is_refused_until_the_user_says_what_labels_are(
    tmp_path: Path, content: Any
) -> None:
    folder = write(tmp_path / "ds", "id2label.json", content)
    with pytest.raises(InputError, match=r"id2label\.json cannot be read: .* Mend it, or take it away"):
        gold(folder)
    assert gold(folder, label_map=(("0", "negative"), ("1", "positive"))) == ["negative", "positive", "positive"]
