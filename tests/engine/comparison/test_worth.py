"""What a label is worth: the line, N*, its interval by test inversion, and what is said of them."""

import dataclasses
import json
import math

import numpy as np
import pytest
from made_comparison import ACCURACIES, N, made_results, run_of
from scipy import stats

from benchmarks.comparison.simulation import Truth, draw
from engine.comparison.prices import UNKNOWN, Prices
from engine.comparison.results import DIRECT, DISTILLED, TEACHER, Recipe, Results
from engine.comparison.sentences import worth_sentences
from engine.comparison.statistics.crossed import mean_squares
from engine.comparison.statistics.error_curve import ErrorCurve, fit_errors
from engine.comparison.statistics.worth import label_worth
from engine.comparison.summary import summarise

ROWS = 1_000


def exact(errors: dict[int, int], distilled: int, *, labels: int = 1_000, seeds: int = 1, **more: Results) -> Results:
    """Results in which the arms have exactly so many of 1,000 test rows wrong, each seed others."""
    recipes = {Recipe(arm=DIRECT, labels=size): wrong for size, wrong in errors.items()}
    recipes[Recipe(arm=DISTILLED, labels=labels, pool=100)] = distilled
    recipes[Recipe(arm=TEACHER, labels=labels)] = distilled
    random, runs = np.random.default_rng(0), []
    for recipe, wrong in recipes.items():
        for seed in range(seeds):
            logits = np.tile(np.array([2, 0], np.float16), (ROWS, 1))
            logits[random.permutation(ROWS)[:wrong]] = [0, 2]
            runs.append(run_of(recipe, seed, logits))
    return Results(
        classes=("a", "b"),
        gold=np.zeros(ROWS, np.int64),
        runs=tuple(runs),
        labels=labels,
        extra=0,
        pool=100,
        seeds=seeds,
    )


def curve_of(results: Results) -> ErrorCurve:
    curve = fit_errors(results)
    assert isinstance(curve, ErrorCurve)
    return curve


def test_a_line_through_exact_errors():
    """Errors 32, 16, 8 % at 500, 1,000, 2,000 labels halve as labels double: 4 % needs 4,000, and 20 % needs 800."""
    curve = curve_of(exact({500: 320, 1_000: 160, 2_000: 80}, 40))
    assert curve.slope == pytest.approx(1)
    assert curve.labels_at(0.04) == pytest.approx(4_000)
    assert math.exp(curve.log_error(250)) == pytest.approx(0.64)
    assert curve.interpolated() is None
    inside = curve_of(exact({500: 320, 1_000: 160, 2_000: 80}, 200))
    assert inside.labels_at(0.2) == pytest.approx(800)
    assert inside.interpolated() == pytest.approx(800)


def test_least_squares_are_those_of_numpy():
    errors = {500: 310, 1_000: 190, 2_000: 85, 4_000: 70}
    curve = curve_of(exact(errors, 60))
    slope, intercept = np.polyfit(np.log(list(errors)), np.log([wrong / ROWS for wrong in errors.values()]), 1)
    assert curve.slope == pytest.approx(-slope)
    assert curve.log_error(3_000) == pytest.approx(intercept + slope * math.log(3_000))


def test_interpolation_takes_the_mean_of_neighbours_that_are_the_wrong_way_round():
    curve = curve_of(exact({500: 300, 1_000: 180, 2_000: 200, 4_000: 100}, 150))
    flat = (math.log(0.18) + math.log(0.20)) / 2
    share = (flat - math.log(0.15)) / (flat - math.log(0.10))
    assert curve.interpolated() == pytest.approx(2_000 * 2**share)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_is_where_a_test_cannot_tell(seeds):
    """The same by hand, on the values of every row, with scipy's t."""
    results = made_results(rows=2_000, seeds=seeds, seed=4, accuracies=ACCURACIES)
    curve, worth = curve_of(results), label_worth(results, curve_of(results), UNKNOWN)
    recipes = [*results.direct_sizes(), results.main(DISTILLED)]
    wrong = 1 - np.stack([results.right(results.of(one).values()) for one in recipes])
    errors, sizes = wrong.mean(axis=(1, 2)), np.log([one.labels for one in recipes[:-1]])

    def within(labels: float) -> bool:
        away = sizes - sizes.mean()
        weights = 1 / len(sizes) + (math.log(labels) - sizes.mean()) * away / (away**2).sum()
        distance = weights @ np.log(errors[:-1]) - math.log(errors[-1])
        values = np.tensordot(np.append(weights, -1) / errors, wrong, axes=1)
        if seeds == 1:
            variance, df = values[0].var(ddof=1) / 2_000, 1_999
        else:
            variance, df = mean_squares(values[None]).variance(np.ones(1))
        return abs(distance) <= stats.t.ppf(0.975, df) * math.sqrt(variance)

    assert worth.low is not None
    assert worth.low < worth.equal
    assert not within(worth.low * 0.999)
    assert within(worth.low * 1.001)
    assert within(worth.equal)
    if worth.high is not None:
        assert within(worth.high * 0.999)
        assert not within(worth.high * 1.001)
    assert curve.band(1_000)[1] < curve.band(1_000)[0] < curve.band(1_000)[2]


