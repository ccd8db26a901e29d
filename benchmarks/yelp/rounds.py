"""Which rows should people label next? Gold rows chosen by each way of `engine select --propose`, against random ones.

    python -m benchmarks.yelp.rounds --data FOLDER --model MODEL --work FOLDER --seeds 8

``--data`` holds ``labelled`` and ``labelled_extra`` (id, text, label), ``unlabelled`` (id, text) with
``unlabelled_gold`` (id, label), and ``test``, as Parquet files. A seed draws the first gold rows and a pool whose gold
is hidden, and decides all else that is random, the same for every method: a teacher is fine-tuned on the first rows and
labels the pool; each method proposes as many rows; their gold comes in as a round; a new teacher learns from round 0
and that one, and answers for the test rows. What is in ``--work`` is not done again, so that seeds can be added.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import engine
import store
from benchmarks.harness.conditions import write_result
from benchmarks.yelp.round_figures import Right, figures, gain

CLASSES = ("negative", "positive")
CONTROL = "random"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything.

    Attributes:
        gold: the first gold rows.
        added: rows that each method proposes.
        pool: rows without gold.
        test: test rows.
        max_length: tokens a row.
        epochs: of each training.
        batch_size: of each training.
        learning_rate: of each training.
    """

    gold: int = 500
    added: int = 500
    pool: int = 4_000
    test: int = 4_000
    max_length: int = 64
    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 1e-4


