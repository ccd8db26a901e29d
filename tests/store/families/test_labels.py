"""Logits → derived columns, against a computation of their own."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from store_factory import random_logits

from store.families.labels import NON_FINITE, derive, label_batch, label_statistics, labels_schema, softmax

shapes = st.tuples(st.integers(0, 6), st.integers(2, 7))
finite = hnp.arrays(np.float16, shapes, elements=st.floats(width=16, allow_nan=False, allow_infinity=False))
anything = hnp.arrays(np.float16, shapes, elements=st.floats(width=16))


def batch_of(logits: np.ndarray, *, first_row: int = 0) -> pa.RecordBatch:
    rows = len(logits)
    n_tokens = np.arange(rows, dtype=np.uint16)
    return label_batch(first_row=first_row, logits=logits, n_tokens=n_tokens, truncated=np.arange(rows) % 2 == 0)


def by_hand(row: np.ndarray) -> tuple[int, float, float, float]:
    """Prediction, confidence, margin and entropy, one row at a time and without numpy."""
    values = [float(value) for value in row]
    total = math.fsum(math.exp(value - max(values)) for value in values)
    probabilities = [math.exp(value - max(values)) / total for value in values]
    top, second = sorted(probabilities, reverse=True)[:2]
    entropy = -math.fsum(p * math.log(p) for p in probabilities if p > 0)
    return values.index(max(values)), top, top - second, max(0.0, entropy)


@settings(deadline=None)
@given(logits=finite)
def test_derived_columns_are_those_of_the_formula(logits: np.ndarray) -> None:
    derived = derive(logits)
    for number, row in enumerate(logits):
        prediction, confidence, margin, entropy = by_hand(row)
        assert derived.prediction[number] == prediction
        assert derived.confidence[number] == pytest.approx(confidence, rel=1e-6)
        assert derived.margin[number] == pytest.approx(margin, abs=1e-7)
        assert derived.entropy[number] == pytest.approx(entropy, abs=1e-6)


@settings(deadline=None)
@given(logits=finite)
def test_derived_columns_stay_in_their_bounds(logits: np.ndarray) -> None:
    derived, classes = derive(logits), logits.shape[1]
    assert ((derived.confidence >= np.float32(1 / classes)) & (derived.confidence <= 1)).all()
    assert ((derived.margin >= 0) & (derived.margin <= derived.confidence)).all()
    assert ((derived.entropy >= 0) & (derived.entropy <= math.log(classes) + 1e-6)).all()


def test_derived_columns_have_the_stored_types() -> None:
    derived, schema = derive(random_logits(4)), labels_schema(3)
    for name in ("prediction", "confidence", "margin", "entropy"):
        assert pa.from_numpy_dtype(getattr(derived, name).dtype) == schema.field(name).type


def test_of_equal_logits_the_first_class_is_predicted() -> None:
    derived = derive(np.array([[1, 2, 2], [0, 0, 0]], np.float16))
    assert derived.prediction.tolist() == [1, 0]
    assert derived.margin.tolist() == [0, 0]
    assert derived.entropy[1] == pytest.approx(math.log(3))


def test_the_largest_half_floats_do_not_overflow() -> None:
    derived = derive(np.array([[65504, -65504]], np.float16))
    assert (derived.confidence[0], derived.margin[0], derived.entropy[0]) == (1, 1, 0)


@settings(deadline=None)
@given(logits=finite)
def test_softmax_sums_to_one(logits: np.ndarray) -> None:
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float64
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_softmax_keeps_its_input() -> None:
    logits = np.array([[1.0, 2.0]])
    softmax(logits)
    assert logits.tolist() == [[1.0, 2.0]]


@settings(deadline=None)
@given(logits=anything)
def test_a_row_that_is_not_finite_is_null_with_a_reason(logits: np.ndarray) -> None:
    batch = batch_of(logits)
    batch.validate(full=True)
    for row, values in zip(batch.to_pylist(), logits, strict=True):
        derived = [row[name] for name in ("logits", "prediction", "confidence", "margin", "entropy")]
        if np.isfinite(values).all():
            assert row["failure"] is None
            assert None not in derived
            assert np.array_equal(np.array(row["logits"], np.float16), values)
        else:
            assert row["failure"] == NON_FINITE
            assert derived == [None] * 5


@settings(deadline=None)
@given(logits=anything)
def test_no_row_is_lost_and_statistics_count_them(logits: np.ndarray) -> None:
    batch = batch_of(logits, first_row=10)
    rows, classes = logits.shape
    failed = int((~np.isfinite(logits).all(axis=1)).sum())
    statistics = label_statistics(batch)
    assert batch.schema == labels_schema(classes)
    assert batch.column("row").to_pylist() == list(range(10, 10 + rows))
    assert statistics["failed"] == failed
    assert len(statistics["predictions"]) == classes
    assert sum(statistics["predictions"]) == rows - failed
    assert statistics["tokens"] == sum(range(rows))
    assert statistics["truncated"] == (rows + 1) // 2


def test_derived_columns_come_from_the_half_floats() -> None:
    fine = np.array([[0.1, 0.2, 0.30001]], np.float32)
    stored = fine.astype(np.float16)
    assert batch_of(stored).column("confidence")[0].as_py() == pytest.approx(by_hand(stored[0])[1], rel=1e-7)
    assert by_hand(stored[0])[1] != pytest.approx(by_hand(fine[0])[1], rel=1e-7)


def test_statistics_of_a_shard() -> None:
    logits = np.array([[4, 0], [0, 4], [0, 4], [np.inf, 0]], np.float16)
    assert label_statistics(batch_of(logits)) == {
        "failed": 1,
        "truncated": 2,
        "tokens": 6,
        "predictions": [1, 2],
        "mean_confidence": round(1 / (1 + math.exp(-4)), 6),
    }


@pytest.mark.parametrize("rows", [0, 2])
def test_statistics_without_a_labelled_row_have_no_mean(rows: int) -> None:
    statistics = label_statistics(batch_of(np.full((rows, 3), np.nan, np.float16)))
    assert statistics["mean_confidence"] is None
    assert statistics["predictions"] == [0, 0, 0]


def test_many_tokens_do_not_overflow_their_sum() -> None:
    batch = label_batch(
        first_row=0,
        logits=random_logits(100),
        n_tokens=np.full(100, 65_535, np.uint16),
        truncated=np.zeros(100, bool),
    )
    assert label_statistics(batch)["tokens"] == 6_553_500
