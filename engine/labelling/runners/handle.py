"""A worker, seen from the process that hands it shards: what it has in hand, and the ways to reach and to end it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from engine.labelling.runners.messages import Message

Worker = TypeVar("Worker", bound="WorkerHandle")


class WorkerHandle(ABC):
    """A running worker.

    Attributes:
        begun: whether it runs; a worker of a cluster may have to wait for a node first.
        ready: whether it has opened the job.
        shards: its current shard and the next one, as far as it has them.
        rows: rows of the current shard that it has reported.
        heard: when it last sent a message or got a shard; seconds of the monotonic clock.
        lost: whether it ended because its machine is gone: what it had in hand is not the cause.
        preempted: whether that was announced: it may happen any number of times.
    """

    def __init__(self) -> None:
        self.begun = True
        self.ready = False
        self.shards: list[int] = []
        self.rows = 0
        self.heard = time.monotonic()
        self.lost = False
        self.preempted = False

    @property
    def shard(self) -> int | None:
        """Its current shard; None if it waits."""
        return self.shards[0] if self.shards else None

    def give(self, shard: int) -> None:
        """Let it label ``shard``, after its current one."""
        if not self.shards:
            self.rows, self.heard = 0, time.monotonic()
        self.shards.append(shard)
        self._send(shard)

    def finish(self, shard: int) -> None:
        """Note that it is done with ``shard``."""
        assert self.shards[:1] == [shard], "a worker is done with a shard that is not its current one"
        self.shards, self.rows = self.shards[1:], 0

    @abstractmethod
    def _send(self, shard: int) -> None:
        """Send it the number of a shard; that it has died is no error here, and shows when it is read."""

    @abstractmethod
    def receive(self) -> Message | None:
        """Read its next message; None if it has died."""

    @abstractmethod
    def kill(self) -> None:
        """End it without time to clean up: it may hang, and its current shard is not committed."""

    @abstractmethod
    def died(self) -> str:
        """How it ended, for messages, after `receive` gave None."""


class Crew(Protocol, Generic[Worker]):
    """Starts workers of one kind, waits for them and ends them.

    Attributes:
        retires: whether a worker without work is ended before the run is: what it holds serves others.
    """

    retires: bool

    def start(self, job: bytes, device: str) -> Worker:
        """A new worker on ``device`` for the pickled `engine.labelling.runners.base.Job`."""

    def wait(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """Those that have a message or have died; waits for the first, but not longer than ``seconds``."""

    def end(self, workers: Sequence[Worker], *, finished: bool) -> None:
        """End all of ``workers``; unless ``finished``, they are stopped in the middle of their work."""
