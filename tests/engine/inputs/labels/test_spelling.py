"""Labels as they are written → one spelling."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.spelling import (
    NO_LABEL,
    label_map_text,
    parse_label_map,
    renamed,
    spell,
    spelled,
    stand_for_nothing,
    without_scores,
)
from engine.inputs.options import ReadOptions


def labels_of(path: Path, *, classes: tuple[str, ...] = (), options: ReadOptions | None = None) -> list[str | None]:
    blocks = read_blocks(str(path), ColumnNames(), options or ReadOptions(), classes=classes)
    return [label for block in blocks for label in block.label.to_pylist()]


def parquet(path: Path, labels: pa.Array) -> Path:
    pq.write_table(pa.table({"text": [f"text {row}" for row in range(len(labels))], "label": labels}), path)
    return path


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("1.0", "1"),
        ("1.", "1"),
        ("1.00", "1"),
        (" positive ", "positive"),
        ("\tx\u00a0", "x"),
        ("True", "true"),
        ("FALSE", "false"),
        ("1.5", "1.5"),
        ("10.0", "10"),
        ("-1.0", "-1"),
        ("1.0.0", "1.0.0"),
        ("Positive", "Positive"),
        ("", ""),
    ],
)
def test_a_label_has_one_spelling(written: str, label: str) -> None:
    assert spell(written) == label
    assert spelled(pa.array([written, None])).to_pylist() == [label, None]


@given(st.text(max_size=12))
def test_one_label_is_spelled_as_many_are_and_only_once(label: str) -> None:
    once = spell(label)
    assert spelled(pa.array([label])).to_pylist() == [once] == [spell(once)]


@pytest.mark.parametrize(
    ("array", "labels"),
    [
        (pa.array([0, 1, None], pa.int64()), ["0", "1", None]),
        (pa.array([0.0, 1.0, None]), ["0", "1", None]),
        (pa.array([0.0, 1.0, float("nan")]), ["0", "1", None]),
        (pa.array([Decimal("0.00"), Decimal("1.00"), None], pa.decimal128(9, 2)), ["0", "1", None]),
        (pa.array(["0", "1.0", "nan"]), ["0", "1", None]),
        (pa.array([False, True, None]), ["false", "true", None]),
        (pa.array(["False", "TRUE", "N/A"]), ["false", "true", None]),
        (pa.array([0, 1, -1], pa.int8()), ["0", "1", None]),
        (pa.array(["a ", " a", "None"]).dictionary_encode(), ["a", "a", None]),
    ],
)
def test_the_same_label_is_the_same_in_every_type(tmp_path: Path, array: pa.Array, labels: list[str | None]) -> None:
    assert labels_of(parquet(tmp_path / "in.parquet", array)) == labels


@pytest.mark.parametrize("word", [*NO_LABEL, "NaN", "NULL", "None", "N/A", " nan ", "-1.0"])
def test_words_for_nothing_are_no_label_unless_a_class_has_that_name(tmp_path: Path, word: str) -> None:
    path = parquet(tmp_path / "in.parquet", pa.array([word, "good"]))
    assert labels_of(path) == [None, "good"]
    if word.strip():
        assert labels_of(path, classes=(spell(word), "good")) == [spell(word), "good"]


def test_the_words_that_were_no_label_are_told(tmp_path: Path) -> None:
    (block,) = read_blocks(str(parquet(tmp_path / "in.parquet", pa.array(["None", "", "x", None]))), ColumnNames())
    assert block.not_labels == {"None"}
    assert stand_for_nothing(pa.array(["none", "x"]), classes=["None"]).to_pylist() == [False, False]


@pytest.mark.parametrize("answer", ["reject", "ignore", "Reject"])
def test_an_annotation_that_was_rejected_is_no_label(tmp_path: Path, answer: str) -> None:
    table = pa.table({"text": ["x", "y", "z"], "label": ["a", "b", "a"], "answer": ["accept", answer, None]})
    pq.write_table(table, tmp_path / "in.parquet")
    assert labels_of(tmp_path / "in.parquet") == ["a", None, "a"]


def test_a_file_may_call_its_classes_by_numbers(tmp_path: Path) -> None:
    """ClassLabel names are spelled as labels are: the class ``1.0`` of a file is the label 1."""
    names = json.dumps({"info": {"features": {"label": {"names": ["1.0", "2.0"], "_type": "ClassLabel"}}}})
    table = pa.table({"text": ["x", "y"], "label": [0, 1]}).replace_schema_metadata({"huggingface": names})
    pq.write_table(table, tmp_path / "in.parquet")
    (block,) = read_blocks(str(tmp_path / "in.parquet"), ColumnNames())
    assert (block.label.to_pylist(), block.label_faults) == (["1", "2"], [None, None])


# The map of labels


def test_a_map_gives_labels_their_names(tmp_path: Path) -> None:
    options = ReadOptions(label_map=parse_label_map("1=negative,2.0=positive,skip="))
    path = parquet(tmp_path / "in.parquet", pa.array(["1", "2", "1.0", "skip", "other"]))
    assert labels_of(path, options=options) == ["negative", "positive", "negative", None, "other"]
    assert renamed(pa.array(["a", "b", None]), {"a": "b", "b": "a"}).to_pylist() == ["b", "a", None]


def test_names_with_commas_stand_in_quotation_marks() -> None:
    assert parse_label_map('"1=Food, drink",2=Rooms') == (("1", "Food, drink"), ("2", "Rooms"))
    assert label_map_text([("1", "Food, drink"), ("2", "Rooms")]) == "'\"1=Food, drink\",2=Rooms'"
    assert label_map_text([("1", "negative"), ("2", "positive")]) == "1=negative,2=positive"


@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\\"), min_size=1, max_size=5)
        .map(spell)
        .filter(bool),
        st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8),
        min_size=1,
        max_size=5,
    )
)
def test_a_map_that_a_message_shows_is_read_as_it_was_meant(pairs: dict[str, str]) -> None:
    shown = label_map_text(list(pairs.items()))
    line = shown[1:-1].replace("'\\''", "'") if shown.startswith("'") else shown
    assert dict(parse_label_map(line)) == pairs


def test_an_equals_sign_inside_of_a_label_is_escaped() -> None:
    assert label_map_text([("a=b", "x=y")]) == r"'a\=b=x=y'"
    assert parse_label_map(r"a\=b=x=y,\N=") == (("a=b", "x=y"), ("\\N", ""))
    with pytest.raises(InputError, match=r"names the label 'a' twice; an = inside of a label is written \\="):
        parse_label_map("a=b=x,a=c=y")


@pytest.mark.parametrize("text", ["1", "=x", "1=a,1.0=b", "1=a,"])
def test_a_map_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--label-map"):
        parse_label_map(text)


def test_one_letter_has_one_spelling_however_its_accent_is_written() -> None:
    assert spelled(pa.array(["ne\u0301gatif"])).to_pylist() == [spell("ne\u0301gatif")] == ["n\u00e9gatif"]


@pytest.mark.parametrize("end", [" (0.93)", "(1.0)", " [.5]", " (93%)", " (7.5 %)", ": 0.93", ", 0.1", "|1.00", "=0.5"])
def test_a_score_behind_a_label_is_left_out(end: str) -> None:
    assert without_scores(pa.array([f"no good{end}", None]), names=()).to_pylist() == ["no good", None]
    assert without_scores(pa.array([f"a{end}", f"b{end}"]), names=[f"a{end}"]).to_pylist() == [f"a{end}", "b"]


@pytest.mark.parametrize(
    "label", ["a 0.5", "class: 2", "v (2.0)", "0.93", "1: 0.5", "a: 0.1, b: 0.9", "a (b)", "5%", "a 5%"]
)
def test_what_is_no_score_stays(label: str) -> None:
    assert without_scores(pa.array([label]), names=()).to_pylist() == [label]


def test_that_scores_are_left_out_is_noted(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,label\nx,good (0.9)\ny,bad: 0.1\nz,good\n")
    (block,) = read_blocks(str(tmp_path / "in.csv"), ColumnNames())
    assert block.label.to_pylist() == ["good", "bad", "good"]
    assert any("read without the scores behind them, as 'good (0.9)' as 'good'" in note for note in block.reading.notes)
