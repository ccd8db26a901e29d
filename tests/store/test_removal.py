"""What nothing needs is taken away in one step, whoever reads, writes or is killed meanwhile."""

import contextlib
import os
import random
import signal
import sys
import time
import traceback

import numpy as np
import pytest
from faults import Fault, FaultyStorage, Killed, snapshot
from store_factory import (
    NoWaitStorage,
    add_labels,
    calibration_at,
    flip_bit,
    make_store,
    random_logits,
    write_header,
)

import store
from store.errors import DamageError, InUseError, MismatchError, StoreError, StoreMissingError
from store.format.record import record_name
from store.format.run_log import RUNS, RunLog
from store.format.shard import write_shard
from store.gold.calibration import add_calibration
from store.removal import plan_removal, remove
from store.rows.family_reader import FamilyReader
from store.selections.card import SELECTIONS
from store.selections.selection import selections
from store.sql.session import Session
from store.storage import LocalStorage, MemoryStorage
from store.storage import folders as storage_folders
from store.verify.verify import verify

ENCODING = "words-8-right"
OTHER = "letters-8-right"  # that no label set was made with
ROWS = 50


@pytest.fixture(params=["memory", "local"])
def storage(request, tmp_path):
    return MemoryStorage() if request.param == "memory" else NoWaitStorage(tmp_path / "s")


def logits_sum(made, name="bert"):
    return made.sql(f"SELECT sum(list_sum(logits)) AS total FROM labels WHERE label_set = '{name}'")["total"][0].as_py()


def expected_sum(seed):
    return float(random_logits(ROWS, seed=seed).astype(np.float64).sum())


def without(files, *beginnings):
    return {name: data for name, data in files.items() if not name.startswith(beginnings)}


def damage_in(storage):
    return [finding for finding in verify(storage) if finding.is_damage]


# what goes, and what stays


def test_a_label_set_goes_and_nothing_else(storage) -> None:
    made = make_store(storage, labels=["bert", "roberta"])
    add_calibration(made, calibration_at(1.5, made=made))
    before = snapshot(storage)
    (removed,) = remove(made, ["labels/bert"])
    assert (removed.path, removed.files, removed.rows) == ("labels/bert", 11, ROWS)
    assert removed.bytes == sum(
        len(data) for name, data in before.items() if name.startswith("labels/bert/0") and name.endswith("arrow")
    )
    assert "1 calibration goes with it" in removed.notes
    assert snapshot(storage) == without(before, "labels/bert/")
    assert made.label_sets() == ["roberta"]
    assert list(verify(storage)) == []
    assert storage.list("tmp") == []


def test_a_selection_goes_and_those_that_were_made_from_it_stay(storage) -> None:
    made = make_store(storage)
    made.select("sure", where="confidence > 0.9")
    made.select("long", where="n_chars > 10", and_=("sure",))
    before = snapshot(storage)
    bits = storage.list(SELECTIONS)
    (removed,) = remove(made, ["selections/sure"])
    assert removed.files == 3
    assert selections(made) == ["long"]
    assert [name for name in storage.list(SELECTIONS) if name.startswith("sure")] == []
    assert len(storage.list(SELECTIONS)) == len(bits) - 3
    assert snapshot(storage) == {name: data for name, data in before.items() if "/sure" not in name}
    assert list(verify(storage)) == []
    assert next(iter(made.stream(labels="bert", select="long")))["row"].size


def test_token_ids_go_with_the_last_label_set_that_has_them(storage) -> None:
    made = make_store(storage, labels=["bert", "roberta"], encodings=[ENCODING])
    with pytest.raises(
        InUseError, match=r"needed by labels/bert, labels/roberta, each of which was labelled from these"
    ):
        remove(made, [f"tokens/{ENCODING}"])
    (bert,) = remove(made, ["labels/bert"])
    assert not any("tokens/" in note for note in bert.notes)
    (plan,) = plan_removal(made, ["labels/roberta"])
    assert f"no label set uses tokens/{ENCODING} then; it stays unless it is named, too" in plan.notes
    removed = remove(made, [f"tokens/{ENCODING}", "labels/roberta"])
    assert [one.path for one in removed] == ["labels/roberta", f"tokens/{ENCODING}"]
    assert (made.label_sets(), made.encodings()) == ([], [])
    assert list(verify(storage)) == []


def test_a_plan_changes_nothing_and_shells_may_add_a_slash(storage) -> None:
    made = make_store(storage)
    before = snapshot(storage)
    assert [one.path for one in plan_removal(made, ["labels/bert/", "labels/bert"])] == ["labels/bert"]
    assert snapshot(storage) == before


