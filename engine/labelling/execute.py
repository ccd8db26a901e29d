"""A store, a label set and a job → the label set, finished: the part of a label run that knows no model.

Several runs may do this on the same store at the same time, on one machine or on many: a shard counts once. No torch.
"""

import dataclasses
import random
from dataclasses import dataclass

from engine.errors import EngineError, LabellingError
from engine.labelling.pipeline import Pipeline, ShardError, ShardSteps
from engine.labelling.progress import Progress, take_notes
from engine.labelling.runners.local_processes import FleetConfig, run_fleet
from engine.labelling.runners.messages import Job, describe
from engine.labelling.summary import LabelSummary, summarise
from engine.progress import Tick, silent
from store import Store
from store.errors import StoreError
from store.families.label_card import label_card
from store.format.family import Family


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run has to do.

    Attributes:
        store: the store, with its corpus.
        labels: the label set, with its card.
        job: what is done with a shard.
        start: labels in this process; None where workers open the job for themselves.
        keep_tokens: whether the run makes tokens too.
    """

    store: Store
    labels: Family
    job: Job
    start: ShardSteps | None
    keep_tokens: bool


def execute(
    work: Work, devices: tuple[str, ...], *, worker: tuple[int, int] | None = None, tick: Tick = silent
) -> LabelSummary:
    """Label the shards that are missing and seal what is finished.

    Args:
        work: what is to be done.
        devices: one for each worker.
        worker: as in `engine.labelling.label.LabelConfig`.
        tick: told how far it is.
    """
    store = work.store.memoised()
    labels = store.label_set(work.labels.name)
    card = label_card(labels)
    assert card is not None, "a label set is begun by freezing its card"
    assert card.encoding is not None, "every version writes the encoding"
    store.storage.sweep()
    about = {"command": "label", "label_set": labels.name, "devices": list(devices), "card": card.to_dict()}
    with take_notes(store.storage, about) as notes:
        progress = Progress(store, labels, notes, tick)
        _label(work, progress, _shards_to_do(labels, worker), devices)
        labels.seal()
        if work.keep_tokens:
            store.tokens(card.encoding).seal()
        summary = summarise(store, labels, progress.reports, seconds=progress.seconds(), devices=devices)
        notes.finish(dataclasses.asdict(summary))
    return summary


def _shards_to_do(labels: Family, worker: tuple[int, int] | None) -> list[int]:
    """Shards that this run is to label.

    They begin at a random place, so that independent runs on one store seldom have the same shard in hand.
    """
    part, parts = worker or (0, 1)
    missing = [shard for shard in labels.missing() if shard % parts == part]
    begin = random.randrange(len(missing)) if missing else 0
    return missing[begin:] + missing[:begin]


def _label(work: Work, progress: Progress, shards: list[int], devices: tuple[str, ...]) -> None:
    progress.begin(shards)
    if work.start is None:
        run_fleet(work.job, shards, FleetConfig(devices=devices), done=progress.done, tick=progress.tick)
        return
    # All threads of this process compute: one that prepares the next shard meanwhile would stand in their way.
    pipeline = Pipeline(work.start, ahead=False, behind=False, tick=progress.tick, done=progress.done)
    progress.tick("labelling", 0, None)
    try:
        pipeline.run(_Listed(shards))
    except ShardError as failure:
        error = failure.__cause__
        if not isinstance(error, Exception) or isinstance(error, EngineError | StoreError | OSError):
            raise error or failure from None
        raise LabellingError(
            f"shard {failure.shard} on {devices[0]}: {describe(error)}. What was committed stays; run the same command "
            "again to go on, or with --devices twice the same device, which puts such a shard aside"
        ) from error


class _Listed:
    """Shards that are all known."""

    def __init__(self, shards: list[int]) -> None:
        self._left = iter(shards)

    def take(self, *, wait: bool) -> int | None:  # noqa: ARG002 - it never has to
        return next(self._left, None)
