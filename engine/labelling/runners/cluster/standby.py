"""Actors that are there before their job is known: one looks at the model, and the others import what they will need.

A process of Ray that labels begins with seconds of imports, and another one with the same for the look at the model.
No torch.
"""

import contextlib
from collections import deque
from types import ModuleType
from typing import Any

from engine.labelling.runners.cluster.actor import THREADS, Home, Mailbox


class Standby:
    """Actors without a job.

    Args:
        ray: connected.
        needs: of each actor, as Ray's options.

    Attributes:
        needs: the same.
    """

    def __init__(self, ray: ModuleType, needs: dict[str, int]) -> None:
        self.needs = needs
        self._ray = ray
        self._home = Home.here()
        self._idle = deque[tuple[Any, Any]]()  # actors, and the calls that warm them

    def begin(self, count: int) -> None:
        """Have ``count`` actors at least."""
        while len(self._idle) < count:
            self._idle.append(self._new())

    def take(self) -> Any:
        """An actor: one of those that are there, or else a new one."""
        return (self._idle.popleft() if self._idle else self._new())[0]

    def first(self, seconds: float) -> Any | None:
        """The first of those that are there to run on a node, still one of them; None if none does in ``seconds``."""
        warm = self._ray.wait([warmed for _, warmed in self._idle], num_returns=1, timeout=seconds)[0]
        return next((actor for actor, warmed in self._idle if warmed in warm), None)

    def drop(self, actor: Any) -> None:
        """End ``actor``, one of those that are there."""
        self._idle = deque(one for one in self._idle if one[0] is not actor)
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(actor, no_restart=True)

    def end(self) -> None:
        """End all that nobody took."""
        for actor, _ in [*self._idle]:
            self.drop(actor)

    def _new(self) -> tuple[Any, Any]:
        """Ask for an actor, which Ray, or its autoscaler, finds a node for; and the call that warms it."""
        actor = self._ray.remote(
            **self.needs, max_restarts=0, max_task_retries=0, max_concurrency=THREADS, scheduling_strategy="SPREAD"
        )(Mailbox).remote(self._home)
        return actor, actor.warm.remote()
