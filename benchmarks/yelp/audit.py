"""What do the audit's answers say of a real store, and are they true? Against gold that the store never saw.

    python -m benchmarks.yelp.audit --store STORE --gold GOLD.parquet --work FOLDER

``--store`` is a labelled store without gold (of `engine label`; it is copied), ``--gold`` has ``id`` and
``label`` for all of its rows. The parts:
    calibration  a temperature from a random sample of gold; calibration error before and after on the rows beside it
    mistakes     some gold labels are turned over; how many of the 500 that confident learning ranks first are such
    inference    intervals from many random samples of gold: how often the truth is inside, and how wide they are
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

import engine
import store
from benchmarks.harness.conditions import write_result
from engine.evaluation.calibrate import CalibrateConfig, calibrate
from store import Store
from store.sql.questions import questions

SAMPLE = 2_000
NOISE = 0.05
RANKED = 500
RESAMPLES = 500
SIZES = (200, 500, 1_000, 2_000)
Gold = npt.NDArray[np.int64]


def main() -> None:
    """Measure the parts, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True, type=Path)
    parser.add_argument("--gold", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path, help="an empty folder")
    parser.add_argument("--labels", help="the label set, if there are several")
    arguments = parser.parse_args()
    audits = Audits(arguments.store, arguments.gold, arguments.work, labels=arguments.labels)
    result = {
        "rows": audits.made.layout.rows,
        "label_set": audits.labels,
        "calibration": audits.calibration(),
        "mistakes": audits.mistakes(),
        "inference": audits.inference(),
    }
    print(f"written to {write_result('yelp_audit', result)}")


class Audits:
    """A store, and the gold of all of its rows in their order.

    Attributes:
        made: the store as it was.
        labels: the label set that is asked about.
    """

    def __init__(self, place: Path, gold: Path, work: Path, *, labels: str | None) -> None:
        self._place, self._work = place, work
        self.made = store.open(place)
        self.labels = self.made.one_label_set(labels)
        table = pq.read_table(gold, columns=["id", "label"])
        of_id = dict(zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True))
        self._ids = self.made.sql("SELECT id FROM corpus ORDER BY row").column("id").to_pylist()
        self._gold: Gold = np.array([of_id[id_] for id_ in self._ids])
        self._chance = np.random.default_rng(0)
        work.mkdir(parents=True)

    def _with_gold(self, name: str, *rounds: tuple[npt.NDArray[np.int64], Gold]) -> Store:
        """A copy of the store with rounds of gold, each as numbers of rows and all rows' labels."""
        copy = self._work / f"{name}.store"
        shutil.copytree(self._place, copy)
        for number, (rows, labels) in enumerate(rounds):
            file = self._work / f"{name}-{number}.parquet"
            table = {"id": [self._ids[row] for row in rows], "label": labels[rows]}
            pq.write_table(pa.table(table), file)
            engine.add_gold(engine.GoldRoundConfig(store=str(copy), inputs=(str(file),)))
        return store.open(copy)

    def calibration(self) -> dict[str, Any]:
        """Figures on the rows that the temperature was not fitted to."""
        order = self._chance.permutation(len(self._gold))
        made = self._with_gold("calibration", (order[:SAMPLE], self._gold), (order[SAMPLE:], self._gold))
        found = calibrate(CalibrateConfig(store=made.storage, labels=self.labels, rounds=(1,)))
        before, after = made.audit("calibrated", labels=self.labels, rounds=(2,)).to_pylist()
        figures = {"fitted_on": found.rows, "temperature": found.temperature, "standard_error": found.standard_error}
        print(f"calibration: {figures}\n  before {before}\n  after {after}", flush=True)
        return {**figures, "before": before, "after": after}

    def mistakes(self) -> dict[str, Any]:
        """Of the rows that are ranked first, the share whose label was turned over."""
        rows = np.arange(len(self._gold))
        turned = self._chance.random(len(rows)) < NOISE
        noisy = np.where(turned, 1 - self._gold, self._gold)
        made = self._with_gold("mistakes", (rows, noisy))
        ranked = made.audit("label-errors", labels=self.labels).column("row").to_numpy()[:RANKED]
        predicted = self._predictions()
        figures = {
            "turned": int(turned.sum()),
            "base_rate": float(turned.mean()),
            "ranked": len(ranked),
            "share_of_mistakes": float(turned[ranked].mean()),
            "share_where_predictions_differ": float(turned[predicted != noisy].mean()),
        }
        print(f"mistakes: {figures}", flush=True)
        return figures

    def _predictions(self) -> Gold:
        query = f"SELECT prediction FROM labels WHERE label_set = '{self.labels}' ORDER BY row"
        predictions: Gold = self.made.sql(query).column("prediction").to_numpy()
        return predictions

    def inference(self) -> dict[str, Any]:
        """For each size of a sample: how often intervals cover the truth of all rows, and their mean widths."""
        made = self._with_gold("inference", (np.arange(len(self._gold)), self._gold))
        truths = {"accuracy": float((self._predictions() == self._gold).mean())}
        truths |= {f"share of {name}": float((self._gold == at).mean()) for at, name in enumerate(made.header.classes)}
        figures = {str(size): self._covered(made, size, truths) for size in SIZES}
        return {"resamples": RESAMPLES, "truths": truths, "by_gold_rows": figures}

    def _covered(self, made: Store, size: int, truths: dict[str, float]) -> dict[str, Any]:
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in truths}
        for _ in range(RESAMPLES):
            rows = self._chance.choice(len(self._gold), size, replace=False)
            for row in made.sql(_of_sample(rows), labels=self.labels).to_pylist():
                answers[row["estimand"]].append(row)
        figures = {name: _figures(of, truths[name]) for name, of in answers.items()}
        for name, of in figures.items():
            print(f"inference, {size} gold rows, {name}: {of}", flush=True)
        return figures


def _of_sample(rows: npt.NDArray[np.int64]) -> str:
    """The question ``estimates``, of a store in which ``rows`` alone have gold."""
    listed = ", ".join(map(str, rows))
    hidden = ", ".join(f"if(row IN ({listed}), {name}, NULL) AS {name}" for name in ("gold", "gold_class"))
    return (
        f"WITH reviews AS (SELECT * REPLACE ({hidden}) FROM main.reviews) "
        f"SELECT * FROM ({questions()['estimates'].sql})"
    )


def _figures(answers: list[dict[str, Any]], truth: float) -> dict[str, float]:
    low, high, alone_low, alone_high = (
        np.array([row[name] for row in answers]) for name in ("low", "high", "gold_low", "gold_high")
    )
    return {
        "covered": float(((low <= truth) & (truth <= high)).mean()),
        "covered_by_gold_alone": float(((alone_low <= truth) & (truth <= alone_high)).mean()),
        "width": float((high - low).mean()),
        "width_of_gold_alone": float((alone_high - alone_low).mean()),
        "narrower": float(1 - (high - low).mean() / (alone_high - alone_low).mean()),
        "mean_error_of_the_labels_alone": float(np.mean([abs(row["labels_alone"] - truth) for row in answers])),
    }


if __name__ == "__main__":
    main()
