"""Input files → the header, the corpus and the rejects of a store."""

import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import store
from engine.errors import InputError
from engine.ingest.append import finish_corpus
from engine.ingest.ingest import IngestConfig, ingest, rewrite_rejects
from engine.ingest.input_file import describe_input, file_version
from engine.ingest.known_inputs import check_inputs
from engine.ingest.validate import ValidatedInputs
from engine.ingest.write_corpus import read_texts, write_corpus
from engine.inputs.columns import ColumnNames
from engine.inputs.messages import REPEATED_ID
from engine.inputs.options import ReadOptions
from store import Store
from store.errors import DamageError
from store.format.header import read_header
from store.format.json_file import to_json
from store.storage import LocalStorage, MemoryStorage, Storage

KNOWN = ["neg", "pos"]


def jsonl(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def make(*files: str, storage: Storage | None = None, known: list[str] | None = None, **config: object) -> Store:
    classes = known if known is not None or "classes" in config else KNOWN
    return ingest(storage or MemoryStorage(), IngestConfig(files=files, **config), known=classes)


def rows(made: Store, query: str) -> list[dict]:
    return made.sql(query).to_pylist()


def texts(made: Store) -> list[str]:
    return [row["text"] for row in rows(made, "SELECT text FROM corpus ORDER BY row")]


def rejects(made: Store) -> list[tuple[int, str]]:
    found = rows(made, "SELECT source_row, reason FROM rejects ORDER BY file, source_row")
    return [(row["source_row"], row["reason"]) for row in found]


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def check_exactly_once(made: Store) -> None:
    """Input rows = corpus rows + rejects, in the header, in SQL and file by file; and the shards cover the rows."""
    count = rows(made, "SELECT (SELECT count(*) FROM corpus) AS kept, (SELECT count(*) FROM rejects) AS refused")[0]
    inputs = made.header.inputs
    assert count["kept"] == made.header.rows
    assert count["refused"] == made.header.rejects["rows"] == sum(entry["rejected"] for entry in inputs)
    assert count["kept"] + count["refused"] == sum(entry["rows"] for entry in inputs)
    per_file = {row["file"]: row["n"] for row in rows(made, "SELECT file, count(*) AS n FROM rejects GROUP BY file")}
    assert per_file == {entry["path"]: entry["rejected"] for entry in inputs if entry["rejected"]}
    numbers = [row["row"] for row in rows(made, "SELECT row FROM corpus ORDER BY row")]
    assert numbers == list(range(made.header.rows))
    assert (
        rows(made, "SELECT * FROM rejects WHERE file IS NULL OR source_row < 1 OR reason IS NULL OR reason = ''") == []
    )
    assert rows(made, "SELECT file FROM rejects GROUP BY file, source_row HAVING count(*) > 1") == []
    assert rows(made, "SELECT id FROM corpus GROUP BY id HAVING count(*) > 1") == []


# --- a thousand hostile rows


def hostile_texts(generator: random.Random) -> list[tuple[str, bool]]:
    """(text, whether it is fit) of 1,000 rows."""
    alphabets = ["abc xyz", "äöüß€", "日本語", "🙂🧨\u200d", 'a",\n\r\t;', "\u0301e\u202e", "\\/{}[]'"]
    refused = ["", " ", "\t\n", "\u3000\u00a0", "a\0b", "x\ud800", "\udfff", "n" * 2_000_001]
    found = []
    for number in range(1000):
        if generator.random() < 0.3:
            found.append((generator.choice(refused[:-1] if number % 100 else refused), False))
        else:
            text = "".join(generator.choices(generator.choice(alphabets), k=generator.randint(1, 60)))
            found.append((text, bool(text.strip())))
    return found


def hostile_jsonl(path: Path) -> list[tuple[str, str | None]]:
    """Write the file; (id, its text or None where it is to be refused) of its rows."""
    generator = random.Random(11)
    junk = ["{", "[1, 2]", "3", "null", '"text"', "[" * 100_000, '{"text": 5, "id": "x"}', '{"id": "no text"}', "\x00"]
    lines, expected, seen = [], [], set()
    for number, (text, fit) in enumerate(hostile_texts(generator)):
        if generator.random() < 0.1:
            lines.append(generator.choice(junk))
            expected.append(("", None))
            continue
        id_ = f"r{generator.randint(0, number)}"
        lines.append(json.dumps({"id": id_, "text": text, "n": number}, ensure_ascii=generator.random() < 0.5))
        expected.append((id_, text if fit and id_ not in seen else None))
        seen |= {id_} if fit else set()
        if generator.random() < 0.1:
            lines.append("  ")
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return expected


def hostile_csv(path: Path) -> list[tuple[str, str | None]]:
    generator = random.Random(12)
    content, expected, seen = io.StringIO(), [], set()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(["id", "text", "n"])
    for number, (text, fit) in enumerate(hostile_texts(generator)):
        if generator.random() < 0.1:
            content.write(generator.choice(["one,field?\r\n", "1,2,3,4\r\n", '9,"closed" badly,0\r\n', "x\r\n"]))
            expected.append(("", None))
            continue
        id_ = f"r{generator.randint(0, number)}"
        writer.writerow([id_, text, number])
        expected.append((id_, text if fit and id_ not in seen else None))
        seen |= {id_} if fit else set()
    path.write_bytes(content.getvalue().encode("utf-8", "surrogatepass"))
    return expected


@pytest.mark.parametrize("write", [hostile_jsonl, hostile_csv])
def test_every_hostile_row_is_stored_as_it_was_or_refused_with_a_reason(
    tmp_path: Path, write: Callable[[Path], list[tuple[str, str | None]]]
) -> None:
    path = tmp_path / f"in.{write.__name__.removeprefix('hostile_')}"
    expected = write(path)
    made = make(str(path), storage=LocalStorage(tmp_path / "s.store"), shards=7)
    check_exactly_once(made)
    made = store.open(tmp_path / "s.store")
    kept = [(row["id"], row["text"]) for row in rows(made, "SELECT id, text FROM corpus ORDER BY row")]
    fit = [(id_, text) for id_, text in expected if text is not None]
    # A row beside one with a stray quotation mark is doubtful; if it is refused, a later one may have its id.
    doubtful = 3 if write is hostile_csv else 0
    assert sum(row not in kept for row in fit) <= doubtful
    assert sum(row not in fit for row in kept) <= doubtful
    assert [row for row in kept if row in fit] == [row for row in fit if row in kept]
    if write is hostile_jsonl:
        assert [number for number, _ in rejects(made)] == [
            number for number, (_, text) in enumerate(expected, 1) if text is None
        ]

    assert 300 < made.header.rows < 800
    assert sum(entry["rows"] for entry in made.header.inputs) in (
        (1000,) if write is hostile_jsonl else range(980, 1001)
    )


@settings(deadline=None, max_examples=25)
@given(
    values=st.lists(st.text(max_size=6) | st.binary(max_size=6), min_size=1, max_size=12),
    shards=st.integers(1, 5),
)
def test_any_rows_are_counted_once_and_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | bytes], shards: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    as_bytes = [value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in values]
    pq.write_table(pa.table({"text": pa.array([b"first", *as_bytes], pa.binary())}), folder / "in.parquet")
    strings = [value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value for value in values]
    lines = jsonl(folder / "in.jsonl", *({"text": text} for text in ["first", *strings]))
    made = make(str(folder / "in.parquet"), lines, shards=shards)
    check_exactly_once(made)
    fit = [text for text in strings if text.strip() and not re.search("[\0\ud800-\udfff]", text)]
    decoded = [value.decode("utf-8", "replace") for value in as_bytes]
    fit_bytes = [text for text, raw in zip(decoded, as_bytes, strict=True) if text.encode() == raw]
    fit_bytes = [text for text in fit_bytes if text.strip() and "\0" not in text]
    assert texts(made) == ["first", *fit_bytes, "first", *fit]


