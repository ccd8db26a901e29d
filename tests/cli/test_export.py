"""`engine export`: what a user says and sees, and what comes back in by other commands."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import store_factory

import store
from cli.main import DAMAGED, ERROR, OK, USAGE, run
from store import Store
from store.storage import LocalStorage


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "reviews.store"
    made = store_factory.make_store(LocalStorage(folder), rows=90, labels=())
    store_factory.add_labels(made, "bert", failed=[4])
    made.label_set("bert").seal()
    made.select("first", where="row < 10")
    return folder


def export(place: Path, out: Path, format_: str, *options: str) -> int:
    return run(["export", str(place), "--to", format_, "--out", str(out), *options])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_summary_says_what_was_written(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(place, tmp_path / "out", "parquet", "--split", "train=0.5,test=0.5", "--rows-per-file", "30") == OK
    summary = printed(capsys)
    assert summary["out"] == str(tmp_path / "out")
    assert (summary["rows"], summary["failed"], summary["left_out"]) == (90, 1, 0)
    assert sum(summary["splits"].values()) == 90
    assert export(place, tmp_path / "out", "parquet", "--split", "train=0.5,test=0.5", "--rows-per-file", "30") == OK
    captured = capsys.readouterr()
    assert json.loads(captured.out)["written"] == 0
    assert "is there already, of the same store and choice; nothing was written" in captured.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "train"], "'train' is not NAME=SHARE or NAME=SELECTION"),
        (["--split", "a=0.5,a=0.5"], "has the split 'a' twice"),
        (["--rows-per-file", "0"], "rows-per-file"),
    ],
)
def test_options_that_are_none_are_usage_errors(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert export(place, tmp_path / "out", "parquet", *options) == USAGE
    assert message in capsys.readouterr().err


def test_errors_have_their_exit_codes(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(tmp_path / "none", tmp_path / "out", "parquet") == ERROR
    assert export(place, tmp_path / "out", "parquet", "--push", "me/x") == ERROR
    assert export(place, tmp_path / "out", "csv") == USAGE
    damaged = tmp_path / "damaged"
    made = store_factory.make_store(LocalStorage(damaged))
    store_factory.flip_bit(made.storage, f"labels/bert/{made.label_set('bert').records()[0].file}", 900)
    assert export(damaged, tmp_path / "out", "hf") == DAMAGED
    assert not (tmp_path / "out").exists()


# --- round trips


def truth(place: Path) -> Store:
    return store.open(place)


def same_texts(one: Store, other: Store) -> bool:
    query = "SELECT id, text, class, stars FROM corpus ORDER BY row"
    return bool(one.sql(query).equals(other.sql(query)))


@pytest.mark.parametrize("format_", ["parquet", "webdataset", "hf"])
def test_texts_ids_and_gold_come_back_in_by_label(
    place: Path, tmp_path: Path, format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.ingest.ingest import IngestConfig, ingest

    assert export(place, tmp_path / "out", format_, "--rows-per-file", "40") == OK
    back = ingest(
        LocalStorage(tmp_path / "back"), IngestConfig(files=(str(tmp_path / "out"),)), known=store_factory.CLASSES
    )
    assert same_texts(back, truth(place))
    assert back.header.rejected == 0


def test_labels_come_back_in_by_from(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(place, tmp_path / "out", "parquet") == OK
    other = tmp_path / "other"
    made = store_factory.make_store(LocalStorage(other), rows=90, labels=())
    assert run(["label", "--store", str(other), "--name", "copy", "--from", str(tmp_path / "out")]) == 3
    query = "SELECT row, prediction FROM labels ORDER BY row"
    assert store.open(made.storage).sql(query).equals(truth(place).sql(query))
    logits = "SELECT list_transform(logits, lambda l: l - list_max(logits)) AS l FROM labels WHERE failure IS NULL ORDER BY row"
    found, expected = (
        np.array(one.sql(logits).column(0).to_pylist()) for one in (store.open(made.storage), truth(place))
    )
    np.testing.assert_allclose(found, expected, rtol=2**-11)  # such a label set has them less the largest of each row


def test_an_export_of_a_selection_is_appended_nowhere(place: Path, tmp_path: Path) -> None:
    assert export(place, tmp_path / "out", "parquet", "--select", "first") == OK
    assert pq.read_table(tmp_path / "out").num_rows == 10


# --- stopped


def test_a_signal_leaves_nothing_at_the_place_and_the_same_command_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "store"
    store_factory.make_store(store_factory.NoWaitStorage(place), rows=2000)
    command = [sys.executable, "-m", "cli", "export", str(place), "--to", "parquet", "--out", str(tmp_path / "out")]
    command += ["--rows-per-file", "8"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    files = tmp_path / "out.exporting" / "files"
    while child.poll() is None and not (files.is_dir() and any(files.iterdir())):
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGINT, said
    assert "Run the same command again to go on" in said
    assert not (tmp_path / "out").exists()
    assert export(place, tmp_path / "out", "parquet", "--rows-per-file", "8") == OK
    assert pq.read_table(tmp_path / "out").num_rows == 2000
    assert not files.exists()
