"""A whole run through the real code, but for the teacher, which is fake."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.ingest.append import append, finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.labelling.execute import execute
from engine.labelling.runners.in_process import InProcess
from engine.labelling.shard import Labeller
from engine.testing.fake_job import FakeJob, fake_encoding, fake_labeller
from store import Store
from store.format.header import is_store
from store.storage import Storage

CLASSES = ("bad", "good")
MAX_LENGTH = 16
ENCODING = fake_encoding(MAX_LENGTH).name
_ROWS: list[dict[str, object]] = [
    {"id": "a", "text": "plain", "label": "good", "stars": 5},
    {"id": "b", "text": "", "label": "bad"},
    {"id": "c", "text": "naïve 👍 e\u0301 \u202e", "label": "bad", "stars": 1},
    {"id": "a", "text": "an id that was there before", "label": "good"},
    {"id": "d", "text": "  white\nspace\t", "stars": None},
    {"id": "e", "text": " \n\t", "label": "good"},
    {"id": "f", "text": "longer than the teacher reads " * 3, "label": "good"},
    {"id": "g", "text": "NUL \x00 in it"},
    {"id": "h", "text": '"quoted", {"json": 1}\\', "label": "bad", "stars": 3},
    {"id": "i", "text": None},
]
REJECTED = 5


def write_input(folder: Path, *, rows: int = 9) -> tuple[str, ...]:
    """A hostile little input: `REJECTED` rows that are refused among ``rows`` good ones, of which some have gold."""
    good = len(_ROWS) - REJECTED
    more = [{"id": f"more-{row}", "text": f"text {row} " + "x " * (row % 7)} for row in range(rows - good)]
    file = folder / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*_ROWS, *more]))
    return (str(file),)


def write_more(folder: Path, name: str = "more.jsonl", *, rows: int = 6, **extras: object) -> tuple[str, ...]:
    """A file to append: ``rows`` new rows, one whose id `write_input` has and one that is bad."""
    good = [{"id": f"{name}-{row}", "text": f"more {row} " + "y " * (row % 5), **extras} for row in range(rows)]
    bad = [{"id": "d", "text": "an id that the store has"}, {"id": f"{name}-bad", "text": " "}]
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in [*good[:2], *bad, *good[2:]]))
    return (str(file),)


APPENDED_REJECTED = 2
"""Rows of `write_more` that are refused."""


def append_more(storage: Storage, files: tuple[str, ...], *, shards: int = 2) -> Store:
    """The store with the rows of ``files`` appended, as ``engine label --append`` goes about it."""
    return append(storage, IngestConfig(files=files, shards=shards))


def begin(storage: Storage, files: tuple[str, ...], *, shards: int = 3) -> Store:
    """A store with its corpus: made from ``files``, or gone on with where an earlier run was stopped."""
    if is_store(storage):
        return finish_corpus(storage, files)
    return ingest(storage, IngestConfig(files=files, classes=CLASSES, shards=shards))


def freeze_card(made: Store, label_set: str) -> None:
    """Read the card, as a run does that takes its choices from it, and write it where there is none."""
    made.label_set(label_set).card()
    FakeJob(store=made.storage, label_set=label_set, max_length=MAX_LENGTH).freeze_card()


def labeller_for(made: Store, label_set: str, *, weight: float | None = None) -> Labeller:
    """The fake teacher of a label set; each has weights of its own, which its name decides unless they are given."""
    labeller = fake_labeller(made, label_set, max_length=MAX_LENGTH)
    return dataclasses.replace(labeller, encoder=Weighted(labeller.encoder, weight or len(label_set)))


class Weighted:
    """Another teacher than the one given: its logits times ``weight``."""

    def __init__(self, teacher, weight: float) -> None:
        self._teacher = teacher
        self._weight = np.float32(weight)

    def __getattr__(self, name):
        return getattr(self._teacher, name)

    def logits(self, tokens, batches, **options):
        return self._teacher.logits(tokens, batches, **options) * self._weight

    def exact_logits(self, tokens, row):
        return self._teacher.exact_logits(tokens, row) * self._weight


@dataclass(frozen=True)
class OpenedJob:
    """A job whose labeller is there already."""

    label_set: str
    labeller: Labeller
    keep_tokens: bool = True

    def of_run(self, run_log: str) -> "OpenedJob":
        return self

    def open(self, device: str) -> Labeller:
        return self.labeller


def label(made: Store, label_set: str) -> None:
    """Label what is missing and seal what is finished, as ``engine label`` goes about it."""
    freeze_card(made, label_set)
    execute(made, OpenedJob(label_set, labeller_for(made, label_set)), InProcess("cpu"))


def whole_run(
    storage: Storage,
    files: tuple[str, ...],
    *,
    label_sets: Iterable[str] = ("one",),
    shards: int = 3,
    more: tuple[str, ...] = (),
) -> Store:
    """All of it: texts, refused rows, rows that are appended, tokens and labels."""
    made = begin(storage, files, shards=shards)
    if more:
        made = append_more(storage, more)
    for label_set in label_sets:
        label(made, label_set)
    return made
