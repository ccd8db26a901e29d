"""A trait and a door → the outcome there, or an assertion that fails. The test and the table both ask it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.doors.files import CLASSES, IDS
from benchmarks.doors.traits import Trait
from cli.options.reading import column_options, read_columns, read_options
from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import LabelColumns
from engine.inputs.labels.labelled import GoldConfig, read_gold
from store import Store
from store.storage import MemoryStorage

Found = dict[str, str | None]
"""Texts, or ids at the door of `engine audit`, and the class of each."""


def outcome(trait: Trait, door: str, folder: Path) -> str:
    """The outcome in words.

    Args:
        trait: the files.
        door: one of `DOORS`.
        folder: an empty one.

    Raises:
        AssertionError: it is not the right one.
    """
    files = trait.write(folder)
    refused = trait.refused or (trait.gold_refused if door != "label" else None)
    if refused is not None:
        message = _refusal(door, files, trait.flags)
        assert re.search(refused, message), f"{message!r} does not say {refused!r}"
        if trait.way_out:
            _check(trait, door, DOORS[door](files, trait.way_out))
            return f"refused; read with `{' '.join(trait.way_out)}`"
        return "refused"
    _check(trait, door, DOORS[door](files, trait.flags))
    return "read" if any(trait.labels) else "read; no gold"


def _refusal(door: str, files: list[str], flags: Sequence[str]) -> str:
    try:
        found = DOORS[door](files, flags)
    except InputError as error:
        return str(error)
    raise AssertionError(f"it is not refused, but read as {found}")


def _check(trait: Trait, door: str, found: Found) -> None:
    labels = dict(zip(IDS if door == "audit" else trait.texts, trait.labels, strict=True))
    if door != "label":
        labels = {key: label for key, label in labels.items() if label is not None}
    assert found == labels, f"{found} is not {labels}"


def _gold(files: list[str], flags: Sequence[str]) -> Found:
    columns, options = _flags(flags)
    gold = read_gold(GoldConfig(files=tuple(files), columns=columns, options=options, classes=CLASSES))
    return dict(zip(gold.texts, (CLASSES[label] for label in gold.labels), strict=True))


def _label(files: list[str], flags: Sequence[str]) -> Found:
    columns, options = _flags(flags)
    config = IngestConfig(files=tuple(files), columns=columns, options=options)
    made = ingest(MemoryStorage(), config, known=CLASSES)
    return {row["text"]: row["class"] for row in _ask(made, "SELECT text, class FROM corpus")}


def _audit(files: list[str], flags: Sequence[str]) -> Found:
    columns, options = _flags(flags)
    wanted = LabelColumns(id=columns.id, label=columns.label)
    made = _store_of_texts(Path(files[0]).parent)
    add_gold(GoldRoundConfig(store=made.storage, inputs=tuple(files), columns=wanted, options=options))
    return {row["id"]: row["class"] for row in _ask(made, "SELECT id, g.class FROM gold AS g JOIN corpus USING (row)")}


def _store_of_texts(folder: Path) -> Store:
    folder = folder / "texts"
    folder.mkdir(exist_ok=True)
    (folder / "texts.csv").write_text("id,text\n" + "".join(f"{id_},{at}\n" for at, id_ in enumerate(IDS)))
    return ingest(MemoryStorage(), IngestConfig(files=(str(folder / "texts.csv"),)), known=CLASSES)


def _ask(made: Store, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = made.sql(query).to_pylist()
    return rows


def _flags(flags: Sequence[str]) -> tuple[Any, Any]:
    """The columns and the options that the flags of the command line mean."""
    command = column_options(click.Command("read"))
    params = command.make_context("read", list(flags)).params
    return read_columns(params), read_options(params)


DOORS: dict[str, Callable[[list[str], Sequence[str]], Found]] = {"gold": _gold, "label": _label, "audit": _audit}
"""``gold`` is the door of `engine finetune` and of `engine eval`."""