def test_an_unfinished_and_a_damaged_label_set_can_go(storage) -> None:
    made = make_store(storage, labels=["bert"])
    add_labels(made, "half", shards=[1])
    add_labels(made, "bad")
    flip_bit(storage, "labels/bad/00000.json", 20)
    flip_bit(storage, "labels/bad/card.json", 20)
    bad, half = plan_removal(made, ["labels/half", "labels/bad"])
    assert (bad.rows, bad.bytes, half.rows) == (None, None, 17)
    remove(made, ["labels/half", "labels/bad"])
    assert made.label_sets() == ["bert"]
    assert list(verify(storage)) == []


# refusals


def test_what_a_selection_was_made_from_stays_and_the_command_that_removes_both_works(storage) -> None:
    made = make_store(storage, labels=["bert", "roberta"])
    made.select("sure", where="confidence > 0.9", labels="bert")
    made.select("any", where="EXISTS (SELECT 1 FROM labels l WHERE l.row = corpus.row AND confidence > 0.9)")
    made.select("long", where="n_chars > 10")
    before = snapshot(storage)
    with pytest.raises(InUseError) as refused:
        remove(made, ["labels/bert"])
    assert snapshot(storage) == before
    assert "needed by selections/any, selections/sure, each of which was made from its labels" in str(refused.value)
    with pytest.raises(InUseError, match=r"needed by selections/any, which was"):
        remove(made, ["selections/sure", "labels/bert"])
    assert snapshot(storage) == before
    targets = str(refused.value).rpartition(f"engine remove {made.location} ")[2].split()
    assert [one.path for one in remove(made, targets)] == ["selections/any", "selections/sure", "labels/bert"]
    assert list(verify(storage)) == []


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("corpus", InUseError, "all that a store has is about its texts"),
        ("gold", InUseError, "nothing could make human labels again"),
        ("gold/1", InUseError, "nothing could make human labels again"),
        ("rejects", InUseError, "which input rows are not in the store"),
        ("labels/none", StoreMissingError, "has no labels/none; it has: labels/bert"),
        ("tokens/none", StoreMissingError, "has no tokens/none; it has: none"),
        ("selections/none", StoreMissingError, "has no selections/none; it has: none"),
        ("labels", StoreMissingError, "names nothing to remove; name selections/NAME, labels/NAME, tokens/NAME"),
        ("bert", StoreMissingError, "'bert' names nothing to remove; name labels/bert$"),
        ("bret", StoreMissingError, "names nothing to remove; name selections/NAME, labels/NAME, tokens/NAME"),
        ("runs/x", StoreMissingError, "names nothing to remove"),
        ("labels/../corpus", StoreError, "a name is 1 to 64"),
        ("labels/bert/card.json", StoreError, "a name is 1 to 64"),
    ],
)
def test_nothing_else_can_be_removed(storage, target, kind, message) -> None:
    made = make_store(storage)
    before = snapshot(storage)
    with pytest.raises(kind, match=message):
        remove(made, ["labels/bert", target])
    assert snapshot(storage) == before


def test_nothing_goes_as_long_as_a_card_that_may_need_it_is_damaged(storage) -> None:
    made = make_store(storage, encodings=[ENCODING])
    made.select("sure", where="confidence > 0.9")
    flip_bit(storage, "selections/sure.json", 20)
    with pytest.raises(DamageError, match=r"sure\.json is damaged"):
        remove(made, ["labels/bert"])
    flip_bit(storage, "labels/bert/card.json", 20)
    with pytest.raises(DamageError, match=r"card\.json is damaged"):
        remove(made, [f"tokens/{ENCODING}"])


def test_what_is_being_written_stays(storage) -> None:
    made = make_store(storage, labels=["bert", "roberta"])
    with made.label_set("bert").kept():
        with pytest.raises(InUseError, match=r"labels/bert of .* is being written; run the command again"):
            remove(made, ["labels/bert"])
        remove(made, ["labels/roberta"])
    remove(made, ["labels/bert"])
    assert made.label_sets() == []


def test_what_a_run_is_labelling_stays(tmp_path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "s"))
    log = RunLog(made.storage, {"label_set": "bert"})
    log.begin(ROWS)
    with pytest.raises(InUseError, match=rf"is being labelled by process {os.getpid()} of "):
        remove(made, ["labels/bert"])
    log.finish({"stopped_by": "KeyboardInterrupt"})
    remove(made, ["labels/bert"])


