"""Selections → files for annotators, and cells that no spreadsheet runs."""

import codecs
import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import CLASSES, add_corpus, add_labels, make_store, text_of, write_header

from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from store import Store
from store.errors import StoreMissingError
from store.families.corpus import corpus_batch
from store.selections.csv_safe import neutral_cell, plain_cell
from store.selections.export import ENDINGS, _write_cells, labelling_configuration, write_annotator_file
from store.selections.export_rows import SelectedRows

EVIL = ["=1+1", "+x", "-x", "@SUM(A1)", "\tx", "\r=x", "＝x", "'=x", "''=x", "' =x", "<b>x</b>", 'a,b\n"c"', "naïve 👍"]


def written(made: Store, out: Path, *, labels: str | None = None, **wanted: Any) -> Path:
    selection = made.select(out.stem, **(wanted or {"limit": 1_000_000}))
    write_annotator_file(SelectedRows(made, selection, labels=labels), out)
    return out


@pytest.fixture(scope="module")
def made() -> Store:
    made = write_header(rows=len(EVIL) + 1_100, extras={"stars": pa.int64(), "Café": pa.string()})
    add_corpus(made, text=lambda row: EVIL[row] if row < len(EVIL) else text_of(row))
    add_labels(made, "bert", failed=[2])
    return made


def test_tasks_are_what_label_studio_imports(made: Store, tmp_path: Path) -> None:
    text = written(made, tmp_path / "a.json").read_text("utf-8")
    assert not set("<>&\u2028") & set(text)
    tasks = json.loads(text)
    assert len(tasks) == made.header.rows
    asked = made.sql('SELECT row, id, text, class, confidence, stars, "Café" FROM reviews ORDER BY row').to_pylist()
    for task, row in zip(tasks, asked, strict=True):
        class_, confidence = row.pop("class"), row.pop("confidence")
        assert task["data"] == {**row, "engine_id": row["id"]}
        if class_ is None:
            assert task["predictions"] == []
            continue
        (prediction,) = task["predictions"]
        assert prediction.pop("score") == pytest.approx(confidence, abs=1e-6)
        chosen = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [class_]}}
        assert prediction == {"model_version": "bert", "result": [chosen]}
    assert [task["data"]["text"] for task in tasks[: len(EVIL)]] == EVIL
    assert tasks[2]["predictions"] == []


def test_the_configuration_fits_the_tasks() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(labelling_configuration(['"<a>&', "b"]))
    text, choices = root
    assert (text.get("name"), text.get("value")) == ("text", "$text")
    assert (choices.get("name"), choices.get("toName")) == ("label", "text")
    assert [choice.get("value") for choice in choices] == ['"<a>&', "b"]


def test_every_format_has_the_same_rows(made: Store, tmp_path: Path) -> None:
    table = pq.read_table(written(made, tmp_path / "thirds.parquet", where="row % 3 = 0"))
    assert table.column_names == ["row", "id", "text", "stars", "Café", "label_set", "class", "confidence", "margin"]
    expected = made.sql("SELECT row, text, class, margin FROM reviews WHERE row % 3 = 0 ORDER BY row")
    for name in expected.column_names:
        assert table.column(name).to_pylist() == expected.column(name).to_pylist()
    lines = written(made, tmp_path / "thirds.jsonl", where="row % 3 = 0").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [table.column_names] * len(table)
    for row, held in zip(rows, table.to_pylist(), strict=True):
        assert row == {**held, **{name: pytest.approx(held[name], abs=1e-6) for name in ("confidence", "margin")}}


def test_a_spreadsheet_knows_the_encoding_of_a_csv_and_all_who_read_it_know_its_columns(tmp_path: Path) -> None:
    made = write_header(rows=6)
    add_corpus(made, text=lambda row: f"Zurück an {row} – naïve 👍")
    file = written(made, tmp_path / "a.csv")
    assert file.read_bytes().startswith(codecs.BOM_UTF8 + b'"row","id","text"')
    by_duckdb = duckdb.sql(f"SELECT * FROM read_csv('{file}')")
    by_arrow = pyarrow.csv.read_csv(file)
    by_us = list(read_blocks(str(file), ColumnNames()))
    assert by_duckdb.columns[:3] == by_arrow.column_names[:3] == ["row", "id", "text"]
    texts = made.sql("SELECT text FROM corpus ORDER BY row")["text"].to_pylist()
    assert [text for (text,) in by_duckdb.order("row").select("text").fetchall()] == texts
    assert by_arrow["text"].to_pylist() == texts
    assert [text for block in by_us for text in block.text.to_pylist()] == texts
    assert list(by_us[0].extras) == ["row_"]


