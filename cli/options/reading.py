"""Options that say how input files are read, the same for every command that reads some."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click

from cli.options.shared import CommaSeparated, is_given

F = TypeVar("F", bound=Callable[..., Any])


def text_options(function: F) -> F:
    """``--text --id --on-bad-row`` and how the files are read, of commands that read no labels."""
    return _decorated(
        function,
        click.option(
            "--on-bad-row",
            type=click.Choice(["reject", "fail"]),
            default="reject",
            show_default=True,
            help="Put a bad row aside with its reason (exit code 3), or stop at it.",
        ),
        *_file_options(),
        click.option("--id", metavar="COLUMN", help="Column of ids; none for file:row. [default: found]"),
        _text_option(),
    )


def column_options(function: F) -> F:
    """`text_options`, and those of labels; `read_columns` and `read_options` take their values."""
    function = _decorated(
        function,
        _label_map_option(),
        click.option("--no-label", is_flag=True, help="No column has gold labels, as --label none."),
        click.option("--label", metavar="COLUMN", help="Column of gold labels; none if no column is. [default: found]"),
    )
    return text_options(function)


def reading_options(function: F) -> F:
    """How input files are read, for every command that reads labels; `read_options` takes their values."""
    return _decorated(function, *_file_options(), _label_map_option())


def evaluation_options(function: F) -> F:
    """`reading_options`, and the columns of the labelled files of a command that reads no others."""
    function = _decorated(
        function,
        click.option("--label", metavar="COLUMN", help="Of --eval and --validation: labels. [default: found]"),
        click.option("--id", metavar="COLUMN", help="The same: ids; none for file:row. [default: found]"),
        _text_option("The same: texts"),
    )
    return reading_options(function)


def _decorated(function: F, *options: Callable[[F], F]) -> F:
    for decorate in options:
        function = decorate(function)
    return function


def _text_option(what: str = "Column of texts") -> Callable[[F], F]:
    return click.option(
        "--text",
        metavar="COLUMN[,COLUMN...]",
        help=f"{what}; of several, one below the other is the text. [default: found]",
    )


def _label_map_option() -> Callable[[F], F]:
    return click.option(
        "--label-map", type=LabelMap(), help="The class of each label in the files; an empty one is no label."
    )


def _file_options() -> tuple[Callable[[F], F], ...]:
    return (
        click.option(
            "--whole-files", is_flag=True, help="A text file is one row, and not a row a line; also in a tar."
        ),
        click.option("--encoding", metavar="NAME", help="Of text, CSV and JSON files, as cp1252. [default: found]"),
        click.option("--columns", type=CommaSeparated(), help="Names of the columns, of files without a header."),
        click.option("--quote", metavar="CHAR", help="Quotation mark; none if there is none. [default: found]"),
        click.option(
            "--delimiter", metavar="CHAR", help="Between fields; also comma, semicolon, tab, pipe. [default: found]"
        ),
    )


class LabelMap(click.ParamType[tuple[tuple[str, str], ...]]):
    """Labels and the classes that they stand for."""

    name = "LABEL=CLASS,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``"1=negative,2=positive"`` → ``(("1", "negative"), ("2", "positive"))``."""
        from engine.errors import InputError
        from engine.inputs.labels.spelling import parse_label_map

        if not isinstance(value, str):
            return value
        try:
            return parse_label_map(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


def refuse_unread(ctx: click.Context, *, files: str, but: Collection[str] = ()) -> None:
    """Refuse options that say how input files are read, of a command line that names none.

    Args:
        ctx: of the command.
        files: the options that would name some.
        but: names of options that say how others are read, which are.

    Raises:
        click.UsageError: there is one.
    """
    names = (*READING, "text", "id", "label", "no_label", "on_bad_row")
    if given := [name for name in names if name not in but and name in ctx.params and is_given(ctx, name)]:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        says = "says" if len(given) == 1 else "say"
        raise click.UsageError(
            f"{flags} {says} how input files are read, and none is: leave {'it' if len(given) == 1 else 'them'} out, "
            f"or name a file with {files}"
        )


READING = ("label_map", "delimiter", "quote", "columns", "encoding", "whole_files")
"""Names of the values of `reading_options`."""


def read_columns(options: dict[str, Any]) -> Any:
    """The `engine.ColumnNames` of the options of `column_options`."""
    from engine import ColumnNames
    from engine.inputs.columns import NO_COLUMN

    if options["no_label"] and options["label"] not in (None, "none"):
        raise click.UsageError("--label names the column of labels, and --no-label says that there is none")
    names = {name: NO_COLUMN if options[name] == "none" else options[name] for name in ("text", "id", "label")}
    label = NO_COLUMN if options["no_label"] else names["label"]
    return ColumnNames(text=names["text"], id=names["id"], label=label)


def read_options(options: dict[str, Any]) -> Any:
    """The `engine.ReadOptions` of the options of `reading_options`."""
    from engine import ReadOptions
    from engine.inputs.delimited_files.dialect import delimiter_named, quote_named

    delimiter, quote = options["delimiter"], options["quote"]
    return ReadOptions(
        delimiter=None if delimiter is None else delimiter_named(delimiter),
        quote=None if quote is None else quote_named(quote),
        encoding=options["encoding"],
        names=options["columns"],
        whole_files=options["whole_files"],
        label_map=options["label_map"],
    )
