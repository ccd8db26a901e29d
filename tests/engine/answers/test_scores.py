"""Columns of scores: which they are, whether they are probabilities or logits, and where they lie."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.answers.columns import AnswerColumns
from engine.answers.scores.kind import ScoreShapes, decide_kind
from engine.answers.scores.numbers import numbers_of
from engine.answers.scores.table import ScoreTable
from engine.errors import InputError, MissingColumnError

CLASSES = ("negative", "positive")


def columns(names, *, classes=CLASSES, scores=None):
    found = AnswerColumns(classes=classes, scores=scores).score_columns(names, file="a.csv")
    return None if found is None else (found.names, found.declared)


def kind(*scores, declared=(), given_kind=None):
    shapes = ScoreShapes(declared=set(declared))
    array = np.array(scores, np.float64)
    shapes.add(array, file="a.csv", rows=np.arange(1, len(array) + 1))
    return decide_kind(shapes, given_kind, where="a.csv")


@pytest.mark.parametrize(
    ("names", "declared"),
    [
        (("negative", "positive"), None),
        (("Negative", "POSITIVE"), None),
        (("score_negative", "score_positive"), None),
        (("p_negative", "p_positive"), "probabilities"),
        (("probability_negative", "probability_positive"), "probabilities"),
        (("probability-negative", "Probability Positive"), "probabilities"),
        (("logit_negative", "logit_positive"), "logits"),
    ],
)
def test_columns_are_found_by_the_names_of_classes(names, declared):
    assert columns(["id", "text", *reversed(names), "confidence"]) == (names, declared)


@pytest.mark.parametrize("names", [["id"], ["negative"], ["p_negative", "positive"], ["p_negative", "logit_positive"]])
def test_not_every_class_has_one(names):
    assert columns(names) is None


def test_names_with_spaces_and_numbers():
    assert columns(["p_0", "p_1", "1"], classes=("0", "1")) == (("p_0", "p_1"), "probabilities")
    assert columns(["p_very_good", "p_so_so"], classes=("very good", "so-so"))[0] == ("p_very_good", "p_so_so")
    assert columns(["p_a_b"], classes=("a b", "a-b")) is None


def test_two_sets_of_columns_need_a_word():
    names = ["p_negative", "p_positive", "logit_negative", "logit_positive"]
    with pytest.raises(InputError, match=r"could each be the scores of the classes; say which with --scores"):
        columns(names)
    assert columns(names, scores="logits") == (("logit_negative", "logit_positive"), "logits")
    assert columns(names, scores="probabilities")[0] == ("p_negative", "p_positive")
    with pytest.raises(InputError, match="leave out or rename all of them but one"):
        columns([*CLASSES, "score_negative", "score_positive"], scores="logits")


def test_scores_of_some_classes_alone_are_refused_unless_there_are_labels():
    wanted = AnswerColumns(classes=CLASSES)
    with pytest.raises(
        MissingColumnError, match=r"\('p_positive'\), and those of 'negative' have none: write 'p_negat"
    ):
        wanted.needs_label(["id", "p_positive"], file="a.csv")
    assert wanted.needs_label(["id", "label", "positive"], file="a.csv")
    assert not wanted.needs_label(["id", "label", *CLASSES], file="a.csv")
    assert AnswerColumns(classes=CLASSES, label="label").needs_label(["id", "label", *CLASSES], file="a.csv")


@pytest.mark.parametrize("flag", ["confidence", "annotator"])
def test_a_column_that_is_named_and_not_there(flag):
    wanted = AnswerColumns(classes=CLASSES, **{flag: "who"})
    with pytest.raises(MissingColumnError, match=rf"no column 'who' for --{flag} \(columns: id, label\)"):
        wanted.needs_label(["id", "label"], file="a.csv")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([(0.2, 0.8), (1, 0), (0.333, 0.667)], "probabilities"),
        ([(0.33, 0.66), (0.5, 0.5)], "probabilities"),
        ([(1e-9, 1 + 1e-9), (0.1, 0.9)], "probabilities"),
        ([(-1.5, 2), (3, 0.1)], "logits"),
        ([(-0.1, -2.4), (-3, -0.05)], "logits"),  # log-probabilities
        ([(0.25, 0.75), *[(-2, 4)] * 19], "logits"),  # one row in twenty looks like the other kind
    ],
)
def test_the_kind_is_told_by_all_rows(scores, expected):
    found, how = kind(*scores)
    assert found == expected
    assert ("sum to 1" in how) == (expected == "probabilities") or "do not sum to 1" in how


@pytest.mark.parametrize(
    ("scores", "declared", "why"),
    [
        ([(0.2, 0.8), (0.9, 0.8)], (), r"1 of 2 rows do not sum to 1 \(a\.csv row 2 has 0\.9, 0\.8\)"),
        ([(0.2, 0.3)], (), "do not sum to 1"),
        ([(1, 0), (0, 1)], (), "a single 1 and zeros"),
        ([(20, 80), (99.5, 0.5)], (), "sum to 100: divide percentages by 100"),
        ([(0.2, 0.8), (3, -3)], (), "1 of 2 rows have probabilities, and the others not"),
        ([(-2, 3)], ("probabilities",), "the columns are called probabilities"),
        ([(0.2, 0.8)], ("logits",), "the columns are called logits"),
    ],
)
def test_what_is_doubtful_is_refused_with_the_flag_that_settles_it(scores, declared, why):
    with pytest.raises(InputError, match=rf"{why}.*--scores probabilities .* or --scores logits"):
        kind(*scores, declared=declared)
    for given_kind in ("probabilities", "logits"):
        assert kind(*scores, declared=declared, given_kind=given_kind)[0] == given_kind


def test_another_kind_is_refused():
    with pytest.raises(InputError, match="--scores is 'odds'; it must be probabilities or logits"):
        AnswerColumns(scores="odds")


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1.5, None, float("nan"), -1.0]),
        pa.array(["1.5", "", "NaN", " -1 "]),
        pa.array(["15e-1", None, "n/a", "-1.00"]),
        pa.array(["1.5", None, "None", "-1"]),
    ],
)
def test_numbers_of_any_column(array):
    problems = [None] * 4
    np.testing.assert_array_equal(numbers_of(array, problems, "score"), [1.5, np.nan, np.nan, -1])
    assert problems == [None] * 4


def test_what_is_no_number_has_a_reason():
    problems = [None, "earlier", None, None, None]
    found = numbers_of(pa.array(["0,9", "x", "1", "inf", "1_0"]), problems, "score")
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1, np.nan, np.nan])
    assert problems == [
        "score is no number: '0,9'; write it with a point", "earlier", None, "score is not finite", "score is no number: '1_0'",
    ]  # fmt: skip
    assert numbers_of(pa.array([True, False]), [None, None], "score").tolist() == [1, 0]
    assert numbers_of(pa.array([7, None], pa.int64()), [None, None], "score")[0] == 7


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 200))
def test_scores_are_the_same_in_memory_and_in_a_file(sizes, spill_bytes):
    blocks = [np.random.default_rng(at).normal(size=(rows, 3)) for at, rows in enumerate(sizes)]
    with ScoreTable(3, spill_bytes=spill_bytes) as table:
        for block in blocks:
            table.add(block)
        expected = np.concatenate([np.empty((0, 3)), *blocks]).astype(np.float32)
        np.testing.assert_array_equal(table.all(), expected)
        assert table.rows == len(expected)
