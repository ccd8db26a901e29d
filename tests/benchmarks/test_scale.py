"""The short form of `benchmarks.store.scale`: what it asks is right, and memory and open files do not grow with a store."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import store
from benchmarks.harness.made_stores import CLASSES, LABEL_SETS, build_store, gold_of, logits_of, write_texts
from benchmarks.harness.measured import measure
from benchmarks.store.scale import CHILD, MANY_ROWS, MANY_SHARDS, PEERS, ask
from engine.inputs.arrow_files.tables import read_parquet
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from store import Store
from store.families.labels import derive

ROWS, SHARDS = 200_000, 20
DESCRIPTORS = 60
MANY = list(MANY_SHARDS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Many rows in few shards, with two label sets."""
    place = tmp_path_factory.mktemp("scale") / "rows.store"
    build_store(place, rows=ROWS, shards=SHARDS)
    return store.open(place)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few rows in 2,000 shards."""
    place = tmp_path_factory.mktemp("scale") / "shards.store"
    build_store(place, rows=6000, shards=2000, label_sets=("bert",))
    return place


class Truth:
    """The same answers by numpy, from what the store was made of."""

    def __init__(self, made: Store, labels: int) -> None:
        parts = [logits_of(labels, *made.layout.range_of(shard)) for shard in range(made.header.shards)]
        logits = np.concatenate(parts)
        self.known = np.isfinite(logits).all(axis=1)
        derived = derive(np.where(self.known[:, None], logits, np.float16(0)))
        self.prediction = np.where(self.known, derived.prediction, -1)
        self.confidence = derived.confidence.astype(float)
        self.entropy = derived.entropy.astype(float)
        self.gold, self.has_gold = gold_of(0, len(logits))


@pytest.fixture(scope="module")
def truths(rows: Store) -> list[Truth]:
    return [Truth(rows, number) for number in range(len(LABEL_SETS))]


def answer(rows: Store, name: str) -> list[dict[str, Any]]:
    return rows.sql(MANY_ROWS[name], labels="bert").to_pylist()


def test_every_question_is_checked_here() -> None:
    checked = {name.removeprefix("test_").replace("_", " ") for name in globals() if name.startswith("test_")}
    assert {name for name in MANY_ROWS if name not in checked} == set()


def test_count(rows: Store) -> None:
    assert answer(rows, "count") == [{"n": 2 * ROWS}]


def test_count_and_mean(rows: Store, truths: list[Truth]) -> None:
    mean = truths[0].confidence[truths[0].known].mean()
    assert answer(rows, "count and mean") == [{"n": ROWS, "mean": pytest.approx(mean, rel=1e-9)}]


def test_by_class(rows: Store, truths: list[Truth]) -> None:
    expected = []
    for name, truth in zip(LABEL_SETS, truths, strict=True):
        for index, class_ in [*enumerate(CLASSES), (-1, None)]:
            of_class = truth.prediction == index
            mean = None if class_ is None else pytest.approx(truth.confidence[of_class].mean(), rel=1e-9)
            expected.append({"label_set": name, "class": class_, "n": of_class.sum(), "mean": mean})
    assert answer(rows, "by class") == expected


def test_histogram(rows: Store, truths: list[Truth]) -> None:
    found = answer(rows, "histogram")
    for name, truth in zip(LABEL_SETS, truths, strict=True):
        bins, counts = np.unique(np.floor(truth.confidence[truth.known] * 20) / 20, return_counts=True)
        ours = {round(row["bin"], 2): row["n"] for row in found if row["label_set"] == name and row["bin"] is not None}
        assert ours == {round(bin_, 2): count for bin_, count in zip(bins, counts, strict=True)}


def test_quantiles(rows: Store, truths: list[Truth]) -> None:
    for row, truth in zip(answer(rows, "quantiles"), truths, strict=True):
        assert row["q"] == pytest.approx(np.quantile(truth.entropy[truth.known], [0.1, 0.5, 0.9]).tolist(), rel=1e-5)


def test_least_certain(rows: Store, truths: list[Truth]) -> None:
    truth = truths[0]
    order = np.lexsort((np.arange(ROWS), np.where(truth.known, truth.confidence, 2)))[:100]
    expected = [{"row": row, "class": CLASSES[truth.prediction[row]]} for row in order]
    assert answer(rows, "least certain") == expected


def test_agreement(rows: Store, truths: list[Truth]) -> None:
    first, second = truths
    same = (first.prediction == second.prediction) & first.known & second.known
    assert answer(rows, "agreement") == [{"n": ROWS, "same": int(same.sum())}]


def test_accuracy(rows: Store, truths: list[Truth]) -> None:
    truth = truths[0]
    right = (truth.gold == truth.prediction)[truth.has_gold & truth.known].mean()
    assert answer(rows, "accuracy") == [{"n": ROWS // 10, "mean": pytest.approx(right, rel=1e-9)}]


def test_confusion(rows: Store, truths: list[Truth]) -> None:
    truth = truths[0]
    found = {(row["gold"], row["prediction"]): row["n"] for row in answer(rows, "confusion")}
    for gold in range(2):
        for prediction in (0, 1, -1):
            count = (truth.has_gold & (truth.gold == gold) & (truth.prediction == prediction)).sum()
            assert found.get((gold, None if prediction < 0 else prediction), 0) == count


def test_uncertain_with_gold(rows: Store, truths: list[Truth]) -> None:
    truth = truths[0]
    count = (truth.has_gold & truth.known & (truth.confidence < 0.6)).sum()
    assert answer(rows, "uncertain with gold") == [{"n": count}]


def test_failed_and_truncated(rows: Store, truths: list[Truth]) -> None:
    tokens = int((np.arange(ROWS) % 500).sum())
    expected = [
        {"label_set": name, "failed": (~truth.known).sum(), "truncated": ROWS // 50, "tokens": tokens}
        for name, truth in zip(LABEL_SETS, truths, strict=True)
    ]
    assert answer(rows, "failed and truncated") == expected


def test_by_shard(rows: Store, truths: list[Truth]) -> None:
    truth = truths[0]
    for row in answer(rows, "by shard"):
        first, stop = rows.layout.range_of(row["shard"])
        expected = truth.confidence[first:stop][truth.known[first:stop]].mean()
        assert row["mean"] == pytest.approx(expected, rel=1e-9)


def test_shards(rows: Store) -> None:
    families = [("corpus", "corpus"), *(("labels", name) for name in LABEL_SETS)]
    assert answer(rows, "shards") == [{"family": family, "name": name, "rows": ROWS} for family, name in families]


@pytest.mark.parametrize("name", [MANY[0], *(pytest.param(name, marks=pytest.mark.slow) for name in MANY[1:])])
def test_many_shards_are_asked_with_few_open_files(shards: Path, name: str) -> None:
    measured = ask(shards, MANY_SHARDS[name])
    assert measured["descriptors"] < DESCRIPTORS
    if name in PEERS:
        (ours,), (theirs,) = measured["answer"]["rows"], ask(shards, PEERS[name], what="peer")["answer"]["rows"]
        assert ours == pytest.approx(theirs, rel=1e-6)
    else:
        rows = [{"family": "corpus", "n": 2000, "rows": "6000"}, {"family": "labels", "n": 2000, "rows": "6000"}]
        assert measured["answer"]["rows"] == rows


def test_info_of_many_shards(shards: Path) -> None:
    measured = measure(CHILD, {"what": "info", "store": str(shards)})
    families = [{"family": path, "shards": 2000, "rows": 6000} for path in ("corpus", "labels/bert")]
    assert measured.answer["rows"] == families
    assert measured.descriptors < DESCRIPTORS


def test_texts_become_a_corpus_with_few_open_files_in_memory_that_does_not_depend_on_them(tmp_path: Path) -> None:
    peaks = []
    for size in (5_000_000, 20_000_000):
        folder = tmp_path / str(size)
        folder.mkdir()
        files = write_texts(folder, size=size)
        assert sum(Path(file).stat().st_size for file in files) >= size
        measured = measure(CHILD, {"what": "ingest", "store": str(folder / "a.store"), "files": files})
        made = store.open(folder / "a.store")
        assert (
            made.header.rows
            == measured.answer["rows"]
            == sum(len(Path(file).read_text().splitlines()) for file in files)
        )
        assert measured.descriptors < DESCRIPTORS
        peaks.append(measured.peak_private_megabytes)
    assert max(peaks) < 600


def test_a_parquet_file_is_read_without_holding_all_its_row_groups(tmp_path: Path) -> None:
    file = tmp_path / "many.parquet"
    texts = pa.table({"text": [f"{number} {'word ' * 500}" for number in range(400)]})
    with pq.ParquetWriter(file, texts.schema, use_dictionary=False, compression="none") as writer:
        for _ in range(40):
            writer.write_table(texts)
    assert file.stat().st_size > 38e6
    before, held, rows = pa.total_allocated_bytes(), [], 0
    for block in read_parquet(str(file), ColumnNames(), ReadOptions()):
        rows += block.rows
        held.append(pa.total_allocated_bytes() - before)
    assert rows == 16_000
    assert max(held) < 16e6  # a block of 4,096 rows is 10
