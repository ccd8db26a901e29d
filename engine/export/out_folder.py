"""A folder that appears whole or not at all.

It is made beside its place, in ``OUT.exporting``, which is locked meanwhile and gone afterwards, and then renamed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError
from engine.export.folder import locked_work
from store.storage.atomic_file import sync

_MADE = "made"


@contextmanager
def whole_folder(out: str) -> Iterator[Path]:
    """A folder to write into, which is ``out`` when the block ends without an error.

    Raises:
        InputError: ``out`` has something in it or is a file, another run is making it, or it cannot be written.
    """
    place = Path(os.path.abspath(out))  # noqa: PTH100 - without following links, and "." has a name then
    refuse_used(out)
    with locked_work(place) as work:
        try:
            shutil.rmtree(work / _MADE, ignore_errors=True)  # of a run that was killed
            (work / _MADE).mkdir()
            yield work / _MADE
            _publish(work / _MADE, place, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def refuse_used(out: str) -> None:
    """Refuse a folder that has something in it.

    Raises:
        InputError: it has, or it is a file.
    """
    place = Path(out)
    if place.exists() and not place.is_dir():
        raise InputError(f"{out} is a file; name a folder with --out")
    if place.is_dir() and any(place.iterdir()):
        raise InputError(f"{out} is not empty; name a new folder with --out, or remove that one")


def _publish(made: Path, place: Path, out: str) -> None:
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
        raise InputError(f"{out} cannot be written ({error.strerror}); name a new folder with --out") from error
    sync(place.parent)
