"""``--text subject,body``: columns that are one text, in files of every format."""

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import row_files
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ingest.append import append
from engine.ingest.ingest import IngestConfig, ingest, rewrite_rejects
from engine.ingest.known_inputs import check_inputs
from engine.inputs.blocks import BLOCK_ROWS
from engine.inputs.by_name.joined_text import joined, parts_of
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.several_files import copies_notes
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to
from store import Store
from store.errors import MismatchError
from store.storage import MemoryStorage

WANTED = ColumnNames(text="subject,body")
ROWS: list[dict[str, Any]] = [
    {"id": "a", "subject": "Late", "body": "It never came.\nAgain.", "queue": "shipping"},
    {"id": "b", "subject": "", "body": "Where is it?", "queue": "shipping"},
    {"id": "c", "subject": "Refund, please", "body": "", "queue": "billing"},
    {"id": "d", "subject": "Grüße", "body": 'She said "no"', "queue": "billing"},
]
TEXTS = ["Late\nIt never came.\nAgain.", "Where is it?", "Refund, please", 'Grüße\nShe said "no"']
WITH_NULLS = ("a.jsonl", "a.json", "a.parquet", "a.arrow", "a.jsonl.gz", "a.json.bz2")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix != ".tar":
        return row_files.write(path, rows)
    with webdataset.TarWriter(str(path), mtime=0) as tar:
        for number, row in enumerate(rows):
            tar.write({"__key__": f"{number:06}", "json": row})
    return path


def read(path: Path, columns: ColumnNames = WANTED, **options: Any) -> list[tuple[str | None, str | None]]:
    """(text, problem) of every row; the text is None where there is a problem."""
    blocks = list(read_blocks(str(path), columns, ReadOptions(**options)))
    return [
        (None if problem else text, problem)
        for block in blocks
        for text, problem in zip(block.text.to_pylist(), block.problems, strict=True)
    ]


@pytest.mark.parametrize("name", [*row_files.FORMATS, "a.tar"])
def test_columns_are_joined_in_every_format(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, ROWS)
    assert read(file) == [(text, None) for text in TEXTS]
    (block,) = read_blocks(str(file), WANTED)
    assert (list(block.extras), block.id.to_pylist()) == (["queue"], ["a", "b", "c", "d"])
    assert block.reading.notes[-1] == f"{file}: the text is 'subject' and 'body', one below the other"


@pytest.mark.parametrize("name", WITH_NULLS)
def test_what_is_null_is_left_out_and_a_row_of_nothing_is_refused(tmp_path: Path, name: str) -> None:
    pairs = [("Late", None), (None, "It never came."), (None, None), ("", None), ("", ""), (" ", None)]
    rows = [{"id": f"{at}", "subject": one, "body": other} for at, (one, other) in enumerate(pairs)]
    expected = [("Late", None), ("It never came.", None), (None, "text is null"), *[(None, "text is empty")] * 2]
    assert read(write(tmp_path / name, rows)) == [*expected, (None, "text is blank")]


def test_keys_that_come_late_or_are_not_in_each_row_are_read(tmp_path: Path) -> None:
    rows = [{"id": f"{at}", "body": "only a body"} for at in range(BLOCK_ROWS + 1)]
    file = write(tmp_path / "a.jsonl", [*rows, {"id": "late", "subject": "Late", "body": "a body"}])
    assert [text for text, _ in read(file)] == ["only a body"] * (BLOCK_ROWS + 1) + ["Late\na body"]


