"""``engine compare`` on a user's own files: one table and one text file, five classes, every format, what is refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest
import tiny_models
from click.testing import CliRunner
from row_files import write

from cli.main import run
from cli.options.comparing import read_recipes, recipe_options
from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.results import ARMS
from engine.outputs.remote import remote_of

CLASSES = ("billing", "bugs", "praise", "sales", "spam")
QUICK = [
    *["--teacher-epochs", "1", "--direct-epochs", "1", "--distilled-epochs", "1", "--max-length", "16"],
    *["--dtype", "fp32", "--near-duplicates", "0"],
]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A table of two columns, one of five classes in each row, a text file, and two models."""
    folder = tmp_path_factory.mktemp("own")
    texts = tiny_models.texts(60, words=(4, 6))
    rows = [{"message": f"{text} {place}", "queue": CLASSES[place % 5]} for place, text in enumerate(texts)]
    write(folder / "own.csv", rows)
    (folder / "own.txt").write_text("".join(f"{text} and more\n" for text in tiny_models.texts(40, words=(5,), seed=1)))
    tiny_models.save(folder / "teacher")
    tiny_models.save(folder / "student", tiny_models.bert(num_hidden_layers=1))
    return folder


def command(own, out, *more):
    return [
        *["compare", "--labelled", str(own / "own.csv"), "--unlabelled", str(own / "own.txt")],
        *["--text", "message", "--label", "queue", "--teacher", str(own / "teacher")],
        *["--student", str(own / "student"), "--out", str(out), "--seeds", "1", *QUICK, *more],
    ]


