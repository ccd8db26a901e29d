"""A run that has nothing to do says so without a model in memory; what is not the same is not taken for it."""

import json
import shutil
from pathlib import Path

import pytest
from run_apart import run_apart
from tiny_models import bert, change_config, save, spread, texts

from cli.main import OK

ROWS = 60
CPU = ["--devices", "cpu", "--max-length", "16", "--check-rows", "0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, a store that it has labelled, and models that were trained."""
    folder = tmp_path_factory.mktemp("made")
    save(folder / "teacher")
    labels = ["negative", "positive"] * (ROWS // 2)
    lines = [f"{label},{text}" for label, text in zip(labels, texts(ROWS, seed=1), strict=True)]
    (folder / "in.csv").write_text("\n".join(["label,text", *lines, ""]))
    first = [*label(folder), str(folder / "in.csv"), "--shards", "3", *CPU]
    said = run_apart([first, finetune(folder), train(folder)])
    assert [one.code for one in said] == [OK] * 3, said
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of `made`; its models are the same files, and its paths others."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def label(folder: Path) -> list[str]:
    return ["label", "--store", str(folder / "s"), "--teacher", str(folder / "teacher"), "--name", "one"]


def finetune(folder: Path) -> list[str]:
    model, gold = str(folder / "teacher"), str(folder / "in.csv")
    return ["finetune", gold, "--model", model, "--out", str(folder / "tuned"), "--epochs", "1", "--eval", gold]


def train(folder: Path) -> list[str]:
    student = f"{folder / 'teacher'}#layers=1"
    return ["train", str(folder / "s"), "--student", student, "--out", str(folder / "student"), "--epochs", "1"]


def files_of(folder: Path) -> dict[str, bytes]:
    there = sorted(path for path in folder.rglob("*") if path.is_file() and "runs" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in there}


def test_what_is_done_is_said_without_torch(place: Path) -> None:
    before = files_of(place)
    gold = str(place / "in.csv")
    again = [
        label(place),
        [*label(place), gold],
        [*label(place), "--worker", "0/2", "--devices", "cpu", "--max-length", "16"],
        finetune(place),
        train(place),
    ]
    said = run_apart(again)
    assert [(one.code, one.loaded) for one in said] == [(OK, [])] * len(again), said
    for one in said[:3]:
        summary = json.loads(one.out)
        assert (summary["rows"], summary["rows_done"], summary["shards_missing"]) == (ROWS, 0, 0)
        assert (summary["devices"], summary["seconds"]) == ([], 0.0)
        assert (
            f"nothing was labelled: the label set 'one' of {place / 's'} has all of its {ROWS} rows already" in one.err
        )
    for one, name in zip(said[3:], ("tuned", "student"), strict=True):
        assert f"{place / name} is done already; nothing was trained" in one.err
        assert json.loads(one.out)["rows"] == ROWS
    assert "eval_accuracy" in json.loads(said[3].out)
    assert files_of(place) == before


def test_rows_that_a_model_knows_are_said_again(place: Path) -> None:
    """Accuracy is printed again, too."""
    lines = (place / "in.csv").read_text().splitlines()
    (place / "some.csv").write_text("\n".join(lines[:21]) + "\n")
    judged = ["--eval", str(place / "some.csv"), "--out", str(place / "judged")]
    distill = [*train(place), "--weight", "row % 2", *judged]
    known = [*train(place)[:-1], "2", "--gold-weight", "0.5", *judged[:2], "--out", str(place / "known")]
    first = run_apart([distill, known])
    again = run_apart([finetune(place), distill, known])
    assert [one.code for one in (*first, *again)] == [OK] * 5, (first, again)
    assert [bool(one.loaded) for one in (*first, *again)] == [True, True, False, False, False]
    said = [[line for line in one.err.splitlines() if " evaluation rows have texts that " in line] for one in again]
    assert said[0][0].startswith(f"warning: {ROWS} of the {ROWS} evaluation rows have texts that {place / 'tuned'} was")
    assert said[1][0].startswith(f"warning: 10 of the 20 evaluation rows have texts that {place / 's'} has, too")
    assert [len(some) for some in said] == [1, 1, 2]
    for slowly, some in zip(first, said[1:], strict=True):
        assert [line for line in slowly.err.splitlines() if line in some] == some


def test_the_report_is_that_of_who_loads_the_model(place: Path) -> None:
    quickly = run_apart([finetune(place), train(place)])
    for note in ("tuned/start.json", "student/start.json"):
        (place / note).unlink()
    slowly = run_apart([finetune(place), train(place)])
    assert [one.loaded for one in quickly] == [[], []]
    assert all(one.loaded for one in slowly)
    assert [one.out for one in slowly] == [one.out for one in quickly]
    assert [one.loaded for one in run_apart([finetune(place), train(place)])] == [[], []]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--max-length", "24"], "was begun with max_length 16"),
        (["--check-rows", "4"], "was begun with check_rows 0"),
        (["--classes", "positive,negative"], ""),
        (["--pilot", "5"], ""),
    ],
)
def test_what_is_asked_for_besides_is_left_to_who_loads_the_teacher(place: Path, flags: list[str], says: str) -> None:
    (said,) = run_apart([[*label(place), *flags]])
    assert said.loaded
    assert says in said.err


def test_a_shard_that_is_missing_is_labelled(place: Path) -> None:
    for file in [*(place / "s/labels/one").glob("00001*"), place / "s/labels/one/manifest.json"]:
        file.unlink()
    first, again = (run_apart([[*label(place), "--devices", "cpu"]])[0] for _ in range(2))
    assert [json.loads(one.out)["shards_done"] for one in (first, again)] == [1, 0]
    assert (bool(first.loaded), again.loaded) == (True, [])


def test_a_store_whose_runs_left_no_note_is_looked_at_once(place: Path) -> None:
    shutil.rmtree(place / "s/runs")
    first, second = run_apart([[*label(place), "--devices", "cpu"], label(place)])
    assert (first.code, second.code) == (OK, OK)
    assert first.loaded
    assert second.loaded == []


def test_other_weights_are_refused_and_another_tokenizer_is_not_taken_for_the_same(place: Path) -> None:
    vocabulary = place / "teacher/tokenizer.json"
    vocabulary.write_text(vocabulary.read_text().replace('"staff"', '"crew"'))
    (said,) = run_apart([label(place)])
    assert said.loaded
    assert "was begun with encoding_sha256" in said.err
    save(place / "teacher", spread(bert(), seed=1))
    weights, tuned, student = run_apart([label(place), finetune(place), train(place)])
    assert "was begun with weights_sha256" in weights.err
    assert weights.loaded == []
    for one in (tuned, student):
        assert one.code == 1
        assert "begun with other settings" in one.err


def test_another_configuration_is_not_taken_for_the_same(place: Path) -> None:
    change_config(place / "teacher", hidden_act="relu")
    (said,) = run_apart([label(place)])
    assert said.loaded
    assert "was begun with config_sha256" in said.err


def test_rows_of_another_evaluation_are_judged(place: Path) -> None:
    lines = (place / "in.csv").read_text().splitlines()
    (place / "some.csv").write_text("\n".join(lines[:21]) + "\n")
    (said,) = run_apart([[*finetune(place)[:-1], str(place / "some.csv")]])
    assert (said.code, bool(said.loaded)) == (OK, True)
    assert json.loads(said.out)["eval_rows"] == 20
