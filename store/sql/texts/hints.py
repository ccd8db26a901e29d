"""An error of DuckDB about a name → what that name is in this store, and what to write. Runs nothing."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from store.gold.held import GOLD_COLUMNS

REVIEWS = "reviews"
_COLUMN = re.compile(r'Referenced column "(.*)" not found in FROM clause|does not have a column named "(.*)"')
_TABLE = re.compile(r"Table with name (.*) does not exist")
_AMBIGUOUS = re.compile(r'Ambiguous reference to column name "(.*?)"')
_FILE = re.compile(r'Cannot access file "(.*)"')
_MOST_NEAR = 3
_SHARED = {
    "class": "In corpus and gold it is the human label, in labels the predicted one; the view reviews has both, as "
    "gold_class and class.",
    "row": "Views go together by it: FROM corpus JOIN labels USING (row).",
}
"""What columns are that several views have, where that helps to choose."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What there is to be named.

    Attributes:
        columns: of each view, by its name.
        classes: class names.
        label_sets: names of them.
    """

    columns: Mapping[str, Sequence[str]]
    classes: Sequence[str]
    label_sets: Sequence[str]

    def views_with(self, column: str) -> list[str]:
        """The views that have ``column``."""
        return [view for view, columns in self.columns.items() if column.lower() in map(str.lower, columns)]


def explained(error: str, names: Names) -> str:
    """``error`` with what to do about it in place of DuckDB's guesses; as it is if nothing better is known."""
    ways: tuple[tuple[re.Pattern[str], Callable[[str, Names], str]], ...] = (
        (_TABLE, _about_table),
        (_COLUMN, _about_column),
        (_AMBIGUOUS, lambda name, _: _SHARED.get(name.lower(), "")),
        (_FILE, _about_file),
    )
    for pattern, about in ways:
        if found := pattern.search(error):
            said = about(next(name for name in found.groups() if name is not None), names)
            return f"{error.splitlines()[0]}\n{said}" if said else error
    return error


def _about_table(name: str, names: Names) -> str:
    if name.lower() == REVIEWS:
        there = ", ".join(names.label_sets) or "none yet"
        return f"The view reviews joins one label set: choose it with --labels. This store has: {there}."
    if name in names.label_sets:
        return f"{name} is a label set; its rows are in the view labels: FROM labels WHERE label_set = {_text(name)}."
    return f"{_the_views(names)}.{_near(name, names.columns)}"


def _about_column(name: str, names: Names) -> str:
    if name in (*names.classes, *names.label_sets):
        what, column = ("class", "class") if name in names.classes else ("label set", "label_set")
        return (
            f"{name} is the name of a {what}: write a text in single quotes, as {column} = {_text(name)}. What has "
            "double quotes, or none, is a column."
        )
    if name.lower() in (*GOLD_COLUMNS.names, "gold_class") and REVIEWS not in names.columns:
        return _about_table(REVIEWS, names)
    if views := names.views_with(name):
        return f"The column {name} is in {_listed(views)}."
    every = {column: None for columns in names.columns.values() for column in columns}
    near = difflib.get_close_matches(name.lower(), every, n=_MOST_NEAR, cutoff=0.6)
    if near and re.fullmatch(r"\w+", name):  # else it is no name
        return "Near names: " + "; ".join(f"{one} in {_listed(names.views_with(one))}" for one in near) + "."
    every_view = "\n".join(f"  {view}: {', '.join(columns)}" for view, columns in names.columns.items())
    return f"A text is written in single quotes, as {_text(name)}. The views have these columns:\n{every_view}"


def _about_file(name: str, names: Names) -> str:
    return f"A query reads no files, only what the store has, and {name} is none of it. {_the_views(names)}."


def _the_views(names: Names) -> str:
    return f"The views of a store are {_listed(list(names.columns))}"


def _near(name: str, known: Mapping[str, Sequence[str]]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
