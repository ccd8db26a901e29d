"""``engine audit``: what it prints, and its exit codes."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from row_files import write
from store_factory import add_corpus, add_labels, make_store, write_header

from cli.main import run
from store.sql.questions import OVERVIEW, questions
from store.storage import LocalStorage


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with gold and one label set."""
    place = tmp_path_factory.mktemp("audit") / "one.store"
    make_store(LocalStorage(place))
    return str(place)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with two label sets and no gold."""
    place = tmp_path_factory.mktemp("audit") / "two.store"
    made = write_header(LocalStorage(place), rows=50)
    add_corpus(made, label=lambda row, classes: None)
    for seed, name in enumerate(("bert", "roberta")):
        add_labels(made, name, seed=seed)
    return str(place)


def test_the_list_has_every_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--list"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in listed] == [*questions(), "near-duplicates"]
    assert listed.pop()["sql"] is None
    for row in listed:
        asked = questions()[row["name"]]
        assert row == {"name": asked.name, "needs": ", ".join(asked.needs), "help": asked.help, "sql": asked.sql}
    assert run(["audit", "--list", "--format", "table"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in questions())
    assert "SELECT" not in shown
    assert run(["audit", "--list", "--format", "csv"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out))).keys() == {"name", "needs", "help"}


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv"])
def test_one_question_gives_its_rows_alone(place: str, capsys: pytest.CaptureFixture[str], format_: str) -> None:
    assert run(["audit", place, "accuracy", "--format", format_]) == 0
    shown = capsys.readouterr().out
    if format_ == "csv":
        (row,) = csv.DictReader(io.StringIO(shown))
        assert (int(row["rows"]), row.keys()) == (38, {"rows", "correct", "accuracy", "low", "high"})
        return
    (row,) = json.loads(shown) if format_ == "json" else map(json.loads, shown.splitlines())
    assert row["rows"] == 38
    assert 0 <= row["low"] < row["accuracy"] == row["correct"] / 38 < row["high"] <= 1


def test_several_questions_say_whose_a_row_is(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place, "accuracy", "failures", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["question"], row["rows"]) for row in rows] == [("accuracy", 38), ("failures", 50)]
    assert run(["audit", place, "accuracy", "failures", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert f"### accuracy: {questions()['accuracy'].help}\n\n" in shown
    assert shown.index("### accuracy") < shown.index("### failures")
    assert run(["audit", place, "accuracy", "failures", "--format", "csv"]) == 2
    assert "csv holds one table" in capsys.readouterr().err


def test_the_overview_says_what_it_leaves_out(place: str, two: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place]) == 0
    shown = capsys.readouterr()
    asked = {json.loads(line)["question"] for line in shown.out.splitlines()}
    assert asked == set(OVERVIEW) - {"agreement"}
    assert "agreement is left out: it compares label sets" in shown.err
    assert run(["--quiet", "audit", two, "--labels", "bert", "--format", "table"]) == 0
    shown = capsys.readouterr()
    titles = [line.split(":")[0] for line in shown.out.splitlines() if line.split(":")[0] in questions()]
    assert titles == [name for name in OVERVIEW if "gold" not in questions()[name].needs]
    assert shown.err == ""


def test_the_label_set_is_chosen(two: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", two, "classes"]) == 1
    assert "classes cannot be asked: it is about one label set; choose it with --labels" in capsys.readouterr().err
    answers = []
    for name in ("bert", "roberta"):
        assert run(["audit", two, "classes", "--labels", name]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] != answers[1]
    assert run(["audit", two, "--labels", "gpt"]) == 1
    assert "has no label set 'gpt'; it has: bert, roberta" in capsys.readouterr().err


def test_what_a_store_has_not_is_an_error_before_anything_is_asked(
    two: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", two, "failures", "accuracy", "--labels", "bert"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: accuracy cannot be asked: no row of ")


def test_bad_usage_is_2(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place, "acuracy"]) == 2
    assert "no question 'acuracy'; did you mean accuracy" in capsys.readouterr().err
    assert run(["audit"]) == 2
    assert "Missing argument 'STORE'" in capsys.readouterr().err
    assert run(["audit", place, "accuracy", "--timeout", "0"]) == 2


def test_no_store_is_1_and_damage_is_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(tmp_path / "none")]) == 1
    assert "is not a store" in capsys.readouterr().err
    made = make_store(LocalStorage(tmp_path / "a.store"))
    file = tmp_path / "a.store" / "labels" / "bert" / made.label_set("bert").records()[1].file
    file.write_bytes(file.read_bytes()[:-8])
    assert run(["audit", str(tmp_path / "a.store"), "classes"]) == 4
    assert capsys.readouterr().err.startswith("damage: ")


def test_a_question_that_is_late_names_itself(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place, "classes", "--timeout", "0.1"]) == 1
    assert "error: the question classes ran past its limit of 0.1 s and was ended" in capsys.readouterr().err
    assert run(["audit", place, "classes", "accuracy", "--timeout", "0.1"]) == 1
    assert "classes ran past its limit of 0.1 s, which all 2 queries share," in capsys.readouterr().err


def test_all_questions_are_asked_of_one_child(
    place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(args) or popen(*args, **kwargs))
    assert run(["audit", place]) == 0
    assert {json.loads(line)["question"] for line in capsys.readouterr().out.splitlines()} == set(OVERVIEW) - {
        "agreement"
    }
    assert len(started) == 1


def test_the_tables_before_a_question_that_fails_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"))
    file = tmp_path / "a.store" / "corpus" / made.corpus.records()[1].file
    file.write_bytes(file.read_bytes()[:-8])
    asked = ["audit", str(tmp_path / "a.store"), "failures", "accuracy", "failures"]
    assert run([*asked, "--format", "markdown"]) == 4
    shown = capsys.readouterr()
    assert [line.split(":")[0] for line in shown.out.splitlines() if line.startswith("###")] == ["### failures"]
    assert shown.err.startswith("damage: ")
    assert run([*asked, "--format", "json"]) == 4
    assert capsys.readouterr().out == ""


def test_a_store_without_rows_has_an_overview_without_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_header(LocalStorage(tmp_path / "a.store"), rows=5)
    assert run(["audit", str(tmp_path / "a.store"), "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "[]\n"
    assert all((f"{name} is left out" in shown.err) == bool(questions()[name].needs) for name in OVERVIEW)


def with_hard_gold(folder: Path) -> str:
    """A store with a round of gold that was proposed, by people who agree with the label set."""
    place, out = str(folder / "a.store"), folder / "next.csv"
    make_store(LocalStorage(place))
    assert run(["select", place, "next", "--propose", "--limit", "6", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text("utf-8-sig").splitlines()))
    annotated = write(folder / "annotated.csv", [{**row, "label": row["class"]} for row in rows])
    assert run(["audit", place, "--gold", str(annotated)]) == 0
    return place


def test_gold_that_was_chosen_for_being_hard_is_named_with_a_remedy_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = with_hard_gold(tmp_path)
    assert capsys.readouterr().err.count("chosen for being hard") == 0
    for questions_ in ([], ["accuracy"], ["accuracy", "estimates", "calibration"], ["slices"]):
        assert run(["audit", place, *questions_]) == 0
        said = capsys.readouterr().err
        assert said.count("6 of the 44 gold rows that count were chosen for being hard, by the selection 'next'") == 1
        assert "--round 0 counts the corpus's own gold alone" in said
    for quiet in (["accuracy", "--round", "0"], ["failures"], ["accuracy", "--quiet"]):
        assert run(["audit", place, *quiet]) == 0
        assert "chosen for being hard" not in capsys.readouterr().err


def test_a_mistake_is_said_before_anything_else_and_names_near_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = with_hard_gold(tmp_path)
    capsys.readouterr()
    for arguments in (["slices", "--by", "n_token"], ["estimates", "--by", "left(n_token, 3)"]):
        assert run(["audit", place, *arguments]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert "chosen for being hard" not in err
        assert 'Referenced column "n_token" not found' in err
        assert "Near names: n_tokens in " in err
    assert run(["audit", place, "slices", "--by", "n_tokens"]) == 0
    assert "chosen for being hard" in capsys.readouterr().err


def test_the_command_loads_no_torch(place: str) -> None:
    script = f"import sys\nfrom cli.main import run\nassert run(['audit', {place!r}, 'accuracy']) == 0\n"
    script += "sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & {"torch", "transformers", "duckdb", "webdataset"}
