"""The interval of a share."""

import math
from statistics import NormalDist

import pytest

from engine.intervals import SHARE, Z, wilson


def test_the_quantile_is_the_normal_one():
    assert NormalDist().inv_cdf(SHARE) == pytest.approx(Z, abs=1e-12)


def test_wilson_is_where_the_score_test_says_so():
    for bound in wilson(0.9, 100):
        assert abs(0.9 - bound) / math.sqrt(bound * (1 - bound) / 100) == pytest.approx(1.959964, abs=1e-5)


def test_wilsons_interval_is_that_of_the_literature():
    assert wilson(0.9, 100) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))
    assert wilson(1.0, 50)[1] == pytest.approx(1.0)
