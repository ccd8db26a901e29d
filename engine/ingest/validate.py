"""Input files → what a store's header says of them: the first pass of ingest.

Every row is checked and counted, in bounded memory; the refused ones go to `RejectsWriter` with a reason. Labels are
counted, and which class each is, is decided when all are known. Knows nothing of shards, and writes nothing else.
"""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.ingest.ahead import ahead
from engine.ingest.duplicates import DuplicateFinder
from engine.ingest.input_file import FileVersion, described, file_version
from engine.ingest.rejects_writer import RejectsWriter
from engine.ingest.repeated_ids import refuse_repeats
from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.kinds import Kind
from engine.inputs.labels.classes import MAX_CLASSES
from engine.inputs.labels.likely_column import likely_labels, possible_gold
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.spelling import LEFT_OUT
from engine.inputs.messages import listed
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.inputs.paths.copies import FIRST_TEXTS, CopyFinder
from engine.inputs.shapes.likely_id import id_note
from engine.progress import Tick
from store.format.segments import InputEntry

_SHOWN = 5
_TOLD = "label"  # where it is no gold, that is said with its new name


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """An input file, and how its rows are read.

    Attributes:
        path: where it is.
        columns: names of its columns, as far as they are given.
        options: how it is read, as far as it is said.
        name: for the header, ids and refused rows: its path when it was first read.
    """

    path: str
    columns: ColumnNames
    options: ReadOptions = FOUND_OUT
    name: str


