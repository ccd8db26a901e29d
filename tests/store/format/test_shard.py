"""Batches ⇄ one Arrow file: the same rows, the same bytes, and every kind of damage seen."""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import add_corpus, add_labels, flip_bit, random_logits, write_header

from store import Store
from store.errors import DamageError, MismatchError, StoreError, StoreFullError
from store.families.labels import label_batch
from store.format.family import Family
from store.format.names import CORPUS
from store.format.record import Record
from store.format.shard import BATCH_ROWS, ShardWriter, open_shard, read_shard, rebatch, write_shard
from store.storage import TEMPORARY, LocalStorage, MemoryStorage, Storage

SCHEMA = pa.schema([pa.field("row", pa.int64(), nullable=False), ("text", pa.string()), ("flag", pa.bool_())])


def numbered(rows: int) -> pa.Table:
    numbers = range(rows)
    columns = [
        list(numbers),
        [None if row % 7 == 0 else f"é{row}" * (row % 4) for row in numbers],
        [None if row % 5 == 0 else row % 3 == 0 for row in numbers],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.table(arrays, schema=SCHEMA)


def cut(table: pa.Table, cuts: list[int]) -> Iterator[pa.RecordBatch]:
    """The same rows in record batches whose borders are ``cuts``: slices, and so with offsets inside their buffers."""
    for start, stop in pairwise(sorted({0, *cuts, table.num_rows})):
        yield table.slice(start, stop - start).combine_chunks().to_batches()[0]


sizes = st.integers(0, 5 * BATCH_ROWS) | st.sampled_from([0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1])


@st.composite
def cut_tables(draw: st.DrawFn) -> tuple[pa.Table, list[int]]:
    rows = draw(sizes)
    return numbered(rows), draw(st.lists(st.integers(0, rows), max_size=12))


@settings(max_examples=40, deadline=None)
@given(made=cut_tables())
def test_rebatch_keeps_rows_and_order(made: tuple[pa.Table, list[int]]) -> None:
    table, cuts = made
    batches = list(rebatch(cut(table, cuts), SCHEMA))
    assert pa.Table.from_batches(batches, SCHEMA).equals(table)
    assert all(batch.num_rows == BATCH_ROWS for batch in batches[:-1])
    assert all(0 < batch.num_rows <= BATCH_ROWS for batch in batches[-1:])


@settings(max_examples=40, deadline=None)
@given(made=cut_tables())
def test_equal_rows_give_equal_bytes_however_they_come(made: tuple[pa.Table, list[int]]) -> None:
    table, cuts = made
    family = Family(MemoryStorage(), "labels/x", 1)
    assert write_shard(family, 0, 0, table.to_batches(), schema=SCHEMA, statistics={}) is True
    assert write_shard(family, 0, 0, cut(table, cuts), schema=SCHEMA, statistics={}) is False


def test_rebatch_takes_tables_too_and_empty_pieces() -> None:
    pieces = [numbered(10).slice(0, 0), numbered(10), numbered(10).slice(10)]
    assert [batch.num_rows for batch in rebatch(pieces, SCHEMA)] == [10]
    assert list(rebatch([], SCHEMA)) == []


def test_rebatch_holds_no_more_than_it_needs() -> None:
    given_out = 0

    def source() -> Iterator[pa.Table]:
        nonlocal given_out
        for _ in range(10):
            given_out += 1
            yield numbered(BATCH_ROWS)

    next(rebatch(source(), SCHEMA))
    assert given_out == 1


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path) if request.param == "local" else MemoryStorage()


def written(
    storage: Storage, path: str = "labels/x", rows: int = 2 * BATCH_ROWS + 5, *, is_compressed: bool = False
) -> tuple[Family, Record]:
    family = Family(storage, path, 1, is_compressed=is_compressed)
    write_shard(family, 0, 100, [numbered(rows)], schema=SCHEMA, statistics={"n": rows})
    record = family.record(0)
    assert record is not None
    return family, record


def test_what_is_written_is_read_back(storage: Storage) -> None:
    family, record = written(storage)
    assert (record.first_row, record.rows, record.statistics) == (100, 2 * BATCH_ROWS + 5, {"n": record.rows})
    for check_hash in (False, True):
        assert open_shard(family, record, check_hash=check_hash).read_all().equals(numbered(record.rows))


