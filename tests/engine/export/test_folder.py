"""The folder of an export: whole or not at all, resumed with the same bytes, and never written over what is there."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import store_factory

from engine.errors import InputError
from engine.export import export as module
from engine.export.config import FORMATS, ExportConfig, Exported
from engine.export.export import export_store
from engine.export.folder import work_of_export
from engine.inputs.paths.file_kinds import EXPORT_CARD
from store import Store
from store.storage.atomic_file import is_unfinished

ROWS = 60


class Stop(BaseException):
    """As Ctrl-C."""


@pytest.fixture(scope="module")
def made() -> Store:
    return store_factory.make_store(rows=ROWS)


def export(made: Store, out: Path, format_: str = "parquet", **options: Any) -> Exported:
    tick = options.pop("tick", lambda *_: None)
    options.setdefault("rows_per_file", 20)
    return export_store(ExportConfig(store=made.storage, out=str(out), format=format_, **options), tick=tick)


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stopping_behind(files: int) -> Any:
    def tick(_what: str, done: int, _total: int | None) -> None:
        if done == files * 20:
            raise Stop

    return tick


@pytest.mark.parametrize("format_", FORMATS)
def test_a_run_that_was_stopped_goes_on_with_the_same_bytes(made: Store, tmp_path: Path, format_: str) -> None:
    export(made, tmp_path / "whole", format_)
    for files in (1, 2, 3):
        with pytest.raises(Stop):
            export(made, tmp_path / "out", format_, tick=stopping_behind(files))
        assert not (tmp_path / "out").exists()
    exported = export(made, tmp_path / "out", format_)
    assert exported.written == 0
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out"}


def test_a_file_that_was_being_written_is_written_again(
    made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill leaves the beginning of a file under another name."""
    work = tmp_path / "out.exporting"
    with pytest.raises(Stop):
        export(made, tmp_path / "out", tick=stopping_behind(1))
    left = work / "files" / f".rows-00001-of-00003.parquet.{'0' * 32}.tmp"
    left.write_bytes(b"half")
    assert is_unfinished(left.name)
    assert export(made, tmp_path / "out").written == 2
    assert sorted(hashes(tmp_path / "out")) == [EXPORT_CARD, *(f"rows-0000{n}-of-00003.parquet" for n in range(3))]


def test_another_choice_begins_anew(made: Store, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        export(made, tmp_path / "out", tick=stopping_behind(2))
    assert export(made, tmp_path / "out", rows_per_file=30).written == 2
    assert len(hashes(tmp_path / "out")) == 3


def test_the_same_export_again_changes_nothing(made: Store, tmp_path: Path) -> None:
    first = export(made, tmp_path / "out")
    before = hashes(tmp_path / "out")
    again = export(made, tmp_path / "out")
    assert (first.written, again.written) == (3, 0)
    assert (again.rows, again.files, again.bytes) == (first.rows, first.files, first.bytes)
    assert hashes(tmp_path / "out") == before


def test_another_export_at_the_place_is_refused_by_what_is_other(made: Store, tmp_path: Path) -> None:
    export(made, tmp_path / "out")
    before = hashes(tmp_path / "out")
    with pytest.raises(InputError, match="out is another export, with other format and rows_per_file; name another"):
        export(made, tmp_path / "out", "webdataset", rows_per_file=7)
    grown = store_factory.make_store(rows=ROWS + 1)
    with pytest.raises(InputError, match="with other rows and corpus and gold and labels"):
        export(grown, tmp_path / "out")
    assert hashes(tmp_path / "out") == before


def test_what_is_no_export_is_never_touched(made: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "folder", "link"):
        with pytest.raises(InputError, match=f"{name} is there already, and no export; name another folder with --out"):
            export(made, tmp_path / name)
    assert hashes(tmp_path / "folder").keys() == {"a.txt"}
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder", "link"}


def test_an_empty_folder_is_taken(made: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert export(made, tmp_path / "out").written == 3


def test_what_came_to_the_place_meanwhile_stays(made: Store, tmp_path: Path) -> None:
    def tick(_what: str, done: int, _total: int | None) -> None:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine").write_text("mine")

    with pytest.raises(InputError, match="came into being meanwhile"):
        export(made, tmp_path / "out", tick=tick)
    assert hashes(tmp_path / "out").keys() == {"mine"}


def test_two_at_once(made: Store, tmp_path: Path) -> None:
    with work_of_export(tmp_path / "out"), pytest.raises(InputError, match="another run is making .*out: wait for it"):
        export(made, tmp_path / "out")
    assert export(made, tmp_path / "out").written == 3


def test_a_full_disk_leaves_what_was_done(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = module.write_parquet, []

    def full(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(module, "write_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        export(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "out.exporting" / "files").iterdir()] == ["rows-00000-of-00003.parquet"]
    assert export(made, tmp_path / "out").written == 2


def test_a_place_that_cannot_be_made_is_named(made: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/out cannot be written"):
        export(made, tmp_path / "file" / "out")


def test_the_card_has_the_hash_of_every_file(made: Store, tmp_path: Path) -> None:
    export(made, tmp_path / "out", "webdataset")
    card = json.loads((tmp_path / "out" / EXPORT_CARD).read_text())
    found = hashes(tmp_path / "out")
    assert {file["file"]: file["sha256"] for file in card["files"]} == {
        name: sha256 for name, sha256 in found.items() if name != EXPORT_CARD
    }
    assert [file["rows"] for file in card["files"]] == [20, 20, 20]
    assert card["label_sets"]["bert"]["card"]["model"] == "test/bert"


def test_an_export_as_parquet_loads_no_torch() -> None:
    code = "import sys, engine.export.export\nassert not {'torch', 'transformers', 'webdataset', 'duckdb'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
