"""Label sets, selections and token ids that nothing needs → taken away, for good.

Each goes in one step: a reader sees all of it or nothing, and what it has opened stays readable. Whoever is killed in
the middle has removed some of several targets, each wholly, and leaves at most litter. Texts and human labels stay:
nothing in a store could make them again.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from store.errors import DamageError, InUseError, StoreMissingError
from store.families.label_card import label_card
from store.format.family import Family
from store.format.names import CORPUS, GOLD, LABELS, REJECTS, TOKENS, check_name
from store.format.run_log import RunNotes, read_runs, state_of
from store.gold.calibration import numbers_begun
from store.selections.card import SELECTIONS
from store.selections.hard_gold import lost_with_selection
from store.selections.remove import remove_selection, selection_files
from store.selections.selection import read_card, selections
from store.snapshot import Snapshot
from store.storage import TEMPORARY
from store.storage.base import removed_folder

_ORDER = (SELECTIONS, LABELS, TOKENS)
"""Kinds of targets; each is gone before those that it needs."""
_REST_NOTE = "it has been removed; these files are what is left of it"
_WHY_NOT = {
    CORPUS: "all that a store has is about its texts; delete the whole store if nothing of it is wanted",
    GOLD: "nothing could make human labels again; --round of the commands leaves rounds out",
    REJECTS: "it says which input rows are not in the store",
}
_RETRY = "run the command again when that is done"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One target, before or after it is removed.

    Attributes:
        path: such as ``labels/bert``.
        files: how many there are.
        bytes: of its data files; None if its records are damaged.
        rows: that it holds; None if its records are damaged.
        notes: what else to know, a sentence each.
        is_rest: whether it was removed before, and only files of it are left.
    """

    path: str
    files: int
    bytes: int | None
    rows: int | None
    notes: list[str] = field(default_factory=list)
    is_rest: bool = False


def plan_removal(snapshot: Snapshot, targets: Sequence[str]) -> list[Removal]:
    """What `remove` would take away, in its order. Changes nothing.

    Args:
        snapshot: the store.
        targets: ``labels/NAME``, ``selections/NAME`` or ``tokens/NAME``.

    Raises:
        StoreMissingError: there is no such thing.
        InUseError: something else needs it, a run is writing it, or it is nothing to remove.
        DamageError: whether something needs it cannot be known.
        StoreError: nothing can be removed from a storage of this kind.
    """
    snapshot = Snapshot(snapshot.storage, snapshot.header)  # what was read before is read again
    paths = sorted(
        {_checked(snapshot, target) for target in targets}, key=lambda path: (_ORDER.index(_kind(path)), path)
    )
    for path in paths:
        snapshot.storage.alone(path)  # not entered: a storage without locks refuses at once
        _check_unused(snapshot, path, besides=paths)
    return [_planned(snapshot, path, besides=paths) for path in paths]


def remove(snapshot: Snapshot, targets: Sequence[str]) -> list[Removal]:
    """Take ``targets`` away; what was removed.

    Safe beside readers, who finish with what they opened or get a `StoreMissingError`, and beside writers, which are
    waited for, or refused if they take long.

    Raises:
        StoreMissingError, InUseError, DamageError: as `plan_removal`; nothing of the target in question is changed.
    """
    snapshot = Snapshot(snapshot.storage, snapshot.header)
    plan = plan_removal(snapshot, targets)
    paths = [one.path for one in plan]
    for one in plan:
        if _kind(one.path) == SELECTIONS:
            remove_selection(snapshot.storage, _name(one.path))
        elif not one.is_rest:
            _remove_family(snapshot, one.path, besides=paths)
    snapshot.storage.sweep()
    return plan


def _checked(snapshot: Snapshot, target: str) -> str:
    """The path of a target, without slashes that a shell's completion adds."""
    path = target.strip("/")
    kind, _, name = path.partition("/")
    if kind in _WHY_NOT:
        raise InUseError(f"{target} cannot be removed: {_WHY_NOT[kind]}")
    if kind not in _ORDER or not name:
        meant = [f"{one}/{path}" for one, names in _removable(snapshot).items() if path in names]
        way = f"name {' or '.join(meant) or ', '.join(f'{one}/NAME' for one in _ORDER)}"
        raise StoreMissingError(f"{target!r} names nothing to remove; {way}")
    return f"{kind}/{check_name(name, what={LABELS: 'label set', TOKENS: 'encoding'}.get(kind, 'selection'))}"


def _kind(path: str) -> str:
    return path.partition("/")[0]


def _name(path: str) -> str:
    return path.partition("/")[2]


def _planned(snapshot: Snapshot, path: str, *, besides: Sequence[str]) -> Removal:
    if _kind(path) == SELECTIONS:
        return _planned_selection(snapshot, path)
    family = snapshot.family(path)
    names = snapshot.storage.list(path)
    if not names:
        return _rest(snapshot, path)
    size, rows = None, None
    with suppress(DamageError):
        records = family.records().values()
        size, rows = sum(record.bytes for record in records), sum(record.rows for record in records)
    notes = _notes(snapshot, family, besides) if _kind(path) == LABELS else []
    return Removal(path=path, files=len(names), bytes=size, rows=rows, notes=notes)


