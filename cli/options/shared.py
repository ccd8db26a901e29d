"""Options that several commands share."""

import csv
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
FORMATS = ("table", "json", "jsonl", "csv", "markdown")


class CommaSeparated(click.ParamType[tuple[str, ...]]):
    """Names with commas between them: one line of CSV, in which quotes or a backslash keep a comma."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``'a, "b, c"'`` → ``("a", "b, c")``."""
        if isinstance(value, list | tuple):
            return tuple(map(str, value))
        try:
            escape = "\\" if "\\," in str(value) else None
            read = list(csv.reader([str(value)], skipinitialspace=True, strict=True, escapechar=escape))
        except csv.Error as error:
            self.fail(f"{value!r} is no line of CSV: {error}", param, ctx)
        names = tuple(name.strip() for line in read for name in line)
        if not names or not all(names):
            self.fail(f"{value!r} has an empty name in it", param, ctx)
        return names


def format_option(function: F) -> F:
    """``--format``: how data is printed on stdout."""
    return click.option(
        "--format",
        type=click.Choice(FORMATS),
        default=None,
        help="How data is printed. [default: table on a terminal, jsonl in a pipe]",
    )(function)


def named_place(_ctx: click.Context, _param: click.Parameter, value: T) -> T:
    """A callback of an option: a file or folder that is made is no stdout, and no file is to be called as that is.

    Raises:
        click.BadParameter: it is ``-``.
    """
    if str(value) == "-":
        raise click.BadParameter("- would be stdout, and this goes into a place with a name; give one")
    return value


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether an option stands on the command line; defaults from a file or a variable are for every run."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and ctx.params[name] not in (None, ())
