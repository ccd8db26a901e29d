"""A file on a local disk → its hash."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of the file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
