"""Rows of a block → labelled rows, each with the reason why it is refused, if it is."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import Block
from engine.inputs.labels.spelling import LEFT_OUT
from engine.inputs.messages import REPEATED_ID, counted


@dataclass(kw_only=True)
class GoldRow:
    """A row, its label as it is spelled in all formats, and the reason why it is refused, if it is.

    ``is_apart`` says that its file is of another set, in which ids may be the same.
    """

    place: str
    id: str
    text: str
    label: str | None
    problem: str | None
    is_apart: bool = False


def rows_of(block: Block, *, is_apart: bool = False) -> Iterator[GoldRow]:
    """The rows of ``block``; without a label, one is refused."""
    columns = (block.text.to_pylist(), block.label.to_pylist(), block.id.to_pylist(), block.label_problems)
    for number, (text, label, id_, problem) in enumerate(zip(*columns, strict=True), start=block.first_row):
        problem = problem or ("label is null" if label is None else None)
        usable = label if problem is None else None
        yield GoldRow(
            place=f"{block.file} row {number:,}", id=id_, text=text, label=usable, problem=problem, is_apart=is_apart
        )


def refuse_repeats(rows: list[GoldRow]) -> None:
    """Refuse rows with the id of an earlier one of their set; one that is refused for something else does not count."""
    seen: set[tuple[bool, str]] = set()
    for row in rows:
        if row.problem is None and (row.is_apart, row.id) in seen:
            row.problem, row.label = REPEATED_ID, None
        elif row.problem is None:
            seen.add((row.is_apart, row.id))


def without_left_out(rows: list[GoldRow]) -> tuple[list[GoldRow], int]:
    """``rows`` without those whose label is none, as the user's map says, and how many these are."""
    kept = [row for row in rows if row.problem != LEFT_OUT]
    return kept, len(rows) - len(kept)


def label_counts(rows: list[GoldRow]) -> Counter[str]:
    """How many of the rows that are not refused have each label."""
    return Counter(row.label for row in rows if row.problem is None and row.label is not None)


def first_refused(rows: list[GoldRow]) -> str:
    """The end of a message: rows were refused, and why the first was."""
    refused = [row for row in rows if row.problem is not None]
    if not refused:
        return ""
    first = f"{refused[0].place}: {in_detail(refused[0].problem or '')}"
    return f". {counted(len(refused), 'row')} refused, the first: {first}"
