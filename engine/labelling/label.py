"""One label run: make the store if it does not exist, load the teacher, label every shard that is missing.

torch is imported when the request has been looked at: a mistake in it is said before.
"""

import dataclasses
import logging
import time

from engine.errors import LabellingError
from engine.ingest.known_inputs import GivenFiles
from engine.inputs.formats import expand
from engine.inputs.remote.mirror import name_of
from engine.labelling.execute import execute
from engine.labelling.pilot.limit import TimeLimit
from engine.labelling.pilot.watch import Tell, unheard
from engine.labelling.planning.command import command_of
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to
from engine.labelling.planning.early_workers import workers_begun
from engine.labelling.planning.first_look import look_at_request
from engine.labelling.planning.nothing_left import TEACHER_FILES, summary_of_nothing, teacher_files
from engine.labelling.runners.base import Runner
from engine.labelling.runners.choose import choose_runner
from engine.labelling.runners.cluster.ray_actors import ray_actors
from engine.labelling.summary import LabelSummary
from engine.progress import Tick, silent
from engine.tokens.cut_texts import cut_note
from store import Store
from store.storage import Storage, open_storage
from store.store import open_store

_LONGEST_NAME = 56  # and a number behind it: a name has up to 64 characters
_log = logging.getLogger(__name__)


def label(
    config: LabelConfig, *, runner: Runner | None = None, tick: Tick = silent, tell: Tell = unheard
) -> LabelSummary:
    """Label a store with a teacher, from input files or from where an earlier run was stopped.

    Several runs may label the same store at the same time, on one machine or on many: a shard counts once.

    Args:
        config: what is labelled with what.
        runner: carries out the work; chosen by the devices if None. Its devices count, not those of ``config``.
        tick: called with rows done.
        tell: called with the forecast, if a pilot makes one.

    Raises:
        NewFilesError: the store does not have some of the inputs, and they are not to be appended.
        EngineError, StoreError: something does not fit; nothing that was committed is changed.
        LabellingError: some shards could not be labelled, or would take too long; the others are.
    """
    started = time.perf_counter()
    limit = None if config.max_hours is None else TimeLimit(config.max_hours)
    storage = open_storage(config.store)
    given = given_to(config, storage)
    folder = look_at_request(config, storage, expand(config.inputs) if given is None else given.new).folder
    if runner is None and given is not None:
        done = summary_of_nothing(config, storage, given, folder)
        if done is not None:
            return _in_all(done, open_store(storage), config, given, started)
    runner = runner or runner_for(config, storage)
    with workers_begun(runner, storage, config, given):
        files = teacher_files(folder)
        from engine.compute.device import restored_threads
        from engine.labelling.pilot.run import begin_watch
        from engine.labelling.planning.plan import plan_run

        with restored_threads():
            store, plan = plan_run(config, storage, runner, given=given, tick=tick)
            watch = None
            if config.pilot is not None or limit is not None:
                watch = begin_watch(store, plan, config, runner, limit=limit, tell=tell, tick=tick)
            job = plan.begin(store, runner)
            noted = {TEACHER_FILES: files if files == teacher_files(folder) else None}  # those that were loaded
            summary = execute(store, job, runner, worker=config.worker, watch=watch, noted=noted, tick=tick)
    if summary.rows_done and plan.job.model is not None:
        _say_cut(store, summary, config, length=job.card.max_length, longest=plan.job.model.longest)
    return _in_all(summary, store, config, given, started)


def _in_all(
    summary: LabelSummary, store: Store, config: LabelConfig, given: GivenFiles | None, started: float
) -> LabelSummary:
    """``summary`` with the refused rows of the inputs, and the seconds since ``started``."""
    return dataclasses.replace(
        summary,
        rejected_given=_rejected_given(store, config, given),
        seconds_in_all=round(time.perf_counter() - started, 3),
    )


def _rejected_given(store: Store, config: LabelConfig, given: GivenFiles | None) -> int:
    """Refused rows of the inputs that ``config`` names; ``given`` says which the store had, None that it was made."""
    if given is None or not config.inputs:
        return store.header.rejected if config.inputs else 0
    entries = [((one.segment, at), entry) for one in store.header.segments for at, entry in enumerate(one.inputs)]
    new = {*map(name_of, given.new)}
    return sum(entry["rejected"] for place, entry in entries if place in given.known or entry["path"] in new)


def _say_cut(store: Store, summary: LabelSummary, config: LabelConfig, *, length: int | None, longest: int) -> None:
    """Say so if the teacher saw only a part of many texts."""
    if length is None:
        return
    rows = sum(record.rows for record in store.label_set(summary.name).records().values())
    way = f"label again under another name: `{_longer(config, store, summary.name, min(2 * length, longest))}`"
    if said := cut_note(summary.truncated, rows, length=length, longest=longest, way=way):
        _log.info("%s", said)


def _longer(config: LabelConfig, store: Store, name: str, length: int) -> str:
    """The command that labels the store again with a larger maximum length, under another name."""
    choices = dataclasses.replace(config.choices, max_length=length)
    other = dataclasses.replace(
        config, inputs=(), append=False, shards=None, name=f"{name[:_LONGEST_NAME]}-{length}", choices=choices
    )
    return command_of(other, store.location)


def runner_for(config: LabelConfig, storage: Storage) -> Runner:
    """The runner that ``config`` asks for: a cluster, or devices of this machine."""
    if config.on is not None:
        if storage.address is None:
            raise LabellingError("a store in memory cannot be labelled on a cluster: other machines cannot open it")
        return ray_actors(config.on, config.devices, config.workers)
    from engine.compute.device import find_devices

    return choose_runner(find_devices(config.devices), shared_store=storage.address is not None)
