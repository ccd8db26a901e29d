"""How much each row weighs: 1 on the mean over the rows that are trained on, frozen with the run, refused by row."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import EXTRAS, add_corpus, add_labels, make_store, repair_labels, write_header

from engine.errors import TrainingError
from engine.training.data.row_weights import frozen_weights, weigh, weights_sha256
from engine.training.distributed import Ranks
from engine.training.output.run_folder import WEIGHTS, RunFolder
from store.errors import QueryError
from store.gold.fingerprint import fingerprints
from store.rows.row_set import RowSet
from store.selections.selection import Selection, freeze_selection

ROWS = 60
FAILED, ALSO_FAILED = [0, 7, 59], [7, 20]
STARS = np.array([np.nan if row % 6 == 5 else row % 5 + 1 for row in range(ROWS)])
CHOSEN = list(range(10, 40))


@pytest.fixture(scope="module")
def made():
    """60 rows with stars, three of which failed in ``bert`` and two in ``roberta``; a selection of 30."""
    made = write_header(rows=ROWS, shards=4, extras=EXTRAS)
    add_corpus(made)
    add_labels(made, "bert", failed=FAILED)
    add_labels(made, "roberta", seed=1, failed=ALSO_FAILED)
    rows = RowSet.of(np.array(CHOSEN), size=ROWS)
    freeze_selection(made, Selection(name="middle", rows=rows, sources=fingerprints(made, ["corpus"])))
    return made


def confidences(made, labels="bert"):
    table = made.sql("SELECT row, confidence FROM reviews ORDER BY row", labels=labels)
    return table.column("confidence").to_numpy(zero_copy_only=False).astype(np.float64)


def trained_rows(*, labels=("bert",), select=None):
    lost = {row for name, rows in (("bert", FAILED), ("roberta", ALSO_FAILED)) if name in labels for row in rows}
    return np.array(sorted(set(CHOSEN if select else range(ROWS)) - lost))


@pytest.mark.parametrize("labels", [("bert",), ("roberta",), ("bert", "roberta")])
@pytest.mark.parametrize("select", [None, "middle"])
def test_the_mean_is_1_over_the_rows_that_are_trained_on_and_others_weigh_nothing(made, labels, select):
    weights = weigh(made, "confidence * confidence", labels=labels, select=select)
    trained = trained_rows(labels=labels, select=select)
    assert weights.dtype == np.float32
    assert weights.shape == (ROWS,)
    expected = np.zeros(ROWS)
    expected[trained] = confidences(made, labels[0])[trained] ** 2
    np.testing.assert_allclose(weights, expected / expected[trained].mean(), rtol=1e-6)
    assert weights[trained].mean() == pytest.approx(1, rel=1e-6)
    assert not np.delete(weights, trained).any()


def test_of_several_label_sets_the_first_is_asked(made):
    one, two = (
        weigh(made, "confidence", labels=names, select=None) for names in (("bert", "roberta"), ("roberta", "bert"))
    )
    assert np.abs(one - two).max() > 0.01


@settings(max_examples=12, deadline=None)
@given(
    values=st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=5, max_size=5).filter(lambda found: max(found) > 1e-3)
)
def test_any_weights_have_a_mean_of_1_and_keep_their_ratios(made, values):
    cases = " ".join(f"WHEN {number} THEN {value!r}" for number, value in enumerate(values))
    weights = weigh(made, f"CASE row % 5 {cases} END", labels=("bert",), select=None)
    trained = trained_rows()
    asked = np.array(values)[trained % 5]
    assert weights[trained].mean(dtype=np.float64) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(weights[trained], asked / asked.mean(), rtol=1e-5, atol=1e-30)


def test_a_constant_weighs_1(made):
    weights = weigh(made, "17", labels=("bert",), select=None)
    assert weights[trained_rows()].tolist() == [1.0] * 57


def test_a_condition_weighs_1_or_0_before_it_is_scaled(made):
    weights = weigh(made, "row % 2 = 0 -- the even ones", labels=("roberta",), select=None)
    trained = trained_rows(labels=("roberta",))
    even = trained[trained % 2 == 0]
    assert set(weights[even].tolist()) == {np.float32(58 / len(even))}
    assert weights[1::2].max() == 0


def test_weights_may_come_from_gold_and_from_all_rows(made):
    weights = weigh(
        made, "CASE WHEN gold = prediction THEN 2 ELSE 1 END / max(row) OVER ()", labels=("bert",), select=None
    )
    assert len(set(weights[trained_rows()].tolist())) == 2


@pytest.mark.parametrize("scale", ["1e300", "1e-300", "1e308", "5e-324"])
def test_very_large_and_very_small_weights_have_a_mean_of_1(made, scale):
    weights = weigh(made, f"CAST({scale} AS DOUBLE)", labels=("bert",), select=None)
    np.testing.assert_allclose(weights[trained_rows()], 1, rtol=1e-6)


# refused


BAD = [
    ("stars", "nan", 5, 8),
    ("NULL", "nan", 1, 56),
    ("CASE WHEN row = 33 THEN 'nan' ELSE '1' END", "nan", 33, 0),
    ("CASE WHEN row IN (31, 35) THEN 'inf' ELSE '1' END", "inf", 31, 1),
    ("row - 2", "-1.0", 1, 0),
    ("30 - row", "-1.0", 31, 27),
]


@pytest.mark.parametrize(("expression", "value", "row", "others"), BAD)
def test_a_weight_that_is_none_is_refused_by_its_first_row(made, expression, value, row, others):
    """Row 0 failed: what an expression gives for it does not matter."""
    with pytest.raises(TrainingError) as refused:
        weigh(made, expression, labels=("bert",), select=None)
    assert str(refused.value) == (
        f"--weight {expression!r} gives {value} for row {row} and nothing better for {others} others; it must be a "
        "finite number from 0 on. coalesce(…, 1) and greatest(…, 0) help"
    )


def test_a_remedy_of_the_message_helps(made):
    weights = weigh(made, "coalesce(stars, 1)", labels=("bert",), select=None)
    expected = np.where(np.isnan(STARS), 1, STARS)[trained_rows()]
    np.testing.assert_allclose(weights[trained_rows()], expected / expected.mean(), rtol=1e-6)
    assert weigh(made, "greatest(row - 30, 0)", labels=("bert",), select=None)[:31].max() == 0


def test_bad_weights_of_rows_that_are_not_trained_on_do_no_harm(made):
    """Those that failed in any label set, and those that the selection has not."""
    expression = "CASE WHEN row BETWEEN 10 AND 39 AND row <> 20 THEN 1 ELSE -1 END"
    with pytest.raises(TrainingError, match="gives -1.0 for row 1 "):
        weigh(made, expression, labels=("bert",), select=None)
    with pytest.raises(TrainingError, match="gives -1.0 for row 20 "):
        weigh(made, expression, labels=("bert",), select="middle")
    weights = weigh(made, expression, labels=("bert", "roberta"), select="middle")
    assert np.flatnonzero(weights).tolist() == [row for row in CHOSEN if row != 20]


def test_weights_of_which_none_counts_are_refused(made):
    with pytest.raises(TrainingError, match="--weight '0' gives 0 for every row; there is nothing to learn from"):
        weigh(made, "0", labels=("bert",), select=None)
    with pytest.raises(TrainingError, match="gives 0 for every row"):
        weigh(made, "row >= 40", labels=("bert",), select="middle")


@pytest.mark.parametrize(
    "expression",
    ["", "1, 2", "mood", "'many'", "confidence FROM reviews", "max(confidence)", "1; SELECT 1", "(1", "1) -- ", "*", "[1]",
     "1 AS a", "SELECT 1, 2"],
)  # fmt: skip
def test_what_is_no_single_number_a_row_is_refused(made, expression):
    with pytest.raises((QueryError, TrainingError)):
        weigh(made, expression, labels=("bert",), select=None)


@pytest.mark.parametrize(
    "expression",
    [
        "1) AS DOUBLE), CAST((2",
        "1) AS DOUBLE) AS weight FROM (SELECT * FROM reviews UNION ALL SELECT * FROM reviews) /*",
        "1) AS DOUBLE) AS weight, CAST((confidence",
    ],
)
def test_an_expression_that_closes_what_is_around_it_is_refused(made, expression):
    """It is one expression or none: of several columns nobody says which one weighs."""
    with pytest.raises(QueryError):
        weigh(made, expression, labels=("bert",), select=None)


# frozen with the run


ALONE = Ranks(rank=0, count=1, device=torch.device("cpu"))


class Second(Ranks):
    """The second of two ranks, whom the first has met already."""

    def meet(self):
        pass


def frozen(folder, made, expression="confidence", *, ranks=ALONE, select=None):
    return frozen_weights(folder, made, expression, labels=("bert",), select=select, ranks=ranks)


def test_a_run_that_goes_on_has_the_weights_that_it_was_begun_with(tmp_path):
    """The labels have changed since, and random() would give others."""
    made = make_store(rows=ROWS, labels=["bert"])
    for seed, (name, expression) in enumerate((("labels", "confidence"), ("chance", "random()")), start=7):
        folder = RunFolder(str(tmp_path / name))
        with folder.locked():
            weights = frozen(folder, made, expression)
            folder.begin({"weight": expression})
            repair_labels(made, "bert", shard=1, seed=seed)
            again = frozen(RunFolder(str(tmp_path / name)), made, expression)
            assert np.array_equal(again, weights)
            assert again.dtype == np.float32
            assert not np.array_equal(weigh(made, expression, labels=("bert",), select=None), weights)
            assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "run.json", WEIGHTS]


def test_a_run_that_had_not_begun_weighs_anew(tmp_path):
    """It was killed between its weights and its beginning."""
    made = make_store(rows=ROWS, labels=["bert"])
    np.save(tmp_path / WEIGHTS, np.full(ROWS, 9, np.float32))
    folder = RunFolder(str(tmp_path))
    weights = frozen(folder, made)
    assert np.array_equal(weights, weigh(made, "confidence", labels=("bert",), select=None))
    assert np.array_equal(np.load(tmp_path / WEIGHTS), weights)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_every_rank_has_the_weights_of_the_first(tmp_path):
    """Also where each would have others."""
    made = make_store(rows=ROWS, labels=["bert"])
    first = frozen(RunFolder(str(tmp_path)), made, "random()")
    second = Second(rank=1, count=2, device=torch.device("cpu"))
    assert np.array_equal(frozen(RunFolder(str(tmp_path)), made, "random()", ranks=second), first)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_weights_that_are_refused_leave_nothing(tmp_path):
    made = make_store(rows=ROWS, labels=["bert"])
    with pytest.raises(TrainingError):
        frozen(RunFolder(str(tmp_path)), made, "-1")
    assert list(tmp_path.iterdir()) == []


def test_frozen_weights_that_are_damaged_are_refused_by_name(tmp_path):
    made = make_store(rows=ROWS, labels=["bert"])
    folder = RunFolder(str(tmp_path))
    with folder.locked():
        frozen(folder, made)
        folder.begin({})
    for left in (b"", (tmp_path / WEIGHTS).read_bytes()[:100]):
        (tmp_path / WEIGHTS).write_bytes(left)
        with pytest.raises(TrainingError, match=f"{tmp_path}/{WEIGHTS}"):
            frozen(folder, made)


def test_the_hash_is_of_the_numbers():
    weights = np.array([1.0, 0.5, 0.0], np.float32)
    assert weights_sha256(weights) == weights_sha256(weights.astype(">f4")) == weights_sha256(weights.copy())
    assert weights_sha256(weights) != weights_sha256(np.nextafter(weights, np.float32(2)))
    assert len(weights_sha256(weights)) == 64
