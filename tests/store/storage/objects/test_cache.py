"""Fetched files are kept, whole or not at all, for every process, within a limit; and what goes wrong costs speed alone."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.errors import StoreError
from store.storage.objects.cache import FOLDER, GIGABYTES, OtherBytesError, ReadCache, cache_of_user

DATA = b"logits " * 1_000


def digits_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Source:
    """Gives ``data`` in two pieces, and counts how often it is asked."""

    def __init__(self, data: bytes, *, seconds: float = 0.0) -> None:
        self.data, self.seconds, self.asked = data, seconds, 0

    def __call__(self) -> Iterator[memoryview]:
        self.asked += 1
        time.sleep(self.seconds)
        yield memoryview(self.data[:100])
        yield memoryview(self.data[100:])


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("??/*") if not path.name.startswith(".lock"))


def test_a_file_is_fetched_once_and_other_caches_of_the_folder_have_it_too(tmp_path: Path) -> None:
    source = Source(DATA)
    for cache in (ReadCache(tmp_path / "c", limit=10**6), ReadCache(tmp_path / "c", limit=10**6)):
        for _ in range(2):
            assert cache.read(digits_of(DATA), source).to_pybytes() == DATA
    assert source.asked == 1
    assert kept(tmp_path / "c") == [digits_of(DATA)]
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0, "texts are their user's own"


@pytest.mark.parametrize("damage", [b"", DATA[:50], b"x" + DATA[1:], DATA + b"x"])
@pytest.mark.parametrize("is_same_process", [True, False])
def test_a_damaged_file_is_fetched_again(tmp_path: Path, damage: bytes, is_same_process: bool) -> None:
    source, cache = Source(DATA), ReadCache(tmp_path, limit=10**6)
    cache.read(digits_of(DATA), source)
    (path,) = tmp_path.glob("??/[!.]*")
    path.write_bytes(damage)
    cache = cache if is_same_process else ReadCache(tmp_path, limit=10**6)
    assert cache.read(digits_of(DATA), source).to_pybytes() == DATA
    assert source.asked == 2
    assert path.read_bytes() == DATA


def test_bytes_of_another_hash_are_refused_and_not_kept(tmp_path: Path) -> None:
    for limit in (10**6, 0):
        with pytest.raises(OtherBytesError, match=f"its name says {digits_of(DATA)}"):
            ReadCache(tmp_path, limit=limit).read(digits_of(DATA), Source(b"other" * 100))
    assert kept(tmp_path) == []


def test_a_fetch_that_fails_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    def broken() -> Iterator[memoryview]:
        yield memoryview(b"begin")
        raise StoreError("the server is gone")

    cache = ReadCache(tmp_path, limit=10**6)
    with pytest.raises(StoreError, match="the server is gone"):
        cache.read(digits_of(DATA), broken)
    assert kept(tmp_path) == []
    assert cache.read(digits_of(DATA), Source(DATA)).to_pybytes() == DATA


def test_of_many_threads_one_fetches(tmp_path: Path) -> None:
    source = Source(DATA, seconds=0.05)
    caches = [ReadCache(tmp_path, limit=10**6) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: caches[number % 2].read(digits_of(DATA), source).to_pybytes(), range(8)))
    assert found == [DATA] * 8
    assert source.asked == 1


def test_the_files_that_were_not_read_for_longest_go(tmp_path: Path) -> None:
    files = [bytes([number]) * 10_000 for number in range(8)]
    cache = ReadCache(tmp_path, limit=50_000)
    for number, data in enumerate(files[:5]):
        cache.read(digits_of(data), Source(data))
        (path,) = tmp_path.glob(f"??/{digits_of(data)}")
        os.utime(path, ns=(number * 10**9, path.stat().st_mtime_ns))
    first = cache.read(digits_of(files[0]), Source(files[0]))
    again = ReadCache(tmp_path, limit=50_000)
    again.read(digits_of(files[0]), Source(b"not asked"))  # it is read now: another one is the oldest
    again.read(digits_of(files[5]), Source(files[5]))
    assert set(kept(tmp_path)) == {digits_of(files[number]) for number in (0, 3, 4, 5)}
    for data in files[6:]:
        again.read(digits_of(data), Source(data))
    assert sum(path.stat().st_size for path in tmp_path.glob("??/[!.]*")) <= 50_000
    assert first.to_pybytes() == files[0], "what was opened stays readable"


def test_what_killed_writers_left_goes(tmp_path: Path) -> None:
    cache = ReadCache(tmp_path, limit=10**6)
    cache.read(digits_of(DATA), Source(DATA))
    (path,) = tmp_path.glob("??/[!.]*")
    old, new = (path.with_name(f".{path.name}.{digit * 32}") for digit in "01")
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    ReadCache(tmp_path, limit=10**6).read(digits_of(b"1" * 200), Source(b"1" * 200))
    assert (old.exists(), new.exists(), path.exists()) == (False, True, True)


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    names = ["letter.txt", "ab/letter.txt", "ab/.hidden", "letters/0123456789abcdef", "ab/0123456789abcdef.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 9_000)
        os.utime(tmp_path / name, (0, 0))
    cache = ReadCache(tmp_path, limit=10_000)
    for number in range(3):
        data = bytes([number]) * 8_000
        cache.read(digits_of(data), Source(data))
    assert all((tmp_path / name).stat().st_size == 9_000 for name in names)
    assert len(list(tmp_path.glob("??/????????????????"))) == 1


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    source, cache = Source(DATA), ReadCache(tmp_path / "c", limit=0)
    for _ in range(2):
        assert cache.read(digits_of(DATA), source).to_pybytes() == DATA
    assert source.asked == 2
    assert not (tmp_path / "c").exists()


def test_where_nothing_can_be_kept_it_is_said_once_and_read_all_the_same(tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    source, cache = Source(DATA), ReadCache(tmp_path / "file", limit=10**6)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert cache.read(digits_of(DATA), source).to_pybytes() == DATA
    assert source.asked == 3
    (said,) = caplog.messages
    assert str(tmp_path / "file") in said
    assert FOLDER in said


def test_the_environment_says_where_and_how_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(DATA)
    monkeypatch.delenv(GIGABYTES, raising=False)
    for name, value, folder in (
        (FOLDER, str(tmp_path / "named"), tmp_path / "named"),
        ("XDG_CACHE_HOME", str(tmp_path / "xdg"), tmp_path / "xdg" / "softlabel-engine"),
        ("HOME", str(tmp_path / "home"), tmp_path / "home" / ".cache" / "softlabel-engine"),
    ):
        with monkeypatch.context() as context:
            for other in (FOLDER, "XDG_CACHE_HOME"):
                context.delenv(other, raising=False)
            context.setenv(name, value)
            cache_of_user().read(digits_of(DATA), source)
            assert kept(folder) == [digits_of(DATA)]
            context.setenv(GIGABYTES, "0")
            cache_of_user().read(digits_of(DATA), source)
    assert source.asked == 6
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(GIGABYTES, wrong)
        with pytest.raises(StoreError, match=f"{GIGABYTES} is '{wrong}'; it is a number of gigabytes"):
            cache_of_user()


@pytest.mark.parametrize("whose", ["another user", "everybody"])
def test_a_folder_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, whose: str
) -> None:
    """Else they could read the texts there, or remove what is kept."""
    folder = tmp_path / "c"
    folder.mkdir(mode=0o700)
    if whose == "everybody":
        folder.chmod(0o777)
    else:
        monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    source, cache = Source(DATA), ReadCache(folder, limit=10**6)
    for _ in range(2):
        assert cache.read(digits_of(DATA), source).to_pybytes() == DATA
    assert source.asked == 2
    assert list(folder.iterdir()) == []
    (said,) = caplog.messages
    reason = "others may write there; chmod 700 it" if whose == "everybody" else "it is another user's"
    assert said.startswith(f"{folder} cannot be used ({reason})")
    monkeypatch.undo()
    folder.chmod(0o700)
    ReadCache(folder, limit=10**6).read(digits_of(DATA), source)
    assert kept(folder) == [digits_of(DATA)]


def test_without_a_home_each_user_has_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    for name in (FOLDER, GIGABYTES, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache_of_user().read(digits_of(DATA), Source(DATA))
    assert kept(tmp_path / f"softlabel-engine-{os.getuid()}") == [digits_of(DATA)]
