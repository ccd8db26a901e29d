import csv
import errno
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from forked import Forked

from cli.main import COMMANDS, cli, no_space, run
from cli.options.shared import FORMATS

ROOT = Path(__file__).parents[2]
QUERY = "SELECT class, count(*) AS n FROM labels GROUP BY 1 ORDER BY 1"


def loaded_by(code):
    """Names of the modules that ``code`` loads in a fresh process."""
    script = f"import sys\n{code}\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy():
    loaded = loaded_by("from cli.main import run\nrun(['--help'])\n")
    assert "cli.commands.label.command" in loaded
    assert not loaded & {
        "torch",
        "transformers",
        "pyarrow",
        "duckdb",
        "numpy",
        "rich",
        "webdataset",
        "altair",
        "vl_convert",
    }


def test_import_engine_and_store_load_no_torch():
    assert not loaded_by("import engine, store") & {"torch", "transformers", "duckdb", "webdataset"}


def test_sql_loads_no_torch(demo):
    loaded = loaded_by(f"from cli.main import run\nassert run(['sql', {demo.path('reviews.store')!r}, {QUERY!r}]) == 0")
    assert "pyarrow" in loaded
    assert not loaded & {"torch", "transformers", "webdataset"}


def test_every_public_name_of_engine_is_there():
    import engine

    assert all(callable(getattr(engine, name)) for name in engine.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = engine.nothing


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example:\n    engine {command} " in shown


def test_the_summaries_of_commands_are_whole_at_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert [line for line in lines if line.endswith(("...", "…"))] == []
    assert max(map(len, lines)) <= 80


def test_version_and_no_command(capsys):
    assert run(["--version"]) == 0
    assert "engine, version" in capsys.readouterr().out
    assert run([]) == 2
    assert run(["nonsense"]) == 2
    assert "No such command 'nonsense'.\n" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("lable", "label"), ("Predict", "predict"), ("fine-tune", "finetune")])
def test_a_command_that_is_nearly_right_is_named(capsys, typed, meant):
    assert run([typed, "--help"]) == 2
    assert f"No such command {typed!r} (did you mean {meant!r}?).\n" in capsys.readouterr().err


