"""Input files → what a store's header says of them: the first pass of ingest.

Every row is checked and counted, in bounded memory; the refused ones go to `RejectsWriter` with a reason. Knows
nothing of shards, and writes nothing else.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.ingest.duplicates import DuplicateFinder
from engine.ingest.input_file import FileVersion, describe_input, file_version
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.classes import MAX_CLASSES, indexer
from engine.inputs.columns import ColumnNames
from engine.inputs.kinds import Kind
from engine.progress import Tick
from store.families.rejects import rejects_schema
from store.format.header import InputEntry
from store.format.shard import ShardWriter

_REJECTS_AT_ONCE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """An input file, and how its rows are read.

    Attributes:
        path: where it is.
        columns: names of its columns, as far as they are given.
        name: for the header, ids and refused rows: its path when it was first read.
    """

    path: str
    columns: ColumnNames
    name: str


@dataclass(kw_only=True)
class ValidatedInputs:
    """The result of the first pass over the input files.

    Attributes:
        files: as they were when they were read.
        inputs: one entry a file: path, size in bytes, sha256, rows, rejected and, where it has rows, columns.
        extras: kept columns and what their values are, of each file that has rows.
        labels: distinct gold labels as written; none where the classes were known.
        rows: of all files.
    """

    files: list[FileVersion] = field(default_factory=list)
    inputs: list[InputEntry] = field(default_factory=list)
    extras: list[dict[str, Kind]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    rows: int = 0

    @property
    def rejected(self) -> int:
        """How many of the rows were refused."""
        return sum(entry["rejected"] for entry in self.inputs)

    def places(self, positions: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For positions among all input rows, from 0: numbers of their files, and rows in those, from 1."""
        ends = np.cumsum([entry["rows"] for entry in self.inputs])
        files = np.searchsorted(ends, positions, side="right")
        return files, positions - (ends[files] - [self.inputs[file]["rows"] for file in files]) + 1


class KnownClasses:
    """The class names that are known before the files are read.

    Args:
        given: by the user: any other label is refused.
        model: the model's class names, used if none are given. Once a label is one of them, any other is refused. As
            long as none is, labels are collected, and the classes are made from them, or refused, at the end.
    """

    def __init__(self, *, given: Sequence[str] | None, model: Sequence[str] | None) -> None:
        self._index_of = indexer(given) if given is not None else None
        self._model = model if given is None else None

    def indexer(self, block: Block) -> Callable[[str], int | None] | None:
        """Label → its index, or None if it is no class; None as long as no class is known."""
        if self._index_of is None and self._model is not None:
            distinct = pc.unique(block.label).to_pylist()
            if any(label in self._model for label in distinct if label is not None):
                self._index_of = {name: number for number, name in enumerate(self._model)}.get
        return self._index_of


class RejectsWriter:
    """Takes refused rows: writes them, or raises at the first one where ``on_bad_row`` is ``fail``."""

    def __init__(self, writer: ShardWriter, *, on_bad_row: str) -> None:
        self._writer = writer
        self._fail = on_bad_row == "fail"

    def add(
        self, *, files: Sequence[str], rows: Sequence[int], ids: Sequence[str | None], reasons: Sequence[str]
    ) -> None:
        """Take in refused rows: their files, numbers in those, ids and reasons.

        Raises:
            InputError: a refused row ends the ingest.
        """
        if self._fail and rows:
            raise InputError(
                f"{files[0]} row {rows[0]:,}: {reasons[0]}. Mend or drop the row, or pass --on-bad-row=reject"
            )
        for start in range(0, len(rows), _REJECTS_AT_ONCE):
            stop = start + _REJECTS_AT_ONCE
            columns = [list(column[start:stop]) for column in (files, rows, ids, reasons)]
            self._writer.write(pa.record_batch(columns, schema=rejects_schema()))


def validate_files(
    files: Sequence[InputFile], *, known: KnownClasses, rejects: RejectsWriter, tick: Tick
) -> ValidatedInputs:
    """Check and count the rows of ``files``.

    Args:
        files: in the order of their rows.
        known: the class names that are known.
        rejects: takes the refused rows.
        tick: told how far it is.

    Raises:
        InputError: a file or column is bad, a file changes meanwhile, or labels are too many to be classes.
    """
    validated = ValidatedInputs()
    with DuplicateFinder() as finder:
        any_id = False
        for file in files:
            version = file_version(file.path)
            validated.files.append(version)
            path, size, sha256 = file.name, *describe_input(file.path)
            validated.inputs.append({"path": path, "size": size, "sha256": sha256, "rows": 0, "rejected": 0})
            for block in read_blocks(file.path, file.columns, name=file.name):
                _validate_block(block, validated, known=known, rejects=rejects, finder=finder)
                any_id = any_id or block.columns.id is not None
                tick("checking rows", validated.rows, None)
            version.check()
        if any_id:
            _refuse_repeats(validated, finder, rejects)
    return validated


def _validate_block(
    block: Block,
    validated: ValidatedInputs,
    *,
    known: KnownClasses,
    rejects: RejectsWriter,
    finder: DuplicateFinder,
) -> None:
    entry = validated.inputs[-1]
    if not entry["rows"]:
        entry["columns"] = dataclasses.asdict(block.columns)
        validated.extras.append({})
    _merge_kinds(block, validated.extras[-1])
    index_of = known.indexer(block)
    if index_of is not None:
        _refuse_unknown(block, index_of)
    fit = np.flatnonzero([problem is None for problem in block.problems])
    if index_of is None:
        _collect_labels(block.label.take(pa.array(fit)), validated.labels, block.file)
    finder.add(block.id.take(pa.array(fit)), validated.rows + fit)
    _refuse_unfit(block, rejects)
    validated.rows += block.rows
    entry["rows"] += block.rows
    entry["rejected"] += block.rows - len(fit)


def _merge_kinds(block: Block, kinds: dict[str, Kind]) -> None:
    for name, kind in block.kinds.items():
        kinds[name] = kinds[name] | kind if name in kinds else kind


def _refuse_unknown(block: Block, index_of: Callable[[str], int | None]) -> None:
    distinct = pc.unique(block.label).to_pylist()
    unknown = {label for label in distinct if label is not None and index_of(label) is None}
    if unknown:
        for row, label in enumerate(block.label.to_pylist()):
            if label in unknown:
                block.problems[row] = block.problems[row] or f"unknown label {label[:200]!r}"


def _collect_labels(labels: pa.Array, distinct: set[str], file: str) -> None:
    distinct.update(label for label in pc.unique(labels).to_pylist() if label is not None)
    if len(distinct) > MAX_CLASSES:
        raise InputError(f"{file}: more than {MAX_CLASSES:,} different labels; choose the column with --label")


def _refuse_unfit(block: Block, rejects: RejectsWriter) -> None:
    unfit = [(row, problem) for row, problem in enumerate(block.problems) if problem is not None]
    rejects.add(
        files=[block.file] * len(unfit),
        rows=[block.first_row + row for row, _ in unfit],
        ids=[block.id[row].as_py() for row, _ in unfit],
        reasons=[problem for _, problem in unfit],
    )


def _refuse_repeats(validated: ValidatedInputs, finder: DuplicateFinder, rejects: RejectsWriter) -> None:
    positions, ids = finder.repeats()
    files, rows = validated.places(positions)
    for file, times in zip(*np.unique(files, return_counts=True), strict=True):
        validated.inputs[file]["rejected"] += int(times)
    rejects.add(
        files=[validated.inputs[file]["path"] for file in files],
        rows=rows.tolist(),
        ids=ids,
        reasons=["id is that of an earlier row"] * len(ids),
    )