def test_a_column_that_is_called_so_comes_first(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [{"subject,body": "whole", "subject": "s", "body": "b"}] * 2)
    assert read(file) == [("whole", None)] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" body , subject ", "b\ns"),
        ('"a, b",body', "c\nb"),
        ("subject,body,tail", "s\nb\nt"),
        ("tail", "t"),
    ],
)
def test_names_are_a_line_of_csv(tmp_path: Path, text: str, expected: str) -> None:
    file = write(tmp_path / "a.jsonl", [{"subject": "s", "body": "b", "a, b": "c", "tail": "t"}])
    assert read(file, ColumnNames(text=text)) == [(expected, None)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "subject,bdy",
            "there is no column 'bdy' (did you mean 'body'?) for --text; give --text subject,body (columns: id, ",
        ),
        (
            "Subject,boby",
            "'Subject' (did you mean 'subject'?) and 'boby' (did you mean 'body'?) for --text; give --text subject,body (",
        ),
        ("subject,boddy,what", "there is no column 'boddy' for --text (did you mean 'body'?) (columns: "),
        ("words,what", "there is no column 'words,what' for --text (columns: id, subject, body, queue)"),
        ("subject,", "--text 'subject,' lacks a name between its commas"),
        ("body,body", "--text 'body,body' names a column twice"),
        ("body,queue", "'queue' is the label, and a part of the text, which would tell it: leave it out of --text"),
    ],
)
def test_what_cannot_be_joined_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "a.csv", ROWS)
    with pytest.raises(InputError) as refused:
        read(file, ColumnNames(text=text, label="queue"))
    assert said in str(refused.value)


def test_a_part_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [{"subject": "s", "body": 3}])
    with pytest.raises(InputError, match="the column 'body' is int64 and not text"):
        read(file)
    lines = write(tmp_path / "a.jsonl", [{"subject": "s", "body": 3}, {"subject": "s", "body": "b"}])
    assert read(lines) == [(None, "text is a number and not a string"), ("s\nb", None)]


def test_errors_of_a_spreadsheet_and_printed_values_are_found_in_each_part(tmp_path: Path) -> None:
    rows = [{"subject": "s", "body": "#NAME?"}, {"subject": "s", "body": "b"}]
    assert (
        read(write(tmp_path / "a.csv", rows))[0][1] == "text is #NAME?, an error of the spreadsheet that it comes from"
    )
    printed = [{"subject": f"s{at}", "body": f"['word {at}', 'x']"} for at in range(3)]
    with pytest.raises(InputError, match="the column 'body' holds values as Python prints them"):
        read(write(tmp_path / "b.csv", printed))


def test_rows_of_a_delimited_file_are_judged_by_all_parts(tmp_path: Path) -> None:
    """A total below the rows, a header among them, what stands for null, and a text that is cut by a line end."""
    lines = ["subject,id,body", "s,a,b", "subject,id,body", "\\N,b,c", "\\N,c,\\N", "Total,,2"]
    file = tmp_path / "a.csv"
    file.write_text("\n".join(lines) + "\n")
    assert read(file) == [
        ("s\nb", None),
        (None, "the row repeats the header"),
        ("c", None),
        (None, "text is null"),
        (None, "it looks like the total below the rows, and not like one; leave it out"),
    ]


