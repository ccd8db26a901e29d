"""The user's unlabelled files → one file of texts for the teacher to label, none of them the same as a test row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.experiment.data.leaks import Leak, TestTexts
from engine.errors import InputError
from engine.inputs.blocks import in_detail
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.formats import expand
from engine.inputs.labels.several_files import read_together
from engine.inputs.messages import REPEATED_ID, SHOWN, no_usable_row
from engine.inputs.texts_alone import reading_of_texts
from engine.progress import Tick, silent
from store.storage.atomic_file import replaced

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])
UNLABELLED = "unlabelled"


@dataclass(kw_only=True)
class PoolCounts:
    """What became of the unlabelled rows.

    Attributes:
        read: how many there are in the files.
        rows: that are left.
        rejected: that were refused.
        reasons: of the first of these.
    """

    read: int = 0
    rows: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)


def write_pool(
    config: CompareConfig,
    out: Path,
    test: TestTexts,
    removed: Callable[[str, str, Leak], None],
    *,
    tick: Tick = silent,
) -> PoolCounts:
    """Write the unlabelled rows that are fit to be learned from into ``out``, in the order of the files.

    Args:
        config: which files, and how they are read.
        out: a Parquet file with id and text.
        test: what must not be among them.
        removed: told the set, the id and the leak of each row that is taken away.
        tick: told how many rows are done.

    Raises:
        InputError: a file cannot be read, no row is left, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    counts, seen = PoolCounts(), set[str]()
    files = expand(config.unlabelled)
    with replaced(out) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer, read_together(files):
        for file in files:
            columns, options = reading_of_texts(file, config.columns, config.options)
            for block in read_blocks(file, columns, options):
                fit = _fit_rows(block, counts, seen, on_bad_row=config.on_bad_row)
                kept = list(_without_leaks(fit, test, removed))
                counts.read += block.rows
                counts.rows += len(kept)
                ids, texts = ([row[column] for row in kept] for column in (0, 1))
                writer.write_batch(pa.record_batch([ids, texts], schema=SCHEMA))
                tick("reading the unlabelled rows", counts.rows, None)
    if not counts.rows:
        if counts.rejected or not counts.read:
            raise InputError(no_usable_row(files, counts.rejected, counts.reasons))
        raise InputError(f"{', '.join(files[:3])}: no row is left that is not also a test row; give other texts")
    return counts


def _fit_rows(block: Block, counts: PoolCounts, seen: set[str], *, on_bad_row: str) -> list[tuple[str, str]]:
    """Ids and texts of the rows that can be learned from; the others are counted."""
    fit = []
    columns = (block.id.to_pylist(), block.text.to_pylist(), block.problems)
    for number, (id_, text, problem) in enumerate(zip(*columns, strict=True), start=block.first_row):
        problem = problem or (REPEATED_ID if id_ in seen else None)
        if problem is None:
            seen.add(id_)
            fit.append((id_, text))
            continue
        reason = f"{block.file} row {number:,}: {in_detail(problem)}"
        if on_bad_row == "fail":
            raise InputError(f"{reason}. Mend the row or pass --on-bad-row=reject")
        counts.rejected += 1
        if len(counts.reasons) < SHOWN:
            counts.reasons.append(reason)
    return fit


def _without_leaks(
    fit: list[tuple[str, str]], test: TestTexts, removed: Callable[[str, str, Leak], None]
) -> Iterator[tuple[str, str]]:
    """The rows of ``fit`` that are not like a test row."""
    leaks = test.leaks([text for _, text in fit])
    for row, leak in zip(fit, leaks, strict=True):
        if leak is None:
            yield row
        else:
            removed(UNLABELLED, row[0], leak)
