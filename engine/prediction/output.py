"""A work folder whose parts are all there → the rows of the output, and the output in its format."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.outputs.file import OutputFile
from engine.prediction.work_folder import DEFERRED, MODEL, Part, WorkFolder
from store.families.labels import NON_FINITE, softmax

FORMATS = {"parquet": (".parquet",), "csv": (".csv",), "jsonl": (".jsonl", ".ndjson")}
"""By name of the format, the endings of its files."""


def format_of(out: OutputFile, given: str | None) -> str:
    """The format of ``out``: as it is ``given``, else by its name.

    Raises:
        InputError: its name says none.
    """
    by_name = next((name for name, endings in FORMATS.items() if out.suffix.lower() in endings), None)
    if given is None and by_name is None:
        raise InputError(f"{out}: its ending says no format; end it in .parquet, .csv or .jsonl, or give --format")
    return given or str(by_name)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is written of each row.

    Attributes:
        classes: names, in the order of the logits.
        temperature: that logits are divided by.
        probabilities: whether each class gets a column.
        deferred: whether a second model answers for some rows.
        deferred_order: for each class, its index among the second model's outputs.
        deferred_temperature: the same for the second model.
    """

    classes: list[str]
    temperature: float = 1.0
    probabilities: bool = False
    deferred: bool = False
    deferred_order: tuple[int, ...] = ()
    deferred_temperature: float = 1.0

    def schema(self) -> pa.Schema:
        """Of the output."""
        fields = [("id", pa.string()), ("class", pa.string()), ("confidence", pa.float32())]
        if self.probabilities:
            fields += [(f"probability_{name}", pa.float32()) for name in self.classes]
        if self.deferred:
            fields.append(("deferred", pa.bool_()))
        return pa.schema([*fields, ("reason", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Some rows of the output.

    Attributes:
        table: the rows.
        deferred: how many of them the second model answers.
        truncated: of how many texts the first model saw a part.
    """

    table: pa.Table
    deferred: int
    truncated: int


def answered_rows(folder: WorkFolder, chunks: int, answers: Answers) -> Iterator[Answered]:
    """The output, some thousand rows at a time."""
    for chunk in range(chunks):
        texts, part = folder.texts(chunk), folder.part(MODEL, chunk)
        probabilities = np.full((texts.num_rows, len(answers.classes)), np.nan)
        probabilities[part.rows] = _probabilities(part, answers.temperature)
        deferred = np.zeros(texts.num_rows, np.bool_)
        if answers.deferred:
            other = folder.part(DEFERRED, chunk)
            found = _probabilities(other, answers.deferred_temperature)[:, list(answers.deferred_order)]
            kept = np.isfinite(found).all(axis=1)  # a row that the second model fails on stays the first one's
            probabilities[other.rows[kept]], deferred[other.rows[kept]] = found[kept], True
        table = _table(texts, probabilities, deferred, answers)
        yield Answered(table=table, deferred=int(deferred.sum()), truncated=int(part.truncated.sum()))


def _probabilities(part: Part, temperature: float) -> npt.NDArray[np.float64]:
    """(rows, classes); not a number where the logits are not finite."""
    found = np.full(part.logits.shape, np.nan)
    found[part.finite] = softmax(part.logits[part.finite].astype(np.float64) / temperature)
    return found


def _table(
    texts: pa.Table, probabilities: npt.NDArray[np.float64], deferred: npt.NDArray[np.bool_], answers: Answers
) -> pa.Table:
    answered = np.isfinite(probabilities).all(axis=1)
    missing = pa.array(~answered)
    best = np.where(answered, np.nan_to_num(probabilities).argmax(axis=1), 0)
    refused = texts["reason"].combine_chunks()
    reason = pc.if_else(pc.and_(missing, refused.is_null()), NON_FINITE, refused)
    columns: dict[str, Any] = {
        "id": texts["id"],
        "class": pa.array(answers.classes).take(pa.array(best, mask=~answered)),
        "confidence": pa.array(probabilities.max(axis=1).astype(np.float32), mask=~answered),
        "deferred": pa.array(deferred, mask=~answered),
        "reason": reason,
    }
    for number, name in enumerate(answers.classes):
        columns[f"probability_{name}"] = pa.array(probabilities[:, number].astype(np.float32), mask=~answered)
    schema = answers.schema()
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def write_answers(tables: Iterable[pa.Table], schema: pa.Schema, format_: str, out: Path) -> None:
    """Write ``tables`` into ``out``, one after the other."""
    if format_ == "parquet":
        with pq.ParquetWriter(out, schema) as writer:
            for table in tables:
                writer.write_table(table)
        return
    with out.open("w", encoding="utf-8", newline="") as file:
        write_lines(tables, schema, format_, file)


def write_lines(tables: Iterable[pa.Table], schema: pa.Schema, format_: str, file: TextIO) -> None:
    """Write ``tables`` as lines of CSV or JSON: numbers with the fewest digits that say which they are."""
    if format_ == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        for table in tables:
            writer.writerows(zip(*(_words(column) for column in table.columns), strict=True))
        return
    for table in tables:
        columns = [_values(column) for column in table.columns]
        for row in zip(*columns, strict=True):
            file.write(json.dumps(dict(zip(schema.names, row, strict=True)), ensure_ascii=False) + "\n")


def _words(column: pa.ChunkedArray) -> list[str | None]:
    words: list[str | None] = column.cast(pa.string()).to_pylist()
    return words


def _values(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_floating(column.type):
        values: list[Any] = column.to_pylist()
        return values
    return [None if word is None else float(word) for word in _words(column)]
