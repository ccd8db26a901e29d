"""``engine remove``: it says what will go, asks, and needs ``--yes`` where nobody can be asked."""

import json

import pytest
from store_factory import NoWaitStorage, make_store
from terminal import on_a_terminal

import store
from cli.main import ERROR, OK, USAGE, run


@pytest.fixture
def place(tmp_path):
    made = make_store(NoWaitStorage(tmp_path / "s"), labels=["bert", "roberta"])
    made.select("sure", where="confidence > 0.9", labels="bert")
    return str(tmp_path / "s")


def test_with_yes_it_says_what_goes_and_removes_it(place, capsys):
    assert run(["remove", place, "labels/roberta", "--yes"]) == OK
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"path": "labels/roberta", "files": 9, "bytes": 7366, "rows": 50}
    assert printed.err.startswith("labels/roberta: 9 files, 7,366 bytes of data, 50 rows\n")
    assert store.open(place).label_sets() == ["bert"]
    assert run(["verify", place]) == OK


def test_without_a_terminal_it_needs_yes(place, capsys):
    assert run(["remove", place, "labels/roberta"]) == USAGE
    said = capsys.readouterr().err
    assert "labels/roberta: 9 files" in said
    assert "give --yes" in said
    assert store.open(place).label_sets() == ["bert", "roberta"]


def test_what_is_needed_is_refused_with_the_command_that_removes_all_of_it(place, capsys):
    assert run(["remove", place, "labels/bert", "--yes"]) == ERROR
    said = capsys.readouterr().err
    assert said.startswith(
        f"error: labels/bert of {place} is needed by selections/sure, which was made from its labels"
    )
    assert run([*said.strip().partition("engine ")[2].split(), "--yes"]) == OK
    assert store.open(place).label_sets() == ["roberta"]


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [(b"y\n", OK, ["bert"]), (b"n\n", ERROR, ["bert", "roberta"]), (b"\n", ERROR, ["bert", "roberta"])],
)
def test_on_a_terminal_it_asks(place, answer, code, left):
    ended, shown = on_a_terminal("remove", place, "labels/roberta", answer=answer)
    assert ended == code
    assert "Remove this for good? [y/N]" in shown
    assert ("nothing was removed" in shown) == (code == ERROR)
    assert store.open(place).label_sets() == left


def test_ctrl_c_at_the_question_removes_nothing(place):
    ended, _ = on_a_terminal("remove", place, "labels/roberta", answer=b"\x03")
    assert ended == 130
    assert store.open(place).label_sets() == ["bert", "roberta"]
