"""Bytes, seconds and rates in words."""

import pytest

from engine.units import duration, rate, size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (12_000, "12.0 kB"), (1_234_567, "1.2 MB"),
        (2_500_000_000_000, "2,500.0 GB"),
    ],
)  # fmt: skip
def test_sizes_have_the_unit_that_suits(count, said):
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.1234, "0.123 s"), (75, "75 s"), (300, "5 min"), (5_399, "90 min"), (7_380, "2.05 h")],
)
def test_durations_have_the_unit_that_suits(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("per_second", "said"),
    [(0.17, "0.17"), (0.00456, "0.00456"), (56.78, "56.8"), (99.96, "100"), (12_345.6, "12,346")],
)
def test_slow_rates_keep_their_digits(per_second, said):
    assert rate(per_second) == said
