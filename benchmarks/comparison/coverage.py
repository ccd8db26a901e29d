"""How often 95 % intervals hold the truth, ours and those of peers, for experiments whose truth is known.

    python -m benchmarks.comparison.coverage [--repeats 1000]

Two arms of 94 and 91 % true accuracy on the same test rows and seeds; the truth is the difference of the procedures,
over seeds and rows. Peers: one pair of models and its rows (McNemar's case), the mean over seeds and its rows, the
multi-bootstrap (Sellam et al. 2021, percentiles), Student's t over seeds. Then the labels N* at which direct training
is as good as distilling. Writes ``results/coverage.json`` after each setting; run again, it goes on.
"""

import argparse
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.comparison.simulation import Drawn, Truth, draw
from benchmarks.harness.conditions import RESULTS, write_result
from engine.comparison.statistics import student_t
from engine.comparison.statistics.crossed import difference, mean_squares
from engine.comparison.statistics.error_curve import ErrorCurve
from engine.comparison.statistics.worth import interval
from engine.intervals import SHARE, Z

ACCURACIES = (0.94, 0.91)
SETTINGS = [
    *((seeds, 4_000, seed_sd) for seeds in (1, 2, 3, 5) for seed_sd in (0.0, 0.0035, 0.0085)),
    *((10, 4_000, seed_sd) for seed_sd in (0.0, 0.0085)),
    (3, 20_000, 0.0035),
    (3, 1_000, 0.0035),
]
SIZES, EQUAL, LABELS, DECAY = (500, 1_000, 2_000, 4_000), 5_760, 2_000, 0.225
WORTHS = [(1, 4_000, 0.0), (3, 4_000, 0.0015), (3, 4_000, 0.005), (5, 4_000, 0.005)]
_RESAMPLES = 300
_BOOTSTRAPS = 300  # experiments that are resampled, which takes far longer than all the rest
_WORTH_SHARE = 2

Interval = tuple[float, float]
Random = np.random.Generator
Values = npt.NDArray[np.float64]


def crossed(values: Values, _random: Random) -> Interval:
    """Ours: crossed random effects of seeds and rows. ``values`` are differences, (seeds, rows)."""
    found = difference(values, np.zeros_like(values))
    return found.low, found.high


def one_pair(values: Values, random: Random) -> Interval:
    """The first seed alone, over its rows."""
    return mean_of_seeds(values[:1], random)


def mean_of_seeds(values: Values, _random: Random) -> Interval:
    """The mean of all seeds, over its rows."""
    by_row = values.mean(axis=0)
    half = Z * by_row.std(ddof=1) / math.sqrt(len(by_row))
    return by_row.mean() - half, by_row.mean() + half


def t_over_seeds(values: Values, _random: Random) -> Interval:
    """Student's t of the seeds' means."""
    by_seed = values.mean(axis=1)
    half = student_t.quantile(SHARE, len(by_seed) - 1) * by_seed.std(ddof=1) / math.sqrt(len(by_seed))
    return by_seed.mean() - half, by_seed.mean() + half


def multi_bootstrap(values: Values, random: Random) -> Interval:
    """Percentiles over draws of seeds and rows, both with replacement."""
    seeds, rows = values.shape
    counts = random.multinomial(seeds, [1 / seeds] * seeds, _RESAMPLES) / seeds
    by_row = (counts @ values).astype(np.float32)
    drawn = random.integers(0, rows, (_RESAMPLES, rows), dtype=np.int32)
    means = np.take_along_axis(by_row, drawn, axis=1).mean(axis=1, dtype=np.float64)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


METHODS: dict[str, Callable[[Values, Random], Interval]] = {
    "crossed": crossed,
    "one_pair": one_pair,
    "mean_of_seeds": mean_of_seeds,
    "t_over_seeds": t_over_seeds,
    "multi_bootstrap": multi_bootstrap,
}
_NEED_SEEDS = {"t_over_seeds", "multi_bootstrap"}


