"""A label run whose shards are all committed → its summary, without its teacher in memory. No torch.

It is known by the notes of an earlier run, which loaded the same files of the teacher and found that they fit the label
set. Whatever is not plainly the same is left to a run that loads it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.ingest.known_inputs import GivenFiles, say_nothing_new
from engine.inputs.formats import expand
from engine.labelling.execute import execute
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.first_look import default_name
from engine.labelling.runners.base import Job, OnDone, Result, ShardSteps
from engine.labelling.summary import LabelSummary
from engine.models.files import files_sha256, is_adapter
from engine.models.notes.gold_texts import read_gold_texts
from engine.progress import Tick
from store import Store
from store.families.label_card import LabelCard, label_card
from store.families.learned_texts import freeze_learned_texts
from store.format.run_log import newest_runs
from store.storage import Storage
from store.store import open_store

TEACHER_FILES = "teacher_files"
"""In the notes of a run: the hash of the files that it loaded."""
_RUNS = 50
"""Of many runs the notes of the last ones are read."""
_log = logging.getLogger(__name__)


def summary_of_nothing(config: LabelConfig, storage: Storage, given: GivenFiles, folder: Path) -> LabelSummary | None:
    """The summary of a run that has nothing to do; None if it has, or if that does not show without its teacher.

    Args:
        config: the request, which was looked at.
        storage: of a store.
        given: which of the inputs the store has.
        folder: where the teacher's files are.

    Raises:
        StoreError: as `engine.labelling.execute.execute`.
    """
    store = open_store(storage)
    labels = store.label_set(config.name or default_name(config.teacher))
    card = label_card(labels)
    if given.new or card is None or not _asks_for_the_same(config, card):
        return None
    if labels.missing() or store.corpus.missing():
        return None
    files = teacher_files(folder)
    if files is None or not _was_loaded(store, labels.name, card, files):
        return None
    if (learned := read_gold_texts(folder)) is not None:
        freeze_learned_texts(labels, learned)
    if config.append:
        say_nothing_new(store, expand(config.inputs))
    job = _NoJob(label_set=labels.name, keep_tokens=config.keep_tokens)
    summary = execute(store, job, _NoWorkers(), worker=config.worker, noted={TEACHER_FILES: files})
    _log.info(
        "nothing was labelled: the label set %r of %s has all of its %s rows already",
        labels.name,
        store.location,
        f"{summary.rows:,}",
    )
    return summary


def teacher_files(folder: Path) -> str | None:
    """The hash of the files of a teacher; None of an adapter, whose base lies elsewhere."""
    return None if is_adapter(folder) else files_sha256(folder)


def _asks_for_the_same(config: LabelConfig, card: LabelCard) -> bool:
    """Whether all that the user chose is as ``card`` has it, and nothing but labels is asked for."""
    choices = config.choices
    chosen = {name: getattr(choices, name) for name in ("max_length", "dtype", "tokens_per_batch", "check_rows")} | {
        "revision": config.revision,
        "classes": None if config.classes is None else list(config.classes),
    }
    is_same = all(value is None or value == getattr(card, name) for name, value in chosen.items())
    on_same = config.devices == ("auto",) or (card.device == "cpu" and set(config.devices) == {"cpu"})
    others = (choices.backend, config.on, config.pilot, config.max_hours)
    return is_same and on_same and all(other is None for other in others)


def _was_loaded(store: Store, label_set: str, card: LabelCard, files: str) -> bool:
    """Whether an earlier run loaded these ``files``, and found that they fit ``card``."""
    return any(
        run.get("label_set") == label_set and run.get("teacher_files") == files and run.get("card") == card.to_dict()
        for run in newest_runs(store.storage, _RUNS)
    )


@dataclass(frozen=True, kw_only=True)
class _NoJob:
    """The job of a run without shards; nobody opens it."""

    label_set: str
    keep_tokens: bool

    def of_run(self, run_log: str) -> "_NoJob":  # noqa: ARG002 - no worker looks for the run
        return self

    def open(self, device: str) -> ShardSteps:
        raise AssertionError(device)


class _NoWorkers:
    """The runner of a run without shards."""

    devices: tuple[str, ...] = ()

    def call(self, task: Callable[[str], Result]) -> Result:
        raise AssertionError(task)

    def run(self, job: Job, shards: Sequence[int], *, done: OnDone, tick: Tick) -> None:  # noqa: ARG002
        assert not shards, "a committed shard stays committed"
