"""Column names of an input file → which one is the text, the id, the label, and which are kept beside them."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.errors import InputError, MissingColumnError
from engine.inputs.labels.spelling import is_verdict, may_name_classes
from engine.inputs.paths.hive import path_columns
from store.format.names import stored_names
from store.selections.csv_safe import STORE_ID

MAX_COLUMNS = 4096
NO_COLUMN = ""
"""In the place of a name: there is no such column. The command line says ``none``."""

_PLAIN = {
    "text": ("text", "review", "review_text", "content", "sentence", "body", "comment"),
    "id": ("id", "review_id", "doc_id", "document_id", "uuid"),
    "label": ("label", "labels"),
}
_WEAK = ("comment", "body", "content")
_OFTEN_REPEATED = (*_WEAK, "labels")  # Jira has a column for each comment
_NAMES_OF_LABELS = "label_text"  # beside the numbers in "label", as SetFit's data sets have them
_EDGES = " \t\r\n\v\f\ufeff\u00a0"


@dataclass(frozen=True, kw_only=True)
class ColumnNames:
    """Names that the user gave; None if the engine is to find the column by itself, `NO_COLUMN` if there is none."""

    text: str | None = None
    id: str | None = None
    label: str | None = None


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
        text: empty if none is read, as of `LabelColumns`.
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

    def names(self) -> list[str]:
        """Every column that is read from the file itself."""
        names = (self.text, self.id, self.label, *self.extras)
        return list(dict.fromkeys(name for name in names if name and name not in self.constants))

    def given(self, kept: Iterable[str]) -> list[str]:
        """The names that the file gives to columns that are kept under others."""
        return [next((given for given, other in self.renamed.items() if other == name), name) for name in kept]


def find_columns(names: list[str], wanted: ColumnNames, *, file: str) -> Columns:
    """Choose among the columns ``names`` of ``file``, and those of its path: the named ones, else those of plain names.

    White space around a name is not part of it. A repeated name is a fault only where it is needed.

    Raises:
        InputError: a named column is missing or there twice, no text column is to be found, a choice is needed, or
            there are too many.
    """
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{file}: more than {MAX_COLUMNS:,} columns; keep the text, the id, the label and a few")
    clean = [name.strip(_EDGES) for name in names]
    in_path = path_columns(file)
    both = in_path.keys() & set(clean)
    constants = {name: value for name, value in in_path.items() if name not in both}
    known = _Names([*clean, *constants], file)
    text, id_, label = known.chosen(wanted)
    chosen = [name for name in (text, id_, label) if name]
    rest = [name for name in known.unique() if name not in chosen]
    if isinstance(wanted, LabelColumns):
        rest = list(filter(wanted.keeps, rest))
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
        doubts=tuple(known.doubts),
        other_ids=tuple(stored[name] for name in known.other_ids if name in stored),
        left_out=() if isinstance(wanted, LabelColumns) else known.repeated(),
        is_label_named=wanted.label is not None,
    )


def find_id(names: list[str], wanted: ColumnNames, *, file: str) -> str:
    """The column of ``names`` that has the ids of a file of labels.

    `STORE_ID` comes first: where Label Studio writes CSV or JSON-MIN, ``id`` is the number of its task.

    Raises:
        InputError: there is none, or a choice is needed.
    """
    return _Names(names, file).id(wanted)


class _Names:
    """The names of a file's columns, for one choice after the other."""

    def __init__(self, names: list[str], file: str) -> None:
        self._times = Counter(names)
        self._file = file
        self.doubts: list[str] = []
        self.other_ids: list[str] = []

    def chosen(self, wanted: ColumnNames) -> tuple[str, str | None, str | None]:
        """The columns of the text, which is empty if none is read, of the id and of the label."""
        if not isinstance(wanted, LabelColumns):
            return self.required("text", wanted.text), self.find("id", wanted.id), self.find("label", wanted.label)
        id_ = self.id(wanted)
        is_needed = wanted.needs_label(self.unique(), file=self._file)
        return "", id_, self.required("label", wanted.label) if is_needed else None

    def unique(self) -> list[str]:
        """Those that a column can be known by and kept under."""
        return [name for name, times in self._times.items() if times == 1 and _can_be_said(name)]

    def repeated(self) -> tuple[str, ...]:
        """Those of several columns."""
        return tuple(name for name, times in self._times.items() if times > 1 and _can_be_said(name))

    def find(self, what: str, wanted: str | None) -> str | None:
        """The column of ``what``; None if there is none."""
        if wanted == NO_COLUMN:
            return None
        name = self._named(what, wanted.strip(_EDGES)) if wanted is not None else self._plain(what)
        if name is not None and self._times[name] > 1:
            way = f"rename one, or name another with --{what}"
            raise InputError(f"{self._file}: two columns are named {name!r}, and it is the {what}; {way}")
        return name

    def required(self, what: str, wanted: str | None) -> str:
        """The column of ``what``.

        Raises:
            InputError: there is none.
        """
        name = self.find(what, wanted)
        if name is None:
            way = f"name it with --{what}"
            if what == "id" and next(iter(self._times), None) == "":  # pandas' index
                script = 's/^(""|)/id/'
                way = f"the first column has no name: give it one, as with sed -E '1{script}' {shlex.quote(self._file)}"
            words = f"no column looks like the {what} (columns: {self._listed()})"
            raise MissingColumnError(f"{self._file}: {words}; {way}")
        return name

    def id(self, wanted: ColumnNames) -> str:
        """The column of ids of a file of labels."""
        named = wanted.id or (STORE_ID if STORE_ID in self._times else None)
        name = self.required("id", named)
        if named is None:
            self.other_ids = [other for other in self._times if other != name and may_be_id(other)]
        if self.other_ids:
            self._doubt("id", name, self.other_ids)
        return name

    def _named(self, what: str, name: str) -> str:
        if name not in self._times:
            raise MissingColumnError(
                f"{self._file}: there is no column {name!r} for --{what} (columns: {self._listed()})"
            )
        return name

    def _plain(self, what: str) -> str | None:
        found = [name for name in self._times if name.lower() in _PLAIN[what]]
        found = [name for name in found if self._times[name] == 1 or name.lower() not in _OFTEN_REPEATED]
        if what == "label" and what in found and _NAMES_OF_LABELS in self._times:
            chosen: str | None = _NAMES_OF_LABELS
        elif what in found or len(found) == 1:
            chosen = what if what in found else found[0]
        elif found:
            raise InputError(f"{self._file}: {' and '.join(found)} could each be the {what}; choose with --{what}")
        else:
            return None
        others = [name for name in found if name != chosen and what != "id"]
        if others or chosen in _WEAK:
            self._doubt(what, str(chosen), others)
        return chosen

    def _doubt(self, what: str, chosen: str, others: list[str]) -> None:
        more = f", and not from {' and '.join(map(repr, others))}" if others else ""
        self.doubts.append(f"{self._file}: the {what} is read from {chosen!r}{more}; --{what} names another column")

    def _listed(self) -> str:
        names = [_shown(name)[:100] for name in self._times if name]
        return ", ".join(names[:50]) + (", …" if len(names) > 50 else "")


def may_be_id(name: str) -> bool:
    """Whether a column of this name may have the ids."""
    return name.lower() in _PLAIN["id"]


def _can_be_said(name: str) -> bool:
    """Whether SQL and JSON can say ``name``. pandas, for one, writes an index without a name."""
    return name != "" and "\0" not in name and name == _shown(name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
