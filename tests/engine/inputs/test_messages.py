"""Words that all doors share."""

import logging
import re
from pathlib import Path

import pytest

from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.messages import counted, merged, several
from engine.inputs.options import ReadOptions
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


@pytest.mark.parametrize("word", ["n/a", "-1", "#N/A"])
def test_a_word_that_was_no_label_becomes_one_as_the_note_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "rows.csv"
    file.write_text(f"text,label\na,good\nb,{word}\nc,bad\n")
    assert read_gold(GoldConfig(files=(str(file),), classes=("bad", "good"))).labels.tolist() == [1, 0]
    assert "--classes" not in caplog.text
    found = re.search(r"as --label-map '?([^ ']+)'? \(classes: bad, good\)", caplog.text)
    assert found is not None
    options = ReadOptions(label_map=parse_label_map(found[1]))
    assert read_gold(GoldConfig(files=(str(file),), classes=("bad", "good"), options=options)).labels.tolist() == [
        1,
        0,
        0,
    ]


def test_classes_that_nobody_has_said_are_named_with_an_option_of_theirs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "rows.csv"
    file.write_text("text,label\na,good\nb,none\nc,bad\n")
    assert read_gold(GoldConfig(files=(str(file),))).classes == ["bad", "good"]
    ingest(MemoryStorage(), IngestConfig(files=(str(file),), shards=1))
    assert caplog.text.count("if one of them is a class, name all with --classes") == 2
    named = ("bad", "good", "none")
    assert len(read_gold(GoldConfig(files=(str(file),), classes=named)).texts) == 3


@pytest.mark.parametrize(
    ("count", "end"), [(1, "1"), (3, "1; 2; 3"), (4, "1; 2; 3; and 1 more"), (1_004, "; and 1,001 more")]
)
def test_several_reasons_are_the_first_and_how_many_more(count: int, end: str) -> None:
    assert several([str(number + 1) for number in range(count)]).endswith(end)
