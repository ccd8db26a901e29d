"""Files of kinds that are not read are refused with a command, and what it writes is read."""

import gzip
import importlib.util
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand, read_raw
from engine.inputs.paths.commands_by_ending import PROGRAMS

ROWS = [("007", 'Kind, and "clean"', "positive"), ("008", "Don't go", "negative")]
TABLE = pa.table(
    {"id": [i for i, _, _ in ROWS], "text": [t for _, t, _ in ROWS], "label": [label for *_, label in ROWS]}
)
CSV = 'id,text,label\n007,"Kind, and ""clean""",positive\n008,Don\'t go,negative\n'
TSV = 'id\ttext\tlabel\n007\tKind, and "clean"\tpositive\n008\tDon\'t go\tnegative\n'
JSONL = json.dumps({"id": "007", "text": "x", "label": "y"}) + "\n"
XML = (
    "<?xml version='1.0'?>\n<rows>"
    + "".join(f'<row id="{i}"><text>{t}</text><label>{label}</label></row>' for i, t, label in ROWS)
    + "</rows>"
)
HTML = (
    "<html><table><tr><th>id</th><th>text</th><th>label</th></tr>"
    + "".join(f"<tr><td>{i}</td><td>{t}</td><td>{label}</td></tr>" for i, t, label in ROWS)
    + "</table></html>"
)
ARFF = (
    "% a comment\n@relation r\n\n@ATTRIBUTE id string\n@attribute text string\n@attribute label {negative,positive}\n\n"
    '@DATA\n007,\'Kind, and \\"clean\\"\',positive\n008,"Don\'t go",negative\n'
)


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute('create table "my reviews" (id text, text text, label text)')
        base.execute("create table other (a)")
        base.executemany('insert into "my reviews" values (?, ?, ?)', ROWS)
        base.commit()


def packed(path: Path) -> None:
    (path.parent / "x.csv").write_text(CSV)
    if ".zip" in path.name:
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(path.parent / "x.csv", "x.csv")
    else:
        with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
            archive.add(path.parent / "x.csv", "x.csv")
    (path.parent / "x.csv").unlink()


def parquet(path: Path) -> None:
    pq.write_table(TABLE, path)


def of_pandas(method: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import pandas as pd

        frame = pd.DataFrame({name: TABLE[name].to_pylist() for name in TABLE.column_names})
        getattr(frame, method)(
            path, **({} if method == "to_pickle" else {{"to_stata": "write_index"}.get(method, "index"): False})
        )

    return write


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode(encoding)) and None


def compressed(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(gzip.compress(content)) and None


def table_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    return sink.getvalue().to_pybytes()


def arrays(path: Path) -> None:
    np.savez(path, **{name: np.array(TABLE[name].to_pylist()) for name in TABLE.column_names})


def lz4(path: Path) -> None:
    path.write_bytes(pa.Codec("lz4").compress(CSV.encode()).to_pybytes())


CASES = [
    ("a.xls", text(TSV)),
    ("a.xls", text(TSV, "utf-16")),
    ("a.xls", text(CSV)),
    ("a b's.tab", text(TSV)),
    ("a.manifest", text(JSONL)),
    ("a.dat", text("[\n " + JSONL.strip() + "\n]")),
    ("a", text(CSV)),
    ("a.part", text(CSV)),
    ("a.bin", parquet),
    ("a", parquet),
    ("a.parquet.gz", compressed(table_bytes())),
    ("a.gz", compressed(CSV.encode())),
    ("a.tab.gz", compressed(TSV.encode())),
    ("a.csv.lz4", lz4),
    ("a.npz", arrays),
    ("a.yml", text("".join(f"- id: '{i}'\n  text: {json.dumps(t)}\n  label: {label}\n" for i, t, label in ROWS))),
    ("a.zip", packed),
    ("a", packed),
    ("a.orc", lambda path: orc.write_table(TABLE, str(path))),
    ("a.db", database),
    ("a.sqlite3", database),
    ("a.arff", text(ARFF)),
    ("a.xml", text(XML)),
    ("a.xls", text(HTML)),
    ("a.html", text(HTML)),
    ("a.pkl", of_pandas("to_pickle")),
    ("a.dta", of_pandas("to_stata")),
    ("a.xlsx", of_pandas("to_excel")),
]


@pytest.mark.parametrize(("name", "write"), CASES)
def test_the_command_in_the_message_makes_a_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "a.xlsx" and importlib.util.find_spec("openpyxl") is None:
        pytest.skip("openpyxl is not there")
    write(tmp_path / name)
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError) as raised:
        expand([name])
    with pytest.raises(InputError, match=re.escape(str(raised.value))):
        list(read_raw(name, ColumnNames()))
    run(command_of(str(raised.value)))
    (made,) = set(tmp_path.iterdir()) - before
    rows = [row for file in expand([made.name]) for block in read_blocks(file, ColumnNames()) for row in rows_of(block)]
    assert rows == ([("007", "x", "y")] if ".manifest" in name or ".dat" in name else ROWS)


