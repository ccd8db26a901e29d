"""A path where no store is → the stores near it that may be meant. Looks at the local disk alone."""

from itertools import islice
from pathlib import Path

from store.storage.near_paths import followed, near_names

_ALIKE = 0.7
_MOST = 2_000  # names beside it that are looked at
_SHOWN = 3


def near_stores(location: str, *, header: str) -> str:
    """Stores whose path is nearly ``location``, as the end of a message; empty if there are none.

    Args:
        location: of a storage.
        header: the file that a store has.
    """
    path = Path(location)
    places, left = followed(path.parent)
    found = [one for place in places for one in _in(place, path.name, header)] if left == 0 else []
    if not found:
        return ""
    return f"; near it there {'are the stores' if len(found) > 1 else 'is the store'} {', '.join(found[:_SHOWN])}"


def _in(folder: Path, name: str, header: str) -> list[str]:
    """Stores in ``folder`` that are nearly called ``name``."""
    try:
        beside = [one.name for one in islice(folder.iterdir(), _MOST)]
        alike = [folder / one for one in near_names(name, beside, cutoff=_ALIKE)]
        return [str(one) for one in alike if (one / header).is_file()]
    except OSError:
        return []
