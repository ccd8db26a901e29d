"""New input files + a store that exists → one more segment of it: rows and shards go on counting, nothing else changes.

As a store is made, so is a segment: a first pass over the files, the exclusive creation of its small file, and then its
shards. Of writers who append at once one is first; the others look again at what the store has by then, so that no id
comes twice, and come after. Knows nothing of models.
"""

import dataclasses
import functools
import logging
import time
from collections.abc import Sequence

from engine.errors import InputError
from engine.ingest.columns_before import columns_before
from engine.ingest.ids.repeated_ids import add_taken
from engine.ingest.ingest import ROWS_PER_SHARD, FirstPass, IngestConfig, first_pass
from engine.ingest.kept_columns import kept_columns
from engine.ingest.known_inputs import GivenFiles, inputs_of, recognise, refuse_new, say_nothing_new
from engine.ingest.near_duplicates.marking import marking_of, with_marks
from engine.ingest.write_corpus import write_corpus
from engine.inputs.formats import expand
from engine.inputs.messages import WITHOUT_IDS, counted, listed, no_usable_row
from engine.progress import Tick, silent
from store import Store
from store.errors import StoreError
from store.format.header import read_header
from store.format.names import SEGMENTS
from store.format.run_log import first_start
from store.format.segments import SegmentRecord, append_segment
from store.storage import Storage

_TRIES = 1000
_PATIENCE = 10.0  # seconds: a shard of texts takes less
_log = logging.getLogger(__name__)


def given_files(store: Store, inputs: Sequence[str]) -> GivenFiles:
    """Which files a store has of those that ``inputs`` name, paths, folders and globs.

    Those that the store was made with are hashed if its texts are not finished, or if they were moved or touched after
    the first label run began.

    Raises:
        InputError: there is no such file.
    """
    if not inputs:
        return GivenFiles(rows=store.layout.rows)
    is_made = not store.as_of(store.header.rows).memoised().corpus.missing()
    since = first_start(store.storage) if is_made else None
    return recognise(store, expand(inputs), untouched_since=since)


def finish_corpus(
    storage: Storage, inputs: Sequence[str] = (), *, given: GivenFiles | None = None, tick: Tick = silent
) -> Store:
    """The store at ``storage``; its corpus is finished, if an earlier run did not come so far.

    Args:
        storage: of a store that has a header.
        inputs: files to read, which the store must have; where they were first, if empty.
        given: the same, if they have been recognised already.
        tick: told how far it is.

    Returns:
        The store. Where another run is appending to it, and its files are not here, it ends before what that appends.

    Raises:
        InputError: a file is another one, or gone.
        NewFilesError: the store does not have a file.
    """
    store = Store(storage, read_header(storage))
    given = given_files(store, inputs) if given is None else given
    if given.new:
        refuse_new(store, given.new, is_finished=not store.memoised().corpus.missing())
    finished = _finish(store, given, tick)
    left = next((one for one in store.header.segments if one.segment not in finished), None)
    if left is None:
        return store
    _log.info("rows from %s on are left aside: their texts are not all written yet", f"{left.first_row:,}")
    return store.as_of(left.first_row)


def _finish(store: Store, given: GivenFiles, tick: Tick, *, all_of_them: bool = False) -> set[int]:
    """Write the texts that are missing; numbers of the segments that have all of theirs.

    Raises:
        InputError: files that are needed have changed or are gone: those of the first segment, of one of which some are
            given, or of any if ``all_of_them``.
    """
    corpus = store.memoised().corpus
    missing, finished = set(corpus.missing()), set[int]()
    for segment, shards in zip(store.header.segments, store.layout.shard_ranges, strict=True):
        if not missing.isdisjoint(shards):
            try:
                files = inputs_of(store, segment, given)
            except InputError:
                if all_of_them or segment.segment in (0, *given.segments):
                    raise
                break
            write_corpus(store, files, segment=segment.segment, tick=tick)
        finished.add(segment.segment)
    corpus.seal()  # who wrote the last shard may have been killed before it
    return finished


