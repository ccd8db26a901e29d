"""The processes that train one model together: the rank of this one, and sums over all of them.

``torchrun`` sets the environment variables that are read here; without them a process is alone. Where the caller has
torch's process group already, as in a worker of Ray Train, the ranks are those of that group. Every wait for another
rank has a limit, so that a lost rank becomes an error of the others.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.training.tasks.config import LOST_SECONDS
from engine.training.tasks.launch import quiet_unless_first, rank_count

START_SECONDS = 600.0
_RAISES = ("TORCH_NCCL_BLOCKING_WAIT", "1")  # passing a limit raises an error instead of aborting


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        count: number of processes.
        device: on which this one computes.
        group: torch's process group, with the time limit of a lost rank; None if this process is alone.
    """

    rank: int
    count: int
    device: torch.device
    group: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this one writes the files."""
        return self.rank == 0

    def sum(self, tensor: Tensor, *, doing: str, patient: bool = False) -> None:
        """Add up ``tensor`` over all ranks, in place.

        Args:
            tensor: on the device of this rank; of the same shape everywhere.
            doing: when this happens, for the message about a lost rank.
            patient: whether to wait as long as ranks may take to start, instead of the limit of a lost rank.

        Raises:
            TrainingError: another rank did not answer in time, or its connection broke.
        """
        if self.count == 1:
            return
        try:
            torch.distributed.all_reduce(tensor, group=None if patient else self.group)
        except RuntimeError as error:  # torch's DistError is one
            raise TrainingError(
                f"rank {self.rank} of {self.count}: another rank was lost {doing} ({_first_words(error)}). "
                "Run the same command again to go on from the last checkpoint"
            ) from None

    def meet(self) -> None:
        """Wait for all ranks, as long as they may take to start."""
        self.sum(torch.zeros(1, device=self.device), doing="at the beginning", patient=True)

    def gather(self, number: int) -> list[int]:
        """The ``number`` of every rank, by rank."""
        numbers = torch.zeros(self.count, dtype=torch.int64, device=self.device)
        numbers[self.rank] = number
        self.sum(numbers, doing="at the beginning", patient=True)
        return [int(each) for each in numbers]

    def agree(self, text: str, *, name: str) -> None:
        """Check that ``text`` is the same on every rank.

        Raises:
            TrainingError: it differs; the message calls it ``name``.
        """
        digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), ">u2").astype(np.int64)
        digests = torch.zeros((self.count, len(digest)), dtype=torch.int64, device=self.device)
        digests[self.rank] = torch.from_numpy(digest).to(self.device)
        self.sum(digests, doing="at the beginning", patient=True)
        if (digests != digests[0]).any():
            raise TrainingError(f"rank {self.rank} of {self.count}: ranks have different {name}; give all the same")


def _first_words(error: RuntimeError) -> str:
    return str(error).strip().split("\n")[0][:200]


@contextmanager
def joined_ranks(
    device: torch.device, *, lost_seconds: float = LOST_SECONDS, start_seconds: float = START_SECONDS
) -> Iterator[Ranks]:
    """Join the other ranks, those that ``torchrun`` started or of the process group that is there, until the end.

    Args:
        device: of a process that is alone; if it is a GPU, each of several processes takes one of its own: by its local
            rank, or the current one where there is a process group.
        lost_seconds: after so long without an answer a rank is lost.
        start_seconds: the same at the start, while models are loaded; a process group that is there has its own limit.

    Raises:
        TrainingError: the ranks do not find each other, or this machine has fewer GPUs than ranks.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        with _in_given_group(device, lost_seconds) as ranks:
            yield ranks
        return
    count = rank_count()
    if count == 1:
        yield Ranks(rank=0, count=1, device=device)
        return
    if "RANK" not in os.environ:
        raise TrainingError(f"WORLD_SIZE is {count} and RANK is not set; start several processes with torchrun")
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    quiet_unless_first(rank)
    device = _own_gpu(rank, local) if device.type == "cuda" else device
    _join(device, rank, count, start_seconds)
    try:
        group = torch.distributed.new_group(timeout=timedelta(seconds=lost_seconds))
        yield Ranks(rank=rank, count=count, device=device, group=group)
    finally:
        torch.distributed.destroy_process_group()


@contextmanager
def _in_given_group(device: torch.device, lost_seconds: float) -> Iterator[Ranks]:
    """The ranks of the process group that the caller has, and goes on to have."""
    rank, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
    if device.type == "cuda":
        device = torch.device("cuda", torch.cuda.current_device())
    if count == 1:
        yield Ranks(rank=0, count=1, device=device)
        return
    quiet_unless_first(rank)
    os.environ.setdefault(*_RAISES)
    group = torch.distributed.new_group(timeout=timedelta(seconds=lost_seconds))
    try:
        yield Ranks(rank=rank, count=count, device=device, group=group)
    finally:
        torch.distributed.destroy_process_group(group)


def _own_gpu(rank: int, local: int) -> torch.device:
    """The GPU of ``rank``, which is number ``local`` on this machine."""
    if local >= torch.cuda.device_count():
        raise TrainingError(
            f"rank {rank} is number {local} on this machine, and there are {torch.cuda.device_count()} GPUs; "
            "lower --nproc-per-node"
        )
    device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    return device


def _join(device: torch.device, rank: int, count: int, start_seconds: float) -> None:
    os.environ.setdefault(*_RAISES)
    try:
        torch.distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            rank=rank,
            world_size=count,
            timeout=timedelta(seconds=start_seconds),
        )
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"rank {rank} of {count} did not find the others: {_first_words(RuntimeError(error))}"
        ) from None
