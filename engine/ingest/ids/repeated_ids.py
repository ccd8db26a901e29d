"""Ids that were there before, in the same inputs or in the store → refused rows, and what is said of them."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.ingest.ids.duplicates import DuplicateFinder
from engine.ingest.rejects_writer import RejectsWriter
from engine.inputs.messages import REPEATED_ID, TAKEN_ID, WITHOUT_IDS, counted
from store.errors import StoreMissingError
from store.format.names import CORPUS
from store.format.shard import DamageNamed, open_shard
from store.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.ingest.validate import ValidatedInputs


def add_taken(store: Snapshot, finder: DuplicateFinder) -> None:
    """Add the ids of all rows of ``store``, at positions below 0. Reads one batch of ids at a time.

    Every file is hashed first: with a wrong id, wrong rows would be frozen.

    Raises:
        StoreMissingError: the corpus is not finished.
        DamageError: a file of the corpus is damaged.
    """
    corpus, position = store.corpus, -store.layout.rows
    records = corpus.records()
    if missing := [shard for shard in range(corpus.shards) if shard not in records]:
        raise StoreMissingError(corpus.lacking(missing))
    place = store.schema(CORPUS).get_field_index("id")
    for record in records.values():
        reader = open_shard(corpus, record, check_hash=True, columns=[place])
        with DamageNamed(corpus, record):
            for number in range(reader.num_record_batches):
                ids = reader.get_batch(number).column("id")
                finder.add(ids, np.arange(position, position + len(ids)))
                position += len(ids)


def refuse_repeats(validated: "ValidatedInputs", finder: DuplicateFinder, rejects: RejectsWriter) -> None:
    """Refuse the rows of ``validated`` whose ids were there before, by the ids that ``finder`` has collected."""
    positions, ids, firsts = finder.repeats_of_firsts()
    files, rows = validated.places(positions)
    for file, times in zip(*np.unique(files, return_counts=True), strict=True):
        validated.inputs[file]["rejected"] += int(times)
    is_taken = firsts < 0
    validated.notes += _notes_of_repeats(validated, files, is_taken)
    validated.taken = int(is_taken.sum())
    rejects.add(
        files=[validated.inputs[file]["path"] for file in files],
        rows=rows.tolist(),
        ids=ids,
        reasons=[TAKEN_ID if taken else REPEATED_ID for taken in is_taken],
    )


def _notes_of_repeats(
    validated: "ValidatedInputs", files: npt.NDArray[np.int64], is_taken: npt.NDArray[np.bool_]
) -> list[str]:
    """How many rows were refused for their ids.

    Args:
        validated: the inputs.
        files: (n,) numbers of the files of these rows.
        is_taken: (n,) whether a row of the store has the id, and not an earlier one of these inputs.
    """
    notes = []
    if repeated := int((~is_taken).sum()):
        notes.append(f"refused {counted(repeated, 'row')}: {REPEATED_ID}")
    if is_taken.any():
        note = f"refused {counted(int(is_taken.sum()), 'row')}: {TAKEN_ID}"
        columns = [validated.inputs[file].get("columns", {}).get("id") for file in np.unique(files[is_taken])]
        notes.append(note if all(columns) else f"{note}. {WITHOUT_IDS}")
    return notes
