"""The five verbs, on every kind of storage, and what a local disk must keep besides."""

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from store.errors import StoreMissingError
from store.storage import TEMPORARY, LocalStorage, MemoryStorage, Storage, storage_at


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "deep" / "a.store") if request.param == "local" else MemoryStorage()


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


def test_arrow_files_are_those_that_were_put(storage: Storage) -> None:
    storage.put("f/a", b"one")
    storage.put("f/b", b"two")
    filesystem, paths = storage.arrow_files(["f/b", "f/a"])
    read = []
    for path in paths:
        with filesystem.open_input_file(path) as file:
            read.append(file.read())
    assert read == [b"two", b"one"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_without_hard_links_creation_is_exclusive_too(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse_links(monkeypatch, number)
    assert local.put_if_absent("f/a", b"first") is True
    assert local.put_if_absent("f/a", b"second") is False
    assert local.read("f/a").to_pybytes() == b"first"


def test_a_full_disk_is_an_error_and_not_a_reason_to_do_without_links(
    local: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        local.put_if_absent("f/a", b"first")
    assert local.list("f") == []
    assert local.list(TEMPORARY) == []


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
    assert storage_at(memory) is memory
    for place in (tmp_path, str(tmp_path)):
        made = storage_at(place)
        assert isinstance(made, LocalStorage)
        assert (made.root, made.location) == (tmp_path, str(tmp_path))


def test_a_url_is_refused_by_its_scheme() -> None:
    with pytest.raises(StoreMissingError, match=r"s3://bucket/x: stores at s3:// are not supported; give a folder"):
        storage_at("s3://bucket/x")
