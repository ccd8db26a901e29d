"""Types of kept columns, from files of any format to SQL: numbers are numbers, and nothing is lost where they are not."""

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.blocks import BLOCK_ROWS
from store import Store
from store.storage import MemoryStorage


def make(*files: Path) -> Store:
    config = IngestConfig(files=tuple(map(str, files)), classes=("neg", "pos"))
    return ingest(MemoryStorage(), config)


def jsonl(path: Path, values: list[Any]) -> Path:
    path.write_text("".join(json.dumps({"text": f"t{at}", "x": value}) + "\n" for at, value in enumerate(values)))
    return path


def parquet(path: Path, values: pa.Array) -> Path:
    pq.write_table(pa.table({"text": [f"t{at}" for at in range(len(values))], "x": values}), path)
    return path


def kept(made: Store) -> tuple[str, list[Any]]:
    return made.header.extras["x"], made.sql("SELECT x FROM corpus ORDER BY row").column("x").to_pylist()


def test_numbers_of_json_sort_as_numbers(tmp_path: Path) -> None:
    made = make(jsonl(tmp_path / "in.jsonl", list(range(20))))
    top = made.sql("SELECT x FROM corpus WHERE x > 9 ORDER BY x DESC LIMIT 3").column("x").to_pylist()
    assert top == [19, 18, 17]


FIRST = [1] * BLOCK_ROWS
"""Whole numbers, so many that the next value stands in another block."""


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        ([*FIRST, None], "int64", [*FIRST, None]),
        ([None] * BLOCK_ROWS + [7], "int64", [None] * BLOCK_ROWS + [7]),
        ([*FIRST, 2.5], "double", [*map(float, FIRST), 2.5]),
        ([*FIRST, "x"], "string", ["1"] * BLOCK_ROWS + ["x"]),
        ([*FIRST, True], "string", ["1"] * BLOCK_ROWS + ["true"]),
        ([*FIRST, 2**64 - 1], "uint64", [*FIRST, 2**64 - 1]),
        ([*FIRST, 2**64], "double", [*map(float, FIRST), 2.0**64]),
        ([2.0, 1.5, 1e16] * BLOCK_ROWS + ["x", 7], "string", ["2.0", "1.5", "1e+16"] * BLOCK_ROWS + ["x", "7"]),
        ([False] * BLOCK_ROWS + [None, True], "bool", [False] * BLOCK_ROWS + [None, True]),
    ],
    ids=["null", "late", "fraction", "text", "truth", "large", "huge", "text after fractions", "truths"],
)
def test_the_type_is_that_of_all_blocks_and_text_is_what_json_says(
    tmp_path: Path, values: list[Any], type_: str, expected: list[Any]
) -> None:
    assert kept(make(jsonl(tmp_path / "in.jsonl", values))) == (type_, expected)


@pytest.mark.parametrize(
    ("arrays", "type_", "expected"),
    [
        ([pa.array([1]), pa.nulls(1), pa.array([None], pa.float64())], "int64", [1, None, None]),
        ([pa.array([1]), pa.nulls(1), pa.array([1.5])], "double", [1.0, None, 1.5]),
        ([pa.array([1]), pa.nulls(1, pa.string())], "int64", [1, None]),
        ([pa.array([2.5]), pa.array([2**60 + 1])], "double", [2.5, float(2**60)]),
        ([pa.array([1]), pa.array(["x"])], "string", ["1", "x"]),
        ([pa.array([True]), pa.array([1])], "string", ["true", "1"]),
        ([pa.array([-1]), pa.array([2**63], pa.uint64())], "double", [-1.0, 2.0**63]),
        ([pa.array([1]), pa.array([Decimal(2)], pa.decimal128(38, 0))], "int64", [1, 2]),
        ([pa.array([1]), pa.array([Decimal("2.50")], pa.decimal128(9, 2))], "double", [1.0, 2.5]),
        ([pa.array(["x"]), pa.array([Decimal("2.50")], pa.decimal128(9, 2))], "string", ["x", "2.50"]),
        ([pa.nulls(1, pa.int64()), pa.nulls(1)], "int64", [None, None]),
        ([pa.nulls(1), pa.nulls(1)], "string", [None, None]),
    ],
)
def test_types_of_several_files_are_merged(
    tmp_path: Path, arrays: list[pa.Array], type_: str, expected: list[Any]
) -> None:
    files = [parquet(tmp_path / f"{number}.parquet", array) for number, array in enumerate(arrays)]
    assert kept(make(*files)) == (type_, expected)
    again = make(*files[::-1])
    assert kept(again)[0] == type_
    assert sorted(map(str, kept(again)[1])) == sorted(map(str, expected))


def test_types_of_several_formats_are_merged(tmp_path: Path) -> None:
    files = jsonl(tmp_path / "a.jsonl", [1, None]), parquet(tmp_path / "b.parquet", pa.array([2.5]))
    assert kept(make(*files)) == ("double", [1.0, None, 2.5])


def test_rounding_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    make(jsonl(tmp_path / "a.jsonl", [1, 2**53, 2.5]))
    assert "kept as double" not in caplog.text
    make(jsonl(tmp_path / "a.jsonl", [1, 2**53 + 1, 2.5]))
    assert "kept as double, which rounds some of their values: x" in caplog.text


def test_lists_are_kept_as_json(tmp_path: Path) -> None:
    made = make(parquet(tmp_path / "a.parquet", pa.array([["a", "b"], None])))
    assert kept(made) == ("string", ['["a", "b"]', None])
    assert made.sql("SELECT x::JSON->>1 AS second FROM corpus ORDER BY row").column("second").to_pylist() == ["b", None]


def test_truths_with_gaps_are_the_same_bytes_from_every_format(tmp_path: Path) -> None:
    """Parquet leaves anything under a null, which no store has."""
    rows = range(3 * BLOCK_ROWS)
    truths = [None if row % 3 == 0 else row % 2 == 0 for row in rows]
    table = pa.table({"id": [str(row) for row in rows], "text": [f"t{row}" for row in rows], "x": truths})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pa.ipc.new_file(tmp_path / "rows.arrow", table.schema) as file:
        file.write_table(table)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    made = [make(tmp_path / f"rows.{ending}") for ending in ("parquet", "arrow", "jsonl")]
    assert [kept(one) for one in made] == [("bool", truths)] * 3
    records = [one.corpus.record(0) for one in made]
    assert len({record.sha256 for record in records if record is not None}) == 1
    assert None not in records
