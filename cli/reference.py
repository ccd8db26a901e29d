"""The commands → REFERENCE.md: their help texts and options. ``python -m cli.reference`` writes it.

It says what ``--help`` says, on a terminal of any width; a test fails when the page drifts.
"""

import inspect
from pathlib import Path

import click

from cli.main import COMMANDS, cli
from cli.options.global_options import global_options

PAGE = Path(__file__).parent / "REFERENCE.md"
_HEAD = """# The commands

What `engine COMMAND --help` says. An option comes from the command line, else from a variable, as `ENGINE_LABEL_SHARDS`
for `engine label --shards`, else from the command's table in the file that `--config` names (`[label]`, `shards = 16`).

| exit code | means |
|---:|---|
| 0 | done |
| 1 | an error: the message says how to mend it |
| 2 | the command line is wrong |
| 3 | done, and some rows were rejected or failed |
| 4 | damage was found |
| 130, 138, 143 | stopped by SIGINT, SIGUSR1, SIGTERM; the same command goes on |

`python -m cli.reference` writes this page.
"""


def page() -> str:
    """REFERENCE.md."""
    names = cli.context_settings["help_option_names"]
    root = click.Context(cli, info_name="engine", help_option_names=names)
    commands = {name: cli.get_command(root, name) for name in COMMANDS}
    lines = [_HEAD, "| command | does |", "|---|---|"]
    for name, command in commands.items():
        assert command is not None, "a command that is listed cannot be imported"
        lines.append(f"| [`engine {name}`](#engine-{name}) | {_escaped(command.get_short_help_str(limit=200))} |")
    lines += [
        "",
        "## Options of every command",
        "",
        "They stand before the command or behind it; `--version` stands alone.",
        "",
    ]
    lines += [_item(option, root) for option in cli.params]
    lines.append(f"- `{', '.join(names)}`: Show this message and exit.")
    for name, command in commands.items():
        assert command is not None
        lines += ["", *_section(name, command, root)]
    return "\n".join(lines) + "\n"


def _section(name: str, command: click.Command, root: click.Context) -> list[str]:
    """Heading, usage, help and options of one command."""
    ctx = click.Context(command, info_name=name, parent=root, show_default=command.context_settings.get("show_default"))
    everywhere = {option.name for option in global_options()}
    own = [param for param in command.params if param.name not in everywhere]
    usage = " ".join(["engine", name, *command.collect_usage_pieces(ctx)])
    lines = [f"## engine {name}", "", "```", usage, "```", "", *_paragraphs(command.help or "")]
    return [*lines, *(_item(param, ctx) for param in own if isinstance(param, click.Option))]


def _paragraphs(text: str) -> list[str]:
    """Lines of a help text: sentences, and examples as blocks of code."""
    lines: list[str] = []
    for part in inspect.cleandoc(text).split("\n\n"):
        first, *others = part.removeprefix("\b\n").split("\n")
        if first == "Example:":
            lines += ["```", *inspect.cleandoc("\n" + "\n".join(others)).split("\n"), "```", ""]
        else:
            lines += [_escaped(" ".join(line.strip() for line in (first, *others))), ""]
    return lines


def _item(param: click.Parameter, ctx: click.Context) -> str:
    """An option, as ``--help`` shows it."""
    names, text = param.get_help_record(ctx) or ("", "")
    return f"- `{names}`: {_escaped(' '.join(text.split()))}"


def _escaped(text: str) -> str:
    """``text`` with the signs of Markdown as signs, but for what is quoted as code."""
    parts = text.split("`")
    parts[::2] = ["".join(f"\\{char}" if char in "\\*_<>[]|" else char for char in part) for part in parts[::2]]
    return "`".join(parts)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
