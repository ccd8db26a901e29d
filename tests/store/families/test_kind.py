"""A sixth kind of family, made up here: nothing but its `FamilyKind` is needed to write, seal, read and verify it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from store_factory import EXTRAS, add_corpus, flip_bit, make_store, write_header

import store
from store import Store
from store.errors import StoreMissingError
from store.families.kind import Cut, FamilyKind
from store.families.registry import KINDS, kind_of, shard_statistics
from store.format.findings import Finding, Kind
from store.format.header import Header
from store.format.layout import Layout
from store.format.record import Record
from store.format.segments import SegmentRecord, append_segment
from store.format.shard import one_batch, write_shard
from store.gold.fingerprint import fingerprint
from store.rows.family_reader import FamilyReader
from store.snapshot import Snapshot
from store.summary import summarise
from store.verify.verify import verify

SCHEMA = pa.schema([pa.field("row", pa.int64(), nullable=False), pa.field("note", pa.string()), ("half", pa.float16())])


def check_notes(rows: pa.Table) -> str:
    """No note shouts."""
    loud = [note for note in rows.column("note").to_pylist() if note is not None and note.isupper()]
    return f"has a loud note: {loud[0]}" if loud else ""


NOTES = FamilyKind(
    name="notes",
    schema=lambda *_: SCHEMA,
    statistics=lambda rows: {"empty": rows.column("note").null_count},
    check_rows=check_notes,
    is_named=True,
    is_compressed=True,
    streamed=("note",),
)


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, NOTES.name, NOTES)


def note_of(row: int) -> str | None:
    return None if row % 5 == 0 else f"note {row}"


def rows_of(first: int, stop: int, *, loud: bool = False) -> pa.Table:
    notes = [note_of(row) for row in range(first, stop)]
    if loud:
        notes[-1] = "LOUD"
    halves = np.arange(first, stop).astype(np.float16)
    return pa.table([pa.array(np.arange(first, stop)), pa.array(notes, pa.string()), pa.array(halves)], schema=SCHEMA)


def add_notes(
    made: Snapshot, name: str = "mine", *, loud: bool = False, statistics: dict[str, Any] | None = None
) -> None:
    family = made.family(f"notes/{name}")
    for shard, first, stop in made.layout:
        rows = rows_of(first, stop, loud=loud and shard == 1)
        said = statistics or shard_statistics(family.path, rows)
        write_shard(family, shard, first, [one_batch(rows)], schema=SCHEMA, statistics=said)
    family.seal()


def read_notes(made: Snapshot, rows: Iterator[int] | range) -> list[str | None]:
    pieces = FamilyReader(made, "notes/mine", ["note"]).read(np.array(rows, np.int64))
    return [note for piece in pieces for note in piece["note"].to_pylist()]


def problems(made: Snapshot) -> list[Finding]:
    return list(verify(made.storage))


def test_a_made_up_kind_is_written_sealed_and_read() -> None:
    made = make_store()
    add_notes(made)
    family = made.family("notes/mine")
    assert (family.is_sealed(), family.missing(), family.has_card) == (True, [], False)
    assert made.dataset("notes/mine").to_table().column("note").to_pylist() == [note_of(row) for row in range(50)]
    assert made.dataset("notes/mine", logit=pa.float32()).to_table().schema.field("half").type == pa.float32()
    assert read_notes(made, range(3, 45, 7)) == [note_of(row) for row in range(3, 45, 7)]
    assert NOTES.columns(SCHEMA, ["half", "note", "text"]) == ["note"]
    assert len(fingerprint(made, "notes/mine")) == 64


def test_a_made_up_kind_is_among_the_families_and_in_sql() -> None:
    made = make_store()
    add_notes(made)
    assert [family.path for family in made.families()] == ["corpus", "labels/bert", "gold", "notes/mine"]
    assert [family["family"] for family in summarise(made)["families"]] == ["corpus", "labels/bert", "notes/mine"]
    asked = "SELECT name, count(*) AS shards, sum(rows) AS rows FROM shards WHERE family = 'notes' GROUP BY name"
    assert made.sql(asked).to_pylist() == [{"name": "mine", "shards": 3, "rows": 50}]


def test_a_whole_family_of_a_made_up_kind_has_no_finding() -> None:
    made = make_store()
    add_notes(made)
    assert problems(made) == []


def test_damage_in_a_family_of_a_made_up_kind_is_found() -> None:
    made = make_store()
    add_notes(made)
    record = made.family("notes/mine").records()[2]
    flip_bit(made.storage, f"notes/mine/{record.file}", 800)
    (finding,) = problems(made)
    assert (finding.kind, finding.family, finding.shard) == (Kind.DAMAGED, "notes/mine", 2)
    assert "has the sha256" in finding.problem


def test_the_check_of_a_made_up_kind_is_asked() -> None:
    made = make_store()
    add_notes(made, loud=True)
    (finding,) = problems(made)
    assert (finding.kind, finding.shard, finding.problem) == (Kind.DAMAGED, 1, "has a loud note: LOUD")


def test_the_statistics_of_a_made_up_kind_are_checked() -> None:
    made = make_store()
    add_notes(made, statistics={"empty": 99})
    assert {finding.problem for finding in problems(made)} == {"its record's statistics are not those of its rows"}


def test_notes_of_rows_whose_texts_are_missing_are_a_finding() -> None:
    made = write_header(rows=50, shards=3)
    add_corpus(made, shards=[0, 2])
    add_notes(made)
    found = [finding for finding in problems(made) if finding.is_damage]
    assert [(finding.family, finding.shard) for finding in found] == [("corpus", 1)]


@pytest.mark.parametrize("path", ["selections", "notes", "labels", "corpus/a", "labels/a/b", "", "tokens"])
def test_a_path_that_is_no_familys_is_refused(path: str) -> None:
    with pytest.raises(StoreMissingError, match=f"a store has no family '{path}'; it may have: corpus, tokens"):
        kind_of(path)


def test_every_kind_says_how_it_is_cut() -> None:
    cuts = {name: kind.cut for name, kind in KINDS.items()}
    layout, rounds, file = Cut.LAYOUT, Cut.ROUNDS, Cut.ONE_FILE
    expected = {"corpus": layout, "tokens": layout, "labels": layout, "gold": rounds, "rejects": file, "notes": layout}
    assert cuts == expected
    assert [name for name, kind in KINDS.items() if kind.is_laid_out] == ["corpus", "tokens", "labels", "notes"]


# A store of two segments: 20 rows in 3 shards, and 30 more in 2.


@pytest.fixture
def grown() -> Store:
    made = write_header(rows=20, shards=3, extras=EXTRAS)
    rejects = made.header.rejects
    segment = SegmentRecord(
        segment=1, first_row=20, rows=30, first_shard=3, shards=2, extras=made.header.extras, inputs=[], rejects=rejects
    )
    made.storage.put(segment.rejects_file, made.storage.read(f"rejects/{rejects['file']}").to_pybytes())
    assert append_segment(made.storage, segment)
    return store.open(made.storage)


def test_a_store_of_two_segments_is_written_and_read(grown: Snapshot) -> None:
    assert grown.family("notes/mine").missing() == [0, 1, 2, 3, 4]
    add_corpus(grown)
    add_notes(grown)
    records: list[Record] = list(grown.family("notes/mine").records().values())
    assert [(record.first_row, record.rows) for record in records] == [(0, 6), (6, 7), (13, 7), (20, 15), (35, 15)]
    assert grown.family("notes/mine").is_sealed()
    rows = [0, 5, 6, 12, 13, 19, 20, 34, 35, 49]
    assert read_notes(grown, rows) == [note_of(row) for row in rows]
    assert read_notes(grown, range(50)) == [note_of(row) for row in range(50)]


def test_sql_finds_the_shards_of_two_segments(grown: Snapshot) -> None:
    add_corpus(grown)
    counted = grown.sql("SELECT shard, count(*) AS rows, min(row) AS first FROM corpus GROUP BY shard ORDER BY shard")
    assert [tuple(row.values()) for row in counted.to_pylist()] == [
        (0, 6, 0), (1, 7, 6), (2, 7, 13), (3, 15, 20), (4, 15, 35)
    ]  # fmt: skip


def test_a_stream_of_two_segments_gives_each_row_once(grown: Snapshot) -> None:
    add_corpus(grown)
    batches = list(grown.stream(columns=("text",), batch_size=7, seed=3))
    rows = np.concatenate([batch["row"] for batch in batches])
    assert sorted(rows) == list(range(50))
    texts = np.concatenate([batch["text"] for batch in batches])
    assert all(text == expected for text, expected in zip(texts, texts_in(grown, rows), strict=True))


def texts_in(made: Snapshot, rows: np.ndarray[Any, np.dtype[np.int64]]) -> list[str]:
    texts = made.dataset("corpus").to_table().column("text").to_pylist()
    return [texts[row] for row in rows]


def test_verify_checks_the_ranges_of_two_segments(grown: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    add_corpus(grown)
    add_notes(grown)
    grown.corpus.seal()
    assert problems(grown) == []
    monkeypatch.setattr(Header, "layout", property(lambda _: Layout.of((25, 3), (25, 2))))
    assert "says rows 0 to 5, not 0 to 7" in {finding.problem for finding in problems(grown)}
