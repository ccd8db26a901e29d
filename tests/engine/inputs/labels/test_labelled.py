"""Files of labelled text → texts and class indices."""

import json
import re
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import Gold, GoldConfig, read_gold
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.messages import REPEATED_ID
from engine.inputs.options import ReadOptions


def write(path: Path, *rows: dict) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read(file: str, **config: object) -> Gold:
    return read_gold(GoldConfig(files=(file,), **config))


def pairs(gold: Gold) -> list[tuple[str, str]]:
    return [(text, gold.classes[label]) for text, label in zip(gold.texts, gold.labels.tolist(), strict=True)]


@pytest.fixture
def named(tmp_path: Path) -> str:
    return write(tmp_path / "in.jsonl", {"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"})


def test_names_become_classes_in_order(named: str) -> None:
    gold = read(named)
    assert gold.classes == ["neg", "pos"]
    assert gold.labels.tolist() == [1, 0]
    assert (gold.texts, gold.rejected, gold.reasons) == (["good", "bad"], 0, [])


def test_the_order_of_given_classes_is_kept(named: str) -> None:
    gold = read(named, classes=("pos", "neg"))
    assert (gold.classes, gold.labels.tolist()) == (["pos", "neg"], [0, 1])


def test_indices_take_the_names_of_classes_only_from_zero_on(tmp_path: Path) -> None:
    zero = write(tmp_path / "zero.jsonl", {"text": "a", "label": 0}, {"text": "b", "label": 1})
    one = write(tmp_path / "one.jsonl", {"text": "a", "label": 1}, {"text": "b", "label": 2})
    assert pairs(read(zero, classes=("neg", "pos"))) == [("a", "neg"), ("b", "pos")]
    assert pairs(read(one)) == [("a", "1"), ("b", "2")]
    with pytest.raises(InputError, match="counted from 1"):
        read(one, classes=("neg", "pos"))


def test_rows_that_cannot_be_used_are_counted_with_place_and_reason(tmp_path: Path) -> None:
    file = write(
        tmp_path / "in.jsonl",
        {"id": 1, "text": "a", "label": "x"},
        {"id": 2, "text": " ", "label": "x"},
        {"id": 3, "text": "c", "label": None},
        {"id": 1, "text": "d", "label": "y"},
        {"id": 5, "text": "e", "label": "z"},
        {"id": 6, "text": "f", "label": "y"},
    )
    gold = read(file, classes=("x", "y"))
    assert pairs(gold) == [("a", "x"), ("f", "y")]
    assert gold.rejected == 4
    assert gold.reasons == [
        f"{file} row 2: text is blank",
        f"{file} row 3: label is null",
        f"{file} row 4: {REPEATED_ID}",
        f"{file} row 5: unknown label 'z' (classes: x, y); if it is none: --label-map z=",
    ]
    with pytest.raises(
        InputError,
        match=re.escape(f"{file} row 2: text is blank; {file} row 3: label is null; ") + ".*; and 1 more. Mend the row",
    ):
        read(file, classes=("x", "y"), on_bad_row="fail")


def test_a_refused_row_does_not_count_as_the_first_of_its_id(tmp_path: Path) -> None:
    file = write(
        tmp_path / "in.jsonl",
        {"id": 1, "text": "", "label": "x"},
        {"id": 1, "text": "a", "label": "odd"},
        {"id": 1, "text": "b", "label": None},
        {"id": 1, "text": "kept", "label": "x"},
        {"id": 2, "text": "also", "label": "y"},
    )
    assert pairs(read(file, classes=("x", "y"))) == [("kept", "x"), ("also", "y")]


def test_the_label_of_a_refused_row_is_no_class(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in (("a", "x"), ("", "odd"), ("b", "y"))]
    assert read(write(tmp_path / "in.jsonl", *rows)).classes == ["x", "y"]


def test_only_the_first_reasons_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *[{"text": ""}] * 50, {"text": "a", "label": "x"}, {"text": "b", "label": "y"})
    gold = read(file)
    assert (gold.rejected, len(gold.reasons)) == (50, 20)


def test_a_file_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"in\.jsonl: no column looks like the label \(columns: text, stars\); name it with --label"
    ):
        read(write(tmp_path / "in.jsonl", {"text": "a", "stars": 5}))


