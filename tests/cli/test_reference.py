"""REFERENCE.md says what the commands' help says, whatever the terminal and the variables are."""

import re

import click
import pytest

from cli.main import COMMANDS, cli
from cli.reference import PAGE, page


def test_the_page_is_that_of_the_commands(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("ENGINE_LABEL_SHARDS", "99")
    monkeypatch.setenv("ENGINE_LOG_FORMAT", "json")
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m cli.reference writes the page"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_and_argument_of_a_command_is_there_once(name):
    (section,) = re.findall(rf"^## engine {name}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    listed = re.findall(r"^- `(\S+)", section, re.MULTILINE)
    assert len(listed) == len(set(listed))
    command = cli.get_command(click.Context(cli), name)
    own = [param for param in command.params if param.name not in ("quiet", "log_level", "log_format", "config")]
    for param in own:
        if isinstance(param, click.Option):
            assert any(option in line for option in param.opts for line in listed), param.opts
        else:
            assert param.make_metavar(click.Context(command)) in section
    assert len(listed) == sum(isinstance(param, click.Option) for param in own)


def test_links_lead_to_the_sections_of_the_commands():
    links = re.findall(r"\]\(#(engine-\w+)\)", PAGE.read_text())
    assert links == [f"engine-{name}" for name in COMMANDS]
    assert re.findall(r"^## (engine \w+)$", PAGE.read_text(), re.MULTILINE) == [f"engine {name}" for name in COMMANDS]
