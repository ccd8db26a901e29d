"""Whatever call fails, whenever, whoever is killed and however many write at once: run again, the store is the same."""

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from faults import Fault, FaultyStorage, Killed, clear, snapshot
from whole_run import REJECTED, whole_run, write_input

import store
from engine.errors import EngineError
from store import Store
from store.errors import StoreError
from store.shard import read_shard
from store.storage import MemoryStorage, Storage
from store.verify import verify

ROWS = 9


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return write_input(tmp_path_factory.mktemp("input"), rows=ROWS)


@pytest.fixture(scope="module")
def undisturbed(files: tuple[str, ...]) -> dict[str, bytes]:
    storage = MemoryStorage()
    one_run(storage, files)
    return snapshot(storage)


@pytest.fixture(scope="module")
def calls(files: tuple[str, ...]) -> list[str]:
    """What an undisturbed run asks of its storage."""
    storage = FaultyStorage(MemoryStorage())
    one_run(storage, files)
    return storage.calls


def filled(contents: Mapping[str, bytes]) -> MemoryStorage:
    storage = MemoryStorage()
    for name, data in contents.items():
        storage.put(name, data)
    return storage


def rows_of(made: Store, path: str) -> list[int]:
    """Row numbers of a family, in the order of its shards."""
    family = made.family(path)
    tables = [read_shard(family, record, check_hash=True) for record in family.records().values()]
    return pa.concat_tables(tables).column("row").to_pylist()


def check_whole(storage: Storage, undisturbed: dict[str, bytes]) -> None:
    """Same bytes, no damage, and each input row once: in the corpus and labelled, or refused."""
    assert snapshot(storage) == undisturbed
    assert not list(verify(storage))
    made = store.open(storage)
    assert sum(entry["rows"] for entry in made.header.inputs) == ROWS + REJECTED
    assert made.rejects().count_rows() == REJECTED
    for family in made.families():
        if family.path != "gold":
            assert rows_of(made, family.path) == list(range(ROWS))


class Sweep:
    """Runs that go wrong in one way each, and what they leave. An equal state is gone on with once only."""

    def __init__(self, files: tuple[str, ...], undisturbed: dict[str, bytes]) -> None:
        self.ended: Counter[str] = Counter()
        self._files = files
        self._undisturbed = undisturbed
        self._storage = MemoryStorage()
        self._resumed: set[frozenset[tuple[str, bytes]]] = set()

    def attempt(self, faults: Mapping[int, Fault]) -> None:
        """A run until a fault ends it, and another one without faults.

        A run that comes to its end, whatever went wrong in it, has made the store as it must be.
        """
        clear(self._storage)
        try:
            one_run(FaultyStorage(self._storage, faults), self._files)
        except (OSError, StoreError, EngineError, Killed) as error:
            self.ended[type(error).__name__] += 1
            self._resume()
        else:
            self.ended["no error"] += 1
            check_whole(self._storage, self._undisturbed)

    def _resume(self) -> None:
        state = frozenset(snapshot(self._storage).items())
        if state not in self._resumed:
            self._resumed.add(state)
            one_run(self._storage, self._files)
            check_whole(self._storage, self._undisturbed)


def one_run(storage: Storage, files: tuple[str, ...]) -> None:
    """A whole run that always begins with the same shard, so that its calls have the same numbers."""
    random.seed(0)
    whole_run(storage, files)


def test_any_fault_in_any_call_leaves_a_store_that_the_next_run_completes(files, undisturbed, calls) -> None:
    sweep = Sweep(files, undisturbed)
    for number in range(len(calls)):
        for fault in Fault:
            sweep.attempt({number: fault})
    assert sum(sweep.ended.values()) == 4 * len(calls)
    assert sweep.ended["Killed"] == len(calls)