def test_a_link_to_a_folder_elsewhere_is_not_followed(tmp_path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "s"))
    (tmp_path / "s/labels/bert").rename(tmp_path / "elsewhere")
    (tmp_path / "s/labels/bert").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link to .*elsewhere; delete that folder, and then the link"):
        remove(made, ["labels/bert"])
    assert len(list((tmp_path / "elsewhere").iterdir())) == 9


# writers


def shard_of(made, name, seed):
    from store.families.labels import label_batch

    batch = label_batch(
        first_row=0,
        logits=random_logits(ROWS, seed=seed)[:16],
        n_tokens=np.zeros(16, np.uint16),
        truncated=np.zeros(16, bool),
    )
    return made.label_set(name), batch


def test_who_writes_into_what_was_removed_is_told_and_brings_nothing_back(storage) -> None:
    made = make_store(storage, labels=["bert"]).memoised()
    family, batch = shard_of(made, "bert", 0)
    family.card()
    remove(made, ["labels/bert"])
    for write in (
        lambda: write_shard(family, 0, 0, [batch], schema=batch.schema, statistics={}),
        lambda: add_calibration(made, calibration_at(2.0)),
    ):
        with pytest.raises(StoreMissingError, match="labels/bert has been removed since it was opened"):
            write()
    assert storage.list("labels/bert") == []
    assert storage.list("tmp") == []
    assert list(verify(storage)) == []


def test_who_writes_into_what_was_begun_again_with_another_card_is_told(storage) -> None:
    made = make_store(storage, labels=["bert"]).memoised()
    family, batch = shard_of(made, "bert", 0)
    family.card()
    remove(made, ["labels/bert"])
    made.family("labels/bert")  # another reader, which has read nothing
    store.open(storage).label_set("bert").freeze_card({"model": "another"})
    with pytest.raises(MismatchError, match="begun again by another run"):
        write_shard(family, 0, 0, [batch], schema=batch.schema, statistics={})
    assert storage.list("labels/bert") == ["card.copy.json", "card.json"]


def test_a_selection_is_not_frozen_while_its_labels_are_removed(storage) -> None:
    from store.selections.select import SelectionRequest, select

    made = make_store(storage)

    def ask(sql, labels):
        answer = made.sql(sql, labels=labels)
        if sql.startswith("SELECT row"):
            remove(made, ["labels/bert"])
        return answer

    with pytest.raises(StoreMissingError, match="has been removed"):
        select(made, "sure", SelectionRequest(where="confidence > 0.9"), ask=ask)
    assert storage.list(SELECTIONS) == []
    assert list(verify(storage)) == []


# readers


def test_a_store_that_is_open_says_that_a_label_set_is_gone(storage) -> None:
    made = make_store(storage, labels=["bert", "roberta"])
    assert made.sql("SELECT count(*) AS n FROM reviews", labels="bert")["n"].to_pylist() == [ROWS]
    remove(made, ["labels/bert"])
    with pytest.raises(StoreMissingError, match="has no label set 'bert'; it has: roberta"):
        made.sql("SELECT count(*) AS n FROM reviews", labels="bert")
    assert made.sql("SELECT count(*) AS n FROM labels")["n"].to_pylist() == [ROWS]


@pytest.mark.parametrize("query", ["SELECT count(*) FROM labels", "SELECT count(*) FROM reviews"])
def test_views_of_a_label_set_that_is_removed_are_an_error_and_not_empty(storage, query) -> None:
    made = make_store(storage)
    with Session(made, labels="bert") as session:
        remove(made, ["labels/bert"])
        with pytest.raises(StoreMissingError, match="labels/bert has been removed since it was opened"):
            session.reader(query).read_all()


def test_records_that_vanish_while_they_are_read_are_no_unfinished_label_set(storage) -> None:
    made = make_store(storage)
    add_labels(made, "half", shards=[0, 1])
    faulty = FaultyStorage(storage, before=lambda number: remove(made, ["labels/half"]) if number == 2 else None)
    family = store.open(storage).label_set("half")
    family = type(family)(faulty, family.path, family.shards, has_card=True)
    with pytest.raises(StoreMissingError, match="labels/half has been removed"):
        family.records()
    assert faulty.calls[:3] == ["list labels/half", "read labels/half/00000.json", "read labels/half/00001.json"]


def test_what_a_reader_has_opened_stays_readable_and_the_rest_is_an_error(storage) -> None:
    made = make_store(storage)
    reader = FamilyReader(made, "labels/bert", ["logits"])
    first = reader.read(np.arange(3))
    remove(made, ["labels/bert"])
    assert reader.read(np.arange(3))[0]["logits"].equals(first[0]["logits"])
    with pytest.raises(StoreMissingError, match="labels/bert has been removed"):
        reader.read(np.arange(ROWS))


