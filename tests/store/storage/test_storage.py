"""The verbs, on every kind of storage, and what a local disk must keep besides: kills, races, full and lying disks."""

import contextlib
import errno
import fcntl
import hashlib
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pyarrow.fs as pafs
import pytest
from azure_server import AzureServer, azure_server
from range_storage import RangeStorage
from s3_server import S3Server, environment_of
from store_factory import NoWaitStorage

from store.errors import StoreError, StoreFullError, StoreMissingError
from store.storage import SCHEMES, TEMPORARY, LocalStorage, MemoryStorage, Storage, open_storage
from store.storage.arrow_files import arrow_files
from store.storage.objects.cache import ReadCache
from store.storage.objects.storage import ObjectStorage

pytestmark = pytest.mark.durable


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    with azure_server() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


@pytest.fixture(params=["local", "memory", "ranges", "s3", "azure"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param in ("s3", "azure"):
        server = request.getfixturevalue(request.param)
        cache = ReadCache(tmp_path / "cache", limit=10**6)
        return ObjectStorage(f"{server.root}/{request.node.name.replace('/', '-')}/a.store", cache=cache)
    kinds = {"local": lambda: LocalStorage(tmp_path / "deep" / "a.store"), "memory": MemoryStorage}
    return {**kinds, "ranges": RangeStorage}[request.param]()


@pytest.fixture
def local(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "a.store")


def refuse_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A disk like exFAT or some network mounts, which have no hard links."""

    def link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)


def test_what_is_put_is_read_back(storage: Storage) -> None:
    storage.put("labels/bert/00000.json", b"\x00\xff")
    assert storage.read("labels/bert/00000.json").to_pybytes() == b"\x00\xff"


def test_an_empty_file_reads_as_no_bytes(storage: Storage) -> None:
    storage.put("empty", b"")
    assert storage.read("empty").size == 0


def test_put_replaces_what_is_there(storage: Storage) -> None:
    storage.put("a", b"first, and longer")
    storage.put("a", b"second")
    assert storage.read("a").to_pybytes() == b"second"


@pytest.mark.parametrize("name", ["nothing", "folder/nothing", "file/below"])
def test_a_missing_file_is_named(storage: Storage, name: str) -> None:
    storage.put("file", b"")
    with pytest.raises(StoreMissingError, match=name) as caught:
        storage.read(name)
    assert storage.location in str(caught.value)


def test_list_gives_sorted_names_of_files_and_folders(storage: Storage) -> None:
    for name in ("f/b.json", "f/a.json", "f/inner/deep/c.json", "elsewhere/d.json"):
        storage.put(name, b"")
    assert storage.list("f") == ["a.json", "b.json", "inner"]


@pytest.mark.parametrize("folder", ["none", "none/below", "file", "file/below"])
def test_list_of_what_is_no_folder_is_empty(storage: Storage, folder: str) -> None:
    storage.put("file", b"")
    assert storage.list(folder) == []


def test_list_of_the_root(storage: Storage) -> None:
    storage.put("a", b"")
    storage.put("f/b", b"")
    assert set(storage.list("")) - {TEMPORARY} == {"a", "f"}


def test_put_if_absent_keeps_the_first(storage: Storage) -> None:
    assert storage.put_if_absent("f/a", b"first") is True
    assert storage.put_if_absent("f/a", b"second") is False
    assert storage.read("f/a").to_pybytes() == b"first"


def test_an_empty_file_can_be_created_once(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, links in (("a", True), ("b", False)):
        if not links:
            refuse_links(monkeypatch, errno.EPERM)
        assert storage.put_if_absent(name, b"") is True
        assert storage.put_if_absent(name, b"") is False


WHOLE = b'{"shard": 7}\n'


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("kind", [NoWaitStorage, MemoryStorage, RangeStorage])
def test_what_a_killed_writer_began_is_completed_with_equal_data_and_kept_from_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, kind: Any
) -> None:
    storage = kind(*([tmp_path] if kind is NoWaitStorage else []))
    if not links:
        refuse_links(monkeypatch, errno.EPERM)
    for length in range(len(WHOLE)):
        name = f"f/{length}"
        storage.put(name, WHOLE[:length])
        if length:
            assert storage.put_if_absent(name, b"x" + WHOLE) is False
            assert storage.put_if_absent(name, WHOLE[: length - 1]) is False
            assert storage.read(name).to_pybytes() == WHOLE[:length]
        assert storage.put_if_absent(name, WHOLE) is True
        assert storage.put_if_absent(name, WHOLE) is False
        assert storage.put_if_absent(name, WHOLE + b"more") is True, "which makes it a beginning again"
        assert storage.read(name).to_pybytes() == WHOLE + b"more"
    assert storage.list(TEMPORARY) == []


def race(storage: Storage, name: str, contenders: int = 8) -> list[bool]:
    barrier = Barrier(contenders)

    def contend(number: int) -> bool:
        barrier.wait()
        return storage.put_if_absent(name, b"%d" % number * 1000)

    with ThreadPoolExecutor(contenders) as pool:
        return list(pool.map(contend, range(contenders)))


@pytest.mark.parametrize("links", [True, False])
def test_of_many_threads_one_creates_the_file(storage: Storage, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        refuse_links(monkeypatch, errno.EPERM)
    for turn in range(10):
        won = race(storage, f"records/{turn}.json")
        assert won.count(True) == 1
        assert storage.read(f"records/{turn}.json").to_pybytes() == b"%d" % won.index(True) * 1000


def test_a_staged_file_is_unseen_until_it_is_published(storage: Storage) -> None:
    staged = storage.stage()
    staged.write(b"one")
    assert storage.list("f") == []
    staged.write(memoryview(b" two"))
    staged.publish("f/a")
    staged.discard()
    assert storage.read("f/a").to_pybytes() == b"one two"


def test_a_staged_file_knows_its_size_and_hash(storage: Storage) -> None:
    staged = storage.stage()
    assert staged.writable()
    assert staged.write(b"one") == 3
    staged.write(b" two")
    assert (staged.size, staged.tell()) == (7, 7)
    assert staged.sha256 == hashlib.sha256(b"one two").hexdigest()
    staged.discard()


def test_what_is_discarded_is_nowhere_and_twice_is_once(storage: Storage) -> None:
    staged = storage.stage()
    staged.write(b"one")
    staged.discard()
    staged.discard()
    assert storage.list(TEMPORARY) == []
    assert [name for name in storage.list("") if name != TEMPORARY] == []


def test_discard_after_publish_keeps_the_file(storage: Storage) -> None:
    staged = storage.stage()
    staged.write(b"one")
    staged.publish("a")
    staged.discard()
    assert storage.read("a").to_pybytes() == b"one"


@pytest.mark.parametrize("links", [True, False])
def test_no_verb_leaves_a_temporary_file(storage: Storage, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        refuse_links(monkeypatch, errno.EPERM)
    storage.put("a", b"1")
    storage.put_if_absent("b", b"1")
    storage.put_if_absent("b", b"2")
    race(storage, "c")
    assert storage.list(TEMPORARY) == []


def test_the_pieces_of_a_file_are_all_of_it(storage: Storage) -> None:
    data = bytes(range(256)) * 40_000
    storage.put("f/a", data)
    storage.put("f/b", b"")
    assert b"".join(storage.pieces("f/a")) == data
    assert b"".join(storage.pieces("f/b")) == b""
    with pytest.raises(StoreMissingError, match="f/c"):
        list(storage.pieces("f/c"))


def test_arrow_files_are_those_that_were_put(storage: Storage) -> None:
    storage.put("f/a", b"one")
    storage.put("f/b", b"two")
    filesystem = arrow_files(storage)
    for opened in (filesystem.open_input_file, filesystem.open_input_stream):
        with opened("f/b") as file:
            assert file.read() == b"two"
    one, none = filesystem.get_file_info(["f/a", "f/c"])
    assert (one.size, one.type, none.type) == (3, pafs.FileType.File, pafs.FileType.NotFound)
    with pytest.raises(NotImplementedError):
        filesystem.open_output_stream("f/d")


def test_a_file_is_read_at_any_place(storage: Storage) -> None:
    storage.put("f/a", bytes(range(100)))
    with storage.open("f/a") as file:
        assert file.size() == 100
        assert file.read_at(3, 50) == bytes([50, 51, 52])
        assert file.read_at(50, 90) == bytes(range(90, 100))
        assert file.read_at(2, 0) == bytes([0, 1])
        file.seek(40)
        assert file.read(2) == bytes([40, 41])


def test_what_was_opened_outlives_the_file_that_is_closed(storage: Storage) -> None:
    storage.put("f/a", b"first")
    with storage.open("f/a") as file:
        data = file.read_buffer()
    storage.put("f/a", b"other")
    assert data.to_pybytes() == b"first"


@pytest.mark.parametrize("name", ["nothing", "folder/nothing", "file/below"])
def test_a_missing_file_is_named_when_it_is_opened(storage: Storage, name: str) -> None:
    storage.put("file", b"")
    with pytest.raises(StoreMissingError, match=name):
        storage.open(name)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_without_hard_links_creation_is_exclusive_too(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse_links(monkeypatch, number)
    assert local.put_if_absent("f/a", b"first") is True
    assert local.put_if_absent("f/a", b"second") is False
    assert local.read("f/a").to_pybytes() == b"first"


# Many processes on one name.

CONTENDERS = 8
_gate: Any = None


def _begin_process(gate: Any, links: bool) -> None:
    global _gate
    _gate = gate
    if not links:
        refuse_links(pytest.MonkeyPatch(), errno.EPERM)


def _contend(task: tuple[Path, str, bytes]) -> bool:
    root, name, data = task
    _gate.wait()
    return NoWaitStorage(root).put_if_absent(name, data)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_of_many_processes_one_creates_the_file(tmp_path: Path, links: bool) -> None:
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(CONTENDERS)
    storage = LocalStorage(tmp_path)
    with ProcessPoolExecutor(CONTENDERS, spawn, _begin_process, (gate, links)) as pool:
        for turn in range(12):
            equal = turn % 2 == 0
            contents = [(b"equal" if equal else b"%d" % number) * 5_000 for number in range(CONTENDERS)]
            if turn % 3 == 0:  # and a writer was killed there
                storage.put(f"f/{turn}", contents[0][:turn])
            won = list(pool.map(_contend, [(tmp_path, f"f/{turn}", data) for data in contents]))
            assert won.count(True) == 1
            assert storage.read(f"f/{turn}").to_pybytes() == contents[won.index(True)]
    assert storage.list(TEMPORARY) == []


# Dead writers and living ones.

WRITER = """
import os, sys
from store.storage import LocalStorage
storage, how = LocalStorage(sys.argv[1]), sys.argv[2]

def say(word):
    print(word, flush=True)
    sys.stdin.readline()

def refuse(*_):
    raise PermissionError(1, "no links")

def stop(descriptor):
    say("before it is on the disk")

if how == "hold":
    staged = storage.stage()
    staged.write(b"a living writer's")
    say("staged")
    staged.publish("f/a")
    say("published")
    staged.discard()
    say("let go")
else:
    os.link = refuse
    calls = iter([os.fsync, stop] if how == "in place" else [stop])  # first the temporary file, then its copy in place
    storage.fsync = lambda descriptor: next(calls)(descriptor)
    storage.put_if_absent("f/a", b"data" * 9999)
"""


@contextlib.contextmanager
def writer(root: Path, how: str) -> Iterator[Any]:
    """A process that writes into a store, and a call that lets it go on to its next step and says what that is."""
    command = [sys.executable, "-c", WRITER, str(root), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        steps = process.stdout

        def go_on() -> str:
            process.stdin.write("\n")
            return steps.readline().strip()

        try:
            yield process, steps.readline().strip(), go_on
        finally:
            process.kill()


def test_a_living_writers_file_stays_until_it_lets_go(local: LocalStorage) -> None:
    with writer(local.root, "hold") as (_, step, go_on):
        assert step == "staged"
        (name,) = local.list(TEMPORARY)
        assert local.sweep() == []
        assert local.remove_dead(f"{TEMPORARY}/{name}") is False
        assert local.list(TEMPORARY) == [name]
        assert go_on() == "published"
        assert local.list(TEMPORARY) == []
        assert local.remove_dead("f/a") is False
        assert local.read("f/a").to_pybytes() == b"a living writer's"
        assert go_on() == "let go"
        assert local.remove_dead("f/a") is True
        assert local.list("f") == []


def test_our_own_file_stays_until_we_let_go(local: LocalStorage) -> None:
    staged = local.stage()
    staged.write(b"1")
    assert local.sweep() == []
    staged.publish("f/a")
    assert local.remove_dead("f/a") is False
    staged.discard()
    assert local.remove_dead("f/a") is True


def test_a_killed_writers_file_is_swept_and_those_of_other_machines_stay(local: LocalStorage) -> None:
    local.put("f/kept", b"1")
    (local.root / TEMPORARY).mkdir(exist_ok=True)
    with writer(local.root, "staged") as (process, _, _):
        process.send_signal(signal.SIGKILL)
        process.wait()
    (dead,) = local.list(TEMPORARY)
    mine = dead.split("-")[0]
    others = [f"{mine}x-1-ff", f"x{mine}-1-ff", "elsewhere-1-ff", mine]
    for name in others:
        (local.root / TEMPORARY / name).write_bytes(b"")
    (local.root / TEMPORARY / f"{mine}-folder").mkdir()
    held = local.stage()
    assert local.sweep() == [dead]
    assert set(local.list(TEMPORARY)) >= {*others, f"{mine}-folder"}
    assert len(local.list(TEMPORARY)) == len(others) + 2
    held.discard()
    assert local.sweep() == []
    assert local.list("f") == ["kept"]


def test_a_writer_that_is_killed_inside_a_creation_in_place(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the file while it lives: nobody writes into it, and who comes with equal data waits."""
    data = b"data" * 9999
    local.put("f/other", b"")
    refuse_links(monkeypatch, errno.EPERM)
    with writer(local.root, "in place") as (process, step, _):
        assert step == "before it is on the disk"
        assert local.remove_dead("f/a") is False
        with (local.root / "f/a").open("r+b") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(local.root / "f/a", 777)
        with ThreadPoolExecutor(1) as pool:
            created = pool.submit(local.put_if_absent, "f/a", data)
            assert not Event().wait(0.1)
            assert not created.done()
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert created.result(timeout=30) is True
    assert local.read("f/a").to_pybytes() == data
    assert len(local.sweep()) == 1
    assert local.list(TEMPORARY) == []


@pytest.mark.parametrize("name", ["none", "none/below", "file/below", "folder"])
def test_what_is_no_file_is_not_removed(storage: Storage, name: str) -> None:
    storage.put("file", b"")
    storage.put("folder/file", b"")
    assert storage.remove_dead(name) is False
    assert storage.list("folder") == ["file"]


def test_a_file_that_nobody_holds_is_removed_unless_nobody_can_tell(storage: Storage) -> None:
    storage.put("f/a", b"1")
    if isinstance(storage, ObjectStorage):
        assert storage.remove_dead("f/a") is False
        assert storage.list("f") == ["a"]
        return
    assert storage.remove_dead("f/a") is True
    assert storage.remove_dead("f/a") is False
    assert storage.list("f") == []


def test_nothing_is_swept_where_nothing_was_begun(storage: Storage) -> None:
    assert storage.sweep() == []


def test_a_file_that_is_swept_before_it_is_locked_is_begun_again(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, swept = fcntl.flock, []

    def sweep_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        swept.extend(local.sweep())
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    local.put("a", b"1")
    assert len(swept) == 1
    assert local.read("a").to_pybytes() == b"1"
    assert local.list(TEMPORARY) == []


def test_a_file_that_is_published_again_while_it_is_removed_stays(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data file of a dead writer, and another writer that makes the same bytes again."""
    local.put("f/a", b"1")
    staged = local.stage()
    staged.write(b"1")
    flock = fcntl.flock

    def publish_then(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        flock(descriptor, operation)
        staged.publish("f/a")

    monkeypatch.setattr(fcntl, "flock", publish_then)
    local.remove_dead("f/a")
    staged.discard()
    assert local.list("f") == ["a"]


def _create_many(task: tuple[Path, int]) -> int:
    root, number = task
    storage = NoWaitStorage(root)
    for turn in range(40):
        storage.put(f"f/{number}-{turn}", b"1" * turn)
        storage.put_if_absent(f"g/{number}-{turn}", b"1" * turn)
        storage.put_if_absent(f"g/{turn}", b"1" * turn)
    return number


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_a_sweeper_among_creators_never_removes_a_living_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        refuse_links(monkeypatch, errno.EPERM)
    storage, over = LocalStorage(tmp_path), Event()

    def sweep_on() -> int:
        turns = 0
        while not over.is_set():
            storage.sweep()
            turns += 1
        return turns

    with ThreadPoolExecutor(6) as pool:
        sweepers = [pool.submit(sweep_on) for _ in range(2)]
        try:
            assert list(pool.map(_create_many, [(tmp_path, number) for number in range(4)])) == [0, 1, 2, 3]
        finally:
            over.set()
        assert min(sweeper.result() for sweeper in sweepers) > 10
    for folder, names in (("f", 160), ("g", 200)):
        assert len(storage.list(folder)) == names
        for name in storage.list(folder):
            assert storage.read(f"{folder}/{name}").size == int(name.split("-")[-1])
    assert storage.list(TEMPORARY) == []


def test_a_sweeper_among_creating_processes_never_removes_a_living_one(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, spawn) as pool:
        creations = [pool.submit(_create_many, (tmp_path, number)) for number in range(4)]
        while not all(creation.done() for creation in creations):
            storage.sweep()
        assert [creation.result() for creation in creations] == list(range(4))
    assert len(storage.list("f")) == 160
    assert storage.list(TEMPORARY) == []


# Network disks, full disks and disks that lie.


def link_and_fail(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    link = os.link

    def answer_wrongly(*names: Any) -> None:
        link(*names)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", answer_wrongly)


def test_a_link_that_succeeds_and_reports_failure_is_ours(local: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS may, when a request is carried out twice and the second answer arrives."""
    with monkeypatch.context() as context:
        link_and_fail(context, errno.EEXIST)
        assert local.put_if_absent("f/a", b"first") is True
        assert local.put_if_absent("f/a", b"second") is False
    assert local.put_if_absent("f/a", b"first") is False
    assert local.read("f/a").to_pybytes() == b"first"
    assert local.list(TEMPORARY) == []


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullStorage(LocalStorage):
    """A disk that turns out to be full when it is waited for, for the ``at``-th time."""

    def __init__(self, root: Path, at: int, number: int = errno.ENOSPC) -> None:
        super().__init__(root)
        self.left = at
        self.number = number

    def fsync(self, descriptor: int) -> None:
        self.left -= 1
        if self.left == -1:
            raise OSError(self.number, os.strerror(self.number))


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may become larger, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def refused(storage: Storage) -> Iterator[None]:
    """A full disk is said as one, with place and remedy, and leaves no temporary file."""
    with pytest.raises(StoreFullError) as caught:
        yield
    assert str(caught.value).startswith(f"{storage.location}: ")
    assert "What was committed stays; make space and run the same command again" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert storage.list(TEMPORARY) == []


PUTS = ["put", "put_if_absent"]


@pytest.mark.parametrize("verb", PUTS)
@pytest.mark.parametrize("step", ["mkdir", "fsync", "link", "replace"])
def test_a_full_disk_leaves_nothing_and_the_next_try_succeeds(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch, verb: str, step: str
) -> None:
    if (verb, step) in (("put", "link"), ("put_if_absent", "replace")):
        pytest.skip("a step of the other verb")
    with monkeypatch.context() as context:
        context.setattr(os, step, full)
        with refused(local):
            getattr(local, verb)("f/g/a", b"first")
    assert local.list("f/g") == []
    getattr(local, verb)("f/g/a", b"first")
    assert local.read("f/g/a").to_pybytes() == b"first"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
@pytest.mark.parametrize("verb", PUTS)
def test_a_disk_that_is_full_at_any_wait_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, links: bool, number: int
) -> None:
    if not links:
        refuse_links(monkeypatch, errno.EPERM)
    data = b"first" * 9_999
    at, full_at_all = 0, True
    while full_at_all:
        root = tmp_path / str(at)
        storage = FullStorage(root, at, number)
        try:
            getattr(storage, verb)("f/a", data)
            full_at_all = False
        except StoreFullError:
            assert storage.list(TEMPORARY) == []
            assert storage.list("f") in ([], ["a"])
            if storage.list("f"):
                assert storage.read("f/a").to_pybytes() == data, "what is seen is whole"
        getattr(LocalStorage(root), verb)("f/a", data)
        assert storage.read("f/a").to_pybytes() == data
        at += 1
    assert at > 4


@pytest.mark.parametrize("verb", PUTS)
@pytest.mark.parametrize("room", [0, 1, 9_000, 99_999])
def test_a_disk_without_room_for_every_byte_leaves_nothing(local: LocalStorage, verb: str, room: int) -> None:
    data = b"x" * 100_000
    with room_for(room), refused(local):
        getattr(local, verb)("f/a", data)
    assert local.list("f") == []
    getattr(local, verb)("f/a", data)
    assert local.read("f/a").to_pybytes() == data


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_write_that_the_kernel_refuses_for_want_of_space(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def stage_and_write() -> None:
        staged: Any = local.stage()
        try:
            with Path("/dev/full").open("wb") as device:
                os.dup2(device.fileno(), staged._file.fileno(), inheritable=False)
            staged.write(b"x" * size)
            staged.publish("f/a")
        finally:
            staged.discard()

    with refused(local):
        stage_and_write()
    assert local.list("f") == []


def test_a_disk_that_fills_while_a_file_is_created_in_place_leaves_a_beginning_that_is_completed(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch, errno.EPERM)
    create = local._create_locked
    with monkeypatch.context() as context:

        def create_without_room(target: Path, data: bytes) -> bool:
            with room_for(7):
                return create(target, data)

        context.setattr(local, "_create_locked", create_without_room)
        with refused(local):
            local.put_if_absent("f/a", WHOLE)
    assert WHOLE.startswith(local.read("f/a").to_pybytes())
    assert local.read("f/a").size < len(WHOLE)
    assert local.put_if_absent("f/a", WHOLE) is True
    assert local.read("f/a").to_pybytes() == WHOLE


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        FullStorage(tmp_path, 2, errno.EIO).put("a", b"1")
    assert LocalStorage(tmp_path).list(TEMPORARY) == []


class LossyStorage(LocalStorage):
    """A disk that loses the last byte of a file and says nothing."""

    def fsync(self, descriptor: int) -> None:
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode):
            os.ftruncate(descriptor, state.st_size - 1)


@pytest.mark.parametrize("verb", PUTS)
def test_a_write_that_silently_falls_short_is_refused(tmp_path: Path, verb: str) -> None:
    storage = LossyStorage(tmp_path)
    with pytest.raises(StoreError, match=r"5 bytes were written, and the disk has 4 of them"):
        getattr(storage, verb)("f/a", b"first")
    assert storage.list("f") == []
    assert storage.list(TEMPORARY) == []


def test_a_disk_with_neither_links_nor_locks_is_refused(local: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_links(monkeypatch, errno.ENOTSUP)

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(
        StoreError, match="this disk knows no hard links, and either no file locks or another process"
    ) as caught:
        local.put_if_absent("f/a", b"first")
    assert str(caught.value).startswith(local.location)
    assert local.list("f") == []
    assert local.list(TEMPORARY) == []
    (local.root / TEMPORARY / "left").write_bytes(b"")
    assert local.sweep() == []


def test_a_file_that_fails_while_it_is_put_leaves_nothing(local: LocalStorage) -> None:
    local.put("f", b"a file where a folder should be")
    with pytest.raises(OSError, match="f"):
        local.put("f/a", b"1")
    assert local.list(TEMPORARY) == []


def test_files_have_the_rights_that_the_user_asked_for(local: LocalStorage) -> None:
    mask = os.umask(0)
    os.umask(mask)
    local.put("a", b"1")
    local.put_if_absent("b", b"1")
    assert {stat.S_IMODE((local.root / name).stat().st_mode) for name in "ab"} == {0o666 & ~mask}


def test_a_mapped_file_keeps_its_bytes_when_it_is_replaced(local: LocalStorage) -> None:
    local.put("a", b"first")
    mapped = local.read("a")
    local.put("a", b"other")
    assert mapped.to_pybytes() == b"first"


def test_two_stores_in_memory_do_not_see_each_other() -> None:
    one, two = MemoryStorage(), MemoryStorage()
    one.put("a", b"1")
    assert two.list("") == []
    assert one.location != two.location


def test_storage_at_takes_paths_and_storages(tmp_path: Path) -> None:
    memory = MemoryStorage()
    assert open_storage(memory) is memory
    for place in (tmp_path, str(tmp_path)):
        made = open_storage(place)
        assert isinstance(made, LocalStorage)
        assert (made.root, made.location) == (tmp_path, str(tmp_path))


def test_a_url_is_refused_by_its_scheme() -> None:
    with pytest.raises(
        StoreMissingError, match=r"ftp://host/x: stores at ftp:// are not supported; give a folder.*file://, s3://"
    ):
        open_storage("ftp://host/x")


def test_a_url_is_opened_by_what_its_scheme_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_storage(f"file://{tmp_path}/a%20store")
    assert made.address == str(tmp_path / "a store")
    assert open_storage("s3://bucket/a store/").address == "s3://bucket/a store"
    bucket = RangeStorage()
    monkeypatch.setitem(SCHEMES, "objects", lambda url: bucket if url == "objects://bucket/x" else None)
    assert open_storage("objects://bucket/x") is bucket


def test_another_process_can_open_what_is_on_a_disk(local: LocalStorage) -> None:
    local.put("f/a", b"1")
    assert local.address is not None
    assert open_storage(local.address).read("f/a").to_pybytes() == b"1"
    assert MemoryStorage().address is None


def test_a_file_that_is_replaced_while_it_is_asked_whether_it_is_needed_stays(local: LocalStorage) -> None:
    local.put("f/a", b"first")

    def needed() -> bool:
        (local.root / "f/b").write_bytes(b"first")
        (local.root / "f/b").replace(local.root / "f/a")
        return False

    assert local.remove_dead("f/a", unless=needed) is False
    assert local.list("f") == ["a"]
    assert local.remove_dead("f/a", unless=lambda: True) is False
    assert local.remove_dead("f/a", unless=lambda: False) is True
    assert local.list("f") == []


@pytest.mark.parametrize(
    "place", ["file://reviews.store", "file://host/reviews.store", Path("s3://bucket/reviews.store")]
)
def test_a_url_that_is_not_whole_is_refused_and_nothing_is_made(tmp_path: Path, monkeypatch, place) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreMissingError, match="absolute path|as a text"):
        open_storage(place)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a store", "what?", "half#way"])
def test_a_file_url_is_the_folder_that_it_names(tmp_path: Path, name: str) -> None:
    for start in ("file://", "file://localhost"):
        open_storage(f"{start}{tmp_path}/{name.replace(' ', '%20')}").put("a", b"1")
    assert (tmp_path / name / "a").read_bytes() == b"1"
