"""The header, the families, and what is committed in them at the moment of asking."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from store_factory import (
    CLASSES,
    EXTRAS,
    REJECTED,
    add_corpus,
    add_labels,
    change_bytes,
    make_store,
    random_logits,
    repair_labels,
    text_of,
    with_check,
    write_header,
)

import store
from store.errors import (
    DamageError,
    FormatError,
    InvalidNameError,
    MismatchError,
    StoreError,
    StoreExistsError,
    StoreFullError,
    StoreMissingError,
)
from store.families.corpus import corpus_schema
from store.families.gold import gold_schema
from store.families.labels import labels_schema
from store.format.header import HEADER, create_header, is_store, read_header
from store.format.json_file import copy_name, from_json, to_json
from store.snapshot import check_classes
from store.storage import LocalStorage, MemoryStorage, Storage


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "a.store") if request.param == "local" else MemoryStorage()


def test_the_public_names_are_these() -> None:
    assert sorted(store.__all__) == ["Store", "open"]
    assert isinstance(store.open(write_header(rows=7).storage), store.Store)
    with pytest.raises(AttributeError, match="module 'store' has no attribute 'opne'"):
        _ = store.opne


def test_a_store_opens_by_path_and_by_storage(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path))
    for place in (tmp_path, str(tmp_path), made.storage):
        opened = store.open(place)
        assert opened.header == made.header
        assert opened.location == str(tmp_path)


def test_what_is_no_store_says_how_to_make_one(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreMissingError, match=r"is not a store: it has no store\.json.*engine label"):
            store.open(place)


def test_a_header_is_read_back_equal(storage: Storage) -> None:
    made = write_header(storage, rows=7, extras=EXTRAS, classes=["a", "é'\""])
    assert read_header(storage) == made.header


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_another_format_version_is_refused_with_both(storage: Storage, version: object) -> None:
    header = from_json(write_header(storage, rows=7).storage, HEADER)
    storage.put(HEADER, to_json({**header, "format_version": version}))
    with pytest.raises(FormatError, match=f"has format version {version}, and this program knows 1; update it"):
        store.open(storage)


@pytest.mark.parametrize("value", [{"rows": 7}, {"format_version": None, "rows": 7}])
def test_json_that_is_no_header_is_damage(storage: Storage, value: dict[str, object]) -> None:
    """Another small file may have got in its place."""
    storage.put(HEADER, to_json(value))
    with pytest.raises(DamageError, match=r"store\.json is damaged: it says no format version"):
        store.open(storage)


@pytest.mark.parametrize("data", [b"[]", b"{}", b"{", b"\xff\xfe{}", b'{"format_version": 1}\n', with_check(b"[1")])
def test_a_header_that_is_no_small_file_is_damage(storage: Storage, data: bytes) -> None:
    storage.put(HEADER, data)
    with pytest.raises(DamageError, match=r"store\.json is (damaged|cut short)"):
        store.open(storage)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_header_that_was_cut_short_is_no_store_yet_and_is_completed_by_an_equal_one(
    storage: Storage, keep: float
) -> None:
    header = write_header(storage, rows=7).header
    whole = storage.read(HEADER).to_pybytes()
    storage.put(HEADER, whole[: int(len(whole) * keep)])
    assert store.open(storage).header == header, "its copy speaks for it"
    assert storage.remove_dead(copy_name(HEADER))
    assert not is_store(storage)
    with pytest.raises(DamageError, match=r"store\.json is cut short"):
        store.open(storage)
    assert create_header(storage, header) == header
    assert storage.read(HEADER).to_pybytes() == whole


def test_a_header_is_kept_twice(storage: Storage) -> None:
    write_header(storage, rows=7)
    assert is_store(storage)
    assert copy_name(HEADER) == "store.copy.json"
    assert storage.read(HEADER).equals(storage.read("store.copy.json"))


def test_a_header_without_its_copy_is_a_store_and_gets_one_when_it_is_made_again(storage: Storage) -> None:
    header = write_header(storage, rows=7).header
    alone = MemoryStorage()
    alone.put(HEADER, storage.read(HEADER).to_pybytes())
    assert store.open(alone).header == header
    assert create_header(alone, header) == header
    assert alone.read(HEADER).equals(alone.read("store.copy.json"))


@pytest.mark.parametrize("change", [{"rows": ...}, {"more": 1}])
def test_a_header_with_missing_or_unknown_fields_is_damage(storage: Storage, change: dict[str, object]) -> None:
    header = {**from_json(write_header(storage, rows=7).storage, HEADER), **change}
    kept = {name: value for name, value in header.items() if value is not ...}
    storage.put(HEADER, to_json(kept))
    with pytest.raises(DamageError, match=rf"store\.json is damaged: .*{next(iter(change))}"):
        store.open(storage)


def test_the_first_header_holds_and_an_equal_one_is_welcome(storage: Storage) -> None:
    made = write_header(storage, rows=7)
    assert create_header(storage, made.header) == made.header
    with pytest.raises(StoreExistsError, match="another run made this store from other inputs; use another folder"):
        create_header(storage, dataclasses.replace(made.header, rows=8))
    assert read_header(storage).rows == 7


def test_a_header_of_another_format_is_not_written_over(storage: Storage) -> None:
    header = write_header(storage, rows=7).header
    storage.put(HEADER, to_json({"format_version": 2}))
    with pytest.raises(FormatError):
        create_header(storage, header)


def test_shard_ranges_follow_the_header() -> None:
    made = write_header(rows=50, shards=3)
    assert [made.layout.range_of(shard) for shard in range(3)] == [(0, 16), (16, 33), (33, 50)]


def test_families_are_those_that_were_begun() -> None:
    made = make_store(labels=["roberta", "bert"], encodings=["words-8-right"])
    assert made.label_sets() == ["bert", "roberta"]
    assert made.encodings() == ["words-8-right"]
    paths = ["corpus", "tokens/words-8-right", "labels/bert", "labels/roberta", "gold"]
    assert [family.path for family in made.families()] == paths


def test_a_new_store_has_the_corpus_and_gold_families_alone() -> None:
    made = write_header(rows=7)
    assert (made.label_sets(), made.encodings()) == ([], [])
    assert [(family.path, family.shards) for family in made.families()] == [("corpus", 3), ("gold", 3)]
    assert made.family("corpus").records() == {}


@pytest.mark.parametrize("name", ["../up", "A", ""])
def test_names_that_could_leave_the_store_are_refused(name: str) -> None:
    made = write_header(rows=7)
    with pytest.raises(InvalidNameError, match="label set"):
        made.label_set(name)
    with pytest.raises(InvalidNameError, match="encoding"):
        made.tokens(name)


def test_the_only_label_set_needs_no_name() -> None:
    made = make_store(labels=["bert"])
    assert made.one_label_set(None) == made.one_label_set("bert") == "bert"


def test_a_choice_among_label_sets_lists_them() -> None:
    made = make_store(labels=["roberta", "bert"])
    assert made.one_label_set("roberta") == "roberta"
    with pytest.raises(StoreMissingError, match="has 2 label sets: bert, roberta; choose one with --labels"):
        made.one_label_set(None)
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'; it has: bert, roberta"):
        made.one_label_set("gpt")


def test_a_store_without_label_sets_says_so() -> None:
    made = write_header(rows=7)
    with pytest.raises(
        StoreMissingError, match="has no label set yet; `engine label --store .* --teacher MODEL` makes one"
    ):
        made.one_label_set(None)
    with pytest.raises(StoreMissingError, match="has no label set 'bert'; it has: none"):
        made.one_label_set("bert")


def test_schemas_follow_the_header() -> None:
    made = write_header(rows=7, extras=EXTRAS)
    assert made.extras() == EXTRAS
    assert made.schema("corpus") == corpus_schema(EXTRAS)
    assert made.schema("gold") == gold_schema()
    assert made.schema("labels/bert") == labels_schema(3)
    shown = made.schema("labels/bert", logit=pa.float32())
    assert shown.field("logits").type == pa.list_(pa.field("item", pa.float32(), nullable=False), 3)
    assert [field for field in shown if field.name != "logits"] == [
        field for field in labels_schema(3) if field.name != "logits"
    ]
    with pytest.raises(StoreMissingError, match="has no family 'selections'"):
        made.schema("selections")


def test_a_dataset_has_the_committed_rows(storage: Storage) -> None:
    made = write_header(storage, rows=50, extras=EXTRAS)
    add_corpus(made, shards=[0, 2])
    table = made.dataset("corpus").to_table()
    assert table.schema == made.schema("corpus")
    assert table.column("row").to_pylist() == [*range(16), *range(33, 50)]
    assert table.column("text").to_pylist() == [text_of(row) for row in table.column("row").to_pylist()]


def test_a_dataset_of_nothing_has_the_schema(storage: Storage) -> None:
    made = write_header(storage, rows=50)
    for path in ("corpus", "labels/bert", "gold"):
        table = made.dataset(path).to_table()
        assert (table.num_rows, table.schema) == (0, made.schema(path))


def test_logits_can_be_read_as_float32(storage: Storage) -> None:
    made = write_header(storage, rows=50)
    logits = add_labels(made, "bert", failed=[3])
    column = made.dataset("labels/bert", logit=pa.float32()).to_table().column("logits").combine_chunks()
    assert column.null_count == 1
    assert column.type.value_type == pa.float32()
    kept = np.delete(logits, 3, axis=0).astype(np.float32)
    assert np.array_equal(column.drop_null().flatten().to_numpy().reshape(-1, 3), kept)


def test_refused_rows_are_kept(storage: Storage) -> None:
    rows = make_store(storage).rejects().to_table().to_pylist()
    assert [tuple(row.values()) for row in rows] == REJECTED


def test_the_permutation_puts_the_classes_in_the_order_of_the_store() -> None:
    made = write_header(rows=7)
    theirs = ["positive", "negative", "neutral"]
    permutation = check_classes(made, theirs, whose="bert")
    assert [theirs[index] for index in permutation] == CLASSES
    logits = np.array([[3.0, 1.0, 2.0]])
    assert logits[:, permutation].tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    "theirs",
    [
        ["negative", "neutral"],
        ["negative", "neutral", "good"],
        [*CLASSES, "mixed"],
        ["LABEL_0", "LABEL_1", "LABEL_2"],
        ["negative", "negative", "positive"],
    ],
)
def test_other_classes_are_refused_with_both_lists(theirs: list[str]) -> None:
    made = write_header(rows=7)
    with pytest.raises(MismatchError) as caught:
        check_classes(made, theirs, whose="bert")
    assert f"bert has the classes {', '.join(theirs)}, and {made.location} has {', '.join(CLASSES)};" in str(
        caught.value
    )


def test_every_refusal_is_a_store_error() -> None:
    kinds = [
        DamageError,
        FormatError,
        InvalidNameError,
        MismatchError,
        StoreExistsError,
        StoreFullError,
        StoreMissingError,
    ]
    assert all(issubclass(kind, StoreError) for kind in kinds)


def test_every_flipped_bit_in_the_header_is_damage() -> None:
    storage = MemoryStorage()
    write_header(storage, rows=7)
    whole = storage.read(HEADER).to_pybytes()
    for position in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            storage.put(HEADER, bytes(data))
            with pytest.raises(DamageError, match=r"store\.json is"):
                read_header(storage)


def test_a_file_name_that_is_not_utf8_is_kept_in_the_header(storage: Storage) -> None:
    header = write_header(rows=7).header
    inputs = [{**header.inputs[0], "path": "caf\udce9.csv"}]
    created = create_header(storage, dataclasses.replace(header, inputs=inputs))
    assert created.inputs == read_header(storage).inputs == inputs


def test_a_dataset_follows_the_generation_that_holds(storage: Storage) -> None:
    made = make_store(storage, rows=50, labels=["bert"])
    repair_labels(made, "bert", shard=1, seed=9)
    columns = made.dataset("labels/bert").to_table()
    assert columns.column("row").to_pylist() == list(range(50))
    old, new = random_logits(50), random_logits(50, seed=9)
    expected = np.concatenate([old[:16], new[16:33], old[33:]])
    assert columns.column("logits").combine_chunks().flatten().to_numpy().tobytes() == expected.tobytes()


def test_a_dataset_of_an_unsealed_family_names_a_damaged_record(storage: Storage) -> None:
    made = write_header(storage, rows=50)
    add_corpus(made)
    change_bytes(storage, "corpus/00001.json", b'"rows": 17', b'"rows": 16')
    with pytest.raises(DamageError, match=r"corpus/00001\.json is damaged: its bytes are not those of its check"):
        made.dataset("corpus")


def test_a_stray_file_is_no_label_set() -> None:
    made = make_store()
    made.storage.put("labels/notes.txt", b"mine")
    assert made.label_sets() == ["bert"]


def test_the_work_of_another_program_is_not_taken_for_a_beginning(storage: Storage) -> None:
    theirs = b'{\n "name": "something else"\n}\n'
    storage.put(HEADER, theirs)
    with pytest.raises(DamageError, match=r"store\.json is damaged"):
        create_header(storage, make_store().header)
    assert storage.read(HEADER).to_pybytes() == theirs
