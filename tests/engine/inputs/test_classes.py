"""Labels as written → class names and indices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.classes import MAX_CLASSES, check_class_names, classes_of, indexer

NAMES = ["neg", "pos"]


def test_a_label_is_a_name_or_an_index() -> None:
    index_of = indexer(NAMES)
    assert [index_of(label) for label in ("neg", "pos", "0", "1")] == [0, 1, 0, 1]


@pytest.mark.parametrize("label", ["2", "-1", "Pos", " pos", "pos ", "", "1.0", "01", "+1", "\u0661", "\u00b9"])
def test_another_label_has_no_index(label: str) -> None:
    assert indexer(NAMES)(label) is None


def test_where_names_are_numbers_a_label_is_never_an_index() -> None:
    index_of = indexer(["1", "2", "3"])
    assert [index_of(label) for label in ("1", "2", "3")] == [0, 1, 2]
    assert index_of("0") is None


@given(order=st.permutations(["0", "1", "2", "10", "x"]))
def test_every_class_has_its_own_index(order: list[str]) -> None:
    assert [indexer(order)(name) for name in order] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("labels", "known", "classes"),
    [
        ({"pos", "neg"}, None, ["neg", "pos"]),
        ({"10", "9", "1"}, None, ["1", "9", "10"]),
        ({"0", "1"}, None, ["0", "1"]),
        ({"1", "x"}, None, ["1", "x"]),
        ({"-1", "1"}, None, ["-1", "1"]),
        ({"pos", "neg"}, ["pos", "neg"], ["pos", "neg"]),
        ({"pos"}, ["neg", "pos"], ["neg", "pos"]),
        (set(), ["neg", "pos"], ["neg", "pos"]),
        ({"0", "1"}, ["neg", "pos"], ["neg", "pos"]),
        ({"0"}, ["neg", "pos"], ["neg", "pos"]),
    ],
)
def test_classes_come_from_the_model_where_labels_fit_it_and_else_from_the_labels(
    labels: set[str], known: list[str] | None, classes: list[str]
) -> None:
    assert classes_of(labels, known) == classes


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ({"1", "2"}, ["neg", "pos"]),
        ({"1"}, ["neg", "pos"]),
        ({"0", "1", "2"}, ["neg", "pos"]),
        ({"0", "00"}, ["neg", "pos"]),
        ({"0", "neg"}, ["neg", "pos"]),
        ({"0", "1"}, ["1", "2"]),
        ({"1", "2", "3", "4", "5"}, ["a", "b", "c", "d", "e", "f"]),
    ],
)
def test_labels_that_do_not_fit_the_model_are_never_taken_as_indices_of_its_classes(
    labels: set[str], known: list[str]
) -> None:
    assert classes_of(labels, known) == sorted(labels)


@pytest.mark.parametrize("labels", [{"1", "01", "001"}, {"7" * 5000, "1"}])
def test_the_order_of_classes_depends_on_nothing_but_the_labels(labels: set[str]) -> None:
    assert classes_of(labels, None) == classes_of(frozenset(sorted(labels)), None) == sorted(labels)


@given(labels=st.sets(st.text("01289", min_size=1, max_size=3), min_size=1, max_size=8))
def test_every_label_has_an_index_among_the_classes_made_of_it(labels: set[str]) -> None:
    classes = classes_of(labels, None)
    assert sorted(classes) == sorted(labels)
    assert {indexer(classes)(label) for label in labels} == set(range(len(labels)))


def test_labels_too_many_to_be_classes_are_refused() -> None:
    with pytest.raises(InputError, match="1,001 different labels"):
        classes_of({f"l{number}" for number in range(MAX_CLASSES + 1)}, None)
    assert len(classes_of({f"l{number}" for number in range(MAX_CLASSES)}, None)) == MAX_CLASSES


def test_without_labels_and_a_model_there_are_no_classes() -> None:
    with pytest.raises(InputError, match="name them with --classes"):
        classes_of(set(), None)


@pytest.mark.parametrize("classes", [[], ["a"], ["a", "a"], ["a", ""], ["a", " "]])
def test_what_cannot_be_classes_is_refused(classes: list[str]) -> None:
    with pytest.raises(InputError, match="at least two different names are needed"):
        check_class_names(classes)


def test_more_classes_than_an_index_can_count_are_refused() -> None:
    check_class_names([str(number) for number in range(32_767)])
    with pytest.raises(InputError, match="at most 32,767"):
        check_class_names([str(number) for number in range(32_768)])
