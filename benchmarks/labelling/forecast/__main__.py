"""How near does the forecast of a label run come? Many small runs over different texts, each with its own pilot.

    python -m benchmarks.labelling.forecast --model TEACHER --long reviews.parquet --short sentences.parquet

Each trial draws as many rows from files of long texts as from files of short ones, both with gold. A dry run forecasts
the whole from the inputs; then they are labelled, with whole shards as the pilot, which forecasts the rest. The truth
is how long both take, and the accuracy on all rows with gold. Other processes that use the cores make it harder: the
load of the machine is noted with each trial.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import engine
import store
from benchmarks.harness.conditions import write_result
from engine.models.files import quiet_transformers

_NEAR = 0.2
_GOLD = "SELECT avg((gold = prediction)::INT) AS share FROM reviews WHERE gold IS NOT NULL"


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A forecast, and what came.

    Attributes:
        seconds: as it was forecast.
        low: the least that it may be.
        high: the most.
        took: seconds in truth.
        accuracy: as it was forecast.
        accuracy_low: the least that it may be.
        accuracy_high: the most.
        accuracy_is: in truth.
        disk_bytes: as it was forecast.
        disk_bytes_are: in truth.
    """

    seconds: float
    low: float
    high: float
    took: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    accuracy_is: float
    disk_bytes: int
    disk_bytes_are: int

    @property
    def off(self) -> float:
        """How far the seconds are off, as a part of the truth."""
        return self.seconds / self.took - 1


def main() -> None:
    """Trials, one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a fine-tuned classifier")
    parser.add_argument("--long", required=True, nargs="+", help="Parquet files with the columns text and label")
    parser.add_argument("--short", required=True, nargs="+", help="the same, with other lengths")
    parser.add_argument("--rows", type=int, default=2000, help="of a trial")
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--pilot", type=int, default=400, help="rows of each pilot")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--devices", default="auto")
    arguments = parser.parse_args()
    quiet_transformers()
    trials = []
    for number in range(arguments.trials):
        with tempfile.TemporaryDirectory() as folder:
            inputs = [_draw(files, arguments.rows // 2, Path(folder) / f"{name}.parquet", seed=number)
                      for name, files in (("long", arguments.long), ("short", arguments.short))]  # fmt: skip
            config = engine.LabelConfig(
                store=str(Path(folder) / "store"),
                teacher=arguments.model,
                inputs=tuple(inputs),
                shards=arguments.shards,
                pilot=arguments.pilot,
                devices=tuple(arguments.devices.split(",")),
                choices=engine.Choices(max_length=arguments.max_length),
            )
            trials.append(_trial(config, number))
    result = {
        **{name: getattr(arguments, name) for name in ("rows", "shards", "pilot", "max_length")},
        "figures": {name: summarise([trial[name] for trial in trials]) for name in ("dry run", "whole shards")},
        "trials": [
            {"load": trial["load"], **{name: dataclasses.asdict(trial[name]) for name in ("dry run", "whole shards")}}
            for trial in trials
        ],
    }
    path = write_result("forecast", result)
    print(result["figures"])
    print(f"written to {path}")


def _draw(files: Sequence[str], rows: int, place: Path, *, seed: int) -> str:
    """Write random rows of ``files``; the path."""
    table = pa.concat_tables([pq.read_table(file, columns=["text", "label"]) for file in files])
    chosen = np.sort(np.random.default_rng(seed).choice(table.num_rows, rows, replace=False))
    ids = pa.array([f"{place.stem}-{row}" for row in chosen])
    pq.write_table(table.take(pa.array(chosen)).add_column(0, "id", ids), place)
    return str(place)


def _trial(config: "engine.LabelConfig", number: int) -> dict[str, Any]:
    """Both forecasts of one run, and the run."""
    before = engine.forecast(config)
    told: list[tuple[engine.Forecast, float]] = []
    started = time.perf_counter()
    engine.label(config, tell=lambda forecast: told.append((forecast, time.perf_counter())))
    ended = time.perf_counter()
    made = store.open(str(config.store))
    accuracy = float(made.sql(_GOLD).column(0)[0].as_py())
    (rest, at), (load, _, _) = told[0], os.getloadavg()
    sizes = {
        part: sum(record.bytes for family in made.families() for record in family.records().values() if test(family))
        for part, test in (("all", lambda _: True), ("labels", lambda family: family.path != "corpus"))
    }
    guesses = {
        "dry run": _guess(before, ended - started, accuracy, sizes["all"]),
        "whole shards": _guess(rest, ended - at, accuracy, round(sizes["labels"] * rest.rows / made.layout.rows)),
    }
    off = ", ".join(f"{name} {guess.off:+.1%} of {guess.took:.1f} s" for name, guess in guesses.items())
    sys.stderr.write(f"trial {number + 1}: {off}; load {load:.1f}\n")
    return {"load": round(load, 2), **guesses}


def _guess(forecast: "engine.Forecast", took: float, accuracy: float, size: int) -> Guess:
    assert forecast.accuracy is not None, "the files have gold"
    assert forecast.accuracy_low is not None, "the interval comes with it"
    assert forecast.accuracy_high is not None, "the interval comes with it"
    return Guess(
        seconds=forecast.seconds,
        low=forecast.seconds_low,
        high=forecast.seconds_high,
        took=round(took, 2),
        accuracy=forecast.accuracy,
        accuracy_low=forecast.accuracy_low,
        accuracy_high=forecast.accuracy_high,
        accuracy_is=round(accuracy, 4),
        disk_bytes=forecast.disk_bytes,
        disk_bytes_are=size,
    )


def summarise(guesses: Sequence[Guess]) -> dict[str, Any]:
    """How near the forecasts of all trials were."""
    off = [abs(guess.off) for guess in guesses]
    return {
        "trials": len(guesses),
        "within_20_percent": sum(one <= _NEAR for one in off),
        "median_off": round(statistics.median(off), 4),
        "most_off": round(max(off), 4),
        "mean_off": round(statistics.mean(guess.off for guess in guesses), 4),
        "interval_covers": sum(guess.low <= guess.took <= guess.high for guess in guesses),
        "accuracy_covered": sum(one.accuracy_low <= one.accuracy_is <= one.accuracy_high for one in guesses),
        "accuracy_width": round(statistics.mean(one.accuracy_high - one.accuracy_low for one in guesses), 4),
        "most_disk_off": round(max(abs(one.disk_bytes / one.disk_bytes_are - 1) for one in guesses), 4),
    }


if __name__ == "__main__":
    main()
