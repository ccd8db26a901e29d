"""Names of a file's columns → which is the text, the id or the label, one after the other."""

import shlex
from collections import Counter
from collections.abc import Sequence

from engine.errors import InputError, MissingColumnError
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.by_name.joined_text import parts_of
from engine.inputs.by_name.near_columns import did_you_mean, no_column
from store.format.label_command import csv_line
from store.selections.csv_safe import STORE_ID

EDGES = " \t\r\n\v\f\ufeff\u00a0"
PLAIN_LABEL = "label"
"""The column of labels where nobody says which: unless names stand beside its numbers."""
_PLAIN = {
    "text": ("text", "review", "review_text", "content", "sentence", "body", "comment"),
    "id": ("id", "review_id", "doc_id", "document_id", "uuid"),
    "label": (PLAIN_LABEL, "labels"),
}
_WEAK = ("comment", "body", "content")
_OFTEN_REPEATED = (*_WEAK, "labels")  # Jira has a column for each comment
_NAMES_OF_LABELS = "label_text"  # beside the numbers in "label", as SetFit's data sets have them


class NameChoice:
    """The names of a file's columns, for one choice after the other.

    Args:
        names: without the white space around them.
        file: for messages.
        before: columns with which other files were read: they come first where the user names none.
        of_labels: the file is one of labels by id, which stay for good: a choice between two of them is the user's.

    Attributes:
        other_ids: columns that might have the ids of a file of labels as well, if the user named none.
    """

    def __init__(
        self, names: Sequence[str], file: str, before: ColumnsBefore | None = None, *, of_labels: bool = False
    ) -> None:
        self._times = Counter(names)
        self._file = file
        self._before = before
        self._of_labels = of_labels
        self._taken_over: dict[str, tuple[str, list[str]]] = {}
        self._doubts: list[str] = []
        self.other_ids: list[str] = []

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a user has to know of the choices, a sentence each."""
        return (*self._doubts, *self._said_of_before())

    def unique(self) -> list[str]:
        """Those that a column can be known by and kept under."""
        return [name for name, times in self._times.items() if times == 1 and can_be_said(name)]

    def repeated(self) -> tuple[str, ...]:
        """Those of several columns."""
        return tuple(name for name, times in self._times.items() if times > 1 and can_be_said(name))

    def texts(self, given: str | None) -> tuple[str, tuple[str, ...]]:
        """The text, and the columns that it is in: one, or several that are joined.

        Raises:
            InputError: there is none.
        """
        name = self.required("text", given)
        parts = self._parts(name)
        if len(parts) > 1 and "text" not in self._taken_over:
            self._doubts.append(f"{self._file}: the text is {_in_words(parts)}")
        return name, parts

    def find(self, what: str, given: str | None) -> str | None:
        """The column of ``what``; None if there is none. The user may have ``given`` its name, empty for no column."""
        if given == "":
            return None
        name = self._named(what, given.strip(EDGES)) if given is not None else self._found(what)
        parts = () if name is None else self._parts(name) if what == "text" else (name,)
        for part in parts:
            if self._times[part] > 1:
                way = f"rename one, or name another with --{what}"
                raise InputError(f"{self._file}: two columns are named {part!r}, and it is the {what}; {way}")
        return name

    def required(self, what: str, given: str | None) -> str:
        """The column of ``what``.

        Raises:
            InputError: there is none.
        """
        name = self.find(what, given)
        if name is None:
            way = f"name it with --{what}"
            if what == "id" and next(iter(self._times), None) == "":  # pandas' index
                script = 's/^(""|)/id/'
                way = f"the first column has no name: give it one, as with sed -E '1{script}' {shlex.quote(self._file)}"
            words = f"no column looks like the {what} (columns: {self._listed()})"
            raise MissingColumnError(f"{self._file}: {words}; {way}")
        return name

    def id(self, given: str | None) -> str:
        """The column of ids of a file of labels.

        `STORE_ID` comes first: where Label Studio writes CSV or JSON-MIN, ``id`` is the number of its task.

        Raises:
            InputError: there is none, or a choice is needed.
        """
        named = given or (STORE_ID if STORE_ID in self._times else None)
        name = self.required("id", named)
        if named is None:
            self.other_ids = [other for other in self._times if other != name and may_be_id(other)]
        if self.other_ids and "id" not in self._taken_over:
            self._doubt("id", name, self.other_ids)
        return name

    def _parts(self, name: str) -> tuple[str, ...]:
        """The columns that are the text ``name``: the one of this name, else those between commas."""
        return (name,) if name in self._times else parts_of(name)

    def _named(self, what: str, name: str) -> str:
        parts = self._parts(name) if what == "text" else (name,)
        if len({*parts} - {""}) < len(parts) > 1:
            fault = "lacks a name between its commas" if "" in parts else "names a column twice"
            raise InputError(f"{self._file}: --{what} {name!r} {fault}; write each column once, as --{what} title,body")
        if any(part not in self._times for part in parts):
            words = no_column(what, name, parts, filter(None, self._times))
            raise MissingColumnError(f"{self._file}: {words} (columns: {self._listed()})")
        return name

    def _found(self, what: str) -> str | None:
        """As columns before, if the file has one of these; else by its plain name."""
        if self._before is None:
            return self._plain(what)
        there = self._before.here(what, self._times.keys())
        if not there:
            if what == "text":
                self._refuse_half(self._before)
            return self._plain(what)
        where, chosen = self._before.where, there[0]
        if len(there) > 1:
            words = f"{' and '.join(map(repr, there))} could each be the {what}, for it was read from both in {where}"
            raise InputError(f"{self._file}: {words}; choose with --{what}")
        others = [name for name in self._candidates(what) if name not in self._parts(chosen)]
        if self._would_be(what) == chosen:
            return self._plain(what)
        if others and what == "label" and self._of_labels:
            words = f"{chosen!r}, from which {where} has labels, and {' and '.join(map(repr, others))} could each be"
            raise InputError(f"{self._file}: {words} the label; choose with --label")
        self._taken_over[what] = (chosen, others)
        return chosen

    def _refuse_half(self, before: ColumnsBefore) -> None:
        """Refuse to read a part of the columns that were the text before: the texts would be other ones."""
        if (half := before.half_here(self._times.keys())) is None:
            return
        parts, lacking = half
        there = csv_line(part for part in parts if part not in lacking)
        near = did_you_mean(lacking[0], filter(None, self._times))
        raise MissingColumnError(
            f"{self._file}: in {before.where}, the text is {_in_words(parts)}, and there is no column {lacking[0]!r} "
            f"here{near}; name the columns of the text with --text, as --text {shlex.quote(there)} (columns: "
            f"{self._listed()})"
        )

    def _candidates(self, what: str) -> list[str]:
        """Columns that are called as ``what`` is."""
        found = [name for name in self._times if name.lower() in _PLAIN[what]]
        return [name for name in found if self._times[name] == 1 or name.lower() not in _OFTEN_REPEATED]

    def _would_be(self, what: str) -> str | None:
        """The column of ``what`` by its plain name alone; None if there is none, or several."""
        found = self._candidates(what)
        if what == "label" and what in found and _NAMES_OF_LABELS in self._times:
            return _NAMES_OF_LABELS
        return what if what in found else found[0] if len(found) == 1 else None

    def _plain(self, what: str) -> str | None:
        found, chosen = self._candidates(what), self._would_be(what)
        if found and chosen is None:
            raise InputError(f"{self._file}: {' and '.join(found)} could each be the {what}; choose with --{what}")
        if chosen is None:
            return None
        others = [name for name in found if name != chosen and what != "id"]
        if others or chosen in _WEAK:
            self._doubt(what, chosen, others)
        return chosen

    def _doubt(self, what: str, chosen: str, others: list[str]) -> None:
        more = f", and not from {' and '.join(map(repr, others))}" if others else ""
        self._doubts.append(f"{self._file}: the {what} is read from {chosen!r}{more}; --{what} names another column")

    def _said_of_before(self) -> list[str]:
        """A sentence on the columns that were chosen as before."""
        if self._before is None or not self._taken_over:
            return []
        words = ", ".join(
            f"the {what} is {_in_words(self._parts(name)) if what == 'text' else repr(name)}{_and_not(others)}"
            for what, (name, others) in self._taken_over.items()
        )
        flags = ", ".join(f"--{what}" for what in self._taken_over)
        other = "names another column" if len(self._taken_over) == 1 else "name other columns"
        return [f"{self._file}: as in {self._before.where}, {words}; {flags} {other}"]

    def _listed(self) -> str:
        names = [_shown(name)[:100] for name in self._times if name]
        return ", ".join(names[:50]) + (", …" if len(names) > 50 else "")


def may_be_id(name: str) -> bool:
    """Whether a column of this name may have the ids."""
    return name.lower() in _PLAIN["id"]


def can_be_said(name: str) -> bool:
    """Whether SQL and JSON can say ``name``. pandas, for one, writes an index without a name."""
    return name != "" and "\0" not in name and name == _shown(name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _in_words(parts: Sequence[str]) -> str:
    """The columns of a text."""
    return repr(parts[0]) if len(parts) == 1 else f"{' and '.join(map(repr, parts))}, one below the other"


def _and_not(others: Sequence[str]) -> str:
    """The columns that might have been meant as well, and are not read."""
    return f" and not {' or '.join(map(repr, others))}" if others else ""
