"""A place for a new store."""

from pathlib import Path

import pytest
from store_factory import write_header

from store.errors import StoreExistsError
from store.format.header import check_free
from store.storage import LocalStorage


def test_a_place_that_is_new_empty_or_of_a_run_that_was_stopped_is_free(tmp_path: Path) -> None:
    check_free(LocalStorage(tmp_path / "new"))
    check_free(LocalStorage(tmp_path))
    for name in ("tmp", "runs", "rejects"):
        (tmp_path / name).mkdir()
    (tmp_path / ".DS_Store").touch()
    check_free(LocalStorage(tmp_path))


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv", "photos/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(StoreExistsError) as refused:
        check_free(LocalStorage(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path} is no store, and not empty: it has a.csv, b.csv, c.csv, …; name a folder that is new or empty"
    )


def test_a_store_that_another_run_has_just_made_is_not_refused(tmp_path: Path) -> None:
    check_free(write_header(LocalStorage(tmp_path / "s"), rows=5).storage)
