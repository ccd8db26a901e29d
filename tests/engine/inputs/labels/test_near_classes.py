"""Classes that may be another one misspelt, and classes that hardly have a row."""

import json
import logging
import re
import shlex
from pathlib import Path

import pytest

from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.near_classes import near_classes, near_warnings
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.options import ReadOptions

QUEUES = {"Access": 40, "Billing": 60, "Hardware": 50, "Shipping": 45, "Other": 30}
MISSPELT = {"access": "Access", "Biling": "Billing", "Hardwear": "Hardware", "Shiping": "Shipping", "Ohter": "Other"}


def test_names_that_are_nearly_those_of_larger_classes_are_found() -> None:
    assert near_classes({**QUEUES, **dict.fromkeys(MISSPELT, 1)}) == MISSPELT
    assert near_classes({"billing": 4, "biling": 1, "login": 3, "refund": 2}) == {"biling": "billing"}
    assert near_classes({"billing": 50, "bilng": 1, "login": 40}) == {"bilng": "billing"}
    assert near_classes({"a b": 3, "A_B": 3, "a-b": 2}) == {"a b": "A_B", "a-b": "A_B"}


@pytest.mark.parametrize(
    "counts",
    [
        {"Billing": 60, "Biling": 20},  # too many rows for a mistake
        {"level 1": 60, "level 2": 1},
        {"cat": 60, "car": 1},
        {"billing": 3, "biling": 1},  # too few rows of the other
        {"billing": 19, "biling": 2},
        {"hardware": 8, "hardwear": 1},  # two edits
        {"male": 60, "female": 1},
        {"C++": 60, "C": 1, "C#": 1},
        {"positive": 60, "negative": 1},
        {},
    ],
)
def test_names_of_their_own_are_left(counts: dict[str, int]) -> None:
    assert near_classes(counts) == {}


def test_a_map_that_was_given_is_part_of_the_new_one() -> None:
    (warning,) = near_warnings({"Billing": 19, "Biling": 1}, {"Biling": "Billing"}, mapped=[("b", "Biling"), ("x", "")])
    assert "one class of 2 may be another one misspelt: 'Biling' (1 row) as 'Billing' (19 rows)" in warning
    assert warning.endswith("--label-map Biling=Billing,b=Billing,x=")


@pytest.mark.parametrize(("rows", "others", "is_rare"), [(1, 20, True), (2, 40, True), (2, 39, False), (3, 900, False)])
def test_a_class_with_hardly_a_row_is_named(rows: int, others: int, is_rare: bool) -> None:
    warnings = near_warnings({"spam": rows, "praise": others, "sales": others}, {})
    assert [warning.partition(": ")[2].partition(" row")[0] for warning in warnings] == [f"'spam' ({rows}"] * is_rare
    assert all(warning.endswith("--label-map spam=") for warning in warnings)


def test_the_map_that_is_said_works_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = {**QUEUES, **dict.fromkeys(MISSPELT, 1)}
    file = tmp_path / "in.jsonl"
    labels = [name for name, count in counts.items() for _ in range(count)]
    lines = [json.dumps({"text": f"text {place}", "label": name}) for place, name in enumerate(labels)]
    file.write_text("\n".join(lines))
    caplog.set_level(logging.INFO)
    assert len(read_gold(GoldConfig(files=(str(file),))).classes) == 10
    (warning,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "5 classes of 10 may be another one misspelt" in warning
    assert not any("differ in case, spaces" in one.getMessage() for one in caplog.records)
    (said,) = re.findall(r"--label-map (.+)$", warning)
    (text,) = shlex.split(said)
    caplog.clear()
    gold = read_gold(GoldConfig(files=(str(file),), options=ReadOptions(label_map=parse_label_map(text))))
    assert (sorted(gold.classes), gold.rejected, len(gold.texts)) == (sorted(QUEUES), 0, len(labels))
    assert not [one for one in caplog.records if one.levelno == logging.WARNING]


def test_classes_that_the_user_names_are_no_mistake(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "in.jsonl"
    labels = ["Billing"] * 30 + ["Biling"]
    lines = [json.dumps({"text": f"text {place}", "label": name}) for place, name in enumerate(labels)]
    file.write_text("\n".join(lines))
    assert read_gold(GoldConfig(files=(str(file),), classes=("Billing", "Biling"))).classes == ["Billing", "Biling"]
    assert not [one for one in caplog.records if one.levelno == logging.WARNING]
