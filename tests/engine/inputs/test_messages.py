"""Words that all doors share."""

import logging
from pathlib import Path

import pytest

from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.messages import counted, merged
from store.storage import MemoryStorage


def test_one_row_is_no_rows() -> None:
    assert [counted(number, "row") for number in (0, 1, 2, 1_234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]


def test_a_note_on_many_files_is_one() -> None:
    notes = ["b: x", "a: x", "c: y: z", "kept", "a: x", "no file: x", "kept"]
    assert merged(notes, ["a", "b", "c"]) == ["b and 1 more file: x", "c: y: z", "kept", "no file: x"]
    assert merged([f"f{number}: x" for number in range(8000)], [f"f{number}" for number in range(8000)]) == [
        "f0 and 7,999 more files: x"
    ]


def test_the_doors_say_what_is_so_of_many_files_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(4):
        (tmp_path / f"{number}.csv").write_text(f"text;label;row\nx{number};{number % 2};{number}\n")
    files = (str(tmp_path / "*.csv"),)
    said = f"{tmp_path}/0.csv and 3 more files: "
    ingest(MemoryStorage(), IngestConfig(files=files, classes=("no", "yes"), shards=1))
    notes = [record.getMessage() for record in caplog.records]
    assert f"{said}columns whose names a store needs itself are kept by others: row as row_" in notes
    assert notes.count(f"{said}read with ';' between fields") == 1
    caplog.clear()
    read_gold(GoldConfig(files=files))
    assert [record.getMessage() for record in caplog.records] == [f"{said}read with ';' between fields"]
