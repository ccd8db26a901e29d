"""Names and paths that are not there: those that may be meant."""

from pathlib import Path

import pytest

from store.storage.near_paths import did_you_mean, followed, near_names
from store.storage.near_stores import near_stores


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("quee", ["queue", "Queue"]),
        ("QUEUE", ["queue", "Queue"]),
        ("Queue", ["Queue", "queue"]),
        ("lable", ["table", "label"]),
        ("x", []),
        ("", []),
    ],
)
def test_near_names(name: str, near: list[str]) -> None:
    assert near_names(name, ["queue", "Queue", "table", "label", "sql", "queue"]) == near


def test_so_many_near_names_as_are_asked_for() -> None:
    names = [f"teacher{number}" for number in range(9)]
    assert len(near_names("teacher", names)) == 3
    assert sorted(near_names("teacher", names, most=None)) == names
    assert near_names("teacher", [], most=None) == []


def test_the_words() -> None:
    assert did_you_mean([]) == ""
    assert did_you_mean(["a", "b"]) == " (did you mean 'a' or 'b'?)"


def test_folders_are_followed_as_far_as_they_are_there(tmp_path: Path) -> None:
    for name in ("data/tickets", "date/other", "b"):
        (tmp_path / name).mkdir(parents=True)
    assert followed(tmp_path / "data/tikets") == ([tmp_path / "data/tickets"], 0)
    assert followed(tmp_path / "dat") == ([tmp_path / "date", tmp_path / "data"], 0)
    assert followed(tmp_path / "data/nothing/more") == ([tmp_path / "data"], 2)


def test_stores_in_a_folder_that_is_misspelt_too(tmp_path: Path) -> None:
    for name in ("stores/tickets.store", "stores/tickts.store", "stores/other.store"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "store.json").touch()
    (tmp_path / "stores/tikets.store").mkdir()  # no store
    beside = tmp_path / "stores"
    for path in ("stores/tickets.stor", "stroes/tickets.store"):
        said = near_stores(str(tmp_path / path), header="store.json")
        assert said == f"; near it there are the stores {beside}/tickets.store, {beside}/tickts.store"
    assert near_stores(str(tmp_path / "stores/o.store"), header="store.json").endswith("other.store")
    assert near_stores(str(tmp_path / "nothing/like/it"), header="store.json") == ""
