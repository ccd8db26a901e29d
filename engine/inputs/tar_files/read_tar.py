"""WebDataset tars → raw blocks, in bounded memory: a row a sample, in the order of the tar.

The columns are those of the first `BLOCK_ROWS` samples; a label is looked for in the whole tar. Members that are
neither text, JSON nor a label are passed over, and those that would be programs, as pickles, are never looked into.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock
from engine.inputs.columns import ColumnNames, LabelColumns, find_columns
from engine.inputs.json_files.json_blocks import JsonBlocks
from engine.inputs.json_files.objects import JsonObject
from engine.inputs.messages import listed
from engine.inputs.options import Reading, ReadOptions
from engine.inputs.shapes.likely_text import with_example
from engine.inputs.tar_files.members import members_of, way_to_unpack
from engine.inputs.tar_files.rows import NO_TEXT, row_of, text_member, unread
from engine.inputs.tar_files.samples import JSON, LABEL, Sample, samples_of

_PROGRAMS = {"pkl", "pickle", "pyd", "pth", "pt"}
_FEW_TEXTS = 3
_EXAMPLES = 20


@dataclass(kw_only=True)
class _Looked:
    """What the first samples of a tar are.

    Attributes:
        samples: how many there are, up to `BLOCK_ROWS`.
        names: of their columns.
        endings: of all members.
        folders: in which their members are.
        unread: endings of the members that are not read.
        has_texts: whether one has a text of its own.
        faults: reasons of those that cannot be used.
        strings: values of the first ones, by column.
        both: columns that two members say, in words.
    """

    samples: int = 0
    names: dict[str, None] = field(default_factory=dict)
    endings: dict[str, None] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    unread: dict[str, None] = field(default_factory=dict)
    has_texts: bool = False
    faults: list[str] = field(default_factory=list)
    strings: dict[str, list[str]] = field(default_factory=dict)
    both: dict[str, None] = field(default_factory=dict)

    def add(self, sample: Sample, row: JsonObject) -> None:
        """Take in a sample and its row."""
        self.samples += 1
        self.names.update(dict.fromkeys(row.values))
        self.endings.update(dict.fromkeys(sample.members))
        self.folders.add(sample.key.rpartition("/")[0])
        self.unread.update(dict.fromkeys(unread(sample)))
        self.has_texts = self.has_texts or text_member(sample) is not None
        self.faults += [] if row.problem is None else [row.problem]
        if self.samples <= _EXAMPLES:
            for name, value in row.values.items():
                self.strings.setdefault(name, []).extend([value] if isinstance(value, str) else [])
        if LABEL in sample.members and JSON in sample.members and row.problem is None:
            said = (sample.members[LABEL] or b"").decode(errors="replace").strip()
            if str(row.values.get("label")) != said:
                self.both["label"] = None


def read_tar(file: str, wanted: ColumnNames, options: ReadOptions) -> Iterator[RawBlock]:
    """The rows of a WebDataset tar.

    Raises:
        InputError: it is damaged, or holds no samples but files; a column is missing.
    """
    looked = _look(file)
    if not looked.samples:
        _refuse_no_samples(file)
        return
    _refuse_archives(looked, file, wanted, options)
    names = list(looked.names)
    if "label" not in names and wanted.label in (None, "label") and _has_label(file):
        names.append("label")
    try:
        columns = find_columns(names, wanted, file=file)
    except InputError as error:
        raise with_example(error, looked.strings) from None
    keys = {name: names[columns.places[name]] for name in columns.names()}
    reading = Reading(columns=columns, options=options, notes=tuple(_notes(looked, file)))
    blocks = JsonBlocks(reading, keys, frozenset(names), file=file, rows_in_jq=None)
    needs_text = looked.has_texts and "text" in columns.texts and not isinstance(wanted, LabelColumns)
    yield from blocks.of_rows(_rows(file, needs_text=needs_text))


def _rows(file: str, *, needs_text: bool) -> Iterator[JsonObject]:
    for row in map(row_of, samples_of(file)):
        is_lacking = needs_text and row.problem is None and "text" not in row.values
        yield JsonObject({}, NO_TEXT, 0) if is_lacking else row


def _look(file: str) -> _Looked:
    looked = _Looked()
    for sample in islice(samples_of(file), BLOCK_ROWS):
        looked.add(sample, row_of(sample))
    return looked


def _has_label(file: str) -> bool:
    """Whether any sample has a label. The bytes of members are passed over."""
    return any(name.lower().endswith(f".{LABEL}") for name, _, _ in members_of(file, lambda _: False))


def _refuse_no_samples(file: str) -> None:
    """Refuse a tar that has members, and none that could be one of a sample."""
    names = [name for name, _, _ in islice(members_of(file, lambda _: False), BLOCK_ROWS)]
    if names:
        raise InputError(f"{file} holds files and no samples of a WebDataset: {listed(names)}; {way_to_unpack(file)}")


def _refuse_archives(looked: _Looked, file: str, wanted: ColumnNames, options: ReadOptions) -> None:
    """Refuse a tar that is no WebDataset but packed files.

    Raises:
        InputError: it is.
    """
    way = way_to_unpack(file)
    is_of_labels = isinstance(wanted, LabelColumns) and LABEL in looked.endings
    if not (looked.has_texts or is_of_labels or JSON in looked.endings):
        endings = listed(f".{name}" for name in looked.endings)
        raise InputError(
            f"{file} is no WebDataset of texts, which has members .txt, .text or .json; it has {endings}. If what it "
            f"holds is read by itself, {way}"
        )
    if len(looked.faults) == looked.samples:
        raise InputError(f"{file} holds no usable sample of a WebDataset: {looked.faults[0]}. If it packs files, {way}")
    if options.whole_files or not looked.has_texts or looked.endings.keys() - {"txt", "text"}:
        return
    if len(looked.folders) > 1 or looked.samples < _FEW_TEXTS:
        what = f"files of text in {len(looked.folders):,} folders" if len(looked.folders) > 1 else "few files of text"
        raise InputError(
            f"{file} holds {what} and nothing beside them. If each is a row, pass --whole-files; if their folders are "
            f"classes or splits, or each line is a row, {way}"
        )


def _notes(looked: _Looked, file: str) -> Iterator[str]:
    """What a user has to know of how the tar is read."""
    programs = [name for name in looked.unread if name.rpartition(".")[2] in _PROGRAMS]
    others = [name for name in looked.unread if name not in programs]
    if others:
        yield f"{file}: members that are neither text, JSON nor a label are left out: {_dotted(others)}"
    if programs:
        yield f"{file}: members that may hold a program are left out, and never opened: {_dotted(programs)}"
    if looked.both:
        yield f"{file}: the label is what .json says, and not .{LABEL}"


def _dotted(names: list[str]) -> str:
    return listed(f".{name}" for name in names)