def test_no_cell_of_a_csv_begins_as_a_formula_does(made: Store, tmp_path: Path) -> None:
    with written(made, tmp_path / "a.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == made.header.rows
    for row, text in zip(rows, EVIL, strict=False):
        assert row["text"] in (text, f"'{text}", "'\r'=x")
        assert not row["text"].startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
        assert (plain_cell(row["text"]) or row["text"]).replace("\r'=", "\r=") == text
    assert rows[2]["class"] == rows[2]["confidence"] == ""
    assert rows[5]["stars"] == ""


HOSTILE = [
    "a;=1+1",
    'b;"=1',
    'c;""\n;=x";"',
    "d\n=1",
    "e\r\n+1",
    "f\t-1",
    ";@x",
    ";",
    '";',
    '"\n"',
    "g;＝1",
    ";-) fine",
]


@given(st.lists(st.text(alphabet='"=-;,\n\r\t a', max_size=12) | st.sampled_from(HOSTILE), min_size=1, max_size=4))
def test_no_text_becomes_a_formula_where_a_semicolon_cuts(texts: list[str]) -> None:
    file = io.StringIO(newline="")
    _write_cells(
        ["row", "text", "a;=1"], ({"row": at, "text": text, "a;=1": text} for at, text in enumerate(texts)), file
    )
    for delimiter in ";,\t":
        cells = [
            cell for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter) for cell in row
        ]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "＝"))]
    back = list(csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True))
    assert [row[1].replace("'", "") for row in back[1:]] == [text.replace("'", "") for text in texts]


@given(st.text(alphabet="'=+-@\t\rab", max_size=6) | st.text())
def test_a_neutral_cell_is_harmless_and_can_be_undone(text: str) -> None:
    cell = neutral_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    if cell == text:
        assert plain_cell(cell) is None
    else:
        assert plain_cell(cell) == text


def test_without_labels_there_are_texts_and_no_predictions(tmp_path: Path) -> None:
    made = make_store(labels=[])
    (task, *_) = json.loads(written(made, tmp_path / "a.json").read_text())
    assert task.keys() == {"data"}
    rows = list(csv.DictReader(io.StringIO(written(made, tmp_path / "b.csv").read_text("utf-8-sig"))))
    assert list(rows[0]) == ["row", "id", "text", "stars", "Café"]


def test_of_several_label_sets_one_is_chosen_or_that_of_the_condition(tmp_path: Path) -> None:
    made = make_store(labels=["bert", "roberta"])
    with pytest.raises(StoreMissingError, match="2 label sets: bert, roberta; choose one with --labels"):
        written(made, tmp_path / "a.jsonl")
    with pytest.raises(StoreMissingError, match="no label set 'gpt'"):
        written(made, tmp_path / "a.jsonl", labels="gpt")
    assert not (tmp_path / "a.jsonl").exists()
    for labels, wanted in (("roberta", {"limit": 3}), (None, {"where": "row < 3", "labels": "roberta"})):
        out = tmp_path / f"{len(wanted)}.jsonl"
        selection = made.select(out.stem, **wanted)
        write_annotator_file(SelectedRows(made, selection, labels=labels), out)
        assert {json.loads(line)["label_set"] for line in out.read_text().splitlines()} == {"roberta"}


def test_numbers_that_json_cannot_say_are_null(tmp_path: Path) -> None:
    made = write_header(rows=2, shards=1, extras={"score": pa.float64(), "-flag": pa.bool_()})
    from store.format.names import CORPUS
    from store.format.shard import write_shard

    batch = corpus_batch(
        first_row=0,
        ids=pa.array(["a", "b"]),
        texts=pa.array(["x", "y"]),
        labels=pa.nulls(2, pa.int16()),
        extras={"score": pa.array([float("nan"), 0.1]), "-flag": pa.array([True, None])},
    )
    write_shard(made.corpus, 0, 0, [batch], schema=made.schema(CORPUS), statistics={})
    tasks = json.loads(written(made, tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert [(task["data"]["score"], task["data"]["-flag"]) for task in tasks] == [(None, True), (0.1, None)]
    text = written(made, tmp_path / "b.csv").read_text("utf-8-sig")
    assert text.splitlines() == ['"row","id","text","score","\'-flag"', '"0","a","x","","true"', '"1","b","y","0.1",""']


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_rows_make_a_whole_file_and_what_fails_makes_none(tmp_path: Path, ending: str) -> None:
    made = make_store()
    none = written(made, tmp_path / f"none{ending}", where="false")
    assert none.stat().st_size > 0 or ending == ".jsonl"
    if ending == ".json":
        assert json.loads(none.read_text()) == []
    selection = made.select("all", limit=50)
    made.storage.put(f"corpus/{made.corpus.records()[1].file}", b"gone")
    before = none.read_bytes()
    with pytest.raises(Exception, match="corpus/00001"):
        write_annotator_file(SelectedRows(made, selection), none)
    assert none.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [none.name]


def test_a_class_of_any_name_is_written(tmp_path: Path) -> None:
    made = make_store(classes=["=evil()", "<b>", "positive"])
    names = {row["class"] for row in csv.DictReader(io.StringIO(written(made, tmp_path / "a.csv").read_text()))}
    assert names == {"'=evil()", "<b>", "positive"}
    assert len(CLASSES) == 3