def test_every_batch_but_the_last_is_full(storage: Storage) -> None:
    reader = open_shard(*written(storage))
    assert [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)] == [BATCH_ROWS, BATCH_ROWS, 5]


def test_a_shard_of_no_rows_can_be_read(storage: Storage) -> None:
    family, record = written(storage, rows=0)
    assert open_shard(family, record, check_hash=True).read_all().equals(numbered(0))


def test_the_record_says_what_the_file_is(storage: Storage) -> None:
    family, record = written(storage)
    data = storage.read(f"{family.path}/{record.file}")
    assert (data.size, record.file) == (record.bytes, f"00000-{record.sha256[:16]}.arrow")
    assert storage.list(TEMPORARY) == []


def test_statistics_are_read_after_the_batches() -> None:
    statistics: dict[str, object] = {}

    def batches() -> Iterator[pa.RecordBatch]:
        yield from numbered(10).to_batches()
        statistics["seen"] = 10

    family = Family(MemoryStorage(), "labels/x", 1)
    write_shard(family, 0, 0, batches(), schema=SCHEMA, statistics=statistics)
    assert family.records()[0].statistics == {"seen": 10}


def test_only_a_compressed_family_is_compressed() -> None:
    assert written(MemoryStorage(), is_compressed=True)[1].bytes < written(MemoryStorage())[1].bytes / 2


def test_other_bytes_are_refused_and_the_first_shard_stays(storage: Storage) -> None:
    family, record = written(storage)
    with pytest.raises(MismatchError, match="shard 0 was committed with other bytes"):
        write_shard(family, 0, 100, [numbered(7)], schema=SCHEMA, statistics={})
    assert family.record(0) == record
    assert open_shard(family, record, check_hash=True).read_all().num_rows == record.rows
    assert storage.list(TEMPORARY) == []


def test_a_shard_that_fails_while_it_is_written_leaves_nothing(storage: Storage) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from numbered(3 * BATCH_ROWS).to_batches()
        raise RuntimeError("the teacher died")

    family = Family(storage, "labels/x", 1)
    with pytest.raises(RuntimeError, match="the teacher died"):
        write_shard(family, 0, 0, batches(), schema=SCHEMA, statistics={})
    assert storage.list(family.path) == []
    assert storage.list(TEMPORARY) == []


def test_rows_of_another_schema_are_refused(storage: Storage) -> None:
    family = Family(storage, "labels/x", 1)
    with pytest.raises(ValueError, match="match"):
        write_shard(family, 0, 0, [pa.table({"other": [1]})], schema=SCHEMA, statistics={})
    assert family.records() == {}


def test_a_writer_counts_its_rows() -> None:
    with ShardWriter(MemoryStorage(), SCHEMA, compressed=False) as writer:
        for batch in cut(numbered(30), [10]):
            writer.write(batch)
        assert writer.rows == 30


def store_of(storage: Storage) -> Store:
    made = write_header(storage, rows=100, shards=3)
    add_corpus(made)
    add_labels(made, "bert", failed=[4, 50])
    return made


def test_equal_inputs_give_equal_stores(tmp_path: Path) -> None:
    one, two = store_of(LocalStorage(tmp_path / "one")), store_of(MemoryStorage())
    for path in (CORPUS, "labels/bert"):
        names = one.storage.list(path)
        assert names == two.storage.list(path)
        for name in names:
            assert one.storage.read(f"{path}/{name}").equals(two.storage.read(f"{path}/{name}"))


def test_half_floats_are_stored_bit_by_bit() -> None:
    made = store_of(MemoryStorage())
    logits = np.delete(random_logits(100, failed=[4, 50]), [4, 50], axis=0)
    family = made.label_set("bert")
    tables = [open_shard(family, record).read_all() for record in family.records().values()]
    column = pa.concat_tables(tables).column("logits").combine_chunks().drop_null()
    assert column.flatten().to_numpy().tobytes() == logits.tobytes()


# Damage. Arrow IPC has no checksum of its own.


def test_a_file_that_is_gone_is_damage(tmp_path: Path) -> None:
    family, record = written(LocalStorage(tmp_path))
    (tmp_path / family.path / record.file).unlink()
    with pytest.raises(DamageError, match=f"{record.file} is missing, and its record says that it is committed"):
        open_shard(family, record)


