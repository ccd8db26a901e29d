"""The head of a model card, which hubs read: what that of a start model says, and a new one. ``README.md`` is the card.

A start model's licence goes on with what is trained from it; nothing else of its card does.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData, metadata_load

CARD = "README.md"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HEAD = re.compile(r"\A\ufeff?---\s*\n.*?\n---\s*(\n|\Z)", re.DOTALL)
_LICENCE = ("license", "license_name", "license_link")


def card_head(folder: Path) -> dict[str, Any]:
    """What the head of the card in ``folder`` says; nothing if there is none, or it is no YAML."""
    import yaml

    try:
        return dict(metadata_load(folder / CARD) or {})
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return {}


def card_body(folder: Path) -> str:
    """The card in ``folder`` without its head; empty if there is none."""
    try:
        text = (folder / CARD).read_text("utf-8")
    except (OSError, ValueError):
        return ""
    return _HEAD.sub("", text).strip()


def licence_of(folder: Path) -> dict[str, str]:
    """The licence that the card in ``folder`` names, as fields of a head."""
    head = card_head(folder)
    return {name: head[name] for name in _LICENCE if isinstance(head.get(name), str) and head[name]}


def base_model(source: str, folder: Path) -> str | None:
    """The hub id of the model that one is made from; None if it is none of a hub.

    Args:
        source: hub id or path, as the user gave it; perhaps with ``#layers=…`` behind it.
        folder: where its files are: the card of a model of no hub may name the one that it was made from.
    """
    place = source.partition("#")[0]
    if not Path(place).exists() and _HUB_ID.fullmatch(place) and not place.endswith(".json"):
        return place
    named = card_head(folder).get("base_model")
    return named if isinstance(named, str) and _HUB_ID.fullmatch(named) else None


def with_head(head: Mapping[str, Any], body: str) -> str:
    """A card with ``head``, names and values of `huggingface_hub.ModelCardData`, before ``body``."""
    given = {name: value for name, value in head.items() if value is not None}
    data = ModelCardData(ignore_metadata_errors=True, **given)
    return f"---\n{data.to_yaml()}\n---\n\n{body.strip()}\n"
