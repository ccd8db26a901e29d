"""The same rows in files of every format that is read; the name of a file says which."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]
TABLES = (".parquet", ".arrow", ".feather")
FORMATS = (
    "a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.arrow", "a.jsonl.gz", "a.csv.zst", "a.json.bz2", "a.tsv.xz",
)  # fmt: skip


def write(path: Path, rows: Rows) -> Path:
    """Write ``rows``, dicts with the same keys, as the name of ``path`` says."""
    if path.suffix in TABLES:
        table = pa.Table.from_pylist(rows)
        if path.suffix == ".parquet":
            pq.write_table(table, path)
            return path
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
        return path
    packed = _PACKED.get(path.suffix)
    text = _text(Path(path.stem).suffix if packed else path.suffix, rows).encode()
    path.write_bytes(packed(text) if packed else text)
    return path


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


_PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": _zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def _text(kind: str, rows: Rows) -> str:
    if kind == ".json":
        return json.dumps(rows)
    if kind == ".jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if kind == ".tsv" else ",")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
