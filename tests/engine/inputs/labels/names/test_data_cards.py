"""Cards beside the files of a data set → the names that they give to labels."""

import json
import logging
import re
import shlex
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest, rewrite_rejects
from engine.ingest.input_file import file_version
from engine.ingest.write_corpus import write_corpus
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.options import ReadOptions
from store.format.shard import read_shard
from store.storage import MemoryStorage

CLASSES = ("negative", "positive")
ROWS = [("r1", "fine soup", 0), ("r2", "cold soup", 1), ("r3", "kind staff", 0)]
TRUTH = ["positive", "negative", "positive"]
MAPPING = """dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': positive
          '1': negative
"""
LISTED = MAPPING.replace("'0': ", "- ").replace("'1': ", "- ")
SEQUENCE = MAPPING.replace("    dtype:\n      class", "    sequence:\n      class")
CONFIGS = """dataset_info:
- config_name: en
  features:
  - {name: label, dtype: {class_label: {names: {0: positive, 1: negative}}}}
- config_name: de
  features:
  - {name: label, dtype: {class_label: {names: {0: negative, 1: positive}}}}
"""
FEATURES = {"text": {"_type": "Value"}, "label": {"_type": "ClassLabel", "names": ["positive", "negative"]}}


def readme(head: str) -> str:
    return f"---\nlicense: mit\n{head}---\n\n# Reviews\n\n---\n"


CARDS = [
    ("README.md", readme(MAPPING)),
    ("README.md", readme(LISTED)),
    ("README.md", readme(SEQUENCE)),
    ("README.md", "\ufeff" + readme(MAPPING).replace("\n", "\r\n")),
    ("dataset_info.json", json.dumps({"features": FEATURES})),
    ("dataset_infos.json", json.dumps({"default": {"features": FEATURES}})),
]


def write(path: Path, rows: list[tuple[str, str, object]] = ROWS) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        path.write_text("id,text,label\n" + "".join(f"{i},{t},{label}\n" for i, t, label in rows))
    else:
        path.write_text("".join(json.dumps({"id": i, "text": t, "label": label}) + "\n" for i, t, label in rows))
    return str(path)


def gold(file: str, **options: object) -> list[str]:
    found = read_gold(GoldConfig(files=(file,), classes=CLASSES, options=ReadOptions(**options)))
    return [CLASSES[label] for label in found.labels]


@pytest.mark.parametrize(("name", "content"), CARDS)
@pytest.mark.parametrize("file", ["train.csv", "data/train.jsonl"])
def test_the_names_of_a_card_are_those_of_the_labels_at_every_door(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, file: str
) -> None:
    path = write(tmp_path / file)
    (tmp_path / name).write_text(content, newline="")
    caplog.set_level(logging.INFO)
    assert gold(path) == TRUTH
    said = f"{path}: {tmp_path / name} names its labels: 0 is positive, 1 is negative"
    assert [record.getMessage() for record in caplog.records] == [said]
    made = ingest(MemoryStorage(), IngestConfig(files=(path,)), known=CLASSES)
    assert made.header.inputs[0]["options"]["label_map"] == [["0", "positive"], ["1", "negative"]]
    assert read_shard(made.corpus, made.corpus.record(0))["label"].to_pylist() == [1, 0, 1]
    texts = write(tmp_path / "x" / "y" / "z" / "texts.csv")
    without = IngestConfig(files=(texts,), columns=ColumnNames(label=NO_COLUMN))
    store = ingest(MemoryStorage(), without, known=CLASSES)
    add_gold(GoldRoundConfig(store=store.storage, inputs=(path,)))
    assert [row["class"] for row in store.sql("SELECT class FROM gold ORDER BY row").to_pylist()] == TRUTH


