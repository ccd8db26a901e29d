"""Agreement of annotators: the published examples to their last digit, and where it is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.answers.agreement import Agreement, fleiss_kappa, krippendorff_alpha

# Krippendorff (2011), section C: four observers, twelve units, five values, and missing ones.
OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
# Fleiss's kappa, as Wikipedia works it out: ten subjects, fourteen raters, five categories.
SUBJECTS = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip


def counts_of(matrix: str, classes: int) -> np.ndarray:
    units = zip(*(line.split() for line in matrix.strip().splitlines()), strict=True)
    return np.array([[unit.count(str(value)) for value in range(1, classes + 1)] for unit in units])


def test_krippendorffs_own_example():
    counts = counts_of(OBSERVERS, 5)
    assert counts.shape == (12, 5)
    assert krippendorff_alpha(counts) == pytest.approx(
        904 / 1216
    )  # by hand: n = 40, Σ o_cc = 32, Σ n_c (n_c - 1) = 344
    assert round(904 / 1216, 3) == 0.743
    assert fleiss_kappa(counts) is None  # units have two, three and four observers


def test_fleiss_example():
    assert round(fleiss_kappa(SUBJECTS), 3) == 0.210
    assert krippendorff_alpha(SUBJECTS) == pytest.approx(1 - (1 - fleiss_kappa(SUBJECTS)) * 139 / 140)


def test_krippendorffs_binary_example():
    # The same paper, section A: two observers, ten units, 0 and 1; α = 0.095.
    one, two = "0100000000", "1110010010"
    counts = np.array([[pair.count("0"), pair.count("1")] for pair in map("".join, zip(one, two, strict=True))])
    assert round(krippendorff_alpha(counts), 3) == 0.095


def test_all_agree_and_all_disagree():
    assert krippendorff_alpha(np.array([[2, 0], [0, 2]])) == fleiss_kappa(np.array([[2, 0], [0, 2]])) == 1
    assert krippendorff_alpha(np.array([[1, 1], [1, 1]])) == pytest.approx(-0.5)
    assert fleiss_kappa(np.array([[1, 1], [1, 1]])) == pytest.approx(-1)


@pytest.mark.parametrize("counts", [[[0, 0]], [[1, 0]], [[1, 0], [0, 1]], [[3, 0], [2, 0]]])
def test_nothing_to_compare_is_undefined(counts):
    assert krippendorff_alpha(np.array(counts)) is None
    assert fleiss_kappa(np.array(counts)) is None


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=12), st.integers(0, 12))
def test_units_may_come_in_parts_and_empty_ones_say_nothing(units, cut):
    whole = np.array(units, np.int64).reshape(-1, 3)
    parts = Agreement(3)
    for part in (whole[:cut], np.zeros((2, 3), np.int64), whole[cut:]):
        parts.add(part)
    assert (parts.alpha, parts.kappa) == pytest.approx((krippendorff_alpha(whole), fleiss_kappa(whole)))
