"""The experiment of proposed rows, small: what it draws, and that what is done is not done again."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tiny_models

import store
from benchmarks.yelp.rounds import Rounds, Sizes
from benchmarks.yelp.table import rounds as words

METHODS = ["random", "margin"]
SIZES = Sizes(gold=16, added=8, pool=40, test=20, max_length=16, epochs=1, batch_size=8)


def write(folder, name, rows, first, columns):
    texts = [f"{text} {first + row}" for row, text in enumerate(tiny_models.texts(rows, seed=first))]
    table = {"id": [f"r{first + row}" for row in range(rows)], "text": texts, "label": np.arange(rows) % 2}
    pq.write_table(pa.table(table).select(columns), folder / f"{name}.parquet")


def test_a_seed_is_run_once_and_measured(tmp_path):
    model = tiny_models.save(tmp_path / "model")
    everything = ["id", "text", "label"]
    for name, rows, first in (("labelled", 20, 0), ("labelled_extra", 20, 100), ("test", 30, 200)):
        write(tmp_path, name, rows, first, everything)
    write(tmp_path, "unlabelled", 60, 300, ["id", "text"])
    write(tmp_path, "unlabelled_gold", 60, 300, ["id", "label"])
    run = Rounds(tmp_path, tmp_path / "work", SIZES, model=model, dtype="fp32")
    run.run(0, METHODS)
    folder = tmp_path / "work" / "seed-0"
    ids = {method: json.loads((folder / f"propose-{method}.json").read_text()) for method in METHODS}
    made = store.open(folder / "rows.store")
    rounds = made.sql("SELECT round, id FROM gold JOIN corpus USING (row) WHERE round > 0").to_pylist()
    for number, method in enumerate(METHODS, 1):
        assert len(ids[method]) == SIZES.added
        assert sorted(row["id"] for row in rounds if row["round"] == number) == sorted(ids[method])
    assert all(int(row["id"][1:]) >= 300 for row in rounds)
    assert made.sql("SELECT count(label) FROM corpus").column(0).to_pylist() == [SIZES.gold]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    run.run(0, METHODS)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")} == before
    result = run.result(METHODS)
    assert (result["seeds"], result["gains_over_random"].keys()) == ([0], {"margin"})
    for name, one in result["methods"].items():
        right = json.loads((folder / f"answer-{name}.json").read_text())
        assert (len(right), one["mean"]) == (SIZES.test, np.mean(right))


def test_the_words_say_each_gain_with_its_interval():
    gain = {"mean": 0.0123, "low": -0.001, "high": 0.0256, "p_value": 0.068}
    versions = {"torch": "2", "transformers": "5"}
    result = {
        "methods": {name: {"mean": 0.87, "deviation": 0.004} for name in ("first", "random", "margin")},
        "gains_over_random": {"margin": gain},
        "gain_of_random": {**gain, "low": 0.002},
        "conditions": {"device": "cpu", "threads": 1, "processor": "AMD", "versions": versions},
        "gold": 500,
        "added": 500,
        "pool": 4000,
        "max_length": 64,
        "epochs": 3,
        "test": 4000,
        "seeds": [0, 1],
    }
    lines = words(result).splitlines()
    assert lines[3:5] == [
        "| `random` | 87.00% | 0.40% |  |  |",
        "| `margin` | 87.00% | 0.40% | +1.23% [-0.10%, +2.56%] | 0.068 |",
    ]
    assert "500 random rows gain +1.23% [+0.20%, +2.56%]" in lines[-1]
