"""The texts whose gold a classifier learned, as hashes in its folder: estimates from them are not those of others."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.families.text_hash import text_hashes
from store.storage.atomic_file import write_file

GOLD_TEXTS = "gold_texts.json"


def write_gold_texts(folder: Path, texts: Iterable[str], *, start: Path | None = None) -> None:
    """Note in the ``folder`` of a model that it learns the gold of ``texts``, beside what its ``start`` had learned."""
    write_gold_hashes(folder, text_hashes(pa.array(texts, pa.string())), start=start)


def write_gold_hashes(folder: Path, hashes: npt.NDArray[np.uint64], *, start: Path | None = None) -> None:
    """As `write_gold_texts`, of ``hashes`` of the texts; where there is nothing to note, no file is made."""
    every = all_learned(hashes, start=start)
    if len(every):
        write_file(folder / GOLD_TEXTS, json.dumps({"text_hashes": every.tolist()}).encode())


def all_learned(hashes: npt.NDArray[np.uint64], *, start: Path | None) -> npt.NDArray[np.uint64]:
    """``hashes`` of the texts whose gold a model learns, with those that its ``start`` had learned; ascending."""
    before = None if start is None else read_gold_texts(start)
    return np.unique(hashes) if before is None else np.union1d(hashes, before)


def read_gold_texts(folder: Path) -> npt.NDArray[np.uint64] | None:
    """(texts,) ascending `store.families.text_hash.text_hash` of each; None if the folder does not say."""
    try:
        hashes = json.loads((folder / GOLD_TEXTS).read_text("utf-8"))["text_hashes"]
        return np.unique(np.array(hashes, np.uint64))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
