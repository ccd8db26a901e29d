"""Files of rows and two models → the paper's experiment: every arm with every seed, its statistics and its table.

An experiment that was interrupted anywhere goes on, with the same figures in the end; with more seeds or sizes it is
added to; several processes share the work. What is measured is kept, so that every statistic can be made again.
"""

import functools
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Sequence

from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.experiment.data.leaks import EQUAL
from engine.comparison.experiment.data.rows import TEST, Rows, prepare_rows, read_gold_rows, read_rows
from engine.comparison.experiment.doing import Doing
from engine.comparison.experiment.folder import ExperimentFolder
from engine.comparison.experiment.kept_runs import seeds_with_runs
from engine.comparison.experiment.plan import SPEED_STEP, Labelling, Sizes, Step, Training, of_arms, plan
from engine.comparison.experiment.schedule import Work, carry_out
from engine.comparison.experiment.settled import settings_of, settle
from engine.comparison.experiment.spans import is_shared
from engine.comparison.page import write_comparison_page
from engine.comparison.plots.files import write_plots
from engine.comparison.results import Results
from engine.comparison.sentences import expected_sentence
from engine.comparison.summary import Comparison, summarise
from engine.compute.cpu.processor import processor_name
from engine.compute.device import best_device, device_kind
from engine.errors import TrainingError
from engine.inputs.messages import counted
from engine.outputs.folder import filled_folder, output_folder
from engine.outputs.remote import Remote
from engine.progress import Tick, silent

_HOUR = 3600.0
_log = logging.getLogger(__name__)


def compare(
    config: CompareConfig,
    *,
    tick: Tick = silent,
    say: Callable[[str], None] = lambda _: None,
    after_seed: Callable[[Comparison], None] = lambda _: None,
) -> Comparison:
    """Train and judge every arm with every seed, as far as that is not done yet, and compare them.

    Args:
        config: what is compared, and how.
        tick: told the progress of each step.
        say: told each step as it begins.
        after_seed: given the comparison of what is there each time that a seed is complete, but for the last one.

    Raises:
        EngineError: a file, a model or a setting cannot be used, the folder has another experiment, a training fails,
            or the time is over before there is anything to compare.
        StoreError: the store of the experiment is damaged.
    """
    started = time.monotonic()
    plots = None if config.plots is None else output_folder(config.plots)
    if isinstance(plots, Remote):
        plots.is_folder()  # what is wrong with it is told at once
    doing = _begin(config, tick)
    steps = _steps(config, doing.rows, seeds=config.seeds)
    every = _steps(config, doing.rows, seeds=max(config.seeds, seeds_with_runs(doing.folder.runs)))
    if config.arms:
        steps = of_arms(steps, config.arms)
    is_done = functools.partial(_is_done, doing, steps)

    if not all(map(is_done, steps)):
        _log.info("%s", expected_sentence(doing.rows.test))

    def do(step: Step) -> None:
        number = 1 + sum(map(is_done, steps))
        say(f"{_in_words(step, doing.rows)} (step {number} of {len(steps)})")
        doing.do(step)

    def after(step: Step) -> None:
        left = {one.seed for one in steps if not is_done(one)}
        if left and step.seed is not None and step.seed not in left:
            after_seed(summarise(results_of(doing, every), config.prices))

    limit = math.inf if config.max_hours is None else config.max_hours * _HOUR
    work = Work(is_done=is_done, claimed=doing.folder.claimed, do=do)
    if not carry_out(steps, work, may_begin=lambda: time.monotonic() - started < limit, after=after):
        left = counted(sum(not is_done(step) for step in steps), "step")
        _log.warning("--max-hours is over with %s to do; run the same command again to go on", left)
    results = results_of(doing, every)
    comparison = summarise(results, config.prices)
    write_comparison_page(results, comparison, doing.folder.page)
    _log.info("%s shows the comparison with its plots", doing.folder.page)
    if plots is not None:
        with filled_folder(plots) as path:
            written = write_plots(results, comparison, path).files
        _log.info("wrote %s into %s", counted(len(written), "plot"), plots)
    return comparison


