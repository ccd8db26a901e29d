"""A planned run → what its forecast says of the run itself: workers, devices, disk, its part of the whole."""

import dataclasses
import shutil
from pathlib import Path

from engine.labelling.pilot.estimate import Crew
from engine.labelling.pilot.forecast import Run
from engine.labelling.pilot.mix.mix import Mix
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.plan import LabelPlan
from engine.labelling.runners.base import Runner
from engine.labelling.runners.in_process import InProcess
from store import Store
from store.storage import Storage


def crew_of(runner: Runner, *, check_rows: int) -> Crew:
    """The workers of ``runner``. Every one but the one in this process prepares the next shard meanwhile."""
    apart = not isinstance(runner, InProcess)
    behind = apart and runner.devices[0].startswith("cuda")
    return Crew(workers=len(runner.devices), ahead=apart, behind=behind, check_rows=check_rows)


def run_of(store: Store, plan: LabelPlan, config: LabelConfig, runner: Runner, mix: Mix) -> Run:
    """What a forecast says of a run on a store that is there."""
    card, labels = plan.job.card, store.label_set(plan.job.label_set)
    letters = {shard: record.statistics["characters"] for shard, record in store.corpus.records().items()}
    missing = labels.missing()
    ours, whole = sum(letters[int(shard)] for shard in mix.shards), sum(letters[shard] for shard in missing)
    has_tokens = card.encoding is not None and not set(store.tokens(card.encoding).missing()) & set(mix.shards.tolist())
    run = plain_run(store.location, plan, config, runner, free=free_bytes(store.storage))
    return dataclasses.replace(
        run,
        share=ours / whole if config.worker is not None and whole else 1.0,
        whole_rows=None if config.worker is None else sum(map(store.layout.rows_of, missing)),
        keeps_tokens=config.keep_tokens and not has_tokens,
    )


def plain_run(location: str, plan: LabelPlan, config: LabelConfig, runner: Runner, *, free: int | None) -> Run:
    """What a forecast says of a run that labels all there is."""
    card = plan.job.card
    on_cpu = runner.devices[0] == "cpu"
    return Run(
        store=location,
        name=plan.job.label_set,
        device=card.device or "unknown",
        dtype=card.dtype or "unknown",
        max_length=card.max_length or 0,
        devices=1 if on_cpu else len(set(runner.devices)),
        crew=crew_of(runner, check_rows=card.check_rows or 0),
        part=None if config.worker is None else f"{config.worker[0]}/{config.worker[1]}",
        keeps_tokens=config.keep_tokens,
        free=free,
    )


def free_bytes(storage: Storage) -> int | None:
    """Bytes that are free on the disk of a store, whether or not it is there yet; None if it is on no disk."""
    if storage.address is None or "://" in storage.address:
        return None
    place = Path(storage.address).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
