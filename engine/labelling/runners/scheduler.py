"""Which shard a worker does next, and which are given up. Pure bookkeeping: knows no process.

A shard that failed is done before the others, once more and by another worker where one is left. One that failed
twice is poison and is put aside.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TRIES = 2


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A try that failed.

    Attributes:
        worker: number of the worker.
        device: on which it was, as a message names it.
        error: what happened, and in which batch.
    """

    worker: int
    device: str
    error: str


class ShardQueue:
    """Shards that are still to be given out."""

    def __init__(self, shards: Iterable[int]) -> None:
        self._fresh = deque(shards)
        self._again: list[int] = []
        self._failed: dict[int, list[Attempt]] = {}

    def __len__(self) -> int:
        return len(self._fresh) + len(self._again)

    @property
    def poison(self) -> dict[int, list[Attempt]]:
        """The failed tries of the shards that are put aside, by shard."""
        return {shard: attempts for shard, attempts in self._failed.items() if len(attempts) >= TRIES}

    def count(self, worker: int, *, alone: bool) -> int:
        """How many shards ``worker`` may take; ``alone`` where no other worker is left."""
        return len(self._fresh) + len(self._retries(worker, alone=alone))

    def take(self, worker: int, *, alone: bool) -> int | None:
        """The next shard for ``worker``; None where there is none, or all that are left wait for another worker."""
        retries = self._retries(worker, alone=alone)
        if retries:
            self._again.remove(retries[0])
            return retries[0]
        return self._fresh.popleft() if self._fresh else None

    def is_fresh(self, shard: int) -> bool:
        """Whether ``shard`` has not failed."""
        return shard not in self._failed

    def take_fresh(self, worker: int, *, alone: bool, keep: int) -> int | None:
        """A shard to follow another; None where a failed one goes first, or where ``keep`` or fewer are left.

        So the last ones are shared out.
        """
        if self._retries(worker, alone=alone) or len(self._fresh) <= keep:
            return None
        return self._fresh.popleft()

    def return_fresh(self, shards: Sequence[int]) -> None:
        """Take back shards that nobody has begun; they come first."""
        self._fresh.extendleft(reversed(shards))

    def _retries(self, worker: int, *, alone: bool) -> list[int]:
        return [shard for shard in self._again if alone or self._failed[shard][-1].worker != worker]

    def give_back(self, shard: int, attempt: Attempt) -> bool:
        """Take back a shard that failed; whether it is to be tried again."""
        attempts = self._failed.setdefault(shard, [])
        attempts.append(attempt)
        if len(attempts) >= TRIES:
            return False
        self._again.append(shard)
        return True
