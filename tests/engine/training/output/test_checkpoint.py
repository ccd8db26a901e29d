"""Checkpoints: exact, there whole or not at all, and passed over where they are damaged, however that came about."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from faults import Killed
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.training.output.checkpoint import MODEL, OPTIMIZER, STATE, Checkpoint, Checkpoints, model_tensors

pytestmark = pytest.mark.durable

MOMENTS = [MODEL, OPTIMIZER, STATE, "rename", "prune"]
UNSEEN, SEEN = MOMENTS[:4], MOMENTS[4:]
"""Moments of a write before and after its checkpoint is there."""


def checkpoint(step: int) -> Checkpoint:
    """One that no other step has, small and of several types."""
    generator = torch.Generator().manual_seed(step)
    model = {
        "a.weight": torch.randn(3, 5, generator=generator),
        "a.bias": torch.full((3,), float(step)),
        "half": torch.randn(4, generator=generator).bfloat16(),
        "ids": torch.arange(step, step + 4),
        "scalar": torch.tensor(0.1 * step),
        "none": torch.empty(0, 2),
    }
    optimizer = {"exp_avg/a.weight": torch.randn(3, 5, generator=generator), "step/a.weight": torch.tensor(float(step))}
    state = {"done": step, "loss": 0.1 * step, "best": None, "reports": [{"loss": 1 / 3}], "stopped": False}
    return Checkpoint(model=model, optimizer=optimizer, state=state)


def same(one: Checkpoint | None, two: Checkpoint) -> bool:
    """To the bit."""
    return (
        one is not None
        and one.state == two.state
        and all(
            ours.keys() == theirs.keys()
            and all(
                ours[name].dtype == theirs[name].dtype
                and ours[name].shape == theirs[name].shape
                and torch.equal(ours[name].view(-1).view(torch.uint8), theirs[name].view(-1).view(torch.uint8))
                for name in theirs
            )
            for ours, theirs in ((one.model, two.model), (one.optimizer, two.optimizer))
        )
    )


def written(folder: Path, *steps: int, keep: int = 10) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep=keep)
    for step in steps:
        checkpoints.write(step, checkpoint(step))
    return checkpoints


# what is written and read


def test_what_is_read_is_what_was_written(tmp_path):
    checkpoints = written(tmp_path / "new" / "checkpoints", 7)
    assert same(checkpoints.latest(), checkpoint(7))
    assert same(checkpoints.read(7), checkpoint(7))
    assert {path.name for path in checkpoints.place(7).iterdir()} == {MODEL, OPTIMIZER, STATE}
    assert checkpoints.place(7).name == "00000007"


def test_numbers_that_are_not_finite_are_kept(tmp_path):
    odd = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    checkpoints = Checkpoints(tmp_path, keep=1)
    made = Checkpoint(model={"odd": odd}, optimizer={}, state={"norm": float("inf")})
    checkpoints.write(1, made)
    assert same(checkpoints.latest(), made)


def test_tensors_that_are_views_parameters_or_transposed_are_kept(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    model = {"parameter": nn.Parameter(whole.clone()), "column": whole[:, 1], "turned": whole.t()}
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.write(1, Checkpoint(model=model, optimizer={}, state={}))
    read = checkpoints.latest()
    assert read is not None
    assert all(torch.equal(read.model[name], tensor) for name, tensor in model.items())
    assert not read.model["parameter"].requires_grad


def test_a_checkpoint_does_not_follow_what_is_trained_further(tmp_path):
    weight = torch.ones(3)
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.write(1, Checkpoint(model={"weight": weight}, optimizer={}, state={}))
    read = checkpoints.latest()
    weight.zero_()
    assert read is not None
    assert read.model["weight"].tolist() == [1, 1, 1]


def test_the_tensors_of_a_module_are_those_of_its_file_each_once():
    """A shared parameter has one name; a buffer that no file holds has none."""
    module = nn.Module()
    module.one, module.two = nn.Linear(2, 2), nn.Linear(2, 2)
    module.two.weight = module.one.weight
    module.register_buffer("kept", torch.ones(1))
    module.register_buffer("made_anew", torch.ones(1), persistent=False)
    tensors = model_tensors(module)
    assert list(tensors) == ["one.weight", "one.bias", "two.bias", "kept"]
    assert tensors["one.weight"] is module.one.weight


def test_no_folder_has_no_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path / "nothing", keep=1)
    assert (checkpoints.steps(), checkpoints.latest()) == ([], None)
    checkpoints.sweep()
    assert not (tmp_path / "nothing").exists()


def test_steps_are_in_the_order_of_their_numbers(tmp_path):
    checkpoints = written(tmp_path, 20, 900, 99_999_999, 100_000_000)
    assert checkpoints.steps() == [20, 900, 99_999_999, 100_000_000]
    assert same(checkpoints.latest(), checkpoint(100_000_000))
    (tmp_path / "notes").mkdir()
    (tmp_path / ".unfinished-00000950").mkdir()
    (tmp_path / "123").mkdir()
    assert checkpoints.steps() == [20, 900, 99_999_999, 100_000_000]


# a writer that is stopped


def stopping(folder: Path, moment: str) -> Checkpoints:
    """Checkpoints whose writer is gone at ``moment``."""

    def wrote(name: str) -> None:
        if name == moment:
            raise Killed

    return Checkpoints(folder, keep=2, wrote=wrote)


def test_the_moments_are_all_that_there_are(tmp_path):
    told: list[str] = []
    Checkpoints(tmp_path, keep=1, wrote=told.append).write(1, checkpoint(1))
    assert told == MOMENTS


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_write_that_is_stopped_leaves_the_checkpoint_before_or_the_new_one(tmp_path, moment, caplog):
    written(tmp_path, 10, 20)
    with pytest.raises(Killed):
        stopping(tmp_path, moment).write(30, checkpoint(30))
    found = Checkpoints(tmp_path, keep=2)
    expected = 20 if moment in UNSEEN else 30
    assert found.steps()[-1] == expected
    assert same(found.latest(), checkpoint(expected))
    assert caplog.records == []
    found.sweep()
    assert list(tmp_path.glob(".*")) == []
    assert same(found.latest(), checkpoint(expected))
    found.write(30, checkpoint(30))
    assert found.steps() == [20, 30]
    assert same(found.latest(), checkpoint(30))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_first_write_that_is_stopped_leaves_none_or_all(tmp_path, moment):
    with pytest.raises(Killed):
        stopping(tmp_path, moment).write(10, checkpoint(10))
    latest = Checkpoints(tmp_path, keep=2).latest()
    assert latest is None if moment in UNSEEN else same(latest, checkpoint(10))


def test_a_write_begins_anew_over_what_a_stopped_one_has_left(tmp_path):
    """Also without a sweep in between."""
    with pytest.raises(Killed):
        stopping(tmp_path, STATE).write(10, checkpoint(11))
    (tmp_path / ".unfinished-00000010" / "more").write_text("litter")
    checkpoints = written(tmp_path, 10)
    assert same(checkpoints.latest(), checkpoint(10))
    assert {path.name for path in checkpoints.place(10).iterdir()} == {MODEL, OPTIMIZER, STATE}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_that_is_killed_leaves_the_checkpoint_before_or_the_new_one(tmp_path, moment):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from test_checkpoint import checkpoint\n"
        "from engine.training.output.checkpoint import Checkpoints\n"
        "folder, moment = Path(sys.argv[1]), sys.argv[2]\n"
        "Checkpoints(folder, keep=2).write(10, checkpoint(10))\n"
        "die = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == moment else None\n"
        "Checkpoints(folder, keep=2, wrote=die).write(20, checkpoint(20))\n"
    )
    here, tests = Path(__file__).parent, Path(__file__).parents[3]
    path = os.pathsep.join(map(str, (here, tests / "fakes", tests.parent)))
    done = subprocess.run([sys.executable, "-c", code, tmp_path, moment], env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    assert same(Checkpoints(tmp_path, keep=2).latest(), checkpoint(10 if moment in UNSEEN else 20))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_disk_that_is_full_leaves_the_checkpoint_before_or_the_new_one(tmp_path, moment):
    written(tmp_path, 10)

    def full(name: str) -> None:
        if name == moment:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Checkpoints(tmp_path, keep=2, wrote=full).write(20, checkpoint(20))
    assert same(Checkpoints(tmp_path, keep=2).latest(), checkpoint(10 if moment in UNSEEN else 20))


# damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def remove(path: Path) -> None:
    path.unlink()


def exchange(path: Path) -> None:
    """As another checkpoint has it."""
    path.write_bytes((path.parent.parent / "00000020" / path.name).read_bytes())


@pytest.mark.parametrize("name", [MODEL, OPTIMIZER])
@pytest.mark.parametrize("damage", [cut, empty, flip, lengthen, remove, exchange])
def test_damaged_tensors_are_passed_over_for_the_checkpoint_before(tmp_path, caplog, name, damage):
    checkpoints = written(tmp_path, 10, 20, 30)
    damage(checkpoints.place(30) / name)
    assert same(checkpoints.latest(), checkpoint(20))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"the checkpoint {checkpoints.place(30)} is damaged and is passed over: " in record.message
    assert name in record.message
    assert checkpoints.read(30) is None
    assert same(checkpoints.read(20), checkpoint(20))


def no_object(path: Path) -> None:
    path.write_text("null\n")


def a_list(path: Path) -> None:
    path.write_text("[1, 2]\n")


def no_hashes(path: Path) -> None:
    path.write_text(json.dumps(checkpoint(30).state))


def no_file_hashed(path: Path) -> None:
    path.write_text(json.dumps({**checkpoint(30).state, "sha256": {}}))


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize("damage", [cut, empty, remove, no_object, a_list, no_hashes, no_file_hashed, no_text])
def test_a_state_that_is_torn_is_passed_over_for_the_checkpoint_before(tmp_path, caplog, damage):
    checkpoints = written(tmp_path, 10, 20, 30)
    damage(checkpoints.place(30) / STATE)
    assert same(checkpoints.latest(), checkpoint(20))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_part_of_a_state_is_no_state(tmp_path_factory, data):
    checkpoints = written(tmp_path_factory.mktemp("cut"), 10, 20)
    file = checkpoints.place(20) / STATE
    whole = file.read_bytes()
    kept = data.draw(st.integers(0, len(whole) - 1), label="bytes that are left")
    file.write_bytes(whole[:kept])
    latest = checkpoints.latest()
    assert same(latest, checkpoint(10)) or (kept == len(whole.rstrip()) and same(latest, checkpoint(20)))


@pytest.mark.parametrize("name", [MODEL, OPTIMIZER, STATE])
def test_any_flipped_bit_is_found(tmp_path, caplog, name):
    """What is read is what was written, or nothing: also where the flip leaves a number that looks right."""
    caplog.set_level("ERROR")
    checkpoints = written(tmp_path, 10)
    file = checkpoints.place(10) / name
    whole = file.read_bytes()
    step = 1 if name == STATE else 5
    wrong = []
    for bit in range(0, 8 * len(whole), step):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bytes(data))
        read = checkpoints.read(10)
        if read is not None and not same(read, checkpoint(10)):
            wrong.append(bit)
    places = sorted({bit // 8 for bit in wrong})
    shown = "".join(chr(byte) if place not in places else f"[{chr(byte)}]" for place, byte in enumerate(whole))
    assert wrong == [], f"{len(wrong)} flips are taken for right: {shown}"


def test_damage_after_damage_is_passed_over(tmp_path, caplog):
    checkpoints = written(tmp_path, 10, 20, 30, 40)
    flip(checkpoints.place(40) / MODEL)
    cut(checkpoints.place(30) / STATE)
    (checkpoints.place(20) / OPTIMIZER).unlink()
    assert same(checkpoints.latest(), checkpoint(10))
    assert [record.message.split(" is damaged")[0][-8:] for record in caplog.records] == [
        "00000040",
        "00000030",
        "00000020",
    ]


def test_nothing_but_damage_is_no_checkpoint(tmp_path, caplog):
    checkpoints = written(tmp_path, 10, 20)
    for step in (10, 20):
        empty(checkpoints.place(step) / MODEL)
    assert checkpoints.latest() is None
    assert len(caplog.records) == 2


def test_a_checkpoint_that_is_not_there_is_none(tmp_path, caplog):
    assert written(tmp_path, 10).read(11) is None
    assert "00000011 is damaged" in caplog.text


def test_a_damaged_one_is_written_over(tmp_path):
    checkpoints = written(tmp_path, 10, 20)
    flip(checkpoints.place(20) / MODEL)
    (checkpoints.place(20) / "more").write_text("litter")
    checkpoints.write(20, checkpoint(20))
    assert same(checkpoints.latest(), checkpoint(20))
    assert {path.name for path in checkpoints.place(20).iterdir()} == {MODEL, OPTIMIZER, STATE}


# what stays


@pytest.mark.parametrize(("keep", "stays"), [(1, [50]), (2, [40, 50]), (3, [30, 40, 50]), (9, [10, 20, 30, 40, 50])])
def test_the_last_ones_stay(tmp_path, keep, stays):
    assert written(tmp_path, 10, 20, 30, 40, 50, keep=keep).steps() == stays
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(("keep", "stays"), [(1, [20, 50]), (2, [20, 40, 50])])
def test_the_best_one_stays_beside_them(tmp_path, keep, stays):
    checkpoints = Checkpoints(tmp_path, keep=keep)
    for step in (10, 20, 30, 40, 50):
        checkpoints.write(step, checkpoint(step), best=min(step, 20))
    assert checkpoints.steps() == stays
    assert same(checkpoints.read(20), checkpoint(20))
    checkpoints.write(60, checkpoint(60), best=60)
    assert checkpoints.steps() == [*stays[2:], 50, 60][-keep:]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), keep=st.integers(1, 3))
def test_the_last_and_the_best_stay_whatever_the_best_is(tmp_path_factory, data, keep):
    checkpoints = Checkpoints(tmp_path_factory.mktemp("best"), keep=keep)
    best = None
    for step in range(1, 8):
        best = data.draw(st.sampled_from([best, step]), label="best")
        checkpoints.write(step, Checkpoint(model={}, optimizer={}, state={"done": step}), best=best)
        assert set(checkpoints.steps()) == {*range(max(1, step - keep + 1), step + 1)} | ({best} - {None})


@pytest.mark.parametrize("keep", [1, 2])
def test_what_was_just_written_stays_though_damaged_ones_lie_ahead(tmp_path, keep):
    """A run that goes on from before them writes at steps of its own, where checkpoints are by time."""
    checkpoints = written(tmp_path, 10, *range(20, 20 + keep), keep=keep + 1)
    for step in range(20, 20 + keep):
        flip(checkpoints.place(step) / MODEL)
    again = Checkpoints(tmp_path, keep=keep)
    assert same(again.latest(), checkpoint(10))
    again.write(15, checkpoint(15))
    assert same(again.latest(), checkpoint(15))


def test_a_sweep_removes_what_stopped_writers_left_and_nothing_else(tmp_path):
    checkpoints = written(tmp_path, 10)
    for moment in UNSEEN:
        with pytest.raises(Killed):
            stopping(tmp_path, moment).write(20 + MOMENTS.index(moment), checkpoint(20))
    assert len(list(tmp_path.glob(".unfinished-*"))) == len(UNSEEN)
    (tmp_path / "notes.txt").write_text("mine")
    checkpoints.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000010", "notes.txt"]
    assert same(checkpoints.latest(), checkpoint(10))
