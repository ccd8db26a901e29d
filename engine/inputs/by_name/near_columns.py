"""A name that is none of a file's columns → those that may be meant, for a message."""

import difflib
from collections.abc import Iterable, Sequence

_SHOWN = 3


def did_you_mean(name: str, columns: Iterable[str], *, parts: Sequence[str] = ()) -> str:
    """`` (did you mean 'queue'?)`` of the ``columns`` that are nearly called ``name``; empty if none is.

    Args:
        name: that none of them has.
        columns: of the file.
        parts: of a name with commas in it: what stands between these, each the name of a column.
    """
    columns = list(columns)
    of_parts = [[part] if part in columns else _near(part, columns) for part in parts]
    found = [",".join(near[0] for near in of_parts)] if of_parts and all(of_parts) else _near(name, columns)
    return f" (did you mean {' or '.join(map(repr, found))}?)" if found else ""


def _near(name: str, columns: Iterable[str]) -> list[str]:
    """Those of ``columns`` that are nearly called ``name``, the nearest first; case makes no difference."""
    by_case: dict[str, list[str]] = {}
    for column in columns:
        by_case.setdefault(column.casefold(), []).append(column)
    near = difflib.get_close_matches(name.casefold(), by_case, n=_SHOWN)
    return [column for one in near for column in by_case[one]][:_SHOWN]
