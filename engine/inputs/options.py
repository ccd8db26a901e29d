"""How an input file is read: what the user says of it, and what was found out. Reads nothing."""

from dataclasses import dataclass, field
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import Columns

LabelMap = tuple[tuple[str, str], ...]
"""Pairs of a label in its one spelling and the name of its class; an empty name says that it is no label."""

UNSPLIT = ""
"""In the place of a delimiter: a line of a text file is a text. The command line says ``none``."""
FASTTEXT = "__label__"
"""In the place of a delimiter: lines carry labels as those of fastText do, ``__label__good text``."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How input files are read, as far as it is said. A field that is None is found out from the file.

    Attributes:
        delimiter: between the fields of a delimited file; one character, with a space behind it if white space there is
            not part of a field. Of a text file also `UNSPLIT` or `FASTTEXT`.
        quote: the quotation mark of a delimited file, with a backslash before it if that escapes it inside of a field;
            empty if it has none.
        encoding: of a file of lines, by a name that Python knows.
        names: names of the columns of a file without a header; empty if the file has one.
        whole_files: a text file is one row.
        label_map: the class of a label as it is written; other labels stay as they are.
        is_complete: the file is read once more: no card beside it is asked what its labels are called.
    """

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    names: tuple[str, ...] | None = None
    whole_files: bool = False
    label_map: LabelMap | None = None
    is_complete: bool = False

    @property
    def names_numbers(self) -> bool:
        """Whether the label map says of numbers which classes they are."""
        return any(label.isdigit() for label, _ in self.label_map or ())

    @property
    def speaks_of_fields(self) -> bool:
        """Whether it is said how the lines of a file are parted into fields, so that it is a delimited one."""
        return bool(self.names or self.quote or self.delimiter not in (None, UNSPLIT, FASTTEXT))

    def to_json(self) -> dict[str, Any]:
        """The fields that are said, as they are kept in a header."""
        values = {name: value for name, value in vars(self).items() if value not in (None, False)}
        values.pop("is_complete", None)
        return {name: _plain(value) for name, value in values.items()}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "ReadOptions":
        """Inverse of `to_json`."""
        names, pairs = values.get("names"), values.get("label_map")
        return cls(
            **{
                **values,
                "names": None if names is None else tuple(names),
                "label_map": None if pairs is None else tuple((label, name) for label, name in pairs),
            }
        )


def _plain(value: Any) -> Any:
    """``value`` as JSON gives it back: tuples are lists, inside of others too."""
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def check_on_bad_row(value: str) -> None:
    """Refuse what does not say what becomes of a bad row.

    Raises:
        InputError: ``value`` is neither ``reject`` nor ``fail``.
    """
    if value not in ("reject", "fail"):
        raise InputError(f"--on-bad-row is {value!r}; it must be reject or fail")


FOUND_OUT = ReadOptions()
"""Nothing is said: all is found out."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How one file is read, all of it found out.

    Attributes:
        columns: which column is what.
        options: with them the file gives the same rows again, whatever a later version finds out by itself.
        classes: names that the file gives to the whole numbers of its label column, from 0; None if it gives none.
        notes: what a user has to know of the choices that were made, a sentence each.
        numbered: what the file, or one beside it, calls the numbers of its labels: the place, and numbers with names.
    """

    columns: Columns
    options: ReadOptions = field(default_factory=ReadOptions)
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    numbered: tuple[tuple[str, LabelMap], ...] = ()
