"""``engine export STORE``: texts and soft labels as Parquet, WebDataset tars or a Hugging Face data set."""

import dataclasses
from typing import Any

import click

from cli.output import note, print_summary
from cli.progress import progress


class Splits(click.ParamType[dict[str, float | str]]):
    """Names of splits, and the share of the rows or the selection that each is."""

    name = "NAME=SHARE,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float | str]:
        """``"train=0.9,test=0.1"`` → ``{"train": 0.9, "test": 0.1}``; a value that is no number names a selection."""
        if isinstance(value, dict):
            return value
        splits: dict[str, float | str] = {}
        for part in str(value).split(","):
            name, equals, share = (piece.strip() for piece in part.partition("="))
            if not (name and equals and share):
                self.fail(f"{part!r} is not NAME=SHARE or NAME=SELECTION, as train=0.9,validation=0.1", param, ctx)
            if name in splits:
                self.fail(f"{value!r} has the split {name!r} twice", param, ctx)
            try:
                splits[name] = float(share)
            except ValueError:
                splits[name] = share
        return splits


def export_store(ctx: click.Context, options: dict[str, Any]) -> int:
    """Export a store; the exit code."""
    import engine
    from cli.main import OK

    config = engine.ExportConfig(
        store=options["source"],
        format=options["to"],
        out=options["out"],
        labels=options["labels"] or (),
        select=options["select"],
        splits=options["split"] or {},
        rows_per_file=options["rows_per_file"],
        push=options["push"],
    )
    with progress(ctx) as tick:
        exported = engine.export_store(config, tick=tick)
    if not exported.written:
        note(f"{exported.out} is there already, of the same store and choice; nothing was written")
    print_summary(dataclasses.asdict(exported), options["format"])
    return OK
