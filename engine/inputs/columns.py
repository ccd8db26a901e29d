"""Column names of an input file → which one is the text, the id, the label, and which are kept beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.errors import InputError
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.by_name.choice import EDGES, PLAIN_LABEL, NameChoice, may_be_id
from engine.inputs.labels.spelling import is_verdict, may_name_classes
from engine.inputs.paths.hive import path_columns
from store.format.names import stored_names
from store.selections.csv_safe import PREDICTED

MAX_COLUMNS = 4096
NO_COLUMN = ""
"""In the place of a name: there is no such column. The command line says ``none``."""


@dataclass(frozen=True, kw_only=True)
class ColumnNames:
    """Names that the user gave; None if the engine is to find the column by itself, `NO_COLUMN` if there is none.

    Attributes:
        text: of the texts; several with commas between them make one text, if no column has that name.
        id: of the ids.
        label: of the labels.
        before: with which columns other files were read that belong to these, as those of a store.
    """

    text: str | None = None
    id: str | None = None
    label: str | None = None
    before: ColumnsBefore | None = None

    def to_json(self) -> dict[str, str | None]:
        """The names, as they are kept in a header."""
        return {"text": self.text, "id": self.id, "label": self.label}


class LabelColumns(ColumnNames):
    """The same for a file of labels: rows are known by their ids; kept is only what says something of the labels."""

    def needs_label(self, names: Sequence[str], *, file: str) -> bool:  # noqa: ARG002 - others look at them
        """Whether a column of labels is needed among the columns ``names`` of ``file``."""
        return True

    def keeps(self, name: str) -> bool:
        """Whether a column beside the ids and the labels is read."""
        return is_verdict(name) or may_name_classes(name) or may_be_id(name)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of one file is what. Names are without the white space around them.

    Attributes:
        text: as the user named it, or as it was found; empty if none is read, as of `LabelColumns`.
        id: None if rows have no id: ``file:row`` is it then.
        label: None if the file has no gold.
        extras: all others that have a name of their own, as a store names them, in the file's order.
        places: of those that are read from the file, by their names here: numbers from 0.
        constants: columns that are the same in every row since they stand in the file's path, as ``year=2023``.
        repeated_in_path: those of the file that stand in its path as well, where they have to be the same.
        renamed: names of others that a store has taken, and those under which they are kept.
        doubts: what a user has to know of the choice, a sentence each.
        other_ids: names of those that might have the ids of a file of labels as well, if the user named none.
        left_out: names of columns that cannot be told apart; the empty one is not among them.
        is_label_named: the user has named the label.
        said: the names of all, if the user gave them since the file has no header.
        joined: the columns that are the text together, if they are several; they have no other use.
    """

    text: str
    id: str | None
    label: str | None
    extras: tuple[str, ...]
    places: dict[str, int] = field(default_factory=dict)
    constants: dict[str, str | None] = field(default_factory=dict)
    repeated_in_path: dict[str, str | None] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    other_ids: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    is_label_named: bool = False
    said: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of the text: one, several that are joined, or none."""
        return self.joined or ((self.text,) if self.text else ())

    @property
    def places_of_texts(self) -> tuple[int, ...]:
        """Those of `texts` in the file itself."""
        return tuple(self.places[name] for name in self.texts if name in self.places)

    def names(self) -> list[str]:
        """Every column that is read from the file itself."""
        names = (*self.texts, self.id, self.label, *self.extras)
        return list(dict.fromkeys(name for name in names if name and name not in self.constants))

    def given(self, kept: Iterable[str]) -> list[str]:
        """The names that the file gives to columns that are kept under others."""
        return [next((given for given, other in self.renamed.items() if other == name), name) for name in kept]


def columns_of(files: Iterable[Columns], *, where: str) -> ColumnsBefore:
    """The columns with which ``files`` were read, for others that belong to ``where``.

    A column of labels that was found by its plain name is none of them: another file may have names beside its numbers.
    """
    held = [(one.text, one.id, one.label if one.is_label_named or one.label != PLAIN_LABEL else None) for one in files]
    text, id_, label = (tuple(dict.fromkeys(filter(None, names))) for names in zip(*held, strict=True))
    return ColumnsBefore(where=where, text=text, id=id_, label=label)


def find_columns(names: list[str], wanted: ColumnNames, *, file: str) -> Columns:
    """Choose among the columns ``names`` of ``file``, and those of its path: the named ones, else those of plain names.

    White space around a name is not part of it. A repeated name is a fault only where it is needed.

    Raises:
        InputError: a named column is missing or there twice, no text column is to be found, a choice is needed, or
            there are too many.
    """
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{file}: more than {MAX_COLUMNS:,} columns; keep the text, the id, the label and a few")
    clean = [name.strip(EDGES) for name in names]
    in_path = path_columns(file)
    both = in_path.keys() & set(clean)
    constants = {name: value for name, value in in_path.items() if name not in both}
    known = NameChoice([*clean, *constants], file, wanted.before, of_labels=isinstance(wanted, LabelColumns))
    text, texts, id_, label = _chosen(known, wanted, file)
    chosen = [name for name in (*texts, id_, label) if name]
    rest = [name for name in known.unique() if name not in chosen]
    if isinstance(wanted, LabelColumns):
        said = {*PREDICTED} if {*rest} >= {*PREDICTED} else set()  # by a label set, in a file for annotators
        rest = [name for name in rest if wanted.keeps(name) and name not in said]
    stored = stored_names(rest)
    places = {name: clean.index(name) for name in chosen if name not in constants}
    places |= {stored[name]: clean.index(name) for name in rest if name not in constants}
    constants = {stored.get(name, name): value for name, value in constants.items() if name in chosen or name in stored}
    return Columns(
        text=text,
        id=id_,
        label=label,
        extras=tuple(stored.values()),
        places=places,
        constants=constants,
        repeated_in_path={stored.get(name, name): in_path[name] for name in (*chosen, *rest) if name in both},
        renamed={name: kept for name, kept in stored.items() if kept != name},
        doubts=known.doubts,
        other_ids=tuple(stored[name] for name in known.other_ids if name in stored),
        left_out=() if isinstance(wanted, LabelColumns) else known.repeated(),
        is_label_named=wanted.label is not None,
        joined=texts if len(texts) > 1 else (),
    )


def _chosen(known: NameChoice, wanted: ColumnNames, file: str) -> tuple[str, tuple[str, ...], str | None, str | None]:
    """The text, which is empty if none is read, and its columns; the columns of the id and of the label.

    Raises:
        InputError: as `find_columns`.
    """
    if isinstance(wanted, LabelColumns):
        id_of_label = known.id(wanted.id)
        is_needed = wanted.needs_label(known.unique(), file=file)
        return "", (), id_of_label, _of_people(known, wanted, file) if is_needed else None
    text, texts = known.texts(wanted.text)
    id_, label = known.find("id", wanted.id), known.find("label", wanted.label)
    if len(texts) > 1 and label in texts:
        raise InputError(
            f"{file}: {label!r} is the label, and a part of the text, which would tell it: leave it out of --text, or "
            "name another with --label, none for no labels"
        )
    return text, texts, id_, label


def _of_people(known: NameChoice, wanted: ColumnNames, file: str) -> str:
    """The column of labels of a file that may be one for annotators: what a label set said of its rows is no label.

    Raises:
        InputError: there is none.
    """
    is_for_annotators = {*known.unique()} >= {*PREDICTED}
    name = known.find("label", wanted.label) if is_for_annotators else known.required("label", wanted.label)
    if name is None or (is_for_annotators and name in PREDICTED):
        said = ", ".join(PREDICTED)
        raise InputError(
            f"{file}: no column has labels by people: {said} are what a label set said when the rows were written for "
            "annotators. Add a column called label with the class of each row"
        )
    return name


def find_id(names: list[str], wanted: ColumnNames, *, file: str) -> tuple[str, tuple[str, ...]]:
    """The column of ``names`` that has the ids of a file of labels, and what a user has to know of the choice.

    Raises:
        InputError: there is none, or a choice is needed.
    """
    known = NameChoice(names, file, wanted.before, of_labels=True)
    return known.id(wanted.id), known.doubts
