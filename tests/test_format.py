"""A reader of a few lines, by FORMAT.md, with pyarrow and json alone. The store is written by us and read by it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from store_factory import REJECTED, add_labels, label_of, make_store, text_of, token_ids

from store.storage import LocalStorage


def read_family(folder: Path) -> pa.Table:
    manifest = folder / "manifest.json"
    if manifest.exists():
        records = json.loads(manifest.read_text())["records"]
    else:
        found = [path for path in folder.glob("*.json") if path.stem.isdigit() and len(path.stem) >= 5]
        records = sorted((json.loads(path.read_text()) for path in found), key=lambda record: record["shard"])
    tables = []
    for record in records:
        data = (folder / record["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (record["bytes"], record["sha256"])
        tables.append(pa.ipc.open_file(data).read_all())
    return pa.concat_tables(tables)


@pytest.fixture(params=[True, False], ids=["sealed", "unsealed"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = make_store(LocalStorage(tmp_path), rows=3_000, labels=[], encodings=["words-8-right"])
    add_labels(made, "bert", failed=[7, 2_999])
    if request.param:
        made.label_set("bert").seal()
    else:
        for manifest in tmp_path.rglob("manifest.json"):
            manifest.unlink()
    return tmp_path


def header(place: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((place / "store.json").read_text())
    return value


def test_texts_and_gold_labels_are_read_without_us(place: Path) -> None:
    table = read_family(place / "corpus")
    assert table.column("row").to_pylist() == list(range(3_000))
    assert table.column("text").to_pylist() == [text_of(row) for row in range(3_000)]
    assert table.column("label").to_pylist() == [label_of(row) for row in range(3_000)]
    names = ["row", "id", "text", "label", "n_chars", "text_hash"]
    assert table.column_names == [*names, *header(place)["extras"]]


def test_logits_are_read_without_us(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = read_family(place / "labels" / "bert")
    again = make_store(LocalStorage(tmp_path_factory.mktemp("again")), rows=3_000, labels=[])
    expected = add_labels(again, "bert", failed=[7, 2_999])
    kept = np.delete(expected, [7, 2_999], axis=0)
    column = table.column("logits").combine_chunks()
    assert [row for row in range(3_000) if not column[row].is_valid] == [7, 2_999]
    assert column.drop_null().flatten().to_numpy().reshape(-1, 3).tobytes() == kept.tobytes()
    shifted = kept.astype(np.float64) - kept.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    confidence = table.column("confidence").drop_null().to_numpy()
    assert confidence == pytest.approx(probabilities.max(axis=1), rel=1e-6)
    assert table.column("prediction").drop_null().to_pylist() == kept.argmax(axis=1).tolist()


def test_token_ids_are_read_without_us(place: Path) -> None:
    table = read_family(place / "tokens" / "words-8-right")
    assert table.column("input_ids").to_pylist() == [token_ids(row) for row in range(3_000)]


def test_rows_are_in_the_shard_that_the_rule_says(place: Path) -> None:
    rows, shards = header(place)["rows"], header(place)["shards"]
    for path in (place / "corpus").glob("0*.json"):
        record = json.loads(path.read_text())
        shard = record["shard"]
        assert record["first_row"] == shard * rows // shards
        assert record["first_row"] + record["rows"] == (shard + 1) * rows // shards
        for row in (record["first_row"], record["first_row"] + record["rows"] - 1):
            assert ((row + 1) * shards - 1) // rows == shard


def test_batches_hold_1024_rows_but_the_last(place: Path) -> None:
    for path in (place / "labels" / "bert").glob("*.arrow"):
        reader = pa.ipc.open_file(path.read_bytes())
        sizes = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
        assert set(sizes[:-1]) <= {1024}
        assert 0 < sizes[-1] <= 1024


def test_refused_rows_are_read_without_us(place: Path) -> None:
    entry = header(place)["rejects"]
    data = (place / "rejects" / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert [tuple(row.values()) for row in pa.ipc.open_file(data).read_all().to_pylist()] == REJECTED


def test_the_manifest_knows_the_hash_of_the_card(place: Path) -> None:
    folder = place / "labels" / "bert"
    if (folder / "manifest.json").exists():
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["card_sha256"] == hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()


def test_nothing_is_left_behind(place: Path) -> None:
    assert list((place / "tmp").iterdir()) == []
    named = {record["file"] for path in place.rglob("0*.json") for record in [json.loads(path.read_text())]}
    assert {path.name for path in place.rglob("*.arrow")} == named | {header(place)["rejects"]["file"]}
