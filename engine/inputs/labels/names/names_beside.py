"""Columns beside labels that are indices → whether they name the same classes, as far as they hold names of classes.

Programs write both: SageMaker an index and ``class-name`` beside it, others ``label`` and ``class_name``. Where the
names say something else, the classes of the indices are in another order, or the indices stand for something else.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.inputs.columns import Columns
from engine.inputs.labels.names.numbered import Numbered
from engine.inputs.labels.other_labels import OtherLabels
from engine.inputs.labels.spelling import NO_LABEL, label_map_text, spell
from engine.inputs.messages import listed

_LEAST = 0.8  # of the rows in which a column of names has to agree: annotators differ in some
_LEAST_OF_A_MODEL = 0.5  # the same of a column that seems to hold what a model said
_OF_A_MODEL = re.compile(r"pred|guess|model|output|baseline|llm|gpt|weak|auto", re.IGNORECASE)
_SPELLINGS = 4  # of the name of one class, at most
_WHOLE = re.compile(r"-?[0-9]+")
_OBJECT = r'^\{.*?"(?:(?:class|label)[-_ ]?)?(?:name|label)": ?"(?P<name>[^"\\]*)"'


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A column of a file, and the column of labels beside it."""

    file: str
    column: str
    label: str


class NamesBeside:
    """What the columns beside the labels say of them.

    Args:
        classes: that are known; with none, or if one is a whole number, labels are not read as indices.
        is_bonus: the labels are not what the files are read for.

    Attributes:
        label_columns: by files whose rows were taken in, the column of labels.
        said: by such files, the names of all columns, if a file has no header.
        rejected: files in which Prodigy's annotators rejected some labels.
        numbered: what the files, or small ones beside them, call numbers.
    """

    def __init__(self, classes: Sequence[str] = (), *, is_bonus: bool = False) -> None:
        self._labels = OtherLabels(classes, is_bonus=is_bonus)
        self._classes = [] if any(map(_WHOLE.fullmatch, map(spell, classes))) else list(classes)
        self._names = {spell(name).casefold(): number for number, name in enumerate(self._classes)}
        self._numbers = pa.array([str(number) for number in range(len(self._classes))], pa.string())
        self._pairs: dict[_Place, Counter[tuple[str, str]]] = {}
        self._others: set[_Place] = set()  # columns that hold more than names of classes
        self._is_nested: set[_Place] = set()
        self.label_columns: dict[str, str] = {}
        self.said: dict[str, tuple[str, ...]] = {}
        self.numbered: dict[Numbered, None] = {}
        self.rejected: dict[str, None] = {}

    def add(
        self,
        file: str,
        columns: Columns,
        label: pa.Array,
        beside: Mapping[str, pa.Array],
        numbered: Iterable[Numbered] = (),
    ) -> None:
        """Take in some rows: their labels, as strings, and the other columns under the names by which they are kept."""
        self.label_columns[file], self.said[file] = columns.label or "", columns.said
        self.numbered.update(dict.fromkeys(numbered))
        if (answer := beside.get("answer")) is not None and pa.types.is_string(answer.type):
            self.rejected.update({file: None} if pc.any(pc.equal(answer, "reject")).as_py() else {})
        self._labels.add(file, columns, label, beside)
        rows = pc.fill_null(pc.is_in(label, self._numbers), False) if self._classes and beside else None
        if rows is None or not pc.any(rows).as_py():
            return
        for given, array in zip(columns.given(beside), beside.values(), strict=True):
            place = _Place(file=file, column=given, label=columns.label or "")
            if place not in self._others and pa.types.is_string(array.type):
                self._add(place, label.filter(rows), array.filter(rows))

    def _add(self, place: _Place, labels: pa.Array, values: pa.Array) -> None:
        distinct = pc.unique(values)
        if len(distinct) and str(distinct[0]).startswith("{"):
            self._is_nested.add(place)
            values = pc.struct_field(pc.extract_regex(values, _OBJECT), "name")
            distinct = pc.unique(values)
        if len(distinct) > _SPELLINGS * len(self._classes) or not self._are_names(distinct.to_pylist()):
            self._others.add(place)
            self._pairs.pop(place, None)
            return
        counts = self._pairs.setdefault(place, Counter())
        for pair in pc.binary_join_element_wise(labels, values, " ").drop_null().value_counts().to_pylist():
            label, _, value = pair["values"].partition(" ")  # a label is a number here
            if (name := _plain(value)) in self._names:
                counts[label, name] += pair["counts"]

    def _are_names(self, values: list[str | None]) -> bool:
        return all(name in self._names or name in NO_LABEL for name in map(_plain, values))

    def check(self, index: Mapping[str, int]) -> list[str]:
        """Notes of columns that name other classes in a few rows, or hold other labels.

        Args:
            index: label → index of its class, of those labels that are read as indices.

        Raises:
            InputError: a column names other classes in many rows.
        """
        notes = [note for place, pairs in self._pairs.items() for note in self._judge(place, pairs, index)]
        return notes + self._labels.check(index)

    def _judge(self, place: _Place, pairs: Counter[tuple[str, str]], index: Mapping[str, int]) -> Iterator[str]:
        read = {pair: times for pair, times in pairs.items() if pair[0] in index}
        rows = sum(read.values())
        other = sum(times for (label, name), times in read.items() if self._names[name] != index[label])
        if not other or len({name for _, name in read}) == 1 < len({label for label, _ in read}):
            return
        seen = f"{place.file}: the classes of {place.label!r} and {place.column!r} differ in {other:,} of {rows:,} rows"
        is_of_a_model = _OF_A_MODEL.search(place.column) is not None
        if other <= rows * (1 - (_LEAST_OF_A_MODEL if is_of_a_model else _LEAST)):
            if not is_of_a_model:
                yield seen
            return
        numbers = label_map_text([(label, self._classes[number]) for label, number in index.items()])
        raise InputError(
            f"{seen}, if the numbers are read as indices of the classes {listed(self._classes)}, counted from 0. If "
            f"the names are right, {self._way(place, read)}; if the numbers are, --label-map {numbers}"
        )

    def _way(self, place: _Place, pairs: Mapping[tuple[str, str], int]) -> str:
        """How the names are read."""
        of_numbers = dict(sorted(pairs, key=lambda pair: pairs[pair]))  # the most frequent name of each
        rows = sum(pairs[pair] for pair in of_numbers.items())
        if len(set(of_numbers.values())) == len(of_numbers) and rows >= _LEAST * sum(pairs.values()):
            given = [(label, self._classes[self._names[name]]) for label, name in sorted(of_numbers.items())]
            return f"--label-map {label_map_text(given)}"
        if place in self._is_nested:
            return "write them into a column of their own"
        return f"--label {shlex.quote(place.column)}"


def _plain(value: str | None) -> str:
    return spell(value or "").casefold()