def _is_done(doing: Doing, steps: Sequence[Step], step: Step) -> bool:
    """Whether there is nothing to do for ``step``.

    What a user removed to free space, a store, labels or a model, is made again only if a step needs it that is not
    done; the results of a training stay in any case.
    """
    needed_by = [other for other in steps if step.name in other.needs]
    is_needed = not needed_by or not all(_is_done(doing, steps, other) for other in needed_by)
    if isinstance(step, Training):
        return doing.is_done(step) and (not needed_by or not is_needed or doing.has_model(step))
    return doing.is_done(step) or not is_needed


def _steps(config: CompareConfig, rows: Rows, *, seeds: int) -> list[Step]:
    sizes = Sizes(
        labels=rows.labels,
        extra=rows.extra,
        pool=rows.pool,
        label_sizes=config.label_sizes,
        pool_sizes=config.pool_sizes,
    )
    return plan(sizes, seeds=seeds, as_teacher=config.begins_as_teacher)


def results_of(doing: Doing, steps: Sequence[Step]) -> Results:
    """What the ``steps`` that are done have measured.

    Raises:
        TrainingError: no model is trained yet.
    """
    test = read_gold_rows(doing.folder.data / TEST, doing.rows.classes)
    runs = [doing.run(step) for step in steps if isinstance(step, Training) and doing.is_done(step)]
    if not runs:
        raise TrainingError("no model is trained yet; run the same command again, with more --max-hours")
    device = best_device()
    return Results(
        classes=tuple(doing.rows.classes),
        gold=test.labels,
        runs=tuple(runs),
        speeds=doing.speeds(),
        labels=doing.rows.labels,
        extra=doing.rows.extra,
        pool=doing.rows.pool,
        seeds=doing.config.seeds,
        redrawn=not doing.config.keep_split,
        begins_as_teacher=doing.config.begins_as_teacher,
        max_length=doing.settled.max_length,
        device=device_kind(device) if device.type == "cuda" else processor_name(),
        shared=is_shared(doing.folder.spans),
        removed=doing.rows.removed_by_set(),
    )


def _begin(config: CompareConfig, tick: Tick) -> Doing:
    """Settle what is open, freeze the settings, and prepare the rows, each as far as that is not done."""
    folder = ExperimentFolder(config.out)
    with folder.alone("begin"):
        settled = settle(config, folder.settings())
        settings = settings_of(config, settled)
        folder.check(settings)
        rows = read_rows(folder.data)
        if rows is None:
            rows = prepare_rows(config, folder.new_data, near=settled.near, tick=tick)
            _say_removed(rows)
            folder.begin(settings)
    identity = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return Doing(config=config, settled=settled, folder=folder, rows=rows, identity=identity, tick=tick)


def _say_removed(rows: Rows) -> None:
    """Say what was taken away because the test has it, and how it was looked for."""
    for name, how in rows.removed.items():
        if how:
            equal, near = how.get(EQUAL, 0), sum(how.values()) - how.get(EQUAL, 0)
            nearly = f", and {near:,} nearly (similarity from {rows.near:g})" if rows.near else ""
            _log.info("%s rows: %s equal to a test row%s; left out", name, f"{equal:,} are", nearly)
    if not rows.removed_by_set():
        _log.info("no row to learn from is also a test row%s", ", or nearly" if rows.near else "")


def _in_words(step: Step, rows: Rows) -> str:
    if isinstance(step, Training):
        texts = f" and {step.pool:,} texts" if step.pool else ""
        return f"seed {step.seed}: {step.arm} on {step.labels:,} labels{texts}"
    if isinstance(step, Labelling):
        return f"seed {step.seed}: labelling {rows.pool:,} texts with {step.teacher.name}"
    return "measuring how fast the models are" if step.name == SPEED_STEP else f"making a store of {rows.pool:,} texts"