def command_of(message: str) -> str:
    command = message.partition(" .bz2 .xz; ")[2].partition(": ")[2]
    return re.sub(r" \((with|its other) [^()]*\)$", "", command)


def run(command: str) -> None:
    tool = re.sub(r"^mkdir .* && ", "", command).split()[0]
    if tool == "python":
        command = command.replace("python", shlex.quote(sys.executable), 1)
        missing = [
            name for name in ("lxml", "pandas", "yaml") if name in command and not importlib.util.find_spec(name)
        ]
        if missing:
            pytest.skip(f"{missing[0]} is not there")
    elif shutil.which(tool) is None:
        pytest.skip(f"{tool} is not there")
    subprocess.run(command, shell=True, check=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def rows_of(block: object) -> list[tuple[str, str, str]]:
    return list(zip(block.id.to_pylist(), block.text.to_pylist(), block.label.to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("content", "way"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, r'write it as CSV: python -c .*read_excel\("a.x"'),
        (b"PK\x03\x04\0\0xl/workbook.xml", r'read_excel\("a.x"'),
        (b"PK\x03\x04\0\0word/document.xml", r"\.bz2 \.xz$"),
        (b"\0\1\2", r"\.bz2 \.xz$"),
        (b"", r"\.bz2 \.xz$"),
        (b"SQLite format 3\0damaged", r"\.bz2 \.xz$"),
        (b"\x89HDF\r\n", r"pd.read_hdf\(.* \(with pandas and tables\)"),
        (b"Obj\x01\0", r"fastavro"),
        (b"no comma here\n", r"cp a.x rows.txt"),
        (b"a comma, here\nand none here\n", r"cp a.x rows.txt"),
        (b'text,label\n"a, b",c\n', r"cp a.x rows.csv"),
        (b"window.YTD.tweets.part0 = [\n  {\n", r"cp a.x rows.json"),
        (b"const rows = [{", r"cp a.x rows.json"),
    ],
)
def test_a_file_is_named_for_its_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.x").write_bytes(content)
    with pytest.raises(InputError, match=way):
        expand(["a.x"])


@pytest.mark.parametrize(
    "names", [("0.part", "b/1.part"), ("part-00000", "part 00001", "_SUCCESS"), ("a.tab", "b.tab")]
)
def test_files_of_one_unknown_kind_in_a_folder_are_renamed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names:
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_text("" if name == "_SUCCESS" else TSV if ".tab" in name else CSV)
    with pytest.raises(InputError, match="give its files names that say what they are: ") as raised:
        expand(["d"])
    subprocess.run(str(raised.value).partition("what they are: ")[2], shell=True, check=True)
    assert len(expand(["d"])) == 2
    assert [row for file in expand(["d"]) for b in read_blocks(file, ColumnNames()) for row in rows_of(b)] == ROWS * 2


@pytest.mark.parametrize(
    ("name", "content", "way"),
    [
        ("a b.rds", gzip.compress(b"RDX3", mtime=0), r"Rscript -e .*readRDS\(\"a b.rds\"\)"),
        ("a.RData", gzip.compress(b"RDX3", mtime=0), r"Rscript -e .*load\(\"a.RData\"\)"),
        ("a.npy", b"\x93NUMPY", r"np\.load\(\"a.npy\"\)"),
        ("a.x", b"\0" * 8 + b"DUCK", r"duckdb\.connect\(\"a.x\", read_only=True\)"),
        ("a.bson", b"\x10\0", r"bsondump a.bson > rows.jsonl$"),
        ("a b.7z", b"7z", r"7z x 'a b.7z' -o'a b'$"),
        ("a.csv.dvc", b"outs:", r"dvc pull a.csv.dvc$"),
        ("a.ods", b"PK\x03\x04 opendocument.spreadsheet", r'engine="odf".* \(with pandas and odfpy\)$'),
        ("a.review", b"<review>\n<text>\nx\n</text>\n</review>\n<review>\n", r"cp a.review rows.txt$"),
        ("a.jsonl.zst.x", b"\x28\xb5\x2f\xfd", r"zstd -dc --long=31 a.jsonl.zst.x > rows"),
    ],
)
def test_a_file_of_a_kind_that_only_its_name_tells_has_a_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=way):
        expand([name])