def test_a_file_without_a_header_has_the_names_that_are_said(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("1,Late,It never came\n2,Broken,It fell apart\n")
    assert read(file, names=("id", "subject", "body"))[0] == ("Late\nIt never came", None)
    file.write_text("no,title,text\n1,Late,It never came\n2,Broken,It fell apart\n")
    with pytest.raises(InputError, match="leave --columns out and pass --text title,text --id no"):
        read(file, names=("id", "subject", "body"))


def test_a_part_may_stand_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "subject=Late"
    folder.mkdir()
    assert read(write(folder / "a.jsonl", [{"id": "a", "body": "b"}] * 2)) == [("Late\nb", None)] * 2


def test_copies_are_known_by_the_whole_text(tmp_path: Path) -> None:
    """Two files that share a few subjects are no copies of each other; of the same rows they are."""
    one = [{"subject": "Late", "body": f"body {at}"} for at in range(5)]
    other = [{"subject": "Late", "body": f"another {at}"} for at in range(5)]
    for name, rows, notes in (("a_copy.csv", one, None), ("b_copy.csv", other, 1)):
        files = [str(write(tmp_path / f"{name[0]}.csv", one)), str(write(tmp_path / name, rows))]
        if notes is None:
            with pytest.raises(InputError, match="they share texts"):
                copies_notes(files, [str(tmp_path / "*.csv")], WANTED, FOUND_OUT)
        else:
            assert len(copies_notes(files, [str(tmp_path / "*.csv")], WANTED, FOUND_OUT)) == notes


# Stores


def make(*files: Path, **options: Any) -> Store:
    return ingest(
        MemoryStorage(),
        IngestConfig(files=tuple(map(str, files)), columns=WANTED, **options),
        known=("negative", "positive"),
    )


def column(store: Store, name: str) -> list[Any]:
    return store.sql(f"SELECT {name} AS value FROM corpus ORDER BY row").column("value").to_pylist()


def test_a_store_says_how_it_was_read_and_is_the_same_again(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    bad = {"id": "e", "subject": None, "body": None, "queue": "x"}
    file = write(tmp_path / "a.jsonl", [*ROWS, bad])
    made = make(file)
    assert "the text is 'subject' and 'body', one below the other" in caplog.text
    assert (column(made, "text"), column(made, "queue")) == (TEXTS, [row["queue"] for row in ROWS])
    assert made.header.inputs[0]["columns"] == {"text": "subject,body", "id": "id", "label": NO_COLUMN}
    assert rewrite_rejects(made, check_inputs(made, [str(file)]))
    assert make(file).corpus.records() == made.corpus.records()


def test_another_text_is_refused_where_the_store_has_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ROWS)
    made = make(file)
    for text in ("body", "subject", "body,subject"):
        config = LabelConfig(store=made.storage, teacher="x", inputs=(str(file),), columns=ColumnNames(text=text))
        with pytest.raises(MismatchError, match=f"with the text column subject,body, and --text is {text}; leave"):
            given_to(config, made.storage)
    config = LabelConfig(store=made.storage, teacher="x", inputs=(str(file),), columns=WANTED)
    assert given_to(config, made.storage) is not None


def test_rows_are_appended_with_the_columns_of_the_store(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    made = make(write(tmp_path / "a.csv", ROWS))
    more = write(tmp_path / "b.parquet", [{"id": "e", "subject": "New", "body": "rows", "text": "no"}])
    grown = append(made.storage, IngestConfig(files=(str(more),)))
    assert column(grown, "text")[-1] == "New\nrows"
    said = "the text is 'subject' and 'body', one below the other and not 'text'; --text names another column"
    assert f"{more}: as in {made.location}, {said}" in caplog.text


def test_gold_is_read_from_joined_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ROWS)
    gold = read_gold(GoldConfig(files=(str(file),), columns=ColumnNames(text="subject,body", label="queue")))
    assert (gold.texts, gold.classes) == (TEXTS, ["billing", "shipping"])


@given(st.lists(st.tuples(*[st.none() | st.binary(max_size=3)] * 3), max_size=9), st.integers(2, 3))
def test_arrays_are_joined_as_a_loop_would(rows: list[tuple[bytes | None, ...]], width: int) -> None:
    parts = [pa.array([row[at] for row in rows], pa.large_binary()) for at in range(width)]
    cut = [row[:width] for row in rows]
    expected = [None if set(row) == {None} else b"\n".join(value for value in row if value) for row in cut]
    assert joined(parts).to_pylist() == expected


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0"), min_size=1), min_size=2, max_size=4))
def test_any_names_can_be_written(names: list[str]) -> None:
    names = [name.strip() or "x" for name in names]
    written = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert parts_of(written) == tuple(names)


def test_a_json_array_in_an_object_is_found_by_the_joined_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"rows": ROWS, "n": 4}))
    assert [text for text, _ in read(file)] == TEXTS
