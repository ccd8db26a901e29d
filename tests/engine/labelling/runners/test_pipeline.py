import threading
import time

import pytest

import engine.labelling.runners.overlap
from engine.labelling.runners.base import ShardError
from engine.labelling.runners.overlap import Cancelled
from engine.labelling.runners.pipeline import Pipeline
from engine.progress import silent

SECONDS = 5.0
"""How long a test waits for what ought to happen."""


class Steps:
    """Writes down what is done, in which order; does what a test asks for in between."""

    def __init__(self, **during):
        self.seen = []
        self._during = during

    def prepare(self, shard, tick):
        return self._do("prepare", shard, tick)

    def compute(self, prepared, tick):
        return self._do("compute", prepared, tick)

    def commit(self, computed):
        self._do("commit", computed, silent)
        return f"report of {computed}"

    def _do(self, what, shard, tick):
        self.seen.append(f"{what} {shard}")
        asked = self._during.get(f"{what}_{shard}")
        given = shard if asked is None else asked(tick)
        self.seen.append(f"{what}d {shard}")
        return given


class Shards:
    """A source: known shards, of which each may have to be waited for."""

    def __init__(self, *known, late=()):
        self._known = list(known)
        self._late = set(late)
        self.asked = []

    def take(self, *, wait):
        self.asked.append(wait)
        if not self._known or (not wait and self._known[0] in self._late):
            return None
        return self._known.pop(0)


def run(steps, *shards, ahead=True, behind=False, tick=silent, source=None):
    told = []
    pipeline = Pipeline(steps, ahead=ahead, behind=behind, tick=tick, done=lambda *done: told.append(done))
    try:
        pipeline.run(source or Shards(*shards))
    finally:
        steps.told = told
    return told


def fails(error):
    def raise_it(tick):
        raise error

    return raise_it


def until(event):
    def wait_for_it(tick):
        deadline = time.monotonic() + SECONDS
        while not event.wait(0.005):
            tick("waiting", 0, None)
            assert time.monotonic() < deadline, "it never happened"
        return event.given

    return wait_for_it


def given(value):
    event = threading.Event()
    event.given = value
    return event


def sets(event, shard):
    def set_it(tick):
        event.set()
        return shard

    return set_it


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("ahead", [False, True])
def test_every_shard_goes_through_all_steps_and_is_told_in_order(ahead, behind):
    steps = Steps()
    assert run(steps, 4, 2, 7, 3, ahead=ahead, behind=behind) == [(n, f"report of {n}") for n in (4, 2, 7, 3)]
    for shard in (4, 2, 7, 3):
        of_it = [step for step in steps.seen if step.endswith(f" {shard}")]
        assert of_it == [
            f"{step} {shard}" for step in ("prepare", "prepared", "compute", "computed", "commit", "commitd")
        ]


def test_with_nothing_ahead_or_behind_one_step_follows_another():
    steps = Steps()
    run(steps, 0, 1, ahead=False)
    assert [step for step in steps.seen if not step.split()[0].endswith("d")] == [
        f"{step} {shard}" for shard in (0, 1) for step in ("prepare", "compute", "commit")
    ]


def test_no_shards_are_nothing_to_do():
    steps = Steps()
    assert run(steps) == []
    assert steps.seen == []


def test_the_next_shard_is_prepared_while_one_is_computed():
    prepared = given(0)
    steps = Steps(compute_0=until(prepared), prepare_1=sets(prepared, 1))
    run(steps, 0, 1)
    assert steps.seen.index("prepared 1") < steps.seen.index("computed 0")


def test_a_shard_that_becomes_known_while_one_is_computed_is_prepared_meanwhile():
    prepared = given(0)
    steps = Steps(compute_0=until(prepared), prepare_1=sets(prepared, 1))
    source = Shards(0, 1, 2, late=[1])
    threading.Timer(0.05, source._late.clear).start()
    run(steps, source=source)
    assert steps.seen.index("prepared 1") < steps.seen.index("computed 0")


def test_one_shard_is_prepared_at_a_time():
    running, most = [], []

    def prepare(tick):
        running.append(None)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return 0

    run(Steps(**{f"prepare_{shard}": prepare for shard in range(5)}), *range(5), behind=True)
    assert most == [1] * 5


def test_a_shard_is_committed_while_the_next_one_is_computed_and_told_then():
    committed = given(1)
    steps = Steps(commit_0=sets(committed, 0), compute_1=until(committed))
    run(steps, 0, 1, behind=True)
    assert steps.seen.index("commitd 0") < steps.seen.index("computed 1")


