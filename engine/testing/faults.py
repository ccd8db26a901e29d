"""Faults of workers, on demand: a `engine.testing.fake_job` dies, hangs or raises when a test says so. No torch."""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from store.errors import MismatchError

LOADING = -1
"""Instead of a shard's number: while the job is opened."""


@dataclass(frozen=True, kw_only=True)
class WorkerFault:
    """A fault to inject.

    Attributes:
        kind: ``kill`` (the process dies by SIGKILL), ``hang`` (it falls silent), ``sticky`` (a CUDA error, here and in
            every later call of the process), ``raise`` (a RuntimeError), ``refuse`` (a MismatchError) or ``full`` (an
            OSError: no space left).
        shard: in which shard; `LOADING` for while the job is opened, None for any shard.
        device: on which device; None for any.
        times: how often, over all processes; None for always.
    """

    kind: str
    shard: int | None = None
    device: str | None = None
    times: int | None = None


class FaultInjector:
    """Injects one fault into one process.

    Args:
        fault: the fault.
        marks: beginning of the names of the files in which all processes count how often it happened.
    """

    def __init__(self, fault: WorkerFault, marks: str) -> None:
        self._fault = fault
        self._marks = marks
        self._sticks = False

    def inject(self, shard: int, device: str) -> None:
        """Fail if the fault is due in ``shard`` on ``device``."""
        if self._sticks or (self._matches(shard, device) and self._claim()):
            self._sticks = self._fault.kind == "sticky"
            _FAIL[self._fault.kind](shard)

    def _matches(self, shard: int, device: str) -> bool:
        any_shard = self._fault.shard is None and shard != LOADING
        return (any_shard or self._fault.shard == shard) and self._fault.device in (None, device)

    def _claim(self) -> bool:
        """Claim one of the times; False if none is left."""
        if self._fault.times is None:
            return True
        for number in range(self._fault.times):
            with contextlib.suppress(FileExistsError):
                Path(f"{self._marks}-{number}").touch(exist_ok=False)
                return True
        return False


def inject(injectors: list[FaultInjector], shard: int, device: str) -> None:
    """Inject each fault that is due in ``shard`` on ``device``."""
    for injector in injectors:
        injector.inject(shard, device)


def _kill(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(_: int) -> NoReturn:
    while True:
        time.sleep(60)


def _raise_cuda_error(_: int) -> NoReturn:
    raise RuntimeError("CUDA error: device-side assert triggered")


def _raise(shard: int) -> NoReturn:
    raise RuntimeError(f"shard {shard} fails every time")


def _refuse(shard: int) -> NoReturn:
    raise MismatchError(f"shard {shard} does not fit")


def _raise_no_space(_: int) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


_FAIL: dict[str, Callable[[int], Any]] = {
    "kill": _kill,
    "hang": _hang,
    "sticky": _raise_cuda_error,
    "raise": _raise,
    "refuse": _refuse,
    "full": _raise_no_space,
}
