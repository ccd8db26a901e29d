"""``engine label NEW --store S --append`` as a user runs it, and what the other commands say of such a store."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from faults import snapshot
from safetensors.torch import load_file
from store_factory import calibration_at
from tiny_models import save, texts

import engine
import store
from cli.main import run
from engine.errors import NewFilesError
from engine.training.loop import LoopConfig
from store.errors import MismatchError
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration
from store.storage import LocalStorage

ROWS, MORE = 80, 30


def write_csv(path: Path, rows: int, *, seed: int, ids: str) -> str:
    lines = [f"{ids}{row},{text}" for row, text in enumerate(texts(rows, words=(3, 8), seed=seed))]
    path.write_text("\n".join(["id,text", *lines, ""]))
    return str(path)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("models") / "teacher")


@pytest.fixture
def first(tmp_path: Path) -> str:
    return write_csv(tmp_path / "first.csv", ROWS, seed=1, ids="a")


@pytest.fixture
def more(tmp_path: Path) -> str:
    return write_csv(tmp_path / "more.csv", MORE, seed=2, ids="b")


@pytest.fixture
def place(tmp_path: Path, teacher: str, first: str) -> str:
    assert label(str(tmp_path / "s.store"), teacher, first, "--shards", "3") == 0
    return str(tmp_path / "s.store")


def label(place: str, teacher: str, *arguments: str) -> int:
    return run(["label", "--store", place, "--teacher", teacher, "--devices", "cpu", *arguments])


def test_new_files_are_appended_and_labelled(place: str, teacher: str, first: str, more: str, capsys) -> None:
    before = snapshot(LocalStorage(place))
    assert label(place, teacher, more, "--append", "--shards", "2") == 0
    said = capsys.readouterr()
    assert f"appended {MORE} rows: rows {ROWS} to {ROWS + MORE - 1}, which are segment 1" in said.err
    summary = json.loads(said.out.splitlines()[-1])
    assert (summary["rows"], summary["rows_done"], summary["shards"]) == (ROWS + MORE, MORE, 5)
    now = snapshot(LocalStorage(place))
    assert before.items() <= now.items()
    assert label(place, teacher, first, more, "--append") == 0
    assert "nothing is appended" in capsys.readouterr().err
    assert label(place, teacher, more, "--shards", "2") == 0
    assert label(place, teacher, "--shards", "3") == 0
    assert label(place, teacher) == 0
    assert snapshot(LocalStorage(place)) == now
    assert run(["verify", place]) == 0
    capsys.readouterr()
    assert run(["info", place, "--format", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["format_version"], told["rows"], told["shards"]) == (2, ROWS + MORE, 5)
    assert [entry["path"] for entry in told["inputs"]] == [first, more]
    assert [(one["segment"], one["first_row"], one["rows"], one["files"]) for one in told["appended"]] == [
        (1, ROWS, MORE, [more])
    ]
    assert label(place, teacher, more, "--shards", "3") == 1
    assert "has 5 shards, and --shards is 3" in capsys.readouterr().err


def test_rows_that_are_there_are_refused_and_the_exit_code_says_so(place: str, teacher: str, tmp_path, capsys) -> None:
    file = tmp_path / "both.csv"
    file.write_text("id,text\na3,the food was good\nnew,the room was bad\n")
    assert label(place, teacher, str(file), "--append") == 3
    assert "refused 1 row: id is that of a row that is in the store already" in capsys.readouterr().err
    assert run(["sql", place, "SELECT reason, count(*) AS rows FROM rejects GROUP BY 1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"reason": "id is that of a row that is in the store already", "rows": 1}


def test_without_a_terminal_new_files_are_refused_with_the_way(place, teacher, more, first, capsys, tmp_path) -> None:
    before = snapshot(LocalStorage(place))
    assert label(place, teacher, more) == 1
    said = capsys.readouterr().err
    assert f"{more} is no input of {place} yet: --append adds the rows to it" in said
    Path(first).write_text(Path(first).read_text() + "a999,the pool was great\n")
    assert label(place, teacher, first) == 1
    assert "has changed since" in (said := capsys.readouterr().err)
    assert "if its rows are new ones, append them with --append" in said
    assert snapshot(LocalStorage(place)) == before
    assert label(place, teacher, first, "--append") == 3
    assert store.open(place).layout.rows == ROWS + 1


@pytest.mark.parametrize(("answer", "code", "rows"), [("y", 0, ROWS + MORE), ("n", 1, ROWS), ("", 1, ROWS)])
def test_on_a_terminal_it_is_asked(place: str, teacher: str, more: str, answer: str, code: int, rows: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", "label", more, "--store", place, "--teacher", teacher, "--devices", "cpu"]
    with subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL) as child:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        said = b""
        while True:
            try:
                said += (piece := os.read(ours, 1000))
            except OSError:  # the terminal is closed: the process has ended
                break
            if not piece:
                break
    os.close(ours)
    assert child.returncode == code
    assert f"append 1 new file ({more}) to {place}? [y/N]:" in said.decode()
    assert store.open(place).layout.rows == rows


def test_the_python_door_does_the_same(place: str, teacher: str, more: str) -> None:
    config = {"store": place, "teacher": teacher, "inputs": (more,), "devices": ("cpu",)}
    with pytest.raises(NewFilesError) as raised:
        engine.label(engine.LabelConfig(**config))
    assert raised.value.files == [more]
    summary = engine.label(engine.LabelConfig(**config, append=True))
    assert (summary.rows, summary.shards_done) == (ROWS + MORE, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "title"], "has no column|there is no column 'title'"),
        (["--classes", "good,bad"], "has the classes negative, positive, and --classes is good, bad"),
        (["--on-bad-row", "fail"], "id is that of a row that is in the store already"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_appended(
    place: str, teacher: str, tmp_path: Path, arguments: list[str], message: str, capsys
) -> None:
    before = snapshot(LocalStorage(place))
    file = tmp_path / "both.csv"
    file.write_text("id,text\na3,the food was good\nnew,the room was bad\n")
    assert label(place, teacher, str(file), "--append", *arguments) == 1
    said = capsys.readouterr().err
    assert any(part in said for part in message.split("|"))
    assert snapshot(LocalStorage(place)) == before


def test_to_append_needs_files(place: str, teacher: str, capsys) -> None:
    assert label(place, teacher, "--append") == 1
    assert "--append adds the rows of input files to a store; name the files" in capsys.readouterr().err


def test_to_append_to_a_store_that_is_misspelt_makes_none(place: str, teacher: str, more: str, capsys) -> None:
    misspelt = Path(place).with_name(Path(place).name[:-1] + "x")
    assert label(str(misspelt), teacher, more, "--append") == 1
    assert (
        f"is no store, and --append adds to one; near it there is the store {place}. Correct" in capsys.readouterr().err
    )
    assert not misspelt.exists()
    assert label(str(misspelt), teacher) == 1
    assert f"is no store yet; near it there is the store {place}; name the files" in capsys.readouterr().err
    assert run(["info", str(misspelt)]) == 1
    assert f"it has no store.json; near it there is the store {place}." in capsys.readouterr().err


def test_selections_and_calibrations_say_that_they_were_made_before(place, teacher, more, capsys) -> None:
    add_calibration(store.open(place), calibration_at(1.5, label_set="teacher", made=store.open(place)))
    assert run(["select", place, "sure", "--where", "confidence > 0.6"]) == 0
    assert label(place, teacher, more, "--append") == 0
    capsys.readouterr()
    assert run(["select", place, "--show", "sure"]) == 0
    said = capsys.readouterr()
    note = f"made before rows {ROWS} to {ROWS + MORE - 1} were appended, and knows nothing of them"
    assert f"the selection 'sure' was {note}" in said.err
    assert json.loads(said.out)["rows"] == ROWS
    assert run(["--quiet", "select", place, "--show", "sure"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["select", place, "--list"]) == 0
    assert json.loads(capsys.readouterr().out)["sources_ok"] is True
    labels = np.zeros(20, np.int16)
    add_round(store.open(place), Labelled(rows=np.arange(20), labels=labels, sources=["me"] * 20))
    assert run(["audit", place, "calibrated"]) == 0
    assert f"calibration 1 was {note}" in capsys.readouterr().err
    assert run(["select", place, "of-now", "--where", "confidence > 0.6"]) == 0
    assert json.loads(capsys.readouterr().out)["of"] == ROWS + MORE


class Stop(Exception):
    """As a kill would, but one that a test survives."""


def student(place: str, teacher: str, out: Path, *, stop: int | None = None, **changes):
    def tick(what: str, done: int, _total: int | None) -> None:
        if what.startswith("training") and done == stop:
            raise Stop

    loop = LoopConfig(epochs=1, batch_size=16, learning_rate=1e-3)
    saving = engine.SavingConfig(every_steps=1)
    config = engine.DistillConfig(store=place, student=teacher, out=str(out), loop=loop, saving=saving, **changes)
    return engine.train(config, tick=tick)


def test_a_training_that_was_begun_before_goes_on_without_what_came_since(
    place: str, teacher: str, more: str, tmp_path: Path, capsys
) -> None:
    assert run(["select", place, "some", "--where", "row % 2 = 0"]) == 0
    chosen = {"select": "some", "weight": "confidence"}
    student(place, teacher, tmp_path / "whole")
    student(place, teacher, tmp_path / "chosen", **chosen)
    for out, changes in (("stopped", {}), ("chosen-stopped", chosen)):
        with pytest.raises(Stop):
            student(place, teacher, tmp_path / out, stop=2, **changes)
    assert label(place, teacher, more, "--append") == 0
    trained = student(place, teacher, tmp_path / "stopped")
    assert trained.rows == ROWS
    assert f"was begun before rows {ROWS} to {ROWS + MORE - 1} were appended to {place}" in capsys.readouterr().err
    student(place, teacher, tmp_path / "chosen-stopped", **chosen)
    for one, other in (("whole", "stopped"), ("chosen", "chosen-stopped")):
        ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in (one, other))
        assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert student(place, teacher, tmp_path / "whole").rows == ROWS  # it is done
    assert student(place, teacher, tmp_path / "all").rows == ROWS + MORE


def test_a_new_training_needs_the_labels_of_all_rows(place: str, teacher: str, more: str, tmp_path: Path) -> None:
    from engine.errors import TrainingError

    assert label(place, teacher, more, "--append", "--name", "other") == 0
    with pytest.raises(
        TrainingError, match=r"labels/teacher lacks 1 of 4 shards .*; `engine label --store .*` finishes it"
    ):
        student(place, teacher, tmp_path / "out", labels="teacher")
    assert label(place, teacher) == 0
    assert student(place, teacher, tmp_path / "out", labels=("teacher", "other")).rows == ROWS + MORE


def test_a_teacher_of_other_classes_is_refused(place: str, more: str, tmp_path: Path) -> None:
    other = save(tmp_path / "other", names=("bad", "good"))
    with pytest.raises(MismatchError, match="has the classes bad, good"):
        engine.label(engine.LabelConfig(store=place, teacher=other, inputs=(more,), append=True, devices=("cpu",)))
