"""Steps, some of them done → all done, each once, also where several processes share the work. Knows no models.

A process claims a step by its lock, and passes over those that others hold. Where nothing is left that it could begin,
it waits for them, and takes over the steps of one that dies.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from engine.comparison.experiment.plan import Step

_WAIT_SECONDS = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Work:
    """How steps are done.

    Attributes:
        is_done: whether a step is, by whoever.
        claimed: holds the lock of a step, by its name; gives False if another holds it.
        do: does a step, or goes on with what was begun of it.
    """

    is_done: Callable[[Step], bool]
    claimed: Callable[[str], AbstractContextManager[bool]]
    do: Callable[[Step], None]


def carry_out(
    steps: Sequence[Step],
    work: Work,
    *,
    may_begin: Callable[[], bool] = lambda: True,
    after: Callable[[Step], None] = lambda _: None,
) -> bool:
    """Do all ``steps`` that are not done; whether they are in the end.

    Args:
        steps: in the order in which they should be done.
        work: how.
        may_begin: asked before each step; where it says no, the others are left.
        after: told of each step that this process has done.
    """
    pending, is_waiting = list(steps), False
    while pending := [step for step in pending if not work.is_done(step)]:
        if not may_begin():
            return False
        waited_for = {step.name for step in pending}
        ready = [step for step in pending if not waited_for & {*step.needs}]
        if _do_first(ready, work, after):
            is_waiting = False
            continue
        if not is_waiting:
            _log.info("other processes do all that could be begun (%s); waiting for them", ready[0].name)
        is_waiting = True
        time.sleep(_WAIT_SECONDS)
    return True


def _do_first(ready: Sequence[Step], work: Work, after: Callable[[Step], None]) -> bool:
    """Do the first of ``ready`` that no other process holds; False if there is none."""
    for step in ready:
        with work.claimed(step.name) as is_mine:
            if not is_mine:
                continue
            if not work.is_done(step):
                work.do(step)
                after(step)
            return True
    return False