@pytest.mark.parametrize("check_hash", [False, True])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_damage(storage: Storage, keep: float, check_hash: bool) -> None:
    family, record = written(storage)
    name = f"{family.path}/{record.file}"
    storage.put(name, storage.read(name).to_pybytes()[: int(record.bytes * keep)])
    with pytest.raises(DamageError, match=f"bytes and its record says {record.bytes:,}"):
        open_shard(family, record, check_hash=check_hash)


@pytest.mark.parametrize("check_hash", [False, True])
def test_a_file_with_something_behind_it_is_damage(storage: Storage, check_hash: bool) -> None:
    family, record = written(storage)
    name = f"{family.path}/{record.file}"
    storage.put(name, storage.read(name).to_pybytes() + b"\0")
    with pytest.raises(DamageError, match="bytes and its record says"):
        open_shard(family, record, check_hash=check_hash)


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10**6))
def test_any_flipped_bit_is_damage_where_the_hash_is_checked(position: int) -> None:
    storage = MemoryStorage()
    family, record = written(storage, rows=20)
    flip_bit(storage, f"{family.path}/{record.file}", position)
    with pytest.raises(DamageError, match="its sha256 is not that of its record"):
        open_shard(family, record, check_hash=True)


def test_a_flipped_bit_in_a_logit_reads_as_another_value_without_the_hash() -> None:
    """Why the hash is there."""
    made = write_header(rows=10, shards=1)
    add_labels(made, "bert")
    family, record = made.label_set("bert"), made.label_set("bert").records()[0]
    data = made.storage.read(f"labels/bert/{record.file}").to_pybytes()
    flip_bit(made.storage, f"labels/bert/{record.file}", data.index(random_logits(10).tobytes()))
    table = open_shard(family, record).read_all()
    table.validate(full=True)
    assert table.column("logits").combine_chunks().flatten().to_numpy().tobytes() != random_logits(10).tobytes()


def test_bytes_that_are_no_arrow_file_are_damage(storage: Storage) -> None:
    family, record = written(storage)
    storage.put(f"{family.path}/{record.file}", bytes(record.bytes))
    with pytest.raises(DamageError, match=f"{record.file} is damaged"):
        open_shard(family, record)


def test_a_footer_with_any_flipped_bit_is_damage_or_still_a_reader() -> None:
    storage = MemoryStorage()
    family, record = written(storage, rows=3)
    name = f"{family.path}/{record.file}"
    whole = storage.read(name).to_pybytes()
    refused = 0
    for position in range(len(whole) - 400, len(whole)):
        flip_bit(storage, name, position)
        try:
            open_shard(family, record)
        except DamageError:
            refused += 1
        storage.put(name, whole)
    assert refused > 10


def test_label_batches_are_valid_shards_at_every_size() -> None:
    for rows in (0, 1, BATCH_ROWS, BATCH_ROWS + 1):
        batch = label_batch(
            first_row=0,
            logits=random_logits(rows, failed=[0] if rows else []),
            n_tokens=np.zeros(rows, np.uint16),
            truncated=np.zeros(rows, bool),
        )
        family = Family(MemoryStorage(), "labels/x", 1)
        write_shard(family, 0, 0, [batch], schema=batch.schema, statistics={})
        table = open_shard(family, family.records()[0], check_hash=True).read_all()
        table.validate(full=True)
        assert table.equals(pa.Table.from_batches([batch]))


# Full disks and repairs.


