"""Folders that a user asks for: one that appears at once, whole or not at all, and one into which files are put.

A folder behind a URL cannot be renamed, so its files are put one by one. They come from a folder on this machine, in
which a list of them is written before the first is put: a run that was killed may put those again, and nothing else is
ever written over. The file that makes the others worth reading comes last.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError
from engine.outputs.file import made_here
from engine.outputs.places import place_of_output
from engine.outputs.remote import Remote
from engine.outputs.work import locked_work, work_path
from store.storage.atomic_file import sync, write_file

_MADE, _LIST, _ENDING = "made", "put.json", "exporting"


def output_folder(out: str) -> Path | Remote:
    """The folder that ``out`` names; links are not followed, and ``.`` has a name.

    Raises:
        OutputPlaceError: nothing can be written there, as it is named.
        InputError: a package is missing.
    """
    place = place_of_output(out)
    return Path(os.path.abspath(place)) if isinstance(place, Path) else place  # noqa: PTH100


@contextmanager
def whole_folder(out: str, *, last: str) -> Iterator[Path]:
    """A folder to write into, which is ``out`` when the block ends without an error.

    Args:
        out: a path or a URL.
        last: the file that is put last where there is no renaming.

    Raises:
        InputError: ``out`` has something in it or is a file, another run is making it, or it cannot be written.
    """
    place = output_folder(out)
    refuse_used(out)
    with locked_work(place, _ENDING) as work:
        made = work / _MADE
        try:
            shutil.rmtree(made, ignore_errors=True)  # of a run that was killed
            made.mkdir()
            yield made
            _put_in_place(made, place, work, last=last)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            if not (work / _LIST).exists():
                shutil.rmtree(work, ignore_errors=True)


def refuse_used(out: str) -> None:
    """Refuse a folder that has something in it, which no run has put there that was killed.

    Raises:
        InputError: it has, or it is a file.
    """
    place = output_folder(out)
    if isinstance(place, Path):
        is_file, used = place.exists() and not place.is_dir(), place.is_dir() and any(place.iterdir())
    else:
        is_file, used = place.size() is not None, bool(place.sizes().keys() - _listed(work_path(place, _ENDING)))
    if is_file:
        raise InputError(f"{place_in_words(place, out)} is a file; name a folder with --out")
    if used:
        raise InputError(f"{place_in_words(place, out)} is not empty; name a new folder with --out, or remove that one")


def place_in_words(place: Path | Remote, out: str) -> str:
    """What messages and records call ``place``: as the user named it, without credentials."""
    return out if isinstance(place, Path) else str(place)


def _listed(work: Path) -> set[str]:
    """Names of the files that an earlier run has begun to put."""
    try:
        return set(json.loads((work / _LIST).read_bytes()))
    except (OSError, ValueError):
        return set()


def _put_in_place(made: Path, place: Path | Remote, work: Path, *, last: str) -> None:
    if isinstance(place, Path):
        _rename(made, place)
        return
    paths = {str(path.relative_to(made)): path for path in sorted(made.rglob("*")) if path.is_file()}
    if left := sorted((_listed(work) - paths.keys()) & place.sizes().keys()):
        raise InputError(
            f"{place} has files that a run put there which was stopped, and this one makes no such files: "
            f"{', '.join(left[:3])}; remove them, or name a new folder with --out"
        )
    write_file(work / _LIST, json.dumps(sorted(paths)))
    for name in sorted(paths, key=lambda one: (one == last, one)):
        place.put(paths[name], name)
    (work / _LIST).unlink()


def _rename(made: Path, place: Path) -> None:
    """Put ``made`` in its place; an empty folder that is there goes."""
    umask = os.umask(0)
    os.umask(umask)
    for path in sorted(made.rglob("*"), reverse=True):
        if path.is_file():
            path.chmod(0o666 & ~umask)  # safetensors makes files that only their owner may read
        sync(path)
    sync(made)
    try:
        made.replace(place)
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}); name a new folder with --out") from error
    sync(place.parent)


@contextlib.contextmanager
def filled_folder(place: Path | Remote) -> Iterator[Path]:
    """A folder to write files into, which are in ``place`` when the block ends, each whole; old ones are replaced."""
    if isinstance(place, Path):
        yield place
        return
    with made_here(place) as folder:
        yield folder
        for path in sorted(folder.iterdir()):
            place.put(path, path.name)