def test_the_label_column_can_be_named(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", {"text": "a", "stars": 1.0}, {"text": "b", "stars": 5})
    assert pairs(read(file, columns=ColumnNames(label="stars"))) == [("a", "1"), ("b", "5")]


@pytest.mark.parametrize("classes", [None, ("x", "y")])
def test_a_file_without_a_usable_row_is_refused_with_the_first_reason(
    tmp_path: Path, classes: tuple[str, ...] | None
) -> None:
    file = write(tmp_path / "in.jsonl", {"text": " ", "label": "x"})
    with pytest.raises(InputError, match=r"no usable row among 1; the first was refused: .* row 1: text is blank"):
        read(file, classes=classes)


@pytest.mark.parametrize("config", [{}, {"classes": ("x", "y")}])
def test_an_empty_file_is_refused(tmp_path: Path, config: dict) -> None:
    with pytest.raises(InputError, match="there is no row in it"):
        read(write(tmp_path / "in.jsonl"), **config)


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two different names"):
        read(write(tmp_path / "in.jsonl", {"text": "a", "label": "x"}))


def test_a_limited_sample_is_the_same_for_a_seed_and_keeps_text_and_label_together(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *({"text": f"{n % 3} {n}", "label": f"c{n % 3}"} for n in range(100)))
    first, again, other = (read(file, limit=10, seed=seed) for seed in (1, 1, 2))
    assert first.texts == again.texts != other.texts
    assert len(first.texts) == len(set(first.texts)) == len(first.labels) == 10
    assert all(label == f"c{text[0]}" for text, label in pairs(first))
    assert read(file, limit=1000).texts == read(file).texts


@pytest.mark.parametrize("config", [{"limit": 0}, {"limit": -1}, {"on_bad_row": "ignore"}])
def test_choices_that_make_no_sense_are_refused(config: dict) -> None:
    with pytest.raises(InputError, match="must be"):
        GoldConfig(files=("in.jsonl",), **config)


def test_several_files_are_read_in_the_order_given(tmp_path: Path) -> None:
    second = write(tmp_path / "a.jsonl", {"text": "second", "label": "x"})
    first = write(tmp_path / "b.jsonl", {"text": "first", "label": "y"})
    assert read_gold(GoldConfig(files=(first, second))).texts == ["first", "second"]


def test_an_empty_column_of_labels_is_refused_with_the_name_of_the_other_one(tmp_path: Path) -> None:
    rows = [{"text": text, "label": None, "labels": label} for text, label in (("a", "x"), ("b", "y"))]
    file = write(tmp_path / "in.jsonl", *rows)
    with pytest.raises(InputError, match=r"label is null\. .* not from 'labels'; --label names another column"):
        read(file)
    assert pairs(read(file, columns=ColumnNames(label="labels"))) == [("a", "x"), ("b", "y")]


def queues(path: Path, **rows: int) -> str:
    labels = [label for label, count in rows.items() for _ in range(count)]
    return write(path / "tickets.jsonl", *({"text": f"{label} {n}", "label": label} for n, label in enumerate(labels)))


def test_a_named_class_that_is_misspelt_stops_with_both_ways_and_both_work(tmp_path: Path) -> None:
    file = queues(tmp_path, account=3, billing=2)
    with pytest.raises(InputError) as error:
        read(file, classes=("acount", "billing"), expects_all=True)
    assert str(error.value) == (
        f"{file}: no row is of the class 'acount', and 3 rows of 'account', which is no class. If the class is "
        "misspelt: --classes account,billing; if the label is: --label-map account=acount"
    )
    assert read(file, classes=("account", "billing"), expects_all=True).rejected == 0
    mapped = ReadOptions(label_map=parse_label_map("account=acount"))
    assert (
        read(file, classes=("acount", "billing"), expects_all=True, options=mapped).labels.tolist() == [0] * 3 + [1] * 2
    )
    with pytest.raises(InputError, match="--classes account,billing;"):
        read(file, classes=("acount", "biling"), expects_all=True)  # no label at all is a class


def test_classes_of_a_model_stop_at_a_misspelt_label_alone(tmp_path: Path) -> None:
    file = queues(tmp_path, acount=3, billing=2)
    way = re.escape(
        "3 rows of 'acount', which is no class. If it is a mistake in the label: --label-map acount=account"
    )
    with pytest.raises(InputError, match=way):
        read(file, classes=("account", "billing", "technical"))
    assert read(queues(tmp_path, refund=3, billing=2), classes=("account", "billing")).rejected == 3


def test_a_named_class_without_rows_stops_beside_labels_that_are_no_class(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(queues(tmp_path, refund=3, billing=2), classes=("account", "billing"), expects_all=True)
    assert "no row is of the class 'account', and there are labels that are none of the classes: 'refund' (3 rows)" in (
        str(error.value)
    )
    assert str(error.value).endswith("Correct --classes, or: Say which class each is: --label-map refund=CLASS")


def test_a_named_class_without_rows_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = queues(tmp_path, account=3, billing=2)
    assert read(file, classes=("account", "billing", "technical"), expects_all=True).rejected == 0
    (warning,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert warning == (
        f"{file}: no row is of the class 'technical': no model learns it from them. Leave it out of --classes, or add "
        "rows of it"
    )
    caplog.clear()
    read(file, classes=("account", "billing", "technical"))  # those of a model
    assert not caplog.records


def test_rows_of_a_label_that_the_map_calls_none_are_left_out_and_not_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    options = ReadOptions(label_map=parse_label_map("other=,acount=account"))
    file = queues(tmp_path, acount=1, account=2, billing=2, other=3)
    gold = read(file, classes=("account", "billing"), options=options, on_bad_row="fail")
    assert (gold.rejected, gold.reasons, len(gold.texts)) == (0, [], 5)
    assert "3 rows left out: label is none, as --label-map says" in caplog.text
    with pytest.raises(
        InputError, match="no usable row among 2; the first was refused: .*label is none, as --label-map"
    ):
        read(queues(tmp_path, other=2), classes=("account", "billing"), options=options)


def test_rows_of_an_unknown_label_are_one_reason(tmp_path: Path) -> None:
    gold = read(queues(tmp_path, account=2, billing=1, bil=20), classes=("account", "billing"))
    assert (gold.rejected, len(gold.reasons)) == (20, 1)
    assert (
        " and 19 more rows: unknown label 'bil' (classes: account, billing); --label-map bil=billing" in gold.reasons[0]
    )


def test_a_refused_row_names_the_class_that_its_label_may_be(tmp_path: Path) -> None:
    gold = read(queues(tmp_path, acount=1, account=2, billing=2), classes=("account", "billing"))
    assert gold.reasons[0].endswith(
        "unknown label 'acount' (classes: account, billing); if it is 'account': --label-map acount=account"
    )
