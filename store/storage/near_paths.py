"""A name or a path that is not there → those that may be meant; each part may be misspelt. Looks at the local disk."""

import difflib
from collections.abc import Iterable
from pathlib import Path

CUTOFF = 0.6
"""How alike two names are at least, from 0 to 1, as `difflib` has it."""
_MOST = 3


def near_names(name: str, names: Iterable[str], *, most: int | None = _MOST, cutoff: float = CUTOFF) -> list[str]:
    """Those of ``names`` that are nearly ``name``, each once, the nearest first; case makes no difference.

    Args:
        name: that none of them has, or one in another case.
        names: that there are.
        most: of them; all if None.
        cutoff: as `CUTOFF`.
    """
    by_case: dict[str, list[str]] = {}
    for one in dict.fromkeys(names):
        by_case.setdefault(one.casefold(), []).append(one)
    near = difflib.get_close_matches(name.casefold(), by_case, n=max(1, most or len(by_case)), cutoff=cutoff)
    found = [one for case in near for one in sorted(by_case[case], key=lambda one: one != name)]
    return found[:most]


def did_you_mean(found: Iterable[str]) -> str:
    """`` (did you mean 'queue'?)``; empty if nothing was ``found``."""
    words = " or ".join(map(repr, found))
    return f" (did you mean {words}?)" if words else ""


def followed(path: Path) -> tuple[list[Path], int]:
    """The folders that the first parts of ``path`` may stand for, and how many parts are left behind them.

    A part that is there stands for itself alone.
    """
    parts = path.parts[1:] if path.anchor else path.parts
    places = [Path(path.anchor)] if path.anchor else [Path()]
    for number, part in enumerate(parts):
        following: list[Path] = []
        for place in places:
            there = {one.name: one for one in folders(place)}
            names = [part] if part in there or part == ".." else near_names(part, there, most=None)
            following += [place / name for name in names]
        if not following:
            return places, len(parts) - number
        places = following
    return places, 0


def folders(folder: Path) -> list[Path]:
    """The folders in ``folder``, as far as they can be listed."""
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir())
    except OSError:
        return []
