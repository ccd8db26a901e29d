"""Columns with the names of classes beside labels that are indices: the same classes, or a refusal."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.labels.annotations import read_annotations
from engine.inputs.labels.classes import index_labels
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.options import ReadOptions
from store.storage import MemoryStorage

NAMES = ("neg", "pos")
PLAIN = ColumnNames()


def write(path: Path, *pairs: tuple[Any, Any], column: str = "class_name") -> str:
    rows = [{"id": f"r{n}", "text": f"t{n}", "label": label, column: name} for n, (label, name) in enumerate(pairs)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def gold(file: str, columns: ColumnNames = PLAIN, *, label_map: str | None = None) -> list[str]:
    """The class of each row."""
    options = ReadOptions(label_map=parse_label_map(label_map) if label_map else None)
    read = read_gold(GoldConfig(files=(file,), columns=columns, options=options, classes=NAMES))
    return [read.classes[label] for label in read.labels.tolist()]


def index(file: str) -> list[str]:
    """Notes of a round of gold."""
    beside = NamesBeside(NAMES)
    given = list(read_annotations(file, LabelColumns(), classes=NAMES, beside=beside))
    return index_labels({one.label for one in given if one.label}, NAMES, where=file, beside=beside).notes


def refused(file: str, columns: ColumnNames = PLAIN) -> str:
    with pytest.raises(InputError) as raised:
        gold(file, columns)
    return str(raised.value)


INVERTED = [(0, "pos"), (1, "neg"), (0, "Pos "), (None, None), (1, "")]


@pytest.mark.parametrize("column", ["class_name", "class", "sentiment", "label_name"])
def test_names_that_are_turned_are_refused_at_every_door_and_the_map_reads_them(tmp_path: Path, column: str) -> None:
    file = write(tmp_path / "in.jsonl", *INVERTED, column=column)
    said = refused(file)
    assert f"the classes of 'label' and {column!r} differ in 3 of 3 rows" in said
    names, numbers = re.findall(r"--label-map (\S+?)(?=;|$)", said)
    assert gold(file, label_map=names) == ["pos", "neg", "pos", "neg"]
    assert gold(file, label_map=numbers) == ["neg", "pos", "neg", "pos"]
    with pytest.raises(InputError, match=r"differ in 3 of 3 .* or label without gold: --no-label"):
        ingest(MemoryStorage(), IngestConfig(files=(file,)), known=NAMES)
    with pytest.raises(InputError, match="differ in 3 of 3"):
        index(file)


@pytest.mark.parametrize("key", ["class-name", "class_name", "name"])
def test_the_name_inside_of_an_object_counts(tmp_path: Path, key: str) -> None:
    beside = [(label, {"job": "x", key: name} if name else None) for label, name in INVERTED]
    file = write(tmp_path / "in.jsonl", *beside, column="label-metadata")
    said = refused(file)
    assert "--label-map 0=pos,1=neg" in said
    with pytest.raises(InputError, match="differ in 3 of 3"):
        index(file)


def test_numbers_that_stand_for_something_else_leave_the_names_to_be_chosen(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", (0, "pos"), (1, "pos"), (0, "neg"), (1, "neg"), column="my sentiment")
    assert "If the names are right, --label 'my sentiment'; if the numbers are, --label-map 0=neg,1=pos" in refused(
        file
    )
    assert gold(file, ColumnNames(label="my sentiment")) == ["pos", "pos", "neg", "neg"]


@pytest.mark.parametrize(
    ("column", "pairs"),
    [
        ("class_name", [(0, "neg"), (1, "pos"), (1, None)]),
        ("class_name", [("neg", "pos"), ("pos", "neg")]),  # the label is a name itself
        ("comment", [(0, "pos"), (1, "neg"), (1, "good and clean")]),  # not only names of classes
        ("query", [(0, "pos"), (1, "pos")]),  # the same in every row
        ("prediction", [(0, "neg"), (1, "neg"), (1, "pos")]),  # a model that is right in two of three rows
    ],
)
def test_columns_that_do_not_contradict_are_left_alone(
    tmp_path: Path, column: str, pairs: list[tuple[Any, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path / "in.jsonl", *pairs, column=column)
    caplog.set_level("INFO")
    gold(file)
    assert not any("differ in" in note for note in [*caplog.messages, *index(file)])


def test_a_few_rows_that_differ_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *[(0, "neg"), (1, "pos")] * 5, (0, "pos"), column="class_of_jo")
    assert gold(file) == ["neg", "pos"] * 5 + ["neg"]
    assert f"{file}: the classes of 'label' and 'class_of_jo' differ in 1 of 11 rows" in index(file)


def test_files_are_judged_one_by_one(tmp_path: Path) -> None:
    right = write(tmp_path / "a.jsonl", *[(0, "neg"), (1, "pos")] * 50)
    turned = write(tmp_path / "b.jsonl", (0, "pos"), (1, "neg"))
    with pytest.raises(InputError, match=r"b\.jsonl: the classes of .* differ in 2 of 2 rows"):
        read_gold(GoldConfig(files=(right, turned), classes=NAMES, columns=ColumnNames(id="")))
