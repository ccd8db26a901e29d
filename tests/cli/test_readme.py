import re
import shlex
from pathlib import Path

import pytest

from cli.main import COMMANDS, cli, run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
SHELL = [line for language, block in BLOCKS if not language for line in block.splitlines()]


def test_the_readme_starts_with_the_two_commands():
    assert SHELL[:2] == ["pip install -e . && engine demo", "pip install -e '.[dev]' && pytest"]


def test_ci_runs_exactly_the_second_command():
    lines = [line.replace(" --quiet", "") for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert SHELL[1] in lines


def test_every_command_is_in_the_readme_and_no_other():
    assert re.findall(r"^\| `engine (\w+)`", README, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("engine ")])
def test_the_readmes_command_lines_have_options_that_exist(line):
    import click

    _, name, *arguments = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    context = command.make_context(name, arguments)
    assert context.params


def test_the_readmes_query_runs(demo, capsys):
    (line,) = [line for line in SHELL if line.startswith("engine sql")]
    arguments = shlex.split(line.replace("reviews.store", demo.path("reviews.store")))[1:]
    assert run(arguments) == 0
    assert '"class": "positive"' in capsys.readouterr().out


def test_the_readmes_python_runs(demo, monkeypatch):
    monkeypatch.chdir(demo.folder)
    service, code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(service, names)
    assert len(names["answers"].classes) == 2
    exec(code, names)
    assert names["unsure"].num_rows <= 20
    assert names["logits"].shape[1] == 2


def test_the_readmes_tables_are_those_of_the_results():
    from benchmarks.tables import fill

    assert fill(README) == README
