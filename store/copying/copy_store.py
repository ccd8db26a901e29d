"""A store → the same store at another place, each file compared with the hash in its record on the way.

What is copied is a snapshot: the records first, then the files that they name. What others commit meanwhile is left for
the next copy. The header comes last: until then nothing is a store. Run again, a copy goes on where it was stopped, and
one that is finished gets what its source has gained. Memory is bounded.
"""

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.copying.contents import Contents, DataFile, FamilyContents, read_contents
from store.errors import DamageError, MismatchError, StoreExistsError, StoreMissingError
from store.families.registry import kind_of
from store.format.family import Family
from store.format.header import Header, create_header, is_store, read_header
from store.format.json_file import create, freeze, is_there, to_json
from store.format.segments import append_segment
from store.selections.card import card_name
from store.snapshot import Snapshot
from store.storage import TEMPORARY, LocalStorage, Storage

Tick = Callable[[str, int, int | None], None]
_MARK = "copy-begun.json"
"""In a copy that is not finished: which store it is of."""
_MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a copy came to.

    Attributes:
        store: where it is.
        files: data files of the copy.
        bytes: of these.
        copied_files: how many were copied by this run.
        copied_bytes: of these; the others were there.
        seconds: that it took.
        notes: what was left out, a sentence each.
    """

    store: str
    files: int
    bytes: int
    copied_files: int
    copied_bytes: int
    seconds: float
    notes: list[str]


def copy_store(
    source: Snapshot, target: Storage, *, labels: Sequence[str] = (), tick: Tick = lambda *_: None
) -> Copied:
    """Copy a store.

    Args:
        source: the store.
        target: where to; empty, or what an earlier copy of the same store left or made.
        labels: the label sets to copy, with their token ids and selections; all if empty.
        tick: told how many megabytes are done.

    Raises:
        StoreExistsError: there is something else at ``target``.
        StoreMissingError: there is no such label set, or it was removed meanwhile.
        DamageError: a file of the source is damaged; names all such files. Nothing at ``target`` is a store then.
        MismatchError: the copy that is there has other contents than the source has now.
    """
    started = time.perf_counter()
    names = [source.one_label_set(name) for name in dict.fromkeys(labels)]
    _check_apart(source.storage, target)
    _begin(source, target)
    target.sweep()
    contents = read_contents(source, names)
    _check_agrees(contents, target)
    files = contents.files()
    copied = _copy_files(contents, files, target, tick)
    _commit(contents, target)
    return Copied(
        store=target.location,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        copied_files=len(copied),
        copied_bytes=sum(file.bytes for file in copied),
        seconds=round(time.perf_counter() - started, 3),
        notes=contents.notes,
    )


def _check_apart(source: Storage, target: Storage) -> None:
    if not isinstance(source, LocalStorage) or not isinstance(target, LocalStorage):
        return
    here, there = (Path(storage.root).resolve() for storage in (source, target))
    if here == there or here in there.parents or there in here.parents:
        raise StoreExistsError(f"{target.location} and {source.location} lie in one another; name another folder")
    if there.exists() and not there.is_dir():
        raise StoreExistsError(f"{target.location} is a file; name a folder that does not exist yet")


def _begin(source: Snapshot, target: Storage) -> None:
    """Make sure that what is at ``target`` is a copy of ``source``, or nothing, and mark it as one.

    Raises:
        StoreExistsError: it is something else.
    """
    if is_store(target):
        if _as_made(read_header(target)) != _as_made(source.header):
            raise StoreExistsError(f"{target.location} is another store than {source.location}; name another folder")
        return
    mark = to_json({"copy_of": dataclasses.asdict(_as_made(source.header))})
    if [name for name in target.list("") if name not in (TEMPORARY, _MARK)] and not is_there(target, _MARK):
        raise StoreExistsError(f"{target.location} is not empty, and no copy of a store; name another folder")
    if not create(target, _MARK, mark) and target.read(_MARK).to_pybytes() != mark:
        raise StoreExistsError(
            f"in {target.location} a copy of another store was begun; name another folder, or delete that one"
        )


def _as_made(header: Header) -> Header:
    """A header without what was appended: an earlier copy has less of that."""
    return dataclasses.replace(header, appended=[])


def _check_agrees(contents: Contents, target: Storage) -> None:
    """Refuse a copy that has something else than its source.

    Raises:
        MismatchError: names the family.
    """
    for one in contents.families:
        there = _family_at(contents, one, target)
        records = there.records()
        other = [shard for shard, record in one.records.items() if records.get(shard, record).sha256 != record.sha256]
        if other or there.card() not in (None, one.card):
            raise MismatchError(
                f"{there.location} is not a copy of {one.family.location}"
                f"{f': shard {other[0]} has other bytes' if other else ''}; copy to another place"
            )


def _family_at(contents: Contents, one: FamilyContents, target: Storage) -> Family:
    path = one.family.path
    return kind_of(path).family(target, path, layout=contents.source.layout)


# files


def _copy_files(contents: Contents, files: Sequence[DataFile], target: Storage, tick: Tick) -> list[DataFile]:
    """Copy ``files``; those that were not there yet.

    Raises:
        DamageError: some are damaged; the others are copied.
        StoreMissingError: they were removed meanwhile.
    """
    copied, damage, done = [], [], 0
    total = sum(file.bytes for file in files) // _MEGABYTE
    for file in files:
        try:
            copied += [file] * _copy_file(contents.source.storage, target, file)
        except DamageError as error:
            damage.append(str(error))
        done += file.bytes
        tick("copying, in MB", done // _MEGABYTE, total)
    if damage:
        contents.check_there()
        raise DamageError("\n  ".join([f"{len(damage):,} of {len(files):,} files could not be copied", *damage]))
    return copied


def _copy_file(source: Storage, target: Storage, file: DataFile) -> bool:
    """Copy a file unless it is there, whole; whether it was copied.

    Raises:
        DamageError: it is not what its record says.
    """
    if _is_whole(target, file):
        return False
    staged = target.stage()
    try:
        for piece in source.pieces(file.name):
            staged.write(piece)
        if (staged.size, staged.sha256) != (file.bytes, file.sha256):
            raise DamageError(f"{source.location}/{file.name} is damaged: its bytes are not those of its record")
        staged.publish(file.name)
    except StoreMissingError:
        raise DamageError(f"{source.location}/{file.name} is missing") from None
    finally:
        staged.discard()
    return True


def _is_whole(target: Storage, file: DataFile) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        for piece in target.pieces(file.name):
            digest.update(piece)
            size += len(piece)
    except StoreMissingError:
        return False
    return (size, digest.hexdigest()) == (file.bytes, file.sha256)


# commits


def _commit(contents: Contents, target: Storage) -> None:
    """Write the small files, the header last, and take the mark away."""
    for segment in contents.source.header.appended:
        if not append_segment(target, segment):
            raise MismatchError(f"{target.location} has other rows appended than its source; copy to another place")
    for one in contents.families:
        _commit_family(one, _family_at(contents, one, target))
    for card in contents.cards:
        if freeze(target, card_name(card.name), card.value) != card.value:
            raise MismatchError(f"{target.location} has another selection {card.name!r}; copy to another place")
    create_header(target, contents.source.header)
    target.remove_dead(_MARK)


def _commit_family(one: FamilyContents, family: Family) -> None:
    """Commit each shard as its first generation, and seal what is finished."""
    if one.card is not None:
        family.freeze_card(one.card)
    for name, value in one.side_files.items():
        if freeze(family.storage, f"{family.path}/{name}", value) != value:
            raise MismatchError(f"{family.location}/{name} is another one than that of {one.family.location}")
    for record in one.records.values():
        family.commit(record)
    if kind_of(family.path).is_laid_out:
        family.seal()
