"""A path where no input file is → the files that may be meant, for a message. Reads none of them."""

import glob
from itertools import islice
from pathlib import Path

from engine.inputs.paths.file_kinds import kind_of_file
from store.storage.near_paths import did_you_mean, followed, near_names

_MOST = 2_000  # names that are looked at
_SHOWN = 3
_ALIKE = 0.7  # of which an ending alone is not enough


def near_files(path: str) -> str:
    """`` (did you mean 'tickets.csv'?)`` of the files and folders that ``path`` may be; empty if there are none.

    Each part of it may be misspelt. Files are those of the kinds that are read.
    """
    if glob.has_magic(path):
        return ""
    name, (places, left) = Path(path).name, followed(Path(path).parent)
    if left:
        return ""
    found = [place / one for place in places for one in near_names(name, _inside(place), cutoff=_ALIKE)]
    return did_you_mean([str(one) for one in found[:_SHOWN]])


def _inside(folder: Path) -> list[str]:
    """Names of what an input may be, in ``folder``, as far as it can be listed."""
    try:
        inside = [one for one in islice(folder.iterdir(), _MOST) if one.name.isprintable()]
        return sorted(one.name for one in inside if one.is_dir() or kind_of_file(one.name) is not None)
    except OSError:
        return []