def test_what_was_committed_meanwhile_is_told_at_the_next_tick():
    told = given(1)
    steps = Steps(compute_1=until(told))
    done = []

    def tell(shard, report):
        done.append((shard, report, threading.current_thread()))
        told.set()

    Pipeline(steps, ahead=True, behind=True, tick=silent, done=tell).run(Shards(0, 1))
    assert done == [(shard, f"report of {shard}", threading.current_thread()) for shard in (0, 1)]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("step", ["prepare", "compute", "commit"])
def test_an_error_names_its_shard_and_what_came_before_is_committed(step, ahead, behind):
    error = ValueError("wrong")
    steps = Steps(**{f"{step}_2": fails(error)})
    with pytest.raises(ShardError, match="shard 2") as caught:
        run(steps, 0, 1, 2, 3, 4, ahead=ahead, behind=behind)
    assert (caught.value.shard, caught.value.__cause__) == (2, error)
    assert steps.told == [(shard, f"report of {shard}") for shard in (0, 1)]
    assert "commit 3" not in steps.seen


def test_of_two_errors_the_first_shards_is_told():
    steps = Steps(commit_1=fails(ValueError("full")), compute_2=fails(ValueError("later")))
    with pytest.raises(ShardError) as caught:
        run(steps, 0, 1, 2, behind=True)
    assert (caught.value.shard, str(caught.value.__cause__)) == (1, "full")


def test_an_error_of_the_shard_ahead_waits_for_its_turn():
    failed = given(0)

    def fail(tick):
        failed.set()
        raise ValueError("wrong")

    steps = Steps(compute_0=until(failed), prepare_1=fail)
    with pytest.raises(ShardError, match="shard 1"):
        run(steps, 0, 1)
    assert steps.told == [(0, "report of 0")]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("wrong")])
def test_an_end_cancels_what_was_ahead_at_once(error):
    begun, cancelled = given(None), []

    def go_on(tick):
        begun.set()
        try:
            until(threading.Event())(tick)
        except Cancelled:
            cancelled.append(True)
            raise

    def stop(tick):
        until(begun)(tick)
        raise error

    steps = Steps(compute_0=stop, prepare_1=go_on)
    started = time.monotonic()
    with pytest.raises((KeyboardInterrupt, ShardError)) as caught:
        run(steps, 0, 1, 2)
    assert time.monotonic() - started < 1
    assert isinstance(caught.value, KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ShardError)
    assert (cancelled, steps.told) == ([True], [])
    assert "prepare 2" not in steps.seen


def test_an_interrupt_leaves_the_shard_before_committed_and_told():
    steps = Steps(commit_0=lambda tick: time.sleep(0.05), compute_1=fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(steps, 0, 1, behind=True)
    assert steps.told == [(0, "report of 0")]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("ahead", [False, True])
def test_a_source_that_knows_no_shard_yet_is_waited_for_with_everything_told(ahead, behind):
    steps, told_when_waiting = Steps(), []

    class Slow(Shards):
        def take(self, *, wait):
            if wait:
                told_when_waiting.append(len(told))
            return super().take(wait=wait)

    told = []
    pipeline = Pipeline(steps, ahead=ahead, behind=behind, tick=silent, done=lambda *done: told.append(done))
    pipeline.run(Slow(0, 1, 2, late=[1, 2]))
    assert told_when_waiting == [0, 1, 2, 3]
    assert [shard for shard, _ in told] == [0, 1, 2]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("ahead", [False, True])
def test_a_shard_that_another_run_committed_is_told_without_a_report(ahead, behind):
    steps = Steps(prepare_1=lambda tick: None)
    told = run(steps, 0, 1, 2, ahead=ahead, behind=behind)
    assert told == [(0, "report of 0"), (1, None), (2, "report of 2")]
    assert "compute 1" not in steps.seen


def test_a_slow_preparation_is_told_as_long_as_it_gets_on(monkeypatch):
    monkeypatch.setattr(engine.labelling.runners.overlap, "_TICK_SECONDS", 0.02)
    told, hung = [], []

    def prepare(tick):
        for _ in range(20):
            time.sleep(0.01)
            tick("tokenising", 0, None)
        hung.append(len(told))
        time.sleep(0.3)
        return 0

    run(Steps(prepare_0=prepare), 0, tick=lambda *progress: told.append((progress, threading.current_thread())))
    assert hung[0] >= 4, "a preparation that gets on was not told"
    assert len(told) - hung[0] <= 1, "a preparation that hangs was told"
    assert set(told) == {(("preparing", 0, None), threading.current_thread())}


def test_a_tick_of_a_computation_reaches_the_caller_as_it_is():
    told = []
    steps = Steps(compute_0=lambda tick: tick("computing", 3, 9) or 0)
    run(steps, 0, tick=lambda *progress: told.append(progress))
    assert ("computing", 3, 9) in told
