"""Any order of runs, faults, kills, second writers, damages and repairs: the store is never wrong, and ends the same.

The model is the bytes of every file of the store that one undisturbed run makes.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, FaultyStorage, Killed, clear, snapshot
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from whole_run import append_more, begin, freeze_card, label, labeller_for, whole_run, write_input, write_more

from engine.errors import EngineError
from engine.labelling.repair import repair
from engine.labelling.shard import label_missing, label_shard
from store import Store
from store.errors import DamageError, StoreError, StoreMissingError
from store.format.findings import Finding
from store.format.header import is_store
from store.format.json_file import copy_name, is_torn
from store.format.segments import GUARD
from store.storage import MemoryStorage, Storage
from store.verify.process import verify_store
from store.verify.verify import verify

ROWS, SHARDS = 20, 4
APPENDED, ALL_SHARDS = 6, 6
SETS = ("one", "second")
RECORDS = tuple(f"{shard:05d}.json" for shard in range(ALL_SHARDS))
MANIFESTS = ("manifest.json", "manifest-00001.json")
SEGMENT = {"segments/00001.json", "segments/00001.copy.json"}
REFUSALS = (OSError, StoreError, EngineError, Killed)

Files = dict[str, bytes]
Operation = Callable[[Storage], object]


class Operations:
    """What users do to a store, each as a process of its own would."""

    def __init__(self, files: tuple[str, ...], more: tuple[str, ...]) -> None:
        self._files = files
        self._more = more

    def append(self, storage: Storage) -> Store:
        self.begin(storage)
        return append_more(storage, self._more)

    def begin(self, storage: Storage) -> Store:
        return begin(storage, self._files, shards=SHARDS)

    def label_one(self, label_set: str, shard: int) -> Operation:
        def operation(storage: Storage) -> None:
            made = self.begin(storage)
            freeze_card(made, label_set)
            if shard < made.layout.shards:  # else it is of rows that are not appended yet
                label_missing(labeller_for(made, label_set), shard)

        return operation

    def label_again(self, label_set: str, shard: int) -> Operation:
        """Whether or not it is committed by now."""

        def operation(storage: Storage) -> None:
            made = self.begin(storage)
            freeze_card(made, label_set)
            if shard < made.layout.shards:
                label_shard(labeller_for(made, label_set), shard)

        return operation

    def label_all(self, label_set: str) -> Operation:
        return lambda storage: label(self.begin(storage), label_set)

    def seal(self, storage: Storage) -> None:
        for family in self.begin(storage).families():
            if family.path != "gold":
                family.seal()

    def sweep(self, storage: Storage) -> None:
        storage.sweep()

    def verify(self, storage: Storage) -> list[Finding]:
        return list(verify(storage)) if is_store(storage) else []

    def repair(self, storage: Storage) -> list[Finding]:
        """What is still damaged."""
        if not is_store(storage):
            return []
        return repair(storage, verify_store(storage), open_labeller=labeller_for).after.damage


class StoreMachine(RuleBasedStateMachine):
    """A store in memory, and everything that may be done or happen to it."""

    def __init__(self, files: tuple[str, ...], more: tuple[str, ...], model: Files) -> None:
        super().__init__()
        self.model = model
        self.storage = MemoryStorage()
        self.damaged: set[str] = set()
        self.do = Operations(files, more)
        self._files = files
        self._more = more

    def operations(self) -> st.SearchStrategy[Operation]:
        sets, shards = st.sampled_from(SETS), st.integers(0, ALL_SHARDS - 1)
        return st.one_of(
            st.builds(self.do.label_one, sets, shards),
            st.builds(self.do.label_again, sets, shards),
            st.builds(self.do.label_all, sets),
            st.sampled_from(
                [self.do.append, self.do.begin, self.do.seal, self.do.sweep, self.do.verify, self.do.repair]
            ),
        )

    @initialize()
    def ingest(self) -> None:
        self.do.begin(self.storage)

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        """Undisturbed: only damage may stop it."""
        self._attempt(data.draw(self.operations()), self.storage)

    @rule(data=st.data(), fault=st.sampled_from(Fault), number=st.integers(0, 150))
    def work_with_a_fault(self, data: st.DataObject, fault: Fault, number: int) -> None:
        """In this call, or in none where the operation has fewer."""
        with contextlib.suppress(*REFUSALS):
            data.draw(self.operations())(FaultyStorage(self.storage, {number: fault}))

    @rule(data=st.data(), number=st.integers(0, 150))
    def work_while_another_comes_in_between(self, data: st.DataObject, number: int) -> None:
        """All that the second one does falls between two calls of the first one."""
        first, second = data.draw(self.operations()), data.draw(self.operations())

        def come_in(call: int) -> None:
            if call == number:
                self._attempt(second, self.storage)

        was_damaged = self._is_damaged()  # then the second one may mend what the first one has seen
        found = self._attempt(first, FaultyStorage(self.storage, before=come_in))
        if isinstance(found, list) and not was_damaged and not self._is_damaged():
            assert not [finding for finding in found if finding.is_damage]

    @rule(data=st.data(), how=st.sampled_from(["flip", "cut", "delete"]))
    def damage(self, data: st.DataObject, how: str) -> None:
        """One of the files that are there."""
        now = snapshot(self.storage)
        name = data.draw(st.sampled_from(sorted(now) or ["store.json"]))
        held = now.get(name, b"")
        if not held:
            return
        self.damaged.add(name)
        # No run makes tokens again for labels that are there, so theirs are cut instead.
        if how == "delete" and not (name.startswith("tokens/") and name.endswith((*MANIFESTS, *RECORDS))):
            self.storage.remove_dead(name)
        elif how != "flip":
            self.storage.put(name, held[: data.draw(st.integers(0, len(held) - 1))])
        else:
            bit = data.draw(st.integers(0, 8 * len(held) - 1))
            self.storage.put(name, held[: bit // 8] + bytes([held[bit // 8] ^ 1 << bit % 8]) + held[bit // 8 + 1 :])

    @rule()
    def look(self) -> None:
        """Exactly what is damaged is named."""
        now = snapshot(self.storage)
        if {"store.json", "store.copy.json"} <= self._bad(now) or self._is_segment_lost(now):
            with pytest.raises((DamageError, StoreMissingError)):
                list(verify(self.storage))
            return
        named = [finding.file for finding in verify(self.storage) if finding.is_damage]
        assert sorted(named) == sorted(name for name in self._bad(now) if self._is_damage(name, now))

    @rule()
    def mend(self) -> None:
        """What has not lost both its copies comes back, and what it hid as well."""
        if not self._lost_twins(snapshot(self.storage)):
            assert self.do.repair(self.storage) == []

    @rule()
    def finish(self) -> None:
        """Restore from a backup what nothing else can restore, repair, and run to the end."""
        for name in self._lost_twins(snapshot(self.storage)):
            self.storage.put(name, self.model[name])
        assert self.do.repair(self.storage) == []
        whole_run(self.storage, self._files, label_sets=SETS, shards=SHARDS, more=self._more)
        assert snapshot(self.storage) == self.model
        assert not list(verify(self.storage))

    @invariant()
    def every_file_is_right_unless_it_was_damaged_or_is_being_created(self) -> None:
        """So no row is there twice, and no committed shard holds anything else than its rows."""
        now = snapshot(self.storage)
        self.damaged &= self._bad(now)
        for name in now.keys() & self._bad(now):
            is_torn = name.endswith(".json") and self.model[name].startswith(now[name])
            assert name in self.damaged or is_torn
        records = (name for name in now if name.rsplit("/", 1)[-1].split(".")[0].isdecimal())
        for record in (name for name in records if name != GUARD and not name.endswith(".copy.json")):
            data = next(name for name in self.model if name.startswith(record.removesuffix(".json") + "-"))
            assert data in now or data in self.damaged or now[record] != self.model[record]

    def teardown(self) -> None:
        self.finish()
        clear(self.storage)

    def _attempt(self, operation: Operation, storage: Storage) -> object:
        """Do it; a store that nobody damaged refuses nothing."""
        try:
            return operation(storage)
        except REFUSALS:
            if not self._is_damaged():
                raise
            return None

    def _is_damaged(self) -> bool:
        """Whether a file is not as it was written, or one that was deleted has not come back."""
        now = snapshot(self.storage)
        return bool(self._bad(now) & (now.keys() | self.damaged))

    def _bad(self, now: Files) -> set[str]:
        """Files that are not as in the finished store. One that no run makes raises a KeyError."""
        return {name for name in self.model.keys() | now.keys() if now.get(name) != self.model[name]}

    def _lost_twins(self, now: Files) -> list[str]:
        """Of the files that are kept twice, those of which neither is good, and which were there once."""
        bad = self._bad(now)
        lost = [name for name in bad if copy_name(name) in bad and (_shows(name, now) or name in self.damaged)]
        return lost + ["segments/00001.json"] * (self._is_segment_lost(now) and "segments/00001.json" not in lost)

    def _is_segment_lost(self, now: Files) -> bool:
        """Whether neither of the files that say what was appended is good, and one of them must have been there."""
        if not self._bad(now) >= SEGMENT:
            return False
        rest = now.keys() - self._bad(now)
        shards = {f"/{shard:05d}.json" for shard in range(SHARDS, ALL_SHARDS)}
        is_shown = any(name.endswith(MANIFESTS[1]) for name in now) or any(name[-11:] in shards for name in rest)
        return is_shown or any(name in now and not is_torn(now[name]) for name in SEGMENT)

    def _is_damage(self, name: str, now: Files) -> bool:
        """Whether what is wrong with the file can be seen, and is more than that it is not there yet."""
        if name == GUARD:
            return not self._bad(now) >= SEGMENT
        if name.endswith(".arrow"):
            return name.startswith("rejects/") or self._is_committed(name, now)
        if name in now or copy_name(name) in self.model:
            return name in now or _shows(name, now)
        folder, _, last = name.rpartition("/")
        if name.endswith(("copy.json", *MANIFESTS)):
            return False
        # Tokens and labels are made of texts: where they are committed, the texts were.
        others = [other for other in self.model if folder == "corpus" and other.endswith(f"/{last}") and other != name]
        return f"{folder}/{_manifest(last)}" in now or any(self._is_committed(other, now) for other in others)

    def _is_committed(self, name: str, now: Files) -> bool:
        """Whether a shard's own record says so, or the manifest of its family."""
        folder, _, last = name.rpartition("/")
        known_by = {f"{folder}/{last[:5]}.json", f"{folder}/{_manifest(last)}"} if folder != "segments" else SEGMENT
        return bool(known_by & (now.keys() - self._bad(now)))


