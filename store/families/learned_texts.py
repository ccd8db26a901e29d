"""Which texts the teacher of a label set was trained on, as hashes beside its shards: it knows their gold by heart.

``labels/<label set>/learned-texts.json``, kept twice; there is none where the teacher's folder said nothing.
"""

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from store.errors import DamageError
from store.format.decode import decode
from store.format.family import Family
from store.format.json_file import freeze, frozen

LEARNED_TEXTS = "learned-texts.json"

Hashes = npt.NDArray[np.uint64]


class _Value(TypedDict):
    """The file."""

    text_hashes: list[int]


def freeze_learned_texts(labels: Family, hashes: Hashes) -> None:
    """Write the ``hashes``, (texts,) ascending, beside ``labels``, whose card is frozen; what is there stays.

    Raises:
        StoreMissingError: the label set has been removed.
    """
    with labels.kept():
        freeze(labels.storage, _place(labels), {"text_hashes": hashes.tolist()})


def learned_texts(labels: Family) -> Hashes | None:
    """(texts,) ascending `store.families.text_hash.text_hash` of each; None if the label set does not say.

    Raises:
        DamageError: the file is damaged, and so is its copy.
    """
    value = frozen(labels.storage, _place(labels))
    return None if value is None else parse_learned_texts(value, place=f"{labels.location}/{LEARNED_TEXTS}")


def parse_learned_texts(value: dict[str, Any], *, place: str) -> Hashes:
    """The hashes that the JSON object ``value`` holds.

    Raises:
        DamageError: it is not such an object; names ``place``.
    """
    held = decode(_Value, value, place=place)["text_hashes"]
    try:
        return np.unique(np.array(held, np.uint64))
    except OverflowError:
        raise DamageError(f"{place}: a hash is a whole number from 0 to 2**64 - 1") from None


def _place(labels: Family) -> str:
    return f"{labels.path}/{LEARNED_TEXTS}"
