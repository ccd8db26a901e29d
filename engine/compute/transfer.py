"""Logits of one batch after another, from a device to numpy, without waiting for the device after each."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.device import free_memory

_IN_FLIGHT = 3


class Transfers:
    """Copies computed batches to main memory, and returns them as arrays at the end.

    Args:
        device: that computes the batches.

    Attributes:
        busy_seconds: for how long the device computed the batches that are done.
    """

    def __init__(self, device: torch.device) -> None:
        self.busy_seconds = 0.0
        self._device = device
        self._done: list[npt.NDArray[np.float32]] = []
        self._in_flight: deque[tuple[Tensor, Any, Any]] = deque()

    def add(self, compute: Callable[[], Tensor]) -> None:
        """Compute a batch, (rows, classes), or start it on a GPU, which has a few in flight."""
        if self._device.type != "cuda":
            started = time.perf_counter()
            self._done.append(compute().float().numpy())
            self.busy_seconds += time.perf_counter() - started
            return
        with torch.cuda.device(self._device):  # events belong to the device that is current
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            begun.record()
            result = compute().float()
            held = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            held.copy_(result, non_blocking=True)
            ended.record()
        self._in_flight.append((held, begun, ended))
        if len(self._in_flight) > _IN_FLIGHT:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        """Wait for the batch that was begun first."""
        held, begun, ended = self._in_flight.popleft()
        ended.synchronize()
        self.busy_seconds += begun.elapsed_time(ended) / 1000
        self._done.append(held.numpy())

    def free(self) -> None:
        """Free memory of the device: wait for all pending transfers and empty the cache."""
        while self._in_flight:
            self._wait_for_first()
        free_memory(self._device)

    def arrays(self) -> list[npt.NDArray[np.float32]]:
        """The batches, in the order in which they were added."""
        while self._in_flight:
            self._wait_for_first()
        return self._done
