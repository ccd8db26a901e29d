"""A reader of a few lines, by FORMAT.md, with pyarrow, json and hashlib alone. We write the store, and it reads it."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from store_factory import (
    EXTRAS,
    REJECTED,
    NoWaitStorage,
    add_labels,
    append_rows,
    calibration_at,
    label_of,
    make_store,
    random_logits,
    repair_labels,
    text_of,
    token_ids,
)

from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration


def read_small(path: Path) -> dict[str, Any] | None:
    """A header, card, record or manifest; None where it is torn."""
    data = path.read_bytes()
    if not data.endswith(b'"\n}\n'):
        return None
    value: dict[str, Any] = json.loads(data)
    assert value.pop("check") == hashlib.sha256(data[:-81]).hexdigest()
    return value


def read_records(folder: Path, *, shards: int = 10**6) -> list[dict[str, Any]]:
    manifests = [read_small(path) or {"records": []} for path in folder.glob("manifest*.json")]
    held = {record["shard"]: (0, record) for manifest in manifests for record in manifest["records"]}
    for path in folder.glob("*.json"):
        name = re.fullmatch(r"([0-9]{5,})(?:\.g([1-9][0-9]*))?\.json", path.name)
        record = read_small(path) if name and int(name[1]) < shards else None
        if name and record and int(name[2] or 0) >= held.get(int(name[1]), (0,))[0]:
            held[int(name[1])] = int(name[2] or 0), record
    return [record for _, (_, record) in sorted(held.items())]


def read_family(folder: Path) -> pa.Table:
    tables = []
    for record in read_records(folder):
        data = (folder / record["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (record["bytes"], record["sha256"])
        tables.append(pa.ipc.open_file(data).read_all())
    return pa.concat_tables(tables)


REPAIRED = range(1_000, 2_000)


@pytest.fixture(params=["sealed", "unsealed", "sealed, then repaired", "repaired, then sealed", "unsealed, repaired"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store of three shards; where repaired, the labels of the second one are another machine's."""
    made = make_store(NoWaitStorage(tmp_path), rows=3_000, labels=[], encodings=["words-8-right"])
    add_labels(made, "bert", failed=[7, 2_999])
    for step in request.param.split(", "):
        if step == "unsealed":
            for manifest in tmp_path.rglob("manifest.json"):
                manifest.unlink()
        elif "sealed" in step:
            made.label_set("bert").seal()
        else:
            repair_labels(made, "bert", shard=1, seed=4)
            repair_labels(made, "bert", shard=1, seed=5)
            third = tmp_path / "labels" / "bert" / "00001.g3.json"
            third.write_bytes((tmp_path / "labels" / "bert" / "00001.json").read_bytes()[:-1])
    return tmp_path


def is_repaired(place: Path) -> bool:
    return (place / "labels" / "bert" / "00001.g2.json").exists()


def header(place: Path) -> dict[str, Any]:
    value = read_small(place / "store.json")
    assert value is not None
    return value


def test_a_small_file_needs_no_knowledge_of_its_check(place: Path) -> None:
    value = json.loads((place / "store.json").read_text())
    assert value.pop("check")
    assert value == header(place)


def test_the_header_and_the_cards_are_there_twice(place: Path) -> None:
    twice = ["store.json", "tokens/words-8-right/card.json", "labels/bert/card.json"]
    for name in twice:
        assert (place / name).read_bytes() == (place / name.replace(".json", ".copy.json")).read_bytes()
        assert read_small(place / name)
    assert len(list(place.rglob("*.copy.json"))) == len(twice)


def test_every_small_file_has_its_check(place: Path) -> None:
    torn = [path.name for path in place.rglob("*.json") if read_small(path) is None]
    assert torn == (["00001.g3.json"] if is_repaired(place) else [])


def test_texts_and_gold_labels_are_read_without_us(place: Path) -> None:
    table = read_family(place / "corpus")
    assert table.column("row").to_pylist() == list(range(3_000))
    assert table.column("text").to_pylist() == [text_of(row) for row in range(3_000)]
    assert table.column("label").to_pylist() == [label_of(row) for row in range(3_000)]
    names = ["row", "id", "text", "label", "n_chars", "text_hash"]
    assert table.column_names == [*names, *header(place)["extras"]]


