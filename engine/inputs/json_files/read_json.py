"""JSON files of any layout → raw blocks, in bounded memory. An empty line is no row; what cannot be parsed is refused.

The columns are the keys of the first `BLOCK_ROWS` objects. A label is looked for in the whole file, since people often
label the rows of a file that are not its first.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock
from engine.inputs.by_name.joined_text import parts_of
from engine.inputs.columns import MAX_COLUMNS, ColumnNames, Columns, LabelColumns, find_columns
from engine.inputs.json_files.deeper_rows import own_strings, way_to_text_of_some
from engine.inputs.json_files.jq_commands import within
from engine.inputs.json_files.json_blocks import JsonBlocks
from engine.inputs.json_files.label_studio import is_task, label_name, labels_of_task, own_columns, task_row
from engine.inputs.json_files.layout import Layout, find_layout
from engine.inputs.json_files.objects import JsonObject, objects_of
from engine.inputs.json_files.refusals import refuse_wrapped
from engine.inputs.labels.names.numbered import as_said, names_in_jq, numbers_in_object
from engine.inputs.lines import encoding_notes, find_encoding, open_lines
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.shapes.likely_text import with_example

_LABELS = ("label", "labels")
_LABEL = b'"label'
_OVERLAP = len(_LABEL) + 1
_PIECE = 1 << 20
_LOOKED_AT = 20  # rows, of which the first may be none


@dataclass(frozen=True, kw_only=True)
class JsonFile:
    """A JSON file, and how its rows are written.

    Attributes:
        path: where it is.
        encoding: as the user gave it; None if it is to be found out.
        layout: where its rows are in it.
        has_tasks: whether they are tasks of Label Studio.
        own: of tasks, the columns of their data that labels do not take the place of.
    """

    path: str
    encoding: str | None
    layout: Layout
    has_tasks: bool
    own: frozenset[str] = frozenset()

    def objects(self) -> Iterator[JsonObject]:
        """Its objects, as they are."""
        return objects_of(self.path, self.layout, self.encoding)

    def rows(self) -> Iterator[JsonObject]:
        """Its rows: the objects, or the data and the labels of tasks."""
        if not self.has_tasks:
            return self.objects()
        return (one if one.problem else JsonObject(*task_row(one.values, self.own), one.size) for one in self.objects())


def open_json(file: str, wanted: ColumnNames, encoding: str | None = None) -> JsonFile:
    """Find out how the rows of ``file`` are written.

    Raises:
        InputError: they are none.
    """
    layout = find_layout(file, wanted, encoding)
    first: Iterator[JsonObject] = islice(objects_of(file, layout, encoding), BLOCK_ROWS)
    if (begin := next(first, None)) is not None:
        refuse_wrapped(begin.values, layout.rows_in_jq, wanted, file)
        first = chain([begin], first)
    task = next((one.values for one in first if is_task(one.values)), None)
    own = frozenset[str]() if task is None else own_columns(task, wanted)
    return JsonFile(path=file, encoding=encoding, layout=layout, has_tasks=task is not None, own=own)


def read_json(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a JSON file.

    Raises:
        InputError: it is no table, a column is missing, or it is not of lines and not JSON.
    """
    encoding = find_encoding(file, options.encoding)
    source = open_json(file, wanted, options.encoding)
    wanted, notes = _with_label_of_tasks(source, wanted) if source.has_tasks else (wanted, ())
    notes = (*encoding_notes(file, options.encoding, encoding), *notes)
    names = _key_names(source, wanted)
    if source.layout.key is not None:
        notes = (*notes, f"{file}: its rows are the objects in {source.layout.key!r}")
    columns = _find_columns(source, names, wanted) if names else _unknown_columns(wanted)
    keys = {name: names[columns.places[name]] if names else name for name in columns.names()}
    options = dataclasses.replace(options, encoding=encoding)
    numbered = source.layout.numbered or numbers_in_object(_first(source), is_row=True)
    reading = Reading(columns=columns, options=options, notes=notes, numbered=tuple(as_said(file, numbered)))
    known = frozenset(names) if wanted.id is None and columns.id is None else frozenset([*names, "id"])
    rows_in_jq = None if source.has_tasks else source.layout.rows_in_jq
    in_jq = names_in_jq(numbered, is_row=not source.layout.numbered)
    blocks = JsonBlocks(reading, keys, known, file=file, rows_in_jq=rows_in_jq, names_in_jq=in_jq)
    if source.has_tasks or not source.layout.is_lines:
        yield from blocks.of_rows(source.rows())
        return
    with open_lines(file, options.encoding) as lines:
        yield from blocks.of_lines(lines)


