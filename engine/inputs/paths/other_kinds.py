"""A file of a kind that is not read → what it is, and the command that makes of it one that is read.

Its first bytes are asked before its name: spreadsheets are called .xls that are tables of text or HTML.
"""

import re
import shlex
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from engine.inputs.paths.arff import way_of_arff
from engine.inputs.paths.commands_by_ending import command_by_ending, folder_for
from engine.inputs.paths.file_kinds import COMPRESSIONS, KINDS, OF_LINES, TAR, UNPACK

_HEAD_BYTES = 1 << 16
_PANDAS = {
    ".xlsx": "read_excel({}, dtype=str, keep_default_na=False)",
    ".ods": 'read_excel({}, engine="odf", dtype=str, keep_default_na=False)',
    ".dta": "read_stata({})",
    ".sav": "read_spss({})",
    ".sas7bdat": 'read_sas({}, encoding="utf-8")',
    ".xpt": 'read_sas({}, encoding="utf-8")',
    ".h5": "read_hdf({})",
    ".pkl": "read_pickle({})",
    ".xml": 'read_xml({}, parser="etree", dtype=str)',
}
_ALSO = {
    ".xls": ".xlsx", ".xlsm": ".xlsx", ".xlsb": ".xlsx", ".hdf5": ".h5", ".pickle": ".pkl",
    ".htm": ".html", ".sqlite": ".db", ".sqlite3": ".db", ".db3": ".db", ".rdata": ".rda",
}  # fmt: skip
_NEEDS = {
    ".xlsx": "openpyxl, or for older workbooks xlrd",
    ".ods": "odfpy",
    ".sav": "pyreadstat",
    ".h5": "tables",
}
_PYTHON = {
    ".orc": 'import pyarrow.orc as o, pyarrow.parquet as p; p.write_table(o.read_table({}), "rows.parquet")',
    ".avro": (
        "import fastavro as f, pyarrow as a, pyarrow.parquet as p; "
        'p.write_table(a.Table.from_pylist(list(f.reader(open({}, "rb")))), "rows.parquet")'
    ),
}
_HTML = (  # pandas would take ids for numbers, and words for missing values
    'import csv, lxml.html as h; t = h.fromstring(open({}, encoding="utf-8-sig").read()).xpath("//table")[0]; '
    'csv.writer(open("rows.csv", "w", encoding="utf-8", newline="")).writerows('
    '[c.text_content().strip() for c in r.xpath("th|td")] for r in t.iter("tr"))'
)
_R = {
    ".rds": 'write.csv(readRDS({}), "rows.csv", row.names=FALSE)',
    ".rda": 'write.csv(get(load({})[1]), "rows.csv", row.names=FALSE)',
}
_BEGINS = {
    b"PAR1": ".parquet",
    b"ARROW1": ".arrow",
    b"ORC": ".orc",
    b"Obj\x01": ".avro",
    b"SQLite format 3\0": ".db",
    b"\x89HDF": ".h5",
    b"<stata_dta>": ".dta",
    b"$FL": ".sav",
    b"\xd0\xcf\x11\xe0": ".xlsx",
    b"PK\x03\x04": ".zip",
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"\xfd7zXZ\0": ".xz",
    b"BZh": ".bz2",
    b"\x04\x22\x4d\x18": ".lz4",
}
_UNPACK = {
    **UNPACK,
    ".zst": "zstd -dc --long=31",
    ".lz4": "lz4 -dc",
    ".br": "brotli -dc",
    ".lzma": "xz -dc",
    ".z": "gzip -dc",
}
_TAR = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_MOST_TABLES = 5
_SCRIPT = re.compile(r"(?:window\.|var |let |const |module\.exports)[^\n]*=\s*[\[{]")
_OF_TEXTS = (".log", ".text", ".md", ".vw")
_SOME_LINES = 20


def unknown_kind(file: str) -> str:
    """An error: ``file`` is of no known kind."""
    of_lines = [suffix for suffix, kind in KINDS.items() if kind in (*OF_LINES, TAR) and suffix != ".tgz"]
    way = way_to_read(file)
    return f"{file}: known are {' '.join(KINDS)}, and {' '.join(of_lines)} with {' '.join(COMPRESSIONS)}" + (
        f"; {way}" if way else ""
    )


def way_to_read(file: str) -> str | None:
    """What ``file`` is, and a command that makes of it a file that is read; None if it is not known what it is."""
    head, name, quoted = _head(file), file.lower(), shlex.quote(file)
    if _TAR.search(name) or head[257:262] == b"ustar":
        folder = shlex.quote(folder_for(file))
        return f"unpack it: mkdir -p {folder} && tar -xf {quoted} -C {folder}"
    suffix = _ALSO.get(Path(name).suffix, Path(name).suffix)
    if suffix in _R:  # R compresses what it writes
        return _command(suffix, file)
    if way := command_by_ending(file, head):
        return way
    kind = ending_of(head, suffix)
    if kind in _UNPACK:
        unpacked = _inner_ending(head, kind, Path(Path(name).stem).suffix)
        return f"unpack it: {_UNPACK[kind]} {quoted} > rows{unpacked}"
    if kind in KINDS:
        return f"give it a name that says what it is: cp {quoted} rows{kind}"
    return _command(kind, file)


