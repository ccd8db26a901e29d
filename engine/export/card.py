"""What an export is made from, and what it holds: ``_export.json``, the same for the same store and choice."""

from collections.abc import Sequence
from typing import Any

from engine.export.config import ROWS_PER_FILE, ExportConfig
from engine.export.rows import ExportedRows
from engine.export.splits import Split
from store import Store
from store.families.label_card import LabelCard, label_card
from store.format.names import CORPUS, LABELS
from store.gold.fingerprint import fingerprint
from store.gold.held import chosen_rounds, rounds_sha256
from store.selections.selection import read_selection

VERSION = 1


def identity_of(store: Store, labels: Sequence[str], config: ExportConfig) -> dict[str, Any]:
    """Names and hashes that are equal if, and only if, two exports have the same rows in the same files.

    Args:
        store: the store.
        labels: names of the label sets.
        config: the user's choice.

    Returns:
        Values as JSON has them.
    """
    return {
        "version": VERSION,
        "format": config.format,
        "classes": store.header.classes,
        "rows": store.layout.rows,
        "corpus": fingerprint(store, CORPUS),
        "gold": rounds_sha256(store, chosen_rounds(store)),
        "labels": {name: fingerprint(store, f"{LABELS}/{name}") for name in labels},
        "select": None if config.select is None else _selected(store, config.select),
        "splits": {
            name: value if isinstance(value, float) else _selected(store, str(value))
            for name, value in config.splits.items()
        },
        "rows_per_file": config.rows_per_file or ROWS_PER_FILE[config.format],
    }


def _selected(store: Store, name: str) -> dict[str, str]:
    return {"name": name, "sha256": read_selection(store, name).card.sha256}


def card_of_label_set(store: Store, name: str) -> LabelCard:
    """The card of a label set; an empty one if it has none."""
    return label_card(store.label_set(name)) or LabelCard()


def export_card(
    store: Store,
    labels: Sequence[str],
    rows: ExportedRows,
    identity: dict[str, Any],
    files: list[dict[str, Any]],
    splits: Sequence[Split],
) -> dict[str, Any]:
    """The card: its identity, and what a reader needs to know of the files.

    Args:
        store: the store.
        labels: names of the label sets.
        rows: that were exported.
        identity: of the export.
        files: ``file``, ``rows``, ``bytes`` and ``sha256`` of each.
        splits: of the rows.
    """
    return {
        **identity,
        "label_sets": {
            name: {"columns": rows.columns.label_sets[name], "card": card_of_label_set(store, name).to_dict()}
            for name in labels
        },
        "kept": {name: {"column": rows.columns.kept[name], "type": alias} for name, alias in store.header.kept.items()},
        "exported": {split.name or "rows": len(split.rows) for split in splits},
        "files": files,
    }
