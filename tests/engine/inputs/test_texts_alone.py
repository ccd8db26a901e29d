import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from engine.inputs.texts_alone import TextCounts, good_texts, reading_of_texts

OPTIONS = ReadOptions(delimiter=";", quote="'", whole_files=True, label_map=(("1", "good"),))
COLUMNS = ColumnNames(text="body", label="mark", id="number")


@pytest.fixture
def files(tmp_path):
    """The same three texts, one of them empty, in every kind of file."""
    (tmp_path / "a.csv").write_text("body;mark;number\n'one; more';1;7\n'';1;7\ntwo;9;7\n")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in ("one; more", "", "two")))
    pq.write_table(pa.table({"body": ["one; more", "", "two"]}), tmp_path / "c.parquet")
    return tmp_path


def read(*places, options=OPTIONS, on_bad_row="reject"):
    counts = TextCounts()
    parts = good_texts([str(place) for place in places], COLUMNS, options, counts, on_bad_row=on_bad_row)
    return [text for part in parts for text in part], counts


@pytest.mark.parametrize("name", ["a.csv", "b.jsonl", "c.parquet"])
def test_what_is_said_of_another_kind_of_file_is_not_said_of_this(files, name):
    texts, counts = read(files / name)
    assert texts == ["one; more", "two"]
    assert (counts.rows, counts.rejected) == (2, 1)
    assert f"{name} row 2: " in counts.reasons[0]


def test_plain_text_has_no_columns_and_may_be_one_text(files):
    (files / "d.txt").write_text("one\ntwo\n")
    assert read(files / "d.txt")[0] == ["one\ntwo"]
    assert read(files / "d.txt", options=ReadOptions())[0] == ["one", "two"]


def test_ids_and_labels_are_not_read(files):
    columns, options = reading_of_texts("a.csv", COLUMNS, OPTIONS)
    assert (columns.text, columns.label) == ("body", "")
    assert options.label_map is None
    assert read(files / "a.csv", files / "a.csv")[1].rows == 4  # an id may come again and again


def test_an_encoding_is_said_of_lines_alone(files):
    (files / "e.csv").write_bytes("body;x\ngrün;1\n".encode("cp1252"))
    texts, _ = read(files / "e.csv", files / "c.parquet", options=ReadOptions(encoding="cp1252", delimiter=";"))
    assert texts == ["grün", "one; more", "two"]


def test_a_bad_row_may_stop_it(files):
    with pytest.raises(InputError, match=r"a\.csv row 2: .*--on-bad-row=reject"):
        read(files / "a.csv", on_bad_row="fail")


def test_no_good_row_is_refused(files):
    (files / "empty.jsonl").write_text('{"body": ""}\n' * 3)
    with pytest.raises(InputError, match="no usable row among 3"):
        read(files / "empty.jsonl")
