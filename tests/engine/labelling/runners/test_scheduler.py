"""The scheduler alone: random workers that load, label, fail and give up; every shard is done once or failed twice."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from engine.labelling.runners.failures import Attempt
from engine.labelling.runners.scheduler import ShardQueue, SlotState, assign, slots_to_start


@given(st.integers(0, 12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_shard_is_done_once_or_skipped_after_two_failures(shards, workers, chance):
    queue, done, failures = ShardQueue(range(shards)), [], {}
    slots = [SlotState(number=number) for number in range(workers)]
    given_up_at_most = workers - 1
    for _ in range(500):
        if not queue and not any(slot.shards for slot in slots):
            break
        for number in slots_to_start(queue, slots):
            assert not slots[number].running
            assert not slots[number].given_up
            slots[number] = dataclasses.replace(slots[number], running=True)
        for number, shard in assign(queue, slots):
            slot = slots[number]
            assert slot.ready
            assert not slot.given_up
            assert len(slot.shards) < 2
            assert not slot.shards or (slot.shards[0] not in failures and shard not in failures)
            slots[number] = dataclasses.replace(slot, shards=(*slot.shards, shard))
        held = [shard for slot in slots for shard in slot.shards]
        assert len(held) == len(set(held))
        assert not set(held) & set(done)
        busy = [slot for slot in slots if slot.running and (not slot.ready or slot.shards)]
        assert busy, "there is work, and nobody has it"
        slot = chance.choice(busy)
        if not slot.ready:
            slots[slot.number] = dataclasses.replace(slot, ready=True)
        elif slot.shards and chance.random() < 0.6:
            done.append(slot.shards[0])
            slots[slot.number] = dataclasses.replace(slot, shards=slot.shards[1:])
        elif slot.shards:
            shard, following = slot.shards[0], slot.shards[1:]
            failures[shard] = failures.get(shard, 0) + 1
            queue.return_fresh(following)
            assert queue.give_back(shard, Attempt(worker=slot.number, device="d", error="e")) == (failures[shard] < 2)
            give_up = given_up_at_most > 0 and chance.random() < 0.3
            given_up_at_most -= give_up
            slots[slot.number] = SlotState(number=slot.number, given_up=give_up)
    else:
        raise AssertionError("the run does not end")
    skipped = sorted(queue.failed_twice)
    assert sorted([*done, *skipped]) == list(range(shards))
    assert all(failures[shard] == 2 for shard in skipped)


def test_no_worker_is_started_for_work_that_an_idle_or_loading_one_will_take():
    loading = SlotState(number=0, running=True)
    assert slots_to_start(ShardQueue([0]), [loading, SlotState(number=1)]) == []
    assert slots_to_start(ShardQueue([0, 1]), [loading, SlotState(number=1), SlotState(number=2)]) == [1]


def test_an_idle_worker_whose_shard_failed_there_is_not_in_the_way_of_another():
    queue = ShardQueue([0])
    queue.take(0, alone=False)
    queue.give_back(0, Attempt(worker=0, device="d", error="e"))
    slots = [SlotState(number=0, running=True, ready=True), SlotState(number=1)]
    assert assign(queue, slots) == []
    assert slots_to_start(queue, slots) == [1]
    alone = [slots[0], SlotState(number=1, given_up=True)]
    assert assign(queue, alone) == [(0, 0)]


def test_a_worker_that_loads_gets_no_shard():
    assert assign(ShardQueue([0, 1]), [SlotState(number=0, running=True)]) == []
