"""What goes wrong in a run of `engine.testing.fake_job`: deaths, silence and errors, on demand. No torch."""

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


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        kind: ``kill`` (the process dies by SIGKILL), ``hang`` (it says nothing any more), ``sticky`` (a CUDA error,
            here and in every later call of the process), ``raise`` (a RuntimeError), ``refuse`` (a MismatchError) or
            ``full`` (an OSError: no space left).
        shard: in which one; `LOADING` for while the job is opened, None for any.
        device: on which one; None for any.
        times: how often, over all processes; None for always.
    """

    kind: str
    shard: int | None = None
    device: str | None = None
    times: int | None = None


class Troublemaker:
    """One trouble in one process.

    Args:
        trouble: what goes wrong.
        marks: beginning of the names of files in which processes count its times.
    """

    def __init__(self, trouble: Trouble, marks: str) -> None:
        self._trouble = trouble
        self._marks = marks
        self._sticks = False

    def strike(self, shard: int, device: str) -> None:
        """Go wrong, where it is time to."""
        if self._sticks or (self._suits(shard, device) and self._claim()):
            self._sticks = self._trouble.kind == "sticky"
            _MAKE[self._trouble.kind](shard)

    def _suits(self, shard: int, device: str) -> bool:
        wanted = self._trouble.shard
        anywhere = wanted is None and shard != LOADING
        return (anywhere or wanted == shard) and self._trouble.device in (None, device)

    def _claim(self) -> bool:
        """Take one of the times, where one is left."""
        if self._trouble.times is None:
            return True
        for number in range(self._trouble.times):
            with contextlib.suppress(FileExistsError):
                Path(f"{self._marks}-{number}").touch(exist_ok=False)
                return True
        return False


def strike(makers: list[Troublemaker], shard: int, device: str) -> None:
    """Let go wrong what is to go wrong with ``shard`` on ``device``."""
    for maker in makers:
        maker.strike(shard, device)


def _kill(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(_: int) -> NoReturn:
    while True:
        time.sleep(60)


def _stick(_: int) -> NoReturn:
    raise RuntimeError("CUDA error: device-side assert triggered")


def _raise(shard: int) -> NoReturn:
    raise RuntimeError(f"shard {shard} is poison")


def _refuse(shard: int) -> NoReturn:
    raise MismatchError(f"shard {shard} does not fit")


def _fill(_: int) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


_MAKE: dict[str, Callable[[int], Any]] = {
    "kill": _kill,
    "hang": _hang,
    "sticky": _stick,
    "raise": _raise,
    "refuse": _refuse,
    "full": _fill,
}
