"""Names that the format fixes: families, reserved columns, and how a user may name things."""

import re
from collections.abc import Iterable

from store.errors import InvalidNameError

FORMAT_VERSION = 1
"""Of a store to which nothing was appended, and of ``store.json`` for good."""
APPENDED_VERSION = 2
"""Of a store with segments that were appended."""
CORPUS = "corpus"
TOKENS = "tokens"
LABELS = "labels"
GOLD = "gold"
REJECTS = "rejects"
SEGMENTS = "segments"
CARD = "card.json"

RESERVED_COLUMNS = (
    "row", "id", "text", "label", "n_chars", "text_hash", "class", "shard", "gold", "gold_class", "gold_round",
    "gold_source", "label_set", "prediction", "confidence", "margin", "entropy", "n_tokens", "truncated", "failure",
    "logits",
)  # fmt: skip

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def stored_names(names: Iterable[str]) -> dict[str, str]:
    """The name under which a store keeps each of ``names``: one that is taken in SQL gets an underscore behind it."""
    taken = set(RESERVED_COLUMNS)
    stored: dict[str, str] = {}
    for name in names:
        free = name
        while free.lower() in taken:
            free += "_"
        taken.add(free.lower())
        stored[name] = free
    return stored


def is_name(name: str) -> bool:
    """Whether ``name`` can be that of a label set, an encoding or a selection."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, *, what: str) -> str:
    """``name`` itself, if it can be the name of a label set, an encoding or a selection.

    Args:
        name: the name.
        what: what it names, for the message.

    Raises:
        InvalidNameError: it does not match ``[a-z0-9][a-z0-9._-]{0,63}``.
    """
    if not is_name(name):
        raise InvalidNameError(
            f"{what} {name!r}: a name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit"
        )
    return name