def test_a_store_gives_the_same_rows_again_without_the_card(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", [*ROWS, ("r4", "", 1)])
    (tmp_path / "README.md").write_text(readme(MAPPING))
    made = ingest(MemoryStorage(), IngestConfig(files=(path,)), known=CLASSES)
    (tmp_path / "README.md").write_text(readme(MAPPING).replace("'0'", "'2'"))
    before = read_shard(made.corpus, made.corpus.record(0))
    write_corpus(made, [file_version(path)], repair=[0])
    assert read_shard(made.corpus, made.corpus.record(0)).equals(before)
    assert rewrite_rejects(made, [file_version(path)])


def test_names_of_a_card_are_the_classes_of_a_new_store(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv")
    (tmp_path / "README.md").write_text(readme(MAPPING))
    assert ingest(MemoryStorage(), IngestConfig(files=(path,))).header.classes == ["positive", "negative"]


def test_the_user_can_say_otherwise_or_name_the_names(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv")
    (tmp_path / "README.md").write_text(readme(MAPPING))
    opposite = [CLASSES[1 - CLASSES.index(name)] for name in TRUTH]
    assert gold(path, label_map=(("0", "negative"), ("1", "positive"))) == opposite
    (tmp_path / "README.md").write_text(readme(MAPPING.replace("positive", "POS").replace("negative", "NEG")))
    with pytest.raises(InputError, match="Say which class each is: --label-map NEG=negative,POS=positive"):
        gold(path)
    assert gold(path, label_map=(("NEG", "negative"), ("POS", "positive"))) == TRUTH


def test_labels_that_have_no_name_are_refused_with_a_way(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", [("r1", "fine soup", 2), ("r2", "cold soup", 1)])
    (tmp_path / "README.md").write_text(readme(LISTED))
    with pytest.raises(InputError, match="has the label 2, and .*README.md names the labels 0 to 1: pos") as raised:
        gold(path)
    way = str(raised.value).partition("--label-map ")[2]
    assert way == "1=positive,2=negative"
    assert gold(path, label_map=parse_label_map(way)) == ["negative", "positive"]


def test_configurations_that_differ_are_told_by_their_folder_or_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(readme(CONFIGS))
    assert gold(write(tmp_path / "en/train.csv")) == TRUTH
    assert gold(write(tmp_path / "de.csv")) == [CLASSES[label] for _, _, label in ROWS]
    path = write(tmp_path / "other/train.csv")
    with pytest.raises(InputError, match="in several ways; say which are right") as raised:
        gold(path)
    ways = re.findall(r"--label-map (\S+) as in 'en'", str(raised.value))
    assert gold(path, label_map=parse_label_map(shlex.split(ways[0])[0])) == TRUTH


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "# Reviews\n\nclass_label\n"),
        ("README.md", readme("dataset_info:\n  features:\n  - {name: stars, dtype: {class_label: {names: [a]}}}\n")),
        ("README.md", readme("class_label: [1, 2]\n")),
        ("README.md", readme("tags: class_label\ndataset_info: 5\n")),
        ("dataset_info.json", "[]"),
        ("dataset_infos.json", '["ClassLabel"]'),
        ("dataset_info.json", '{"alpaca": {"file_name": "x.json"}}'),
    ],
)
def test_other_cards_say_nothing(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert gold(write(tmp_path / "train.csv")) == [CLASSES[label] for _, _, label in ROWS]


def test_names_in_the_label_column_stay_and_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "README.md").write_text(readme(MAPPING))
    caplog.set_level(logging.INFO)
    rows = [(i, t, name) for (i, t, _), name in zip(ROWS, TRUTH, strict=True)]
    assert gold(write(tmp_path / "train.csv", rows)) == TRUTH
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "---\nclass_label: [\n---\n"),
        ("README.md", readme(MAPPING.replace("'1'", "'x'"))),
        ("README.md", readme(MAPPING.replace("'0'", "'2'"))),
        ("dataset_info.json", '{"ClassLabel"'),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / "train.csv")
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="Mend it, or take it away"):
        gold(path)