def _rest(snapshot: Snapshot, path: str) -> Removal:
    """What a removal that was killed left of ``path``.

    Raises:
        StoreMissingError: nothing is left; it was never there.
    """
    storage = snapshot.storage
    rest = [f"{TEMPORARY}/{name}" for name in storage.list(TEMPORARY) if removed_folder(f"{TEMPORARY}/{name}") == path]
    if not rest:
        _refuse_unknown(snapshot, path)
    files = sum(len(storage.list(folder)) for folder in rest)
    return Removal(path=path, files=files, bytes=None, rows=None, notes=[_REST_NOTE], is_rest=True)


def _removable(snapshot: Snapshot) -> dict[str, Collection[str]]:
    """The names that there are, by kind."""
    return {LABELS: snapshot.label_sets(), TOKENS: snapshot.encodings(), SELECTIONS: selections(snapshot)}


def _refuse_unknown(snapshot: Snapshot, path: str) -> NoReturn:
    names = ", ".join(f"{_kind(path)}/{name}" for name in _removable(snapshot)[_kind(path)]) or "none"
    raise StoreMissingError(f"{snapshot.location} has no {path}; it has: {names}")


def _notes(snapshot: Snapshot, family: Family, besides: Sequence[str]) -> list[str]:
    """What else goes with a label set, and what does not."""
    notes = []
    if numbers := numbers_begun(snapshot.storage, family.path):
        notes.append(f"{len(numbers)} calibration{'s go' if len(numbers) > 1 else ' goes'} with it")
    encoding = None
    with suppress(DamageError):
        card = label_card(family)
        encoding = card.encoding if card is not None else None
    if encoding is not None and encoding in snapshot.encodings() and f"{TOKENS}/{encoding}" not in besides:
        others = [name for name in _label_sets_of(snapshot, encoding) if f"{LABELS}/{name}" not in besides]
        if not others:
            notes.append(f"no label set uses {TOKENS}/{encoding} then; it stays unless it is named, too")
    notes.append("a training that was begun with it cannot be resumed")
    return notes


def _label_sets_of(snapshot: Snapshot, encoding: str) -> list[str]:
    """Label sets whose cards name ``encoding``.

    Raises:
        DamageError: a card is damaged.
    """
    cards = {name: label_card(snapshot.label_set(name)) for name in snapshot.label_sets()}
    return [name for name, card in cards.items() if card is not None and card.encoding == encoding]


def _check_unused(snapshot: Snapshot, path: str, *, besides: Sequence[str]) -> None:
    """Refuse a family that something needs which is not among ``besides``.

    Raises:
        InUseError: names what.
    """
    if _kind(path) == TOKENS:
        users = [f"{LABELS}/{name}" for name in _label_sets_of(snapshot, _name(path))]
        why = "was labelled from these tokens"
    elif _kind(path) == LABELS:
        _check_no_run(snapshot, _name(path))
        users = [f"{SELECTIONS}/{name}" for name in selections(snapshot) if path in read_card(snapshot, name).sources]
        why = "was made from its labels"
    else:
        return
    if needed := [user for user in users if user not in besides]:
        which = f"{needed[0]}, which {why}" if len(needed) == 1 else f"{', '.join(needed)}, each of which {why}"
        raise InUseError(
            f"{path} of {snapshot.location} is needed by {which}. To remove all of it: "
            f"engine remove {snapshot.location} {' '.join([*needed, path])}"
        )


def _check_no_run(snapshot: Snapshot, label_set: str) -> None:
    for run in read_runs(snapshot.storage):
        if run.get("label_set") == label_set and state_of(snapshot.storage, run).is_alive:
            raise InUseError(f"{LABELS}/{label_set} of {snapshot.location} is being labelled{_who(run)}; {_RETRY}")


def _who(run: RunNotes) -> str:
    return f" by process {run.get('process')} of {run.get('machine')}, begun at {run['started']}"


def _remove_family(snapshot: Snapshot, path: str, *, besides: Sequence[str]) -> None:
    storage = snapshot.storage
    with storage.alone(path) as is_alone:
        if not is_alone:
            if not storage.list(path):
                return  # another process has just removed it
            raise InUseError(f"{path} of {snapshot.location} is being written; {_RETRY}")
        _check_unused(snapshot, path, besides=besides)  # nothing can be begun from it now
        storage.remove_folder(path)


def _planned_selection(snapshot: Snapshot, path: str) -> Removal:
    files = selection_files(snapshot.storage, _name(path))
    if not files:
        _refuse_unknown(snapshot, path)
    if _name(path) not in selections(snapshot):
        return Removal(path=path, files=len(files), bytes=None, rows=None, notes=[_REST_NOTE], is_rest=True)
    size, rows = None, None
    with suppress(DamageError):
        card = read_card(snapshot, _name(path))
        size, rows = card.bytes, card.selected
    notes = ["a training that was begun with it cannot be resumed"]
    with suppress(DamageError):
        if lost := lost_with_selection(snapshot, _name(path)):
            notes.append(lost)
    return Removal(path=path, files=len(files), bytes=size, rows=rows, notes=notes)
