"""Pieces of work are computed once each, by whichever process, and no process is left, however the call ends."""

import fcntl
import mmap
import os
import signal
import time

import numpy as np
import pytest

import engine.compute.cpu.forked
from engine.compute.cpu.forked import compute_forked, fitting

SIZES = [3, 1, 2, 2, 5, 1]
EXPECTED = np.repeat(np.arange(len(SIZES)), SIZES)
PARENT = os.getpid()


def in_child():
    return os.getpid() != PARENT


def piece(number, progress):
    progress()
    return np.full((SIZES[number], 2), number, np.float32)


def told(rows):
    """A tick that collects."""
    return rows.append


@pytest.fixture(autouse=True)
def parent(monkeypatch):
    """At the end no process that was forked here is left, not even to be waited for."""
    global PARENT
    PARENT = os.getpid()
    fork, forked = engine.compute.cpu.forked._fork, []

    def noted():
        pid = fork()
        forked.append(pid)
        return pid

    monkeypatch.setattr(engine.compute.cpu.forked, "_fork", noted)
    yield
    for pid in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


@pytest.fixture
def begun():
    """Notes that another process has begun a piece; the parent waits for that, however busy the machine is."""
    memory = mmap.mmap(-1, 1)

    def note():
        deadline = time.monotonic() + 20
        if in_child():
            memory[0] = 1
        while not memory[0] and time.monotonic() < deadline:
            time.sleep(0.001)

    return note


def test_each_piece_has_its_place_and_the_others_help(begun):
    def compute(number, progress):
        rows = piece(number, progress)
        begun()
        rows[:, 1] = os.getpid()
        return rows

    rows, lost = compute_forked(SIZES, compute, width=2, others=2, tick=told(seen := []))
    assert (rows[:, 0] == EXPECTED).all()
    assert lost == 0
    assert set(rows[:, 1]) != {PARENT}
    assert seen == sorted(seen)
    assert all(done <= sum(SIZES) for done in seen)


@pytest.mark.parametrize("how", ["killed", "raised"])
def test_what_others_leave_undone_is_computed_here(begun, how):
    def compute(number, progress):
        begun()
        if in_child():
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError
        return piece(number, progress)

    rows, lost = compute_forked(SIZES, compute, width=2, others=1, tick=told([]))
    assert (rows[:, 0] == EXPECTED).all()
    assert lost == 1


def test_a_hangup_that_this_process_ignores_ends_no_other(begun):
    def compute(number, progress):
        begun()
        if in_child():
            os.kill(os.getpid(), signal.SIGHUP)
        return piece(number, progress)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        rows, lost = compute_forked(SIZES, compute, width=2, others=1, tick=told([]))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (rows[:, 0] == EXPECTED).all()
    assert lost == 0


def test_one_that_says_nothing_is_killed(monkeypatch, begun):
    monkeypatch.setattr(engine.compute.cpu.forked, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(engine.compute.cpu.forked, "_POLL_SECONDS", 0.02)

    def compute(number, progress):
        begun()
        if in_child():
            time.sleep(60)
        return piece(number, progress)

    rows, lost = compute_forked(SIZES, compute, width=2, others=1, tick=told([]))
    assert (rows[:, 0] == EXPECTED).all()
    assert lost == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_here_is_raised_and_ends_the_others(error):
    def compute(number, progress):
        if in_child():
            time.sleep(60)
        raise error

    with pytest.raises(error):
        compute_forked(SIZES, compute, width=2, others=2, tick=told([]))


def test_others_end_with_their_parent():
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:

        def compute(number, progress):
            for _ in range(500):
                progress()
                time.sleep(0.01)
            return piece(number, progress)

        os.close(reading)
        compute_forked(SIZES, compute, width=2, others=2, tick=told([]))
        os._exit(0)
    os.close(writing)
    time.sleep(0.05)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(reading, 1) == b""  # the last process that had the other end is gone
    os.close(reading)


def test_more_pieces_than_a_pipe_takes(monkeypatch):
    def small_pipe(make=os.pipe):
        ends = make()
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
        return ends

    monkeypatch.setattr(os, "pipe", small_pipe)
    rows, _ = compute_forked(
        [1] * 3_000, lambda number, _: np.full((1, 1), number, np.float32), width=1, others=1, tick=bool
    )
    assert (rows[:, 0] == np.arange(3_000)).all()


@pytest.mark.parametrize(("free", "processes"), [(None, 8), (0, 1), (2 << 30, 5), (1 << 40, 8)])
def test_memory_is_looked_at_first(monkeypatch, free, processes):
    monkeypatch.setattr(engine.compute.cpu.forked, "available_bytes", lambda: free)
    assert fitting(8) == processes
