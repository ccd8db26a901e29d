"""Other columns of labels beside the one that is read: a note, or a refusal if a person seems to have written them."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.labels.labelled import GoldConfig, read_gold
from store.storage import MemoryStorage

NAMES = ("neg", "pos")
TURNED = [("neg", "pos"), ("pos", "neg"), ("pos", ""), ("neg", "Pos")]
OF_A_PERSON = ["gold", "gold_label", "true_label", "label_corrected", "label_human", "human_label", "annotation"]


def write(path: Path, pairs: list[tuple[Any, Any]], column: str) -> str:
    rows = [f"r{n},text {n},{label},0.{n},{other}\n" for n, (label, other) in enumerate(pairs)]
    path.write_text(f"id,text,label,confidence,{column}\n" + "".join(rows))
    return str(path)


def gold(file: str, label: str | None = None, classes: tuple[str, ...] | None = NAMES) -> list[str]:
    read = read_gold(GoldConfig(files=(file,), columns=ColumnNames(label=label), classes=classes))
    return [read.classes[one] for one in read.labels.tolist()]


def add_round(file: str, label: str | None = None) -> int:
    without = IngestConfig(files=(file,), columns=ColumnNames(label=NO_COLUMN))
    store = ingest(MemoryStorage(), without, known=NAMES)
    return add_gold(GoldRoundConfig(store=store.storage, inputs=(file,), columns=LabelColumns(label=label))).added


@pytest.mark.parametrize("column", OF_A_PERSON)
@pytest.mark.parametrize("classes", [NAMES, None])
def test_labels_beside_which_a_person_says_otherwise_are_refused_until_one_is_named(
    tmp_path: Path, column: str, classes: tuple[str, ...] | None
) -> None:
    file = write(tmp_path / "in.csv", TURNED, column)
    said = f"the label is read from 'label', and '{column}' has another class in 3 of 3 rows. .* --label {column} "
    with pytest.raises(InputError, match=said):
        gold(file, classes=classes)
    with pytest.raises(InputError, match=said):
        add_round(file)
    assert gold(file, "label") == ["neg", "pos", "pos", "neg"]
    assert gold(file, column) == ["pos", "neg", "pos"]
    assert (add_round(file, "label"), add_round(file, column)) == (4, 3)


def test_what_a_label_set_said_in_a_file_for_annotators_is_no_other_label(tmp_path: Path, caplog) -> None:
    file = tmp_path / "annotated.csv"
    rows = [f"r{n},text {n},one,{said},0.{n},0.1,{label}\n" for n, (label, said) in enumerate(TURNED) if said]
    file.write_text("id,text,label_set,class,confidence,margin,label\n" + "".join(rows))
    caplog.set_level("INFO")
    assert gold(str(file)) == ["neg", "pos", "neg"]
    assert add_round(str(file)) == 3
    assert "another class" not in caplog.text


@pytest.mark.parametrize("column", ["sentiment", "class", "target", "gold_label"])
def test_other_labels_are_told_of_texts_that_are_to_be_labelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    file = write(tmp_path / "in.csv", TURNED, column)
    caplog.set_level("INFO")
    ingest(MemoryStorage(), IngestConfig(files=(file,)), known=NAMES)
    assert f"'{column}' has another class in 3 of 3 rows; --label {column} reads that one" in caplog.text


@pytest.mark.parametrize("column", ["sentiment", "class", "target"])
def test_other_labels_of_nobody_in_particular_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    file = write(tmp_path / "in.csv", TURNED, column)
    caplog.set_level("INFO")
    assert gold(file) == ["neg", "pos", "pos", "neg"]
    assert f"'{column}' has another class in 3 of 3 rows" in caplog.text
    assert add_round(file) == 4


@pytest.mark.parametrize("values", [[(0, 1), (1, 0)], [(0, 1.0), (1, 0.0)]])
def test_numbers_of_a_person_count_too(tmp_path: Path, values: list[tuple[Any, Any]]) -> None:
    rows = [{"id": f"r{n}", "text": f"t{n}", "label": one, "gold": other} for n, (one, other) in enumerate(values)]
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for classes in (NAMES, ("0", "1")):
        with pytest.raises(InputError, match="'gold' has another class in 2 of 2 rows"):
            gold(str(file), classes=classes)


@pytest.mark.parametrize(
    ("column", "pairs", "classes"),
    [
        ("gold_label", [("neg", "NEG"), ("pos", "")], NAMES),
        ("gold_label", [("neg", "pos"), ("pos", "unclear")], NAMES),  # not only names of classes
        ("prediction", [("neg", "pos"), ("pos", "pos")], NAMES),
        ("query", [("neg", "pos"), ("pos", "pos")], NAMES),  # the same in every row
        ("is_member", [("yes", "no"), ("no", "yes")], ("no", "yes")),
        ("helpful", [("1", "2"), ("2", "1")], ("1", "2")),
        ("annotator", [("neg", "jo"), ("pos", "li")], None),
    ],
)
def test_columns_that_hold_no_other_labels_are_left_alone(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    column: str,
    pairs: list[tuple[str, str]],
    classes: tuple[str, ...] | None,
) -> None:
    caplog.set_level("INFO")
    assert gold(write(tmp_path / "in.csv", pairs, column), classes=classes) == [label for label, _ in pairs]
    assert "another class" not in caplog.text
