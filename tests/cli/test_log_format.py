"""``--log-format json``: every line on stderr is an object, and none of the text's sentences is lost."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import tiny_models
from store_factory import NoWaitStorage, flip_bit, make_store

from cli.main import ERROR, OK, USAGE, run
from cli.notes import DOOR, TEXT, say

ROOT = Path(__file__).parents[2]
REQUIRED = {"time", "level", "logger", "message"}


@pytest.fixture(autouse=True)
def text_again():
    yield
    DOOR.settle(TEXT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store, a damaged one, a model and some texts, one of which is refused."""
    folder = tmp_path_factory.mktemp("log")
    make_store(NoWaitStorage(folder / "s"))
    damaged = NoWaitStorage(folder / "damaged")
    make_store(damaged)
    name = next(name for name in damaged.list("corpus") if name.endswith(".arrow"))
    flip_bit(damaged, f"corpus/{name}", 2000)
    tiny_models.save(folder / "model")
    (folder / "texts.jsonl").write_text(
        "".join(json.dumps({"id": str(row), "text": text}) + "\n" for row, text in enumerate(tiny_models.texts(40)))
        + '{"id": "bad", "text": null}\n'
    )
    return folder


def engine(*arguments, folder=None, before="", **environment):
    """Run the command in a process of its own, ``before`` it some Python."""
    code = f"{before}\nimport sys\nfrom cli.main import main\nsys.argv[0] = 'engine'\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "NO_COLOR": "1", **environment},
        timeout=300,
    )


def objects(stderr):
    """The lines, each of which has what every line has."""
    said = [json.loads(line) for line in stderr.split("\n") if line]
    for one in said:
        assert one.keys() >= REQUIRED
        assert datetime.fromisoformat(one["time"]).utcoffset().total_seconds() == 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
        assert one["level"] in ("debug", "info", "warning", "error", "critical")
    return said


def sentences(text):
    """Lines without what differs from run to run: times and speeds."""
    lines = (re.sub(r"\d[\d,.e+]*( ?(ms|s|min|h)\b)?", "N", line.strip()) for line in text.splitlines())
    return [line for line in lines if line]


COMMANDS = [
    ([], USAGE),
    (["nonsense"], USAGE),
    (["label", "--nonsense"], USAGE),
    (["sql", "s", "SELECT 1", "--timeout", "never"], USAGE),
    (["info", "nothing"], ERROR),
    (["sql", "s", "SELECT nonsense"], ERROR),
    (["audit", "s"], OK),
    (["verify", "s"], OK),
    (["verify", "damaged"], 4),
    (["remove", "s", "labels/bert"], USAGE),
    (["predict", "model", "texts.jsonl"], 3),
    (["label", "texts.jsonl", "--store", "NEW", "--teacher", "model", "--shards", "2"], 3),
]


@pytest.mark.parametrize(("command", "code"), COMMANDS, ids=str)
def test_json_says_what_text_says(folder, monkeypatch, capsys, command, code):
    monkeypatch.chdir(folder)

    def done(format_):
        assert (
            run(["--log-format", format_, *(f"{format_}.store" if word == "NEW" else word for word in command)]) == code
        )
        return capsys.readouterr()

    text, as_json = done("text"), done("json")
    said = objects(as_json.err)
    words = ["warning: " * (one["level"] == "warning") + one["message"] for one in said[:-1]]
    assert sentences("\n".join(words)) == [line.replace("text.store", "json.store") for line in sentences(text.err)]
    assert (said[-1]["message"], said[-1]["exit_code"]) == (f"ended with exit code {code}", code)
    assert sentences(as_json.out.replace("json.store", "text.store")) == sentences(text.out)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["info", "nothing"], "StoreMissingError", ERROR),
        (["sql", "s", "SELECT nonsense"], "QueryError", ERROR),
        (["info", "--nonsense"], "NoSuchOption", USAGE),
        (["predict", "model", "texts.jsonl", "--on-bad-row", "fail"], "InputError", ERROR),
    ],
)
def test_an_error_has_its_class_and_the_exit_code(folder, monkeypatch, capsys, arguments, kind, code):
    monkeypatch.chdir(folder)
    assert run([*arguments, "--log-format", "json"]) == code
    (error,) = [one for one in objects(capsys.readouterr().err) if "error" in one]
    assert (error["level"], error["error"], error["exit_code"]) == ("error", kind, code)


@pytest.mark.parametrize(
    ("variables", "config", "arguments", "is_json"),
    [
        ({}, "", ["info", "nothing", "--nonsense", "--log-format=json"], True),
        ({}, "", ["--log-format", "json", "info", "nothing", "--log-format", "text"], False),
        ({"ENGINE_LOG_FORMAT": "json"}, "", ["info", "nothing"], True),
        ({"ENGINE_LOG_FORMAT": "json"}, "", ["info", "nothing", "--nonsense"], True),
        ({"ENGINE_INFO_LOG_FORMAT": "json"}, "", ["info", "nothing", "--nonsense"], True),
        ({"ENGINE_INFO_LOG_FORMAT": "json"}, "", ["sql", "nothing", "--nonsense"], False),
        ({"ENGINE_LOG_FORMAT": "json"}, "", ["info", "nothing", "--log-format", "text"], False),
        ({}, '[info]\nlog-format = "json"\n', ["info", "nothing"], True),
        ({}, '[info]\nlog-format = "json"\n', ["info", "nothing", "--nonsense"], True),
        ({"ENGINE_LOG_FORMAT": "text"}, '[info]\nlog-format = "json"\n', ["info", "nothing"], False),
        ({}, "[info\n", ["info", "nothing", "--log-format", "json"], True),
    ],
)
def test_the_format_comes_from_where_other_options_come_from(
    tmp_path, monkeypatch, capsys, variables, config, arguments, is_json
):
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if config:
        Path("engine.toml").write_text(config)
        arguments = [*arguments, "--config", "engine.toml"]
    assert run(arguments) in (ERROR, USAGE)
    shown = capsys.readouterr().err
    assert shown
    if is_json:
        objects(shown)
    else:
        assert "{" not in shown


