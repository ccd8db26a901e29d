"""``--quiet``, ``--log-level`` and ``--config``: before and behind each command, and which of two holds."""

import json
import logging
import subprocess
import sys

import click
import pytest
from store_factory import NoWaitStorage, make_store

from cli.main import COMMANDS, ERROR, OK, USAGE, cli, run

DEBUG, INFO, QUIET = logging.DEBUG, logging.INFO, logging.ERROR


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store of 50 rows without gold rounds."""
    folder = tmp_path_factory.mktemp("global") / "s"
    make_store(NoWaitStorage(folder))
    return str(folder)


def level_of(*arguments):
    """The level of notes that a command ran with."""
    assert run(list(arguments)) == OK
    return logging.getLogger("engine").level


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_them_once_under_their_heading(command, capsys):
    assert run([command, "--help"]) == OK
    own, heading, everywhere = capsys.readouterr().out.partition("\nOptions of every command:\n")
    assert heading
    for option in ("--quiet", "--log-level", "--log-format", "--config"):
        assert (own.count(f"  {option} "), everywhere.count(f"  {option} ")) == (0, 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_them_behind_its_name(command):
    root = click.Context(cli)
    parser = cli.get_command(root, command).make_parser(root)
    values, _, _ = parser.parse_args(["--quiet", "--log-level", "debug", "--log-format", "json", "--config", "x.toml"])
    assert (values["quiet"], values["log_level"], values["config"]) == (True, "debug", "x.toml")
    assert values["log_format"] == "json"


@pytest.mark.parametrize(
    ("before", "behind", "level"),
    [
        ([], [], INFO),
        (["--quiet"], [], QUIET),
        ([], ["--quiet"], QUIET),
        (["--log-level", "debug"], [], DEBUG),
        ([], ["--log-level", "debug"], DEBUG),
        (["--log-level", "debug"], ["--log-level", "warning"], logging.WARNING),
        (["--log-level", "error"], ["--log-level", "debug"], DEBUG),
        (["--log-level", "debug"], ["--quiet"], QUIET),
        (["--quiet"], ["--log-level", "debug"], DEBUG),
        (["--quiet", "--log-level", "debug"], [], QUIET),
        ([], ["--log-level", "debug", "--quiet"], QUIET),
        (["--log-level", "debug"], ["--log-level", "info", "--quiet"], QUIET),
    ],
)
def test_of_two_that_contradict_the_one_behind_the_command_holds(place, before, behind, level):
    assert level_of(*before, "info", place, *behind) == level


@pytest.mark.parametrize(
    ("variables", "before", "behind", "level"),
    [
        ({"ENGINE_QUIET": "1"}, [], [], QUIET),
        ({"ENGINE_INFO_QUIET": "1"}, [], [], QUIET),
        ({"ENGINE_LOG_LEVEL": "debug"}, [], [], DEBUG),
        ({"ENGINE_LOG_LEVEL": "debug"}, [], ["--log-level", "warning"], logging.WARNING),
        ({"ENGINE_INFO_LOG_LEVEL": "debug"}, ["--log-level", "warning"], [], logging.WARNING),
        ({"ENGINE_LOG_LEVEL": "debug", "ENGINE_INFO_LOG_LEVEL": "warning"}, [], [], logging.WARNING),
        ({"ENGINE_QUIET": "1"}, [], ["--log-level", "debug"], DEBUG),
        ({"ENGINE_QUIET": "0"}, [], [], INFO),
    ],
)
def test_a_flag_counts_more_than_a_variable(place, monkeypatch, variables, before, behind, level):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert level_of(*before, "info", place, *behind) == level


def test_a_command_is_quiet_when_that_is_said_behind_it(place, capsys):
    assert run(["audit", place]) == OK
    assert "agreement is left out" in capsys.readouterr().err
    assert run(["audit", place, "--quiet"]) == OK
    assert capsys.readouterr().err == ""


def test_the_next_command_of_the_same_process_is_not_quiet(place):
    assert level_of("info", place, "--quiet") == QUIET
    assert level_of("info", place) == INFO


def config(folder, content, name="engine.toml"):
    (folder / name).write_text(content)
    return ["--config", str(folder / name)]


def test_a_config_file_is_read_before_and_behind_the_command(place, tmp_path, capsys):
    file = config(tmp_path, '[sql]\nformat = "csv"\n[info]\nformat = "json"\n')
    query = ["sql", place, "SELECT 1 AS a"]
    for arguments in ([*file, *query], [*query, *file], [query[0], *file, *query[1:]]):
        assert run(arguments) == OK
        assert capsys.readouterr().out == "a\n1\n"
    assert run([*query, *file, "--format", "jsonl"]) == OK
    assert capsys.readouterr().out == '{"a": 1}\n'


def test_of_two_config_files_the_one_behind_holds_where_both_say_something(place, tmp_path, capsys):
    first = config(tmp_path, '[sql]\nformat = "csv"\nlabels = "nothing"\n', "first.toml")
    second = config(tmp_path, '[sql]\nlabels = "bert"\n', "second.toml")
    assert run([*first, "sql", place, "SELECT count(*) AS n FROM reviews", *second]) == OK
    assert capsys.readouterr().out == "n\n50\n"


def test_variables_come_before_a_config_file_behind_the_command(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ENGINE_SQL_FORMAT", "json")
    assert run(["sql", place, "SELECT 1 AS a", *config(tmp_path, '[sql]\nformat = "csv"\n')]) == OK
    assert json.loads(capsys.readouterr().out) == [{"a": 1}]


def test_a_config_file_may_say_what_every_command_takes(place, tmp_path):
    file = config(tmp_path, '[info]\nquiet = true\n[sql]\nlog-level = "debug"\n')
    assert level_of(*file, "info", place) == QUIET
    assert level_of("info", place, *file) == QUIET
    assert level_of(*file, "sql", place, "SELECT 1") == DEBUG
    assert level_of(*file, "info", place, "--log-level", "warning") == logging.WARNING


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[nonsense]\n", "[nonsense] is no command; commands are demo, "),
        ("[lable]\n", "[lable] is no command (did you mean 'label'?)"),
        ("[label]\nmax-lenght = 9\n", "`engine label` has no option 'max-lenght' (did you mean 'max-length'?)"),
        ("[sql]\nwhat = 1\n", "`engine sql` has no option 'what'"),
        ('[sql]\nconfig = "b.toml"\n', "`engine sql` has no option 'config'"),
        ("[sql\n", "engine.toml"),
    ],
)
def test_a_config_file_with_mistakes_is_refused_behind_the_command_too(place, tmp_path, capsys, content, message):
    assert run(["info", place, *config(tmp_path, content)]) == USAGE
    assert message in capsys.readouterr().err


def test_debug_tells_where_an_error_came_from(tmp_path, capsys):
    nothing = str(tmp_path / "nothing")
    assert run(["info", nothing]) == ERROR
    assert "Traceback" not in capsys.readouterr().err
    assert run(["info", nothing, "--log-level", "debug"]) == ERROR
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {nothing} is not a store")
    assert "Traceback" in shown
    assert "in read_header" in shown


def test_a_mistake_in_the_program_says_what_a_report_of_it_needs():
    code = "import cli.main as m\nm.run = lambda: {}['key']\nm.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "KeyError: 'key'" in done.stderr
    assert "`engine doctor`" in done.stderr.splitlines()[-1]
