"""A path where no store is → the stores beside it that may be meant. Looks at the local disk alone."""

import difflib
from pathlib import Path

_ALIKE = 0.7
_MOST = 2_000  # names beside it that are looked at
_SHOWN = 3


def near_stores(location: str, *, header: str) -> str:
    """Stores in the same folder whose names are nearly that of ``location``, as the end of a message; empty if none.

    Args:
        location: of a storage.
        header: the file that a store has.
    """
    place = Path(location)
    try:
        beside = [one.name for _, one in zip(range(_MOST), place.parent.iterdir(), strict=False)]
        alike = difflib.get_close_matches(place.name, set(beside) - {place.name}, n=_SHOWN, cutoff=_ALIKE)
        found = [str(place.with_name(name)) for name in alike if (place.parent / name / header).is_file()]
    except OSError:
        return ""
    if not found:
        return ""
    return f"; near it there {'are the stores' if len(found) > 1 else 'is the store'} {', '.join(found)}"
