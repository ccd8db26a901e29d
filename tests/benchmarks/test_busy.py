"""The benchmark beside busy processes: everybody in turn, and no process is left."""

import subprocess

from benchmarks.labelling.busy import measure_busy, of_fair_share


def test_everybody_is_measured_alone_and_beside(monkeypatch):
    running = []

    class Spinning:
        def __init__(self, command):
            running.append(self)

        def kill(self):
            running.remove(self)

        def wait(self):
            assert self not in running

    monkeypatch.setattr(subprocess, "Popen", Spinning)
    works = {"ours": lambda: 1.0 + len(running), "peer": lambda: 2.0 + 4 * len(running)}
    measured = measure_busy(works, rows=10, rounds=2, busy=2, ours="ours")
    assert measured["alone"]["peer"] == {"rows_per_second": 5.0, "times_as_fast": 2.0}
    assert measured["figures"]["peer"]["times_as_fast"] == 3.33
    assert measured["of_fair_share"]["ours"] > measured["of_fair_share"]["peer"]
    assert running == []


def test_half_of_the_speed_is_all_of_half_of_the_cores():
    assert of_fair_share([1.0, 2.0], [2.0, 4.0], fair=0.5) == 1.0
