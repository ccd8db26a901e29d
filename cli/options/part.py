"""Options that say who does which part of the work: one of several runs side by side, or the workers of a cluster."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_AUTO = "auto"
_SCHEDULERS = (
    ("SKYPILOT_JOB_RANK", "SKYPILOT_NUM_JOBS"),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    ("BATCH_TASK_INDEX", "BATCH_TASK_COUNT"),
    ("CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"),
    ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"),
)
"""Number of this task, from 0, and of all: SkyPilot, AWS Batch, Google Batch, Cloud Run, Kubernetes' indexed jobs."""


class Part(click.ParamType[tuple[int, int]]):
    """One of several parts, counted from 0; also as the scheduler that started this process counts."""

    name = "I/N|auto[/N]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``"0/4"`` → ``(0, 4)``."""
        if isinstance(value, tuple):
            return value
        part, slash, parts = str(value).partition("/")
        if part == _AUTO and (parts.isdecimal() or not slash):
            part, parts = self._scheduled(int(parts) if slash else None, param, ctx)
        elif not (slash and part.isdecimal() and parts.isdecimal()):
            self.fail(f"{value!r} is no part; for 4 runs side by side give 0/4, 1/4, 2/4 and 3/4", param, ctx)
        if not int(part) < int(parts):
            self.fail(f"{part}/{parts} is no part: {parts} parts are counted from 0 to {int(parts) - 1}", param, ctx)
        return int(part), int(parts)

    def _scheduled(
        self, parts: int | None, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        found = scheduled_part(os.environ)
        if found is None:
            names = ", ".join(["SLURM_ARRAY_TASK_ID, SLURM_STEP_NUM_TASKS", *(index for index, _ in _SCHEDULERS)])
            self.fail(f"auto finds no scheduler: none of {names} is set. Give the part, as 0/4", param, ctx)
        index, count = found
        if count is None and parts is None:
            self.fail(f"the scheduler says which part this is ({index}), but not of how many: auto/N does", param, ctx)
        if count is not None and parts is not None and count != parts:
            self.fail(f"auto/{parts} says {parts} parts, and the scheduler has {count}; give auto alone", param, ctx)
        return str(index), str(count or parts)


def scheduled_part(environment: Mapping[str, str]) -> tuple[int, int | None] | None:
    """The number of this task among those that a scheduler started, and of all of them.

    In a Slurm array whose jobs have several tasks each, all tasks of all jobs are counted.

    Args:
        environment: of the process.

    Returns:
        None where no scheduler has said a number; None for the second where it does not say how many there are.
    """

    def number(name: str) -> int | None:
        said = environment.get(name, "")
        return int(said) if said.isdecimal() else None

    # Without srun a job is one process, however many tasks it could have; only srun says how many a step has.
    job, tasks = number("SLURM_ARRAY_TASK_ID"), number("SLURM_STEP_NUM_TASKS")
    if job is not None or tasks is not None:
        first, step = number("SLURM_ARRAY_TASK_MIN") or 0, number("SLURM_ARRAY_TASK_STEP") or 1
        jobs = 1 if job is None else number("SLURM_ARRAY_TASK_COUNT")
        index = 0 if job is None else (job - first) // step
        task = 0 if tasks is None else number("SLURM_PROCID") or 0
        return index * (tasks or 1) + task, None if jobs is None else jobs * (tasks or 1)
    for one, all_ in _SCHEDULERS:
        if (index_of := number(one)) is not None:
            return index_of, number(all_)
    return None


def part_options(function: F) -> F:
    """``--worker --on --workers``."""
    for decorate in (
        click.option(
            "--workers",
            metavar="N",
            type=click.IntRange(min=1),
            help="With --on: how many, also more than there are nodes for yet. [default: as many as "
            "the cluster has GPUs or cores]",
        ),
        click.option(
            "--on",
            metavar="ray[://HOST:PORT]",
            help="Label on a Ray cluster: a worker for each GPU, or core if it has none. Every node must see STORE and "
            "MODEL; needs the extra ray. [default: this machine]",
        ),
        click.option(
            "--worker",
            type=Part(),
            help="Label only the shards whose number leaves I when divided by N, beside other runs; auto takes both "
            "from Slurm, Kubernetes and the like. [default: all]",
        ),
    ):
        function = decorate(function)
    return function
