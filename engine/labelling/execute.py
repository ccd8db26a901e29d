"""A store, a label job and a runner → a finished label set: the part of a label run that knows no model.

Several runs may do this on the same store at the same time, on one machine or on many: a shard counts once. No torch.
"""

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from engine.labelling.pilot.watch import Watch
from engine.labelling.progress import follow_run
from engine.labelling.runners.base import Runner, StoreJob
from engine.labelling.summary import LabelSummary, summarise_run
from engine.progress import Tick, silent
from store import Store
from store.families.label_card import LabelCard, label_card
from store.format.family import Family


def execute(
    store: Store,
    job: StoreJob,
    runner: Runner,
    *,
    worker: tuple[int, int] | None = None,
    watch: Watch | None = None,
    noted: Mapping[str, Any] | None = None,
    tick: Tick = silent,
) -> LabelSummary:
    """Label the shards that are missing, and seal the families that are finished.

    Args:
        store: the store, with its corpus and the job's label set, whose card is frozen.
        job: how a shard is labelled.
        runner: carries out the job.
        worker: as in `engine.labelling.planning.config.LabelConfig`.
        watch: makes a forecast, or ends the run if it takes too long; None for neither.
        noted: what else the notes of the run say.
        tick: called with rows done.

    Raises:
        LabellingError, EngineError, StoreError, OSError: as `Runner.run`.
    """
    store = store.memoised()
    labels = store.label_set(job.label_set)
    card = label_card(labels)
    assert card is not None, "a label set is begun by freezing its card"
    assert card.encoding is not None, "every version writes the encoding"
    store.storage.sweep()
    about = {**_about(labels, card, runner, worker), **(noted or {})}
    with labels.kept(), follow_run(store, labels, about, tick) as progress:
        progress.watch = watch
        shards = shards_to_label(labels, worker)
        if watch is not None:
            shards = watch.order(shards)
        progress.begin(shards)
        if progress.run_log is not None:
            job = job.of_run(progress.run_log)
        runner.run(job, shards, done=progress.done, tick=progress.tick)
        labels.seal()
        if job.keep_tokens:
            store.tokens(card.encoding).seal()
        summary = summarise_run(store, labels, progress.reports, seconds=progress.seconds(), devices=runner.devices)
        progress.finish(dataclasses.asdict(summary))
    return summary


def _about(labels: Family, card: LabelCard, runner: Runner, worker: tuple[int, int] | None) -> dict[str, Any]:
    """What the notes of a run begin with."""
    part = None if worker is None else list(worker)
    return {
        "command": "label",
        "label_set": labels.name,
        "card": card.to_dict(),
        "devices": list(runner.devices),
        "worker": part,
    }


def shards_to_label(labels: Family, worker: tuple[int, int] | None) -> list[int]:
    """Missing shards of this run's part of the store.

    They begin at a random place, so that independent runs on one store seldom label the same shard at the same time.
    """
    part, parts = worker or (0, 1)
    missing = [shard for shard in labels.missing() if shard % parts == part]
    begin = random.randrange(len(missing)) if missing else 0
    return missing[begin:] + missing[:begin]
