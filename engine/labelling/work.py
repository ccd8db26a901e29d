"""A store, a label set and a job → the label set, finished: the part of a label run that knows no model.

Several runs may do this on the same store at the same time, on one machine or on many: a shard counts once. No torch.
"""

import dataclasses
import random
from dataclasses import dataclass

from engine.errors import EngineError, LabellingError
from engine.labelling.course import Course
from engine.labelling.fleet import STALL_SECONDS, FleetConfig, run_fleet
from engine.labelling.messages import Job, ShardFunction, describe
from engine.labelling.notes import take_notes
from engine.labelling.summary import LabelSummary, summarise
from engine.progress import Tick, silent
from store import Store
from store.errors import StoreError
from store.manifest import Family


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run has to do.

    Attributes:
        made: the store, with its corpus.
        labels: the label set, with its card.
        job: what is done with a shard.
        start: labels in this process; None where workers open the job for themselves.
        keep_tokens: whether the run makes tokens too.
        batch_seconds: longer than any batch takes.
    """

    made: Store
    labels: Family
    job: Job
    start: ShardFunction | None
    keep_tokens: bool
    batch_seconds: float = 0.0


def carry_out(
    work: Work, devices: tuple[str, ...], *, worker: tuple[int, int] | None = None, tick: Tick = silent
) -> LabelSummary:
    """Label the shards that are missing and seal what is finished.

    Args:
        work: what is to be done.
        devices: one for each worker.
        worker: as in `engine.labelling.label_run.LabelConfig`.
        tick: told how far it is.
    """
    made, card = work.made, work.labels.card()
    assert card is not None, "a label set is begun by freezing its card"
    made.storage.sweep()
    about = {"command": "label", "label_set": work.labels.name, "devices": list(devices), "card": card}
    with take_notes(made.storage, about) as notes:
        course = Course(made, work.labels, notes, tick)
        _label(work, course, _shards_to_do(work.labels, worker), devices)
        work.labels.seal()
        if work.keep_tokens:
            made.tokens(card["encoding"]).seal()
        summary = summarise(made, work.labels, course.reports, seconds=course.seconds(), devices=devices)
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


def _label(work: Work, course: Course, shards: list[int], devices: tuple[str, ...]) -> None:
    course.begin(shards)
    if work.start is None:
        config = FleetConfig(devices=devices, stall_seconds=STALL_SECONDS + work.batch_seconds)
        run_fleet(work.job, shards, config, done=course.done, tick=course.tick)
        return
    for shard in shards:
        course.tick("labelling", 0, None)
        try:
            report = work.start(shard, course.tick)
        except (EngineError, StoreError, OSError):
            raise
        except Exception as error:
            raise LabellingError(
                f"shard {shard} on {devices[0]}: {describe(error)}. What was committed stays; run the same command "
                "again to go on, or with --devices twice the same device, which puts such a shard aside"
            ) from error
        course.done(shard, report)
