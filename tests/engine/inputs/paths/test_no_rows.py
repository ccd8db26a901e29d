"""Files without a row, of every kind: what is in them is said, and what to do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from row_files import _PACKED

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.paths.no_rows import no_rows
from store.storage import MemoryStorage

WAY = "; write it again with its rows, or name another file"
FILES = {
    "a.csv": (b"", "is empty (0 bytes)"),
    "b.csv": (b"id,text,label\n", "has a header (id,text,label) and nothing below it"),
    "c.csv": (b"sep=;\nid;text;label\n\n", "has a header (id;text;label) and nothing below it"),
    "d.csv": (b"\n \n", "has nothing but empty lines"),
    "e.tsv": ("id\ttext\tlabel\n".encode("utf-16"), "has a header (id\ttext\tlabel) and nothing below it"),
    "f.csv.gz": (_PACKED[".gz"](b"id,text,label\n"), "has a header (id,text,label) and nothing below it"),
    "g.jsonl": (b"", "is empty (0 bytes)"),
    "h.jsonl": (b"\n\n", "has nothing but empty lines"),
    "i.json": (b"[]\n", "has no object in it ([])"),
    "j.txt": (b"", "is empty (0 bytes)"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_in_a_file_without_rows_is_said(tmp_path: Path, name: str) -> None:
    content, there = FILES[name]
    file = tmp_path / name
    file.write_bytes(content)
    expected = f"{file}: there is no row in it: it {there}{WAY}"
    for read in (_gold, _label):
        with pytest.raises(InputError) as refused:
            read(str(file))
        assert str(refused.value) == expected


def _gold(file: str) -> None:
    read_gold(GoldConfig(files=(file,)))


def _label(file: str) -> None:
    ingest(MemoryStorage(), IngestConfig(files=(file,)), known=("negative", "positive"))


def test_a_table_of_no_rows_and_several_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="there is no row in it: it has columns, and 0 rows; write"):
        _label(str(tmp_path / "a.parquet"))
    folder = tmp_path / "empties"
    folder.mkdir()
    with pytest.raises(InputError, match="empty folder, .*; name the folder or the files that have the rows"):
        expand([str(folder)])
    for number in range(5):
        (folder / f"{number}.csv").write_text("id,text,label\n")
    for read in (_gold, _label):
        with pytest.raises(
            InputError, match="and 2 more files: there is no row in them: .*0.csv, the first of them, has a"
        ):
            read(str(folder))


def test_a_file_that_cannot_be_looked_at_is_named_all_the_same() -> None:
    assert no_rows(["gone.csv"]) == f"gone.csv: there is no row in it{WAY}"