def test_every_command_prints_in_the_formats_that_the_readme_names():
    context = cli.make_context("engine", [], resilient_parsing=True)
    others = {}
    for name in COMMANDS:
        (option,) = [one for one in cli.get_command(context, name).params if one.name == "format"]
        if not set(FORMATS) <= set(option.type.choices):
            others[name] = option.type.choices
    ((name, choices),) = others.items()
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    said = f"each but `{name}` has `--format {'|'.join(FORMATS)}` for what it prints; that of `{name}` (`{'|'.join(choices)}`)"
    assert said in readme


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("engine la", "label"), ("engine label --dry", "--dry-run"), ("engine audit --qu", "--quiet")],
)
def test_a_shell_completes_commands_and_options(monkeypatch, capsys, typed, completed):
    monkeypatch.setenv("_ENGINE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    with pytest.raises(SystemExit):
        cli.main(prog_name="engine")
    assert f"plain,{completed}" in capsys.readouterr().out.split()


def test_python_dash_m_cli_is_the_same_command(run_engine):
    done = run_engine("--version")
    assert (done.returncode, done.stdout.startswith("engine, version")) == (0, True)


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv", "markdown", None])
def test_every_format_says_the_same(demo, capsys, format_):
    arguments = ["sql", demo.path("reviews.store"), QUERY, *(["--format", format_] if format_ else [])]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    if format_ == "json":
        rows = json.loads(shown)
    elif format_ == "csv":
        rows = [{**row, "n": int(row["n"])} for row in csv.DictReader(io.StringIO(shown))]
    elif format_ in ("table", "markdown"):
        cells = [line.replace("|", " ").split() for line in shown.splitlines()]
        rows = [{"class": cell[0], "n": int(cell[1])} for cell in cells if len(cell) == 2 and cell[1].isdecimal()]
        assert ("|" in shown) == (format_ == "markdown")
    else:
        rows = [json.loads(line) for line in shown.splitlines()]
    assert [row["class"] for row in rows] == ["negative", "positive"]
    assert sum(row["n"] for row in rows) == demo.rows


def test_a_result_without_rows_keeps_its_columns(demo, capsys):
    assert run(["sql", demo.path("reviews.store"), "SELECT id, text FROM corpus WHERE false", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "id,text\n"


def test_values_of_all_kinds_can_be_printed(demo, capsys):
    query = (
        "SELECT 'NaN'::DOUBLE a, DATE '2020-01-02' b, '\\x01'::BLOB c, [1.5, NULL] d, {'k': 1} e, "
        "1.50::DECIMAL(9, 2) f, NULL g"
    )
    assert run(["sql", demo.path("reviews.store"), query]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row == {"a": None, "b": "2020-01-02", "c": "01", "d": [1.5, None], "e": {"k": 1}, "f": 1.5, "g": None}
    for format_ in ("table", "csv", "markdown"):
        assert run(["sql", demo.path("reviews.store"), query, "--format", format_]) == 0
        assert "2020-01-02" in capsys.readouterr().out


def test_text_cannot_drive_the_terminal(demo, capsys):
    query = "SELECT chr(27) || '[31mred' || chr(10) || '[bold]x[/bold]' AS text"
    assert run(["sql", demo.path("reviews.store"), query, "--format", "table"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown


def test_columns_of_the_same_name_are_all_there(demo, capsys):
    query = "SELECT 'a' AS c, 'b' AS c, 1 AS c_1, 'd' AS c"
    assert run(["sql", demo.path("reviews.store"), query]) == 0
    assert list(json.loads(capsys.readouterr().out).values()) == ["a", "b", 1, "d"]


def test_whole_decimals_are_integers_and_floats_keep_their_digits(demo, capsys):
    query = (
        "SELECT sum(n::BIGINT) AS total, 0.1234567890123::DOUBLE AS share FROM (SELECT unnest([9007199254740993, 2]) n)"
    )
    assert run(["sql", demo.path("reviews.store"), query, "--format", "csv"]) == 0
    assert capsys.readouterr().out == "total,share\n9007199254740995,0.1234567890123\n"


def damage(file):
    """Another byte, so that no check can pass; a file that is merely cut short is not there, and its copy speaks."""
    data = file.read_bytes()
    file.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])


def test_damage_is_damage_in_sql_too(demo, tmp_path, capsys):
    place = tmp_path / "store"
    assert run(["label", demo.path("gold.parquet"), "--store", str(place), "--teacher", demo.path("teacher")]) == 0
    damage(place / "store.json")
    assert run(["sql", str(place), "SELECT 1"]) == 4
    assert "store.json is damaged" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(demo, tmp_path, capsys):
    arguments = ["label", demo.path("gold.parquet"), "--store", str(tmp_path / "s"), "--teacher", demo.path("teacher")]
    assert run([*arguments, "--devices", "cuda:99"]) == 1
    assert "--devices is cuda:99, and this machine has" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_held_out_rows_that_were_refused_are_told(demo, tmp_path, capsys):
    (tmp_path / "test.csv").write_text("text,label\ngood food,positive\nbad food,awful\n")
    arguments = ["finetune", demo.path("gold.parquet"), "--model", demo.path("start-student"), "--epochs", "1"]
    assert run([*arguments, "--out", str(tmp_path / "out"), "--eval", str(tmp_path / "test.csv")]) == 3
    assert "unknown label 'awful'" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".csv", ".json", ".jsonl"])
def test_lists_and_no_rows_go_into_files_too(demo, tmp_path, ending):
    for query, rows in (("SELECT logits, class FROM labels LIMIT 3", 3), ("SELECT logits FROM labels WHERE false", 0)):
        out = tmp_path / f"out{ending}"
        assert run(["sql", demo.path("reviews.store"), query, "--out", str(out)]) == 0
        if ending == ".csv":
            found = [json.loads(row["logits"]) for row in csv.DictReader(io.StringIO(out.read_text()))]
        else:
            text = out.read_text()
            found = json.loads(text) if ending == ".json" else [json.loads(line) for line in text.splitlines()]
        assert len(found) == rows
        assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".json", ".jsonl", ".arrow"])
