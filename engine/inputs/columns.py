"""Column names of an input file → which one is the text, the id, the label, and which are kept beside them."""

from collections import Counter
from dataclasses import dataclass

from engine.errors import InputError
from store.selections.csv_safe import STORE_ID

MAX_COLUMNS = 4096
_PLAIN = {
    "text": ("text", "review", "review_text", "content", "sentence", "body", "comment"),
    "id": ("id", "review_id", "doc_id", "document_id", "uuid"),
    "label": ("label", "labels"),
}


@dataclass(frozen=True, kw_only=True)
class ColumnNames:
    """Names that the user gave; None if the engine is to find the column by itself."""

    text: str | None = None
    id: str | None = None
    label: str | None = None


class LabelColumns(ColumnNames):
    """The same for a file of labels: rows are known by their ids, and no other column is read."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of one file is what.

    Attributes:
        text: empty if none is read, as of `LabelColumns`.
        id: None if rows have no id: ``file:row`` is it then.
        label: None if the file has no gold.
        extras: all others, in the file's order, but for those whose name a store cannot hold.
    """

    text: str
    id: str | None
    label: str | None
    extras: tuple[str, ...]

    def names(self) -> list[str]:
        """Every column that is read."""
        names = (self.text, self.id, self.label, *self.extras)
        return list(dict.fromkeys(name for name in names if name))


def find_columns(names: list[str], wanted: ColumnNames, *, file: str) -> Columns:
    """Choose among the columns ``names`` of ``file``: those that the user named, else those with plain names.

    Raises:
        InputError: a named column is missing, no text column is to be found, a choice is needed, or there are too many.
    """
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{file}: more than {MAX_COLUMNS:,} columns; keep the text, the id, the label and a few")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise InputError(f"{file}: two columns are named {repeated[0]!r}; rename one")
    if isinstance(wanted, LabelColumns):
        return Columns(text="", id=find_id(names, wanted, file=file), label=_label(names, wanted, file), extras=())
    text = _find("text", names, wanted.text, file)
    if text is None:
        raise InputError(f"{file}: no column looks like the text (columns: {_listed(names)}); name it with --text")
    id_, label = _find("id", names, wanted.id, file), _find("label", names, wanted.label, file)
    extras = tuple(name for name in names if name not in (text, id_, label) and _can_be_stored(name))
    return Columns(text=text, id=id_, label=label, extras=extras)


def find_id(names: list[str], wanted: ColumnNames, *, file: str) -> str:
    """The column of ``names`` that has the ids of a file of labels.

    `STORE_ID` comes first: where Label Studio writes CSV or JSON-MIN, ``id`` is the number of its task.

    Raises:
        InputError: there is none, or a choice is needed.
    """
    found = _find("id", names, wanted.id or (STORE_ID if STORE_ID in names else None), file)
    if found is None:
        raise InputError(f"{file}: no column looks like the id (columns: {_listed(names)}); name it with --id")
    return found


def _label(names: list[str], wanted: ColumnNames, file: str) -> str:
    found = _find("label", names, wanted.label, file)
    if found is None:
        raise InputError(f"{file}: no column looks like the label (columns: {_listed(names)}); name it with --label")
    return found


def _can_be_stored(name: str) -> bool:
    """Whether SQL and JSON can say ``name``. pandas, for one, writes an index without a name."""
    return name != "" and "\0" not in name and name == _shown(name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _listed(names: list[str]) -> str:
    return ", ".join(_shown(name)[:100] for name in names[:50]) + (", …" if len(names) > 50 else "")


def _find(what: str, names: list[str], wanted: str | None, file: str) -> str | None:
    if wanted is not None:
        if wanted not in names:
            raise InputError(f"{file}: there is no column {wanted!r} for --{what} (columns: {_listed(names)})")
        return wanted
    if what in names:
        return what
    found = [name for name in names if name.lower() in _PLAIN[what]]
    if len(found) > 1:
        raise InputError(f"{file}: {' and '.join(found)} could each be the {what}; choose with --{what}")
    return found[0] if found else None
