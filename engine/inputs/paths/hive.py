"""Folders that name a column and its value, as Hive writes them → the columns."""

import re
from urllib.parse import unquote

_KEY = re.compile(r"([^/=]+)=([^/=]*)")
_NULL = "__HIVE_DEFAULT_PARTITION__"


def path_columns(file: str) -> dict[str, str | None]:
    """Columns that stand in the folders of a path, as Hive writes them: ``year=2023/part-0.parquet``."""
    pairs = (_KEY.fullmatch(part) for part in file.split("/")[:-1])
    return {unquote(pair[1]): None if pair[2] == _NULL else unquote(pair[2]) for pair in pairs if pair}