def test_results_go_into_files(demo, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    assert run(["sql", demo.path("reviews.store"), QUERY, "--out", str(out)]) == 0
    if ending == ".parquet":
        table = pq.read_table(out)
    elif ending == ".arrow":
        table = pa.ipc.open_file(pa.memory_map(str(out))).read_all()
    elif ending == ".csv":
        table = pa.csv.read_csv(out)
    else:
        text = out.read_text()
        table = pa.Table.from_pylist(
            json.loads(text) if ending == ".json" else [json.loads(line) for line in text.splitlines()]
        )
    assert sum(table.column("n").to_pylist()) == demo.rows
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_query_comes_from_a_file_or_the_line(demo, tmp_path, capsys):
    (tmp_path / "q.sql").write_text(QUERY)
    assert run(["sql", demo.path("reviews.store"), "--file", str(tmp_path / "q.sql")]) == 0
    assert '"class": "negative"' in capsys.readouterr().out
    assert run(["sql", demo.path("reviews.store")]) == 2
    assert run(["sql", demo.path("reviews.store"), QUERY, "--out", "result.xls"]) == 2
    assert "known endings" in capsys.readouterr().err


def test_refusals_are_errors_with_one_message_and_no_traceback(demo, capsys):
    for arguments in (
        ["sql", demo.path("reviews.store"), "DROP VIEW labels"],
        ["sql", demo.path("nothing.store"), QUERY],
        ["info", demo.path("nothing.store")],
        ["label", "--store", demo.path("none.store"), "--teacher", demo.path("teacher")],
        ["train", demo.path("reviews.store"), "--student", demo.path("nothing"), "--out", demo.path("new")],
        ["eval", demo.path("teacher"), demo.path("unlabelled.parquet")],
    ):
        assert run(arguments) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert "Traceback" not in message


def test_a_query_that_runs_for_ever_is_ended(demo, capsys):
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range % 7 = 3"
    assert run(["sql", demo.path("reviews.store"), endless, "--timeout", "1.5"]) == 1
    assert "ran past its limit of 1.5 s" in capsys.readouterr().err


def test_damage_has_its_own_exit_code(demo, tmp_path, capsys):
    place = tmp_path / "store"
    arguments = ["label", demo.path("gold.parquet"), "--store", str(place), "--teacher", demo.path("teacher")]
    assert run(arguments) == 0
    damage(place / "store.json")
    assert run(["info", str(place)]) == 4
    assert "store.json is damaged" in capsys.readouterr().err


def test_rejected_rows_give_exit_code_3_and_a_way_to_see_them(demo, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": ""}\n{"text": 5}\nnonsense\n{"text": "bad"}\n')
    arguments = ["label", str(tmp_path / "in.jsonl"), "--store", str(tmp_path / "s"), "--teacher", demo.path("teacher")]
    assert run([*arguments, "--on-bad-row", "fail"]) == 1
    assert "in.jsonl row 2: text is empty" in capsys.readouterr().err
    assert run(arguments) == 3
    shown = capsys.readouterr()
    assert "3 input rows were rejected" in shown.err
    summary = json.loads(shown.out)
    assert (summary["rows"], summary["rejected"]) == (2, 3)
    assert run(["sql", str(tmp_path / "s"), "SELECT source_row, reason FROM rejects ORDER BY 1"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source_row"] for row in rows] == [2, 3, 4]
    assert run(arguments) == 3  # the same inputs, as after a kill
    assert "3 input rows were rejected" in capsys.readouterr().err


def test_rows_that_another_run_rejected_are_none_of_this_one_s(demo, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": ""}\n{"text": "bad"}\n')
    (tmp_path / "more.jsonl").write_text('{"text": "fine"}\n')
    place, teacher = str(tmp_path / "s"), ["--teacher", demo.path("teacher")]
    assert run(["label", str(tmp_path / "in.jsonl"), "--store", place, *teacher]) == 3
    capsys.readouterr()
    more = (
        ["label", "--store", place, *teacher],
        ["label", "--store", place, *teacher, "--name", "second"],
        ["label", str(tmp_path / "more.jsonl"), "--store", place, *teacher, "--append"],
    )
    for arguments in more:
        assert run(arguments) == 0
        shown = capsys.readouterr()
        assert "rejected;" not in shown.err
        assert (json.loads(shown.out)["rejected"], json.loads(shown.out)["rejected_given"]) == (1, 0)
    assert run(["label", str(tmp_path / "in.jsonl"), str(tmp_path / "more.jsonl"), "--store", place, *teacher]) == 3
    assert json.loads(capsys.readouterr().out)["rejected_given"] == 1


def test_a_model_in_the_place_of_a_store_is_said_to_be_one(demo, tmp_path, capsys):
    model, gold, out = demo.path("teacher"), demo.path("gold.parquet"), str(tmp_path / "out")
    taking_a_store = [
        ["info", model],
        ["sql", model, "SELECT 1"],
        ["audit", model],
        ["audit", model, "near-duplicates"],
        ["audit", model, "--gold", gold],
        ["audit", model, "--calibrate"],
        ["select", model, "--list"],
        ["report", model, "--out", f"{out}.html"],
        ["verify", model],
        ["copy", model, out],
        ["remove", model, "labels/teacher"],
        ["export", model, "--to", "parquet", "--out", out],
        ["train", model, "--student", model, "--out", out],
        ["finetune", "--from-store", model, "--model", model, "--out", out],
        ["label", "--store", model, "--teacher", model],
        ["label", gold, "--store", model, "--teacher", model],
        ["label", "--store", model, "--name", "gpt", "--from", gold],
    ]
    for arguments in taking_a_store:
        assert run(arguments) == 1, arguments
        said = capsys.readouterr().err
        assert f"{model} is a model, and a store is needed. `engine eval {model} INPUT` says" in said, arguments


def test_a_store_in_the_place_of_a_model_is_said_to_be_one(demo, tmp_path, capsys):
    place, gold, out = demo.path("reviews.store"), demo.path("gold.parquet"), str(tmp_path / "out")
    taking_a_model = [
        ["predict", place, gold, "--out", f"{out}.csv"],
        ["eval", place, gold],
        ["export", place, "--to", "onnx", "--out", out],
        ["finetune", gold, "--model", place, "--out", out],
        ["label", gold, "--store", out, "--teacher", place],
        ["train", place, "--student", place, "--out", out],
    ]
    for arguments in taking_a_model:
        assert run(arguments) in (1, 2), arguments
        assert "it is a store and no model: name a folder that `engine finetune`" in capsys.readouterr().err, arguments


def test_info_says_what_is_there(demo, capsys):
    assert run(["info", demo.path("reviews.store"), "--format", "json"]) == 0
    (info,) = json.loads(capsys.readouterr().out)
    assert (info["rows"], info["shards"], info["rejected"], info["classes"]) == (
        demo.rows,
        4,
        0,
        ["negative", "positive"],
    )
    families = {family["family"]: family for family in info["families"]}
    assert all(family["sealed"] and family["rows"] == demo.rows for family in families.values())
    assert families["labels/teacher"]["model"] == str(demo.made_in / "teacher")
    assert run(["info", demo.path("reviews.store"), "--format", "table"]) == 0
    assert "labels/teacher" in capsys.readouterr().out


def test_the_four_commands_in_a_row(demo, tmp_path, capsys):
    gold, test = demo.path("gold.parquet"), demo.path("test.parquet")
    teacher, place, student = str(tmp_path / "teacher"), str(tmp_path / "store"), str(tmp_path / "student")
    assert (
        run(["finetune", gold, "--model", demo.path("pretrained"), "--out", teacher, "--epochs", "1", "--eval", test])
        == 0
    )
    assert 0 < json.loads(capsys.readouterr().out)["eval_accuracy"] <= 1
    assert run(["label", demo.path("unlabelled.parquet"), "--store", place, "--teacher", teacher, "--shards", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["shards_done"] == 3
    assert run(["train", place, "--student", demo.path("start-student"), "--out", student, "--epochs", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == demo.rows
    assert run(["eval", student, test, "--against", teacher]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["rows"] == 2000
    assert set(judged["against"]) == {teacher}
    assert run(["eval", student, test, "--against", teacher, "--format", "table"]) == 0
    assert "→ positive" in capsys.readouterr().out


def test_bad_usage_is_2(demo, capsys):
    for arguments in (
        ["label", "--store", "s"],
        ["label", "--store", "s", "--teacher", "t", "--devices", "tpu"],
        ["label", "--store", "s", "--teacher", "t", "--devices", "cpu,,cpu"],
        ["label", "--store", "s", "--teacher", "t", "--devices", "auto,cpu"],
        *(["label", "--store", "s", "--teacher", "t", "--worker", part] for part in ("2/2", "0/0", "1", "-1/2", "a/b")),
        ["label", "--store", "s", "--teacher", "t", "--shards", "0"],
        ["label", "--store", "s", "--teacher", "t", "--classes", "a,,b"],
        ["finetune", "--model", "m", "--out", "o"],
        ["demo", "--out", str(demo.folder)],
    ):
        assert run(arguments) == 2
        assert capsys.readouterr().err


def test_options_come_from_flags_then_variables_then_the_file(demo, tmp_path, capsys, monkeypatch):
    (tmp_path / "engine.toml").write_text('[sql]\nformat = "csv"\n')
    config, query = ["--config", str(tmp_path / "engine.toml")], ["sql", demo.path("reviews.store"), "SELECT 1 AS a"]
    assert run([*config, *query]) == 0
    assert capsys.readouterr().out == "a\n1\n"
    monkeypatch.setenv("ENGINE_SQL_FORMAT", "json")
    assert run([*config, *query]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 1}]
    assert run([*config, *query, "--format", "jsonl"]) == 0
    assert capsys.readouterr().out == '{"a": 1}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [("[nonsense]\n", "is no command"), ("[sql]\nwhat = 1\n", "has no option 'what'"), ("[sql\n", "engine.toml")],
)
def test_a_config_file_with_mistakes_is_refused(demo, tmp_path, capsys, content, message):
    (tmp_path / "engine.toml").write_text(content)
    assert run(["--config", str(tmp_path / "engine.toml"), "info", demo.path("reviews.store")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)])
def test_a_signal_ends_with_its_code_and_the_store_resumes(demo, tmp_path, sent, code):
    place = tmp_path / "store"
    command = ["label", demo.path("unlabelled.parquet"), "--store", str(place), "--teacher", demo.path("teacher")]
    process = Forked([*command, "--shards", "40"])
    while len(list(place.glob("labels/*/0*.json"))) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(sent)
    _, message = process.communicate(timeout=30)
    assert process.returncode == code
    assert "what was committed stays" in message
    assert run(["label", "--store", str(place), "--teacher", demo.path("teacher")]) == 0


def test_a_full_disk_is_told_with_the_way_on():
    message = no_space(OSError(errno.ENOSPC, "No space left on device", "/data/s.store/tmp/1"))
    assert message.startswith("no space left on the disk of /data/s.store/tmp/1")
    assert message.endswith("Make space and run the same command again to go on")
    assert no_space(OSError(errno.EIO, "Input/output error")) is None


def test_a_reader_that_goes_away_is_no_error(demo):
    command = [sys.executable, "-m", "cli", "sql", demo.path("reviews.store"), "SELECT * FROM range(1000000)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_quiet_says_nothing_but_the_result(demo, tmp_path):
    place = str(tmp_path / "s")
    done = Forked(["--quiet", "label", demo.path("gold.parquet"), "--store", place, "--teacher", demo.path("teacher")])
    said, noise = done.communicate(timeout=90)
    assert (done.returncode, noise) == (0, "")
    assert json.loads(said)["rows_done"] == 300


def test_the_demo_prints_four_measured_rows(demo):
    assert [(arm.procedure, arm.sample_size) for arm in demo.arms] == [
        ("8,000 hotel reviews, then gold", 300),
        ("distilled from the teacher", demo.rows),
        ("fine-tuned on gold", 300),
        ("fine-tuned on twice the gold", 600),
    ]
    judged = json.loads((demo.folder / "student" / "training.json").read_text())
    assert judged["evaluation"]["accuracy"] == demo.arms[1].accuracy
    assert Path(demo.path("reviews.store"), "store.json").exists()
    assert "Look at it: FOLDER/report.html" in demo.said
    page = Path(demo.path("report.html")).read_text()
    assert all(f"<bdi>{run}</bdi>" in page for run in ("teacher", "student", "direct", "direct-double"))
    assert "SELECT class" in demo.said
