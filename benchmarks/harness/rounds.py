"""Contestants in turn, round after round → medians, and ratios that are taken inside each round."""

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any


def run_rounds(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant in each round.

    Every round begins with another one, so that nobody always runs after the same neighbour.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(rounds):
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(round(contestants[name](), 4))
            sys.stderr.write(f"round {round_ + 1} of {rounds}: {name} {seconds[name][-1]:.2f} s\n")
    return seconds


def compare(seconds: Mapping[str, list[float]], *, rows: int, ours: str) -> dict[str, dict[str, Any]]:
    """Rows a second, and how many times as fast as each contestant ``ours`` is: below 1 where it is slower."""
    return {
        name: {
            "rows_per_second": round(rows / statistics.median(times), 1),
            "times_as_fast": round(statistics.median(b / a for a, b in zip(seconds[ours], times, strict=True)), 2),
        }
        for name, times in seconds.items()
    }


def lines(figures: Mapping[str, Mapping[str, Any]], *, ours: str) -> list[str]:
    """The figures as a table, the fastest first."""
    width = max(map(len, figures))
    ranked = sorted(figures.items(), key=lambda item: -item[1]["rows_per_second"])
    rows = [f"{'':{width}}      rows/s   {ours} is faster by"]
    for name, figure in ranked:
        ratio = "" if name == ours else f"{figure['times_as_fast']:.2f} ×"
        slower = "   (it is slower)" if figure["times_as_fast"] < 1 else ""
        rows.append(f"{name:{width}}  {figure['rows_per_second']:10,.1f}   {ratio}{slower}")
    return rows