def test_the_programs_by_ending_are_python() -> None:
    for _, program, _, _ in PROGRAMS.values():
        compile(program.format(name='"x"'), "program", "exec")


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"a.md": "---\nlabel: x\n---\n", "README.md": "y"}, r"1 of Markdown \(a\.md\)\. To make each a row, .*yaml"),
        ({"a.md": "a text"}, r"rename them: find d -type f -name '\*\.md' -exec mv .* and pass --whole-files$"),
        ({"README.md": "y"}, "is an empty folder, or has only files that are passed over"),
        ({"a.bson": "x", "a.metadata.json": "{}"}, r"bsondump d/a.bson > rows.jsonl$"),
        ({"a.jsonl": "", "m/config.json": "", "m/vocab.txt": "", "m/log.jsonl": ""}, r"for example d/a.jsonl$"),
        ({"a.csv": "", "b/c.csv": "", "b/words.txt": ""}, r"for example 'd/\*\*/\*.csv'$"),
    ],
)
def test_a_folder_without_data_has_a_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        Path("d", name).parent.mkdir(parents=True, exist_ok=True)
        Path("d", name).write_text(content)
    with pytest.raises(InputError, match=way):
        expand(["d"])


def test_a_folder_of_texts_whose_endings_are_classes_has_a_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Pang and Lee give out their reviews of films."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/rt-polarity.neg").write_text("cold , and dear . \n\nwaits , waits and waits\r\n")
    Path("d/rt-polarity.pos").write_bytes("crème brûlée\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"if their endings are the classes of the texts, one a line: ") as raised:
        expand(["d"])
    run(str(raised.value).partition("one a line: ")[2].replace("python3", "python", 1))
    blocks = [block for file in expand(["rows.jsonl"]) for block in read_blocks(file, ColumnNames())]
    assert [(text, label) for block in blocks for _, text, label in rows_of(block)] == [
        ("cold , and dear . ", "neg"),
        ("waits , waits and waits", "neg"),
        ("crème brûlée", "pos"),
    ]
    for name in ("d/a.pos", "d/a.neg"):  # what has a way of its own is no text
        Path(name).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"known are [^;]*$"):
        expand(["d"])


def test_a_folder_of_other_files_has_the_command_of_one(tmp_path: Path) -> None:
    for name in ("a.orc", "b.orc"):
        orc.write_table(TABLE, str(tmp_path / name))
    with pytest.raises(InputError, match=r"for each of its files, as a\.orc: write it as Parquet: python -c"):
        expand([str(tmp_path)])