# --- the same bytes


@pytest.fixture
def three_files(tmp_path: Path) -> tuple[str, ...]:
    """A Parquet, a CSV and a JSON Lines file, 600 rows in all, with rejects and repeated ids."""
    parquet = pa.table(
        {
            "id": [f"p{number % 190}" for number in range(200)],
            "text": [f"text {number}" if number % 9 else " " for number in range(200)],
            "stars": pa.array([number % 5 for number in range(200)], pa.int8()),
        }
    )
    pq.write_table(parquet, tmp_path / "a.parquet", row_group_size=64)
    lines = [f"c{number},text {number},{number % 5}" for number in range(200)]
    (tmp_path / "b.csv").write_text("\n".join(["id,text,stars", *lines, "p1,again,1", "odd"]))
    last = ({"stars": 1, "text": f"text {number}", "id": f"j{number}"} for number in range(198))
    jsonl(tmp_path / "c.jsonl", *last)
    return tuple(str(tmp_path / name) for name in ("a.parquet", "b.csv", "c.jsonl"))


def test_a_label_map_makes_a_store_that_is_found_again(tmp_path: Path) -> None:
    file, options = jsonl(tmp_path / "a.jsonl", {"text": "a"}), ReadOptions(label_map=(("good", "pos"),))
    made = make(file, options=options)
    assert made.header == read_header(made.storage)
    assert ReadOptions.of_json(options.to_json()) == options