class FullStorage(LocalStorage):
    """A disk that turns out to be full when it is waited for, for the ``at``-th time."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.left = at

    def fsync(self, descriptor: int) -> None:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_any_wait_commits_all_or_nothing(tmp_path: Path) -> None:
    at, full_at_all = 0, True
    while full_at_all:
        family = Family(FullStorage(tmp_path / str(at), at), "labels/x", 1)
        with contextlib.suppress(StoreFullError):
            assert write_shard(family, 0, 0, [numbered(99)], schema=SCHEMA, statistics={}) is True
            full_at_all = False
        assert family.storage.list(TEMPORARY) == []
        again = Family(LocalStorage(tmp_path / str(at)), "labels/x", 1)
        committed = again.record(0) is not None
        assert write_shard(again, 0, 0, [numbered(99)], schema=SCHEMA, statistics={}) is not committed
        assert read_shard(again, again.records()[0]).equals(numbered(99))
        at += 1
    assert at > 6


ROOM = """
import resource, sys
from store.errors import StoreFullError
from store.families.registry import kind_of
from store.format.layout import Layout
from store.format.shard import write_shard
from store.storage import LocalStorage
sys.path[:0] = ["tests/store/format", "tests/fakes"]
from test_shard import SCHEMA, numbered
family = kind_of(sys.argv[2]).family(LocalStorage(sys.argv[1]), sys.argv[2], layout=Layout.of((1, 1)))
table = numbered(30_000)
if family.has_card:
    family.freeze_card({"model": "x"})
before = family.storage.list(family.path)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for room in (0, 100, 5_000, 30_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        write_shard(family, 0, 0, [table], schema=SCHEMA, statistics={})
    except StoreFullError as error:
        assert type(error.__cause__) is OSError, error
        print(error)
    assert family.storage.list("tmp") == []
    assert family.storage.list(family.path) == before
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(write_shard(family, 0, 0, [table], schema=SCHEMA, statistics={}))
"""


@pytest.mark.parametrize("path", ["labels/x", CORPUS])
def test_a_shard_for_which_there_is_no_room_is_said_as_a_full_disk_and_is_written_when_there_is(
    tmp_path: Path, path: str
) -> None:
    """The refusal passes through Arrow, which calls us for every piece it writes; nothing warns or hangs about."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", ROOM, str(tmp_path), path]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stderr == ""
    *refusals, last = done.stdout.splitlines()
    assert last == "True"
    assert len(refusals) == 4
    assert all(line.startswith(f"{tmp_path}: {os.strerror(errno.EFBIG)}. What was committed") for line in refusals)
    family = Family(LocalStorage(tmp_path), path, 1)
    assert open_shard(family, family.records()[0], check_hash=True).read_all().equals(numbered(30_000))


def test_bytes_that_the_disk_lost_are_not_committed(tmp_path: Path) -> None:
    class LossyStorage(LocalStorage):
        def fsync(self, descriptor: int) -> None:
            if (size := os.fstat(descriptor).st_size) > 5_000:
                os.ftruncate(descriptor, size - 1)

    family = Family(LossyStorage(tmp_path), "labels/x", 1)
    with pytest.raises(StoreError, match=r"[\d,]+ bytes were written, and the disk has [\d,]+ of them"):
        write_shard(family, 0, 0, [numbered(2_000)], schema=SCHEMA, statistics={})
    assert family.storage.list(family.path) == family.storage.list(TEMPORARY) == []


def test_what_is_published_is_its_writers_until_the_commit(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with ShardWriter(storage, SCHEMA, compressed=False) as writer:
        file, _, _ = writer.publish("labels/x", 0)
        assert storage.remove_dead(f"labels/x/{file}") is False
    assert storage.remove_dead(f"labels/x/{file}") is True


def test_a_shard_that_lost_its_data_file_is_repaired_with_equal_bytes(storage: Storage) -> None:
    family, record = written(storage)
    storage.remove_dead(f"{family.path}/{record.file}")
    with pytest.raises(DamageError, match="is missing"):
        read_shard(family, record)
    family = family.for_repair()
    assert write_shard(family, 0, 100, [numbered(record.rows)], schema=SCHEMA, statistics={}) is False
    assert family.record(0) == record
    assert read_shard(family, record).equals(numbered(record.rows))


@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_shard_is_repaired_with_other_bytes(storage: Storage, sealed: bool) -> None:
    family, record = written(storage)
    if sealed:
        family.seal()
    flip_bit(storage, f"{family.path}/{record.file}", 999)
    family = family.for_repair()
    other = numbered(record.rows + 1).slice(1)
    assert write_shard(family, 0, 100, [other], schema=SCHEMA, statistics={}) is True
    repaired = family.records()[0]
    assert family.record(0) == repaired != record
    assert open_shard(family, repaired, check_hash=True).read_all().equals(other)
    assert {"00000.g1.json", "00000.json", record.file, repaired.file} < {*storage.list(family.path), "more"}
