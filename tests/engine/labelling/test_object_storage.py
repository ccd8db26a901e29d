"""A store on a storage of another kind than those of the product: it is made, labelled, asked, streamed and repaired."""

import numpy as np
import pyarrow as pa
import pytest
from range_storage import RangeStorage
from s3_server import BUCKET, S3Server, environment_of
from store_factory import flip_bit, make_store
from whole_run import CLASSES, begin, label, labeller_for, write_input

import store
from engine.labelling.execute import execute
from engine.labelling.repair import repair
from engine.labelling.runners.local_processes import LocalProcesses
from engine.testing.fake_job import FakeJob
from store.format.shard import open_shard, read_shard
from store.storage import LocalStorage, open_storage
from store.verify.verify import verify


@pytest.fixture
def files(tmp_path):
    return write_input(tmp_path, rows=30)


@pytest.fixture
def made(files):
    made = begin(RangeStorage(), files)
    label(made, "fake")
    return made


def test_it_is_made_labelled_and_asked(made):
    assert made.sql("SELECT count(*) FROM labels").column(0).to_pylist() == [30]
    assert made.sql("SELECT count(*) FROM rejects").column(0).to_pylist() == [5]
    assert made.select("some", where="row < 7").rows.size == 30
    assert made.dataset("labels/fake").count_rows() == 30
    rows = np.concatenate([batch["row"] for batch in made.stream(labels=("fake",), batch_size=4)])
    assert sorted(rows.tolist()) == list(range(30))
    assert made.verify().findings == []


def test_it_holds_the_same_bytes_as_a_store_on_a_disk(made, files, tmp_path):
    local = begin(LocalStorage(tmp_path / "a.store"), files)
    label(local, "fake")
    for path in ("corpus", "labels/fake"):
        assert made.family(path).records() == local.family(path).records()
    assert read_shard(made.corpus, made.corpus.record(0)).equals(read_shard(local.corpus, local.corpus.record(0)))


def test_it_is_repaired(made, files):
    before = {name: made.storage.read(name).to_pybytes() for name in made.storage.bucket.keys("")}
    for path in ("corpus", "labels/fake"):
        flip_bit(made.storage, f"{path}/{made.family(path).record(1).file}", 1000)
    made.storage.bucket.delete("store.json")
    found = made.verify()
    assert len(found.damage) >= 2
    done = repair(made.storage, found, open_labeller=lambda made, name: labeller_for(made, name), inputs=files)
    assert done.after.findings == []
    assert len(CLASSES) == len(store.open(made.storage).header.classes)
    after = {name: made.storage.read(name).to_pybytes() for name in made.storage.bucket.keys("")}
    assert {name: data for name, data in after.items() if name in before and not name.startswith("runs/")} == {
        name: data for name, data in before.items() if not name.startswith("runs/")
    }


def test_of_a_shard_only_the_columns_that_are_wanted_are_fetched():
    made = make_store(RangeStorage(), rows=6_000, shards=1)
    record = made.label_set("bert").record(0)
    name = f"labels/bert/{record.file}"
    schema = made.schema("labels/bert")
    made.storage.bucket.fetched.clear()
    reader = open_shard(made.label_set("bert"), record, columns=[schema.get_field_index("prediction")])
    column = pa.Table.from_batches([reader.get_batch(at) for at in range(reader.num_record_batches)])
    assert column.num_rows == 6_000
    assert 0 < made.storage.bucket.fetched[name] < record.bytes / 2


def test_worker_processes_open_a_store_on_s3_by_its_url(files, tmp_path):
    with S3Server() as server, environment_of(server, tmp_path / "cache"):
        storage = open_storage(f"s3://{BUCKET}/workers.store")
        job = FakeJob(store=storage.address)
        made = begin(storage, files)
        job.freeze_card()
        execute(made, job, LocalProcesses(devices=("a", "b")))
        assert not list(verify(storage))
        assert store.open(storage.address).label_set("fake").is_sealed()
