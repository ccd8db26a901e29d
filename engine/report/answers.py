"""A store → the answers that a report shows: the named questions of the audit, and some of the report's own.

All are asked of one child process, which takes half a second to start; like a query of ``engine sql`` they end when
their time is over. No column comes back whole: an answer has a row a bin, a class or a shard, or at most some hundred
rows to look at, whose texts are read in one pass at the end, and cut.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.report.names import different
from store.snapshot import Snapshot
from store.sql.json_values import json_value
from store.sql.process import Limits, Query, run_all_in_child
from store.sql.questions import Question, lacking, questions, read_questions

Row = dict[str, Any]
LONGEST_TEXT = 400
MOST_TEXTS = 100
ROW_FIELDS = ("row", "first_row")
_LEFT_OUT = {"slices"}  # by an expression that is chosen; the plots have the slices by class
MOST_ROWS = {"drift": 1_000, "class-drift": 4_000}
_TEXTS = "SELECT row, id, left(text, {longest}) AS text, n_chars FROM corpus WHERE row IN ({rows})"


@dataclass(frozen=True, kw_only=True)
class Text:
    """A row of the corpus.

    Attributes:
        id: of the row.
        text: its first `LONGEST_TEXT` characters.
        n_chars: of the whole text.
    """

    id: str
    text: str
    n_chars: int


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Everything that a report shows of a store.

    Attributes:
        classes: class names, in order.
        names: their shown names.
        labels: the label set that was asked about; None if there is none yet.
        label_sets: all that have been begun.
        answers: rows of each answer, by the question's name; without those that the store cannot answer.
        lacking: why it cannot, by the question's name.
        texts: of the rows to look at, by row number.
    """

    classes: list[str]
    names: list[str]
    labels: str | None
    label_sets: list[str]
    answers: dict[str, list[Row]]
    lacking: dict[str, str]
    texts: dict[int, Text]

    def __getitem__(self, question: str) -> list[Row]:
        """Rows of an answer; no rows if it was not asked."""
        return self.answers.get(question, [])

    def one(self, question: str) -> Row:
        """The row of an answer that has at most one; empty if it has none."""
        return next(iter(self[question]), {})


def ask(snapshot: Snapshot, *, labels: str | None, rounds: Sequence[int] | None = None, limits: Limits) -> Answers:
    """Ask everything that the store can answer.

    Args:
        snapshot: a store on disk.
        labels: the label set that is asked about; needed if there are several.
        rounds: of gold that count; all if None.
        limits: of all questions together, and again of the query that reads the texts.

    Raises:
        store.errors.StoreMissingError: there is no such label set, or a choice is needed.
        store.errors.QueryError: a question failed, or took too long.
    """
    names = snapshot.label_sets()
    chosen = snapshot.one_label_set(labels) if names or labels is not None else None
    lacks = {name: lacking(snapshot, one, labels=chosen, rounds=rounds) for name, one in _asked().items()}
    ready = {name: _bounded(one) for name, one in _asked().items() if lacks[name] is None}
    answers = _run(snapshot, ready, labels=chosen, rounds=rounds, limits=limits)
    return Answers(
        classes=snapshot.header.classes,
        names=different(snapshot.header.classes),
        labels=chosen,
        label_sets=names,
        answers=answers,
        lacking={name: lack for name, lack in lacks.items() if lack is not None},
        texts=_read_texts(snapshot, _rows_to_look_at(answers), labels=chosen, limits=limits),
    )


@cache
def _asked() -> dict[str, Question]:
    """The audit's questions that are shown, and those in ``engine/report/queries``."""
    shown = {name: one for name, one in questions().items() if name not in _LEFT_OUT}
    return {**shown, **read_questions("engine.report")}


def _bounded(question: Question) -> str:
    """Its SQL; of answers with rows for every shard, which come in an order, the first rows."""
    if question.name not in MOST_ROWS:
        return question.sql
    return f"SELECT * FROM (\n{question.sql}\n) LIMIT {MOST_ROWS[question.name]}"


def _rows_to_look_at(answers: Mapping[str, list[Row]]) -> list[int]:
    """Numbers of the rows whose texts are shown: of each answer that names rows, the first ones."""
    shown = (row for rows in answers.values() for row in rows[:MOST_TEXTS])
    return sorted({row[name] for row in shown for name in ROW_FIELDS if name in row})


def _read_texts(snapshot: Snapshot, rows: list[int], *, labels: str | None, limits: Limits) -> dict[int, Text]:
    if not rows:
        return {}
    sql = _TEXTS.format(longest=LONGEST_TEXT, rows=", ".join(map(str, rows)))
    read = _run(snapshot, {"texts": sql}, labels=labels, limits=limits)["texts"]
    return {row.pop("row"): Text(**row) for row in read}


def _run(
    snapshot: Snapshot,
    queries: Mapping[str, str],
    *,
    labels: str | None,
    rounds: Sequence[int] | None = None,
    limits: Limits,
) -> dict[str, list[Row]]:
    """Rows of each query, by its name."""
    with tempfile.TemporaryDirectory(prefix="engine-report-") as folder:
        asked = {
            name: Query(sql=sql, result=Path(folder) / f"{name}.arrows", name=name) for name, sql in queries.items()
        }
        run_all_in_child(snapshot.location, list(asked.values()), labels=labels, rounds=rounds, limits=limits)
        return {name: _plain_rows(query.result) for name, query in asked.items()}


def _plain_rows(file: Path) -> list[Row]:
    with pa.memory_map(str(file)) as source:
        rows: Iterable[Row] = pa.ipc.open_stream(source).read_all().to_pylist()
    return [{name: json_value(value) for name, value in row.items()} for row in rows]