def test_a_reader_never_takes_labels_made_again_for_those_that_it_opened(storage) -> None:
    made = make_store(storage)
    reader = FamilyReader(made, "labels/bert", ["logits"])
    remove(made, ["labels/bert"])
    add_labels(made, "bert", seed=9)
    with pytest.raises(StoreMissingError, match="has been repaired, or removed and made again, since it was opened"):
        reader.read(np.arange(ROWS))


def test_the_same_labels_made_again_are_the_same_for_a_reader_too(storage) -> None:
    made = make_store(storage)
    reader = FamilyReader(made, "labels/bert", ["logits"])
    before = snapshot(storage)
    remove(made, ["labels/bert"])
    add_labels(made, "bert")
    made.label_set("bert").seal()
    assert snapshot(storage) == before
    assert sum(len(piece["logits"]) for piece in reader.read(np.arange(ROWS))) == ROWS


def test_a_listing_is_of_one_folder(tmp_path, monkeypatch) -> None:
    """Files of a removed folder are deleted one after the other: a half listing would be an unfinished label set."""
    made = make_store(NoWaitStorage(tmp_path / "s"))
    whole, listdir = made.storage.list("labels/bert"), os.listdir

    def listed(path):
        if isinstance(path, int) and made.label_sets_to_remove:
            target = made.label_sets_to_remove.pop()
            names = listdir(path)[:2]
            remove(made, [target])
            return names
        return listdir(path)

    made.label_sets_to_remove = []
    monkeypatch.setattr(storage_folders.os, "listdir", listed)
    assert made.storage.list("labels/bert") == whole
    made.label_sets_to_remove.append("labels/bert")
    assert made.storage.list("labels/bert") == []


# kills


def removed_at_once(made):
    return remove(made, ["selections/sure", "labels/bert", f"tokens/{OTHER}"])


def prepared(storage):
    made = make_store(storage, encodings=[OTHER])
    made.select("sure", where="confidence > 0.9")
    return made


@pytest.mark.parametrize("fault", list(Fault))
def test_any_fault_in_any_call_leaves_a_store_that_is_whole_and_that_the_same_command_finishes(tmp_path, fault) -> None:
    counted = FaultyStorage(prepared(MemoryStorage()).storage)
    removed_at_once(store.open(counted))
    ended = set()
    for number in range(len(counted.calls)):
        storage = NoWaitStorage(tmp_path / str(number))
        rest = without(snapshot(prepared(storage).storage), "labels/", "tokens/", "selections/")
        faulty = FaultyStorage(storage, {number: fault})
        try:
            removed_at_once(store.open(faulty))
        except (StoreError, OSError, Killed) as error:
            ended.add(type(error).__name__)
        hidden = fault is Fault.CUT and any(verb.startswith("list") for verb, _ in faulty.struck)
        assert damage_in(storage) == [] or hidden  # half a listing does not show what needs the labels
        finish(storage)
        assert snapshot(storage) == rest
        assert list(verify(storage)) == []
    assert ("Killed" in ended) == (fault is Fault.KILL)


def finish(storage):
    """Remove what is left, as a user does who gives the same targets again without those that are said to be gone."""
    for target in ("selections/sure", "labels/bert", f"tokens/{OTHER}"):
        with contextlib.suppress(StoreMissingError):
            remove(store.open(storage), [target])


