"""Files of a URL → the same files on this machine, which are fetched once.

They lie in the cache folder of the user, each under a folder that is named by its URL and its version, and in a tree of
links that has their names. A file appears there whole. What is read by its path on this machine is called by its URL.
"""

import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from engine.errors import InputError
from engine.inputs.paths.file_kinds import kind_of_file
from engine.inputs.remote.sources import Listing, RemoteFile, is_url, list_files, local_path, shown
from engine.units import size as in_words
from store.storage.user_folder import FOLDER, user_folder

_log = logging.getLogger("engine.inputs")
_CARD = "README.md"
_NAMES: dict[str, str] = {}
"""Paths on this machine → URLs, of all that this process has fetched."""


def name_of(file: str) -> str:
    """What an input file is called: its URL, if it was fetched, else its path."""
    return _NAMES.get(file, file)


def fetch(url: str) -> list[str]:
    """Bring the files of ``url`` here, as far as they are not; their paths, or the path of the folder that it names.

    Of a folder, files of kinds that are read are fetched, and its card.

    Raises:
        InputError: there is none, one cannot be fetched, or they do not fit onto the disk.
    """
    listing, url = list_files(url), shown(url)
    files = listing.files if listing.folder is None else [file for file in listing.files if _is_read(file.name)]
    if not files:
        raise InputError(f"{url} has no file of a known kind among {len(listing.files):,}; name the file itself")
    folder = user_folder() / "inputs"
    try:
        _make_room_known(files, folder, url)
        return _linked(listing, files, [_held(file, folder) for file in files], folder)
    except OSError as error:
        raise InputError(
            f"{url} cannot be fetched into {folder}: {error.strerror}; {FOLDER} names another folder"
        ) from None


def file_here(place: str) -> Path:
    """The one file that ``place`` names: a path as it is, what a URL names fetched.

    Raises:
        InputError: it cannot be fetched, or is a folder or several files.
    """
    if (here := local_path(place)) is not None or not is_url(place):
        return Path(place if here is None else here)
    found = [Path(path) for path in fetch(place)]
    if len(found) > 1 or found[0].is_dir():
        raise InputError(f"{shown(place)} is no single file; name one")
    return found[0]


def _is_read(name: str) -> bool:
    path = Path(name)
    hidden = any(part.startswith((".", "_")) for part in path.parts[1:])
    return not hidden and (kind_of_file(name) is not None or path.name == _CARD)


def _make_room_known(files: Sequence[RemoteFile], folder: Path, url: str) -> None:
    """Say what will be fetched, and refuse what does not fit."""
    missing = [file for file in files if not _place(file, folder).exists()]
    total = sum(file.size or 0 for file in missing)
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(
            f"{url} has {in_words(total)}, and {in_words(free)} are free where it would be kept, in {folder}; {FOLDER} "
            "names another folder"
        )
    many = "a file" if len(missing) == 1 else f"{len(missing):,} files"
    _log.info("fetching %s of %s, %s, into %s, where the next run finds them", many, url, in_words(total), folder)


def _place(file: RemoteFile, folder: Path) -> Path:
    """Where ``file`` lies. One whose version nobody knows is fetched each time."""
    version = file.version or uuid.uuid4().hex
    digits = hashlib.sha256(f"{file.url}\n{file.size}\n{version}".encode()).hexdigest()[:32]
    return folder / "files" / digits


def _held(file: RemoteFile, folder: Path) -> Path:
    """The bytes of ``file``, fetched unless they are there."""
    place = _place(file, folder)
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        with unfinished.open("wb") as target:
            for piece in file.pieces():
                target.write(piece)
        fetched = unfinished.stat().st_size
        if file.size is not None and fetched != file.size:
            raise InputError(f"{file.url} was cut off after {fetched:,} of {file.size:,} bytes; run again")
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
    return place


def _linked(listing: Listing, files: Sequence[RemoteFile], held: Sequence[Path], folder: Path) -> list[str]:
    """Links with the names of ``files``; their paths, or that of their folder."""
    digest = hashlib.sha256("\n".join(place.name for place in held).encode()).hexdigest()[:16]
    tree = folder / "trees" / digest
    links = [tree / file.name for file in files]
    for file, place, link in zip(files, held, links, strict=True):
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{uuid.uuid4().hex}")
        fresh.symlink_to(os.path.relpath(place, link.parent))
        fresh.replace(link)
        _NAMES[str(link)] = file.url
    return [str(link) for link in links] if listing.folder is None else [str(tree / listing.folder)]
