"""Raw blocks → checked blocks: every row is either fit to be labelled or has a reason why not.

Vectorised where all is well; row by row only in a block whose bytes are not UTF-8.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.arrow_files.values import decoded, label_bytes, scalar_bytes, text_bytes
from engine.inputs.blocks import LabelFault, Problems, RawBlock
from engine.inputs.by_name.joined_text import BETWEEN, joined
from engine.inputs.columns import NO_COLUMN, ColumnNames, Columns
from engine.inputs.formats import read_raw
from engine.inputs.kinds import Kind, kind_of
from engine.inputs.labels.spelling import (
    JUDGED_AWAY,
    LEFT_OUT,
    judged_away,
    renamed,
    spell,
    spelled,
    stand_for_nothing,
    without_scores,
)
from engine.inputs.options import FOUND_OUT, LabelMap, Reading, ReadOptions
from engine.inputs.shapes.escapes import escapes_note
from engine.inputs.shapes.filled_once import filled_once_note
from engine.inputs.shapes.literal_texts import LOOKED_AT, check_literals, mojibake_note
from engine.inputs.usable_strings import kept_strings, refuse, refuse_errors, required_strings, shortened, strings_of

MAX_TEXT_BYTES = 2_000_000
MAX_NAME_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Block:
    """Checked rows of one file.

    Attributes:
        file: path as the user gave it.
        first_row: number of the first row in its file, from 1.
        id: string array; ``file:row`` where the file has no id column.
        text: string array.
        label: string array of class names or indices in their one spelling; null for rows without gold.
        extras: kept columns: string, bool, int64, uint64 or double arrays.
        kinds: what the values of each are, which may be more than their array says.
        problems: a reason a row, or None if it is fit. Its id may be null, its text is not to be used.
        label_faults: a reason a row why its label, which is null then, cannot be used or is left out, or None.
        reading: how the file is read.
        not_labels: words in the label column that were read as no label.
    """

    file: str
    first_row: int
    id: pa.Array
    text: pa.Array
    label: pa.Array
    extras: dict[str, pa.Array]
    kinds: dict[str, Kind]
    problems: Problems
    label_faults: Problems
    reading: Reading
    not_labels: frozenset[str]

    @property
    def label_problems(self) -> Problems:
        """A reason a row why it, or its label, cannot be used, or None."""
        return [problem or fault for problem, fault in zip(self.problems, self.label_faults, strict=True)]

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.problems)

    @property
    def columns(self) -> ColumnNames:
        """Names of the columns that the text, the id and the label came from, with which they are found again."""
        chosen = self.reading.columns
        return ColumnNames(text=chosen.text or None, id=chosen.id or NO_COLUMN, label=chosen.label or NO_COLUMN)


def read_blocks(
    file: str,
    wanted: ColumnNames,
    options: ReadOptions = FOUND_OUT,
    *,
    classes: Sequence[str] = (),
    name: str | None = None,
) -> Iterator[Block]:
    """The rows of ``file``, checked, block by block.

    Args:
        file: where it is.
        wanted: column names that the user gave.
        options: how it is read.
        classes: class names that are known: a label of such a name is one, also if it looks like a missing value.
        name: how ids and messages call it, if it was somewhere else when it was first read.

    Raises:
        InputError: the file cannot be read, or a column is missing or of a type that cannot be text.
    """
    for raw in read_raw(file, wanted, options):
        yield check_block(raw, file=name or file, label_map=options.label_map, classes=classes)


def check_block(raw: RawBlock, *, file: str, label_map: LabelMap | None = None, classes: Sequence[str] = ()) -> Block:
    """Judge every row of ``raw``; arguments as of `read_blocks`."""
    problems: Problems = [None] * raw.rows
    label_faults: Problems = [None] * raw.rows
    if any(raw.problems):
        problems = [None if isinstance(problem, LabelFault) else problem for problem in raw.problems]
        if raw.columns.label is not None:
            label_faults = [problem if isinstance(problem, LabelFault) else None for problem in raw.problems]
    texts, row_ids = _texts(raw, file, problems), ids(raw, file, problems)
    _refuse_headers(texts, row_ids, raw.columns, problems)
    notes = [*raw.reading.notes, *raw.columns.doubts, *_notes_of_texts(texts, raw, file)]
    label, not_labels = labels(raw, file, label_faults, notes, label_map=label_map, classes=classes)
    if raw.first_row == 1 and raw.columns.label and (note := filled_once_note(label, raw.columns, file)):
        notes.append(note)
    extras = extra_columns(raw, file, problems, notes)
    kept = without_judged_away(label, extras)
    if kept is not label:
        refuse(pc.and_(pc.is_valid(label), pc.is_null(kept)), label_faults, LabelFault(JUDGED_AWAY))
        label = kept
    if any(label_faults):
        label = pc.if_else(pa.array([fault is None for fault in label_faults]), label, None)
    return Block(
        file=file,
        first_row=raw.first_row,
        text=texts,
        id=row_ids,
        label=label,
        extras=extras,
        kinds={name: raw.kinds.get(name) or kind_of(array) for name, array in extras.items()},
        problems=problems,
        label_faults=label_faults,
        reading=dataclasses.replace(raw.reading, notes=tuple(notes)),
        not_labels=not_labels,
    )


def extra_columns(raw: RawBlock, file: str, problems: Problems, notes: list[str]) -> dict[str, pa.Array]:
    """The columns beside the text, the id and the label; adds their faults to ``problems``, and to ``notes``."""
    return {
        name: kept_strings(raw.data[name], problems, notes, name=name, file=file, limit=MAX_TEXT_BYTES)
        for name in raw.columns.extras
    }


def without_judged_away(label: pa.Array, extras: dict[str, pa.Array]) -> pa.Array:
    """The labels that an annotation tool has not rejected, skipped or ignored; null in the place of the others."""
    return label if (away := judged_away(extras)) is None else pc.if_else(away, None, label)


def _refuse_headers(texts: pa.Array, row_ids: pa.Array, columns: Columns, problems: Problems) -> None:
    """Refuse a header among the rows, as of files that were put one behind the other."""
    is_header = pc.equal(texts, BETWEEN.join(columns.texts))
    if columns.id is not None:
        is_header = pc.and_(is_header, pc.equal(row_ids, columns.id))
    if columns.text and (columns.id or columns.label):
        refuse(pc.fill_null(is_header, False), problems, "the row repeats the header")


def _notes_of_texts(texts: pa.Array, raw: RawBlock, file: str) -> list[str]:
    """Notes on the first texts of a file.

    Raises:
        InputError: they are not texts, but what a program printed of its values.
    """
    if raw.first_row != 1 or not raw.columns.text:
        return []
    first = texts[:LOOKED_AT].to_pylist()
    for name in raw.columns.texts:
        check_literals(decoded(raw.data[name][:LOOKED_AT], name=name, file=file), name, raw.columns, file)
    notes = (mojibake_note(first, file, encoding=raw.reading.options.encoding), escapes_note(first, raw.reading, file))
    return [note for note in notes if note is not None]


def _texts(raw: RawBlock, file: str, problems: Problems) -> pa.Array:
    parts = [text_bytes(raw.data[name], name=name, file=file) for name in raw.columns.texts]
    array = joined(parts) if len(parts) > 1 else parts[0] if parts else pa.nulls(raw.rows, pa.large_binary())
    texts = required_strings(array, problems, "text", limit=MAX_TEXT_BYTES)
    for part in parts:
        refuse_errors(part, problems)
    return texts


def ids(raw: RawBlock, file: str, problems: Problems) -> pa.Array:
    """Ids as strings, ``file:row`` if no column has them; adds their faults to ``problems``."""
    name = raw.columns.id
    if name is None:
        return pa.array([f"{file}:{row}" for row in range(raw.first_row, raw.first_row + raw.rows)], pa.string())
    return required_strings(scalar_bytes(raw.data[name], name=name, file=file), problems, "id", limit=MAX_NAME_BYTES)


def labels(
    raw: RawBlock,
    file: str,
    problems: Problems,
    notes: list[str],
    *,
    label_map: LabelMap | None,
    classes: Sequence[str],
) -> tuple[pa.Array, frozenset[str]]:
    """Labels in their one spelling, null if they stand for nothing; and the words that did.

    Names that the file or the user gives to labels take their place. Faults are added to ``problems``, and to ``notes``
    that scores were left out.
    """
    name = raw.columns.label
    if name is None:
        return pa.nulls(raw.rows, pa.string()), frozenset()
    array = shortened(label_bytes(raw.data[name], name=name, file=file), problems, "label", limit=MAX_NAME_BYTES)
    rows = strings_of(array, problems, "label").dictionary_encode()  # rows are many, and different labels few
    label = spelled(rows.dictionary)
    faults: Problems = [None] * len(label)
    refuse(pc.match_substring(label, "\0"), faults, "label contains NUL")
    if raw.reading.classes is not None:
        label = _named(label, raw.reading.classes, faults)
    label = _without_scores(label, file, notes, names=(*dict(label_map or ()), *classes))
    given, label = label, renamed(label, dict(label_map or ()))
    refuse(pc.and_(pc.is_valid(given), pc.is_null(label)), faults, LabelFault(LEFT_OUT))
    nothing = pc.fill_null(stand_for_nothing(label, classes=classes), False)
    words = frozenset(label.filter(nothing).to_pylist()) - {""}
    if any(faults):
        for row, place in enumerate(rows.indices.to_pylist()):
            problems[row] = problems[row] or (None if place is None else faults[place])
    return pc.if_else(nothing, None, label).take(rows.indices), words


def _without_scores(label: pa.Array, file: str, notes: list[str], *, names: Sequence[str]) -> pa.Array:
    plain = without_scores(label, names=names)
    other = pc.fill_null(pc.not_equal(plain, label), False)
    if pc.any(other).as_py():
        first, name = label.filter(other)[0].as_py(), plain.filter(other)[0].as_py()
        notes.append(f"{file}: labels are read without the scores behind them, as {first[:100]!r} as {name[:100]!r}")
    return plain


def _named(label: pa.Array, names: tuple[str, ...], problems: Problems) -> pa.Array:
    """The names that a file gives to the whole numbers in its label column; -1 is no label there."""
    spellings = [spell(name) for name in names]
    named = renamed(label, {str(number): name for number, name in enumerate(spellings)})
    unknown = pc.and_(pc.match_substring_regex(named, r"^\d+$"), pc.invert(pc.is_in(named, pa.array(spellings))))
    refuse(pc.fill_null(unknown, False), problems, f"label is none of the {len(names):,} classes that the file names")
    return named
