"""Columns beside the labels that hold labels of the same kind → whether they say the same, as far as they are filled.

A table of annotated predictions has both: ``label`` of a model, and ``gold_label`` or ``label_corrected`` of a person.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.columns import Columns
from engine.inputs.labels.spelling import NO_LABEL, of_a_person, spell, spelled
from store.selections.csv_safe import PREDICTED

_OF_A_MODEL = re.compile(r"pred|guess|model|output|baseline|llm|gpt|weak|auto", re.IGNORECASE)
_TRUTHS = {"true", "false", "yes", "no", "t", "f", "y", "n"}  # names of classes that many columns hold
_SPELLINGS = 4  # of the name of one class, at most
_MOST = 100  # values of a column, if the classes are not known
_WHOLE = re.compile(r"-?[0-9]+")
_BETWEEN = "\x1f"


@dataclass(frozen=True, kw_only=True)
class _Place:
    file: str
    column: str
    label: str


class OtherLabels:
    """What other columns of labels say, if the user has not said which one is right.

    Args:
        classes: that are known.
        is_bonus: the labels are not what the files are read for: nothing is refused.
    """

    def __init__(self, classes: Sequence[str], *, is_bonus: bool) -> None:
        self._names = {spell(name).casefold(): number for number, name in enumerate(classes)}
        self._is_bonus = is_bonus
        self._most = _SPELLINGS * len(classes) or _MOST
        self._pairs: dict[_Place, Counter[tuple[str, str]]] = {}
        self._others: set[_Place] = set()  # columns that hold something else

    def add(self, file: str, columns: Columns, label: pa.Array, beside: Mapping[str, pa.Array]) -> None:
        """Take in some rows: their labels, as strings, and the other columns under the names by which they are kept."""
        if columns.label is None or columns.is_label_named:
            return
        names = columns.given(beside)
        is_for_annotators = {*names} >= {*PREDICTED}  # its classes are what a label set said
        for given, array in zip(names, beside.values(), strict=True):
            if is_for_annotators and given in PREDICTED:
                continue
            place = _Place(file=file, column=given, label=columns.label)
            if place not in self._others and (values := _strings(array, place.column)) is not None:
                self._add(place, label, values)

    def _add(self, place: _Place, labels: pa.Array, values: pa.Array) -> None:
        distinct = {_plain(value) for value in pc.unique(values)[: self._most + 1].to_pylist()} - {*NO_LABEL}
        counts = self._pairs.setdefault(place, Counter())
        if len(distinct) > self._most or (self._names and not all(map(self._may_be_class, distinct))):
            self._others.add(place)
            self._pairs.pop(place)
            return
        for pair in pc.binary_join_element_wise(labels, values, _BETWEEN).drop_null().value_counts().to_pylist():
            label, _, value = pair["values"].partition(_BETWEEN)
            if (value := _plain(value)) not in NO_LABEL:
                counts[label, value] += pair["counts"]
        if len(counts) > self._most**2:
            self._others.add(place)
            self._pairs.pop(place)

    def _may_be_class(self, value: str) -> bool:
        return value in self._names or _WHOLE.fullmatch(value) is not None

    def check(self, index: Mapping[str, int]) -> list[str]:
        """Notes of columns that have other classes.

        Args:
            index: label → index of its class, of those labels that are read.

        Raises:
            InputError: one of them seems to be what a person said.
        """
        classes = self._names | {label.casefold(): number for label, number in index.items()}
        return [note for place, pairs in self._pairs.items() for note in self._judge(place, pairs, index, classes)]

    def _judge(
        self, place: _Place, pairs: Counter[tuple[str, str]], index: Mapping[str, int], classes: Mapping[str, int]
    ) -> Iterator[str]:
        read = {pair: times for pair, times in pairs.items() if pair[0] in index and _are_alike(*pair)}
        if not all(value in classes for _, value in pairs) or not _is_telling(place.column, read):
            return
        other = sum(times for (label, value), times in read.items() if classes[value] != index[label])
        if not other:
            return
        way = f"--label {shlex.quote(place.column)} reads that one, and --label {shlex.quote(place.label)} this one"
        said = (
            f"{place.file}: the label is read from {place.label!r}, and {place.column!r} has another class in "
            f"{other:,} of {sum(read.values()):,} rows"
        )
        if of_a_person(place.column) and not self._is_bonus:
            raise InputError(f"{said}. Say which is right: {way}")
        yield f"{said}; {way}"


def _strings(array: pa.Array, column: str) -> pa.Array | None:
    """The values of a column that may hold labels."""
    if pa.types.is_string(array.type):
        return array
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    return spelled(array.cast(pa.string())) if is_number and of_a_person(column) else None


def _are_alike(label: str, value: str) -> bool:
    """Whether both are names or both are numbers: `NamesBeside` compares one with the other."""
    return (_WHOLE.fullmatch(label) is None) == (_WHOLE.fullmatch(value) is None)


def _is_telling(column: str, pairs: Mapping[tuple[str, str], int]) -> bool:
    """Whether a column of this name and these values holds labels of the same kind, and not by chance."""
    if of_a_person(column):
        return True
    labels, values = {label for label, _ in pairs}, {value for _, value in pairs}
    by_chance = all(value in _TRUTHS or _WHOLE.fullmatch(value) for value in values)
    return not by_chance and _OF_A_MODEL.search(column) is None and (len(values) > 1 or len(labels) == 1)


def _plain(value: str | None) -> str:
    return spell(value or "").casefold()
