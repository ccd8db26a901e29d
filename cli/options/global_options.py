"""The options of every command: ``--quiet``, ``--log-level``, ``--log-format`` and ``--config``, before and behind it.

A flag counts more than a variable (``ENGINE_LABEL_QUIET``, ``ENGINE_QUIET``), and that more than a file; of two of the
same kind, the one behind the command holds. So it does where ``--quiet`` and ``--log-level`` contradict each other.
"""

import inspect
import itertools
import logging
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from cli.notes import DOOR, FORMATS, TEXT
from engine.errors import EngineError

ROOMS = ("cli", "engine", "store")
_CONFIG = "config"
_RANKS = {ParameterSource.DEFAULT_MAP: 1, ParameterSource.ENVIRONMENT: 2, ParameterSource.COMMANDLINE: 3}


class _Said(NamedTuple):
    """What one place says.

    Attributes:
        rank: how much its kind counts; 0 for a default.
        behind: whether it stands behind the command.
        value: what is said.
    """

    rank: int
    behind: bool
    value: Any

    @property
    def weight(self) -> tuple[int, bool]:
        """How much it counts."""
        return self.rank, self.behind and self.rank > 0


def global_options() -> list[click.Option]:
    """The four options."""
    return [
        click.Option(["--quiet"], is_flag=True, help="No progress and no notes on stderr; errors only."),
        click.Option(
            ["--log-level"],
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            show_default=True,
            help="Which notes go to stderr; debug also tells where an error came from.",
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(FORMATS),
            default=TEXT,
            show_default=True,
            help="How notes, progress and errors are written to stderr; json is one object a line.",
        ),
        click.Option(
            ["--config"],
            metavar="FILE",
            callback=_read_config,
            is_eager=True,
            expose_value=False,
            help="TOML file of defaults, a path or a URL: a table a command, a key an option. Flags and ENGINE_* "
            "variables come first.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options, too, and shows them under a heading of their own."""

    @classmethod
    def of(cls, command: click.Command) -> "Command":
        """``command``, with the global options."""
        known = inspect.signature(click.Command).parameters
        fields = {name: value for name, value in vars(command).items() if name in known}
        return cls(**{**fields, "params": [*command.params, *global_options()]})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own options first, then those of every command."""
        everywhere = {option.name for option in global_options()}
        records: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                records[param.name in everywhere].append(record)
        for heading, of_all in (("Options", False), ("Options of every command", True)):
            with formatter.section(heading):
                formatter.write_dl(records[of_all])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, whose options say which notes are shown."""
        settle_notes(ctx)
        for name in ("quiet", "log_level", "log_format"):
            ctx.params.pop(name, None)
        return super().invoke(ctx)


def settle_notes(ctx: click.Context) -> None:
    """Show the notes that the global options ask for, as far as they are known: before and behind the command."""
    quiet, level = _said(ctx, "quiet"), _said(ctx, "log_level")
    is_quiet = bool(quiet.value) and quiet.weight >= level.weight
    ctx.find_root().obj = ctx.obj = {"quiet": is_quiet}
    if ctx.parent is not None:  # before the command is parsed, `settle_format` knows more
        DOOR.settle(_said(ctx, "log_format").value)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.ERROR if is_quiet else getattr(logging, level.value.upper()))


def settle_format(arguments: Sequence[str], commands: Sequence[str]) -> None:
    """Write notes as ``arguments``, variables and files ask, before anything is parsed: what cannot be is said, too."""
    given = list(itertools.takewhile(lambda one: one != "--", arguments))
    command = next((one for one in given if one in commands), "")
    names = ("ENGINE_LOG_FORMAT", f"ENGINE_{command.upper()}_LOG_FORMAT")
    files = [os.environ.get("ENGINE_CONFIG", ""), *_values(given, "--config")]
    said = [_format_of_file(path, command) for path in files]
    said += [os.environ.get(name, "") for name in names] + _values(given, "--log-format")
    DOOR.settle(next((one for one in reversed(said) if one), TEXT))


def _values(arguments: Sequence[str], option: str) -> list[str]:
    """What is given to ``option``, in the order of the command line."""
    words = [*arguments, ""]
    return [
        after if word == option else word.removeprefix(f"{option}=")
        for word, after in itertools.pairwise(words)
        if word == option or word.startswith(f"{option}=")
    ]


def _format_of_file(path: str, command: str) -> str:
    """What a file of defaults says of the format; a file that cannot be read is refused later."""
    try:
        table = tomllib.loads(_text_of(path)).get(command, {}) if path else {}
    except (OSError, ValueError, EngineError):
        return ""
    said = {key.replace("-", "_"): value for key, value in table.items()} if isinstance(table, dict) else {}
    return str(said.get("log_format", ""))


def _said(ctx: click.Context, name: str) -> _Said:
    """The place of option ``name`` that counts most, of the command and the group."""
    places = [
        _Said(_RANKS.get(source, 0) if source is not None else 0, one.parent is not None, one.params[name])
        for one in dict.fromkeys([ctx.find_root(), ctx])
        for source in [one.get_parameter_source(name)]
    ]
    return max(places, key=lambda place: place.weight)


def _text_of(path: str) -> str:
    """What the file ``path``, which may be a URL, says."""
    if "://" not in path:
        return Path(path).read_text("utf-8")
    from engine.inputs.remote.mirror import file_here

    return file_here(path).read_text("utf-8")


def _named(path: str) -> str:
    """``path`` for messages: of a URL without credentials."""
    if "://" not in path:
        return path
    from engine.inputs.remote.sources import shown

    return shown(path)


def _read_config(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Defaults of options from a TOML file: a table a command, a key an option."""
    if path is None:
        return
    tables = _tables(ctx.find_root(), path)
    if ctx.parent is None:
        ctx.default_map = tables
    else:
        ctx.default_map = {**(ctx.default_map or {}), **tables.get(str(ctx.info_name), {})}


def _tables(root: click.Context, path: str) -> dict[str, dict[str, Any]]:
    """The tables of a file, by command.

    Raises:
        click.BadParameter: it cannot be read, or names a command or an option that there is not.
    """
    from store.storage.near_paths import did_you_mean, near_names

    try:
        tables = tomllib.loads(_text_of(path))
    except EngineError as error:
        raise click.BadParameter(str(error)) from None
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{_named(path)}: {error}") from None
    assert isinstance(root.command, click.Group)
    defaults = {}
    for name, table in tables.items():
        command = root.command.get_command(root, name)
        if command is None or not isinstance(table, dict):
            known = root.command.list_commands(root)
            near = did_you_mean(near_names(name, known))
            raise click.BadParameter(f"{_named(path)}: [{name}] is no command{near}; commands are {', '.join(known)}")
        options = {str(parameter.name) for parameter in command.params} - {_CONFIG}
        defaults[name] = {key.replace("-", "_"): value for key, value in table.items()}
        if unknown := sorted(set(defaults[name]) - options):
            option = unknown[0].replace("_", "-")
            near = did_you_mean(one.replace("_", "-") for one in near_names(unknown[0], options))
            raise click.BadParameter(f"{_named(path)}: `engine {name}` has no option {option!r}{near}")
    return defaults
