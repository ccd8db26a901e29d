"""A damaged store → the same store, whole. Only damaged files are made again, from the files they were made of.

Refused rows and texts come from the input files, token ids from the texts, labels from the teacher that the label set's
card names; those that were made from answers are left to `engine.answers.label_from`, which has them. A shard that
comes out with its old bytes takes its old place; with other bytes (another version of a library, another kernel) it
is committed as a later generation.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from engine.errors import EngineError
from engine.ingest.ingest import rewrite_rejects
from engine.ingest.input_file import FileVersion
from engine.ingest.known_inputs import check_inputs
from engine.ingest.write_corpus import write_corpus
from engine.inputs.formats import expand
from engine.labelling.shard import Labeller, label_shard
from engine.progress import Tick, silent
from engine.tokens.shard_tokens import tokenise_shard
from store import Store
from store.errors import StoreError
from store.families.label_card import label_card
from store.families.registry import kind_of
from store.format.findings import Finding
from store.format.names import CORPUS, LABELS, REJECTS, TOKENS
from store.storage import Storage
from store.verify.process import Verification, verify_store
from store.verify.repair import remove_litter, restore_header, restore_small_files
from store.verify.verify import readable_header

OpenLabeller = Callable[[Store, str], Labeller]
"""Loads the teacher of a label set."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The outcome of a repair.

    Attributes:
        restored: names of small files that came back from others.
        redone: (path of the family, shard) of each data file that was made again.
        removed: names of files that no record or card names.
        obstacles: why a family could not be made again, one message each.
        after: the findings that are left.
    """

    restored: list[str]
    redone: list[tuple[str, int]]
    removed: list[str]
    obstacles: list[str]
    after: Verification


def repair(
    storage: Storage,
    found: Verification,
    *,
    open_labeller: OpenLabeller,
    inputs: Iterable[str] = (),
    tick: Tick = silent,
) -> Repair:
    """Repair the store at ``storage``.

    Args:
        storage: of the store.
        found: the findings of `store.verify.process.verify_store`.
        open_labeller: loads the teacher of a label set.
        inputs: paths of the input files, in the order in which they were first given; their old paths if empty.
        tick: told how far it is.
    """
    restored = restore_header(storage, found.findings)
    store = Store(storage, readable_header(storage))
    restored += restore_small_files(store, found.findings)
    if restored:
        found = verify_store(storage, tick=tick)  # an unreadable header or card hides the damage behind it
    work = _ShardRepair(store, list(inputs), open_labeller, tick)
    work.redo(found.damage)
    after = verify_store(storage, tick=tick)
    if manifests := restore_small_files(store, after.findings):
        restored += manifests
        after = verify_store(storage, tick=tick)
    removed = remove_litter(store, after.findings)
    left = [finding for finding in after.findings if finding.file not in removed]
    return Repair(
        restored=restored,
        redone=work.redone,
        removed=removed,
        obstacles=work.obstacles,
        after=dataclasses.replace(after, findings=left),
    )


class _ShardRepair:
    """Makes damaged data files again, one family after the other: each is made from those before it."""

    def __init__(self, store: Store, inputs: list[str], open_labeller: OpenLabeller, tick: Tick) -> None:
        self.redone: list[tuple[str, int]] = []
        self.obstacles: list[str] = []
        self._store = store
        self._inputs = inputs
        self._open_labeller = open_labeller
        self._tick = tick

    def redo(self, damage: Iterable[Finding]) -> None:
        """Make the damaged shards again, as far as possible."""
        shards: dict[str, set[int]] = {}
        for finding in damage:
            if finding.shard is not None or finding.family == REJECTS:
                shards.setdefault(finding.family, set()).add(finding.shard or 0)
        for segment, own in enumerate(self._store.layout.shard_ranges):  # the ids of one decide what the next refused
            if segment in shards.get(REJECTS, ()):
                self._attempt(REJECTS, partial(self._rejects, segment))
            if damaged := sorted(shards.get(CORPUS, set()) & set(own)):
                self._attempt(CORPUS, partial(self._corpus, segment, damaged))
        for kind, make in {TOKENS: self._tokens, LABELS: self._labels}.items():
            for path in sorted(path for path in shards if kind_of(path).name == kind):
                there = sorted(shards[path] & set(range(self._store.layout.shards)))
                self._attempt(path, partial(make, path, there))

    def _attempt(self, path: str, make: Callable[[], None]) -> None:
        """Make something again; why it cannot be is an obstacle of the family at ``path``."""
        try:
            make()
        except (EngineError, StoreError, OSError, RuntimeError) as error:
            self.obstacles.append(f"{path}: {error}")

    def _input_files(self, segment: int) -> list[FileVersion]:
        """The inputs of a segment, where they are now."""
        entries = [one.inputs for one in self._store.header.segments]
        files = expand(self._inputs) or [entry["path"] for inputs in entries for entry in inputs]
        if len(files) != (count := sum(map(len, entries))):
            raise EngineError(f"{self._store.location} was made from {count} input files, and {len(files)} are given")
        before = sum(map(len, entries[:segment]))
        return check_inputs(self._store, files[before : before + len(entries[segment])], segment=segment)

    def _rejects(self, segment: int) -> None:
        if not rewrite_rejects(self._store, self._input_files(segment), segment=segment):
            raise EngineError("the inputs give other refused rows than before; another version may have read them then")
        self.redone.append((REJECTS, segment))

    def _corpus(self, segment: int, shards: list[int]) -> None:
        write_corpus(self._store, self._input_files(segment), segment=segment, repair=shards, tick=self._tick)
        self.redone += [(CORPUS, shard) for shard in shards]

    def _tokens(self, path: str, shards: list[int]) -> None:
        encoding = path.split("/", 1)[1]
        cards = {name: label_card(self._store.label_set(name)) for name in self._store.label_sets()}
        users = [name for name, card in cards.items() if card is not None and card.encoding == encoding]
        if not users:
            raise EngineError(f"no label set was made with the encoding {encoding}, so that its tokenizer is not known")
        labeller, family = self._open_labeller(self._store, users[0]), self._store.family(path).for_repair()
        for shard in shards:
            tokenise_shard(self._store, labeller.encoding, shard, family, tick=self._tick)
            self.redone.append((path, shard))

    def _labels(self, path: str, shards: list[int]) -> None:
        opened = self._open_labeller(self._store, path.split("/", 1)[1])
        labeller = dataclasses.replace(opened, labels=opened.labels.for_repair())
        for shard in shards:
            label_shard(labeller, shard, tick=self._tick)
            self.redone.append((path, shard))