def test_the_interval_covers_the_truth():
    """Errors that halve with every fourfold of the labels: 500 → 16 %, 1,000 → 11.3 %, 2,000 → 8 %; 5.66 % is at 4,000."""
    sizes = (500, 1_000, 2_000)
    errors = [0.16 * (500 / size) ** 0.5 for size in (*sizes, 4_000)]
    random = np.random.default_rng(2)
    for seeds, seed_sd in ((1, 0.0), (3, 0.004), (5, 0.01)):
        covered = 0
        for _ in range(250):
            truth = Truth(accuracies=tuple(1 - one for one in errors), seeds=seeds, rows=1_500, seed_sd=seed_sd)
            wrong = 1 - draw(truth, random).right
            squares = mean_squares(wrong)
            curve = ErrorCurve(
                sizes=sizes, errors=squares.means[:-1], distilled=float(squares.means[-1]), labels=1_000,
                squares=squares, seeds=tuple(range(seeds)),
            )  # fmt: skip
            covered += curve.p_equal(4_000) >= 0.05
        assert 0.91 <= covered / 250 <= 0.99, (seeds, seed_sd, covered / 250)


def test_an_open_end_is_said():
    worth = label_worth(results := exact({1_000: 100, 2_000: 93}, 84), curve_of(results), UNKNOWN)
    assert worth.high is None
    (said,) = worth_sentences(worth, UNKNOWN)
    assert "its upper end is not determined" in said


def test_far_beyond_what_was_measured_only_more_is_said():
    results = exact({1_000: 200, 2_000: 150}, 60)
    worth = label_worth(results, curve_of(results), UNKNOWN)
    assert worth.equal > 4_000 == worth.trusted
    (said,) = worth_sentences(worth, UNKNOWN)
    assert "needs more than 4,000 labels" in said
    assert "worth more than 3,000 labels" in said
    assert f"{worth.equal:,.0f}" not in said


def test_between_one_and_two_times_the_measured_it_is_extrapolated():
    results = exact({500: 320, 1_000: 160, 2_000: 80}, 60)
    worth = label_worth(results, curve_of(results), UNKNOWN)
    assert worth.extrapolated
    (said,) = worth_sentences(worth, UNKNOWN)
    assert "needs about 2,670 labels" in said
    assert "extrapolated beyond the 2,000 that were measured" in said
    assert "worth about 1,670 labels" in said


def test_inside_the_measured_sizes_nothing_is_extrapolated():
    results = exact({500: 320, 1_000: 160, 2_000: 80}, 100)
    worth = label_worth(results, curve_of(results), UNKNOWN)
    first, second = worth_sentences(worth, UNKNOWN)
    assert "extrapolated" not in first
    assert "1,600 labels" in first
    assert "without the line: 1,600 labels" in second


def test_a_student_that_is_worse_saves_no_label():
    results = exact({500: 320, 1_000: 160, 2_000: 80}, 240)
    worth = label_worth(results, curve_of(results), Prices(device_hour=1.0))
    assert worth.equal < 1_000
    assert worth.break_even is None
    assert not worth.extrapolated
    assert "distilling saves no label" in worth_sentences(worth, Prices(device_hour=1.0))[0]


def test_below_the_fewest_labels_it_is_extrapolated_too():
    results = exact({500: 320, 1_000: 160, 2_000: 80}, 400)
    worth = label_worth(results, curve_of(results), UNKNOWN)
    assert worth.extrapolated
    assert "needs about 400 labels" in worth_sentences(worth, UNKNOWN)[0]
    assert "extrapolated below the 500 that were measured" in worth_sentences(worth, UNKNOWN)[0]


