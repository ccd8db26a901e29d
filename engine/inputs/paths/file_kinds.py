"""The name of a file → what kind of input it is."""

from pathlib import Path

PARQUET, ARROW, DELIMITED, JSON, TEXT = "Parquet", "Arrow", "delimited", "JSON", "text"
KINDS = {
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".arrow": ARROW,
    ".feather": ARROW,
    ".ipc": ARROW,
    ".csv": DELIMITED,
    ".tsv": DELIMITED,
    ".jsonl": JSON,
    ".ndjson": JSON,
    ".json": JSON,
    ".txt": TEXT,
}
UNPACK = {".gz": "gzip -dc", ".zst": "zstd -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc"}
"""Endings of compressed files, and the command that unpacks one."""
COMPRESSIONS = tuple(UNPACK)
OF_LINES = (DELIMITED, JSON, TEXT)
"""Kinds that may be compressed, and of which an empty file has no rows."""

_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata")
_WAYS = {
    ".xlsx": 'write it as CSV, as with pd.read_excel(path).to_csv("rows.csv", index=False)',
    ".zip": "unzip it first",
    ".tar": "unpack it first",
    "": "rename it by its format, as rows.csv",
    ".log": "rename it by its format, as rows.txt",
    ".data": "rename it by its format, as rows.csv",
}
_WAYS |= {".xls": _WAYS[".xlsx"], ".ods": _WAYS[".xlsx"], ".tgz": _WAYS[".tar"]}


def kind_of_file(file: str) -> str | None:
    """The kind of ``file`` by its name, in any letter case; None if it is not known."""
    path = Path(file.lower())
    is_compressed = path.suffix in COMPRESSIONS
    kind = KINDS.get((Path(path.stem) if is_compressed else path).suffix)
    return None if is_compressed and kind not in OF_LINES else kind


def unknown_kind(file: str) -> str:
    """An error: ``file`` is of no known kind."""
    path = Path(file.lower())
    of_lines = [suffix for suffix, kind in KINDS.items() if kind in OF_LINES]
    way = _WAYS.get(Path(path.stem).suffix if path.suffix in COMPRESSIONS else path.suffix)
    return f"{file}: known are {' '.join(KINDS)}, and {' '.join(of_lines)} with {' '.join(COMPRESSIONS)}" + (
        f"; {way}" if way else ""
    )


def is_marker(file: str) -> bool:
    """Whether a program that writes data sets left ``file`` beside them, such as Spark's ``_SUCCESS``."""
    name = Path(file).name
    return name in _MARKERS or name.endswith(".crc") or name.startswith(("_committed_", "_started_"))