def main() -> None:
    """Run the seeds one after the other; after each, write the result of all that there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--part", default="0/1", help="such as 1/2: every second seed from 1, beside a run of the others"
    )
    parser.add_argument("--methods", default="random,margin,diverse", help="with commas; random is the control")
    parser.add_argument("--dtype", help="of trainings and answers; measured or fp32 where it is not given")
    for field in dataclasses.fields(Sizes):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    arguments = parser.parse_args()
    sizes = Sizes(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Sizes)})
    methods = arguments.methods.split(",")
    rounds = Rounds(arguments.data, arguments.work, sizes, model=arguments.model, dtype=arguments.dtype)
    first, parts = map(int, arguments.part.split("/"))
    for seed in range(first, arguments.seeds, parts):
        rounds.run(seed, methods)
        result = rounds.result(methods)
        path = write_result("yelp_rounds", result)
        print(json.dumps(result, indent=1), f"written to {path}", sep="\n", flush=True)


class Rounds:
    """The experiment.

    Args:
        data: folder of the reviews.
        work: folder for what is made.
        sizes: how much of everything.
        model: hub id or path of the weights that every teacher begins with.
        dtype: of products; None for that which trainings and label runs choose.
    """

    def __init__(self, data: Path, work: Path, sizes: Sizes, *, model: str, dtype: str | None) -> None:
        self._work, self._sizes, self._model, self._dtype = work, sizes, model, dtype
        work.mkdir(parents=True, exist_ok=True)
        labelled = pa.concat_tables(
            [pq.read_table(data / f"{name}.parquet") for name in ("labelled", "labelled_extra")]
        )
        self._labelled = _named(labelled)
        pool = pq.read_table(data / "unlabelled.parquet")
        gold = pq.read_table(data / "unlabelled_gold.parquet")
        assert pool.column("id").equals(gold.column("id")), "the rows and their gold are in the same order"
        self._pool = _named(pool.append_column("label", gold.column("label")))
        test = _named(pq.read_table(data / "test.parquet")).slice(0, sizes.test)
        self._test = work / "test.parquet"
        pq.write_table(test.select(["id", "text"]), self._test)
        self._truth = test.column("label").to_pylist()

    def run(self, seed: int, methods: list[str]) -> None:
        """Everything of one seed that is not there yet."""
        self._draw(seed)
        self._fit(seed, "first", engine.GoldConfig(files=(str(self._at(seed, "gold.parquet")),), classes=CLASSES))
        self._step(seed, "label", lambda: self._label(seed))
        place, ids = str(self._at(seed, "rows.store")), {}
        for method in methods:  # all of them before any gold comes in: what has gold is not proposed again
            ids[method] = self._step(seed, f"propose-{method}", partial(self._propose, seed, method))
        for method in methods:
            added = self._step(seed, f"round-{method}", partial(self._annotate, seed, method, ids[method]))
            stored = engine.StoredGold(store=place, rounds=(0, added["round"]))
            self._fit(seed, method, engine.GoldConfig(files=()), stored)

    def _at(self, seed: int, name: str) -> Path:
        return self._work / f"seed-{seed}" / name

    def _step(self, seed: int, name: str, do: Callable[[], Any]) -> Any:
        """What ``do`` gives, a value of JSON; kept, and not done again."""
        kept = self._at(seed, f"{name}.json")
        if not kept.exists():
            begun = time.perf_counter()
            value = do()
            kept.write_text(json.dumps(value))
            seconds = time.perf_counter() - begun
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} seed {seed} {name}: {seconds:.0f} s\n")
            sys.stderr.flush()
        return json.loads(kept.read_text())

    def _draw(self, seed: int) -> None:
        """The first gold rows, and all rows of the store: these, and the pool with its gold hidden."""
        self._at(seed, "").mkdir(parents=True, exist_ok=True)
        chance = np.random.default_rng(seed)
        gold = self._labelled.take(np.sort(chance.choice(self._labelled.num_rows, self._sizes.gold, replace=False)))
        pool = self._pool.take(np.sort(chance.choice(self._pool.num_rows, self._sizes.pool, replace=False)))
        hidden = pool.set_column(2, "label", pa.nulls(pool.num_rows, pa.string()))
        pq.write_table(gold, self._at(seed, "gold.parquet"))
        pq.write_table(pa.concat_tables([gold, hidden]), self._at(seed, "rows.parquet"))

    def _label(self, seed: int) -> dict[str, Any]:
        config = engine.LabelConfig(
            store=str(self._at(seed, "rows.store")),
            teacher=str(self._at(seed, "first")),
            inputs=(str(self._at(seed, "rows.parquet")),),
            shards=2,
            name="first",
            choices=engine.Choices(max_length=self._sizes.max_length, dtype=self._dtype),
        )
        summary = engine.label(config)
        return {"rows": summary.rows, "seconds": round(summary.seconds, 1)}

    def _propose(self, seed: int, method: str) -> list[str]:
        """The ids of the rows that ``method`` proposes."""
        made = store.open(self._at(seed, "rows.store"))
        chosen = made.select(
            method, propose=method, limit=self._sizes.added, seed=seed if method == CONTROL else None
        ).rows.numbers()
        ids = made.sql("SELECT id FROM corpus ORDER BY row").column("id")
        found: list[str] = ids.take(pa.array(chosen)).to_pylist()
        return found

    def _annotate(self, seed: int, method: str, ids: list[str]) -> dict[str, Any]:
        """Add the gold of some rows of the pool as a round."""
        file = self._at(seed, f"{method}.parquet")
        chosen = self._pool.filter(pc.is_in(self._pool.column("id"), pa.array(ids)))
        pq.write_table(chosen.select(["id", "label"]), file)
        added = engine.add_gold(
            engine.GoldRoundConfig(store=str(self._at(seed, "rows.store")), inputs=(str(file),), source=method)
        )
        positive = pc.mean(pc.equal(chosen.column("label"), CLASSES[1])).as_py()
        return {"round": added.round, "rows": chosen.num_rows, "positive": positive}

    def _fit(self, seed: int, name: str, gold: engine.GoldConfig, stored: engine.StoredGold | None = None) -> None:
        """Fine-tune a teacher, and let it answer for the test rows."""
        sizes = self._sizes
        names = ("epochs", "batch_size", "learning_rate")
        loop = engine.LoopConfig(**{one: getattr(sizes, one) for one in names}, seed=seed, dtype=self._dtype)
        start, out = self._model, str(self._at(seed, name))
        config = engine.FinetuneConfig(
            gold=gold, stored=stored, model=start, out=out, max_length=sizes.max_length, loop=loop
        )
        self._step(seed, f"fit-{name}", lambda: {"seconds": round(engine.finetune(config).seconds, 1)})
        self._step(seed, f"answer-{name}", lambda: self._answer(seed, name))

    def _answer(self, seed: int, name: str) -> list[bool]:
        """Whether the answer for each test row is right."""
        out = self._at(seed, f"{name}-test.parquet")
        model, choices = str(self._at(seed, name)), engine.Choices(dtype=self._dtype)
        engine.predict(engine.PredictConfig(model=model, inputs=(str(self._test),), out=str(out), choices=choices))
        answers = pq.read_table(out).column("class").to_pylist()
        return [answer == truth for answer, truth in zip(answers, self._truth, strict=True)]

    def result(self, methods: list[str]) -> dict[str, Any]:
        """Accuracies, and the gains of each method over the control and of the control over the first rows alone."""
        last = f"answer-{methods[-1]}.json"
        seeds = sorted(int(one.parent.name.removeprefix("seed-")) for one in self._work.glob(f"seed-*/{last}"))
        right = {name: self._right(seeds, name) for name in ("first", *methods)}
        gains = {name: gain(right[name], right[CONTROL]) for name in methods if name != CONTROL}
        return {
            **dataclasses.asdict(self._sizes),
            "seeds": seeds,
            "model": Path(self._model).name,
            "dtype": self._dtype,
            "methods": {name: figures(of) for name, of in right.items()},
            "positive": {name: self._positive(seeds, name) for name in methods},
            "gains_over_random": gains,
            "gain_of_random": gain(right[CONTROL], right["first"]),
        }

    def _right(self, seeds: list[int], name: str) -> Right:
        """(seeds, test rows)."""
        return np.array([json.loads(self._at(seed, f"answer-{name}.json").read_text()) for seed in seeds])

    def _positive(self, seeds: list[int], name: str) -> float:
        """The share of the second class among the rows that were added."""
        shares = [json.loads(self._at(seed, f"round-{name}.json").read_text())["positive"] for seed in seeds]
        return round(float(np.mean(shares)), 4)


def _named(rows: pa.Table) -> pa.Table:
    """``id``, ``text`` and ``label`` as strings, the label as the name of its class."""
    names = pa.array(CLASSES).take(rows.column("label").combine_chunks().cast(pa.int64()))
    columns = [rows.column("id").cast(pa.string()), rows.column("text").cast(pa.string()), names]
    return pa.table(columns, names=["id", "text", "label"])


if __name__ == "__main__":
    main()