@pytest.fixture(scope="module")
def done(own, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "out"
    assert run(command(own, out, "--quiet")) == 0
    return out


def test_the_student_is_a_model_or_layers_of_the_teacher(own, tmp_path, capsys):
    without = [part for part in command(own, tmp_path / "out") if part not in ("--student", str(own / "student"))]
    for more in ([], ["--layers", "0", "--student", str(own / "student")]):
        assert run([*without, *more]) == 2
        assert "give --student MODEL, or --layers 1,3,5" in capsys.readouterr().err
    for layers, problem in (("7", "#layers=7 asks for others"), ("a", "#layers=a")):
        assert run([*without, "--layers", layers]) == 1
        assert problem in capsys.readouterr().err
    assert run([*without, "--layers", "0", "--format", "jsonl"]) == 0
    models = {row["arm"]: row["model"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert models["distilled"] == "teacher#layers=0"


def test_a_table_of_two_columns_and_a_text_file_get_the_table(own, done, capsys):
    assert run(command(own, done, "--format", "table")) == 0
    printed = capsys.readouterr()
    assert "with a chance of 80 % is some" not in printed.err, "nothing is left to be done"
    lines = [line.split() for line in printed.out.splitlines()]
    by_arm = {words[0]: words[1:3] for words in lines[:20] if words and words[0] in ARMS}
    assert by_arm == {
        "teacher": ["20", "–"], "distilled": ["20", "40"], "self-distilled": ["20", "40"], "direct": ["20", "–"],
        "direct+extra": ["40", "–"],
    }  # fmt: skip
    assert np.load(done / "runs" / "teacher-0.npy").shape == (20, 5)


def test_programs_get_a_record_a_row_and_json_has_everything(own, done, capsys):
    assert run(command(own, done)) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(record["arm"], record["labels"]) for record in records} == {
        ("teacher", 20), ("distilled", 20), ("direct", 20), ("direct+extra", 40), ("self-distilled", 20),
    }  # fmt: skip
    assert run(command(own, done, "--format", "csv")) == 0
    assert len(list(csv.DictReader(capsys.readouterr().out.splitlines()))) == 5
    assert run(command(own, done, "--format", "json")) == 0
    everything = json.loads(capsys.readouterr().out)
    assert len(everything["rows"]) == 5
    assert len(everything["sentences"]) >= 3
    for format_, sign in (("markdown", "|"), ("latex", "\\begin{"), ("html", "<table")):
        assert run(command(own, done, "--format", format_)) == 0
        assert sign in capsys.readouterr().out


@pytest.mark.slow
def test_plots_are_written_where_they_are_asked_for(own, done, tmp_path, capsys):
    assert run(command(own, done, "--plots", str(tmp_path / "plots"))) == 0
    assert {file.suffix for file in (tmp_path / "plots").iterdir()} == {".png", ".svg", ".pdf"}
    assert run(command(own, done, "--plots", "memory://plots")) == 0
    assert remote_of("memory://plots").sizes().keys() == {file.name for file in (tmp_path / "plots").iterdir()}
    assert run(command(own, done, "--plots", "https://example.org/plots")) == 2


def test_each_step_is_said_on_stderr_and_not_where_all_are_done(own, tmp_path, capsys):
    assert run(command(own, tmp_path / "out", "--max-hours", "1e-9")) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "20 of the 60 labelled rows are held out for the test; --test names others" in printed.err
    assert printed.err.count("The smallest difference that 20 test rows show with a chance of 80 % is some 15.34") == 1
    assert "if two models disagree on 6% of them" in printed.err
    assert "no model is trained yet; run the same command again, with more --max-hours" in printed.err


def test_rows_that_were_refused_give_another_exit_code(own, done, tmp_path, capsys):
    assert run(command(own, done)) == 0
    rows = json.loads((done / "data" / "rows.json").read_text())
    try:
        changed = {**rows, "rejected": 2, "reasons": ["own.csv row 7: text is empty"]}
        (done / "data" / "rows.json").write_text(json.dumps(changed))
        capsys.readouterr()
        assert run(command(own, done)) == 3
        assert "2 rows were rejected:\n  own.csv row 7: text is empty\n" in capsys.readouterr().err
    finally:
        (done / "data" / "rows.json").write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--label-sizes", "10,x"], "'x' is no number of rows; give some as 500,1000,2000"),
        (["--label-sizes", "0"], "'0' is no number of rows"),
        (["--pool-sizes", "1.5"], "'1.5' is no number of rows"),
        (["--seeds", "0"], "--seeds"),
        (["--near-duplicates", "2"], "--near-duplicates"),
        (["--max-hours", "0"], "--max-hours"),
        (["--price-label", "-1"], "--price-label"),
        (["--no-label"], "--label names the column of labels, and --no-label says that there is none"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(own, tmp_path, capsys, given, says):
    assert run(command(own, tmp_path / "out", *given)) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_what_there_is_too_little_of_is_said_with_its_option(own, done, capsys):
    assert run(command(own, done, "--label-sizes", "41")) == 1
    assert "--label-sizes has 41, and there are 40 labelled rows beside the test" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_stops_it_and_the_same_command_goes_on(own, done, tmp_path):
    """In processes of their own: SIGTERM while it works, another one beside it, and then the same results."""
    start = [sys.executable, "-m", "cli", *command(own, tmp_path / "out")]
    process = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 240
    while not (tmp_path / "out" / "runs" / "teacher-0.json").exists():
        assert time.monotonic() < ends
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    out, said = process.communicate(timeout=240)
    assert process.returncode == 143
    assert out == ""
    assert "stopped by SIGTERM; what was committed stays. Run the same command again to go on" in said
    both = [
        subprocess.Popen(
            start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        for _ in range(2)
    ]
    for one in both:
        out, said = one.communicate(timeout=240)
        assert one.returncode == 0, said
        assert len(out.splitlines()) == 5
    for name in ("teacher-0", "distilled-0", "direct+extra-0", "self-distilled-0"):
        ours, theirs = (np.load(folder / "runs" / f"{name}.npy") for folder in (tmp_path / "out", done))
        np.testing.assert_allclose(ours.astype(np.float32), theirs.astype(np.float32), atol=1e-2)


def test_the_recipes_of_the_command_are_those_of_the_library():
    @click.command()
    @recipe_options
    def asked(**options):
        asked.recipes = read_recipes(options)

    assert CliRunner().invoke(asked, [], catch_exceptions=False).exit_code == 0
    chosen = CompareConfig(
        labelled=("a",), unlabelled=("b",), teacher="t", student="s", out="o", **{**asked.recipes, "max_length": None}
    )
    usual = CompareConfig(labelled=("a",), unlabelled=("b",), teacher="t", student="s", out="o", max_length=None)
    assert chosen == usual
