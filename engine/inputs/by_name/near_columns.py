"""A name that is none of a file's columns → those that may be meant, for a message."""

import shlex
from collections.abc import Iterable, Sequence

from store.format.label_command import csv_line
from store.storage import near_paths


def did_you_mean(name: str, columns: Iterable[str]) -> str:
    """`` (did you mean 'queue'?)`` of the ``columns`` that are nearly called ``name``; empty if none is."""
    return near_paths.did_you_mean(near_paths.near_names(name, columns))


def no_column(what: str, name: str, parts: Sequence[str], columns: Iterable[str]) -> str:
    """An error: some columns of which a user put together the text are not there, or there is none of this ``name``.

    Args:
        what: ``text``, ``id`` or ``label``.
        name: that the user gave.
        parts: what stands between its commas, each the name of a column; the name alone if it has none.
        columns: of the file.
    """
    columns = list(columns)
    lacking = [part for part in parts if part not in columns]
    near = {part: next(iter(near_paths.near_names(part, columns)), None) for part in lacking}
    mended = [near.get(part, part) for part in parts]
    if len(parts) == 1 or None in mended or len({*mended}) < len(mended):
        one = name if lacking == [*parts] else lacking[0]
        return f"there is no column {one!r} for --{what}{did_you_mean(one, columns)}"
    words = " and ".join(f"{part!r} (did you mean {near[part]!r}?)" for part in lacking)
    return f"there is no column {words} for --{what}; give --{what} {shlex.quote(csv_line(map(str, mended)))}"
