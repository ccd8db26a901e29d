"""Test rows, and texts to learn from → the texts that are the same as a test row, or nearly the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.ingest.near_duplicates.index import NearDuplicates, Similar
from store.families.text_hash import text_hash

EQUAL, NEAR = "equal", "near"


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A text that says to a model what it will be tested on.

    Attributes:
        how: ``equal`` but for letter case and white space, or ``near``.
        test_id: of the test row.
        similarity: of both, as in `engine.ingest.near_duplicates`; 1 of equal ones.
    """

    how: str
    test_id: str
    similarity: float


class TestTexts:
    """The texts of the test rows, to compare others with.

    Args:
        texts: of the test rows.
        ids: of them.
        near: the least similarity that counts; 0 if only equal texts do.
    """

    __test__ = False  # it is no test

    def __init__(self, texts: Sequence[str], ids: Sequence[str], *, near: float) -> None:
        self._ids = ids
        self._place = {text_hash(text): place for place, text in reversed(list(enumerate(texts)))}
        self._index = NearDuplicates(threshold=near) if near else None
        if self._index is not None:
            self._index.add(texts)

    def leaks(self, texts: Sequence[str]) -> list[Leak | None]:
        """What each of ``texts`` has in common with a test row; None if that is too little."""
        similar = [None] * len(texts) if self._index is None else self._index.most_similar(texts)
        return [self._leak(text, found) for text, found in zip(texts, similar, strict=True)]

    def _leak(self, text: str, found: Similar | None) -> Leak | None:
        place = self._place.get(text_hash(text))
        if place is not None:
            return Leak(how=EQUAL, test_id=self._ids[place], similarity=1.0)
        if found is None:
            return None
        return Leak(how=NEAR, test_id=self._ids[found.position], similarity=round(found.similarity, 4))
