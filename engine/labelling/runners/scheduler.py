"""Which shard each worker slot does next, and which slots need a worker. Pure bookkeeping: knows no process.

A shard that failed goes before the others, alone and to another slot if one is left. A shard that fails twice is
skipped.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.labelling.runners.failures import Attempt

TRIES = 2


@dataclass(frozen=True, kw_only=True)
class SlotState:
    """A worker slot, as the scheduler sees it.

    Attributes:
        number: of the slot, from 0.
        running: whether a worker is in it.
        ready: whether that worker has loaded the model.
        shards: the worker's current shard and the next one, as far as it has them.
        given_up: whether no further worker is started here.
    """

    number: int
    running: bool = False
    ready: bool = False
    shards: tuple[int, ...] = ()
    given_up: bool = False


class ShardQueue:
    """Shards that no worker has."""

    def __init__(self, shards: Iterable[int]) -> None:
        self._fresh = deque(shards)
        self._again: list[int] = []
        self._failed: dict[int, list[Attempt]] = {}

    def __len__(self) -> int:
        return len(self._fresh) + len(self._again)

    @property
    def failed_twice(self) -> dict[int, list[Attempt]]:
        """The attempts at each shard that is skipped, by shard."""
        return {shard: attempts for shard, attempts in self._failed.items() if len(attempts) >= TRIES}

    def count(self, slot: int, *, alone: bool) -> int:
        """How many shards ``slot`` may take; ``alone`` if no other slot is left."""
        return len(self._fresh) + len(self._retries(slot, alone=alone))

    def take(self, slot: int, *, alone: bool) -> int | None:
        """The next shard for ``slot``; None if there are no more, or all that are left wait for another slot."""
        retries = self._retries(slot, alone=alone)
        if retries:
            self._again.remove(retries[0])
            return retries[0]
        return self._fresh.popleft() if self._fresh else None

    def is_fresh(self, shard: int) -> bool:
        """Whether ``shard`` has not failed."""
        return shard not in self._failed

    def take_fresh(self, slot: int, *, alone: bool, keep: int) -> int | None:
        """A shard to follow another one; None if a failed one goes first, or if ``keep`` or fewer are left.

        So the last shards are shared among the slots.
        """
        if self._retries(slot, alone=alone) or len(self._fresh) <= keep:
            return None
        return self._fresh.popleft()

    def return_fresh(self, shards: Sequence[int]) -> None:
        """Take back shards that no worker began; they go first."""
        self._fresh.extendleft(reversed(shards))

    def _retries(self, slot: int, *, alone: bool) -> list[int]:
        return [shard for shard in self._again if alone or self._failed[shard][-1].worker != slot]

    def give_back(self, shard: int, attempt: Attempt) -> bool:
        """Take back a shard that failed; whether it is tried again."""
        attempts = self._failed.setdefault(shard, [])
        attempts.append(attempt)
        if len(attempts) >= TRIES:
            return False
        self._again.append(shard)
        return True


def assign(queue: ShardQueue, slots: Sequence[SlotState]) -> list[tuple[int, int]]:
    """Take shards from ``queue`` for the workers that need one: (slot, shard), in the order to hand them over.

    A worker that is ready gets a current shard, then a next one, so that it can prepare it meanwhile. A shard that is
    tried again has no next one: if the worker dies, only that shard can be the cause.
    """
    usable = [slot for slot in slots if not slot.given_up]
    alone = len(usable) == 1
    held = {slot.number: list(slot.shards) for slot in usable if slot.running and slot.ready}
    assigned = []
    for number, shards in held.items():
        if not shards and (shard := queue.take(number, alone=alone)) is not None:
            shards.append(shard)
            assigned.append((number, shard))
    for number, shards in held.items():
        if len(shards) == 1 and queue.is_fresh(shards[0]):
            following = queue.take_fresh(number, alone=alone, keep=len(usable) - 1)
            if following is not None:
                assigned.append((number, following))
    return assigned


def slots_to_start(queue: ShardQueue, slots: Sequence[SlotState]) -> list[int]:
    """Empty slots that need a worker: those with more shards to do than idle and loading workers will take."""
    usable = [slot for slot in slots if not slot.given_up]
    available = {slot.number: queue.count(slot.number, alone=len(usable) == 1) for slot in usable}
    # An idle worker that may take none of the shards (they failed there) leaves them to the others.
    idle = sum(1 for slot in usable if slot.running and not slot.shards and available[slot.number])
    started = []
    for slot in usable:
        if not slot.running and available[slot.number] > idle:
            started.append(slot.number)
            idle += 1
    return started
