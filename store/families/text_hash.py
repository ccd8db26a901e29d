"""Texts → 64 bits each that are equal if a reader would call the texts the same. Of one text, or of many at once.

Many are normalised together: their UTF-8 is folded and its white space narrowed in place, without a Python string a
text. A text with a character whose folded form takes another number of bytes goes the way of a single one.
"""

import functools
import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_SPACE = 32
_CONTROLS = np.array([9, 10, 11, 12, 13, 28, 29, 30, 31], np.uint8)
"""Those of ASCII that are white space."""
_BITS = np.array([0, 0, 0x1F, 0x0F, 0x07], np.uint32)
"""By the length of a UTF-8 sequence: which bits of its first byte belong to the character."""

_Bytes = npt.NDArray[np.uint8]
_Places = npt.NDArray[np.int64]


def text_hash(text: str) -> int:
    """64 bits of BLAKE2b of the normalised text: case-folded, runs of white space as one space, none at the ends.

    Equal for texts that a reader would call the same; FORMAT.md tells other languages how to compute it.
    """
    normalised = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(normalised.encode(), digest_size=8).digest(), "little")


def text_hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """`text_hash` of each of ``texts``, (rows,) string without nulls."""
    if not len(texts):
        return np.empty(0, np.uint64)
    data, offsets = _lower_utf8(texts)
    odd = _fold_others(data, offsets)
    text, places = _narrowed(data, offsets)
    new = hashlib.blake2b
    digests = b"".join([new(text[begin:end], digest_size=8).digest() for begin, end in places])
    hashes = np.frombuffer(digests, "<u8").astype(np.uint64)
    for row in odd:
        hashes[row] = text_hash(texts[row].as_py())
    return hashes


def _lower_utf8(texts: pa.Array) -> tuple[_Bytes, _Places]:
    """The bytes of all ``texts``, ASCII in lower case, a space behind each; where each begins, and the end of the last.

    They are joined first: of texts whose first byte is not the first of their buffer, as the cast of a slice has them,
    `ascii_lower` gives others (pyarrow 26.0.1).
    """
    lower = pc.ascii_lower(pc.binary_join_element_wise(texts, "", " "))
    _, offsets, data = lower.buffers()
    places = np.frombuffer(offsets, np.int32, len(lower) + 1, offset=4 * lower.offset).astype(np.int64)
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]].copy(), places - places[0]


def _fold_others(data: _Bytes, offsets: _Places) -> list[int]:
    """Fold what is not ASCII in ``data``, in place; the rows in which a character cannot be folded so."""
    controls = np.flatnonzero(data < _SPACE)
    data[controls[np.isin(data[controls], _CONTROLS)]] = _SPACE
    firsts = np.flatnonzero(data >= 0xC0)
    if not len(firsts):
        return []
    first = data[firsts]
    lengths = 2 + (first >= 0xE0).astype(np.int64) + (first >= 0xF0)
    points = first & _BITS[lengths]
    for place in (1, 2, 3):
        has = lengths > place
        points[has] = points[has] << 6 | data[firsts[has] + place] & 0x3F
    odd = set[int]()
    for point in np.unique(points).tolist():
        folded = _folded(point)
        if folded == b"":
            continue
        found = firsts[points == point]
        if folded is None:
            odd.update((np.searchsorted(offsets, found, side="right") - 1).tolist())
            continue
        for place, byte in enumerate(folded):
            data[found + place] = byte
    return sorted(odd)


@functools.cache
def _folded(point: int) -> bytes | None:
    """What takes the place of a character that is not ASCII, in as many bytes: spaces if it is white space.

    Empty if it stays as it is; None if it cannot be said in as many bytes.
    """
    character = chr(point)
    size, folded = len(character.encode()), character.casefold()
    if character.isspace():
        return b" " * size
    if folded == character:
        return b""
    return folded.encode() if len(folded.encode()) == size and not any(map(str.isspace, folded)) else None


def _narrowed(data: _Bytes, offsets: _Places) -> tuple[memoryview, Iterable[tuple[int, int]]]:
    """The texts without the white space that `text_hash` takes out of them, and where each begins and ends.

    Of a run of spaces the first one stays. The one behind a text is the end of a run, so that white space at the
    beginning of the next text is no first one.

    Args:
        data: texts with a space behind each, (bytes,).
        offsets: where each begins, and the end of the last, (rows + 1,).
    """
    is_space = data == _SPACE
    gone = np.flatnonzero(is_space[1:] & is_space[:-1]) + 1
    if is_space[0]:
        gone = np.concatenate([[0], gone])
    if len(gone):
        stays = np.ones(len(data), np.bool_)
        stays[gone] = False
        data = data[stays]
        offsets = offsets - np.searchsorted(gone, offsets)
    begins, ends = offsets[:-1], np.maximum(offsets[1:] - 1, offsets[:-1])
    return data.data, zip(begins.tolist(), ends.tolist(), strict=True)
