"""``engine doctor``."""

import dataclasses
from typing import Any

import click

from cli.options.shared import format_option
from cli.output import print_rows, print_title, shows_tables

_TITLES = {"version": "versions", "machine": "machine", "device": "devices", "extra": "extras", "setting": "settings"}


@click.command("doctor")
@format_option
def command(**options: Any) -> None:
    """Say what is installed and what this machine has.

    For a report of a mistake: versions, processor, cores, memory, devices, and each extra with its install command. No
    file of yours is read, and nothing is sent anywhere.

    \b
    Example:
      engine doctor --format markdown
    """
    from engine.doctor import examine

    format_ = options["format"]
    facts = examine()
    if not shows_tables(format_):
        print_rows([dataclasses.asdict(fact) for fact in facts], format_)
        return
    for about, title in _TITLES.items():
        rows = [{"name": fact.name, "value": fact.value} for fact in facts if fact.about == about]
        if rows:
            print_title(title, format_)
            print_rows(rows, format_)
    for fact in facts:
        if fact.remedy is not None:
            print_title(f"{fact.name} is not installed. If it is needed: {fact.remedy}", format_)
