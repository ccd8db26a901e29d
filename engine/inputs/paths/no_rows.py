"""Files in which there is no row → what is there instead, and what to do, as an error says it."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import InputError
from engine.inputs.lines import open_lines
from engine.inputs.paths.file_kinds import DELIMITED, JSON, OF_LINES, TAR, kind_of_file

_SHOWN = 3  # files
_LONGEST = 200  # characters of a header
_WAY = "write it again with its rows, or name another file"


def no_rows(files: Sequence[str]) -> str:
    """An error: there is no row in ``files``."""
    more = f" and {len(files) - _SHOWN:,} more files" if len(files) > _SHOWN else ""
    whose = ", the first of them," if len(files) > 1 else ""
    there = _what_is_in(files[0])
    words = f"{', '.join(files[:_SHOWN])}{more}: there is no row in {'it' if len(files) == 1 else 'them'}"
    return f"{words}: {files[0] if whose else 'it'}{whose} {there}; {_WAY}" if there else f"{words}; {_WAY}"


def _what_is_in(file: str) -> str:
    """What a file without rows has; empty if that is not known."""
    kind = kind_of_file(file)
    try:
        if not Path(file).stat().st_size:
            return "is empty (0 bytes)"
        if kind not in OF_LINES:
            return "" if kind == TAR else "has columns, and 0 rows"
        with open_lines(file) as source:
            lines = [line for line in source.peek().decode("utf-8", "replace").splitlines() if line.strip()]
    except (InputError, OSError, EOFError):
        return ""
    if not lines:
        return "has nothing but empty lines"
    if kind == DELIMITED:
        return f"has a header ({lines[-1].strip()[:_LONGEST]}) and nothing below it"
    return f"has no object in it ({lines[0].strip()[:_LONGEST]})" if kind == JSON else ""
