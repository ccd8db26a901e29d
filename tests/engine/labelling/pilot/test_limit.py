"""``--max-hours``, with a clock of its own; and what a watch makes of the shards that are done."""

import pytest
from whole_run import OpenedJob, begin, freeze_card, labeller_for, write_input

from engine.errors import LabellingError
from engine.labelling.execute import execute
from engine.labelling.pilot.forecast import Forecast
from engine.labelling.pilot.limit import TimeLimit
from engine.labelling.pilot.watch import Watch
from engine.labelling.runners.in_process import InProcess
from engine.units import duration
from store.format.run_log import read_runs
from store.storage import MemoryStorage


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def expects(seconds, low=None, high=None):
    return Forecast(
        store="s", name="one", rows=100, shards=5, pilot_rows=9, pilot_shards=0, seconds=seconds,
        seconds_low=seconds if low is None else low, seconds_high=seconds if high is None else high,
        seconds_preparing=0.0, seconds_labelling=seconds, devices=1, device_seconds=seconds, rows_per_second=1.0,
        tokens=900, padding=1.0,
        disk_bytes=0, disk_free=None, gold_rows=0, accuracy=None, accuracy_low=None, accuracy_high=None, device="cpu",
        dtype="fp32", max_length=16, part=None, whole_rows=100, whole_device_seconds=seconds,
    )  # fmt: skip


def limited(hours=1.0):
    clock = Clock()
    return TimeLimit(hours, clock=clock), clock


def test_a_run_that_cannot_end_in_time_is_refused_with_the_forecast_and_the_ways_out():
    limit, clock = limited()
    limit.check(expects(3700, low=3500))
    clock.now += 200
    with pytest.raises(LabellingError, match="--max-hours is 1. Nothing was labelled") as refused:
        limit.check(expects(3700, low=3500, high=3900), begun=False)
    message = str(refused.value)
    assert f"{duration(3700)} ({duration(3500)} to {duration(3900)}), {duration(200)} are spent already" in message
    assert "--worker 0/N" in message
    assert "another --name" not in message
    with pytest.raises(LabellingError, match="What was committed stays.*under another --name"):
        limit.check(expects(3700, low=3500))


def test_a_run_that_turns_out_slower_is_stopped_when_it_is_plain():
    limit, clock = limited()
    limit.check(expects(3000, low=2700))
    clock.now += 900
    limit.follow(done=0.2, shards=2)  # too few to say
    limit.follow(done=0.25, shards=3)  # 2,700 s more, 2,430 with luck
    limit.follow(done=0.999, shards=3)
    with pytest.raises(LabellingError, match=r"15 min are spent, and at least 54 min more are needed.*20% of the work"):
        limit.follow(done=0.2, shards=3)


def test_a_run_is_stopped_when_the_time_is_up_unless_it_is_done():
    limit, clock = limited()
    limit.check(expects(3000))
    clock.now += 3601
    limit.follow(done=1.0, shards=9)
    with pytest.raises(LabellingError, match="60 min are spent: --max-hours is 1"):
        limit.follow(done=0.5, shards=1)


# a watch in a run


def watched(made, watch):
    freeze_card(made, "one")
    job = OpenedJob("one", labeller_for(made, "one"))
    return execute(made, job, InProcess("cpu"), watch=watch)


@pytest.fixture
def made(tmp_path):
    return begin(MemoryStorage(), write_input(tmp_path), shards=5)


def test_shards_of_the_pilot_come_first_and_the_forecast_is_noted_before_the_others(made):
    order, seen = [], []

    def predict(labels, reports):
        seen.append((labels.name, [report.shard for report in reports], len(labels.records())))
        return expects(5.0), {0: 1.0, 1: 1.0}

    watch = Watch(pilot=[4, 2], predict=predict, tell=order.append)
    assert watch.order([3, 4, 0, 1, 2]) == [4, 2, 3, 0, 1]
    summary = watched(made, watch)
    assert summary.shards_done == 5
    assert seen == [("one", [4, 2], 2)]
    assert order == [watch.forecast]
    (run,) = read_runs(made.storage)
    assert {name: run["forecast"][name] for name in ("seconds", "rows")} == {"seconds": 5.0, "rows": 100}


def test_a_hopeless_run_ends_after_its_pilot_and_the_same_command_goes_on(made):
    limit, _ = limited()
    watch = Watch(pilot=[3], predict=lambda *_: (expects(9000), {0: 1.0}), limit=limit)
    with pytest.raises(LabellingError, match="--max-hours is 1"):
        watched(made, watch)
    assert list(made.label_set("one").records()) == [3]
    (run,) = read_runs(made.storage)
    assert (run["summary"], run["forecast"]["seconds"]) == ({"stopped_by": "LabellingError"}, 9000)
    assert watched(made, None).shards_done == 4


def test_a_run_ends_between_two_batches_once_its_time_is_up(made):
    limit, clock = limited()
    clock.now += 4000
    with pytest.raises(LabellingError, match="are spent: --max-hours is 1"):
        watched(made, Watch(limit=limit))
    assert made.label_set("one").records() == {}


def test_the_time_in_which_workers_load_the_model_says_nothing_of_their_speed(made):
    limit, clock = limited()
    watch = Watch(limit=limit, forecast=expects(1000), weights=dict.fromkeys(range(5), 200.0))
    limit.check(watch.forecast)
    clock.now += 1800  # they load
    watch.tick()
    for shard in range(3):
        clock.now += 300
        watch.done(made.label_set("one"), shard, None)  # 900 s for three of five: 600 more, and 2,700 are spent
    clock.now += 800
    with pytest.raises(LabellingError, match=r"58.3 min are spent, and at least 7.08 min more are needed.*80% of"):
        watch.done(made.label_set("one"), 3, None)