def test_progress_has_its_figures(folder, tmp_path):
    at_once = "import cli.progress as p; p.LINE_SECONDS = p._FIRST_SECONDS = 0.0"
    done = engine("copy", "s", str(tmp_path / "b"), "--log-format", "json", folder=folder, before=at_once)
    said = [one for one in objects(done.stderr) if "what" in one]
    assert said
    for one in said:
        assert one.keys() == {*REQUIRED, "what", "done", "total", "rate", "seconds_left"}
        assert one["message"].startswith(one["what"])
        assert one["total"] is None or 0 <= one["done"] <= one["total"]


WRITERS = {
    "a warning": "import warnings; warnings.warn('a word of its own')",
    "a handler of a library": "h = logging.StreamHandler(); logging.getLogger('lib').addHandler(h);"
    "logging.getLogger('lib').propagate = False; logging.getLogger('lib').error('a word of its own')",
    "a logger": "logging.getLogger('lib').warning('a word %s', 'of its own')",
    "a record that does not fit": "logging.getLogger('lib').warning('a word of its own %d', 'x')",
    "a thread": "t = threading.Thread(target=lambda: {}['a word of its own']); t.start(); t.join()",
    "print": "print('a word', 'of its own', file=sys.stderr)",
    "print without an end": "print('a word of its own', file=sys.stderr, end='')",
    "a bar": "sys.stderr.write('\\r 10%'); sys.stderr.write('\\ra word of its own\\n')",
    "bytes that are no text": "print('a word of its own \\udcff', file=sys.stderr)",
    "a mistake": "raise KeyError('a word of its own')",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_whoever_writes_to_stderr_writes_an_object(folder, writer):
    before = (
        "import cli.commands.info as info, logging, sys, threading\n"
        f"def invoke(*_, **__):\n    {WRITERS[writer]}\n    return 0\n"
        "info.command.callback = invoke"
    )
    done = engine("info", "s", "--log-format", "json", folder=folder, before=before)
    said = objects(done.stderr)
    assert sum("a word of its own" in one["message"] for one in said) >= 1
    assert said[-1]["exit_code"] == done.returncode == (1 if writer == "a mistake" else 0)


def test_with_quiet_only_errors_are_objects(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert run(["audit", "s", "--quiet", "--log-format", "json"]) == OK
    assert capsys.readouterr().err == ""
    assert run(["info", "nothing", "--quiet", "--log-format", "json"]) == ERROR
    assert {one["level"] for one in objects(capsys.readouterr().err)} == {"error"}


def test_a_warning_is_told_from_a_note(capsys):
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        say("a word\nand another", level=level)
    assert capsys.readouterr().err == "a word\nand another\nwarning: a word\nand another\na word\nand another\n"


def test_the_next_command_of_the_same_process_writes_text(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    real = sys.stderr
    assert run(["info", "nothing", "--log-format", "json"]) == ERROR
    objects(capsys.readouterr().err)
    assert run(["info", "nothing"]) == ERROR
    assert capsys.readouterr().err.startswith("error: nothing is not a store")
    assert sys.stderr is real


class Gone(io.StringIO):
    """The stream of a reader that has gone."""

    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_command_goes_on_when_nobody_reads_what_it_says(folder, monkeypatch, capsys, format_):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stderr", Gone())
    assert run(["audit", "s", "--format", "json", "--log-format", format_]) == OK
    assert capsys.readouterr().out


def test_commands_say_what_they_say_through_one_door():
    """Questions are asked of a terminal, and the bar is drawn on one: neither is there when notes are JSON."""
    others = {
        (str(path.relative_to(ROOT)), line.strip())
        for package in ("cli", "engine", "store")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"err=True|stderr=True|sys\.stderr\.write|file=sys\.stderr|stream=sys\.stderr|\.show\(\)", line)
    }
    assert {path for path, line in others if "click.confirm(" not in line} <= {"cli/notes.py", "cli/progress.py"}
    assert {line for path, line in others if path == "cli/progress.py"} == {
        "with Progress(*columns, console=Console(stderr=True), transient=True) as shown:"
    }


def test_levels_tell_what_is_grave(capsys):
    DOOR.settle("json")
    say("done")
    say("3 rows were rejected", level=logging.WARNING, rows=3)
    first, second = objects(capsys.readouterr().err)
    assert (first["level"], second["level"], second["rows"]) == ("info", "warning", 3)