def test_logits_are_read_without_us(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = read_family(place / "labels" / "bert")
    again = make_store(NoWaitStorage(tmp_path_factory.mktemp("again")), rows=3_000, labels=[])
    expected = add_labels(again, "bert", failed=[7, 2_999])
    if is_repaired(place):
        expected[REPAIRED] = random_logits(3_000, seed=5)[REPAIRED]
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
    for number, record in enumerate(read_records(place / "corpus")):
        shard = record["shard"]
        assert shard == number
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
        manifest = read_small(folder / "manifest.json")
        assert manifest is not None
        assert manifest["card_sha256"] == hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()


def test_nothing_is_left_behind(place: Path) -> None:
    assert list((place / "tmp").iterdir()) == []
    named = {record["file"] for path in place.rglob("0*.json") if (record := read_small(path))}
    assert {path.name for path in place.rglob("*.arrow")} == named | {header(place)["rejects"]["file"]}


def test_rounds_of_gold_are_read_without_us(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path), rows=300)
    rounds = [np.arange(0, 300, 7), np.arange(0, 300, 5)]
    for number, rows in enumerate(rounds, start=1):
        add_round(made, Labelled(rows=rows, labels=(rows * number % 3).astype(np.int16), sources=["é.csv"] * len(rows)))
    table = read_family(tmp_path / "gold")
    assert table.column("row").to_pylist() == np.concatenate(rounds).tolist()
    assert table.column_names == ["row", "label", "source", "round"]
    for number, (record, rows) in enumerate(zip(read_records(tmp_path / "gold"), rounds, strict=True), start=1):
        assert (record["shard"], record["first_row"], record["rows"]) == (number, 0, len(rows))
        labels = rows * number % 3
        told = b"".join(
            int(row).to_bytes(8, "little") + int(label).to_bytes(2, "little") + "é.csv".encode() + b"\0"
            for row, label in zip(rows, labels, strict=True)
        )
        counts = np.bincount(labels).tolist()
        content = hashlib.sha256(told).hexdigest()
        assert record["statistics"] == {"labels": counts, "sources": {"é.csv": len(rows)}, "content": content}
    held = {row: label_of(row) for row in range(300)}
    held |= dict(zip(table.column("row").to_pylist(), table.column("label").to_pylist(), strict=True))
    asked = made.sql("SELECT row, gold FROM reviews").to_pylist()
    assert {row["row"]: row["gold"] for row in asked} == held


def test_a_calibration_is_read_without_us(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path))
    for temperature in (1.5, 2.5):
        add_calibration(made, calibration_at(temperature, made=made))
    files = sorted((tmp_path / "labels" / "bert").glob("calibration-*.json"))
    assert [file.name for file in files] == [
        "calibration-1.copy.json", "calibration-1.json", "calibration-2.copy.json", "calibration-2.json",
    ]  # fmt: skip
    value = read_small(files[-1])
    assert value == read_small(files[-2])
    assert value is not None
    assert value["temperature"] == 2.5
    hashes = "".join(record["sha256"] for record in read_records(tmp_path / "labels" / "bert"))
    assert value["sources"]["labels/bert"] == hashlib.sha256(hashes.encode()).hexdigest()


def test_appended_rows_are_read_without_us(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path), rows=300, labels=[])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    append_rows(made, rows=50, shards=2)
    append_rows(made, rows=41, shards=3, extras={"stars": EXTRAS["stars"]})
    assert before == {path: path.read_bytes() for path in before}
    segments = [header(tmp_path) | {"first_row": 0, "first_shard": 0}]
    for number in (1, 2):
        segment = read_small(tmp_path / "segments" / f"{number:05d}.json")
        assert segment is not None
        assert (tmp_path / "segments" / f"{number:05d}.copy.json").read_bytes() == (
            tmp_path / "segments" / f"{number:05d}.json"
        ).read_bytes()
        assert (segment["format_version"], segment["segment"]) == (2, number)
        assert (segment["first_row"], segment["first_shard"]) == (
            segments[-1]["first_row"] + segments[-1]["rows"],
            segments[-1]["first_shard"] + segments[-1]["shards"],
        )
        rejects = (tmp_path / "segments" / segment["rejects"]["file"]).read_bytes()
        assert hashlib.sha256(rejects).hexdigest() == segment["rejects"]["sha256"]
        segments.append(segment)
    shards = segments[-1]["first_shard"] + segments[-1]["shards"]
    for sealed in (True, False):
        records = read_records(tmp_path / "corpus", shards=shards)
        assert [record["shard"] for record in records] == list(range(shards))
        for segment in segments:
            rows, count = segment["rows"], segment["shards"]
            for place in range(count):
                record = records[segment["first_shard"] + place]
                assert record["first_row"] == segment["first_row"] + place * rows // count
                assert record["rows"] == (place + 1) * rows // count - place * rows // count
        if sealed:
            for path in (tmp_path / "corpus").glob("manifest*.json"):
                path.unlink()
    tables = [pa.ipc.open_file((tmp_path / "corpus" / record["file"]).read_bytes()).read_all() for record in records]
    table = pa.concat_tables(tables, promote_options="default")
    assert table.column("row").to_pylist() == list(range(391))
    assert table.column("text").to_pylist() == [text_of(row) for row in range(391)]
    assert table.column("Café").null_count == 41
    assert list(segments[-1]["extras"]) == ["stars"]
