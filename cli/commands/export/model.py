"""``engine export MODEL --to onnx``."""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from cli.options.reading import read_columns, read_options, refuse_unread
from cli.options.shared import is_given
from cli.output import note, print_rows, print_summary, report_rejects, shows_tables
from cli.progress import progress

if TYPE_CHECKING:
    from engine import OnnxExport


def export_model(ctx: click.Context, options: dict[str, Any]) -> int:
    """Export a classifier.

    Args:
        ctx: of the command.
        options: ``source``, ``out``, ``revision``, ``max_length``, ``check`` (inputs), ``limit``, ``no_weights``,
            ``format``, and those of `cli.options.reading.column_options`.
    """
    from cli.main import OK, REJECTED
    from engine import OnnxConfig, RowsConfig
    from engine.models.loading.first_look import look_for_model

    rows = RowsConfig(
        files=options["check"],
        columns=read_columns(options),
        options=read_options(options),
        on_bad_row=options["on_bad_row"],
        limit=options["limit"],
    )
    config = OnnxConfig(
        model=options["source"],
        out=options["out"],
        revision=options["revision"],
        max_length=options["max_length"],
        rows=rows,
        weights=not options["no_weights"],
    )
    if not options["check"]:
        refuse_unread(ctx, files="--check")
        if is_given(ctx, "limit"):
            raise click.UsageError("--limit is of the rows of --check, and there are none; leave it out")
    look_for_model(config.model, config.revision)
    from engine import export_onnx

    with progress(ctx) as tick:
        exported = export_onnx(config, tick=tick)
    _print(exported, options["format"])
    report_rejects(exported.rejected, exported.reasons)
    return REJECTED if exported.rejected else OK


def _print(exported: "OnnxExport", format_: str | None) -> None:
    ways = [
        {"computed by": name, "agreement": round(one.agreement, 5), **dataclasses.asdict(one)}
        for name, one in exported.compared.items()
    ]
    if shows_tables(format_):
        print_summary(exported.headline(), format_)
        if ways:
            print_rows(ways, format_)
    else:
        print_rows([{**exported.headline(), "compared": ways}], format_)
    if exported.not_quantized and not ways:
        note(f"no file in int8 was written: {exported.not_quantized}")
