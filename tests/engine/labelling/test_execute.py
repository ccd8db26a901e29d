"""The part of a label run that knows no model: how often it reads, and what it sees of other runs."""

from pathlib import Path

from counting import CountingStorage
from whole_run import begin, label, write_input


def test_a_run_with_nothing_left_to_do_reads_each_record_at_most_once(tmp_path: Path) -> None:
    storage = CountingStorage()
    made = begin(storage, write_input(tmp_path))
    label(made, "one")
    for name in ("labels/one/manifest.json", "corpus/manifest.json"):
        storage.remove_dead(name)  # as after a kill: what is missing, the seal and the summary all need the records
    storage.reads.clear()
    label(made, "one")
    counts = storage.records_read()
    assert {name: count for name, count in counts.items() if name.startswith("labels/one/")} == {
        f"labels/one/0000{shard}.json": 1 for shard in range(3)
    }
    assert made.label_set("one").is_sealed()


def test_a_run_reads_the_records_of_its_own_shards_once(tmp_path: Path) -> None:
    storage = CountingStorage()
    made = begin(storage, write_input(tmp_path))
    storage.reads.clear()
    label(made, "one")
    counts = storage.records_read()
    assert {counts[f"{path}/0000{shard}.json"] for path in ("labels/one",) for shard in range(3)} == {1}
