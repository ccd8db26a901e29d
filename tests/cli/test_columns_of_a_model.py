"""Files for a model that we trained: they are read with the columns that its rows were read with."""

import csv
import functools
import json
from pathlib import Path
from typing import Any

import pytest
from tickets import BOTH, CLASSES, ran, tickets
from tiny_models import save

import store
from cli.main import run
from engine.models.notes.columns_read import COLUMNS, columns_of_model

SHORT = ("--epochs", 1, "--batch-size", 16)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher that learned from tickets, what it labelled, and a student of that."""
    folder = tmp_path_factory.mktemp("tickets")
    start = save(folder / "start", names=CLASSES)
    gold, pool = tickets(folder / "gold.csv", range(24)), tickets(folder / "pool.csv", range(50, 80))
    teacher, place = folder / "teacher", folder / "s.store"
    columns = ("--text", "subject,body", "--label", "queue")
    for command in (
        ("finetune", gold, "--model", start, "--out", teacher, *columns, *SHORT),
        ("label", pool, "--store", place, "--teacher", teacher, "--id", "ticket_id", "--devices", "cpu"),
        ("train", place, "--student", start, "--out", folder / "student", *SHORT),
    ):
        assert run([str(word) for word in command]) == 0
    return folder


@pytest.fixture
def engine(capsys: pytest.CaptureFixture[str]) -> Any:
    """A command: its exit code, and what is on stderr."""
    return functools.partial(ran, capsys)


def test_a_store_that_a_teacher_makes_has_the_texts_and_labels_that_it_learned_from(made: Path) -> None:
    rows = store.open(made / "s.store").sql("SELECT id, text, class FROM corpus ORDER BY row").to_pylist()
    assert [row["id"] for row in rows] == [f"T{number}" for number in range(50, 80)]
    assert all("\n" in row["text"] for row in rows)
    assert [row["class"] for row in rows] == [CLASSES[number % 3] for number in range(50, 80)]


def test_each_model_notes_the_columns_of_its_rows(made: Path) -> None:
    noted = {name: json.loads((made / name / COLUMNS).read_text()) for name in ("teacher", "student")}
    assert noted["teacher"] == {"text": ["subject,body"], "label": ["queue"]}
    assert noted["student"] == {"text": ["subject,body"], "id": ["ticket_id"], "label": ["queue"]}


def test_an_evaluation(made: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "test.csv", range(100, 120))
    code, err = engine("eval", made / "teacher", file)
    said = f"{file}: as in {made / 'teacher'}, {BOTH}, the label is 'queue'; --text, --label name other columns"
    assert (code, said in err) == (0, True)
    code, err = engine("eval", made / "teacher", file, "--text", "body")
    assert (code, f"as in {made / 'teacher'}, the label is 'queue'; --label names another" in err) == (0, True)
    code, err = engine("eval", made / "teacher", tickets(tmp_path / "b.csv", range(9), text="x", label="praise"))
    assert (code, f"{BOTH} and not 'text', the label is 'queue' and not 'label'" in err) == (0, True)


def test_a_prediction(made: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "new.csv", range(200, 206))
    code, err = engine("predict", made / "student", file, "--out", tmp_path / "a.csv")
    assert (code, f"{file}: as in {made / 'student'}, {BOTH}, the id is 'ticket_id'" in err) == (0, True)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == [f"T{number}" for number in range(200, 206)]
    named = ("--text", "subject,body", "--id", "ticket_id")
    assert engine("predict", made / "student", file, *named, "--out", tmp_path / "b.csv")[0] == 0
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_a_file_without_these_columns_is_read_by_plain_names(made: Path, engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    file.write_text("id,text\n1,good\n2,bad\n")
    code, err = engine("predict", made / "student", file, "--out", tmp_path / "a.jsonl")
    assert (code, "as in" in err) == (0, False)
    file.write_text("id,subjct\n1,good\n")
    code, err = engine("predict", made / "student", file, "--out", tmp_path / "b.jsonl")
    assert (code, "no column looks like the text (columns: id, subjct)" in err) == (1, True)


def test_names_beside_numbers_come_before_a_plain_label_that_a_model_learned(
    made: Path, engine: Any, tmp_path: Path
) -> None:
    plain, both = tmp_path / "plain.csv", tmp_path / "both.csv"
    names = [CLASSES[number % 3] for number in range(30)]
    plain.write_text("text,label\n" + "".join(f"good {at},{name}\n" for at, name in enumerate(names)))
    rows = [f"bad {at},{at % 3 + 1},{name}\n" for at, name in enumerate(names)]
    both.write_text("text,label,label_text\n" + "".join(rows))
    start, teacher, place = made / "start", tmp_path / "teacher", tmp_path / "s.store"
    assert engine("finetune", plain, "--model", start, "--out", teacher, "--eval", both, *SHORT)[0] == 0
    assert json.loads((teacher / COLUMNS).read_text()) == {"text": ["text"]}
    read = f"{both}: the label is read from 'label_text', and not from 'label'"
    assert engine("label", plain, "--store", place, "--teacher", teacher, "--devices", "cpu")[0] == 0
    assert engine("train", place, "--student", start, "--out", tmp_path / "student", *SHORT)[0] == 0
    for model in (teacher, tmp_path / "student"):
        code, err = engine("eval", model, both)
        assert (code, read in err) == (0, True)
    named = tmp_path / "named"
    assert engine("finetune", both, "--label", "label", "--model", start, "--out", named, *SHORT)[0] == 0
    code, err = engine("eval", named, both)
    assert (code, f"as in {named}, the label is 'label'" in err) == (0, True)


def test_columns_that_differ_in_capitals_are_the_same(made: Path, engine: Any, tmp_path: Path) -> None:
    file = Path(tickets(tmp_path / "new.csv", range(200, 206)))
    code, _ = engine("predict", made / "student", file, "--out", tmp_path / "a.csv")
    file.write_text(file.read_text().replace("ticket_id,subject,body,queue", "Ticket_ID,Subject,Body,Queue"))
    again, err = engine("predict", made / "student", file, "--out", tmp_path / "b.csv")
    assert (code, again) == (0, 0)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    said = f"{file}: as in {made / 'student'}, the text is 'Subject' and 'Body', one below the other, the id is 'Ticket"
    assert said in err


@pytest.mark.parametrize(
    ("header", "near"), [("ticket_id,subjct,body,queue", " (did you mean 'subjct'?)"), ("a,b,body,c", "")]
)
def test_a_part_of_what_was_the_text_is_not_taken_for_all(
    made: Path, engine: Any, tmp_path: Path, header: str, near: str
) -> None:
    file = Path(tickets(tmp_path / "new.csv", range(200, 206)))
    file.write_text(file.read_text().replace("ticket_id,subject,body,queue", header))
    said = f"{file}: in {made / 'student'}, the text is 'subject' and 'body', one below the other, and there is no "
    code, err = engine("predict", made / "student", file, "--out", tmp_path / "a.csv")
    assert (
        code,
        f"{said}column 'subject' here{near}; name the columns of the text with --text, as --text body" in err,
    ) == (1, True)
    assert engine("predict", made / "student", file, "--text", "body", "--out", tmp_path / "a.csv")[0] == 0
    place = made / "s.store"
    code, err = engine("label", file, "--store", place, "--teacher", made / "teacher", "--append", "--devices", "cpu")
    assert (code, f"{file}: in {place}, the text is 'subject' and 'body', one below the other" in err) == (1, True)


def test_rows_of_an_evaluation_may_have_an_id_twice(made: Path, engine: Any, tmp_path: Path) -> None:
    file = Path(tickets(tmp_path / "test.csv", range(200, 212)))
    file.write_text(file.read_text().replace("T201,", "T200,"))
    code, err = engine("eval", made / "student", file)
    assert (code, "rejected" in err) == (0, False)


def test_labelled_rows_are_known_by_the_columns_of_the_teacher(made: Path, engine: Any, tmp_path: Path) -> None:
    """Where the store has no labels: its files had no such column."""
    file, test = Path(tickets(tmp_path / "pool.csv", range(300, 330))), tickets(tmp_path / "test.csv", range(400, 412))
    rows = [line.rpartition(",")[0] for line in file.read_text().splitlines()]
    file.write_text("\n".join(rows) + "\n")
    place, teacher = tmp_path / "bare.store", made / "teacher"
    assert engine("label", file, "--store", place, "--teacher", teacher, "--devices", "cpu")[0] == 0
    code, err = engine("train", place, "--student", teacher, "--out", tmp_path / "student", *SHORT, "--eval", test)
    assert (code, "the label is 'queue'" in err) == (0, True)
    code, err = engine("label", test, "--store", place, "--teacher", teacher, "--append", "--devices", "cpu")
    assert (code, "the label is 'queue'" in err) == (0, True)
    gold = (
        store.open(place).sql("SELECT gold_class FROM reviews WHERE row >= 30 ORDER BY row")["gold_class"].to_pylist()
    )
    assert gold == [CLASSES[number % 3] for number in range(400, 412)]


def test_an_export_to_onnx_is_checked_on_them_and_keeps_them(made: Path, engine: Any, tmp_path: Path) -> None:
    file, out = tickets(tmp_path / "test.csv", range(400, 412)), tmp_path / "onnx"
    code, err = engine("export", made / "student", "--to", "onnx", "--out", out, "--check", file)
    assert (code, f"{file}: as in {made / 'student'}, {BOTH}, the id is 'ticket_id', the label is 'queue'" in err) == (
        0,
        True,
    )
    assert json.loads((out / COLUMNS).read_text()) == json.loads((made / "student" / COLUMNS).read_text())


def test_a_dry_run_reads_as_the_run(made: Path, engine: Any, tmp_path: Path) -> None:
    file = tickets(tmp_path / "pool.csv", range(300, 330))
    command = ("label", file, "--store", tmp_path / "x.store", "--teacher", made / "teacher", "--devices", "cpu")
    code, err = engine(*command, "--dry-run")
    assert (code, f"{file}: as in {made / 'teacher'}, {BOTH}, the label is 'queue'" in err) == (0, True)


@pytest.mark.parametrize("content", ["", "[]", "3", '{"text": 3}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    assert columns_of_model(str(tmp_path)) is None
    (tmp_path / COLUMNS).write_text(content)
    assert columns_of_model(str(tmp_path)) is None