def test_the_same_command_after_a_kill_says_that_only_a_rest_was_there(tmp_path, monkeypatch) -> None:
    storage = NoWaitStorage(tmp_path / "s")
    made = make_store(storage)
    monkeypatch.setattr(storage_folders, "delete_folder", lambda path: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        remove(made, ["labels/bert"])
    monkeypatch.undo()
    assert made.label_sets() == []
    (litter,) = verify(storage)
    assert litter.problem == "what is left of labels/bert, removed"
    (rest,) = remove(made, ["labels/bert"])
    assert (rest.is_rest, rest.files) == (True, 9)
    assert list(verify(storage)) == []
    with pytest.raises(StoreMissingError, match="has no labels/bert"):
        remove(made, ["labels/bert"])


def test_the_next_label_run_and_repair_delete_what_a_killed_removal_left(tmp_path, monkeypatch) -> None:
    storage = NoWaitStorage(tmp_path / "s")
    made = make_store(storage, labels=["bert", "roberta"])
    for target in ("labels/bert", "labels/roberta"):
        monkeypatch.setattr(storage_folders, "delete_folder", lambda path: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            remove(made, [target])
        monkeypatch.undo()
        if target == "labels/bert":
            assert len(storage.sweep()) == 1
        else:
            from store.verify.repair import remove_litter

            assert len(remove_litter(made, list(verify(storage)))) == 1
        assert storage.list("tmp") == []


@pytest.mark.parametrize("times", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_at_any_moment_leaves_a_whole_store(tmp_path, times) -> None:
    chance = random.Random(5)
    for turn in range(times):
        storage = LocalStorage(tmp_path / str(turn))
        rest = without(snapshot(prepared(storage).storage), "labels/", "tokens/", "selections/")
        child = forked(lambda storage=storage: removed_at_once(store.open(storage)))
        time.sleep(chance.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert damage_in(storage) == []
        finish(storage)
        assert snapshot(storage) == rest
        assert list(verify(storage)) == []


def forked(do):
    """A process that does ``do`` and ends with 0."""
    if (child := os.fork()) == 0:
        code = 1
        try:
            do()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may get out of the fork
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    return child


@pytest.mark.parametrize("seconds", [3.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_readers_beside_it_have_one_label_set_whole_or_an_error(tmp_path, seconds) -> None:
    """Another process removes the labels and makes others under the same name, again and again."""
    storage = NoWaitStorage(tmp_path / "s")
    make_store(storage, labels=["bert"])
    seeds = (0, 1, 2)
    sums = {round(expected_sum(seed), 3) for seed in seeds}
    writer = forked(lambda: remove_and_label(storage, seeds, time.monotonic() + seconds))
    answers, errors = [], set()
    ends = time.monotonic() + seconds
    made = store.open(storage)
    while time.monotonic() < ends:
        for read in (sum_by_sql, sum_by_stream):
            try:
                answers.append(read(made))
            except (StoreMissingError, MismatchError) as error:
                errors.add(str(error).partition(" of ")[0].rpartition("/")[2][:60])
    assert os.waitpid(writer, 0)[1] == 0
    assert len(answers) > 10
    assert {round(total, 3) for total, rows in answers if rows == ROWS} <= sums
    # SQL shows what is committed: of a label set that is being made, whole shards from the first one on.
    begun = {
        round(float(random_logits(ROWS, seed=seed)[:stop].astype(np.float64).sum()), 3)
        for seed in seeds
        for stop in (0, 16, 33)
    }
    assert {round(total, 3) for total, rows in answers if rows < ROWS} <= begun
    assert errors


def remove_and_label(storage, seeds, ends):
    turn = 0
    while time.monotonic() < ends:
        turn += 1
        made = store.open(storage)
        remove(made, ["labels/bert"])
        add_labels(made, "bert", seed=seeds[turn % len(seeds)])
        made.label_set("bert").seal()
        time.sleep(0.05)


def sum_by_sql(made):
    answer = made.sql("SELECT coalesce(sum(list_sum(logits)), 0) AS total, count(*) AS n FROM labels").to_pylist()[0]
    return answer["total"], answer["n"]


def sum_by_stream(made):
    batches = list(made.stream(labels="bert", batch_size=7))
    return (
        float(sum(batch["logits"].astype(np.float64).sum() for batch in batches)),
        sum(len(batch["row"]) for batch in batches),
    )


def test_of_two_that_remove_the_same_both_end_well_or_one_is_told(tmp_path) -> None:
    for turn in range(6):
        storage = NoWaitStorage(tmp_path / str(turn))
        prepared(storage)
        children = [forked(lambda storage=storage: finish(storage)) for _ in range(3)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert list(verify(storage)) == []
        assert store.open(storage).label_sets() == []


def test_a_header_alone_has_nothing_to_remove(storage) -> None:
    made = write_header(storage, rows=10)
    with pytest.raises(StoreMissingError, match="it has: none"):
        remove(made, ["labels/bert"])
    assert storage.list(RUNS) == []


def test_the_method_of_a_store_does_the_same(storage) -> None:
    made = make_store(storage)
    assert [one.path for one in made.remove("labels/bert")] == ["labels/bert"]
    assert made.label_sets() == []


def test_record_names_are_those_of_the_listing(storage) -> None:
    """A torn record is there, and no sign of a removal."""
    made = make_store(storage)
    add_labels(made, "half", shards=[0])
    storage.put(f"labels/half/{record_name(1)}", b"{\n")
    assert list(made.label_set("half").records()) == [0]
