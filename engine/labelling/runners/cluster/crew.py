"""Ray actors as the workers of a pool: starting them, their messages, ending them. No torch.

Actors have no names and are never restarted by Ray: they die with their driver, and what is tried again is decided by
`engine.labelling.runners.pool`.
"""

import contextlib
import logging
import pickle
import time
from collections import deque
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from engine.errors import LabellingError
from engine.labelling.runners.cluster.connection import in_words, resources
from engine.labelling.runners.cluster.standby import Standby
from engine.labelling.runners.handle import WorkerHandle
from engine.labelling.runners.messages import Begun, Failed, Message

_log = logging.getLogger("engine.labelling")
_POLL_SECONDS = 1.0
_NOTICE_SECONDS = 20.0
_UNREACHED_SECONDS = 40.0
_PAUSE_SECONDS = 0.2
_LONGEST_REASON = 400


class RayWorker(WorkerHandle):
    """An actor, seen from its driver.

    Args:
        ray: connected.
        actor: of `Mailbox`.
        job: pickled.
        device: ``cpu`` or ``cuda``.

    Attributes:
        news: the call that brings its next messages.
    """

    def __init__(self, ray: ModuleType, actor: Any, job: bytes, device: str) -> None:
        super().__init__()
        self.begun = False
        self._ray = ray
        self._actor = actor
        self._inbox = deque[Message]()
        self._seen = self._told = 0
        self._error: Exception | None = None
        self._unreached: float | None = None
        self._node = ""
        self._work = actor.work.remote(job, device)
        self.news = self._ask()

    def _ask(self) -> Any:
        return self._actor.news.remote(self._seen, _POLL_SECONDS)

    def fetch(self) -> None:
        """Take what `news` has brought, and ask again."""
        try:
            messages = self._ray.get(self.news)
        except self._ray.exceptions.ActorUnavailableError as error:
            # Ray does not know yet whether it has died; the next call may reach it.
            self._unreached = self._unreached or time.monotonic()
            if time.monotonic() - self._unreached > _UNREACHED_SECONDS:
                self._error, self.lost = error, True
                return
            time.sleep(_PAUSE_SECONDS)
        except self._ray.exceptions.RayError as error:
            self._error = error
            return
        else:
            self._unreached = None
            self._seen += len(messages)
            self._inbox.extend(messages)
        self.news = self._ask()

    @property
    def has_news(self) -> bool:
        """Whether `receive` has something to give: a message, or that the worker has died."""
        return bool(self._inbox) or self._error is not None

    def receive(self) -> Message | None:
        """What was fetched."""
        self.heard = time.monotonic()
        if not self._inbox:
            return self._cannot_run() if self._error is not None else None
        message = self._inbox.popleft()
        if isinstance(message, Begun):
            self._node = message.node
        return message

    def _cannot_run(self) -> Failed | None:
        """The end of the run if no node can run the actor as it is installed there; None if it has died."""
        text = str(self._error)
        if self.begun or "ModuleNotFoundError" not in text:
            return None
        missing = next(line for line in text.splitlines() if "ModuleNotFoundError" in line).strip()
        reason = f"a node cannot run the worker: {missing}. Install the same packages on every node"
        return Failed(shard=None, text=reason, trace=text, final=LabellingError)

    def _send(self, shard: int) -> None:
        self._actor.put.remote(self._told, pickle.dumps(shard))
        self._told += 1

    def kill(self) -> None:
        """End its process, and see whether its node is there."""
        self.preempted = bool(getattr(self._error, "preempted", False))
        nodes = {node["NodeID"]: node["Alive"] for node in self._ray.nodes()}
        self.lost = self.lost or self.preempted or (self.begun and not nodes.get(self._node, False))
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(self._actor, no_restart=True)

    def died(self) -> str:
        """Ray's reason."""
        self.kill()
        if self.preempted:
            return "its node was taken away"
        if self.lost:
            return "its node is gone, or cannot be reached"
        text = [line.strip() for line in str(self._error).splitlines() if line.strip()]
        reason = next((line for line in text if line.startswith("The actor is dead")), text[0] if text else "")
        return f"its actor died: {reason.partition('. Some common')[0][:_LONGEST_REASON]}"


class RayCrew:
    """A `engine.labelling.runners.handle.Crew` of actors.

    Args:
        ray: connected.
        standby: gives the actors.
        pending_seconds: the run ends if no actor has found a node after so long.
    """

    retires = True

    def __init__(self, ray: ModuleType, standby: Standby, *, pending_seconds: float) -> None:
        self._ray = ray
        self._standby = standby
        self._pending_seconds = pending_seconds
        self._started = time.monotonic()
        self._has_begun = self._has_told = False

    def start(self, job: bytes, device: str) -> RayWorker:
        """Ask for an actor; Ray, or its autoscaler, finds a node."""
        return RayWorker(self._ray, self._standby.take(), job, device)

    def wait(self, workers: Sequence[RayWorker], seconds: float) -> Sequence[RayWorker]:
        """Wait for what they send.

        Raises:
            LabellingError: no node takes an actor.
        """
        if not any(worker.has_news for worker in workers):
            asked = {worker.news: worker for worker in workers}
            if self._ray.wait(list(asked), num_returns=1, timeout=seconds)[0]:
                for news in self._ray.wait(list(asked), num_returns=len(asked), timeout=0)[0]:
                    asked[news].fetch()
        heard = [worker for worker in workers if worker.has_news]
        self._has_begun = self._has_begun or bool(heard)
        if not self._has_begun:
            self._tell_pending(time.monotonic() - self._started)
        return heard

    def _tell_pending(self, seconds: float) -> None:
        need = "a free GPU" if self._standby.needs["num_gpus"] else "a free CPU"
        found = in_words(resources(self._ray)) if seconds > _NOTICE_SECONDS else ""
        if seconds > self._pending_seconds:
            raise LabellingError(
                f"no node has taken a worker for {seconds:.0f} s: each needs {need}, and the cluster has {found} in "
                "all. Add nodes, or end what uses them, and run the same command again"
            )
        if found and not self._has_told:
            self._has_told = True
            _log.warning("waiting for %s; the cluster has %s in all, in use or not", need, found)

    def end(self, workers: Sequence[RayWorker], *, finished: bool) -> None:  # noqa: ARG002 - nothing is in their hands
        """Kill all: an idle one has nothing to write, and another one was stopped."""
        for worker in workers:
            worker.kill()
        self._standby.end()
