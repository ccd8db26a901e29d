"""Files that are appended to a store: one segment more, behind what is there, of which nothing changes."""

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from faults import snapshot
from whole_run import APPENDED_REJECTED, REJECTED, append_more, begin, label, whole_run, write_input, write_more

import store
from engine.errors import InputError, NewFilesError
from engine.ingest.append import append, finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.messages import TAKEN_ID
from store import Store
from store.errors import DamageError
from store.format.segments import GUARD
from store.storage import LocalStorage, MemoryStorage
from store.verify.verify import verify

ROWS = 9


def jsonl(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    return write_input(tmp_path, rows=ROWS)


@pytest.fixture
def made(files: tuple[str, ...]) -> Store:
    return whole_run(MemoryStorage(), files)


def texts(made: Store) -> list[str]:
    return made.dataset("corpus").to_table().column("text").to_pylist()


def column(made: Store, name: str) -> list[Any]:
    asked = made.sql(f'SELECT "{name}" AS value FROM corpus ORDER BY row').column("value").to_pylist()
    assert asked == made.dataset("corpus").to_table().column(name).to_pylist()
    return asked


def add(made: Store, *files: str, **options: Any) -> Store:
    append(made.storage, IngestConfig(files=files, **options))
    return store.open(made.storage)


# rows


def test_rows_and_shards_go_on_counting_and_no_file_changes(made: Store, tmp_path: Path) -> None:
    before = snapshot(made.storage)
    grown = append_more(made.storage, write_more(tmp_path, rows=6))
    assert before.items() <= snapshot(made.storage).items()
    assert grown.header == store.open(made.storage).header
    ranges = [tuple(part) for part in grown.layout]
    assert ranges == [(0, 0, 3), (1, 3, 6), (2, 6, 9), (3, 9, 12), (4, 12, 15)]
    assert list(grown.corpus.records()) == [0, 1, 2, 3, 4]
    assert grown.corpus.is_sealed()
    table = grown.dataset("corpus").to_table()
    assert table.column("row").to_pylist() == list(range(15))
    assert table.column("id").to_pylist()[9:] == [f"more.jsonl-{row}" for row in range(6)]
    assert grown.label_set("one").missing() == [3, 4]
    assert not [finding for finding in verify(made.storage) if finding.is_damage]


def test_label_sets_lack_the_new_shards_and_labelling_makes_them_as_the_card_says(made: Store, tmp_path: Path) -> None:
    before = snapshot(made.storage)
    label(append_more(made.storage, write_more(tmp_path)), "one")
    grown = store.open(made.storage)
    assert grown.label_set("one").missing() == []
    assert grown.label_set("one").is_sealed()
    assert before.items() <= snapshot(made.storage).items()
    assert not list(verify(made.storage))
    assert grown.sql("SELECT count(*) AS rows FROM reviews").to_pylist() == [{"rows": 15}]
    new = sorted(snapshot(made.storage).keys() - before.keys())
    assert "labels/one/manifest-00001.json" in new
    assert "labels/one/00003.json" in new


def test_a_store_that_was_labelled_after_all_was_appended_is_the_same(files: tuple[str, ...], tmp_path: Path) -> None:
    more = write_more(tmp_path)
    one, other = MemoryStorage(), MemoryStorage()
    whole_run(one, files)
    whole_run(one, files, more=more)
    whole_run(other, files, more=more)
    assert snapshot(one) == snapshot(other)


def test_one_segment_comes_behind_the_other(made: Store, tmp_path: Path) -> None:
    for number in range(3):
        grown = append_more(made.storage, write_more(tmp_path, f"{number}.jsonl", rows=number + 1), shards=number + 1)
    assert [(one.segment, one.first_row, one.rows, one.first_shard, one.shards) for one in grown.header.appended] == [
        (1, 9, 1, 3, 1), (2, 10, 2, 4, 2), (3, 12, 3, 6, 3),
    ]  # fmt: skip
    label(grown, "one")
    assert not list(verify(made.storage))
    batches = list(grown.stream(columns=("text", "row"), batch_size=4, seed=1))
    seen = {int(row): text for batch in batches for row, text in zip(batch["row"], batch["text"], strict=True)}
    assert [seen[row] for row in range(15)] == texts(grown)
    shards = grown.sql("SELECT shard FROM reviews ORDER BY row").column("shard").to_pylist()
    assert shards == [grown.layout.shard_of(row) for row in range(15)]


def test_a_store_that_is_open_sees_what_there_was(made: Store, tmp_path: Path) -> None:
    append_more(made.storage, write_more(tmp_path))
    label(store.open(made.storage), "late")
    assert list(made.corpus.records()) == [0, 1, 2]
    assert list(made.label_set("late").records()) == [0, 1, 2]
    assert made.sql("SELECT count(*) AS rows FROM labels WHERE label_set = 'late'").to_pylist() == [{"rows": 9}]
    grown = store.open(made.storage)
    assert grown.as_of(9).header == made.header
    with pytest.raises(ValueError, match="never had 10 rows; it had 9, 15"):
        grown.as_of(10)


# ids


def test_ids_that_are_there_are_refused_with_the_reason(made: Store, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    file = jsonl(
        tmp_path / "b.jsonl",
        {"id": "new", "text": "n"},
        {"id": "a", "text": "of the first"},
        {"id": "new", "text": "again"},
    )
    grown = add(made, file)
    assert texts(grown)[ROWS:] == ["n"]
    assert grown.rejects().to_table().slice(REJECTED).to_pylist() == [
        {"file": file, "source_row": 2, "id": "a", "reason": TAKEN_ID, "position": None, "lines": 1},
        {"file": file, "source_row": 3, "id": "new", "reason": grown_reason(grown), "position": None, "lines": 1},
    ]
    assert f"refused 1 row: {TAKEN_ID}" in caplog.text
    third = add(grown, jsonl(tmp_path / "c.jsonl", {"id": "new", "text": "of the second"}, {"id": "z", "text": "z"}))
    assert texts(third)[ROWS:] == ["n", "z"]
    assert [entry["rejected"] for one in third.header.appended for entry in one.inputs] == [2, 1]


def grown_reason(made: Store) -> str:
    (reason,) = {row["reason"] for row in made.rejects().to_table().to_pylist() if row["id"] == "new"}
    assert reason.startswith("id is that of an earlier row")
    return reason


def test_rows_without_ids_of_a_file_of_the_same_name_are_refused_with_the_way_out(tmp_path: Path, caplog) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one\ntwo\n")
    storage = MemoryStorage()
    ingest(storage, IngestConfig(files=(str(file),), classes=("a", "b")))
    file.write_text("eins\nzwei\ndrei\n")
    caplog.set_level(logging.INFO)
    append(storage, IngestConfig(files=(str(file),)))
    assert texts(store.open(storage)) == ["one", "two", "drei"]
    assert "refused 2 rows" in caplog.text
    assert "name a column of ids with --id, or give the file another name" in caplog.text
    file.write_text("uno\ndue\n")
    with pytest.raises(InputError, match=r"nothing is left to append: the ids of 2 rows are in .* --id, or give"):
        append(storage, IngestConfig(files=(str(file),)))


def test_a_file_is_read_with_the_stores_column_of_ids_unless_another_is_named(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    first = jsonl(tmp_path / "a.jsonl", {"ticket": "7", "text": "one"}, {"ticket": "8", "text": "two"})
    storage = MemoryStorage()
    ingest(storage, IngestConfig(files=(first,), columns=ColumnNames(id="ticket"), classes=("a", "b")))
    week = jsonl(tmp_path / "b.jsonl", {"id": "a", "ticket": "8", "text": "two"}, {"ticket": "9", "text": "three"})
    append(storage, IngestConfig(files=(week,)))
    said = f"{week}: as in {storage.location}, the id is 'ticket' and not 'id'; --id names another column"
    assert said in caplog.text
    assert texts(store.open(storage)) == ["one", "two", "three"]
    append(
        storage,
        IngestConfig(
            files=(jsonl(tmp_path / "c.jsonl", {"ticket": "8", "text": "two"}),), columns=ColumnNames(id=NO_COLUMN)
        ),
    )
    assert texts(store.open(storage)) == ["one", "two", "three", "two"]


def test_columns_of_the_store_that_a_file_has_not_or_has_several_of(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    storage = MemoryStorage()
    first = jsonl(tmp_path / "a.jsonl", {"ticket": "1", "message": "one", "queue": "a"})
    columns = ColumnNames(text="message", id="ticket", label="queue")
    ingest(storage, IngestConfig(files=(first,), columns=columns, classes=("a", "b")))
    plain = jsonl(tmp_path / "b.jsonl", {"id": "2", "text": "two", "label": "b"})
    append(storage, IngestConfig(files=(plain,)))
    assert "as in" not in caplog.text
    both = jsonl(tmp_path / "c.jsonl", {"id": "x", "ticket": "3", "message": "three", "queue": "b"})
    with pytest.raises(InputError, match="'id' and 'ticket' could each be the id, for .* choose with --id"):
        append(storage, IngestConfig(files=(both,)))
    append(storage, IngestConfig(files=(both,), columns=ColumnNames(id="ticket")))
    words = "the text is 'message', the label is 'queue'; --text, --label name other columns"
    assert f"{both}: as in {storage.location}, {words}" in caplog.text
    made = store.open(storage)
    assert (texts(made), column(made, "label")) == (["one", "two", "three"], [0, 1, 1])
    assert [one.inputs[0]["columns"]["label"] for one in made.header.segments] == ["queue", "label", "queue"]


def test_a_bad_row_stops_it_where_it_is_asked_and_nothing_is_appended(made: Store, tmp_path: Path) -> None:
    before = snapshot(made.storage)
    with pytest.raises(InputError, match=r"more\.jsonl row 4: .*--on-bad-row=reject"):
        add(made, *write_more(tmp_path), on_bad_row="fail")
    file = jsonl(tmp_path / "b.jsonl", {"id": "a", "text": "there"})
    with pytest.raises(InputError, match=f"row 1: {TAKEN_ID}"):
        add(made, file, on_bad_row="fail")
    both = jsonl(tmp_path / "both.jsonl", {"id": "a", "text": "there"}, {"id": "new", "text": ""})
    with pytest.raises(
        InputError, match=r"of 1 row are in memory://\w+ already; others cannot be read: .*both\.jsonl row 2: "
    ):
        add(made, both)
    with pytest.raises(InputError, match=r"nothing is left to append: the ids of 1 row are in memory://\w+ already$"):
        add(made, file)
    with pytest.raises(InputError, match="no usable row among 1"):
        add(made, jsonl(tmp_path / "c.jsonl", {"id": "c", "text": ""}))
    assert snapshot(made.storage) == before
    assert made.storage.list("tmp") == []


def test_ids_are_not_taken_from_a_damaged_file(made: Store, tmp_path: Path) -> None:
    name = f"corpus/{made.corpus.records()[1].file}"
    data = bytearray(made.storage.read(name).to_pybytes())
    data[len(data) // 2] ^= 1
    made.storage.put(name, bytes(data))
    with pytest.raises(DamageError, match=f"{name} is damaged: its sha256"):
        add(made, *write_more(tmp_path))


# the same files


@pytest.mark.parametrize("which", ["first", "second", "both", "moved"])
def test_the_same_files_again_change_nothing(
    made: Store, files: tuple[str, ...], tmp_path: Path, caplog, which: str
) -> None:
    more = write_more(tmp_path)
    append_more(made.storage, more)
    before = snapshot(made.storage)
    given = {"first": files, "second": more, "both": (*more, *files), "moved": (str(tmp_path / "moved.jsonl"),)}[which]
    if which == "moved":
        Path(more[0]).rename(given[0])
    caplog.set_level(logging.INFO)
    grown = add(made, *given)
    assert grown.layout.rows == ROWS + 6
    assert finish_corpus(made.storage, given).header == grown.header
    assert snapshot(made.storage) == before
    assert "nothing is appended" in caplog.text


def test_of_files_of_which_one_is_there_the_other_is_appended(made: Store, files: tuple[str, ...], tmp_path) -> None:
    more = write_more(tmp_path)
    grown = add(made, *files, *more)
    assert [entry["path"] for one in grown.header.appended for entry in one.inputs] == list(more)
    assert grown.rejects().count_rows() == REJECTED + APPENDED_REJECTED


def test_new_files_are_not_appended_unasked(made: Store, files: tuple[str, ...], tmp_path: Path) -> None:
    before = snapshot(made.storage)
    more = write_more(tmp_path)
    with pytest.raises(NewFilesError, match=r"more\.jsonl is no input of .* yet: --append adds the rows") as raised:
        finish_corpus(made.storage, (*files, *more))
    assert (raised.value.store, raised.value.files) == (made.location, list(more))
    Path(files[0]).write_text(Path(files[0]).read_text() + '{"id": "last", "text": "one more"}\n')
    with pytest.raises(InputError, match=r"in\.jsonl has changed since .*, if its rows are new ones, .*--append"):
        finish_corpus(made.storage, files)
    assert snapshot(made.storage) == before
    assert texts(add(made, *files))[ROWS:] == ["one more"]


# what was not finished


def without(storage: MemoryStorage, *begins: str) -> None:
    for name in snapshot(storage):
        if name.startswith(begins):
            storage.remove_dead(name)


UNFINISHED = [
    ("corpus/00004", "corpus/manifest-00001.json"),
    ("corpus/00003", "corpus/00004", "corpus/manifest-00001.json"),
    ("corpus/manifest-00001.json",),
    ("segments/00001.copy.json", "corpus/00003", "corpus/00004", "corpus/manifest-00001.json"),
    ("segments/00001.", "corpus/00003", "corpus/00004", "corpus/manifest-00001.json"),
    ("segments/", "corpus/00003", "corpus/00004", "corpus/manifest-00001.json", GUARD),
]


@pytest.mark.parametrize("gone", UNFINISHED)
@pytest.mark.parametrize("how", ["again", "moved", "without files"])
def test_what_was_begun_is_finished_with_the_same_bytes(files, tmp_path, gone: tuple[str, ...], how: str) -> None:
    more = write_more(tmp_path)
    storage = MemoryStorage()
    whole_run(storage, files, more=more)
    whole = snapshot(storage)
    without(storage, *gone, "labels/one/00004", "labels/one/manifest-00001.json")
    if how == "moved" and "segments/00001." not in gone and "segments/" not in gone:
        more = (str(Path(more[0]).rename(tmp_path / "elsewhere.jsonl")),)
    if how != "without files" or "segments/00001." in gone or "segments/" in gone:
        append_more(storage, more)
    label(finish_corpus(storage), "one")
    assert snapshot(storage) == whole
    assert not list(verify(storage))


def test_a_first_ingest_is_finished_before_anything_is_appended(files: tuple[str, ...], tmp_path: Path) -> None:
    storage, more = MemoryStorage(), write_more(tmp_path)
    whole_run(storage, files, more=more)
    whole = snapshot(storage)
    without(storage, "segments/", GUARD, "corpus/0000", "corpus/manifest", "labels/", "tokens/")
    with pytest.raises(InputError, match=r"more\.jsonl is no input of .* finish it first, with .*in\.jsonl or no file"):
        finish_corpus(storage, more)
    whole_run(storage, files, more=more)
    assert snapshot(storage) == whole
    without(storage, "segments/", GUARD, "corpus/0000", "corpus/manifest", "labels/", "tokens/")
    Path(files[0]).rename(tmp_path / "away.jsonl")
    with pytest.raises(InputError, match=r"needs its input .*in\.jsonl, and it is not there"):
        append_more(storage, more)


def test_rows_whose_texts_are_not_written_and_whose_files_are_elsewhere_are_left_aside(
    files, tmp_path: Path, caplog, monkeypatch
) -> None:
    """Another machine appends them, and its files are not here."""
    storage, more = MemoryStorage(), write_more(tmp_path)
    whole_run(storage, files, more=more)
    without(storage, "corpus/00004", "corpus/manifest-00001.json")
    moved = Path(more[0]).rename(tmp_path / "away.jsonl")
    caplog.set_level(logging.INFO)
    assert finish_corpus(storage).layout.rows == ROWS
    assert finish_corpus(storage, files).layout.rows == ROWS
    assert "rows from 9 on are left aside" in caplog.text
    monkeypatch.setattr("engine.ingest.append._PATIENCE", 0.2)
    with pytest.raises(InputError, match=r"needs its input .*more\.jsonl"):
        append_more(storage, write_more(tmp_path, "third.jsonl"))
    assert finish_corpus(storage, (str(moved),)).layout.rows == ROWS + 6


def test_who_appends_waits_for_another_whose_files_are_elsewhere(files, tmp_path: Path) -> None:
    storage, more = MemoryStorage(), write_more(tmp_path)
    whole_run(storage, files, more=more)
    left = {name: data for name, data in snapshot(storage).items() if name.startswith("corpus/")}
    without(storage, "corpus/00003", "corpus/00004", "corpus/manifest-00001.json")
    Path(more[0]).rename(tmp_path / "away.jsonl")

    def write_on() -> None:
        for shard in ("00003", "00004"):
            time.sleep(0.1)
            for name in sorted(left, reverse=True):  # the data before its record
                if name.startswith(f"corpus/{shard}"):
                    storage.put(name, left[name])

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(write_on)
        grown = append_more(storage, write_more(tmp_path, "third.jsonl"))
        other.result()
    assert [one.rows for one in grown.header.appended] == [6, 6]
    assert not [finding for finding in verify(storage) if finding.is_damage]


# gold


def test_gold_is_of_the_stores_classes_and_other_labels_are_none(made: Store, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    rows = [("x", "good"), ("y", "BAD"), ("z", "awful"), ("w", None)]
    file = jsonl(tmp_path / "b.jsonl", *({"id": id_, "text": id_, "label": gold} for id_, gold in rows))
    grown = add(made, file)
    assert column(grown, "label")[ROWS:] == [1, 0, None, None]
    assert "labels of 1 row are none of the classes bad, good: awful" in caplog.text


def test_a_label_column_of_other_things_is_kept_and_is_no_gold(made: Store, tmp_path: Path) -> None:
    rows = [{"id": "x", "text": "x", "topic": "sports"}, {"id": "y", "text": "y", "topic": "arts"}]
    file = jsonl(tmp_path / "b.jsonl", *rows)
    with pytest.raises(InputError, match="column topic"):
        add(made, file, columns=ColumnNames(label="topic"))
    grown = add(made, file)
    assert column(grown, "label")[ROWS:] == [None, None]
    assert column(grown, "topic")[ROWS:] == ["sports", "arts"]


# kept columns


def test_kept_columns_are_null_where_a_segment_has_none(made: Store, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    stars = column(made, "stars")
    second = add(made, jsonl(tmp_path / "b.jsonl", {"id": "x", "text": "x", "lang": "de", "stars": 4}))
    third = add(second, jsonl(tmp_path / "c.jsonl", {"id": "y", "text": "y"}))
    last = add(third, jsonl(tmp_path / "d.jsonl", {"id": "z", "text": "z", "score": 0.5, "lang": None}))
    assert last.header.kept == {"stars": "int64", "lang": "string", "score": "double"}
    assert column(last, "stars") == [*stars, 4, None, None]
    assert column(last, "lang") == [*[None] * ROWS, "de", None, None]
    assert column(last, "score") == [*[None] * (ROWS + 2), 0.5]
    assert "columns that are new are null in the rows before: lang" in caplog.text
    assert "columns of the store that are not there are null: stars, lang" in caplog.text
    label(last, "one")
    asked = last.sql("SELECT row, lang, score FROM reviews WHERE lang = 'de' OR score > 0 ORDER BY row").to_pylist()
    assert asked == [{"row": 9, "lang": "de", "score": None}, {"row": 11, "lang": None, "score": 0.5}]
    (batch,) = last.stream(columns=("lang", "text"), batch_size=100)
    assert batch["lang"][batch["row"] == 9].tolist() == ["de"]
    assert [value for row, value in zip(batch["row"], batch["lang"], strict=True) if row != 9] == [None] * (ROWS + 2)
    assert not list(verify(made.storage))


KEPT = [
    (1, 2.5, "double", [1.0, 2.5], "int64"),
    (1.5, 2, "double", [1.5, 2.0], None),
    ("a", 2, "string", ["a", "2"], None),
    (True, "x", "bool", None, "bool"),
    (1, "x", "int64", None, "int64"),
    (2**63, 5, "uint64", [2**63, 5], None),
    (2**63, -5, "uint64", None, "uint64"),
    (5, 2**63, "int64", None, "int64"),
    (1, None, "int64", [1, None], None),
]


@pytest.mark.parametrize(("first", "second", "type_", "expected", "refused"), KEPT)
def test_a_kept_column_keeps_its_type_or_is_refused(tmp_path, first, second, type_, expected, refused) -> None:
    storage = MemoryStorage()
    one = jsonl(tmp_path / "one.jsonl", {"id": "a", "text": "a", "kept": first})
    ingest(storage, IngestConfig(files=(one,), classes=("x", "y")))
    two = jsonl(tmp_path / "two.jsonl", {"id": "b", "text": "b", "kept": second})
    before = snapshot(storage)
    if refused is not None:
        with pytest.raises(
            InputError, match=rf"two\.jsonl: the column 'kept' has values of type .* keeps it as {refused}"
        ):
            append(storage, IngestConfig(files=(two,)))
        assert snapshot(storage) == before
        return
    append(storage, IngestConfig(files=(two,)))
    grown = store.open(storage)
    assert grown.header.kept == {"kept": type_}
    assert column(grown, "kept") == expected


def test_a_kept_column_of_another_case_is_refused(made: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the column 'Stars' is 'stars' in .*; rename it, or leave it out"):
        add(made, jsonl(tmp_path / "b.jsonl", {"id": "x", "text": "x", "Stars": 4}))


# where it is


def test_on_a_disk_it_is_the_same_as_in_memory(files: tuple[str, ...], tmp_path: Path) -> None:
    more, disk, memory = write_more(tmp_path), LocalStorage(tmp_path / "s.store"), MemoryStorage()
    for storage in (disk, memory):
        whole_run(storage, files, more=more)
    assert snapshot(disk) == snapshot(memory)
    assert disk.list("tmp") == []


def test_many_segments_are_streamed_row_by_row(tmp_path: Path) -> None:
    storage = MemoryStorage()
    begin(storage, write_input(tmp_path, rows=ROWS))
    for number in range(12):
        rows = [{"id": f"{number}-{row}", "text": f"{number} {row}", "n": number} for row in range(5)]
        append(storage, IngestConfig(files=(jsonl(tmp_path / f"{number}.jsonl", *rows),), shards=1 + number % 3))
    grown = store.open(storage)
    assert grown.layout.rows == ROWS + 60
    numbers = np.concatenate([batch["row"] for batch in grown.stream(columns=("text",), batch_size=8, seed=4)])
    assert sorted(numbers.tolist()) == list(range(ROWS + 60))
    assert column(grown, "n") == [None] * ROWS + [number for number in range(12) for _ in range(5)]
    assert pa.compute.count_distinct(grown.dataset("corpus").to_table().column("id")).as_py() == ROWS + 60
    assert not list(verify(storage))
