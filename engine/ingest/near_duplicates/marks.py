"""All texts of a store, in order → which of them are nearly the same as an earlier one.

A row is marked with the most similar of the rows before it that are not marked themselves. So no two rows without a
mark are nearly the same, and each marked one is, directly, as one without: the groups are stars and no chains. What a
row is marked with depends on the rows before it alone, and not on how they are cut into pieces.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from engine.ingest.near_duplicates.index import THRESHOLD, NearDuplicates, SimilarPairs
from engine.ingest.near_duplicates.marking import MARKING
from store.format.segments import MARK, MARK_SIMILARITY

_ROWS, _CHARACTERS = 2_048, 4 << 20


class Marker:
    """Marks rows. It has to see all of them, from the first one of the store on.

    In memory it takes about 155 bytes a row, and on the disk of temporary files about 440 (four a word).

    Args:
        threshold: the least similarity of what is nearly the same.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._index = NearDuplicates(threshold=threshold, named=MARKING)
        self._is_marked = bytearray()

    def mark(self, texts: pa.Array) -> dict[str, pa.Array]:
        """The columns of marks of the next rows: null for a row that is like none before it.

        Args:
            texts: (rows,) string.
        """
        marks = [one for piece in _pieces(texts.to_pylist()) for one in self._marks(piece)]
        return {
            MARK: pa.array([one and one[0] for one in marks], pa.int64()),
            MARK_SIMILARITY: pa.array([one and one[1] for one in marks], pa.float64()),
        }

    def _marks(self, texts: Sequence[str]) -> list[tuple[int, float] | None]:
        first = len(self._index)
        found = self._index.add_with_pairs(texts)
        self._is_marked += bytes(len(texts))
        marks: list[tuple[int, float] | None] = [None] * len(texts)
        for place, position, similarity in _in_order(found):
            held = marks[place]
            if not self._is_marked[position] and (held is None or similarity > held[1]):
                marks[place] = (position, similarity)
                self._is_marked[first + place] = True
        return marks


def _in_order(found: SimilarPairs) -> Iterator[tuple[int, int, float]]:
    yield from zip(found.places.tolist(), found.positions.tolist(), found.similarities.tolist(), strict=True)


def _pieces(texts: list[str]) -> Iterator[list[str]]:
    """``texts`` in pieces of bounded size, if no single text is larger."""
    first, characters = 0, 0
    for place, text in enumerate(texts):
        if place - first == _ROWS or (characters and characters + len(text) > _CHARACTERS):
            yield texts[first:place]
            first, characters = place, 0
        characters += len(text)
    if first < len(texts):
        yield texts[first:]
