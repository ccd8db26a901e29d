r"""Texts → their shingles: hashes of three words in a row. Whole arrays at once, since texts are many and short.

ASCII is read byte by byte: a word is a run of letters, digits and underscores, as ``\w+`` is. In other texts signs
that are no part of a word are spaces first, by that expression, so that all bytes from 128 on are of words.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from engine.ingest.near_duplicates.hashes import Hashes, mixed, packed, upper

_WORD = re.compile(r"\w+")
_OTHER_SIGNS = re.compile(r"[^\w\x00-\x7f]+")
_BASE = 0x9E3779B97F4A7C15
_IN_ORDER = np.array([0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB], np.uint64)
_AT_ONCE = 1 << 20  # characters: eight bytes each, several times


@dataclass(frozen=True, kw_only=True)
class ShingleSets:
    """The different shingles of texts.

    Attributes:
        values: uint32 hashes of all texts, one text behind the other, ascending in each; a text has one at least.
        starts: (texts + 1,) int64, where the values of each text begin.
    """

    values: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """(texts,) how many each text has."""
        return np.diff(self.starts)

    def packed(self) -> Hashes:
        """The values, each with the number of its text above it; ascending."""
        return packed(np.repeat(np.arange(len(self.starts) - 1), self.sizes), self.values)


def shingle_sets(texts: Sequence[str]) -> ShingleSets:
    """Hashes of three words in a row; of all words together if a text has no more. Letter case does not count."""
    parts = [_shingles(part) for part in _parts(texts)]
    sizes = np.concatenate([np.zeros(1, np.int64), *(sizes for _, sizes in parts)])
    values = np.concatenate([np.zeros(0, np.uint32), *(values for values, _ in parts)])
    return ShingleSets(values=values, starts=np.cumsum(sizes))


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """``texts`` in pieces of bounded length, if no single text is longer."""
    first, characters = 0, 0
    for place, text in enumerate(texts):
        if characters and characters + len(text) > _AT_ONCE:
            yield texts[first:place]
            first, characters = place, 0
        characters += len(text)
    if first < len(texts):
        yield texts[first:]


def _shingles(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """The values of `ShingleSets`, and how many each text has."""
    encoded = [_as_words(text) for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)) + 1)
    starts, hashes = _word_hashes(b"\n".join([*encoded, b""]))
    first_words = np.searchsorted(starts, np.concatenate([np.zeros(1, np.int64), ends]))
    found = _run_hashes(hashes, first_words)
    wordless = np.flatnonzero(np.diff(first_words) == 0).tolist()
    signs = [zlib.crc32(texts[place].strip().encode(errors="surrogatepass")) for place in wordless]
    found = np.sort(np.concatenate([found, packed(np.array(wordless, np.int64), np.array(signs, np.int64))]))
    found = found[np.diff(found, prepend=~found[:1]) != 0]
    bounds = np.searchsorted(found, np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32))
    return found.astype(np.uint32), np.diff(bounds)


def _as_words(text: str) -> bytes:
    """Bytes of which those of words are told from others by ASCII alone."""
    if text.isascii():
        return text.encode()
    return _OTHER_SIGNS.sub(" ", text.casefold()).encode(errors="surrogatepass")


def _letters() -> npt.NDArray[np.uint8]:
    """What a byte counts as in a word: small letters for capital ones; 0 if it parts words."""
    known = {byte: ord(chr(byte).lower()) for byte in range(128) if _WORD.match(chr(byte))}
    return np.array([known.get(byte, byte if byte >= 128 else 0) for byte in range(256)], np.uint8)


_LETTERS = _letters()


def _word_hashes(text: bytes) -> tuple[npt.NDArray[np.int64], Hashes]:
    """Where each word begins, and its hash: a polynomial in its bytes modulo 2^64, as of Karp and Rabin."""
    letters = _LETTERS[np.frombuffer(text, np.uint8)]
    edges = np.flatnonzero(np.diff(letters != 0, prepend=False))
    starts, ends = edges[::2], edges[1::2]  # the last byte is in no word
    powers, inverses = _powers(1 << max(len(text) - 1, 1).bit_length())
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(letters * powers[: len(text)])])
    return starts, mixed((sums[ends] - sums[starts]) * inverses[starts])


@cache
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The first powers of the base of the polynomial, from the zeroth one, and of its inverse modulo 2^64."""
    powers, inverses = np.full((2, count), [[_BASE], [pow(_BASE, -1, 1 << 64)]], np.uint64)
    powers[0] = inverses[0] = 1
    return np.cumprod(powers), np.cumprod(inverses)


def _run_hashes(hashes: Hashes, first_words: npt.NDArray[np.int64]) -> Hashes:
    """Hashes of three words in a row, each with the number of its text above it.

    Args:
        hashes: of the words of all texts.
        first_words: (texts + 1,) the first word of each text.
    """
    counts = np.diff(first_words)
    text = np.repeat(np.arange(len(counts)), counts)
    left = first_words[1:][text] - np.arange(len(hashes))  # words of the text from this one on
    weighted = hashes * _IN_ORDER[0]
    for behind, weight in enumerate(_IN_ORDER[1:], start=1):
        further = np.concatenate([hashes[behind:], np.zeros(min(behind, len(hashes)), np.uint64)])
        weighted += np.where(left > behind, further * weight, np.uint64(0))
    is_run = (left >= len(_IN_ORDER)) | (left == counts[text])
    return packed(text[is_run], upper(mixed(weighted[is_run])))
