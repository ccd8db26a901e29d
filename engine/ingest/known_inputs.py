"""Input files + a store → which of them it was made from or has had appended, and which it does not have yet.

A file is known by its size and its hash, whatever it is called by now. Knows no rows.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import InputError, NewFilesError
from engine.ingest.input_file import FileVersion, describe_input, file_version, last_touched
from engine.inputs.messages import listed
from engine.inputs.remote.mirror import fetch
from engine.inputs.remote.sources import is_url
from store import Store
from store.format.segments import InputEntry, SegmentRecord

_log = logging.getLogger(__name__)
Place = tuple[int, int]
"""The number of a segment, and that of a file in it, from 0."""


@dataclass(frozen=True, kw_only=True)
class GivenFiles:
    """Files that a user named, beside a store.

    Attributes:
        known: those that the store has, as they are now, by each place that they have in it.
        new: those that it does not have, in the order in which they were given.
        rows: that the store had; rows that are appended later may be of some of the new files.
    """

    known: dict[Place, FileVersion] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def segments(self) -> list[int]:
        """Numbers of the segments that have some of the files, ascending."""
        return sorted({segment for segment, _ in self.known})


def recognise(store: Store, files: Sequence[str], *, untouched_since: float | None = None) -> GivenFiles:
    """Tell which of ``files`` the store has.

    Args:
        store: the store.
        files: paths.
        untouched_since: a moment, in seconds since 1970, at which the files that the store was made with were right.
            One of the same path and size that was not touched since then is not read; all of a known size are if None.
    """
    places: dict[int, dict[str, list[Place]]] = {}
    for segment in store.header.segments:
        for number, entry in enumerate(segment.inputs):
            by_hash = places.setdefault(entry["size"], {})
            by_hash.setdefault(entry["sha256"], []).append((segment.segment, number))
    known: dict[Place, FileVersion] = {}
    new = []
    for file in files:
        version = file_version(file)
        found = _untouched(store, version, untouched_since)
        if found is None and version.size in places:
            found = places[version.size].get(describe_input(file)[1])
        if found is None:
            new.append(file)
        known |= dict.fromkeys(found or (), version)
    return GivenFiles(known=known, new=new, rows=store.layout.rows)


def _untouched(store: Store, version: FileVersion, since: float | None) -> list[Place] | None:
    """The place of a file that the store was made with, if nobody has touched it ``since``."""
    if since is None or last_touched(version.path) >= since:
        return None
    entries = enumerate(store.header.inputs)
    return [
        (0, number) for number, entry in entries if (entry["path"], entry["size"]) == (version.path, version.size)
    ] or None


def inputs_of(store: Store, segment: SegmentRecord, given: GivenFiles) -> list[FileVersion]:
    """The inputs of ``segment`` as they are now, each where it is given or else where it was.

    Raises:
        InputError: one has changed, or is gone.
    """
    return [
        given.known.get((segment.segment, number)) or _check_input(store, entry["path"], entry)
        for number, entry in enumerate(segment.inputs)
    ]


def check_inputs(store: Store, files: Sequence[str], *, segment: int = 0) -> list[FileVersion]:
    """Refuse input files that are not those of a segment; those that are, as they are now.

    Args:
        store: the store.
        files: in the order in which they were given first.
        segment: its number; 0 is what the store was made with.

    Raises:
        InputError: another number of files, or one of another size or content.
    """
    held = store.header.segments[segment].inputs
    if len(files) != len(held):
        raise InputError(f"{store.location} was made from {len(held)} input files, and {len(files)} are given now")
    return [_check_input(store, file, entry) for file, entry in zip(files, held, strict=True)]


def _check_input(store: Store, file: str, entry: InputEntry) -> FileVersion:
    if is_url(file):
        (file,) = fetch(file)
    if not Path(file).exists():
        raise InputError(f"{store.location} needs its input {file}, and it is not there")
    version = file_version(file)
    size, sha256 = describe_input(file)
    if sha256 != entry["sha256"]:
        raise InputError(f"{_changed(store, file, entry, size, sha256)}. Restore it, or label into a new store")
    return version


def refuse_new(store: Store, files: Sequence[str], *, is_finished: bool) -> None:
    """Refuse files that the store does not have, and say how they are appended.

    Args:
        store: the store.
        files: their paths.
        is_finished: whether it has all texts of its own files, so that others can be appended.

    Raises:
        InputError: one is called as an input of the store is, and has other content.
        NewFilesError: none is.
    """
    way = "; or, if its rows are new ones, append them with --append" if is_finished else ""
    entries = [entry for segment in store.header.segments for entry in segment.inputs]
    for file in files:
        for entry in entries:
            if file == entry["path"] or Path(file).name == Path(entry["path"]).name:
                size, sha256 = describe_input(file)
                raise InputError(
                    f"{_changed(store, file, entry, size, sha256)}. Restore it, or label into a new store{way}"
                )
    which = f"{listed(files)} {'is no input' if len(files) == 1 else 'are no inputs'} of {store.location} yet"
    if not is_finished:
        own = listed(entry["path"] for entry in entries)
        raise InputError(f"{which}, and its own texts are not all written: finish it first, with {own} or no file")
    raise NewFilesError(
        f"{which}: --append adds the rows to it, as a new segment; else leave the files out, or label into a new store",
        store=store.location,
        files=list(files),
    )


def say_nothing_new(store: Store, files: Sequence[str]) -> None:
    """Say that ``store`` has all of the ``files`` that were to be appended."""
    are = "is" if len(files) == 1 else "are all"
    _log.info("nothing is appended: %s %s in %s already", listed(files), are, store.location)


def _changed(store: Store, file: str, entry: InputEntry, size: int, sha256: str) -> str:
    return (
        f"{file} has changed since {store.location} was begun: {entry['size']:,} bytes with sha256 "
        f"{entry['sha256'][:16]} then, {size:,} bytes with {sha256[:16]} now"
    )