def test_errors_that_do_not_fall_have_no_worth():
    results = exact({500: 100, 1_000: 100, 2_000: 120}, 90)
    worth = label_worth(results, curve_of(results), Prices(device_hour=1.0))
    assert (worth.equal, worth.low, worth.high) == (None, None, None)
    assert "does not fall from 500 to 2,000 labels" in worth_sentences(worth, UNKNOWN)[0]


def test_errors_that_hardly_fall_have_no_worth_and_no_price():
    """The line falls by its last digits alone: the labels at which it is at 1 % are beyond all numbers."""
    results, prices = exact({1_000: 501, 2_000: 500}, 10), Prices(device_hour=1.0)
    curve = curve_of(results)
    assert curve.slope > 0
    assert curve.labels_at(curve.distilled) == math.inf
    worth = label_worth(results, curve, prices)
    assert (worth.equal, worth.low, worth.high, worth.break_even) == (None, None, None, None)
    (said,) = worth_sentences(worth, prices)
    assert "cannot be said: the error of direct training hardly falls from 1,000 to 2,000 labels" in said
    assert "Infinity" not in json.dumps(summarise(results, prices).as_dict())


def test_the_price_at_which_both_ways_cost_the_same():
    """Distilled: 450 + 1 s of training, 100 / 130 s of labelling, and 130 s for its teacher; 3 an hour."""
    results = exact({500: 320, 1_000: 160, 2_000: 80}, 100)
    prices = Prices(device_hour=3.0)
    worth = label_worth(results, curve_of(results), prices)
    (ours,) = results.of(results.main(DISTILLED)).values()
    (teacher,) = results.of(Recipe(arm=TEACHER, labels=1_000)).values()
    spent = (ours.training_seconds + ours.labelling_seconds + teacher.training_seconds) * 3 / 3600
    assert worth.break_even == pytest.approx(spent / (1_600 - 1_000))
    assert worth.break_even_low == pytest.approx(spent / (worth.high - 1_000))
    assert worth.break_even_low < worth.break_even < worth.break_even_high
    assert "Distilling is the cheaper way where a label costs more than" in worth_sentences(worth, prices)[-1]


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (exact({1_000: 90}, 60), "1 number of labels"),
        (exact({500: 90, 1_000: 0}, 60), "an error of 0 has no logarithm"),
    ],
)
def test_why_there_is_no_line_is_said(results, words):
    assert words in fit_errors(results)
    said = summarise(results)
    assert said.worth is None
    assert words in said.worth_lacking
    assert any(words in sentence for sentence in said.sentences)


def test_without_a_common_seed_there_is_no_line():
    whole = made_results(rows=200, seeds=2)
    halves = tuple(run for run in whole.runs if (run.seed == 0) == (run.arm == DISTILLED))
    apart = Results(classes=whole.classes, gold=whole.gold, runs=halves, labels=N, extra=N, pool=whole.pool, seeds=2)
    assert "no seed has" in fit_errors(apart)


@pytest.mark.parametrize("sizes", [(160, 240), (100, 300, 900), (1_000, 1_001), (7, 11, 13, 17)])
@pytest.mark.parametrize(("wrong", "distilled"), [(300, 300), (300, 100), (71, 70), (333, 334)])
def test_equal_errors_are_no_line_and_not_what_rounding_leaves_of_one(sizes, wrong, distilled):
    results = exact(dict.fromkeys(sizes, wrong), distilled, labels=sizes[0], seeds=2)
    curve = curve_of(results)
    worth = label_worth(results, curve, Prices(device_hour=1.0))
    assert curve.slope == 0
    assert (worth.equal, worth.low, worth.high, worth.break_even) == (None, None, None, None)
    assert "does not fall" in worth_sentences(worth, UNKNOWN)[0]


def test_the_same_models_at_all_sizes_are_no_line_either():
    """All arms have the same rows wrong: nothing is left of any variance."""
    results = exact({160: 300, 240: 300}, 300, labels=160)
    same = dataclasses.replace(
        results, runs=tuple(dataclasses.replace(run, logits=results.runs[0].logits) for run in results.runs)
    )
    curve = curve_of(same)
    assert (curve.slope, curve.p_equal(200.0), curve.p_equal(2_000.0)) == (0, 1, 1)
    comparison = summarise(same, UNKNOWN)
    assert comparison.worth is None or comparison.worth.equal is None
    assert all(one.visible > 0.004 for one in comparison.contrasts)
    assert "0.00 points" not in comparison.sentences[0]