def test_files_of_different_formats_make_one_store(three_files: tuple[str, ...]) -> None:
    made = make(*three_files, shards=4)
    check_exactly_once(made)
    assert [entry["rows"] for entry in made.header.inputs] == [200, 202, 198]
    found = rows(made, "SELECT row, id, text FROM corpus WHERE id IN ('c7', 'j0', 'p1') ORDER BY row")
    assert [(row["id"], row["text"]) for row in found] == [("p1", "text 1"), ("c7", "text 7"), ("j0", "text 0")]


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, three_files: tuple[str, ...]) -> None:
    for name in ("one.store", "two.store"):
        make(*three_files, storage=LocalStorage(tmp_path / name), shards=5)
    first = files_of(tmp_path / "one.store")
    assert first == files_of(tmp_path / "two.store")
    assert len(first) == 2 + 1 + 2 * 5 + 1


@pytest.mark.parametrize("kept", [(), (0,), (4,), (1, 2), (0, 1, 2, 3)])
def test_a_corpus_killed_at_any_shard_is_finished_with_the_same_bytes(
    tmp_path: Path, three_files: tuple[str, ...], kept: tuple[int, ...]
) -> None:
    root = tmp_path / "s.store"
    make(*three_files, storage=LocalStorage(root), shards=5)
    whole = files_of(root)
    (root / "corpus" / "manifest.json").unlink()
    for shard in set(range(5)) - set(kept):
        for path in (root / "corpus").glob(f"{shard:05d}*"):
            path.unlink()
    made = store.open(root)
    assert made.corpus.missing() == sorted(set(range(5)) - set(kept))
    write_corpus(made, check_inputs(made, three_files))
    assert files_of(root) == whole


def test_writing_a_finished_corpus_changes_nothing(tmp_path: Path, three_files: tuple[str, ...]) -> None:
    made = make(*three_files, storage=LocalStorage(tmp_path / "s.store"))
    before = files_of(tmp_path / "s.store")
    write_corpus(made, check_inputs(made, three_files))
    assert files_of(tmp_path / "s.store") == before


def test_a_store_in_memory_and_one_on_disk_are_the_same(tmp_path: Path, three_files: tuple[str, ...]) -> None:
    memory = make(*three_files, shards=3)
    disk = make(*three_files, storage=LocalStorage(tmp_path / "s.store"), shards=3)
    assert memory.header == disk.header
    assert memory.corpus.records() == disk.corpus.records()


def test_texts_of_a_shard_are_read_in_row_order(three_files: tuple[str, ...]) -> None:
    made = make(*three_files, shards=3)
    assert [text for shard in range(3) for text in read_texts(made, shard)] == texts(made)


def test_a_shard_that_is_not_written_is_refused_with_the_remedy(tmp_path: Path, three_files: tuple[str, ...]) -> None:
    made = make(*three_files, storage=LocalStorage(tmp_path / "s.store"), shards=2)
    for name in ("00001.json", "manifest.json"):
        (tmp_path / "s.store" / "corpus" / name).unlink()
    with pytest.raises(
        InputError, match=r"corpus lacks 1 of \d shards \(the first is 1\); `engine label --store .* --teacher MODEL`"
    ):
        read_texts(made, 1)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_rows_are_cut_into_shards_in_order_even_into_more_than_there_are(tmp_path: Path, shards: int) -> None:
    made = make(jsonl(tmp_path / "in.jsonl", {"text": "a"}, {"text": "b"}, {"text": "c"}), shards=shards)
    check_exactly_once(made)
    assert texts(made) == ["a", "b", "c"]
    assert [record.rows for record in made.corpus.records().values()] == [
        (shard + 1) * 3 // shards - shard * 3 // shards for shard in range(shards)
    ]
    assert made.corpus.is_sealed()


# --- changed inputs


