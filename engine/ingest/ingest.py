"""Input files → a store's header, corpus and rejects, in two passes and bounded memory.

The first pass checks and counts every row and freezes ``store.json``; the second (`engine.ingest.write_corpus`) writes
the shards that are missing. Killed anywhere and run again, it gives the same bytes. Knows nothing of models.
"""

import functools
import logging
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import InputError
from engine.ingest.input_file import FileVersion, describe_input, file_version, last_touched
from engine.ingest.validate import InputFile, KnownClasses, RejectsWriter, validate_files
from engine.ingest.write_corpus import write_corpus
from engine.inputs.classes import check_class_names, classes_of
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.inputs.kinds import Kind
from engine.progress import Tick, silent
from store import Store
from store.families.rejects import rejects_schema
from store.format.header import Header, InputEntry, create_header, read_header
from store.format.names import REJECTS, RESERVED_COLUMNS
from store.format.run_log import first_start
from store.format.shard import ShardWriter
from store.storage import Storage

ROWS_PER_SHARD = 32_768
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What to read and how.

    Attributes:
        files: paths and globs.
        columns: names that the user gave.
        classes: class names, in order; from the gold labels or the model if None.
        shards: how many; one for every `ROWS_PER_SHARD` rows if None.
        on_bad_row: ``reject`` or ``fail``.
    """

    files: tuple[str, ...]
    columns: ColumnNames = field(default_factory=ColumnNames)
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        if self.shards is not None and self.shards < 1:
            raise InputError(f"--shards is {self.shards}; it must be at least 1")
        if self.on_bad_row not in ("reject", "fail"):
            raise InputError(f"--on-bad-row is {self.on_bad_row!r}; it must be reject or fail")


def ingest(storage: Storage, config: IngestConfig, *, known: Sequence[str] | None = None, tick: Tick = silent) -> Store:
    """Make the store at ``storage`` from input files: both passes.

    Args:
        storage: where; it must not hold a store.
        config: what to read.
        known: class names of the model that will label, in its order.
        tick: told how far it is.

    Raises:
        InputError: a file or column is bad, no row is left, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    files = expand(config.files)
    with ShardWriter(storage, rejects_schema(), compressed=True) as writer:
        rejects = RejectsWriter(writer, on_bad_row=config.on_bad_row)
        validated = validate_files(
            [InputFile(path=file, columns=config.columns, name=file) for file in files],
            known=KnownClasses(given=config.classes, model=known),
            rejects=rejects,
            tick=tick,
        )
        if validated.rejected == validated.rows:
            raise InputError(f"{', '.join(files)}: no usable row among {validated.rows:,}")
        classes = list(config.classes) if config.classes is not None else classes_of(validated.labels, known)
        check_class_names(classes)
        _check_known(classes, known)
        file, size, sha256 = writer.publish(REJECTS, 0)
    extras = _merge_extras(validated.extras)
    if rounded := [name for name, kind in extras.items() if kind.is_rounded]:
        _log.info("kept as double, which rounds some of their values: %s", ", ".join(rounded))
    rows = validated.rows - validated.rejected
    header = Header(
        classes=classes,
        rows=rows,
        shards=config.shards or -(-rows // ROWS_PER_SHARD),
        extras={name: str(kind.stored) for name, kind in extras.items()},
        inputs=validated.inputs,
        rejects={"file": file, "rows": validated.rejected, "bytes": size, "sha256": sha256},
    )
    store = Store(storage, create_header(storage, header))
    write_corpus(store, validated.files, tick=tick)
    return store


def _check_known(classes: list[str], known: Sequence[str] | None) -> None:
    if known is not None and set(classes) != set(known):
        raise InputError(
            f"the gold labels are {', '.join(classes[:20])}, and the model has {', '.join(known)}: choose "
            "another column with --label, or name the classes with --classes"
        )


def _merge_extras(files: list[dict[str, Kind]]) -> dict[str, Kind]:
    """Columns that every file has, under names that do not clash, in SQL, with the store's or with each other.

    The kind of each is that of its values in all files.
    """
    merged: dict[str, Kind] = {}
    taken = set(RESERVED_COLUMNS)
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
    said = store.header.rejects
    inputs = [
        InputFile(path=file.path, columns=ColumnNames(**entry.get("columns", {})), name=entry["path"])
        for file, entry in zip(files, store.header.inputs, strict=True)
    ]
    # Indices are labels too where the user named the classes, and the header does not say whether it was so.
    classes = store.header.classes
    for known in (KnownClasses(given=None, model=classes), KnownClasses(given=classes, model=None)):
        with ShardWriter(store.storage, rejects_schema(), compressed=True) as writer:
            rejects = RejectsWriter(writer, on_bad_row="reject")
            validate_files(inputs, known=known, rejects=rejects, tick=silent)
            if writer.finish() == said["sha256"]:
                writer.publish(REJECTS, 0)
                return True
    return False
