"""What WebDataset has in the place of a path → paths: braces are expanded, and commands are refused."""

import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from engine.errors import InputError

_COMMANDS = "pipe:"
_MOST = 1_000_000
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)")


def braces_of(pattern: str) -> list[str]:
    """``shards/{00..02}.tar`` → ``shards/00.tar``, ``shards/01.tar``, ``shards/02.tar``; a file of that name wins.

    Raises:
        InputError: the braces stand for very many paths.
    """
    if "{" not in pattern or "}" not in pattern or _exists(pattern):
        return [pattern]
    ranges = math.prod(abs(int(last) - int(first)) + 1 for first, last in _RANGE.findall(pattern))
    paths = [] if ranges > _MOST else list(islice(_expanded(pattern), _MOST + 1))
    if not 0 < len(paths) <= _MOST:
        raise InputError(f"{pattern}: its braces stand for more than {_MOST:,} paths; use a glob, as 'shards/*.tar'")
    return paths


def _expanded(pattern: str) -> Iterator[str]:
    from braceexpand import braceexpand  # webdataset needs it

    try:
        yield from braceexpand(pattern, escape=False)
    except ValueError:  # a brace is not closed
        yield pattern


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a name that is too long
        return False


def refuse_commands(pattern: str) -> None:
    """Refuse a command in the place of a path: WebDataset would run it.

    Raises:
        InputError: it is one.
    """
    if pattern.startswith(_COMMANDS) and not _exists(pattern):
        raise InputError(f"{pattern}: commands are not run; write what it prints into a file, and give that")
