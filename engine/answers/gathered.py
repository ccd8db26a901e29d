"""Answers as they were read: arrays of those whose row in the store is known, and what was seen on the way.

Which class a label is, and whether scores are probabilities, is known only when all files are read. A row of the files
becomes some 30 bytes here, and four for each score; no row becomes an object.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.answers.refusals import Refusals
from engine.answers.scores.kind import ScoreShapes
from engine.answers.scores.table import ScoreTable
from engine.errors import InputError
from engine.inputs.labels.names.names_beside import NamesBeside
from store.families.label_card import AnswersFile

MAX_WORDS = 100_000
SHOWN_IDS = 3

Codes = npt.NDArray[np.int32]


@dataclass(kw_only=True)
class Words:
    """Different words, such as labels or the names of annotators, and a number for each.

    Attributes:
        what: they are.
        flag: names another column.
        codes: the number of each, in the order in which they came.
    """

    what: str
    flag: str
    codes: dict[str, int] = field(default_factory=dict)

    def take_in(self, values: pa.Array, *, file: str) -> Codes:
        """(n,) the number of each of ``values``, strings; -1 for null.

        Raises:
            InputError: there are too many different ones for the column to be right.
        """
        encoded = values.dictionary_encode()
        known = [self.codes.setdefault(word, len(self.codes)) for word in encoded.dictionary.to_pylist()]
        if len(self.codes) > MAX_WORDS:
            raise InputError(
                f"{file}: there are more than {MAX_WORDS:,} different {self.what}; is it the right column? Choose with "
                f"{self.flag}"
            )
        numbers = np.array([*known, -1], np.int32)
        codes: Codes = numbers[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
        return codes


@dataclass(kw_only=True)
class Gathered:
    """Answers whose row in the store is known, in the order of the files, and what was seen on the way.

    Attributes:
        scores: their scores, a row each, if they have some.
        files: that were read.
        shapes: what the scores look like.
        refusals: the other rows.
        labels: the words in the column of labels.
        annotators: names of those who answered.
        beside: what other columns say of the labels.
        not_labels: words that were read as no label.
        label_columns: names of the columns of labels.
        notes: what a user has to know of how the files are read.
        has_scores: whether the files have scores, and not labels; None before the first row.
        padded: how many ids were found without the white space around, or the .0 behind.
        rows: of all files, refused ones included.
        found: rows whose answer was gathered.
        lost_ids: the first ids that the store does not have.
    """

    scores: ScoreTable
    beside: NamesBeside
    files: list[AnswersFile] = field(default_factory=list)
    shapes: ScoreShapes = field(default_factory=ScoreShapes)
    refusals: Refusals = field(default_factory=Refusals)
    labels: Words = field(default_factory=lambda: Words(what="labels", flag="--label"))
    annotators: Words = field(default_factory=lambda: Words(what="annotators", flag="--annotator"))
    not_labels: set[str] = field(default_factory=set)
    label_columns: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)
    has_scores: bool | None = None
    padded: int = 0
    rows: int = 0
    found: int = 0
    lost_ids: list[str] = field(default_factory=list)
    _arrays: dict[str, list[npt.NDArray[Any]]] = field(default_factory=dict)

    def add(self, **arrays: npt.NDArray[Any]) -> None:
        """Take in arrays of some answers, by name; always the same names."""
        for name, array in arrays.items():
            self._arrays.setdefault(name, []).append(array)

    def array(self, name: str, type_: type[np.generic]) -> npt.NDArray[Any]:
        """One array of all answers; its parts are let go."""
        return np.concatenate([np.empty(0, type_), *self._arrays.pop(name, [])])

    def place(self, number: int) -> str:
        """The file and the row of a row that is counted over all files, from 0; for messages."""
        first = 0
        for file in self.files:
            if number < first + file["rows"]:
                return f"{file['path']} row {number - first + 1:,}"
            first += file["rows"]
        raise IndexError(f"{number} is none of {self.rows:,} rows")