def ending_of(head: bytes, suffix: str) -> str:
    """The ending that a file's name should have, by its first bytes and the one that it has."""
    suffix = _ALSO.get(suffix, suffix)
    for begin, ending in _BEGINS.items():
        if head.startswith(begin):
            return _ending_of_zip(head, suffix) if ending == ".zip" else ending
    if not head or (_CONTROLS.search(head) and not head.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return suffix
    return _ending_of_text(head, suffix)


def _ending_of_zip(head: bytes, suffix: str) -> str:
    """The ending of an archive, or of the document that it is."""
    if b"word/" in head or suffix == ".docx":
        return ".docx"
    if suffix == ".ods" or b"opendocument.spreadsheet" in head:
        return ".ods"
    return ".xlsx" if any(mark in head for mark in (b"xl/", b"[Content_Types]", b"opendocument")) else ".zip"


def _ending_of_text(head: bytes, suffix: str) -> str:
    wide = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(head[:2], "utf-8")
    text = head.decode(wide, "replace").lstrip("\ufeff \t\r\n")
    first = text.partition("\n")[0]
    if text.startswith("<") and not _has_root(text):
        return ".txt"
    if text.startswith("<"):
        return ".html" if re.search(r"<(!doctype html|html|table|body)\b", text[:1000], re.IGNORECASE) else ".xml"
    if re.match(r"(%.*\n|\s)*@relation", text, re.IGNORECASE):
        return ".arff"
    if re.match(r"\{|\[\s*[{\"]", text):
        return ".jsonl" if text.startswith("{") else ".json"
    if "\t" in first or suffix == ".tab":
        return ".tsv"
    if _SCRIPT.match(text):
        return ".json"
    return ".csv" if suffix not in _OF_TEXTS and _are_fields(text.split("\n")[:_SOME_LINES]) else ".txt"


def _are_fields(lines: Sequence[str]) -> bool:
    """Whether each of ``lines`` has as many delimiters outside of quotation marks."""
    lines = [line for line in lines if line.strip()]
    counts = ({_outside_of_quotes(line).count(mark) for line in lines} for mark in ",;|")
    return any(len(count) == 1 and count != {0} for count in counts)


def _outside_of_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _has_root(text: str) -> bool:
    """Whether the first element of XML holds all others, as far as ``text`` goes."""
    opens = re.match(r"<(\w[\w.-]*)[^<>]*>", text)
    closes = re.findall(rf"</{re.escape(opens[1])}>\s*(<\w+)", text) if opens else []
    return not any(opened == f"<{opens[1]}" for opened in closes) if opens else True


def _inner_ending(head: bytes, kind: str, suffix: str) -> str:
    """The ending of what a compressed file holds; of gzip by its first bytes."""
    if suffix in KINDS or kind != ".gz":
        return suffix
    try:
        return ending_of(zlib.decompressobj(31).decompress(head, _HEAD_BYTES), suffix)
    except zlib.error:
        return suffix


def _command(kind: str, file: str) -> str | None:
    """What makes rows of a file of ``kind``, which is no text."""
    name, quoted = '"' + file.replace("\\", "\\\\").replace('"', '\\"') + '"', shlex.quote(file)
    if kind in _PANDAS:
        code = f'import pandas as pd; pd.{_PANDAS[kind].format(name)}.to_csv("rows.csv", index=False)'
        needs = f" (with pandas{f' and {_NEEDS[kind]}' if kind in _NEEDS else ''})"
        trust = ", if you trust it, for it may hold a program" if kind == ".pkl" else ""
        return f"write it as CSV{trust}: python -c {shlex.quote(code)}{needs}"
    if kind in _PYTHON:
        return f"write it as Parquet: python -c {shlex.quote(_PYTHON[kind].format(name))}"
    if kind == ".html":
        return f"write its table as CSV: python -c {shlex.quote(_HTML.format(name))} (with lxml)"
    if kind in _R:
        return f"write it as CSV: Rscript -e {shlex.quote(_R[kind].format(name))}"
    if kind == ".zip":
        return f"unpack it: unzip {quoted} -d {shlex.quote(folder_for(file))}"
    if kind == ".db":
        return _of_database(file)
    return way_of_arff(file) if kind == ".arff" else None


def _of_database(file: str) -> str | None:
    """How the first table of a SQLite file is written as CSV."""
    try:
        with closing(sqlite3.connect(f"{Path(file).absolute().as_uri()}?mode=ro", uri=True)) as base:
            found = base.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid")
            tables = [str(name) for (name,) in found if not str(name).startswith("sqlite_")]
    except sqlite3.Error:
        return None
    if not tables:
        return None
    query = shlex.quote('SELECT * FROM "{}"'.format(tables[0].replace('"', '""')))
    others = f" (its other tables: {', '.join(tables[1:_MOST_TABLES])})" if len(tables) > 1 else ""
    return f"write a table of it as CSV: sqlite3 -header -csv {shlex.quote(file)} {query} > rows.csv{others}"


def _head(file: str) -> bytes:
    try:
        with Path(file).open("rb") as source:
            return source.read(_HEAD_BYTES)
    except OSError:
        return b""