@dataclass(kw_only=True)
class ValidatedInputs:
    """The result of the first pass over the input files.

    Attributes:
        files: as they were when they were read.
        inputs: one entry a file: path, size in bytes, sha256, rows, rejected and, where it has rows, columns and
            options.
        extras: kept columns and what their values are, of each file that has rows.
        labels: distinct gold labels in their one spelling, and how many rows have them; of very many, some.
        not_labels: words in the label columns that were read as no label.
        label_faults: how many rows that are not refused have a label that cannot be used.
        first_label_fault: why the first of them cannot, with its place; empty if there is none.
        named: names that the files themselves give to their labels, in their order; empty if they differ.
        label_columns: names of the columns that the labels are from.
        beside: what other columns say of the labels.
        notes: what a user has to know of how the files are read, a sentence each.
        first_reasons: of rows that were refused, with their places; a few.
        rows: of all files.
        taken: how many of these were refused since a row of the store has their id.
    """

    files: list[FileVersion] = field(default_factory=list)
    inputs: list[InputEntry] = field(default_factory=list)
    extras: list[dict[str, Kind]] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    not_labels: set[str] = field(default_factory=set)
    label_faults: int = 0
    first_label_fault: str = ""
    named: list[tuple[str, ...]] = field(default_factory=list)
    label_columns: set[str] = field(default_factory=set)
    beside: NamesBeside = field(default_factory=NamesBeside)
    notes: list[str] = field(default_factory=list)
    first_reasons: list[str] = field(default_factory=list)
    rows: int = 0
    taken: int = 0

    @property
    def rejected(self) -> int:
        """How many of the rows were refused."""
        return sum(entry["rejected"] for entry in self.inputs)

    def places(self, positions: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For positions among all input rows, from 0: numbers of their files, and rows in those, from 1."""
        ends = np.cumsum([entry["rows"] for entry in self.inputs])
        files = np.searchsorted(ends, positions, side="right")
        return files, positions - (ends[files] - [self.inputs[file]["rows"] for file in files]) + 1


def validate_files(
    files: Sequence[InputFile],
    *,
    classes: Sequence[str],
    rejects: RejectsWriter,
    tick: Tick,
    named: Sequence[str] | None = None,
    taken: Callable[[DuplicateFinder], None] | None = None,
    read: Callable[..., Iterator[Block]] = read_blocks,
) -> ValidatedInputs:
    """Check and count the rows of ``files``.

    Args:
        files: in the order of their rows.
        classes: the class names that are known.
        rejects: takes the refused rows.
        tick: told how far it is.
        named: what the user named, files, folders and globs; each of ``files`` if None.
        taken: adds the ids that rows of a store have already, at positions below 0; there are none if None.
        read: reads a file, in a thread beside; called as `read_blocks`.

    Raises:
        InputError: a file or column is bad, a folder has two versions of a file, or a file changes meanwhile.
    """
    validated = ValidatedInputs(beside=NamesBeside(classes, is_bonus=True))
    with DuplicateFinder() as finder:
        any_id, copies = taken is not None, CopyFinder(named)
        if taken is not None:
            taken(finder)
        for file in files:
            version, entry = _new_entry(file, validated)
            with described(file.path) as description:
                for block in ahead(read(file.path, file.columns, file.options, classes=classes, name=file.name)):
                    if not entry["rows"]:
                        _begin_file(block, validated, file, classes, copies)
                    _validate_block(block, validated, rejects=rejects, finder=finder)
                    any_id = any_id or block.reading.columns.id is not None
                    tick("checking rows", validated.rows, None)
                entry["size"], entry["sha256"] = description.result()
            if entry["rows"] and not file.options.whole_files:
                validated.notes += copies.notes(file.name, [entry["sha256"]])
            version.check()
        if any_id:
            refuse_repeats(validated, finder, rejects)
    return validated


def _new_entry(file: InputFile, validated: ValidatedInputs) -> tuple[FileVersion, InputEntry]:
    """``file`` as it is now, and an entry for it, of which nothing is known yet."""
    version = file_version(file.path)
    entry: InputEntry = {"path": file.name, "size": 0, "sha256": "", "rows": 0, "rejected": 0}
    validated.files.append(version)
    validated.inputs.append(entry)
    return version, entry


def _validate_block(
    block: Block, validated: ValidatedInputs, *, rejects: RejectsWriter, finder: DuplicateFinder
) -> None:
    entry = validated.inputs[-1]
    _merge_kinds(block, validated.extras[-1])
    validated.notes += [note for note in block.reading.notes if note not in validated.notes]
    fit = np.flatnonzero([problem is None for problem in block.problems])
    _count_label_faults(block, validated)
    _count_labels(block.label.take(pa.array(fit)), validated.labels)
    validated.not_labels |= block.not_labels
    validated.beside.add(block.file, block.reading.columns, block.label, block.extras, block.reading.numbered)
    finder.add(block.id.take(pa.array(fit)), validated.rows + fit)
    _refuse_unfit(block, rejects, validated.first_reasons)
    validated.rows += block.rows
    entry["rows"] += block.rows
    entry["rejected"] += block.rows - len(fit)


def _merge_kinds(block: Block, kinds: dict[str, Kind]) -> None:
    for name, kind in block.kinds.items():
        kinds[name] = kinds[name] | kind if name in kinds else kind


def _begin_file(
    block: Block, validated: ValidatedInputs, file: InputFile, classes: Sequence[str], copies: CopyFinder
) -> None:
    """Take down how ``file``, of which ``block`` is the first, is read; refuse it if it is another version of one."""
    if not file.options.whole_files:
        copies.check(file.name, block.text[:FIRST_TEXTS].to_pylist())
    entry, reading = validated.inputs[-1], block.reading
    entry["columns"] = block.columns.to_json()
    label_map = reading.options.label_map or file.options.label_map
    if options := dataclasses.replace(reading.options, label_map=label_map).to_json():
        entry["options"] = options
    validated.extras.append({})
    if left_out := ", ".join(reading.columns.left_out):
        validated.notes.append(f"{block.file}: columns of which there are several are left out: {left_out}")
    if renamed := {name: kept for name, kept in reading.columns.renamed.items() if name.lower() != _TOLD}:
        pairs = listed(f"{name} as {kept}" for name, kept in renamed.items())
        validated.notes.append(f"{block.file}: columns whose names a store needs itself are kept by others: {pairs}")
    if reading.columns.label is not None:
        validated.label_columns.add(reading.columns.label)
    validated.named += [] if reading.classes is None else [reading.classes]
    validated.notes += id_note(reading.columns, block.extras, file.columns, block.file)
    _tell_likely_label(block, validated, classes)


def _tell_likely_label(block: Block, validated: ValidatedInputs, classes: Sequence[str]) -> None:
    """Take down the columns which could be gold and are not read as such."""
    columns = block.reading.columns
    if columns.label is not None or columns.is_label_named:
        return
    way = "reads it as gold, and --no-label leaves out this note"
    if likely := columns.given(likely_labels(block.extras, classes)):
        names, seem = " and ".join(map(repr, likely)), "seem" if len(likely) > 1 else "seems"
        flag = f"--label {shlex.quote(likely[0])}" if len(likely) == 1 else "--label NAME"
        validated.notes.append(f"{block.file}: {names} {seem} to hold labels and no gold is read; {flag} {way}")
    elif possible := columns.given(possible_gold(block.extras, classes)):
        names = listed(map(repr, possible))
        validated.notes.append(f"{block.file}: no gold is read; if a column holds it ({names}), --label NAME {way}")


def _count_label_faults(block: Block, validated: ValidatedInputs) -> None:
    pairs = enumerate(zip(block.label_faults, block.problems, strict=True))
    faults = [(row, fault) for row, (fault, problem) in pairs if fault not in (None, LEFT_OUT) and problem is None]
    validated.label_faults += len(faults)
    if faults and not validated.first_label_fault:
        row, fault = faults[0]
        validated.first_label_fault = f"{block.file} row {block.first_row + row:,}: {in_detail(fault or '')}"


def _count_labels(labels: pa.Array, counts: Counter[str]) -> None:
    for pair in labels.drop_null().value_counts().to_pylist():
        if pair["values"] in counts or len(counts) <= MAX_CLASSES:
            counts[pair["values"]] += pair["counts"]


def _refuse_unfit(block: Block, rejects: RejectsWriter, first: list[str]) -> None:
    unfit = [(row, problem) for row, problem in enumerate(block.problems) if problem is not None]
    shown = unfit[: _SHOWN - len(first)]
    first += [f"{block.file} row {block.first_row + row:,}: {in_detail(problem)}" for row, problem in shown]
    rejects.add(
        files=[block.file] * len(unfit),
        rows=[block.first_row + row for row, _ in unfit],
        ids=[block.id[row].as_py() for row, _ in unfit],
        reasons=[problem for _, problem in unfit],
    )
