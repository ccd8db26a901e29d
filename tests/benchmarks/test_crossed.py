"""The interval of a difference over seeds and rows, in the cases in which a simpler one is right."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.yelp.crossed import crossed


def test_of_one_seed_it_is_over_rows():
    random = np.random.default_rng(0)
    ours, others = random.random((1, 300)) < 0.9, random.random((1, 300)) < 0.8
    differences = (ours.astype(float) - others)[0]
    expected = stats.ttest_1samp(differences, 0)
    low, high = expected.confidence_interval(0.95)
    found = crossed(ours, others)
    assert (found["low"], found["high"], found["p_value"]) == pytest.approx((low, high, expected.pvalue))
    assert found["mean"] == pytest.approx(differences.mean())


def test_where_all_rows_say_the_same_it_is_over_seeds():
    right = np.array([[True], [True], [False], [True]]).repeat(50, axis=1)
    others = np.array([[False], [True], [True], [True]]).repeat(50, axis=1)
    expected = stats.ttest_1samp([1, 0, -1, 0], 0)
    low, high = expected.confidence_interval(0.95)
    found = crossed(right, others)
    assert (found["low"], found["high"], found["p_value"]) == pytest.approx((low, high, expected.pvalue))
    assert (found["degrees_of_freedom"], found["by_seed"]) == (3, [1, 0, -1, 0])


def test_rows_that_every_seed_gets_alike_are_no_more_rows():
    random = np.random.default_rng(1)
    one, other = random.random((1, 400)) < 0.9, random.random((1, 400)) < 0.85
    alone, repeated = crossed(one, other), crossed(one.repeat(5, axis=0), other.repeat(5, axis=0))
    assert repeated["high"] - repeated["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.01)


def test_the_truth_is_inside_as_often_as_it_says():
    random, inside = np.random.default_rng(2), 0
    for _ in range(300):
        of_seed, of_row = random.normal(0, 0.02, (2, 5, 1)), random.normal(0, 0.1, 400)
        right = [random.random((5, 400)) < np.clip(0.85 + one + of_row, 0, 1) for one in of_seed]
        found = crossed(*right)
        inside += found["low"] <= 0 <= found["high"]
    assert 270 <= inside <= 297  # 0.90 to 0.99


def test_recipes_that_are_the_same_differ_by_nothing():
    same = np.ones((3, 20), np.bool_)
    found = crossed(same, same)
    assert (found["mean"], found["low"], found["high"], found["p_value"]) == (0, 0, 0, 1)
