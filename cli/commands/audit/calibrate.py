"""``engine audit --calibrate``: fit the temperature of a label set to gold."""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from cli.options.reading import read_options
from cli.output import note, print_summary, shows_tables

if TYPE_CHECKING:
    from store.gold.calibration import Calibration


def calibrate(ctx: click.Context, options: dict[str, Any]) -> None:  # noqa: ARG001 - as the other actions
    """Fit the temperature of a label set, and print it."""
    import engine
    from engine.evaluation.gold_note import gold_note
    from store.store import open_store

    found = engine.calibrate(
        engine.CalibrateConfig(
            store=options["store"],
            labels=options["labels"],
            rounds=options["rounds"] or None,
            trained_on=options["trained_on"],
            text=options["text"],
            options=read_options(options),
        )
    )
    summary = dataclasses.asdict(found)
    if shows_tables(options["format"]):
        figures = {f"{name} {when}": value for name in found.before for when, value in _both(found, name).items()}
        summary = {name: value for name, value in summary.items() if name not in ("before", "after", "sources")}
        summary |= figures
    store, rounds = open_store(options["store"]), options["rounds"] or None
    if said := gold_note(store, found.label_set, rounds, knows_learned=True):
        note(said)
    print_summary(summary, options["format"])


def _both(found: "Calibration", figure: str) -> dict[str, float]:
    return {"before": found.before[figure], "after": found.after[figure]}
