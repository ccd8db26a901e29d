"""The folder of a training: what is refused, who holds it, and what a run that was killed leaves to go on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TrainingError
from engine.training.output.run_folder import DONE, RUN, WEIGHTS, RunFolder, flat_names
from store.storage import atomic_file

pytestmark = pytest.mark.durable

UNFINISHED = [f".{RUN}.{'0a' * 16}.tmp", f".{WEIGHTS}.{'f1' * 16}.tmp"]
ASKED = {"loop.seed": 0, "loop.learning_rate": 2e-4, "classes": ["negative", "positive"], "select": None}


def begun(path, asked=ASKED):
    folder = RunFolder(str(path))
    with folder.locked():
        folder.begin(asked)
    return folder


# what is in it


def test_a_folder_that_is_not_there_is_made_when_it_is_held(tmp_path):
    folder = RunFolder(str(tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()
    assert (folder.has_begun, folder.is_done) == (False, False)
    with folder.locked():
        assert (tmp_path / "a" / "b").is_dir()
        folder.check(ASKED)
        folder.begin(ASKED)
    assert json.loads((tmp_path / "a" / "b" / RUN).read_text()) == ASKED
    assert (folder.has_begun, folder.is_done) == (True, False)


def test_an_empty_folder_will_do(tmp_path):
    assert begun(tmp_path).has_begun


@pytest.mark.parametrize("name", ["notes.txt", DONE, "config.json", "model.safetensors", "checkpoints", ".hidden"])
def test_a_folder_with_something_else_in_it_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError) as refused:
        RunFolder(str(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path} is not empty, and no training was begun in it; name a new folder with --out"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TrainingError, match=r"/out is a file; name a folder with --out"):
        RunFolder(str(tmp_path / "out"))


@pytest.mark.parametrize(
    "left", [[], [".lock"], [f".{RUN}"], [WEIGHTS], [".lock", WEIGHTS, "weights.unfinished.npy"], UNFINISHED]
)
def test_a_run_that_was_killed_before_it_began_leaves_a_folder_to_begin_in(tmp_path, left):
    for name in left:
        (tmp_path / name).write_text("half")
    folder = begun(tmp_path)
    folder.check(ASKED)
    assert json.loads((tmp_path / RUN).read_text()) == ASKED
    assert not any(path.name in UNFINISHED for path in tmp_path.iterdir())


def test_a_run_that_has_begun_may_have_anything_beside_it(tmp_path):
    begun(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    shutil.copytree(tmp_path, tmp_path / "checkpoints")
    folder = RunFolder(str(tmp_path))
    assert (folder.has_begun, folder.is_done) == (True, False)
    (tmp_path / DONE).write_text("{}")
    assert folder.is_done


# what was asked


def test_what_was_asked_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Else a power cut could leave it empty, while the checkpoints that follow survive."""
    steps, replace = [], Path.replace

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        steps.append(f"sync {path.name}" if path.is_dir() else f"sync {path.stat().st_size} bytes")

    def rename(path, target):
        steps.append(f"rename to {target.name}")
        return replace(path, target)

    monkeypatch.setattr(atomic_file, "sync_files", True)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    begun(tmp_path)
    size = (tmp_path / RUN).stat().st_size
    assert steps == [f"sync {size} bytes", f"rename to {RUN}", f"sync {tmp_path.name}"]
    assert json.loads((tmp_path / RUN).read_text()) == ASKED


def test_what_was_asked_is_written_once(tmp_path):
    begun(tmp_path)
    begun(tmp_path, {**ASKED, "loop.seed": 7})
    assert json.loads((tmp_path / RUN).read_text()) == ASKED


