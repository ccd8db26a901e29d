"""Input files → a store's header, corpus and rejects, in two passes and bounded memory.

The first pass checks and counts every row and freezes ``store.json``; the second (`engine.ingest.write_corpus`) writes
the shards that are missing. Killed anywhere and run again, it gives the same bytes. Rows that come later are appended
by `engine.ingest.append`. Knows nothing of models.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from engine.errors import InputError
from engine.ingest.gold_column import NotGoldError, decide_classes
from engine.ingest.ids.duplicates import DuplicateFinder
from engine.ingest.ids.repeated_ids import add_taken
from engine.ingest.input_file import FileVersion, columns_of, options_of
from engine.ingest.near_duplicates.marking import with_marks
from engine.ingest.rejects_writer import RejectsWriter
from engine.ingest.validate import InputFile, ValidatedInputs, validate_files
from engine.ingest.write_corpus import write_corpus
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.kinds import merge_extras
from engine.inputs.labels.classes import doubtful_names
from engine.inputs.labels.names.class_files import class_files_notes
from engine.inputs.labels.several_files import columns_by_file, copies_notes, read_together, without_gold_notes
from engine.inputs.messages import listed, merged, no_usable_row, not_labels_note
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.inputs.remote.mirror import name_of
from engine.progress import Tick, silent
from store import Store
from store.families.rejects import rejects_schema
from store.format.header import Header, create_header
from store.format.names import REJECTS
from store.format.segments import RejectsEntry
from store.format.shard import ShardWriter
from store.storage import Storage

ROWS_PER_SHARD = 32_768
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What to read.

    Attributes:
        files: paths and globs.
        columns: names that the user gave.
        options: how the files are read.
        classes: class names, in order; if None, those of the model or of the labels.
        shards: how many; one for each `ROWS_PER_SHARD` rows if None.
        on_bad_row: ``reject`` or ``fail``.
        near_duplicates: the similarity from which a row is marked as like an earlier one; None to mark none.
    """

    files: tuple[str, ...]
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    on_bad_row: str = "reject"
    near_duplicates: float | None = None

    def __post_init__(self) -> None:
        if self.shards is not None and self.shards < 1:
            raise InputError(f"--shards is {self.shards}; it must be at least 1")
        check_on_bad_row(self.on_bad_row)