def test_changed_inputs_are_refused_with_both_hashes(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    made = make(str(path))
    check_inputs(made, [str(path)])
    path.write_text("one\ntwo!\n")
    with pytest.raises(InputError) as raised:
        check_inputs(made, [str(path)])
    message = str(raised.value)
    assert f"{path} has changed since" in message
    then, now = (hashlib.sha256(content).hexdigest()[:16] for content in (b"one\ntwo\n", b"one\ntwo!\n"))
    assert f"8 bytes with sha256 {then} then, 9 bytes with {now} now" in message


def test_other_or_missing_inputs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\n")
    made = make(str(path))
    with pytest.raises(InputError, match="was made from 1 input files, and 2 are given now"):
        check_inputs(made, [str(path), str(path)])
    path.unlink()
    with pytest.raises(InputError, match="needs its input .*, and it is not there"):
        check_inputs(made, [str(path)])


def hashed_by(made: Store, inputs: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that `finish_corpus` hashed."""
    hashed: list[str] = []

    def describe(file: str) -> dict[str, Any]:
        hashed.append(file)
        return describe_input(file)

    monkeypatch.setattr("engine.ingest.known_inputs.describe_input", describe)
    assert finish_corpus(made.storage, inputs).header == made.header
    return hashed


def note_a_run(made: Store, started: str) -> None:
    made.storage.put(f"runs/{started}-0123abcd.json", to_json({"started": started, "shards": []}))


def test_the_inputs_of_a_complete_corpus_are_hashed_only_if_they_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    made = make(str(path))
    given = (str(path),)
    assert hashed_by(made, (), monkeypatch) == []
    assert hashed_by(made, given, monkeypatch) == [str(path)]  # no run says since when the corpus is there
    note_a_run(made, "20000101T000000Z")
    assert hashed_by(made, given, monkeypatch) == [str(path)]  # touched after that run began
    made.storage.remove_dead("runs/20000101T000000Z-0123abcd.json")
    note_a_run(made, "29990101T000000Z")
    made.storage.put("runs/notes.txt", b"of someone")
    assert hashed_by(made, given, monkeypatch) == []
    moved = str(shutil.copy(path, tmp_path / "moved.txt"))
    assert hashed_by(made, (moved,), monkeypatch) == [moved]


def test_an_input_of_another_size_is_refused_however_old_it_is(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    made = make(str(path))
    note_a_run(made, "29990101T000000Z")
    path.write_text("one\ntwo\nthree\n")
    with pytest.raises(InputError, match="has changed since"):
        finish_corpus(made.storage, [str(path)])


@pytest.mark.parametrize("keeps_time", [False, True])
def test_an_input_that_was_replaced_by_one_of_the_same_size_is_refused(tmp_path: Path, keeps_time: bool) -> None:
    path, other = tmp_path / "in.txt", tmp_path / "other.txt"
    path.write_text("one\ntwo\n")
    other.write_text("one\nsix\n")
    os.utime(other, (0, 0))
    made = make(str(path))
    note_a_run(made, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    if keeps_time:
        other.replace(path)  # as old as it was; only its status changes
    else:
        path.write_text(other.read_text())
    with pytest.raises(InputError, match="has changed since"):
        finish_corpus(made.storage, [str(path)])


def test_the_inputs_of_an_incomplete_corpus_are_always_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    made = make(str(path), storage=LocalStorage(tmp_path / "s.store"), shards=2)
    note_a_run(made, "29990101T000000Z")
    for name in ("00001.json", "manifest.json"):
        (tmp_path / "s.store" / "corpus" / name).unlink()
    assert hashed_by(made, (str(path),), monkeypatch) == [str(path)]
    assert made.corpus.is_sealed()


def test_a_copy_of_an_input_under_another_name_is_the_same_input(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n")
    made = make(str(tmp_path / "in.txt"))
    (tmp_path / "in.txt").rename(tmp_path / "moved.txt")
    check_inputs(made, [str(tmp_path / "moved.txt")])


@pytest.mark.parametrize("content", ["one\n", "one\ntwo\nthree\n", ""])
def test_rows_that_come_or_go_between_the_passes_are_noticed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    root = tmp_path / "s.store"
    make(str(path), storage=LocalStorage(root))
    for name in ("manifest.json", "00000.json"):
        (root / "corpus" / name).unlink()
    path.write_text(content)
    with pytest.raises(InputError, match=r"in\.txt changed while it was read"):
        write_corpus(store.open(root), [file_version(str(path))])


def test_a_file_that_is_written_to_between_the_passes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("one\ntwo\n")
    root = tmp_path / "s.store"
    made = make(str(path), storage=LocalStorage(root))
    for name in ("manifest.json", "00000.json"):
        (root / "corpus" / name).unlink()
    seen = check_inputs(made, [str(path)])
    path.write_text("two\none\n")
    os.utime(path, ns=(seen[0].modified + 1, seen[0].modified + 1))
    with pytest.raises(InputError, match=r"in\.txt changed while it was read; run again when nobody writes to it"):
        write_corpus(made, seen)
    assert made.corpus.records() == {}


def test_damaged_corpus_shards_and_rejects_are_made_again_with_the_same_bytes(
    tmp_path: Path, three_files: tuple[str, ...]
) -> None:
    root = tmp_path / "s.store"
    made = make(*three_files, storage=LocalStorage(root), shards=5)
    whole = files_of(root)
    damaged = [path for path in root.rglob("*.arrow") if path.name[:5] in ("00000", "00003")]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DamageError, match=r"rejects/00000-\w+\.arrow has .* bytes, and its record says"):
        write_corpus(made, check_inputs(made, three_files), repair=[0, 3])
    assert rewrite_rejects(made, check_inputs(made, three_files))
    write_corpus(made, check_inputs(made, three_files), repair=[0, 3])
    assert len(damaged) == 3
    assert files_of(root) == whole


# --- bad rows


def test_one_bad_row_fails_with_file_and_row_where_that_is_asked(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "in.jsonl", *[{"text": "x"}] * 1500, {"text": ""}, {"text": "y"})
    with pytest.raises(InputError, match=re.escape(f"{file} row 1,501: text is empty. Mend or drop the row")):
        make(file, storage=LocalStorage(tmp_path / "s.store"), on_bad_row="fail")
    assert files_of(tmp_path / "s.store") == {}


def test_a_repeated_id_fails_with_file_and_row_where_that_is_asked(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "a.jsonl", {"id": 1, "text": "x"}, {"id": 2, "text": "x"})
    second = jsonl(tmp_path / "b.jsonl", {"id": 3, "text": "x"}, {"id": 2, "text": "x"})
    with pytest.raises(InputError, match=re.escape(f"{second} row 2: id is that of an earlier row")):
        make(first, second, storage=LocalStorage(tmp_path / "s.store"), on_bad_row="fail")
    assert files_of(tmp_path / "s.store") == {}


def test_good_rows_do_not_fail_where_bad_ones_would(tmp_path: Path) -> None:
    assert texts(make(jsonl(tmp_path / "in.jsonl", {"text": "x"}), on_bad_row="fail")) == ["x"]


def test_without_a_usable_row_there_is_no_store(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "in.jsonl", {"text": ""}, "junk")
    with pytest.raises(InputError, match="no usable row among 2"):
        make(file, storage=LocalStorage(tmp_path / "s.store"))
    assert files_of(tmp_path / "s.store") == {}


def test_the_first_of_equal_ids_stays_across_files_and_a_refused_one_does_not_count(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "a.jsonl", {"id": "x", "text": " "}, {"id": "y", "text": "y1"}, {"id": "y", "text": "y2"})
    second = jsonl(
        tmp_path / "b.jsonl", {"id": "x", "text": "x1"}, {"id": "y", "text": "y3"}, {"id": "x", "text": "x2"}
    )
    made = make(first, second)
    check_exactly_once(made)
    assert texts(made) == ["y1", "x1"]
    repeat = REPEATED_ID
    assert rejects(made) == [(1, "text is blank"), (3, repeat), (2, repeat), (3, repeat)]
    ids = rows(made, "SELECT id FROM rejects ORDER BY file, source_row")
    assert [row["id"] for row in ids] == ["x", "y", "y", "x"]


def test_an_id_that_looks_like_file_and_row_of_another_file_is_a_repeat(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    clash = jsonl(tmp_path / "b.jsonl", {"id": f"{tmp_path}/a.txt:2", "text": "clash"}, {"id": "own", "text": "own"})
    made = make(str(tmp_path / "a.txt"), clash)
    check_exactly_once(made)
    assert texts(made) == ["one", "two", "own"]


def test_rows_refused_in_every_block_of_a_file_are_the_ones_left_out(tmp_path: Path) -> None:
    bad = {*range(0, 5000, 7), *range(1024, 2048)}
    made = make(jsonl(tmp_path / "in.jsonl", *({"text": "" if n in bad else str(n)} for n in range(5000))))
    check_exactly_once(made)
    assert texts(made) == [str(number) for number in range(5000) if number not in bad]
    assert [number for number, _ in rejects(made)] == [number + 1 for number in sorted(bad)]


def test_many_repeats_and_rejects_over_many_files_find_their_places(tmp_path: Path) -> None:
    files = []
    for number in range(40):
        content = [{"id": row // 2 + number, "text": "x" if row % 3 else ""} for row in range(30)]
        files.append(jsonl(tmp_path / f"{number:02d}.jsonl", *content))
    made = make(*files, shards=3)
    check_exactly_once(made)
    seen: set[str] = set()
    kept = []
    for number in range(40):
        for row in range(30):
            id_ = str(row // 2 + number)
            if row % 3 and id_ not in seen:
                kept.append(id_)
                seen.add(id_)
    assert [row["id"] for row in rows(made, "SELECT id FROM corpus ORDER BY row")] == kept


def test_positions_among_all_rows_have_a_file_and_a_row_there() -> None:
    validated = ValidatedInputs(inputs=[{"rows": count} for count in (0, 3, 0, 0, 2, 0)])
    files, numbers = validated.places(np.arange(5))
    assert (files.tolist(), numbers.tolist()) == ([1, 1, 1, 4, 4], [1, 2, 3, 1, 2])
    assert [part.tolist() for part in validated.places(np.array([], np.int64))] == [[], []]


def test_files_without_rows_are_passed_over_wherever_they_stand(tmp_path: Path) -> None:
    for name in ("a.csv", "c.csv"):
        (tmp_path / name).write_text("text,stars\n")
    (tmp_path / "e.jsonl").write_text("\n")
    full = jsonl(tmp_path / "b.jsonl", {"text": "x", "stars": 1}, {"text": "y", "stars": 2})
    pq.write_table(pa.table({"text": ["z"], "stars": [3]}), tmp_path / "d.parquet")
    made = make(
        *(str(tmp_path / name) for name in ("a.csv",)),
        full,
        *(str(tmp_path / n) for n in ("c.csv", "d.parquet", "e.jsonl")),
    )
    check_exactly_once(made)
    found = rows(made, "SELECT text, stars FROM corpus ORDER BY row")
    assert found == [{"text": "x", "stars": 1}, {"text": "y", "stars": 2}, {"text": "z", "stars": 3}]


def test_a_file_of_nothing_but_junk_is_refused_row_by_row_beside_a_good_one(tmp_path: Path) -> None:
    junk = jsonl(tmp_path / "a.jsonl", "junk", "[1]")
    good = jsonl(tmp_path / "b.jsonl", {"text": "x", "stars": 1})
    made = make(junk, good)
    check_exactly_once(made)
    assert texts(made) == ["x"]


# --- labels


def labels_in(made: Store) -> list[tuple[int | None, str | None]]:
    return [(row["label"], row["class"]) for row in rows(made, "SELECT label, class FROM corpus ORDER BY row")]


def labelled(path: Path, *labels: object) -> str:
    return jsonl(path, *({"text": "t", "label": label} for label in labels))


def test_names_are_stored_as_indices_of_the_classes(tmp_path: Path) -> None:
    file = labelled(tmp_path / "in.jsonl", "pos", None, "neg", "")
    made = make(file, known=None, classes=None)
    assert made.header.classes == ["neg", "pos"]
    assert labels_in(made) == [(1, "pos"), (None, None), (0, "neg"), (None, None)]


def test_integers_are_names_without_classes_and_indices_with_them(tmp_path: Path) -> None:
    file = labelled(tmp_path / "in.jsonl", 2, 10, 0, 1)
    assert labels_in(make(file, known=None, classes=None)) == [(2, "2"), (3, "10"), (0, "0"), (1, "1")]
    file = labelled(tmp_path / "two.jsonl", 1, 0)
    assert labels_in(make(file, classes=("a", "b"))) == [(1, "b"), (0, "a")]
    assert labels_in(make(file, known=["a", "b"])) == [(1, "b"), (0, "a")]


def test_floats_with_nan_are_the_integers_that_they_were(tmp_path: Path) -> None:
    table = pa.table({"text": ["x", "y", "z"], "label": [1.0, float("nan"), 0.0]})
    pq.write_table(table, tmp_path / "in.parquet")
    assert labels_in(make(str(tmp_path / "in.parquet"), known=["a", "b"])) == [(1, "b"), (None, None), (0, "a")]


def test_booleans_are_the_names_false_and_true(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x", "y", "z"], "label": [True, False, None]}), tmp_path / "in.parquet")
    expected = [(1, "true"), (0, "false"), (None, None)]
    assert labels_in(make(str(tmp_path / "in.parquet"), known=None, classes=None)) == expected
    file = labelled(tmp_path / "in.jsonl", True, False, None)
    assert labels_in(make(file, known=None, classes=None)) == expected


def test_labels_unknown_to_the_given_classes_are_no_gold(tmp_path: Path) -> None:
    made = make(labelled(tmp_path / "in.jsonl", "pos", "odd", None, 1, 3), classes=("neg", "pos"))
    check_exactly_once(made)
    assert labels_in(made) == [(1, "pos"), *[(None, None)] * 4]
    assert rejects(made) == []


@pytest.mark.parametrize("labels", [("1",), (0, 1, 2), ("0", "00"), (1, 3)])
def test_labels_that_do_not_fit_the_model_are_kept_and_not_taken_as_its_indices(tmp_path: Path, labels: tuple) -> None:
    made = make(labelled(tmp_path / "in.jsonl", *labels), known=["neg", "pos"])
    assert labels_in(made) == [(None, None)] * len(labels)
    kept = [row["label_"] for row in rows(made, "SELECT label_ FROM corpus ORDER BY row")]
    assert list(map(str, kept)) == list(map(str, labels))


@pytest.mark.parametrize("label", ["other", "0"])
def test_a_label_among_the_models_names_that_is_none_of_them_is_no_gold(tmp_path: Path, label: str) -> None:
    made = make(labelled(tmp_path / "in.jsonl", "neg", label, None), known=["neg", "pos"])
    check_exactly_once(made)
    assert labels_in(made) == [(0, "neg"), (None, None), (None, None)]


def test_a_number_is_no_index_where_the_given_classes_are_numbers(tmp_path: Path) -> None:
    made = make(labelled(tmp_path / "in.jsonl", 1, 2, 0), classes=("1", "2"))
    assert labels_in(made) == [(0, "1"), (1, "2"), (None, None)]


def test_a_column_that_is_no_label_is_refused_for_its_many_values(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in\.jsonl, column label: there are 1,001 different labels.*--label"):
        make(labelled(tmp_path / "in.jsonl", *range(1001)), known=None, classes=None)


def test_both_passes_read_a_label_alike_though_the_second_does_not_know_the_others(tmp_path: Path) -> None:
    storage = NoCorpusStorage()
    file = labelled(tmp_path / "in.jsonl", "1", "0", "Neg")
    with pytest.raises(StoppedError):
        make(file, storage=storage, known=["neg", "pos"])
    storage.stopped = False
    assert labels_in(finish_corpus(storage, [])) == [(None, None), (None, None), (0, "neg")]


class StoppedError(Exception):
    """The run was stopped."""


class NoCorpusStorage(MemoryStorage):
    """Stops whoever writes a corpus."""

    stopped = True

    def put_if_absent(self, name: str, data: bytes) -> bool:
        if self.stopped and name.startswith("corpus/"):
            raise StoppedError
        return super().put_if_absent(name, data)


def test_the_label_of_a_refused_row_is_no_class(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "in.jsonl", *({"text": t, "label": lab} for t, lab in (("x", "a"), ("", "odd"), ("y", "b")))
    )
    assert make(file, known=None, classes=None).header.classes == ["a", "b"]


def test_without_labels_and_names_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name them with --classes"):
        make(jsonl(tmp_path / "in.jsonl", {"text": "x"}), storage=LocalStorage(tmp_path / "s.store"), classes=None)
    assert files_of(tmp_path / "s.store") == {}


def test_given_classes_that_the_model_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--classes are a, b, and the model has neg, pos"):
        make(jsonl(tmp_path / "in.jsonl", {"text": "x"}), known=["neg", "pos"], classes=("a", "b"))


@pytest.mark.parametrize("config", [{"shards": 0}, {"shards": -1}, {"on_bad_row": "ignore"}])
def test_choices_that_make_no_sense_are_refused(config: dict) -> None:
    with pytest.raises(InputError, match="must be"):
        IngestConfig(files=("in.txt",), **config)


# --- columns


def test_ids_are_file_and_row_where_there_is_no_id_column(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "in.jsonl", {"text": "a"}, "junk", {"text": "b"})
    assert [row["id"] for row in rows(make(file), "SELECT id FROM corpus ORDER BY row")] == [f"{file}:1", f"{file}:3"]


def test_named_columns_are_used_in_both_passes(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "in.jsonl",
        {"text": "wrong", "body": "right", "key": "k1", "id": "i1", "gold": "pos", "label": "neg"},
        {"text": "wrong", "body": "also", "key": "k2", "id": "i2", "gold": "neg", "label": "neg"},
    )
    made = make(file, columns=ColumnNames(text="body", id="key", label="gold"))
    found = rows(made, "SELECT id, text, class FROM corpus ORDER BY row")
    assert found == [{"id": "k1", "text": "right", "class": "pos"}, {"id": "k2", "text": "also", "class": "neg"}]
    assert made.header.extras == dict.fromkeys(("text_", "id_", "label_"), "string")
    assert rows(made, "SELECT text_, id_, label_ FROM corpus WHERE row = 0") == [
        {"text_": "wrong", "id_": "i1", "label_": "neg"}
    ]


def test_extras_keep_their_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": ["x", "y"],
            "stars": pa.array([5, None], pa.int8()),
            "score": pa.array([0.5, 2.0], pa.float32()),
            "seen": [True, False],
            "city": pa.array(["Ulm", None]).dictionary_encode(),
            "tags": [["a"], []],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    made = make(str(tmp_path / "in.parquet"))
    assert made.header.extras == {
        "stars": "int64",
        "score": "double",
        "seen": "bool",
        "city": "string",
        "tags": "string",
    }
    assert rows(made, "SELECT stars, score, seen, city FROM corpus ORDER BY row") == [
        {"stars": 5, "score": 0.5, "seen": True, "city": "Ulm"},
        {"stars": None, "score": 2.0, "seen": False, "city": None},
    ]


def test_extras_of_every_file_are_kept_and_mixed_types_become_strings(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"], "stars": [5], "n": [1], "only": [1], "f": [1.5]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [2], "f": [2], "text": ["y"], "stars": ["four"]}), tmp_path / "b.parquet")
    made = make(str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet"))
    assert made.header.extras == {"stars": "string", "n": "int64", "f": "double"}
    assert rows(made, "SELECT stars, n, f FROM corpus ORDER BY row") == [
        {"stars": "5", "n": 1, "f": 1.5},
        {"stars": "four", "n": 2, "f": 2.0},
    ]


def test_extras_whose_names_sql_has_taken_get_an_underscore(tmp_path: Path) -> None:
    names = ("row", "Shard", "CLASS", "confidence", "text_hash", "Text")
    made = make(jsonl(tmp_path / "in.jsonl", {"text": "x", "fine": "1", **dict.fromkeys(names, "y")}))
    assert made.header.extras == dict.fromkeys(("fine", *(f"{name}_" for name in names)), "string")
    (row,) = rows(made, "SELECT * FROM corpus")
    assert (row["shard"], row["Shard_"], row["Text_"]) == (0, "y", "y")


def test_names_that_sql_cannot_tell_apart_are_kept_apart_and_empty_ones_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(',text,Stars,stars,odd "name"; --\n0,x,5,1,z\n')
    made = make(str(tmp_path / "in.csv"))
    assert made.header.extras == dict.fromkeys(("Stars", "stars_", 'odd "name"; --'), "string")
    assert rows(made, 'SELECT "Stars" AS a, stars_ AS b, "odd ""name""; --" AS odd FROM corpus') == [
        {"a": "5", "b": "1", "odd": "z"}
    ]


def test_statistics_of_a_shard_count_its_characters_and_gold(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "in.jsonl", {"text": "äb", "label": "pos"}, {"text": "🙂"}, {"text": "xyz", "label": "neg"})
    (record,) = make(file).corpus.records().values()
    assert record.statistics == {"characters": 6, "gold": 2}


def test_a_label_that_the_map_calls_none_is_no_gold_and_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = jsonl(tmp_path / "in.jsonl", {"text": "x", "label": "other"}, {"text": "y", "label": "a"})
    config = IngestConfig(files=(str(path),), options=ReadOptions(label_map=(("other", ""),)))
    made = ingest(MemoryStorage(), config, known=("a", "b"))
    assert [row["class"] for row in rows(made, "SELECT class FROM corpus ORDER BY row")] == [None, "a"]
    assert made.header.rejected == 0
    assert "cannot be used" not in caplog.text


def test_a_label_that_cannot_be_used_leaves_its_text_to_be_labelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = jsonl(tmp_path / "in.jsonl", {"text": "x", "label": ["a", "b"]}, {"text": "y", "label": "a"})
    made = ingest(MemoryStorage(), IngestConfig(files=(str(path),)), known=("a", "b"))
    assert rows(made, "SELECT text, class FROM corpus ORDER BY row") == [
        {"text": "x", "class": None},
        {"text": "y", "class": "a"},
    ]
    assert "1 label cannot be used, the first" in caplog.text
    path = jsonl(tmp_path / "b.jsonl", {"text": "x", "label": {"a": 1}})
    config = IngestConfig(files=(str(path),), columns=ColumnNames(label="label"))
    with pytest.raises(InputError, match="label is an object.*--no-label"):
        ingest(MemoryStorage(), config, known=("a", "b"))
