"""``engine label --dry-run``: the forecast of a whole run, of which nothing is left behind."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from engine.compute.device import restored_threads
from engine.errors import InputError
from engine.labelling.dtype_choice import LEAST_ROWS, PILOT_ROWS
from engine.labelling.execute import shards_to_label
from engine.labelling.label import runner_for
from engine.labelling.pilot.facts import free_bytes, plain_run, run_of
from engine.labelling.pilot.forecast import Forecast
from engine.labelling.pilot.limit import TimeLimit
from engine.labelling.pilot.mix.choose import choose_rows
from engine.labelling.pilot.mix.mix import Mix
from engine.labelling.pilot.mix.of_inputs import InputsRead, read_inputs
from engine.labelling.pilot.mix.of_store import read_mix, texts_of
from engine.labelling.pilot.run import sample_forecast
from engine.labelling.pilot.sampling import Sample, default_rows
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to, ingest_request
from engine.labelling.planning.early_workers import workers_ended
from engine.labelling.planning.plan import flops_of, load, plan_for, plan_on
from engine.labelling.runners.base import Runner
from engine.labelling.token_budget import CHARACTERS_PER_TOKEN, CorpusSize
from engine.models.classifier import Classifier, respelled
from engine.progress import Tick, silent
from store import Store
from store.errors import MismatchError
from store.storage import Storage, open_storage
from store.store import open_store


def forecast(config: LabelConfig, *, runner: Runner | None = None, tick: Tick = silent) -> Forecast:
    """What ``label`` with the same request will take: a pilot is labelled, and nothing is written.

    Of a store that is there, it forecasts the shards that are missing; else the input files are read once, and the
    forecast includes the reading.

    Args:
        config: of the run.
        runner: that would label; chosen by the devices if None.
        tick: told of progress.

    Raises:
        EngineError, StoreError: as `engine.labelling.label.label`; or all is labelled already.
        LabellingError: it would take longer than ``max_hours``.
    """
    limit = None if config.max_hours is None else TimeLimit(config.max_hours)
    storage = open_storage(config.store)
    runner = runner or runner_for(config, storage)
    with restored_threads(), workers_ended(runner):
        store = _finished_store(config, storage)
        made, begun = (
            _of_inputs(config, storage, runner, tick)
            if store is None
            else _of_store(config, storage, store, runner, tick)
        )
    if limit is not None:
        limit.check(made, begun=begun)
    return made


def _finished_store(config: LabelConfig, storage: Storage) -> Store | None:
    """The store, if its texts are all there; None if it is forecast from its inputs.

    Raises:
        InputError: they are not all there, and no inputs are given; or inputs are to be appended.
    """
    given = given_to(config, storage)
    if given is None:
        return None
    if config.append and given.new:
        raise InputError(
            f"--dry-run forecasts what {storage.location} has, or files that make a new store, and not what is to be "
            "appended: to forecast the files alone, name a --store that does not exist"
        )
    store = open_store(storage)
    if not store.memoised().corpus.missing():
        return store
    if not config.inputs:
        raise InputError(
            f"the texts of {storage.location} are not all written yet; name the files that it is made from"
        )
    return None


def _of_store(config: LabelConfig, storage: Storage, store: Store, runner: Runner, tick: Tick) -> tuple[Forecast, bool]:
    started = time.perf_counter()
    plan = plan_on(store, config, load(config, storage), runner, tick=tick)
    preparing = time.perf_counter() - started, 0
    store = store.memoised()
    shards = sorted(shards_to_label(store.label_set(plan.job.label_set), config.worker))
    if not shards:
        raise InputError(f"nothing is left to forecast: {store.location} has all labels of {plan.job.label_set!r}")
    rows = config.pilot or default_rows(runner, plan.cost)
    mix, candidates, _ = read_mix(store, shards, rows=rows, tick=tick)
    drawn = choose_rows(candidates, mix, rows=rows)
    sample = Sample(texts=texts_of(store, drawn.places), strata=drawn.strata, gold=drawn.gold)
    run = dataclasses.replace(run_of(store, plan, config, runner, mix), preparing=preparing)
    classes = store.header.classes
    made, _ = sample_forecast(plan, run, mix, sample, runner, classes=classes, tick=tick)
    return made, plan.is_begun


def _of_inputs(config: LabelConfig, storage: Storage, runner: Runner, tick: Tick) -> tuple[Forecast, bool]:
    started = time.perf_counter()
    teacher = load(config, storage)
    rows = config.pilot or default_rows(runner, flops_of(teacher.model, first_only=False))
    read = read_inputs(ingest_request(config), known=teacher.model.classes, rows=max(rows, PILOT_ROWS), tick=tick)
    teacher = dataclasses.replace(teacher, model=respelled(teacher.model, read.classes))
    _check_same_classes(teacher.model, read.classes)
    plan = plan_for(config, teacher, _size_of(read, config), runner, store=storage.address or storage, tick=tick)
    preparing = time.perf_counter() - started + read.seconds_left, read.disk_bytes
    mix = _part_of(read.mix, config)
    if not len(mix.shards):
        raise InputError(f"nothing is left to forecast: part {config.worker} of {len(read.mix.shards)} shards is empty")
    drawn = choose_rows(read.candidates, mix, rows=rows)
    sample = Sample(texts=[read.texts[place] for place in drawn.places], strata=drawn.strata, gold=drawn.gold)
    whole, ours = int(read.mix.characters.sum()), int(mix.characters.sum())
    run = dataclasses.replace(
        plain_run(storage.location, plan, config, runner, free=free_bytes(storage)),
        share=ours / whole if whole else 1.0,
        whole_rows=None if config.worker is None else read.mix.total,
        preparing=preparing,
    )
    made, _ = sample_forecast(plan, run, mix, sample, runner, classes=read.classes, tick=tick)
    return made, False


def _check_same_classes(model: Classifier, classes: Sequence[str]) -> None:
    """As `store.snapshot.check_classes`, where there is no store."""
    if sorted(model.classes) != sorted(classes):
        raise MismatchError(
            f"{model.source} has the classes {', '.join(model.classes)}, and the files, or --classes, have "
            f"{', '.join(classes)}; rename them in the model's id2label, or give other --classes"
        )


def _size_of(read: InputsRead, config: LabelConfig) -> CorpusSize:
    """As of the store that the files would make, with texts to try dtypes on where a run would try them."""
    characters, rows = int(read.mix.characters.sum()), read.mix.total
    texts: tuple[str, ...] = ()
    if config.choices.dtype is None and rows >= LEAST_ROWS:
        texts = tuple(read.texts[place] for place in np.argsort(read.candidates.keys)[:PILOT_ROWS])
    return CorpusSize(tokens=characters / CHARACTERS_PER_TOKEN, pilot=texts)


def _part_of(mix: Mix, config: LabelConfig) -> Mix:
    part, parts = config.worker or (0, 1)
    return mix.without([int(shard) for shard in mix.shards if shard % parts != part])
