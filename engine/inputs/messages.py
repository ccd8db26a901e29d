"""Sentences that all doors say of input files in the same words."""

import re
import shlex
from collections.abc import Collection, Iterable, Sequence

from engine.inputs.columns import Columns
from engine.inputs.paths.no_rows import no_rows

SHOWN = 20
_REASONS = 3
OR_TEXT = "or pass --delimiter none if a line is a text"
REPEATED_ID = "id is that of an earlier row; if ids begin anew in each file, pass --id none"
TAKEN_ID = "id is that of a row that is in the store already"
WITHOUT_IDS = (
    "Rows without an id are known by the name of their file and their number in it: if these are other rows, name a "
    "column of ids with --id, or give the file another name"
)
_PLAIN_LABEL = re.compile(r"\w([\w .+-]*\w)?")
_LONGEST = 200  # characters of a name


def listed(names: Iterable[str]) -> str:
    """Names for a message, of many the first."""
    names = list(names)
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(name[:_LONGEST] for name in names[:SHOWN]) + more


def listed_labels(labels: Iterable[str]) -> str:
    """As `listed`; what might be misread, as a label with a comma in it, stands in quotation marks."""
    return listed(label if _PLAIN_LABEL.fullmatch(label) and label.isprintable() else repr(label) for label in labels)


def counted(count: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def several(reasons: Sequence[str]) -> str:
    """The first of ``reasons``, and how many more there are, as one sentence without its end."""
    left = len(reasons) - _REASONS
    return "; ".join(reasons[:_REASONS]) + (f"; and {left:,} more" if left > 0 else "")


def merged(notes: Iterable[str], files: Iterable[str]) -> list[str]:
    """Notes, each once; the same note on several of ``files`` is one that names the first of them."""
    known, of_files, others = frozenset(files), dict[str, dict[str, None]](), dict[str, None]()
    for note in notes:
        file, _, words = note.partition(": ")
        if file in known:
            of_files.setdefault(words, {})[file] = None
        else:
            others[note] = None
    return [f"{_first_of(list(some))}: {words}" for words, some in of_files.items()] + list(others)


def _first_of(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {counted(len(files) - 1, 'more file')}"


def no_usable_row(files: Sequence[str], refused: int, reasons: Sequence[str]) -> str:
    """An error: all rows of ``files`` were refused, or there are none.

    Args:
        files: their paths.
        refused: number of rows.
        reasons: of the first of them, with their places.
    """
    if not reasons:
        return no_rows(files)
    names = ", ".join(files[:3]) + (f" and {len(files) - 3:,} more files" if len(files) > 3 else "")
    return f"{names}: no usable row among {refused:,}; the first was refused: {reasons[0]}"


def no_label_column(columns: Columns, likely: Sequence[str] = ()) -> str:
    """An error: a file has no column of labels.

    Args:
        columns: of the file.
        likely: those of them that seem to hold labels nevertheless.
    """
    names = [name for name in (*columns.texts, columns.id, *columns.extras) if name]
    if names == [*columns.texts]:
        return (
            "it has texts and no labels: write a table with a column of them, or put the texts of each class into a "
            "folder that names it, as label=positive/"
        )
    named = " or ".join(f"--label {shlex.quote(name)}" for name in likely[:SHOWN])
    example = f", for example {named}" if named else ""
    return f"no column looks like the label (columns: {listed(names)}); name it with --label{example}"


def not_labels_note(words: Collection[str], classes: Sequence[str] | None) -> str:
    """A note: ``words`` were read as no label.

    Args:
        words: as they are written.
        classes: those that hold already, so that a word can be no more than another name of one; None if they are taken
            from the labels.
    """
    said = f"read as no label: {listed(map(repr, sorted(words)))}; if one of them is a class"
    if classes is None:
        return f"{said}, name all with --classes"
    name = min(words, key=lambda word: (word == "-1", word))
    pair = shlex.quote(f"{name}={classes[0]}")
    return f"{said}, say which one with --label-map, as --label-map {pair} (classes: {listed_labels(classes)})"