def _key_names(source: JsonFile, wanted: ColumnNames) -> list[str]:
    """Keys of the first rows. Reads on only for a key that the user named, and for a label."""
    needed = {name for name in vars(wanted).values() if name and isinstance(name, str)}
    parts = {*parts_of(wanted.text)} if wanted.text else set[str]()
    names: dict[str, None] = {}
    rows = 0
    may_be_labelled: bool | None = None
    for values, problem, _ in source.rows():
        rows += problem is None
        late = (key for key in values if key in needed | parts or (may_be_labelled and key.lower() in _LABELS))
        names.update(dict.fromkeys(values if rows <= BLOCK_ROWS else late))
        if rows >= BLOCK_ROWS and (needed <= names.keys() or needed - {wanted.text} | parts <= names.keys()):
            if may_be_labelled is None:
                may_be_labelled = wanted.label is None and not _has_label(names) and _mentions_label(source)
            if not may_be_labelled or _has_label(names):
                break
        if len(names) > MAX_COLUMNS:
            break
    return list(names)


def _has_label(names: Iterable[str]) -> bool:
    return any(name.lower() in _LABELS for name in names)


def _mentions_label(source: JsonFile) -> bool:
    """Whether some label may be somewhere in the file. To look for the bytes is much faster than to parse them."""
    if source.has_tasks:
        return False
    with open_lines(source.path, source.encoding) as file:
        end = b""
        while piece := file.read(_PIECE):
            piece = piece.lower()
            if _names_label(piece) or _names_label(end + piece[:_OVERLAP]):
                return True
            end = piece[-_OVERLAP:]
    return False


def _names_label(piece: bytes) -> bool:
    """Whether one of `_LABELS`, in quotation marks, is in a piece of lower-case bytes."""
    return _LABEL in piece and any(f'"{name}"'.encode() in piece for name in _LABELS)


def _with_label_of_tasks(source: JsonFile, wanted: ColumnNames) -> tuple[ColumnNames, tuple[str, ...]]:
    """``wanted`` with the one control of Label Studio's form by which labels were given, and a note of it.

    Raises:
        InputError: there are several.
    """
    if wanted.label is not None:
        return dataclasses.replace(wanted, label=label_name(wanted.label, source.own)), ()
    controls: dict[str, None] = {}
    for number, one in enumerate(source.objects()):
        controls.update(dict.fromkeys(labels_of_task(one.values)))
        if controls and number >= BLOCK_ROWS:
            break
    if len(controls) > 1:
        given = " and ".join(map(repr, controls))
        raise InputError(f"{source.path}: {given} are chosen; say with --label which one is the label")
    for control in controls:
        note = f"{source.path}: the labels are what annotators chose in {control!r}"
        return dataclasses.replace(wanted, label=label_name(control, source.own)), (note,)
    return wanted, ()


def _find_columns(source: JsonFile, names: list[str], wanted: ColumnNames) -> Columns:
    """As `find_columns`; if the text is a level further down, the error says how to get it."""
    try:
        return find_columns(names, wanted, file=source.path)
    except InputError as error:
        rows = source.layout.rows_in_jq
        begin = within(rows, "data") if source.has_tasks else rows
        some = [one.values for one in islice(source.rows(), _LOOKED_AT) if one.values]
        if (way := way_to_text_of_some(some, begin, wanted, source.path)) is None:
            raise with_example(error, own_strings(some)) from None
        raise InputError(f"{error}. The text is further down; take it out: {way}") from None


def _first(source: JsonFile) -> dict[str, Any]:
    """The first row; empty if there is none."""
    return next((one.values for one in source.rows() if one.values), {})


def _unknown_columns(wanted: ColumnNames) -> Columns:
    """Columns of a file none of whose lines can be read: those that would have been looked for."""
    text = "" if isinstance(wanted, LabelColumns) else wanted.text or "text"
    id_ = wanted.id or ("id" if isinstance(wanted, LabelColumns) else None)
    return Columns(text=text, id=id_, label="label" if wanted.label is None else wanted.label or None, extras=())
