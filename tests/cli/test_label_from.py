"""``engine label --from``: what a user types, and what comes back."""

import json
import math
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from row_files import write
from store_factory import flip_bit, make_store

import store
from cli.main import run
from store.storage import LocalStorage

ROWS = 30
ANSWERS = [{"id": f"id-{at}", "label": "neutral", "sure": 0.75, "who": at % 2} for at in range(0, ROWS, 3)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_store(LocalStorage(tmp_path / "a.store"), rows=ROWS)
    return tmp_path / "a.store"


@pytest.fixture
def label(place: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """``engine label`` on the store: exit code, summary and notes."""

    def labelled(*arguments: Any) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = run(["label", "--store", str(place), *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return labelled


def test_answers_become_a_label_set_and_are_told(place: Path, label: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ANSWERS)
    code, summary, err = label("--name", "gpt", "--from", file, "--confidence", "sure")
    assert code == 0
    expected = {
        "store": str(place), "name": "gpt", "rows": 30, "answered": 10, "unanswered": {"no answer": 20},
        "input_rows": 10, "used": 10, "repeated": 0, "left_out": 0, "rejected": 0, "rejected_for": {},
        "scores": "labels",
        "hard": 0.9, "annotators": None, "alpha": None, "kappa": None, "shards": 3, "shards_done": 3,
        "shards_mended": 0, "reasons": [],
    }  # fmt: skip
    assert summary == expected
    assert "20 of 30 rows have no answer and are left out of trainings; see why: engine sql " in err
    code, summary, err = label("--name", "gpt", "--from", file, "--confidence", "sure")
    assert (code, summary["shards_done"]) == (0, 0)
    assert "nothing was changed: the label set 'gpt' was made from the same answers already" in err


def test_the_query_that_is_named_says_why(place: Path, label: Any, tmp_path: Path, capsys: Any) -> None:
    _, _, err = label("--name", "gpt", "--from", write(tmp_path / "a.csv", ANSWERS))
    query = err.partition(f'engine sql {place} "')[2].partition('"')[0]
    assert run(["sql", str(place), query]) == 0
    assert json.loads(capsys.readouterr().out) == {"failure": "no answer", "count_star()": 20}


def test_refused_rows_end_with_3_and_their_first_reasons(place: Path, label: Any, tmp_path: Path, capsys: Any) -> None:
    bad = [{**ANSWERS[0], "id": f"x-{at}"} for at in range(7)] + [{**ANSWERS[0], "id": "id-1", "label": "what"}]
    file = write(tmp_path / "a.csv", [*ANSWERS, *bad])
    for _ in range(2):
        code, summary, err = label("--name", "gpt", "--from", file)
        assert (code, summary["rejected"], len(summary["reasons"])) == (3, 8, 8)
        assert summary["reasons"][0] == f"{file} row 11: id 'x-0' is not in the store"
        assert "8 rows were rejected: see reasons\n" in err  # on stdout, and not twice
        assert "x-0" not in err
    assert run(["label", "--store", str(place), "--name", "gpt", "--from", str(file), "--format", "table"]) == 3
    err = capsys.readouterr().err
    assert f"8 rows were rejected:\n  {file} row 11: id 'x-0' is not in the store\n" in err
    assert "… and 3 more" in err
    code, _, err = label("--name", "other", "--from", file, "--on-bad-row", "fail")
    assert (code, "row 11: id 'x-0' is not in the store; " in err) == (1, True)


def test_an_unknown_label_is_one_line_with_a_map_that_works(
    place: Path, label: Any, tmp_path: Path, capsys: Any
) -> None:
    bad = [{"id": f"id-{at}", "label": "neut" if at % 2 else "spam"} for at in range(20)]
    file = write(tmp_path / "a.csv", [*ANSWERS, *bad])
    arguments = ["label", "--store", str(place), "--name", "gpt", "--from", str(file)]
    assert run([*arguments, "--format", "table"]) == 3
    err = capsys.readouterr().err
    classes = "(classes: negative, neutral, positive)"
    spam = f"{file} row 11 and 9 more rows: unknown label 'spam' {classes}; if it is none: --label-map spam="
    neut = f"{file} row 12 and 9 more rows: unknown label 'neut' {classes}; --label-map neut=neutral"
    assert f"20 rows were rejected:\n  {spam}\n  {neut}\n" in err
    assert "more\n" not in err.partition("rejected:")[2].partition(neut)[2]
    code, summary, _ = label("--name", "mapped", "--from", file, "--label-map", "neut=neutral")
    assert (code, summary["rejected"], len(summary["reasons"])) == (3, 10, 1)
    way = summary["reasons"][0].partition("--label-map ")[2]
    assert way == "neut=neutral,spam="
    code, summary, err = label("--name", "all", "--from", file, "--label-map", way, "--on-bad-row", "fail")
    assert (code, summary["rejected"], summary["rejected_for"], summary["left_out"]) == (0, 0, {}, 10)
    assert summary["input_rows"] == summary["used"] + summary["repeated"] + summary["left_out"] == 30
    assert "10 rows left out: label is none, as --label-map says" in err


def test_ids_of_refused_rows_are_told_apart_from_unknown_ones(
    place: Path, label: Any, tmp_path: Path, capsys: Any
) -> None:
    """The store refused a row of the id "a"."""
    file = write(tmp_path / "a.csv", [*ANSWERS, {**ANSWERS[0], "id": "a"}, {**ANSWERS[0], "id": "b"}])
    code, summary, err = label("--name", "gpt", "--from", file)
    assert (code, summary["rejected_for"]) == (3, {"id is that of a rejected row": 1, "id is not in the store": 1})
    assert f"{file} row 11: id 'a' is that of a rejected row: text is null" in summary["reasons"]
    assert f"{file} row 12: id 'b' is not in the store" in summary["reasons"]
    query = err.partition(f'1 id is that of a rejected row, whose texts the store does not have: `engine sql {place} "')
    assert run(["sql", str(place), query[2].partition('"')[0]]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["id"] == "a"
    code, summary, err = label("--name", "gpt", "--from", file)
    assert (code, summary["shards_done"]) == (3, 0)


def test_of_answers_lengths_are_in_characters_since_no_model_counted_tokens(
    place: Path, label: Any, tmp_path: Path, capsys: Any
) -> None:
    assert label("--name", "gpt", "--from", write(tmp_path / "a.csv", ANSWERS), "--confidence", "sure")[0] == 0
    assert run(["audit", str(place), "length", "--labels", "gpt"]) == 1
    err = capsys.readouterr().err
    assert "length cannot be asked: the label set 'gpt' was made from answers, and no model counted tokens" in err
    (way,) = re.findall("`engine (.*)`", err)
    assert run(shlex.split(way)) == 0
    slices = {row["slice"]: row["rows"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    made = store.open(place)
    numbers = made.sql("SELECT row, n_chars, margin FROM reviews WHERE gold IS NULL", labels="gpt").to_pylist()
    every = made.sql("SELECT n_chars FROM corpus")["n_chars"].to_pylist()
    assert slices == Counter(2 ** int(math.log2(n)) for n in every)
    assert run(["audit", str(place), "--labels", "gpt"]) == 0
    assert "length is left out: the label set 'gpt' was made from answers" in capsys.readouterr().err
    free = [row for row in numbers if row["margin"] is not None]
    turns: Counter[int] = Counter()
    expected = []
    for row in sorted(free, key=lambda one: (one["margin"], one["row"])):
        turns[int(math.log2(row["n_chars"]))] += 1
        expected.append((turns[int(math.log2(row["n_chars"]))], row["row"]))
    found = made.audit("annotate", labels="gpt").to_pylist()
    assert [(row["turn"], row["row"]) for row in found] == sorted(expected)


def test_several_files_and_globs_and_annotators(label: Any, tmp_path: Path) -> None:
    write(tmp_path / "part-1.csv", ANSWERS[:5])
    write(tmp_path / "part-2.jsonl", ANSWERS[5:])
    one = label("--name", "one", "--from", tmp_path / "part-1.csv", "--from", tmp_path / "part-2.jsonl")
    assert (one[0], one[1]["used"]) == (0, 10)
    code, summary, _ = label("--name", "two", "--from", tmp_path / "part-*", "--annotator", "who")
    assert (code, summary["used"], summary["annotators"], summary["kappa"]) == (0, 10, 2, None)


def test_a_damaged_shard_is_mended_and_told(place: Path, label: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ANSWERS)
    label("--name", "gpt", "--from", file)
    record = store.open(place).label_set("gpt").records()[2]
    flip_bit(LocalStorage(place), f"labels/gpt/{record.file}", 77)
    assert run(["verify", str(place), "--repair"]) == 4
    code, summary, err = label("--name", "gpt", "--from", file)
    assert (code, summary["shards_mended"]) == (0, 1)
    assert "made again 1 damaged shard of the label set 'gpt'" in err
    assert run(["verify", str(place)]) == 0


def test_who_made_it_is_in_the_summary_of_the_store(place: Path, label: Any, tmp_path: Path, capsys: Any) -> None:
    file = write(tmp_path / "a.csv", ANSWERS)
    label("--name", "gpt", "--from", file)
    assert run(["info", str(place), "--format", "json"]) == 0
    families = {one["family"]: one for one in json.loads(capsys.readouterr().out)[0]["families"]}
    assert (families["labels/gpt"]["answers"], families["labels/gpt"]["model"]) == ([str(file)], None)
    assert (families["labels/bert"]["answers"], families["labels/bert"]["model"]) == (None, "test/bert")
    assert run(["info", str(place), "--format", "table"]) == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing option '--teacher' (or '--from'"),
        (["--from", "a.csv"], "--from makes a label set: name it with --name"),
        (["--from", "a.csv", "--name", "x", "--teacher", "m"], "--teacher labels texts with a model, and --from takes"),
        (["in.csv", "--from", "a.csv", "--name", "x"], "INPUT makes a store, and --from takes answers for a store"),
        (["--from", "a.csv", "--name", "x", "--shards", "4"], "--shards is for a run with --teacher"),
        (["--from", "a.csv", "--name", "x", "--dtype", "auto"], "--dtype is for a run with --teacher"),
        (["--from", "a.csv", "--name", "x", "--devices", "cpu"], "--devices is for a run with --teacher"),
        (["--from", "a.csv", "--name", "x", "--no-keep-tokens"], "--keep-tokens is for a run with --teacher"),
        (["--from", "a.csv", "--name", "x", "--no-label"], "--no-label is for a run with --teacher"),
        (["--from", "a.csv", "--name", "x", "--hard", "1"], "'--hard'"),
        (["--from", "a.csv", "--name", "x", "--scores", "odds"], "'--scores'"),
        (["--teacher", "m", "--hard", "0.8"], "--hard says how answers are read, and needs --from INPUT"),
        (["--teacher", "m", "--confidence", "c"], "--confidence says how answers are read"),
        (["--teacher", "m", "--annotator", "c"], "--annotator says how answers are read"),
        (["--teacher", "m", "--scores", "logits"], "--scores says how answers are read"),
    ],
)
def test_flags_that_do_not_go_together_are_usage_errors(label: Any, arguments: list[str], problem: str) -> None:
    code, _, err = label(*arguments)
    assert (code, problem in err) == (2, True), err


def test_a_default_for_every_run_is_no_flag(label: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_LABEL_SHARDS", "16")
    monkeypatch.setenv("ENGINE_LABEL_DTYPE", "fp32")
    assert label("--name", "gpt", "--from", write(tmp_path / "a.csv", ANSWERS))[0] == 0


def test_a_bad_name_and_a_file_that_is_not_there(label: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ANSWERS)
    assert label("--name", "A B", "--from", file)[0] == 1
    code, _, err = label("--name", "gpt", "--from", tmp_path / "b.csv")
    assert (code, "there is no such file" in err) == (1, True)


def test_no_torch_is_loaded(place: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", ANSWERS)
    script = (
        "import sys\nfrom cli.main import run\n"
        f"assert run(['label', '--store', {str(place)!r}, '--name', 'gpt', '--from', {str(file)!r}]) == 0\n"
        "sys.stderr.write('MODULES ' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.partition("MODULES ")[2].split())
    assert "pyarrow" in loaded
    assert not loaded & {"torch", "transformers", "duckdb", "webdataset", "tokenizers"}
