"""Labels as written → class names and indices."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.labels.classes import (
    MAX_CLASSES,
    check_class_names,
    classes_of,
    doubtful_names,
    index_labels,
    indexer,
    say_which,
)
from engine.inputs.labels.refused import refused_line, refused_lines, rows_of_line, unknown_label
from engine.inputs.labels.spelling import label_map_text

NAMES = ["neg", "pos"]


def test_a_label_is_a_name_or_an_index() -> None:
    index_of = indexer(NAMES)
    assert [index_of(label) for label in ("neg", "pos", "0", "1")] == [0, 1, 0, 1]


@pytest.mark.parametrize("label", ["2", "-1", "Poss", " pos", "pos ", "", "1.0", "01", "+1", "\u0661", "\u00b9"])
def test_another_label_has_no_index(label: str) -> None:
    assert indexer(NAMES)(label) is None


def test_where_names_are_numbers_a_label_is_never_an_index() -> None:
    index_of = indexer(["1", "2", "3"])
    assert [index_of(label) for label in ("1", "2", "3")] == [0, 1, 2]
    assert index_of("0") is None


@given(order=st.permutations(["0", "1", "2", "10", "x"]))
def test_every_class_has_its_own_index(order: list[str]) -> None:
    assert [indexer(order)(name) for name in order] == [0, 1, 2, 3, 4]


def test_names_that_differ_in_case_alone_are_one_where_only_one_does() -> None:
    assert [indexer(NAMES)(label) for label in ("Pos", "NEG")] == [1, 0]
    assert [indexer(["Pos", "pos"])(label) for label in ("Pos", "pos", "POS")] == [0, 1, None]
    found = index_labels(["NEG", "pos"], NAMES, where="in.csv")
    assert (found.index, found.unknown) == ({"NEG": 0, "pos": 1}, [])
    assert found.notes == ["in.csv: labels are read as classes whose names differ in case: 'NEG' as 'neg'"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ({"pos", "neg"}, ["neg", "pos"]),
        ({"10", "9", "1"}, ["1", "9", "10"]),
        ({"0", "1"}, ["0", "1"]),
        ({"1", "x"}, ["1", "x"]),
        ({"-1", "1"}, ["-1", "1"]),
    ],
)
def test_classes_come_from_the_labels(labels: set[str], classes: list[str]) -> None:
    assert classes_of(labels) == classes


def test_classes_that_a_file_or_a_map_names_come_in_their_order() -> None:
    assert classes_of({"neg", "pos"}, named=["pos", "neg", "odd"]) == ["pos", "neg", "odd"]
    assert classes_of({"neg", "other"}, named=["pos", "neg"]) == ["neg", "other"]


@pytest.mark.parametrize(
    ("labels", "known", "index"),
    [
        ({"0", "1"}, ["neg", "pos"], {"0": 0, "1": 1}),
        ({"0"}, ["neg", "pos"], {"0": 0}),
        ({"1"}, ["neg", "pos"], {}),
        ({"0", "1", "2"}, ["neg", "pos"], {}),
        ({"0", "00"}, ["neg", "pos"], {}),
        ({"0", "neg"}, ["neg", "pos"], {"neg": 0}),
        ({"0", "1"}, ["1", "2"], {"1": 0}),
        ({"1", "2", "3", "4", "5"}, ["a", "b", "c", "d", "e", "f"], {}),
        ({"0", "3"}, ["a", "b", "c", "d"], {"0": 0, "3": 3}),
    ],
)
def test_whole_numbers_are_indices_only_if_nothing_speaks_against_it(
    labels: set[str], known: list[str], index: dict[str, int]
) -> None:
    found = index_labels(labels, known, where="in.csv")
    assert found.index == index
    assert found.unknown == sorted(labels - index.keys())


@pytest.mark.parametrize(
    ("labels", "known"), [({"1", "2"}, NAMES), ({"2"}, NAMES), ({"5", "1"}, list("abcde")), ({"1", "2", "pos"}, NAMES)]
)
def test_labels_that_are_counted_from_one_are_refused(labels: set[str], known: list[str]) -> None:
    pairs = ",".join(f"{number}={name}" for number, name in enumerate(known, start=1))
    with pytest.raises(InputError, match=rf"counted from 1.*--label-map {pairs}"):
        index_labels(labels, known, where="in.csv")


@pytest.mark.parametrize("labels", [{"1", "01", "001"}, {"7" * 5000, "1"}])
def test_the_order_of_classes_depends_on_nothing_but_the_labels(labels: set[str]) -> None:
    assert classes_of(labels) == classes_of(frozenset(sorted(labels))) == sorted(labels)


@given(labels=st.sets(st.text("01289", min_size=1, max_size=3), min_size=1, max_size=8))
def test_every_label_has_an_index_among_the_classes_made_of_it(labels: set[str]) -> None:
    classes = classes_of(labels)
    assert sorted(classes) == sorted(labels)
    assert {indexer(classes)(label) for label in labels} == set(range(len(labels)))


def test_labels_too_many_to_be_classes_are_refused() -> None:
    with pytest.raises(InputError, match="1,001 different labels"):
        classes_of({f"l{number}" for number in range(MAX_CLASSES + 1)})
    assert len(classes_of({f"l{number}" for number in range(MAX_CLASSES)})) == MAX_CLASSES


def test_without_labels_and_a_model_there_are_no_classes() -> None:
    with pytest.raises(InputError, match="name them with --classes"):
        classes_of(set())


@pytest.mark.parametrize(
    ("classes", "doubts"),
    [(["a", "b"], 0), (["a", "A"], 1), (["not good", "not_good"], 1), (["1", "-1"], 2), (["unknown", "x"], 1)],
)
def test_names_that_may_be_anothers_are_doubted(classes: list[str], doubts: int) -> None:
    assert len(doubtful_names(classes)) == doubts


@pytest.mark.parametrize("classes", [[], ["a"], ["a", "a"], ["a", ""], ["a", " "]])
def test_what_cannot_be_classes_is_refused(classes: list[str]) -> None:
    with pytest.raises(InputError, match="at least two different names are needed"):
        check_class_names(classes)


def test_more_classes_than_an_index_can_count_are_refused() -> None:
    check_class_names([str(number) for number in range(32_767)])
    with pytest.raises(InputError, match="at most 32,767"):
        check_class_names([str(number) for number in range(32_768)])


@pytest.mark.parametrize("labels", [["0", "1"], ["1"]])
def test_scores_around_0_are_no_indices(labels: list[str]) -> None:
    classes = ["negative", "neutral", "positive"]
    with pytest.raises(InputError, match="from -1.*--label-map -1=negative,0=neutral,1=positive; or.*--label-map -1=$"):
        index_labels(labels, classes, where="in.csv", not_labels={"-1"})
    assert index_labels(["0", "1"], classes, where="in.csv", not_labels={"nan"}).index == {"0": 0, "1": 1}


@pytest.mark.parametrize("label", ["1", "+1"])
def test_minus_1_and_1_are_two_classes_or_one(label: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"--label-map -1=neg,{label}=pos; or, if -1 is no label")):
        index_labels([label], NAMES, where="in.csv", not_labels={"-1"})
    beside_0 = index_labels(["0", "1"], NAMES, where="in.csv", not_labels={"-1"})
    assert beside_0.index == {"0": 0, "1": 1}
    assert beside_0.notes[-1].endswith("if 0 is between the two: --label-map -1=neg,0=,1=pos")
    assert index_labels(["pos"], NAMES, where="in.csv", not_labels={"-1"}).index == {"pos": 1}


def test_an_unknown_label_that_plainly_names_a_class_comes_with_the_map() -> None:
    found = index_labels(["Pos.", "neg", "x"], NAMES, where="in.csv")
    assert unknown_label("Pos.", found, NAMES) == "unknown label 'Pos.' (classes: neg, pos); --label-map Pos.=pos"
    assert unknown_label("x", found, NAMES) == "unknown label 'x' (classes: neg, pos); if it is none: --label-map x="


def test_the_map_that_is_proposed_has_what_the_user_has_mapped_already() -> None:
    found = index_labels(["Pos.", "neg", "x"], NAMES, where="in.csv")
    mapped = (("minus", "neg"), ("skip", ""))
    assert unknown_label("Pos.", found, NAMES, mapped=mapped).endswith("--label-map minus=neg,skip=,Pos.=pos")
    assert unknown_label("x", found, NAMES, mapped=mapped).endswith("if it is none: --label-map minus=neg,skip=,x=")


def test_rows_of_one_unknown_label_are_one_line_which_says_how_many_they_are() -> None:
    bad, odd = "unknown label 'bil' (classes: a, b)", "unknown label 'x' (classes: a, b)"
    refused = [("a row 1", bad), ("a row 2", "label is null"), ("a row 3", odd), ("a row 4", "label is null")]
    lines = refused_lines([*refused, *((f"a row {row}", bad) for row in range(5, 1_205)), ("a row 1,206", odd)])
    assert lines == [
        f"a row 1 and 1,200 more rows: {bad}", "a row 2: label is null", f"a row 3 and 1 more row: {odd}",
        "a row 4: label is null",
    ]  # fmt: skip
    assert [rows_of_line(line) for line in lines] == [1_201, 1, 2, 1]
    assert rows_of_line(refused_line("a row 1", odd)) == 1


def test_numbers_among_names_are_a_warning() -> None:
    (note,) = doubtful_names(["0", "1", "negative", "positive"])
    assert "numbers (0, 1) and others names (negative, positive)" in note
    assert doubtful_names(["0", "1"]) == []


@pytest.mark.parametrize(
    "form",
    ["{}.", '"{}"', "**{}**", "Label: {}", "Sentiment: {}.", "the class is '{}'.", "[{}]", "`{}`", "Answer = {}"],
)
def test_a_label_that_plainly_names_a_class_is_filled_in(form: str) -> None:
    labels = [form.format("Good"), form.format("bad"), form.format("not good")]
    way = say_which(labels, ["bad", "good"])
    pairs = zip(labels, ["good", "bad", "CLASS"], strict=True)
    assert way == f"Say which class each is, and LABEL= for one that is none: --label-map {label_map_text(list(pairs))}"
