"""Texts of made-up words with the lengths of real reviews: made quickly, and the same ones every time.

Each word is one token of the vocabulary that `benchmarks.harness.made_models` builds of the same words. Random letters
compress less well than language does.
"""

import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Tokens of a text, special ones included: lognormal, which cut at 512 has a mean of 178 and a 95th percentile of 431.
MEDIAN_TOKENS, SIGMA, LONGEST = 148, 0.65, 512
LENGTHS = {"distribution": "lognormal", "median": MEDIAN_TOKENS, "sigma": SIGMA, "cut_at": LONGEST}
_SPECIAL_TOKENS = 2
_TEXTS_AT_ONCE = 8192


def made_words(count: int) -> list[str]:
    """Different words of 2 to 9 letters, 5.9 in the mean."""
    chance = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9)))] = None
    return list(words)


def write_made_texts(path: Path, *, rows: int, words: Sequence[str], seed: int = 0) -> None:
    """A Parquet file with the columns ``id`` and ``text``."""
    chance, dictionary = np.random.default_rng(seed), pa.array(words)
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for first in range(0, rows, _TEXTS_AT_ONCE):
            stop = min(rows, first + _TEXTS_AT_ONCE)
            ids = pc.binary_join_element_wise("r", pa.array(np.arange(first, stop)).cast(pa.string()), "")
            texts = _texts(chance, stop - first, dictionary)
            writer.write_batch(pa.record_batch([ids, texts], schema=schema))


def made_texts(first: int, stop: int, *, words: Sequence[str], seed: int = 0) -> Any:
    """Arrow strings for the rows from ``first`` to before ``stop``; others for another ``first``."""
    return _texts(np.random.default_rng([seed, first]), stop - first, pa.array(words))


def _texts(chance: np.random.Generator, rows: int, dictionary: Any) -> Any:
    tokens = np.exp(chance.normal(np.log(MEDIAN_TOKENS), SIGMA, rows)).round().astype(np.int64)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(np.maximum(1, tokens - _SPECIAL_TOKENS), out=offsets[1:])
    chosen = dictionary.take(pa.array(chance.integers(0, len(dictionary), offsets[-1])))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), chosen), " ")
