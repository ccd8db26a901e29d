"""Input files of a store that is not there yet → their mix, and random texts of them, in bounded memory.

The files are read once, as the first pass of ingest reads them; nothing is written but temporary files of ids.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError
from engine.ingest.ingest import ROWS_PER_SHARD, IngestConfig, first_pass
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.formats import expand
from engine.inputs.labels.classes import indexer
from engine.inputs.messages import no_usable_row
from engine.labelling.pilot.mix.mix import LENGTHS, STRATA, Candidates, Mix, Numbers, Reservoir, file_groups, strata_of
from engine.progress import Tick, silent
from store.families.corpus import corpus_batch
from store.format.layout import Layout
from store.format.shard import ShardWriter, rebatch
from store.storage import MemoryStorage

_SEED = 0x9170
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InputsRead:
    """What is known of input files that were read once.

    Attributes:
        mix: of the shards that they will be cut into.
        candidates: random rows; their places are those of ``texts``.
        texts: of the candidates.
        classes: of the store that they would make.
        seconds_left: that the second pass will take, which writes the corpus.
        disk_bytes: of the corpus.
    """

    mix: Mix
    candidates: Candidates
    texts: list[str]
    classes: list[str]
    seconds_left: float
    disk_bytes: int


class _Seen:
    """Counts the rows that pass, and keeps random ones.

    Args:
        rows: of a pilot.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._begin()

    def _begin(self) -> None:
        self._reservoir = Reservoir(4 * self._rows)
        self._held: dict[int, tuple[str, str | None]] = {}
        self._files: list[str] = []
        self._passed = 0
        self.counts: list[Numbers] = []
        self.characters: list[Numbers] = []
        self.gold: list[Numbers] = []

    def read(self, path: str, *arguments: Any, **options: Any) -> Iterator[Block]:
        """The blocks of a file, which are counted; a file that was read before is the first one, again."""
        if path in self._files:
            self._begin()
        self._files.append(path)
        for table in (self.counts, self.characters, self.gold):
            table.append(np.zeros(LENGTHS, np.int64))
        for block in read_blocks(path, *arguments, **options):
            self._add(block)
            yield block

    def _add(self, block: Block) -> None:
        number, before = len(self._files) - 1, self._passed
        self._passed += block.rows
        fit = np.flatnonzero([problem is None for problem in block.problems])
        texts, labels = block.text.take(pa.array(fit)), block.label.take(pa.array(fit))
        letters = pc.utf8_length(texts).to_numpy().astype(np.int64)
        lengths = strata_of(letters, 0)
        has_gold = labels.is_valid().to_numpy(zero_copy_only=False)
        self.counts[number] += np.bincount(lengths, minlength=LENGTHS)
        self.characters[number] += np.bincount(lengths, letters, minlength=LENGTHS).astype(np.int64)
        self.gold[number] += np.bincount(lengths[has_gold], minlength=LENGTHS)
        passing = Candidates(
            places=before + fit,
            strata=lengths + number * LENGTHS,
            keys=np.random.default_rng([_SEED, before]).random(len(fit)),
            gold=np.where(has_gold, 0, -1),
        )
        self._keep(passing, texts, labels)

    def _keep(self, passing: Candidates, texts: pa.Array, labels: pa.Array) -> None:
        if not self._reservoir.add(passing):
            return
        kept = self._reservoir.held.places
        place_of = {int(place): number for number, place in enumerate(passing.places)}
        for place in kept[np.isin(kept, passing.places)].tolist():
            number = place_of[place]
            self._held[place] = texts[number].as_py(), labels[number].as_py()
        if len(self._held) > 2 * len(kept):
            self._held = {place: self._held[place] for place in kept.tolist()}

    def drawn(self, classes: Sequence[str]) -> tuple[Candidates, list[str]]:
        """The rows that are kept, by group of their files, and their texts."""
        held, index_of = self._reservoir.held, indexer(classes)
        groups = np.array(file_groups([int(count.sum()) for count in self.counts]), np.int64)
        rows = [self._held[place] for place in held.places.tolist()]
        found = [None if label is None else index_of(label) for _, label in rows]
        candidates = Candidates(
            places=np.arange(len(rows)),
            strata=groups[held.strata // LENGTHS] * LENGTHS + held.strata % LENGTHS,
            keys=held.keys,
            gold=np.array([-1 if index is None else index for index in found], np.int64),
        )
        return candidates, [text for text, _ in rows]


def read_inputs(config: IngestConfig, *, known: Sequence[str], rows: int, tick: Tick = silent) -> InputsRead:
    """Read the inputs of a store that is not there yet.

    Args:
        config: what to read, and in how many shards.
        known: class names of the model that will label.
        rows: of a pilot.
        tick: told how far it is.

    Raises:
        InputError: as `engine.ingest.ingest.ingest`.
    """
    files, seen, started = expand(config.files), _Seen(rows), time.perf_counter()
    with first_pass(MemoryStorage(), files, config, known=known, tick=tick, read=seen.read) as read:
        if not read.rows:
            raise InputError(no_usable_row(files, read.validated.rejected, read.validated.first_reasons))
        if rejected := read.validated.rejected:
            first = "; ".join(read.validated.first_reasons[:2])
            _log.info("%s of these rows would be rejected, the first: %s", f"{rejected:,}", first)
        classes, total, has_labels = read.classes, read.rows, bool(read.validated.label_columns)
    once = time.perf_counter() - started
    candidates, texts = seen.drawn(classes)
    if not has_labels:
        candidates = Candidates(
            places=candidates.places, strata=candidates.strata, keys=candidates.keys, gold=np.full(len(texts), -1)
        )
    shards = config.shards or -(-total // ROWS_PER_SHARD)
    mix = _mix_of(seen, shards, total, has_gold=has_labels)
    seconds, size = _writing(texts, mix)
    return InputsRead(
        mix=mix,
        candidates=candidates,
        texts=texts,
        classes=classes,
        seconds_left=once + seconds,
        disk_bytes=size,
    )


def _mix_of(seen: _Seen, shards: int, total: int, *, has_gold: bool) -> Mix:
    """The ``total`` rows by shard, as if lengths, and rows whose ids repeat others, were spread evenly over a file."""
    totals = np.array([int(count.sum()) for count in seen.counts])
    groups = np.array(file_groups(totals.tolist()), np.int64)
    ends = np.cumsum(totals)
    rows, characters = np.zeros((2, shards, STRATA), np.int64)
    gold = np.zeros(STRATA, np.int64)
    layout = Layout.of((int(ends[-1]), shards))
    unique = total / max(1, int(ends[-1]))
    done = np.zeros((2, len(totals), LENGTHS), np.int64)  # what the shards before have of each file
    for shard, first, stop in layout:
        begin, end = np.searchsorted(ends, [first, max(first, stop - 1)], side="right")
        for number in range(begin, min(end + 1, len(totals))):
            share = min(1.0, (stop - (ends[number] - totals[number])) / max(1, totals[number]))
            upto = np.round(np.stack([seen.counts[number], seen.characters[number]]) * share * unique).astype(np.int64)
            at = slice(groups[number] * LENGTHS, (groups[number] + 1) * LENGTHS)
            rows[shard, at] += upto[0] - done[0, number]
            characters[shard, at] += upto[1] - done[1, number]
            done[:, number] = upto
    for number, counts in enumerate(seen.gold):
        at = slice(groups[number] * LENGTHS, (groups[number] + 1) * LENGTHS)
        gold[at] += counts if has_gold else 0
    return Mix(shards=np.arange(shards), rows=rows, characters=characters, gold=gold)


def _writing(texts: list[str], mix: Mix) -> tuple[float, int]:
    """Seconds that making the corpus's files takes, and their bytes, by those of some texts."""
    started, some = time.perf_counter(), pa.array(texts, pa.string())
    ids = pa.array(map(str, range(len(texts))), pa.string())
    batch = corpus_batch(first_row=0, ids=ids, texts=some, labels=pa.nulls(len(texts), pa.int16()), extras={})
    with ShardWriter(MemoryStorage(), batch.schema, compressed=True) as writer:
        for piece in rebatch([batch], batch.schema):
            writer.write(piece)
        _, size, _ = writer.publish("corpus", 0)
    times = int(mix.characters.sum()) / max(1, sum(map(len, texts)))
    return (time.perf_counter() - started) * times, round(size * times)
