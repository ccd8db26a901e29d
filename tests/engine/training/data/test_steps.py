"""Steps that a thread makes ahead: all, in order, with its errors in their place, and the thread gone in the end."""

import gc
import queue
import threading
import time

import numpy as np
import pytest

from engine.tokens.tokens import Tokens
from engine.training.data.prefetch import _AHEAD, ahead
from engine.training.data.steps import Step

NO_TOKENS = Tokens(ids=np.empty(0, np.uint16), offsets=np.zeros(1, np.int64), truncated=np.empty(0, np.bool_))


def step(number):
    return Step(tokens=NO_TOKENS, rows=np.array([number]), targets={}, size=1)


def number_of(step_):
    return int(step_.rows[0])


def until(condition, *, seconds=5.0):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def makers():
    """Threads that make steps."""
    return [thread for thread in threading.enumerate() if thread.name == "steps"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert makers() == []
    yield
    assert makers() == []


class Making:
    """Steps that say how many of them were made; the maker may be held up, or fail.

    Attributes:
        made: how many so far.
        closed: whether it was told that no more are wanted, or has come to its end.
    """

    def __init__(self, count, *, fails_at=None, error=None, before=lambda number: None):
        self.made, self.closed, self.thread = 0, False, None
        self._count, self._fails_at, self._error, self._before = count, fails_at, error, before

    def __iter__(self):
        self.thread = threading.current_thread()
        try:
            for number in range(self._count):
                self._before(number)
                if number == self._fails_at:
                    raise self._error
                self.made += 1
                yield step(number)
        finally:
            self.closed = True


@pytest.mark.parametrize("count", [0, 1, _AHEAD - 1, _AHEAD, _AHEAD + 1, 500])
def test_all_steps_come_in_their_order(count):
    making = Making(count)
    with ahead(iter(making)) as steps:
        assert [number_of(each) for each in steps] == list(range(count))
    assert making.closed
    assert making.thread is not threading.current_thread()


@pytest.mark.parametrize("slow", ["maker", "taker"])
def test_the_order_does_not_depend_on_who_waits_for_whom(slow):
    with ahead(iter(Making(30, before=lambda _: time.sleep(0.002 * (slow == "maker"))))) as steps:
        found = []
        for each in steps:
            found.append(number_of(each))
            time.sleep(0.002 * (slow == "taker"))
    assert found == list(range(30))


def test_steps_are_the_objects_that_were_made():
    first = step(7)
    with ahead(iter([first])) as steps:
        assert next(steps) is first


def test_the_next_steps_are_made_while_one_is_computed_but_only_so_many():
    making = Making(1_000)
    with ahead(iter(making)) as steps:
        assert number_of(next(steps)) == 0
        until(lambda: making.made >= _AHEAD + 1)
        time.sleep(0.05)
        assert making.made <= _AHEAD + 2  # one taken, a full queue, and one that waits for room


@pytest.mark.parametrize("fails_at", [0, 1, _AHEAD, 3 * _AHEAD])
@pytest.mark.parametrize("error", [ValueError("row 7 is bad"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_the_maker_is_raised_where_its_step_is_taken(fails_at, error):
    found = []

    def take():
        with ahead(iter(Making(100, fails_at=fails_at, error=error))) as steps:
            found.extend(number_of(each) for each in steps)

    with pytest.raises(type(error)) as raised:
        take()
    assert raised.value is error
    assert found == list(range(fails_at))


def test_an_error_of_the_maker_waits_for_its_turn():
    """It is known long before its step is taken."""
    making = Making(10, fails_at=3, error=ValueError("bad"))
    with ahead(iter(making)) as steps:
        until(lambda: making.closed)
        assert [number_of(next(steps)) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="bad"):
            next(steps)
        with pytest.raises(StopIteration):
            next(steps)


def test_the_error_of_a_maker_names_the_line_where_it_happened():
    with ahead(iter(Making(1, fails_at=0, error=ValueError("bad")))) as steps, pytest.raises(ValueError) as raised:  # noqa: PT011
        next(steps)
    assert "__iter__" in [entry.name for entry in raised.traceback]


def test_an_error_of_the_maker_that_nobody_takes_is_not_raised():
    """A training that stops early does not fail for a step that it does not need."""
    making = Making(10, fails_at=2, error=ValueError("bad"))
    with ahead(iter(making)) as steps:
        next(steps)
        until(lambda: making.closed)


def test_closing_ends_a_maker_that_waits_for_room():
    making = Making(10**9)
    with ahead(iter(making)) as steps:
        next(steps)
        until(lambda: making.made >= _AHEAD + 2)
        assert len(makers()) == 1
    assert makers() == []
    gc.collect()
    assert making.closed
    assert making.made < 10 * _AHEAD


def test_closing_ends_a_maker_from_which_nothing_was_taken():
    with ahead(iter(Making(10**9))):
        pass


def test_closing_waits_for_a_maker_that_is_in_the_middle_of_a_step():
    begun, go_on = threading.Event(), threading.Event()

    def hold(number):
        if number == 1:
            begun.set()
            go_on.wait(10)

    making = Making(10**9, before=hold)
    with ahead(iter(making)) as steps:
        next(steps)
        assert begun.wait(5)
        threading.Timer(0.1, go_on.set).start()
    assert go_on.is_set()
    assert making.made == 2


def test_closing_ends_a_maker_that_is_about_to_say_that_it_failed():
    """The queue is full when the error comes."""
    making = Making(100, fails_at=_AHEAD, error=ValueError("bad"))
    with ahead(iter(making)):
        until(lambda: making.closed)
        time.sleep(0.02)
        assert len(makers()) == 1


def test_an_error_of_the_taker_ends_the_maker():
    def take():
        with ahead(iter(Making(10**9))) as steps:
            next(steps)
            raise RuntimeError("the loss is nan")

    with pytest.raises(RuntimeError, match="the loss is nan"):
        take()


def test_what_the_maker_holds_is_let_go_of_when_it_is_closed():
    """Such as the threads of a stream."""
    making = Making(10**9)

    def take():
        with ahead(iter(making)) as steps:
            next(steps)

    take()
    gc.collect()
    assert making.closed


def test_two_makers_do_not_mix():
    with ahead(iter(Making(50))) as ones, ahead(step(100 + number) for number in range(50)) as others:
        pairs = [(number_of(one), number_of(other)) for one, other in zip(ones, others, strict=True)]
    assert pairs == [(number, 100 + number) for number in range(50)]


def test_a_taker_that_comes_before_its_step_waits_for_it():
    given = queue.Queue()

    def from_queue():
        while (number := given.get()) is not None:
            yield step(number)

    with ahead(from_queue()) as steps:
        threading.Timer(0.05, given.put, [5]).start()
        assert number_of(next(steps)) == 5
        given.put(None)
        assert list(steps) == []