def append(storage: Storage, config: IngestConfig, *, given: GivenFiles | None = None, tick: Tick = silent) -> Store:
    """Append the rows of those files that the store at ``storage`` does not have, as one segment.

    Rows whose ids it has are refused. What an earlier run was stopped in is finished first.

    Args:
        storage: of a store that has a header.
        config: what to read; the classes are the store's.
        given: the files of ``config``, if they have been recognised already.
        tick: told how far it is.

    Returns:
        The store up to the rows that were appended.

    Raises:
        InputError: a file or column is bad, a column has values of another type than the store keeps, no row is left,
            or a row is bad and ``on_bad_row`` is ``fail``.
    """
    files = expand(config.files)
    for _ in range(_TRIES):
        store = Store(storage, read_header(storage))
        held = given if given is not None and given.rows == store.layout.rows else recognise(store, files)
        try:
            _finish(store, held, tick, all_of_them=True)
        except InputError:
            if not _is_growing(store):
                raise
            continue
        if not held.new:
            say_nothing_new(store, files)
            return store
        if (grown := _append_once(store, held.new, config, tick)) is not None:
            return grown
    raise StoreError(f"{storage.location}: other writers appended {_TRIES:,} segments one after the other; try again")


def _is_growing(store: Store) -> bool:
    """Whether another run, whose files are not here, is writing the texts that ``store`` lacks; waits for a shard."""
    ends, before = time.monotonic() + _PATIENCE, len(store.corpus.records())
    while time.monotonic() < ends:
        if len(store.corpus.records()) > before:
            return True
        time.sleep(_PATIENCE / 100)
    return False


def _append_once(store: Store, files: list[str], config: IngestConfig, tick: Tick) -> Store | None:
    """The store with ``files`` as its next segment; None if another writer was first.

    Raises:
        InputError: as `append`.
    """
    columns = dataclasses.replace(config.columns, before=columns_before(store, teacher=config.columns.before))
    as_stores = dataclasses.replace(config, columns=columns, classes=None)
    taken = functools.partial(add_taken, store)
    with first_pass(store.storage, files, as_stores, known=store.header.classes, tick=tick, taken=taken) as read:
        if not read.rows:
            raise InputError(_no_row(store, files, read))
        segment = _next_segment(store, config, read)
        is_first = append_segment(store.storage, segment)
    if not is_first:
        _remove_in_vain(store.storage, segment)
        return None
    grown = Store(store.storage, dataclasses.replace(store.header, appended=[*store.header.appended, segment]))
    write_corpus(grown, read.validated.files, segment=segment.segment, tick=tick)
    which = f"rows {segment.first_row:,} to {segment.stop[0] - 1:,}"
    _log.info("appended %s: %s, which are segment %d", counted(segment.rows, "row"), which, segment.segment)
    return grown


def _next_segment(store: Store, config: IngestConfig, read: FirstPass) -> SegmentRecord:
    """What is frozen of the rows that were ``read``, behind all others. Their refused rows are published."""
    number, layout = len(store.header.segments), store.layout
    return SegmentRecord(
        segment=number,
        first_row=layout.rows,
        rows=read.rows,
        first_shard=layout.shards,
        shards=config.shards or -(-read.rows // ROWS_PER_SHARD),
        extras=with_marks(kept_columns(store, read), read.validated.inputs, marking_of(store, config.near_duplicates)),
        inputs=read.validated.inputs,
        rejects=read.publish(SEGMENTS, number),
    )


def _remove_in_vain(storage: Storage, segment: SegmentRecord) -> None:
    """Remove the file of refused rows of a segment whose number another writer has, unless that one's are the same."""
    held = read_header(storage).segments[segment.segment]
    if held.rejects_file != segment.rejects_file:
        storage.remove_dead(segment.rejects_file)


def _no_row(store: Store, files: list[str], read: FirstPass) -> str:
    """An error: every row was refused."""
    validated = read.validated
    if not validated.taken:
        return no_usable_row(files, validated.rejected, validated.first_reasons)
    has_ids = all(entry.get("columns", {}).get("id") for entry in validated.inputs)
    rows, way = counted(validated.taken, "row"), "" if has_ids else f". {WITHOUT_IDS}"
    said = f"{listed(files)}: nothing is left to append: the ids of {rows} are in {store.location} already{way}"
    return f"{said}; others cannot be read: {validated.first_reasons[0]}" if validated.first_reasons else said
