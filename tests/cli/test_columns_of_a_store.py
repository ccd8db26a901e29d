"""Files that belong to a store: they are read with the columns that it was read with, unless others are named."""

import csv
import functools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tickets import BOTH, CLASSES, ran, tickets
from tiny_models import save

import store
from cli.main import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher, and a store that it labelled."""
    folder = tmp_path_factory.mktemp("tickets")
    teacher = save(folder / "teacher", names=CLASSES)
    file = tickets(folder / "tickets.csv", range(60))
    options = ["--text", "subject,body", "--id", "ticket_id", "--label", "queue", "--devices", "cpu"]
    assert run(["label", file, "--store", str(folder / "s.store"), "--teacher", teacher, *options]) == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "s.store", tmp_path / "s.store")


@pytest.fixture
def engine(capsys: pytest.CaptureFixture[str]) -> Any:
    """A command: its exit code, and what is on stderr."""
    return functools.partial(ran, capsys)


def test_labels_by_id(place: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "gold.csv", range(6))
    said = f"{file}: as in {place}, the id is 'ticket_id', the label is 'queue'; --id, --label name other columns\n"
    for command in (("audit", place, "--gold", file), ("label", "--store", place, "--name", "crowd", "--from", file)):
        code, err = engine(*command)
        assert (code, said in err) == (0, True)
    code, err = engine("audit", place, "--gold", file, "--id", "ticket_id", "--label", "queue", "--source", "again")
    assert (code, "as in" in err) == (0, False)


@pytest.mark.parametrize("command", [("audit", "--gold"), ("label", "--name", "crowd", "--from")])
def test_two_columns_that_could_be_the_label_are_a_choice(
    place: Path, engine: Any, tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tickets(tmp_path / "gold.csv", range(6), label="praise")
    name, *flags = command
    begin = (name, place) if name == "audit" else (name, "--store", place)
    code, err = engine(*begin, *flags, file)
    said = f"'queue', from which {place} has labels, and 'label' could each be the label; choose with --label"
    assert (code, said in err) == (1, True)
    assert engine(*begin, *flags, file, "--label", "label")[0] == 0


def test_ids_that_are_those_of_the_store_come_before_others(place: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "gold.csv", range(6), id="x")
    code, err = engine("audit", place, "--gold", file, "--label", "queue")
    said = f"{file}: as in {place}, the id is 'ticket_id' and not 'id'; --id names another column"
    assert (code, said in err) == (0, True)


def test_tasks_of_label_studio(place: Path, engine: Any, tmp_path: Path) -> None:
    result = [{"from_name": "queue", "to_name": "text", "type": "choices", "value": {"choices": ["praise"]}}]
    tasks = [{"id": at, "data": {"ticket_id": f"T{at}"}, "annotations": [{"result": result}]} for at in range(3)]
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks))
    code, err = engine("audit", place, "--gold", file)
    assert (code, f"the task's data: as in {place}, the id is 'ticket_id'" in err) == (0, True)


def test_rows_that_are_appended(made: Path, place: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "more.csv", range(60, 69))
    code, err = engine("label", file, "--store", place, "--teacher", made / "teacher", "--append", "--devices", "cpu")
    said = f"{file}: as in {place}, {BOTH}, the id is 'ticket_id', the label is 'queue'; --text, --id, --label name"
    assert (code, said in err) == (0, True)
    rows = store.open(place).sql("SELECT id, text, class FROM corpus WHERE row >= 60 ORDER BY row").to_pylist()
    assert [row["id"] for row in rows] == [f"T{number}" for number in range(60, 69)]
    assert all("\n" in row["text"] and row["class"] in CLASSES for row in rows)


def test_rows_for_the_evaluation_of_a_training(made: Path, place: Path, engine: Any, tmp_path: Path) -> None:
    file, other = tickets(tmp_path / "test.csv", range(100, 120)), tickets(tmp_path / "valid.csv", range(200, 220))
    teacher, once = made / "teacher", ("--epochs", 1, "--eval", file, "--validation", other)
    said = [f"{one}: as in {place}, {BOTH}, the id is 'ticket_id', the label is 'queue'; " for one in (file, other)]
    for command in (
        ("train", place, "--student", teacher, "--out", tmp_path / "student"),
        ("finetune", "--from-store", place, "--model", teacher, "--out", tmp_path / "tuned"),
    ):
        code, err = engine(*command, *once)
        assert (code, [one in err for one in said]) == (0, [True, True])
    code, err = engine("train", place, "--student", teacher, "--out", tmp_path / "x", "--eval", file, "--id", "tickt")
    assert (code, "there is no column 'tickt' for --id (did you mean 'ticket_id'?)" in err) == (1, True)
    code, err = engine("train", place, "--student", teacher, "--out", tmp_path / "y", "--eval", file, "--text", "body")
    assert (code, f"{file}: as in {place}, the id is 'ticket_id', the label is 'queue'; --id, --label" in err) == (
        0,
        True,
    )


def test_evaluation_rows_that_are_learned_are_counted(made: Path, place: Path, engine: Any, tmp_path: Path) -> None:
    known, new = made / "tickets.csv", tickets(tmp_path / "new.csv", range(100, 110))
    once = ("--epochs", 1, "--eval")
    train = ("train", place, "--student", made / "teacher", "--out", tmp_path / "student", *once)
    finetune = ("finetune", "--from-store", place, "--model", made / "teacher", "--out", tmp_path / "tuned", *once)
    learns = f"60 of the 60 evaluation rows have texts that {place} has, too: {tmp_path / 'student'} learns what their"
    trained_on = f"60 of the 60 evaluation rows have texts that {tmp_path / 'tuned'} was trained on: it knows those"
    for command, said in ((train, learns), (finetune, trained_on)):
        code, err = engine(*command, known)
        assert (code, said in err) == (0, True)
        code, err = engine(*command, new)
        assert (code, "evaluation rows have texts that" in err) == (0, False)
    code, err = engine(*train[:5], tmp_path / "gold", *once, known, "--gold-weight", "0.5")
    assert (code, f"60 of the 60 evaluation rows have texts that {tmp_path / 'gold'} was trained on" in err) == (
        0,
        True,
    )


def test_texts_that_the_teacher_was_trained_on(place: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "learned.csv", range(100, 120))
    _, err = engine("audit", place, "--calibrate", "--trained-on", file)
    assert f"{file}: as in {place}, {BOTH}; --text names another column" in err


@pytest.mark.parametrize(("flag", "name"), [("--label", "queu"), ("--id", "Ticketid"), ("--confidence", "boddy")])
def test_a_name_that_is_nearly_right_is_named(place: Path, engine: Any, tmp_path: Path, flag: str, name: str) -> None:
    file = tickets(tmp_path / "answers.csv", range(6))
    code, err = engine("label", "--store", place, "--name", "crowd", "--from", file, flag, name)
    meant = {"--label": "queue", "--id": "ticket_id", "--confidence": "body"}[flag]
    assert (code, f"there is no column {name!r} for {flag} (did you mean {meant!r}?)" in err) == (1, True)


def test_an_answer_for_each_ticket_with_the_columns_that_the_teacher_has_learned(
    made: Path, engine: Any, tmp_path: Path
) -> None:
    file = tickets(tmp_path / "new.csv", range(5))
    options = ("--text", "subject,body", "--id", "ticket_id")
    code, err = engine("predict", made / "teacher", file, *options, "--out", tmp_path / "a.csv")
    assert (code, f"{file}: {BOTH}\n" in err) == (0, True)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == [f"T{number}" for number in range(5)]