def _shows(name: str, now: Files) -> bool:
    """Whether a file that is kept twice must have been there: by itself, its copy, or the family behind its card."""
    folder = name.rpartition("/")[0]
    if name in SEGMENT:  # what was refused is there before
        return bool(SEGMENT & now.keys())
    return {name, copy_name(name)} & now.keys() != set() or any(
        folder and other.startswith(f"{folder}/") for other in now
    )


def _manifest(last: str) -> str:
    """The manifest that lists the shard whose file is called so."""
    return MANIFESTS[int(last[:5]) >= SHARDS]


COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
PROFILES = [
    settings(max_examples=15, stateful_step_count=25, derandomize=True, **COMMON),
    pytest.param(
        settings(max_examples=500, stateful_step_count=50, **COMMON),
        marks=[pytest.mark.slow, pytest.mark.timeout(7_200)],
    ),
]


@pytest.mark.parametrize("profile", PROFILES, ids=["few", "many"])
def test_whatever_happens_the_store_is_right_and_ends_the_same(tmp_path: Path, profile: settings) -> None:
    files, more = write_input(tmp_path, rows=ROWS), write_more(tmp_path, rows=APPENDED)
    storage = MemoryStorage()
    whole_run(storage, files, label_sets=SETS, shards=SHARDS, more=more)
    model = snapshot(storage)
    clear(storage)
    run_state_machine_as_test(lambda: StoreMachine(files, more, model), settings=profile)
