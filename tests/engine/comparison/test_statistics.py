"""Intervals, tests and distributions of `engine.comparison.statistics`, against loops, scipy and simulations."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from benchmarks.comparison.simulation import Truth, draw
from engine.comparison.results import Recipe
from engine.comparison.statistics import student_t
from engine.comparison.statistics.contrasts import DELTA, Contrast, holm, smallest_visible
from engine.comparison.statistics.crossed import difference, mean_of, mean_squares

FREEDOMS = (1, 1.5, 2, 3.7, 10, 251.3, 4_000, 1e6)


@pytest.mark.parametrize("df", FREEDOMS)
def test_t_is_that_of_scipy(df):
    for share in (0.5, 0.8, 0.975, 0.9995):
        assert student_t.quantile(share, df) == pytest.approx(stats.t.ppf(share, df), rel=1e-8, abs=1e-12)
    assert student_t.density(1.3, df) == pytest.approx(stats.t.pdf(1.3, df), rel=1e-8)
    for t in (0, 1e-4, 0.3, -1.96, 7.5, 40, 1e6):
        assert student_t.two_sided_p(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-8, abs=1e-300)
    assert student_t.two_sided_p(math.inf, df) == 0


def crossed_by_loops(values: np.ndarray) -> tuple[float, float]:
    """Variance of the mean and degrees of freedom, entry by entry as the formulas are written."""
    seeds, rows = values.shape
    mean = values.sum() / (seeds * rows)
    ms_seed = rows * sum((values[s].sum() / rows - mean) ** 2 for s in range(seeds)) / (seeds - 1)
    ms_row = seeds * sum((values[:, i].sum() / seeds - mean) ** 2 for i in range(rows)) / (rows - 1)
    left = 0.0
    for s in range(seeds):
        for i in range(rows):
            left += (values[s, i] - values[s].mean() - values[:, i].mean() + mean) ** 2
    ms_left = left / ((seeds - 1) * (rows - 1))
    cells = seeds * rows
    variance = max(ms_seed + ms_row - ms_left, ms_row) / cells
    below = (
        (ms_seed / cells) ** 2 / (seeds - 1)
        + (ms_row / cells) ** 2 / (rows - 1)
        + (ms_left / cells) ** 2 / ((seeds - 1) * (rows - 1))
    )
    return variance, max(seeds - 1, variance**2 / below)


@pytest.mark.parametrize(("seeds", "sd"), [(2, 0.0), (3, 0.01), (5, 0.002)])
def test_crossed_variance_is_that_of_the_formulas(seeds, sd):
    right = draw(Truth(accuracies=(0.9, 0.8), seeds=seeds, rows=60, seed_sd=sd), np.random.default_rng(3)).right
    found = difference(*right)
    variance, df = crossed_by_loops(right[0] - right[1])
    assert (found.variance, found.df) == pytest.approx((variance, df), rel=1e-9)
    half = stats.t.ppf(0.975, df) * math.sqrt(variance)
    mean = right[0].mean() - right[1].mean()
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - half, mean + half), rel=1e-8)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(mean) / math.sqrt(variance), df), rel=1e-7)


def test_crossed_variance_by_hand():
    # two seeds, three rows; means of seeds 2/3 and 1/3, of rows 1, 1/2, 0; what is left: ±1/6, ∓1/3, ±1/6
    values = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    found = mean_squares(values[None])
    assert found.seed[0, 0] == pytest.approx(3 * 2 * (1 / 6) ** 2)
    assert found.row[0, 0] == pytest.approx(2 * 2 * 0.25 / 2)
    assert found.residual[0, 0] == pytest.approx(2 * (1 / 36 + 1 / 9 + 1 / 36) / 2)
    assert found.variance(np.ones(1))[0] == pytest.approx(max(1 / 6 + 1 / 2 - 1 / 6, 1 / 2) / 6)


def test_weighted_arms_are_the_same_as_their_sum():
    right = draw(Truth(accuracies=(0.9, 0.8, 0.7), seeds=3, rows=40, seed_sd=0.01), np.random.default_rng(1)).right
    weights = np.array([0.5, -1.25, 2.0])
    together, alone = mean_squares(right), mean_squares(np.tensordot(weights, right, axes=1)[None])
    assert together.variance(weights) == pytest.approx(alone.variance(np.ones(1)), rel=1e-9)


def test_with_one_seed_it_is_the_paired_t_test_over_rows():
    right = draw(Truth(accuracies=(0.92, 0.88), seeds=1, rows=300, seed_sd=0), np.random.default_rng(2)).right
    found, theirs = difference(*right), stats.ttest_rel(right[0, 0], right[1, 0])
    interval = theirs.confidence_interval(0.95)
    assert (found.p_value, found.df) == pytest.approx((theirs.pvalue, theirs.df), rel=1e-8)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-8)


def test_where_no_row_differs_the_interval_is_no_point():
    same = difference(np.ones((2, 100)), np.ones((2, 100)))
    assert (same.mean, same.p_value) == (0, 1)
    assert same.high == -same.low == pytest.approx(NormalDist().inv_cdf(0.975) ** 2 / (100 + 3.8414588), rel=1e-6)
    other = difference(np.ones((3, 100)), np.zeros((3, 100)))
    assert other.mean == 1
    assert other.p_value < 1e-20
    assert mean_of(np.ones((1, 10))).low < 0.75


@pytest.mark.parametrize(("seeds", "rows"), [(3, 400), (5, 300), (10, 300)])
def test_intervals_cover_the_truth(seeds, rows):
    """Nominal 95 %, with no, little and much variance from the seeds; rows alone would be far from it.

    500 experiments say a coverage give or take 1 %; ``benchmarks/comparison/coverage.py`` has more, and peers.
    """
    random, repeats, rows_only = np.random.default_rng(1), 500, 0
    for seed_sd in (0.0, 0.008, 0.02):
        truth = Truth(accuracies=(0.94, 0.91), seeds=seeds, rows=rows, seed_sd=seed_sd)
        covered = 0
        for _ in range(repeats):
            right = draw(truth, random).right
            found = difference(*right)
            covered += found.low <= 0.03 <= found.high
            mean = (right[0] - right[1]).mean(axis=0)
            rows_only += seed_sd == 0.02 and abs(mean.mean() - 0.03) < 1.96 * mean.std() / math.sqrt(rows)
        assert 0.92 <= covered / repeats <= 0.98, (seeds, seed_sd, covered / repeats)
    assert rows_only / repeats < 0.85


def test_with_one_seed_the_interval_covers_the_difference_of_the_two_models():
    truth = Truth(accuracies=(0.94, 0.91), seeds=1, rows=1_000, seed_sd=0.01)
    random, of_models, of_recipes = np.random.default_rng(5), 0, 0
    for _ in range(800):
        drawn = draw(truth, random)
        found = difference(*drawn.right)
        of_models += found.low <= drawn.of_models[0, 0] - drawn.of_models[1, 0] <= found.high
        of_recipes += found.low <= 0.03 <= found.high
    assert 0.93 <= of_models / 800 <= 0.97
    assert of_recipes / 800 < 0.8


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.9]) == pytest.approx([1.0, 0.003, 1.0])
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


@pytest.mark.parametrize(("rows", "points"), [(4_000, 1.05), (10_000, 0.67), (20_000, 0.47), (38_000, 0.34)])
def test_smallest_visible_difference(rows, points):
    assert 100 * smallest_visible(rows, 0.0565) == pytest.approx(points, abs=0.006)


def test_the_smallest_visible_difference_is_seen_four_times_out_of_five():
    random, rows = np.random.default_rng(7), 1_000
    disagreement = float(
        np.mean(
            np.diff(draw(Truth(accuracies=(0.9, 0.9), seeds=1, rows=100_000, seed_sd=0), random).right, axis=0) != 0
        )
    )
    truth = Truth(accuracies=(0.9 + smallest_visible(rows, disagreement), 0.9), seeds=1, rows=rows, seed_sd=0)
    seen = [difference(*draw(truth, random).right).p_value < 0.05 for _ in range(400)]
    assert 0.74 <= np.mean(seen) <= 0.88


def contrast_with(low: float, high: float, p: float) -> Contrast:
    recipe = Recipe(arm="distilled", labels=10)
    return Contrast(
        first=recipe, second=recipe, difference=(low + high) / 2, low=low, high=high, p_value=p, holm_p=p,
        by_seed=(), seeds=(0, 1), rows=10, disagreement=0.1, visible=0.1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "verdict", "inferiority"),
    [
        (0.001, 0.003, "higher", "not inferior"),
        (-DELTA + 1e-6, -1e-6, "lower", "not inferior"),
        (-DELTA, 0.001, "lower", "not decided"),
        (-0.02, -DELTA, "lower", "not decided"),
        (-0.02, -DELTA - 1e-6, "lower", "inferior"),
    ],
)
def test_verdicts_at_the_margin(low, high, verdict, inferiority):
    found = contrast_with(low, high, 0.01)
    assert (found.verdict, found.inferiority) == (verdict, inferiority)
    assert contrast_with(low, high, 0.05).verdict == "not decided"