def ingest(storage: Storage, config: IngestConfig, *, known: Sequence[str] | None = None, tick: Tick = silent) -> Store:
    """Make the store at ``storage`` from input files: both passes.

    A label column that has nothing to do with ``known`` is kept as an extra column, and the texts have no gold.

    Args:
        storage: where; it must not hold a store.
        config: what to read.
        known: class names of the model that will label, in its order.
        tick: told how far it is.

    Raises:
        InputError: a file or column is bad, no row is left, labels are counted from 1, or a row is bad and
            ``on_bad_row`` is ``fail``.
    """
    files = expand(config.files)
    with first_pass(storage, files, config, known=known, tick=tick) as read:
        if not read.rows:
            raise InputError(no_usable_row(files, read.validated.rejected, read.validated.first_reasons))
        extras = {name: str(kind.stored) for name, kind in merge_extras(read.validated.extras).items()}
        header = Header(
            classes=read.classes,
            rows=read.rows,
            shards=config.shards or -(-read.rows // ROWS_PER_SHARD),
            extras=with_marks(extras, read.validated.inputs, config.near_duplicates),
            inputs=read.validated.inputs,
            rejects=read.publish(REJECTS, 0),
        )
        store = Store(storage, create_header(storage, header))
    write_corpus(store, read.validated.files, tick=tick)
    return store


@dataclass(frozen=True, kw_only=True)
class FirstPass:
    """Input files that were read once.

    Attributes:
        validated: what the pass found.
        classes: of the store.
        writer: of the refused rows.
    """

    validated: ValidatedInputs
    classes: list[str]
    writer: ShardWriter

    @property
    def rows(self) -> int:
        """How many were not refused."""
        return self.validated.rows - self.validated.rejected

    def publish(self, folder: str, number: int) -> RejectsEntry:
        """Make the file of refused rows visible in ``folder``, as that of segment ``number``."""
        file, size, sha256 = self.writer.publish(folder, number)
        return {"file": file, "rows": self.validated.rejected, "bytes": size, "sha256": sha256}


@contextmanager
def first_pass(
    storage: Storage,
    files: list[str],
    config: IngestConfig,
    *,
    known: Sequence[str] | None,
    tick: Tick,
    taken: Callable[[DuplicateFinder], None] | None = None,
    read: Callable[..., Iterator[Block]] = read_blocks,
) -> Iterator[FirstPass]:
    """Read ``files`` once. The file of refused rows is the reader's until the block ends.

    Args:
        storage: of the store.
        files: paths.
        config: how they are read.
        known: as in `ingest`.
        tick: told how far it is.
        taken: as in `engine.ingest.validate.validate_files`.
        read: as there; if labels turn out to be no gold, all files are read again from the first one.

    Raises:
        InputError: as `ingest`.
    """
    validate = functools.partial(validate_files, tick=tick, named=config.files, taken=taken, read=read)
    for note in copies_notes(files, config.files, config.columns, config.options):
        _log.info("%s", note)
    with ExitStack() as stack:
        try:
            found = stack.enter_context(_read_once(storage, files, config, known, validate))
        except NotGoldError as error:
            _log.info("%s", error)
            without = dataclasses.replace(config, columns=dataclasses.replace(config.columns, label=NO_COLUMN))
            found = stack.enter_context(_read_once(storage, files, without, known, validate))
        yield found


@contextmanager
def _read_once(
    storage: Storage,
    files: list[str],
    config: IngestConfig,
    known: Sequence[str] | None,
    validate: Callable[..., ValidatedInputs],
) -> Iterator[FirstPass]:
    """As `first_pass`.

    Raises:
        InputError: as `ingest`.
        NotGoldError: the labels are no gold for ``known``.
    """
    columns = columns_by_file(files, config.columns, config.options)
    inputs = [InputFile(path=file, columns=columns[file], options=config.options, name=name_of(file)) for file in files]
    classes = config.classes or known or ()
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        rejects = RejectsWriter(writer, on_bad_row=config.on_bad_row)
        is_named = bool(config.columns.label or config.options.label_map)
        with read_together(files):
            validated = validate(inputs, classes=classes, rejects=rejects)
        validated.notes += without_gold_notes(columns, config.columns)
        if config.columns.label is None and not validated.label_columns:
            validated.notes += class_files_notes(files, classes)
        decided: list[str] = []
        if validated.rejected < validated.rows:
            decided = decide_classes(validated, config.classes, known, is_named=is_named)
            _say(validated, decided, is_new=known is None and config.classes is None)
        yield FirstPass(validated=validated, classes=decided, writer=writer)


def _say(validated: ValidatedInputs, classes: list[str], *, is_new: bool) -> None:
    """Say once what a user has to know of how the files were read."""
    notes = [*validated.notes]
    if validated.not_labels:
        notes.append(not_labels_note(validated.not_labels, None if is_new else classes))
    notes += [*(doubtful_names(classes) if is_new else []), *_notes_of_extras(validated)]
    for note in merged(notes, (entry["path"] for entry in validated.inputs)):
        _log.info("%s", note)


def _notes_of_extras(validated: ValidatedInputs) -> list[str]:
    kept = merge_extras(validated.extras)
    dropped = dict.fromkeys(name for file in validated.extras for name in file if name not in kept)
    rounded = [name for name, kind in kept.items() if kind.is_rounded]
    notes = [f"columns that not all files have are left out: {listed(dropped)}"] if dropped else []
    return [*notes, f"kept as double, which rounds some of their values: {listed(rounded)}"] if rounded else notes


def rewrite_rejects(store: Store, files: Sequence[FileVersion], *, segment: int = 0) -> bool:
    """Make the damaged file of refused rows of a segment again; False if it came out with other bytes than it had.

    Args:
        store: the store.
        files: the inputs of the segment, as `engine.ingest.known_inputs.check_inputs` gives them.
        segment: its number; 0 is what the store was made with.
    """
    record = store.header.segments[segment]
    inputs = [
        InputFile(path=file.path, columns=columns_of(entry), options=options_of(entry), name=entry["path"])
        for file, entry in zip(files, record.inputs, strict=True)
    ]
    taken = functools.partial(add_taken, store.as_of(record.first_row)) if segment else None
    with ShardWriter(store.storage, rejects_schema(), compressed=True) as writer:
        rejects = RejectsWriter(writer, on_bad_row="reject")
        validate_files(inputs, classes=store.header.classes, rejects=rejects, tick=silent, taken=taken)
        if writer.finish() != record.rejects["sha256"]:
            return False
        writer.publish(record.rejects_file.rpartition("/")[0], segment)
        return True