def measure(seeds: int, rows: int, seed_sd: float, *, repeats: int) -> dict[str, Any]:
    """Coverage and mean width in points of each method, and of ours with one seed for the models at hand."""
    truth = Truth(accuracies=ACCURACIES, seeds=seeds, rows=rows, seed_sd=seed_sd)
    random = np.random.default_rng([seeds, rows, round(1e6 * seed_sd)])
    names = [name for name in METHODS if seeds > 1 or name not in _NEED_SEEDS]
    ends: dict[str, list[Interval]] = {name: [] for name in names}
    of_models, sds = [], []
    for number in range(repeats):
        drawn = draw(truth, random)
        values = drawn.right[0] - drawn.right[1]
        for name in names if number < _BOOTSTRAPS else [name for name in names if name != "multi_bootstrap"]:
            ends[name].append(METHODS[name](values, random))
        of_models.append(_of_models(drawn))
        sds.append(drawn.right.mean(axis=2).std(axis=1, ddof=1).mean() if seeds > 1 else 0.0)
    expected = ACCURACIES[0] - ACCURACIES[1]
    result: dict[str, Any] = {"seeds": seeds, "rows": rows, "true_seed_sd_points": round(100 * seed_sd, 4)}
    if seeds > 1:
        result["seen_seed_sd_points"] = round(100 * float(np.mean(sds)), 2)
    for name, found in ends.items():
        result[name] = {
            "coverage": round(float(np.mean([low <= expected <= high for low, high in found])), 4),
            "width_points": round(100 * float(np.mean([high - low for low, high in found])), 2),
        }
    if seeds == 1:
        held = [low <= at <= high for (low, high), at in zip(ends["crossed"], of_models, strict=True)]
        result["crossed_of_these_models"] = {"coverage": round(float(np.mean(held)), 4)}
    return result


def _of_models(drawn: Drawn) -> float:
    """The true difference of the first pair of models."""
    return float(drawn.of_models[0, 0] - drawn.of_models[1, 0])


def measure_worth(seeds: int, rows: int, seed_sd: float, *, repeats: int) -> dict[str, Any]:
    """How often the interval of N* holds the true one, where errors follow a power of the labels."""
    errors = [0.11 * (SIZES[0] / labels) ** DECAY for labels in (*SIZES, EQUAL)]
    truth = Truth(accuracies=tuple(1 - error for error in errors), seeds=seeds, rows=rows, seed_sd=seed_sd)
    random = np.random.default_rng([7, seeds, rows, round(1e6 * seed_sd)])
    lows, highs, undetermined, covered = [], [], 0, 0
    for _ in range(repeats):
        squares = mean_squares(1 - draw(truth, random).right)
        curve = ErrorCurve(
            sizes=SIZES,
            errors=squares.means[:-1],
            distilled=float(squares.means[-1]),
            labels=LABELS,
            squares=squares,
            seeds=tuple(range(seeds)),
        )
        if curve.slope <= 0:
            undetermined += 1
            continue
        low, high = interval(curve, curve.labels_at(curve.distilled))
        covered += (low or 0.0) <= EQUAL <= (math.inf if high is None else high)
        lows.append(low or 0.0)
        highs.append(math.inf if high is None else high)
    return {
        "seeds": seeds,
        "rows": rows,
        "true_seed_sd_points": round(100 * seed_sd, 4),
        "true_equal": EQUAL,
        "coverage": round(covered / max(1, repeats - undetermined), 4),
        "median_low": round(float(np.median(lows))),
        "median_high": round(median) if math.isfinite(median := float(np.median(highs))) else None,
        "open": round(float(np.mean(np.isinf(highs))), 4),
        "errors_do_not_fall": round(undetermined / repeats, 4),
    }


def main() -> None:
    """Measure all settings, print them, and write them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1_000)
    repeats = parser.parse_args().repeats
    about = {
        "nominal": 0.95,
        "accuracies": ACCURACIES,
        "repeats": repeats,
        "resamples": _RESAMPLES,
        "resampled": _BOOTSTRAPS,
        "worth_repeats": repeats // _WORTH_SHARE,
    }
    done = _read(repeats)
    for kind, settings, how, times in (
        ("differences", SETTINGS, measure, repeats),
        ("worth", WORTHS, measure_worth, repeats // _WORTH_SHARE),
    ):
        for setting in settings[len(done[kind]) :]:
            done[kind].append(how(*setting, repeats=times))
            print(done[kind][-1], flush=True)
            write_result("coverage", {**about, **done})


def _read(repeats: int) -> dict[str, list[dict[str, Any]]]:
    """What an earlier run with as many repeats has measured."""
    file = RESULTS / "coverage.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    kept = found if found.get("repeats") == repeats else {}
    return {kind: kept.get(kind, []) for kind in ("differences", "worth")}


if __name__ == "__main__":
    main()
