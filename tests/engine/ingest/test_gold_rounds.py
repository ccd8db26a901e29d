"""Rounds of gold in a store: who adds one, who reads it, and what becomes of one that is damaged or begun."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Barrier

import killed_rounds
import numpy as np
import pyarrow as pa
import pytest
from faults import Fault, FaultyStorage, Killed, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import (
    CLASSES,
    NoWaitStorage,
    add_corpus,
    add_labels,
    change_bytes,
    flip_bit,
    label_of,
    make_store,
    with_check,
    write_header,
)

import store
from engine.labelling.repair import repair
from store import Store
from store.errors import DamageError, MismatchError, StoreError, StoreMissingError
from store.families.gold import gold_statistics
from store.format.shard import ShardWriter, write_shard
from store.gold.add_round import Labelled, add_round, gold_before, rows_of_ids
from store.gold.fingerprint import fingerprint
from store.gold.held import has_gold, held_gold, rounds_sha256
from store.sql.scan import BATCH_ROWS
from store.storage import LocalStorage, MemoryStorage, Storage
from store.summary import summarise
from store.verify.process import verify_store
from store.verify.repair import remove_litter
from store.verify.verify import verify

ROWS = 50
Round = dict[int, int]


def labelled(labels: Round, source: str = "a.csv") -> Labelled:
    rows = sorted(labels)
    return Labelled(
        rows=np.array(rows, np.int64),
        labels=np.array([labels[row] for row in rows], np.int16),
        sources=[source] * len(rows),
    )


ONE = labelled({3: 0, 10: 1, 11: 2})
TWO = labelled({3: 1, 12: 2}, "b.csv")


@pytest.fixture(params=["local", "memory"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    storage: Storage = NoWaitStorage(tmp_path / "a.store") if request.param == "local" else MemoryStorage()
    return make_store(storage, rows=ROWS)


def problems(made: Store) -> list[tuple[str, str]]:
    return [(str(finding.kind), finding.file) for finding in verify_store(made.storage).findings]


def gold_of(made: Store, rounds: list[int] | None = None) -> dict[int, tuple[int, int, str]]:
    """What the view ``reviews`` says."""
    sql = "SELECT row, gold, gold_round, gold_source FROM reviews WHERE gold IS NOT NULL"
    return {row["row"]: tuple(row.values())[1:] for row in made.sql(sql, rounds=rounds).to_pylist()}


def corpus_s_own(rows: int) -> dict[int, int]:
    return {row: label for row in range(rows) if (label := label_of(row)) is not None}


# Which label holds


@settings(max_examples=25, deadline=None)
@given(
    rounds=st.lists(
        st.dictionaries(st.integers(0, 2_999), st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=4
    ),
    own=st.booleans(),
    data=st.data(),
)
def test_the_latest_of_the_rounds_that_count_holds_everywhere(
    rounds: list[Round], own: bool, data: st.DataObject
) -> None:
    made = large()
    numbers = [add_round(made, labelled(labels, f"source {at}"))[0] for at, labels in enumerate(rounds)]
    assert numbers == list(range(1, len(rounds) + 1))
    chosen = sorted(data.draw(st.sets(st.sampled_from(numbers), min_size=1)))
    expected = {row: (label, 0, "corpus") for row, label in corpus_s_own(3_000).items() if own}
    for number in chosen:
        labels = rounds[number - 1]
        expected |= {row: (label, number, f"source {number - 1}") for row, label in labels.items()}
    asked = [0] * own + chosen
    assert gold_of(made, asked) == expected
    stored = made.sql("FROM gold ORDER BY round, row", rounds=asked).to_pylist()
    shown = [*([(0, "corpus", corpus_s_own(3_000))] if own else [])]
    shown += [(number, f"source {number - 1}", rounds[number - 1]) for number in chosen]
    assert [(row["round"], row["source"], row["row"], row["label"], row["class"]) for row in stored] == [
        (number, source, row, label, CLASSES[label])
        for number, source, labels in shown
        for row, label in sorted(labels.items())
    ]
    streamed: dict[int, int] = {}
    for batch in made.stream(columns=("gold",), rounds=tuple(asked), batch_size=700):
        streamed |= dict(zip(batch["row"].tolist(), batch["gold"].tolist(), strict=True))
    assert streamed == {row: expected.get(row, (-1,))[0] for row in range(3_000)}


@cache
def large_files() -> dict[str, bytes]:
    return snapshot(make_store(rows=3_000, shards=2).storage)


def large() -> Store:
    """A store of more than a batch a shard, without rounds."""
    storage = MemoryStorage()
    for name, data in large_files().items():
        storage.put(name, data)
    return store.open(storage)


def test_filters_and_counts_see_the_same_gold(made: Store) -> None:
    add_round(made, ONE)
    add_round(made, TWO)
    assert made.sql("SELECT row FROM reviews WHERE gold_source = 'b.csv' AND gold = 1").column("row").to_pylist() == [3]
    assert made.sql("SELECT count(*) AS n FROM reviews WHERE gold_round > 0").column("n").to_pylist() == [4]
    assert made.sql("SELECT gold_class FROM reviews WHERE row = 12").to_pylist() == [{"gold_class": "positive"}]
    own = {row["row"] for row in made.sql("SELECT row FROM corpus WHERE label IS NOT NULL").to_pylist()}
    assert set(gold_of(made)) == own | {3, 10, 11, 12}
    null = made.sql("SELECT gold_class, gold_round, gold_source FROM reviews WHERE row = 7").to_pylist()
    assert null == [{"gold_class": None, "gold_round": None, "gold_source": None}]


@pytest.mark.parametrize("name", ["accuracy", "confusion", "calibration", "label-errors", "length", "annotate"])
def test_every_question_obeys_the_rounds(made: Store, name: str) -> None:
    before = made.audit(name)
    assert made.audit(name, rounds=[0]) == before
    add_round(made, ONE)
    assert made.audit(name, rounds=[0]) == before
    assert made.audit(name) != before
    if name == "accuracy":
        assert made.audit(name, rounds=[1]).column("rows").to_pylist() == [3]
        assert made.audit(name, rounds=[0, 1]) == made.audit(name)


def test_a_round_that_is_not_there_is_named_with_those_that_are(made: Store) -> None:
    add_round(made, ONE)
    for ask in (
        lambda: made.audit("accuracy", rounds=[2]),
        lambda: made.sql("SELECT 1", rounds=[0, 2]),
        lambda: made.stream(columns=("gold",), rounds=(2,)),
        lambda: held_gold(made, [2]),
    ):
        with pytest.raises(StoreMissingError, match=r"no gold round 2; it has: 0, 1 \(0 is the corpus's own\)"):
            ask()


def test_gold_of_rounds_alone_is_gold() -> None:
    made = write_header(rows=20)
    add_corpus(made, label=lambda row, classes: None)
    add_labels(made, "bert")
    assert not has_gold(made)
    with pytest.raises(StoreMissingError, match=r"`engine audit .* --gold FILE` adds some by id"):
        made.audit("accuracy")
    add_round(made, ONE)
    assert has_gold(made)
    assert made.audit("accuracy").column("rows").to_pylist() == [3]
    with pytest.raises(StoreMissingError, match="no row of .* has a gold label in round 0"):
        made.audit("accuracy", rounds=[0])


def test_an_old_store_may_have_kept_a_column_of_such_a_name() -> None:
    made = write_header(rows=3, extras={"Gold_Source": pa.string()})
    made.label_set("bert").freeze_card({"model": "m"})
    assert made.sql("SELECT * FROM corpus").column_names[-1] == "Gold_Source"
    assert [name.lower() for name in made.sql("SELECT * FROM reviews").column_names].count("gold_source") == 1


# Adding


def test_rounds_are_numbered_and_the_same_labels_are_one(made: Store) -> None:
    assert [add_round(made, ONE), add_round(made, TWO), add_round(made, ONE)] == [(1, True), (2, True), (1, False)]
    assert add_round(made, labelled({3: 0, 10: 1, 11: 2}, "c.csv")) == (3, True)
    assert gold_before(made, ONE.rows, 1).tolist() == [-1, 1, -1]
    assert gold_before(made, TWO.rows, 2).tolist() == [0, 0]
    assert problems(made) == []
    rounds = summarise(made)["gold"]
    assert [(one["round"], one["rows"], one["sources"]) for one in rounds] == [
        (0, 38, ["corpus"]), (1, 3, ["a.csv"]), (2, 2, ["b.csv"]), (3, 3, ["c.csv"]),
    ]  # fmt: skip
    shards = made.sql("SELECT shard, rows FROM shards WHERE family = 'gold' ORDER BY shard").to_pylist()
    assert [(row["shard"], row["rows"]) for row in shards] == [(1, 3), (2, 2), (3, 3)]


def test_a_selection_that_reads_gold_is_refused_after_a_new_round_and_others_are_not(made: Store) -> None:
    made.select("asked", where="gold IS NULL")
    made.select("rounds", where="row IN (SELECT row FROM gold)")
    made.select("sure", where="confidence > 0.5")
    before = fingerprint(made, "gold")
    add_round(made, ONE)
    assert fingerprint(made, "gold") != before
    assert len(made.selection("sure").rows) > 0
    for name in ("asked", "rounds"):
        with pytest.raises(MismatchError, match="was made from gold when its fingerprint was"):
            made.selection(name)
    assert problems(made) == [("mismatch", "selections/asked.json"), ("mismatch", "selections/rounds.json")]


def test_ids_are_found_wherever_they_are(made: Store) -> None:
    assert rows_of_ids(made, {"id-0", "id-49", "id-17", "ID-17", ""}) == {"id-0": 0, "id-49": 49, "id-17": 17}
    assert rows_of_ids(made, set()) == {}


def test_writers_at_once_lose_nothing_and_double_nothing(made: Store) -> None:
    for turn in range(3):
        before = len(made.family("gold").records())
        rounds = [labelled({row: row % 3 for row in range(at, 40, 7)}, f"{turn}") for at in (0, 1, 2, 2, 2)]
        barrier = Barrier(len(rounds))

        def write(one: Labelled, barrier: Barrier = barrier) -> tuple[int, bool]:
            barrier.wait()
            return add_round(made, one)

        with ThreadPoolExecutor(len(rounds)) as pool:
            told = list(pool.map(write, rounds))
        assert sorted(number for number, is_new in told if is_new) == [before + 1, before + 2, before + 3]
        assert len({number for number, _ in told[2:]}) == 1
        for (number, _), one in zip(told, rounds, strict=True):
            stored = made.sql(f"SELECT row, label FROM gold WHERE round = {number}")
            assert stored.column("row").to_pylist() == one.rows.tolist()
    assert {kind for kind, _ in problems(made)} <= {"litter"}


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    place = tmp_path / "a.store"
    made = make_store(LocalStorage(place), rows=ROWS)
    script = (
        "import sys, numpy as np, store\nfrom store.gold.add_round import *\nat = int(sys.argv[2])\nsys.stdin.read(1)\n"
        "rows = np.arange(at, 50, 5)\n"
        "print(add_round(store.open(sys.argv[1]), Labelled(rows=rows, labels=np.zeros(len(rows), np.int16), "
        "sources=['x'] * len(rows)))[0])"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(place), str(at)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for at in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"!")
        writer.stdin.flush()
    assert sorted(int(writer.communicate()[0]) for writer in writers) == [1, 2, 3]
    assert made.sql("SELECT count(*) AS n FROM gold WHERE round > 0").column("n").to_pylist() == [30]
    assert {kind for kind, _ in problems(made)} <= {"litter"}


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_fails_a_round_is_there_once_or_not_at_all(fault: Fault) -> None:
    files = snapshot(make_store(rows=ROWS).storage)

    def begun() -> Storage:
        storage = MemoryStorage()
        for file, data in files.items():
            storage.put(file, data)
        add_round(store.open(storage), TWO)
        return storage

    undisturbed = FaultyStorage(begun())
    add_round(store.open(undisturbed), ONE)
    end = snapshot(undisturbed.inner)
    for number in range(len(undisturbed.calls)):
        inner = begun()
        with contextlib.suppress(OSError, StoreError, Killed):
            add_round(store.open(FaultyStorage(inner, {number: fault})), ONE)
        assert [found for found in verify(inner) if found.is_damage] == []
        assert len(store.open(inner).family("gold").records()) in (1, 2)
        assert add_round(store.open(inner), ONE)[0] == 2
        remove_litter(store.open(inner), list(verify(inner)))
        assert snapshot(inner) == end


def test_a_writer_that_is_killed_in_any_call_is_in_nobodys_way(tmp_path: Path) -> None:
    counting = FaultyStorage(make_store(rows=ROWS).storage)
    add_round(store.open(counting), killed_rounds.round_of(ROWS))
    files = snapshot(make_store(rows=ROWS).storage)
    for number in range(len(counting.calls)):
        storage = NoWaitStorage(tmp_path / str(number))
        for file, data in files.items():
            storage.put(file, data)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, killed_rounds.__file__, str(tmp_path)]
    codes = json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
    assert codes.count(-signal.SIGKILL) > 0.8 * len(codes)
    for number in range(len(counting.calls)):
        storage = LocalStorage(tmp_path / str(number))
        assert [found for found in verify(storage) if found.is_damage] == []
        assert add_round(store.open(storage), killed_rounds.round_of(ROWS))[0] == 1
        storage.sweep()
        assert snapshot(storage) == snapshot(counting.inner)
        assert storage.list("tmp") == []


# Damage


@pytest.fixture
def two(made: Store) -> Store:
    add_round(made, ONE)
    add_round(made, TWO)
    return made


def file_of(made: Store, number: int) -> str:
    return f"gold/{made.family('gold').records()[number].file}"


def test_a_damaged_round_is_seen_by_all_who_read_it_and_the_same_labels_write_it_again(two: Store) -> None:
    whole = snapshot(two.storage)
    flip_bit(two.storage, file_of(two, 1), 900)
    (finding,) = verify_store(two.storage).damage
    assert (finding.file, finding.shard) == (file_of(two, 1), 1)
    assert "a round is made again from nothing but its own input" in finding.problem
    for ask in (
        lambda: two.audit("accuracy"),
        lambda: two.sql("FROM gold"),
        lambda: next(iter(two.stream(columns=("gold",)))),
    ):
        with pytest.raises(DamageError, match=r"`engine audit STORE --gold` with that and the same --source"):
            ask()
    assert two.audit("accuracy", rounds=[0, 2]).num_rows == 1
    assert two.sql("SELECT count(*) FROM reviews").num_rows == 1
    assert add_round(two, ONE) == (1, False)
    assert snapshot(two.storage) == whole


def test_a_round_whose_file_is_gone_is_missing(two: Store) -> None:
    two.storage.remove_dead(file_of(two, 2))
    assert problems(two) == [("missing", file_of(two, 2))]
    with pytest.raises(DamageError, match="is missing"):
        two.sql("FROM gold")
    done = repair(two.storage, verify_store(two.storage), open_labeller=lambda *_: pytest.fail("not asked"))
    assert [(finding.kind, finding.file) for finding in done.after.damage] == [("missing", file_of(two, 2))]
    assert add_round(two, TWO) == (2, False)
    assert problems(two) == []


@pytest.mark.parametrize("how", ["damaged", "lost"])
def test_a_record_comes_back_from_its_data(two: Store, how: str) -> None:
    whole = snapshot(two.storage)
    if how == "damaged":
        flip_bit(two.storage, "gold/00001.json", 99)
    else:
        two.storage.remove_dead("gold/00001.json")
    found = verify_store(two.storage)
    assert [(str(finding.kind), finding.file) for finding in found.damage] == [
        ("damaged" if how == "damaged" else "missing", "gold/00001.json")
    ]
    assert repair(two.storage, found, open_labeller=lambda *_: pytest.fail("not asked")).restored == ["gold/00001.json"]
    assert snapshot(two.storage) == whole


def test_a_torn_record_was_never_there_and_is_taken_over(made: Store) -> None:
    add_round(made, ONE)
    whole = made.storage.read("gold/00001.json").to_pybytes()
    made.storage.put("gold/00001.json", whole[: len(whole) // 2])
    assert made.sql("FROM gold WHERE round > 0").num_rows == 0
    assert [kind for kind, _ in problems(made)] == ["unfinished", "litter"]
    assert add_round(made, TWO) == (1, True)
    assert made.sql("FROM gold WHERE round > 0").num_rows == 2


@pytest.mark.parametrize(
    ("rows", "labels", "rounds", "problem"),
    [
        ([3, 3], [0, 1], [1, 1], "do not ascend: one may be there twice"),
        ([9, 3], [0, 1], [1, 1], "do not ascend"),
        ([3, ROWS], [0, 1], [1, 1], f"labels rows up to {ROWS}, and the store has {ROWS}"),
        ([-1, 3], [0, 1], [1, 1], "labels rows up to 3"),
        ([3, 4], [0, 3], [1, 1], "has labels from 0 to 3, and the store has 3 classes"),
        ([3, 4], [0, 1], [1, 2], "are not those of round 1"),
    ],
)
def test_rows_that_no_round_can_have_are_damage(
    made: Store, rows: list[int], labels: list[int], rounds: list[int], problem: str
) -> None:
    table = pa.table([rows, labels, ["x"] * 2, rounds], schema=made.schema("gold"))
    write_shard(
        made.family("gold"), 1, max(rows[0], 0), [table], schema=table.schema, statistics=gold_statistics(table)
    )
    if rows[0] >= 0:
        (finding,) = verify_store(made.storage).damage
        assert problem in finding.problem
    else:
        assert verify_store(made.storage).damage


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("gold/00003.json", b'"shard": 1', "is the record of round 1"),
        ("gold/00000.json", b'"shard": 1', "is the record of round 1"),
        ("gold/00001.g1.json", b'"shard": 1', "a round has one record and no other"),
    ],
)
def test_a_record_under_another_name_is_damage(two: Store, name: str, change: bytes, problem: str) -> None:
    assert change in two.storage.read("gold/00001.json").to_pybytes()
    two.storage.put(name, two.storage.read("gold/00001.json").to_pybytes())
    assert any(problem in finding.problem for finding in verify_store(two.storage).damage)


def test_statistics_that_are_not_those_of_the_rows_are_damage(two: Store) -> None:
    body = two.storage.read("gold/00001.json").to_pybytes()[:-81].replace(b'"a.csv": 3', b'"a.csv": 4')
    two.storage.put("gold/00001.json", with_check(body))
    (finding,) = verify_store(two.storage).damage
    assert "its record's statistics are not those of its rows" in finding.problem


def test_the_hash_of_rounds_is_that_of_what_they_hold(two: Store) -> None:
    whole = rounds_sha256(two, [0, 1, 2])
    assert len({whole, rounds_sha256(two, [0]), rounds_sha256(two, [1, 2]), rounds_sha256(two, [1])}) == 4
    add_round(two, labelled({5: 1}))
    assert rounds_sha256(two, [0, 1, 2]) == whole


def test_a_large_round_has_batches_as_every_file(made: Store) -> None:
    large = make_store(rows=3_000)
    add_round(large, labelled(dict.fromkeys(range(2500), 0)))
    data = large.storage.read(file_of(large, 1))
    reader = pa.ipc.open_file(data)
    assert [reader.get_batch(at).num_rows for at in range(reader.num_record_batches)] == [BATCH_ROWS, BATCH_ROWS, 452]
    with ShardWriter(large.storage, large.schema("gold"), compressed=False) as writer:
        assert writer.finish()
    assert verify_store(large.storage).findings == []
    change_bytes(large.storage, file_of(large, 1), b"ARROW1", b"ARROW2")
    assert len(verify_store(large.storage).damage) == 1
