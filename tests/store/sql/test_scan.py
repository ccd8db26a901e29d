"""How DuckDB reads a store's files: in pieces, only what a query asks for, and side by side without a join."""

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import add_corpus, add_labels, make_store, random_logits, write_header

from store import Store
from store.errors import DamageError, QueryError
from store.format.shard import BATCH_ROWS
from store.snapshot import Snapshot
from store.sql.lazy_table import Failure, LazyTable
from store.sql.read_plan import PIECE_BYTES, PIECE_ROWS, plan_pieces
from store.sql.scan import FamilyRows
from store.sql.session import Session
from store.storage import LocalStorage, MemoryStorage

SIDES = ("labels/bert", "corpus")


def table_of(made: Snapshot, *paths: str) -> FamilyRows:
    sides = {path: made.schema(path, logit=pa.float32()) for path in paths}
    records = {path: made.family(path).records() for path in paths}
    return FamilyRows(made, sides, records=records, failure=Failure())


def scan(table: FamilyRows, *columns: str, where: pc.Expression | None = None) -> pa.Table:
    return table.scanner(columns=list(columns), filter=where).to_reader().read_all()


class Counting(LocalStorage):
    """A disk that notes what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.names: list[str] = []

    def read(self, name: str) -> pa.Buffer:
        self.names.append(name)
        return super().read(name)


# pieces


@given(
    shards=st.dictionaries(
        st.integers(0, 1000),
        st.tuples(st.integers(0, 5 * PIECE_ROWS), st.integers(0, 10 * PIECE_BYTES)),
        max_size=12,
    )
)
def test_pieces_hold_every_batch_once_in_order_and_are_bounded(shards: dict[int, tuple[int, int]]) -> None:
    rows = {shard: count for shard, (count, _) in shards.items()}
    pieces = list(plan_pieces(rows, {shard: size for shard, (_, size) in shards.items()}))
    batches = [(part.shard, batch) for piece in pieces for part in piece for batch in range(part.first, part.stop)]
    assert batches == [(shard, batch) for shard, count in rows.items() for batch in range(-(-count // BATCH_ROWS))]
    assert sum(part.rows for piece in pieces for part in piece) == sum(rows.values())
    for piece in pieces:
        assert 0 < sum(part.rows for part in piece) <= PIECE_ROWS
        one_batch = len(piece) == 1 and piece[0].stop - piece[0].first == 1
        assert sum(part.bytes for part in piece) <= PIECE_BYTES or one_batch


def test_many_small_shards_are_one_piece() -> None:
    sizes = dict.fromkeys(range(1000), 3)
    assert [len(piece) for piece in plan_pieces(sizes, sizes)] == [1000]


# rows


@pytest.mark.parametrize("rows", [50, 3 * BATCH_ROWS + 1])
def test_families_side_by_side_are_their_join(rows: int) -> None:
    made = make_store(rows=rows)
    found = scan(table_of(made, *SIDES), "text", "row", "confidence", "logits", "label")
    assert found.column_names == ["text", "row", "confidence", "logits", "label"]
    corpus, labels = (scan(table_of(made, path), *names) for path, names in zip(
        ("corpus", "labels/bert"), (("text", "label"), ("row", "confidence", "logits")), strict=True
    ))  # fmt: skip
    assert found.select(["text", "label"]).combine_chunks() == corpus.combine_chunks()
    assert found.select(["row", "confidence", "logits"]).combine_chunks() == labels.combine_chunks()
    assert found.column("logits").combine_chunks().values.to_pylist() == random_logits(rows).reshape(-1).tolist()


def test_all_columns_come_where_none_is_chosen() -> None:
    made = make_store()
    assert table_of(made, "corpus").scanner().to_reader().read_all().column_names == made.schema("corpus").names


def test_a_filter_may_use_columns_that_are_not_selected() -> None:
    table = table_of(make_store(), *SIDES)
    found = scan(table, "row", where=(pc.field("label") == 1) & (pc.field("confidence") < 0.9))
    rows = scan(table, "row", "label", "confidence").to_pylist()
    expected = [row["row"] for row in rows if row["label"] == 1 and row["confidence"] < 0.9]
    assert found.column("row").to_pylist() == expected
    assert 0 < len(expected) < 50
    assert found.column_names == ["row"]


def test_columns_whose_names_are_part_of_others_are_not_taken_for_used() -> None:
    table = table_of(make_store(), *SIDES)
    assert table.used_by(pc.field("confidence") < 0.5) == ["confidence"]
    assert table.used_by(pc.field("n_chars") < 5) == ["n_chars"]
    assert set(table.used_by(pc.field("Café").isin(["a"]) & pc.field("row").is_valid())) == {"Café", "row"}
    assert table.used_by(None) == []


@pytest.mark.parametrize("name", ["select", 'with "quotes"', "a b", "Ünï", "a.b", "(x", "x)", "\\", "'", "%s", "{0}"])
def test_a_filter_on_a_column_of_any_name_works(name: str) -> None:
    made = write_header(rows=4, extras={name: pa.int64()})
    assert table_of(made, "corpus").used_by(pc.field(name) == 3)[-1] == name


def test_shards_that_are_not_committed_in_every_family_are_left_out() -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0, 1])
    add_labels(made, "bert", shards=[2, 1])
    assert scan(table_of(made, *SIDES), "row").column("row").to_pylist() == list(range(16, 33))


def test_families_with_different_rows_in_a_shard_are_damage() -> None:
    made = make_store(rows=50)
    other = make_store(rows=40)
    sides = {path: made.schema(path, logit=pa.float32()) for path in SIDES}
    records = {"labels/bert": other.family("labels/bert").records(), "corpus": made.family("corpus").records()}
    with pytest.raises(DamageError, match="labels/bert and corpus have different rows in shard 0"):
        FamilyRows(made, sides, records=records, failure=Failure())


def test_a_file_of_other_rows_than_its_record_says_is_damage() -> None:
    made, other = make_store(rows=50), make_store(rows=50 + 3 * BATCH_ROWS)
    (record, *_), (wrong, *_) = (store.family("labels/bert").records().values() for store in (made, other))
    data = other.storage.read(f"labels/bert/{wrong.file}").to_pybytes()
    made.storage.put(f"labels/bert/{record.file}", data)
    records = {"labels/bert": {0: record.__class__(**{**vars(record), "bytes": len(data)})}}
    sides = {"labels/bert": made.schema("labels/bert", logit=pa.float32())}
    with pytest.raises(DamageError, match="does not have the 16 rows that its record says"):
        scan(FamilyRows(made, sides, records=records, failure=Failure()), "row")


# what is read, and when


def counted(tmp_path: Path) -> tuple[Counting, Store]:
    make_store(LocalStorage(tmp_path / "a.store"), labels=["bert", "roberta"], rows=50)
    storage = Counting(tmp_path / "a.store")
    made = Store(storage, make_store(MemoryStorage(), labels=[], rows=50).header)
    return storage, made


def test_connecting_reads_no_manifest_of_texts_or_labels_and_no_data(tmp_path: Path) -> None:
    storage, made = counted(tmp_path)
    with Session(made, labels="bert"):
        assert not [name for name in storage.names if "manifest" in name or name.endswith(".arrow")]


def test_a_query_reads_what_it_asks_for_and_manifests_once(tmp_path: Path) -> None:
    storage, made = counted(tmp_path)
    with Session(made, labels="bert") as session:
        session.reader("SELECT avg(confidence) FROM labels WHERE label_set = 'bert'").read_all()
        assert {name.rsplit("/", 1)[0] for name in storage.names} == {"labels/bert"}
        storage.names.clear()
        session.reader("SELECT avg(entropy) FROM labels WHERE label_set = 'bert'").read_all()
        assert "labels/bert/manifest.json" not in storage.names
        session.reader("SELECT count(prediction) FROM reviews").read_all()
        assert not [name for name in storage.names if name.startswith("corpus/0")]


def test_a_query_sees_the_same_rows_however_often_it_scans() -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0])
    with Session(made) as session:
        first = session.reader("SELECT count(*) AS n FROM corpus").read_all()
        add_corpus(made, shards=[1])
        assert session.reader("SELECT count(*) AS n FROM corpus").read_all() == first


def test_a_reader_that_is_left_early_leaves_no_thread() -> None:
    table = table_of(make_store(rows=2 * PIECE_ROWS, shards=20), "labels/bert")
    before = threading.active_count()
    reader = table.scanner(columns=["row"]).to_reader()
    assert reader.read_next_batch().num_rows > 0
    del reader
    assert threading.active_count() <= before


def test_memory_that_is_not_there_is_a_query_error_with_the_remedy() -> None:
    def fail() -> None:
        raise pa.ArrowMemoryError("malloc of size 1 failed")

    failure = Failure()
    table = LazyTable(pa.schema([]), fail, failure)
    with pytest.raises(
        QueryError, match=r"needs more memory than it may have \(malloc of size 1 failed\); see --memory"
    ):
        table.scanner()
    assert isinstance(failure.error, QueryError)
