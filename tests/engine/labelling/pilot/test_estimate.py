"""What was measured → seconds, and the accuracy of the teacher."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.intervals import Z, wilson
from engine.labelling.parity_check import ParityCheck
from engine.labelling.pilot.accuracy import accuracy_of, design_effect
from engine.labelling.pilot.estimate import DRIFT, Crew, Pace, estimate, interval, makespan, stratum_means
from engine.labelling.pilot.forecast import Run, forecast_of, sentence
from engine.labelling.pilot.measure import Timed, pace_of, pace_of_shards
from engine.labelling.pilot.mix.mix import LENGTHS, STRATA, Mix
from engine.labelling.summary import ShardReport
from engine.units import duration


def cost(tokens):
    return tokens.astype(np.float64) ** 2


def one_stratum(rows, *, characters=10):
    table = np.zeros((len(rows), STRATA), np.int64)
    table[:, 5] = rows
    return Mix(shards=np.arange(len(rows)), rows=table, characters=characters * table, gold=np.zeros(STRATA, np.int64))


def estimated(mix, pace, crew, *, tokens=(3, 3, 3, 3)):
    return estimate(mix, pace, crew, strata=np.full(len(tokens), 5), tokens=np.array(tokens), cost=cost)


def test_seconds_are_cost_characters_and_rows_times_their_pace():
    pace = Pace(compute=0.1, prepare=0.01, write=0.001, check=2.0)
    work = estimated(one_stratum([100, 300]), pace, Crew(check_rows=8))
    # 3 tokens cost 9; one row of 256 is checked: 1 of the first shard, 2 of the second
    assert work.shards.tolist() == pytest.approx([10 + 90 + 2 + 0.1, 30 + 270 + 4 + 0.3])
    assert work.seconds == pytest.approx(406.4)
    assert work.tokens == 1200
    committed = estimated(one_stratum([100, 300]), replace(pace, commit=0.5), Crew(check_rows=8))
    assert committed.seconds == pytest.approx(407.4)
    assert work.relative == pytest.approx(DRIFT * math.sqrt(2))


def test_a_worker_that_prepares_ahead_waits_for_the_longer_of_both_and_one_that_writes_behind_for_the_longest():
    pace = Pace(compute=0.1, prepare=0.2, write=0.01)
    assert estimated(one_stratum([100]), pace, Crew(ahead=True)).seconds == pytest.approx(200 + 1)
    pace = Pace(compute=0.1, prepare=0.05, write=0.01)
    assert estimated(one_stratum([100]), pace, Crew(ahead=True)).seconds == pytest.approx(90 + 1)
    assert estimated(one_stratum([100]), pace, Crew(ahead=True, behind=True)).seconds == pytest.approx(90)


def test_texts_that_differ_more_make_the_interval_wider():
    mix, pace = one_stratum([1000]), Pace(compute=1.0, prepare=0.0, write=0.0, parts=10)
    same = estimated(mix, pace, Crew(), tokens=[10] * 20)
    other = estimated(mix, pace, Crew(), tokens=[2, 18] * 10)
    assert same.relative == pytest.approx(DRIFT * math.sqrt(1.1))
    # the standard error of a mean of costs 4 and 324, of 20 rows, as a part of 164
    error = np.std([4, 324] * 10, ddof=1) / math.sqrt(20) / 164
    assert other.relative == pytest.approx(math.sqrt(error**2 + same.relative**2), rel=1e-3)
    unsteady = estimated(mix, Pace(compute=1.0, prepare=0.0, write=0.0, spread=0.2, parts=4), Crew(), tokens=[10] * 20)
    assert unsteady.relative == pytest.approx(0.2 * math.sqrt(1.25))


def test_the_tail_of_several_workers_is_counted():
    assert makespan(np.array([3.0, 3.0, 3.0]), 2) == 6
    assert makespan(np.array([1.0, 1.0, 1.0, 5.0]), 2) == 6
    assert makespan(np.array([1.0] * 8), 3) == 3
    assert makespan(np.array([]), 3) == 0


def test_an_interval_is_as_wide_up_as_down_in_factors():
    low, high = interval(100.0, 0.1)
    assert (low * high, high / 100) == (pytest.approx(10_000), pytest.approx(math.exp(0.1 * Z)))


def test_a_stratum_without_rows_of_the_pilot_is_as_its_length_class_or_between_its_neighbours():
    strata = np.array([4] * 5 + [8] * 5 + [LENGTHS + 8] * 5)
    means = stratum_means(np.array([1.0] * 5 + [3.0] * 5 + [5.0] * 5), strata)
    assert (means[4], means[8], means[LENGTHS + 8]) == (1.0, 3.0, 5.0)
    assert means[2 * LENGTHS + 8] == 4.0, "that of the class in all files"
    assert (means[6], means[2], means[30]) == (pytest.approx(2.5), 1.0, 4.0)


def test_the_pace_is_that_of_all_parts_and_its_spread_that_between_them():
    parts = [
        Timed(cost=cost, compute_seconds=seconds, prepare_seconds=1, write_seconds=2, characters=50, rows=10)
        for cost, seconds in [(10.0, 1.0), (10.0, 1.2), (30.0, 3.0)]
    ]
    pace = pace_of(parts, check=0.5, start=3.0, padding=0.0)
    assert (pace.compute, pace.prepare, pace.write) == (pytest.approx(5.2 / 50), 3 / 150, 6 / 30)
    assert pace.spread == pytest.approx(np.std(np.log([0.1, 0.12, 0.1]), ddof=1))
    assert (pace.parts, pace.padding) == (3, 1.0)


# accuracy


def test_each_row_stands_for_its_stratum():
    population = np.zeros(STRATA, np.int64)
    population[:2] = 900, 100
    found = accuracy_of(np.array([0, 0, 1, 1]), np.array([True, True, True, False]), population)
    assert found.share == pytest.approx(0.95)
    assert found.low < 0.95 < found.high
    assert found.rows == 4
    assert accuracy_of(np.array([], np.int64), np.array([], bool), population) is None


def test_the_interval_of_the_accuracy_covers_the_truth():
    chance, covered = np.random.default_rng(0), 0
    strata = np.repeat(np.arange(6), 2000)
    right = chance.random(len(strata)) < np.array([0.99, 0.97, 0.95, 0.9, 0.8, 0.7])[strata]
    population = np.bincount(strata, minlength=STRATA)
    for _ in range(300):
        chosen = np.concatenate([chance.choice(2000, 25, replace=False) + 2000 * stratum for stratum in range(6)])
        found = accuracy_of(strata[chosen], right[chosen], population)
        covered += found.low <= right.mean() <= found.high
    assert covered >= 0.94 * 300


def test_rows_of_shards_that_differ_more_than_chance_count_less():
    population = np.zeros(STRATA, np.int64)
    population[0] = 10_000
    strata, clusters = np.zeros(400, np.int64), np.repeat(np.arange(4), 100)
    alike = np.arange(400) % 10 > 0
    other = np.arange(400) % 100 >= np.repeat([0, 5, 10, 25], 100)
    narrow, wide = (accuracy_of(strata, right, population, clusters=clusters) for right in (alike, other))
    plain = accuracy_of(strata, alike, population)
    assert narrow == plain, "shards that are as good as each other are no clusters"
    assert (narrow.share, wide.share) == (pytest.approx(0.9), pytest.approx(0.9))
    effect = design_effect(other / 400 - 0.9 / 400, clusters)
    # the shards' sums are 0.1, 0.05, 0 and -0.15 of 4; the rows' own variance is 0.9 · 0.1 / 400
    assert effect == pytest.approx((0.1**2 + 0.05**2 + 0.15**2) / 16 * 4 / 3 / (0.09 / 400))
    assert (wide.low, wide.high) == pytest.approx(wilson(0.9, 400 / effect))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


# the forecast


def run(**changes):
    facts = {"store": "s", "name": "t", "device": "cpu", "dtype": "fp32", "max_length": 64, "devices": 1}
    return Run(**{**facts, "crew": Crew(), **changes})


def forecast(**changes):
    pace = Pace(compute=0.1, prepare=0, write=0, start=2.0, label_bytes=40, token_bytes=2)
    work = estimated(one_stratum([100, 100]), pace, Crew())
    return forecast_of(run(**changes), work, pace, rows=200, pilot=(4, 0), accuracy=None)


def test_a_forecast_adds_what_comes_before_and_counts_what_is_written():
    made = forecast(preparing=(5.0, 1000))
    assert (made.seconds, made.seconds_preparing) == (187.0, 7.0)
    assert made.rows_per_second == pytest.approx(200 / 180, abs=0.1)
    assert made.disk_bytes == 200 * 40 + round(200 * 12.2) + 600 * 2 + 1000
    assert forecast(keeps_tokens=False).disk_bytes == 200 * 40


def test_a_forecast_of_a_part_says_what_the_whole_takes_too():
    made = forecast(part="0/4", share=0.25, whole_rows=810, devices=2)
    assert (made.whole_rows, made.device_seconds, made.whole_device_seconds) == (810, 364.0, 1456.0)
    assert (forecast().whole_rows, forecast().whole_device_seconds) == (200, 182.0)


def test_a_forecast_in_a_sentence():
    assert sentence(forecast()).startswith("a pilot of 4 rows, drawn from all and not kept, forecasts 3.03 min (")
    assert "for the 200 rows that are left, and 11.6 kB on disk" in sentence(forecast())
    assert [duration(seconds) for seconds in (0.5, 89, 90, 3600, 5400, 360_000)] == [
        "0.5 s", "89 s", "1.5 min", "60 min", "1.5 h", "100 h",
    ]  # fmt: skip


def shard_report(shard, *, compute, busy, checked):
    return ShardReport(
        shard=shard, committed=True, rows=100, failed=0, tokens=500, padded_tokens=600, flops=1.0, ceiling=1.0,
        seconds=compute, busy_seconds=busy, stages={"tokenise": 1.0, "compute": compute, "write": 2.0},
        check=ParityCheck(rows=checked, largest_difference=0.0, flips=0),
    )  # fmt: skip


def test_the_first_check_of_a_worker_which_loads_a_model_is_not_taken_for_usual():
    reports = [shard_report(number, compute=10 + more, busy=10.0, checked=2) for number, more in enumerate([9, 1, 1])]
    pace = pace_of_shards(reports, [100.0] * 3, [50] * 3, label_bytes=40.0, id_bytes=2)
    assert (pace.compute, pace.check, pace.padding) == (pytest.approx(0.1), 0.5, 1.2)
    assert (pace.prepare, pace.write, pace.spread) == (pytest.approx(0.02), pytest.approx(0.02), 0.0)
