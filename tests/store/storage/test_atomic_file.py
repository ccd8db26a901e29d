"""Files outside a store: whole or not at all, durable before they are seen, and no two writers on one temporary."""

import os
from pathlib import Path
from threading import Barrier, Thread

import pytest

from store.storage import LocalStorage, atomic_file
from store.storage.atomic_file import is_unfinished, remove_unfinished, replaced, write_file
from store.storage.file_hash import sha256_of

pytestmark = pytest.mark.durable


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order: syncs of files and folders, and renames."""
    seen: list[str] = []
    replace = Path.replace

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        seen.append(f"sync folder {path.name}" if path.is_dir() else "sync file")

    def rename(path: Path, target: Path) -> Path:
        seen.append(f"rename to {target.name}")
        return replace(path, target)

    monkeypatch.setattr(atomic_file, "sync_files", True)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    return seen


@pytest.mark.parametrize("data", [b"\x00\xff", "naïve 👍", b"", ""])
def test_what_is_written_is_there_and_alone(tmp_path: Path, data: bytes | str) -> None:
    for _ in range(2):
        write_file(tmp_path / "a.json", data)
        assert (tmp_path / "a.json").read_bytes() == (data.encode() if isinstance(data, str) else data)
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_file_is_on_the_disk_before_its_name_and_its_name_before_it_returns(
    tmp_path: Path, steps: list[str]
) -> None:
    write_file(tmp_path / "a", b"1")
    assert steps == ["sync file", "rename to a", f"sync folder {tmp_path.name}"]


def test_the_switch_turns_every_wait_off(tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_file, "sync_files", False)
    write_file(tmp_path / "a", b"1")
    LocalStorage(tmp_path / "s").put("f/a", b"1")
    LocalStorage(tmp_path / "s").put_if_absent("f/b", b"1")
    assert [step for step in steps if "sync" in step] == []
    monkeypatch.setattr(atomic_file, "sync_files", True)
    LocalStorage(tmp_path / "s").put("f/a", b"1")
    assert "sync file" in steps


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    write_file(tmp_path / "a", b"first")

    def fail() -> None:
        with replaced(tmp_path / "a") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    both = Barrier(2)

    def write(data: bytes) -> None:
        with replaced(tmp_path / "a") as temporary, temporary.open("xb") as file:
            file.write(data[:500])
            both.wait()
            file.write(data[500:])
            both.wait()

    threads = [Thread(target=write, args=(bytes([number]) * 1000,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_bytes() in (b"\x01" * 1000, b"\x02" * 1000)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_writer_left_is_known_and_removed(tmp_path: Path) -> None:
    kept = ["a", ".a.tmp", "a.00.tmp", f"a.{'0' * 32}.tmp"]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    writer = replaced(tmp_path / "a")
    left = writer.__enter__()
    left.write_bytes(b"half")
    assert is_unfinished(left.name)
    assert not any(map(is_unfinished, kept))
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert sha256_of(tmp_path / "a") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
