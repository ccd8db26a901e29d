"""Input files → a store's header, corpus and rejects, in two passes and bounded memory.

The first pass checks and counts every row and freezes ``store.json``; the second (`engine.ingest.write_corpus`) writes
the shards that are missing. Killed anywhere and run again, it gives the same bytes. Knows nothing of models.
"""

import dataclasses
import functools
import logging
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import InputError
from engine.ingest.gold_column import NotGoldError, decide_classes
from engine.ingest.input_file import (
    FileVersion,
    columns_of,
    describe_input,
    file_version,
    last_touched,
    options_of,
)
from engine.ingest.rejects_writer import RejectsWriter
from engine.ingest.validate import InputFile, ValidatedInputs, validate_files
from engine.ingest.write_corpus import write_corpus
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.kinds import Kind
from engine.inputs.labels.classes import doubtful_names
from engine.inputs.labels.names.class_files import class_files_notes
from engine.inputs.labels.several_files import copies_notes, read_together
from engine.inputs.messages import listed, merged, no_usable_row, not_labels_note
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.progress import Tick, silent
from store import Store
from store.families.rejects import rejects_schema
from store.format.header import Header, InputEntry, RejectsEntry, create_header, read_header
from store.format.names import REJECTS
from store.format.run_log import first_start
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
    """

    files: tuple[str, ...]
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    on_bad_row: str = "reject"

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
    for note in copies_notes(files, config.files, config.columns, config.options):
        _log.info("%s", note)
    try:
        validated, classes, rejects = _first_pass(storage, files, config, known, tick)
    except NotGoldError as error:
        _log.info("%s", error)
        without = dataclasses.replace(config, columns=dataclasses.replace(config.columns, label=NO_COLUMN))
        validated, classes, rejects = _first_pass(storage, files, without, known, tick)
    extras = _merge_extras(validated.extras)
    rows = validated.rows - validated.rejected
    header = Header(
        classes=classes,
        rows=rows,
        shards=config.shards or -(-rows // ROWS_PER_SHARD),
        extras={name: str(kind.stored) for name, kind in extras.items()},
        inputs=validated.inputs,
        rejects=rejects,
    )
    store = Store(storage, create_header(storage, header))
    write_corpus(store, validated.files, tick=tick)
    return store


def _first_pass(
    storage: Storage, files: list[str], config: IngestConfig, known: Sequence[str] | None, tick: Tick
) -> tuple[ValidatedInputs, list[str], RejectsEntry]:
    """The validated inputs, the classes of the store and the file of refused rows.

    Raises:
        InputError: as `ingest`.
        NotGoldError: the labels are no gold for ``known``.
    """
    inputs = [InputFile(path=file, columns=config.columns, options=config.options, name=file) for file in files]
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        rejects = RejectsWriter(writer, on_bad_row=config.on_bad_row)
        is_named = bool(config.columns.label or config.options.label_map)
        with read_together(files):
            validated = validate_files(
                inputs, classes=config.classes or known or (), rejects=rejects, tick=tick, named=config.files
            )
        if config.columns.label is None and not validated.label_columns:
            validated.notes += class_files_notes(files, config.classes or known or ())
        if validated.rejected == validated.rows:
            raise InputError(no_usable_row(files, validated.rejected, validated.first_reasons))
        classes = decide_classes(validated, config.classes, known, is_named=is_named)
        _say(validated, classes, is_new=known is None and config.classes is None)
        file, size, sha256 = writer.publish(REJECTS, 0)
    return validated, classes, {"file": file, "rows": validated.rejected, "bytes": size, "sha256": sha256}


def _say(validated: ValidatedInputs, classes: list[str], *, is_new: bool) -> None:
    """Say once what a user has to know of how the files were read."""
    notes = [*validated.notes]
    if validated.not_labels:
        notes.append(not_labels_note(validated.not_labels))
    if is_new:
        notes += doubtful_names(classes)
    notes += _notes_of_extras(validated)
    for note in merged(notes, (entry["path"] for entry in validated.inputs)):
        _log.info("%s", note)


def _notes_of_extras(validated: ValidatedInputs) -> list[str]:
    kept = _merge_extras(validated.extras)
    dropped = dict.fromkeys(name for file in validated.extras for name in file if name not in kept)
    rounded = [name for name, kind in kept.items() if kind.is_rounded]
    notes = [f"columns that not all files have are left out: {listed(dropped)}"] if dropped else []
    return [*notes, f"kept as double, which rounds some of their values: {listed(rounded)}"] if rounded else notes


def _merge_extras(files: list[dict[str, Kind]]) -> dict[str, Kind]:
    """Columns that every file has, by a name that is one for SQL, too, and what their values are in all files."""
    merged: dict[str, Kind] = {}
    taken: set[str] = set()
    for name in files[0] if files else {}:
        if name.lower() in taken or not all(name in file for file in files):
            continue
        taken.add(name.lower())
        merged[name] = functools.reduce(operator.or_, (file[name] for file in files))
    return merged


def check_inputs(store: Store, files: Sequence[str], *, untouched_since: float | None = None) -> list[FileVersion]:
    """Refuse input files that are not those which the store was made from; those that are, as they are now.

    Args:
        store: the store.
        files: in the order in which they were given first.
        untouched_since: a moment, in seconds since 1970, at which they were right. A file of the same path and size
            that was not touched since then is not read; all are if None.

    Raises:
        InputError: another number of files, or one of another size or content.
    """
    held = store.header.inputs
    if len(files) != len(held):
        raise InputError(f"{store.location} was made from {len(held)} input files, and {len(files)} are given now")
    return [_check_input(store, file, entry, untouched_since) for file, entry in zip(files, held, strict=True)]


def _check_input(store: Store, file: str, entry: InputEntry, untouched_since: float | None) -> FileVersion:
    if not Path(file).exists():
        raise InputError(f"{store.location} needs its input {file}, and it is not there")
    version = file_version(file)
    is_known = (file, version.size) == (entry["path"], entry["size"])
    if is_known and untouched_since is not None and last_touched(file) < untouched_since:
        return version
    size, sha256 = describe_input(file)
    if sha256 != entry["sha256"]:
        raise InputError(
            f"{file} has changed since {store.location} was begun: {entry['size']:,} bytes with sha256 "
            f"{entry['sha256'][:16]} then, {size:,} bytes with {sha256[:16]} now. "
            "Restore it, or label into a new store"
        )
    return version


def finish_corpus(storage: Storage, inputs: Sequence[str], *, tick: Tick = silent) -> Store:
    """The store at ``storage``; its corpus is finished, if an earlier run did not come so far.

    Args:
        storage: of a store that has a header.
        inputs: files to read, which must be those that it was begun with; where they were then, if empty. They are
            hashed if the corpus is not finished, or if they were moved or touched after the first label run began.
        tick: told how far it is.

    Raises:
        InputError: a file is another one, or gone.
    """
    store = Store(storage, read_header(storage))
    corpus = store.memoised().corpus
    if corpus.missing():
        files = expand(inputs) or [entry["path"] for entry in store.header.inputs]
        write_corpus(store, check_inputs(store, files), tick=tick)
        return store
    if inputs:
        # Nothing of them is read any more: a file that nobody touched since the corpus was there is not hashed.
        check_inputs(store, expand(inputs), untouched_since=first_start(storage))
    corpus.seal()  # who wrote the last shard may have been killed before it
    return store


def rewrite_rejects(store: Store, files: Sequence[FileVersion]) -> bool:
    """Make the damaged file of refused rows again; False if it came out with other bytes than it had.

    Args:
        store: the store.
        files: its inputs, as `check_inputs` gives them.
    """
    inputs = [
        InputFile(path=file.path, columns=columns_of(entry), options=options_of(entry), name=entry["path"])
        for file, entry in zip(files, store.header.inputs, strict=True)
    ]
    with ShardWriter(store.storage, rejects_schema(), compressed=True) as writer:
        rejects = RejectsWriter(writer, on_bad_row="reject")
        validate_files(inputs, classes=store.header.classes, rejects=rejects, tick=silent)
        if writer.finish() != store.header.rejects["sha256"]:
            return False
        writer.publish(REJECTS, 0)
        return True