def test_the_same_may_be_asked_again_also_in_another_order(tmp_path):
    folder = begun(tmp_path)
    folder.check(dict(reversed(ASKED.items())))
    folder.check({**ASKED, "classes": ("negative", "positive")})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loop.seed": 1}, "loop.seed was 0 and is 1"),
        ({"loop.learning_rate": 1e-3}, "loop.learning_rate was 0.0002 and is 0.001"),
        ({"select": "sure"}, "select was None and is 'sure'"),
        ({"classes": ["positive", "negative"]}, r"classes was \['negative', 'positive'\] and is \['positive', 'negative'\]"),
        ({"new": 3}, "new was None and is 3"),
        ({"gold_sha256": "1", "start_sha256": "2"}, "the labelled rows are others; the start's weights are others"),
        ({"loop.seed": 1, "classes": None}, r"classes was \[.*\] and is None; loop.seed was 0 and is 1"),
    ],
)  # fmt: skip
def test_other_settings_are_refused_with_both_values(tmp_path, changes, words):
    folder = begun(tmp_path)
    with pytest.raises(TrainingError, match=rf"holds a run that was begun with other settings: {words}\. Ask for the"):
        folder.check({**ASKED, **changes})
    folder.check(ASKED)


def test_a_setting_that_is_not_asked_any_more_is_refused(tmp_path):
    folder = begun(tmp_path)
    with pytest.raises(TrainingError, match=r"settings: loop\.seed was 0 and is None\."):
        folder.check({name: value for name, value in ASKED.items() if name != "loop.seed"})


@settings(max_examples=60, deadline=None)
@given(value=st.floats() | st.text() | st.integers() | st.none() | st.lists(st.floats(allow_nan=False), max_size=3))
def test_any_setting_is_equal_to_itself_when_a_run_goes_on(tmp_path_factory, value):
    """Not a number is no setting that a run could have."""
    path = tmp_path_factory.mktemp("run")
    folder = begun(path, {"value": value})
    if value == value:
        folder.check({"value": value})


@pytest.mark.parametrize("left", [b"", b'{"loop.seed": 0', b"[]\n", b"null\n", b"\xff\xff"])
def test_a_begun_run_whose_settings_are_damaged_is_refused_by_name(tmp_path, left):
    """As a machine may leave it that lost its power."""
    folder = begun(tmp_path)
    (tmp_path / RUN).write_bytes(left)
    with pytest.raises(TrainingError, match=rf"{tmp_path}/{RUN}"):
        folder.check(ASKED)


def test_settings_in_settings_have_flat_names():
    nested = {"loop": {"seed": 0, "more": {"deep": [1, {"x": 2}]}}, "select": None, "empty": {}}
    assert flat_names(nested) == {"loop.seed": 0, "loop.more.deep": [1, {"x": 2}], "select": None}


# who holds it


def test_a_folder_is_held_once(tmp_path):
    with RunFolder(str(tmp_path)).locked():
        other = RunFolder(str(tmp_path))
        with pytest.raises(TrainingError) as refused, other.locked():
            pass
    assert str(refused.value) == f"another run is active in {tmp_path}; wait for it, or end it"
    with other.locked():
        pass


HOLDER = (
    "import sys, time\n"
    "from engine.training.output.run_folder import RunFolder\n"
    "with RunFolder(sys.argv[1]).locked():\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


def test_a_folder_that_another_process_holds_is_refused_until_it_ends_or_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            folder = RunFolder(str(tmp_path))
            with pytest.raises(TrainingError, match=f"another run is active in {tmp_path}"), folder.locked():
                pass
        finally:
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait()
    with folder.locked():
        folder.begin(ASKED)
    assert folder.has_begun


def test_a_run_that_fails_lets_go_of_its_folder(tmp_path):
    folder = RunFolder(str(tmp_path))

    def fail():
        with folder.locked():
            raise TrainingError("no")

    with pytest.raises(TrainingError, match="no"):
        fail()
    with folder.locked():
        pass


def test_weights_beside_a_run_are_not_its_beginning(tmp_path):
    np.save(tmp_path / WEIGHTS, np.ones(3, np.float32))
    folder = RunFolder(str(tmp_path))
    assert not folder.has_begun
    folder.check({"anything": 1})
