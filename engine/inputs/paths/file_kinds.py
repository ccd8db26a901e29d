"""The name of a file → what kind of input it is."""

from pathlib import Path

PARQUET, ARROW, DELIMITED, JSON, TEXT, TAR = "Parquet", "Arrow", "delimited", "JSON", "text", "tar"
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
    ".tar": TAR,
    ".tgz": TAR,
}
UNPACK = {".gz": "gzip -dc", ".zst": "zstd -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc"}
"""Endings of compressed files, and the command that unpacks one."""
COMPRESSIONS = tuple(UNPACK)
OF_LINES = (DELIMITED, JSON, TEXT)
"""Kinds of which an empty file has no rows. They and tars may be compressed."""

EXPORT_CARD = "_export.json"
"""What `engine export` writes beside the rows: a name that readers of Parquet pass over, too."""
_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata", EXPORT_CARD)


def kind_of_file(file: str) -> str | None:
    """The kind of ``file`` by its name, in any letter case; None if it is not known."""
    path = Path(file.lower())
    is_compressed = path.suffix in COMPRESSIONS
    kind = KINDS.get((Path(path.stem) if is_compressed else path).suffix)
    return None if is_compressed and kind not in (*OF_LINES, TAR) else kind


def is_packed(file: str) -> bool:
    """Whether the name of ``file`` says that it is compressed."""
    return file.lower().endswith((*COMPRESSIONS, ".tgz"))


def is_marker(file: str) -> bool:
    """Whether a program that writes data sets left ``file`` beside them, such as Spark's ``_SUCCESS``."""
    name = Path(file).name
    return name in _MARKERS or name.endswith(".crc") or name.startswith(("_committed_", "_started_"))
