"""Answers that name rows → tables of rows to look at, with their texts."""

from dataclasses import dataclass

from engine.report.answers import LONGEST_TEXT, MOST_TEXTS, ROW_FIELDS, Answers, Row
from engine.report.figures.figure import Form
from engine.report.names import short, visible

_ID: dict[str, tuple[str, Form]] = {"id": ("id", "text")}
_TEXT: dict[str, tuple[str, Form]] = {"text": ("text", "text")}
_CLASS_FIELDS = ("gold_class", "class", "likely_class", "other_class")


_KINDS: list[tuple[str, str, str, dict[str, tuple[str, Form]]]] = [
    (
        "surest-mistakes",
        "Surest mistakes",
        "The prediction is not the gold label, and the model is sure: wrong gold, or texts that mislead.",
        {
            "gold_class": ("gold", "text"),
            "class": ("predicted", "text"),
            "confidence": ("confidence", "share"),
        },
    ),
    (
        "label-errors",
        "Likely label errors",
        "Gold labels that are likely mistakes (confident learning, Northcutt et al. 2021): check them first.",
        {
            "gold_class": ("gold", "text"),
            "likely_class": ("likely", "text"),
            "self_confidence": ("probability of gold", "share"),
        },
    ),
    (
        "surest-disagreements",
        "Disagreements",
        "“{ours}” and another label set call the row different things, and both are sure.",
        {
            "class": ("{ours} says", "text"),
            "confidence": ("confidence", "share"),
            "other": ("label set", "text"),
            "other_class": ("says", "text"),
            "other_confidence": ("confidence", "share"),
        },
    ),
    (
        "ties",
        "Near-ties",
        "The two most probable classes are closest here: the model cannot tell.",
        {"class": ("predicted", "text"), "confidence": ("confidence", "share"), "margin": ("margin", "number")},
    ),
    (
        "annotate",
        "Annotate next",
        "Rows without gold whose label would teach most: least margins of every class and length in turn.",
        {"class": ("predicted", "text"), "margin": ("margin", "number"), "turn": ("turn", "whole")},
    ),
    (
        "duplicates",
        "Copies with different labels",
        "Equal texts, but for case and white space, that have different predictions.",
        {
            "copies": ("copies", "whole"),
            "classes": ("predicted", "text"),
            "least_confidence": ("least confidence", "share"),
            "largest_confidence": ("largest confidence", "share"),
        },
    ),
    ("failed-rows", "Failed rows", "They have no label, for this reason.", {"failure": ("reason", "text")}),
    (
        "rejected-rows",
        "Refused input",
        "Rows of the input that never came into the store.",
        {"file": ("file", "text"), "source_row": ("row", "whole"), "reason": ("reason", "text")},
    ),
]
"""Question, title, words and columns of each kind; ``{ours}`` stands for the label set that is reported."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one kind.

    Attributes:
        name: of the question.
        title: in plain words.
        says: an explanation of the rows, and the next step with them.
        columns: field → heading and how it is written.
        rows: what is shown; ``of`` has the indices of the classes that a row has to do with, and ``n_chars`` the length
            of a text that was cut.
    """

    name: str
    title: str
    says: str
    columns: dict[str, tuple[str, Form]]
    rows: list[Row]


def make_tables(answers: Answers) -> list[Table]:
    """Those that have rows; the most telling ones come first."""
    tables = [_table(answers, *kind) for kind in _kinds(answers)]
    return [table for table in tables if table.rows]


def _kinds(answers: Answers) -> list[tuple[str, str, str, dict[str, tuple[str, Form]]]]:
    """`_KINDS`, with the name of the label set that is reported."""
    ours = short(answers.labels or "")

    def named(text: str) -> str:
        return text.replace("{ours}", ours)

    return [
        (name, title, named(says), {field: (named(heading), form) for field, (heading, form) in columns.items()})
        for name, title, says, columns in _KINDS
    ]


def _table(answers: Answers, name: str, title: str, says: str, columns: dict[str, tuple[str, Form]]) -> Table:
    has_texts = name != "rejected-rows"
    return Table(
        name=name,
        title=title,
        says=says,
        columns={**_ID, **columns, **(_TEXT if has_texts else {})},
        rows=[_row(answers, row, [*columns, "id"]) for row in answers[name][:MOST_TEXTS]],
    )


def _row(answers: Answers, row: Row, fields: list[str]) -> Row:
    """``row`` as it is shown: ``fields`` that it has, its text, and the classes that it has to do with."""
    names = dict(zip(answers.classes, answers.names, strict=True))
    members = [row[field] for field in _CLASS_FIELDS if row.get(field) is not None] + row.get("classes", [])
    renamed = {**row, "copies": row.get("rows"), "classes": ", ".join(names[one] for one in row.get("classes", []))}
    known = {field: renamed[field] for field in fields if field in renamed}
    shown: Row = {field: _shown(value, names if field in _CLASS_FIELDS else {}) for field, value in known.items()}
    shown["of"] = sorted({answers.classes.index(one) for one in members})
    text = answers.texts.get(next((row[name] for name in ROW_FIELDS if name in row), -1))
    if text is not None:
        shown |= {"id": short(text.id), "text": visible(text.text)}
        if text.n_chars > len(text.text):
            shown["n_chars"] = text.n_chars
    return shown


def _shown(value: object, names: dict[str, str]) -> object:
    """A text cut to `LONGEST_TEXT`, with what is invisible made visible; the shown name of a class."""
    return names.get(value, visible(value[:LONGEST_TEXT])) if isinstance(value, str) else value
