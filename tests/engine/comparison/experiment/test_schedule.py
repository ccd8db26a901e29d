"""Steps are done once, in their order, by one process or by several, whatever is held, killed or stopped."""

import threading
from contextlib import contextmanager

import pytest

from engine.comparison.experiment import schedule
from engine.comparison.experiment.folder import ExperimentFolder
from engine.comparison.experiment.plan import Sizes, Step, plan
from engine.comparison.experiment.schedule import Work, carry_out

STEPS = plan(Sizes(labels=2, extra=1, pool=3, label_sizes=(1,), pool_sizes=(2,)), seeds=2)


class Fake:
    """Steps that are done by noting them down."""

    def __init__(self, held=()):
        self.done, self.held = [], set(held)

    @contextmanager
    def claimed(self, name):
        yield name not in self.held

    def work(self, do=None):
        return Work(is_done=lambda step: step.name in self.done, claimed=self.claimed, do=do or self.do)

    def do(self, step):
        assert set(step.needs) <= set(self.done), "what it needs is done"
        self.done.append(step.name)


def test_all_steps_are_done_in_their_order():
    fake, told = Fake(), []
    assert carry_out(STEPS, fake.work(), after=told.append)
    assert fake.done == [step.name for step in STEPS]
    assert told == STEPS


def test_what_is_done_is_not_done_again():
    fake = Fake()
    fake.done = [step.name for step in STEPS[:4]]
    assert carry_out(STEPS, fake.work())
    assert fake.done == [step.name for step in STEPS]


@pytest.mark.parametrize("place", range(len(STEPS)))
def test_a_run_that_dies_in_any_step_is_gone_on_with(place):
    fake = Fake()

    def dies(step):
        if len(fake.done) == place and not fake.held:
            fake.held.add("nothing")
            raise KeyboardInterrupt
        fake.do(step)

    with pytest.raises(KeyboardInterrupt):
        carry_out(STEPS, fake.work(dies))
    assert len(fake.done) == place
    assert carry_out(STEPS, fake.work())
    assert fake.done == [step.name for step in STEPS]


def test_a_step_that_another_holds_is_passed_over_and_taken_over_when_it_dies(monkeypatch, caplog):
    fake = Fake(held={"teacher-0"})

    def other_dies(_seconds):
        assert "direct-0" in fake.done, "all that could be begun is done before anything is waited for"
        assert "seed-0" not in fake.done
        fake.held.clear()

    monkeypatch.setattr(schedule.time, "sleep", other_dies)
    with caplog.at_level("INFO", logger="engine"):
        assert carry_out(STEPS, fake.work())
    assert sorted(fake.done) == sorted(step.name for step in STEPS)
    assert caplog.text.count("waiting for them") == 1


def test_nothing_is_begun_when_the_time_is_over():
    fake = Fake()
    assert not carry_out(STEPS, fake.work(), may_begin=lambda: len(fake.done) < 3)
    assert fake.done == [step.name for step in STEPS[:3]]


def test_two_that_share_a_folder_do_each_step_once(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "_WAIT_SECONDS", 0.01)
    folders = [ExperimentFolder(str(tmp_path / "out")) for _ in range(2)]
    done, doing, meet = [], [], threading.Barrier(2, timeout=20)

    def do(step: Step):
        doing.append(step.name)
        if len(doing) <= 2 and step.name != "corpus":
            meet.wait()  # both do something at the same time
        done.append(step.name)

    def work(folder):
        return Work(is_done=lambda step: step.name in done, claimed=folder.claimed, do=do)

    steps = [step for step in STEPS if step.name != "corpus"]
    threads = [threading.Thread(target=carry_out, args=(steps, work(folder))) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(doing) == sorted(done) == sorted(step.name for step in steps)
