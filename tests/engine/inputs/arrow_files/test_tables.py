"""Parquet and Arrow files with the types and the metadata that other programs write."""

import json
import re
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.kinds import as_stored
from engine.inputs.options import ReadOptions

PLAIN = ColumnNames()
FORMATS = ["in.parquet", "in.arrow"]


def write(path: Path, table: pa.Table) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return path
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def block_of(path: Path, columns: ColumnNames = PLAIN) -> Block:
    (block,) = read_blocks(str(path), columns)
    return block


def table_with(**columns: pa.Array) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({"text": [f"t{row}" for row in range(rows)], **columns})


def stored(path: Path, name: str) -> tuple[str, list[Any]]:
    """The type under which a column is kept, and its values."""
    block = block_of(path)
    type_ = block.kinds[name].stored
    return str(type_), as_stored(block.extras[name], type_).to_pylist()


def categorical(values: list[str | None]) -> pa.Array:
    """As polars writes Categorical and Enum."""
    encoded = pa.array(values).dictionary_encode()
    words = encoded.dictionary.cast(pa.string_view())
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.uint32()), words)


# --- types of texts, ids and labels


def test_categories_of_polars_are_their_words_in_every_column(tmp_path: Path) -> None:
    words = categorical(["a", "b", None, "a"])
    table = pa.table(
        {"id": categorical(["i", "j", "k", "l"]), "text": categorical(["x", "y", "z", "w"]), "label": words, "k": words}
    )
    block = block_of(write(tmp_path / "in.arrow", table))
    assert (block.id.to_pylist(), block.text.to_pylist()) == (["i", "j", "k", "l"], ["x", "y", "z", "w"])
    assert block.label.to_pylist() == block.extras["k"].to_pylist() == ["a", "b", None, "a"]
    assert block.problems == [None] * 4


def test_runs_of_any_words_are_read(tmp_path: Path) -> None:
    runs = pc.run_end_encode(pa.array(["x", "x", "y", None]))
    views = pa.RunEndEncodedArray.from_arrays(runs.run_ends, runs.values.cast(pa.string_view()))
    block = block_of(write(tmp_path / "in.arrow", pa.table({"text": ["t"] * 4, "label": views, "k": runs})))
    assert block.label.to_pylist() == block.extras["k"].to_pylist() == ["x", "x", "y", None]


def test_ids_may_be_uuids_decimals_or_numbers(tmp_path: Path) -> None:
    one = uuid.UUID(int=7)
    arrays = {
        str(one): pa.array([one.bytes], pa.uuid()),
        "12": pa.array([Decimal(12)], pa.decimal128(9, 0)),
        "18446744073709551615": pa.array([2**64 - 1], pa.uint64()),
    }
    for id_, array in arrays.items():
        for name in FORMATS:
            assert block_of(write(tmp_path / name, table_with(id=array))).id.to_pylist() == [id_]


@pytest.mark.parametrize(
    "type_",
    [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.dictionary(pa.int8(), pa.string()))],
    ids=str,
)
def test_a_list_of_one_label_is_that_label_and_of_several_a_refused_row(tmp_path: Path, type_: pa.DataType) -> None:
    lists = pa.array([["a"], [], None, ["a", "b"], ["b"], [None]], type_)
    for name in FORMATS:
        block = block_of(write(tmp_path / name, table_with(label=lists)))
        assert block.label.to_pylist() == ["a", None, None, None, "b", None]
        several = "it has 2 labels, and a text has one"
        assert block.label_faults == [None, None, None, several, None, None]


def test_a_list_of_fixed_size_of_one_number_is_a_label(tmp_path: Path) -> None:
    lists = pa.array([[1], None, [0]], pa.list_(pa.int64(), 1))
    assert block_of(write(tmp_path / "in.arrow", table_with(label=lists))).label.to_pylist() == ["1", None, "0"]


def test_a_label_that_is_no_single_value_is_at_fault_and_its_text_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", table_with(label=pa.array([{"name": "a"}, None])))
    block = block_of(path)
    assert str(block.label_faults[0]).startswith("label is struct<name: string> and not a string (python -c ")
    assert block.label_faults[1] is None
    assert (block.problems, block.label.to_pylist()) == ([None, None], [None, None])


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (pa.array([[("a", 0.1), ("b", 0.9)], [("a", 0.5), ("b", 0.5)], None], pa.map_(pa.string(), pa.float32())), "b"),
        (pa.array([{"a": 0.1, "b": 0.9}, {"a": 0.5, "b": 0.5}, None]), "b"),
        (pa.array([[0.1, 0.9], [0.5, 0.5], None]), "1"),
        (pa.array([[0, 1], [1, 1], None]), "1"),
    ],
    ids=["map", "struct", "list", "one-hot"],
)
def test_scores_of_classes_are_told_with_the_way_to_the_largest(tmp_path: Path, label: pa.Array, expected: str) -> None:
    for name in FORMATS:
        fault = str(block_of(write(tmp_path / name, table_with(label=label))).label_faults[0])
        command = re.search(r"\((python -c .*) (?:takes it out|does)\)$", fault)
        assert command, fault
        subprocess.run(command[1].replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path)
        block = block_of(tmp_path / "rows.parquet")
        assert (block.label.to_pylist(), block.label_faults) == ([expected, None, None], [None] * 3)


def test_a_list_of_equal_labels_is_that_label(tmp_path: Path) -> None:
    lists = pa.array([["a", "a"], ["a", "b"], ["b"], None, ["c", "c", "c"]])
    for name in FORMATS:
        block = block_of(write(tmp_path / name, table_with(label=lists)))
        assert block.label.to_pylist() == ["a", None, "b", None, "c"]
        assert [fault is None for fault in block.label_faults] == [True, False, True, True, True]


@pytest.mark.parametrize("type_", [pa.list_view, pa.large_list_view])
def test_views_of_lists_are_lists(tmp_path: Path, type_: Any) -> None:
    views = pa.array([["a"], None, [], ["b", "b"]], type_(pa.string()))
    path = write(tmp_path / "in.arrow", table_with(label=views, k=views))
    block = block_of(path)
    assert block.label.to_pylist() == ["a", None, None, "b"]
    assert block.extras["k"].to_pylist() == ['["a"]', None, "[]", '["b", "b"]']


# --- what is refused with a command


def made_by(message: str, folder: Path) -> Path:
    """Run the command in ``message`` as a user would; the file that it wrote."""
    found = re.search(r"python (-c '.*')", message)
    assert found, message
    subprocess.run(f"{sys.executable} -W ignore {found[1]}", shell=True, check=True, cwd=folder)
    (path,) = folder.glob("rows.*")
    return path


NESTED_TEXTS = [
    ("text", pa.array([["a", "b"], ["c", None]]), ["a b", "c"]),
    ("text", pa.array([{"value": "x"}, {"value": "y"}]), ["x", "y"]),
    ("fields", pa.array([{"n": 1, "text": "it's"}, {"n": 2, "text": "y"}]), ["it's", "y"]),
    ("review", pa.array([{"title": "t", "body": "it's"}, {"title": None, "body": "y"}]), ["it's", "y"]),
    ("reviews", pa.array([[{"text": "it's"}], [{"text": "y"}, None]]), ["it's", "y"]),
]


@pytest.mark.parametrize("name", [*FORMATS, "stream.arrow"])
@pytest.mark.parametrize(("column", "array", "texts"), NESTED_TEXTS)
def test_texts_in_lists_and_structs_are_taken_out_by_the_command(
    tmp_path: Path, column: str, array: pa.Array, texts: list[str], name: str
) -> None:
    table = pa.table({"id": ["i", "j"], column: array})
    path = tmp_path / name
    if name.startswith("stream"):
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    else:
        write(path, table)
    with pytest.raises(InputError) as raised:
        block_of(path)
    block = block_of(made_by(str(raised.value), tmp_path))
    assert (block.id.to_pylist(), block.text.to_pylist()) == (["i", "j"], texts)


NESTED_LABELS = [
    (pa.array([{"name": "a"}, None, {"name": "b"}]), ["a", None, "b"]),
    (pa.array([[{"label": "a", "score": 0.9}], [{"label": "b", "score": 0.8}]]), ["a", "b"]),
    (pa.array([[{"name": "a"}], [{"name": "b"}]]), ["a", "b"]),
    (pa.array([[1, 0], [0, 1]]), ["0", "1"]),
    (pa.array([[0.0, 1.0], None, [0.0, 0.0]]), ["1", None, None]),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("array", "labels"), NESTED_LABELS, ids=str)
def test_labels_in_lists_and_structs_are_taken_out_by_the_command(
    tmp_path: Path, array: pa.Array, labels: list[str | None], name: str
) -> None:
    block = block_of(write(tmp_path / name, table_with(label=array)))
    assert set(block.label.to_pylist()) == {None}
    made = block_of(made_by(str(block.label_faults[0]), tmp_path))
    assert (made.label.to_pylist(), made.problems) == (labels, [None] * len(labels))


@pytest.mark.filterwarnings("ignore:Feather V1")
def test_feather_of_version_1_is_refused_with_the_command(tmp_path: Path) -> None:
    path = tmp_path / "in.feather"
    feather.write_feather(pa.table({"text": ["x"]}), str(path), version=1)
    with pytest.raises(InputError, match="is a Feather file of version 1") as raised:
        block_of(path)
    assert block_of(made_by(str(raised.value), tmp_path)).text.to_pylist() == ["x"]


# --- names of classes


def with_features(table: pa.Table, **features: Any) -> pa.Table:
    metadata = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": metadata})


CLASSES = {"names": ["positive", "negative"], "_type": "ClassLabel"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "feature",
    [
        CLASSES,
        {"num_classes": 2, "names": ["positive", "negative"], "names_file": None, "id": None, "_type": "ClassLabel"},
        {"feature": CLASSES, "length": -1, "_type": "Sequence"},
        {"feature": CLASSES, "_type": "List"},
        [CLASSES],
    ],
)
def test_names_of_classes_stand_in_the_metadata(tmp_path: Path, name: str, feature: Any) -> None:
    table = with_features(table_with(label=pa.array([0, 1])), label=feature, text={"_type": "Value"})
    (block,) = read_raw(str(write(tmp_path / name, table)), PLAIN)
    assert block.reading.classes == ("positive", "negative")


SPARK = {"fields": [{"name": "label", "metadata": {"ml_attr": {"vals": ["positive", "negative"], "type": "nominal"}}}]}


@pytest.mark.parametrize(
    ("of_table", "of_column"),
    [
        ({"org.apache.spark.sql.parquet.row.metadata": json.dumps(SPARK)}, {}),
        ({"id2label": '{"0": "positive", "1": "negative"}'}, {}),
        ({}, {"comment": "0=positive, 1=negative"}),
    ],
)
def test_names_of_classes_stand_in_other_metadata_and_a_map_of_the_user_wins(
    tmp_path: Path, of_table: dict[str, str], of_column: dict[str, str]
) -> None:
    table = table_with(label=pa.array([0.0, 1.0]))
    place = table.schema.get_field_index("label")
    schema = table.schema.set(place, pa.field("label", pa.float64(), metadata=of_column or None))
    path = write(tmp_path / "in.parquet", table.cast(schema).replace_schema_metadata(of_table))
    (block,) = read_raw(str(path), PLAIN)
    assert block.reading.classes == ("positive", "negative")
    (block,) = read_raw(str(path), PLAIN, ReadOptions(label_map=(("0", "negative"), ("1", "positive"))))
    assert block.reading.classes is None


def test_names_of_classes_are_found_under_a_column_of_any_name(tmp_path: Path) -> None:
    table = with_features(table_with(**{" stars ": pa.array([0, 1])}), **{" stars ": CLASSES})
    (block,) = read_raw(str(write(tmp_path / "in.parquet", table)), ColumnNames(label="stars"))
    assert block.reading.classes == ("positive", "negative")


@pytest.mark.parametrize(
    "metadata", [b"", b"no json", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": {"_type": "Value"}}}}']
)
def test_metadata_without_names_of_classes_are_none(tmp_path: Path, metadata: bytes) -> None:
    table = table_with(label=pa.array([0, 1])).replace_schema_metadata({b"huggingface": metadata})
    (block,) = read_raw(str(write(tmp_path / "in.parquet", table)), PLAIN)
    assert block.reading.classes is None


def test_names_of_classes_stand_beside_a_saved_data_set(tmp_path: Path) -> None:
    write(tmp_path / "data-0.arrow", table_with(label=pa.array([0, 1])))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": {"label": CLASSES}}))
    (block,) = read_raw(str(tmp_path / "data-0.arrow"), PLAIN)
    assert block.reading.classes == ("positive", "negative")
    assert "dataset_info.json names its labels: 0 is positive, 1 is negative" in block.reading.notes[0]
    (tmp_path / "state.json").write_text("{}")
    (block,) = read_raw(str(tmp_path / "data-0.arrow"), PLAIN)
    assert block.reading.classes == ("positive", "negative")


# --- kept columns

MOMENT = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
KEPT = {
    "int": (pa.array([1, None], pa.int16()), "int64", [1, None]),
    "small uint64": (pa.array([1, 2], pa.uint64()), "int64", [1, 2]),
    "large uint64": (pa.array([1, 2**64 - 1], pa.uint64()), "uint64", [1, 2**64 - 1]),
    "whole decimals": (pa.array([Decimal(9), Decimal(10)], pa.decimal128(9, 0)), "int64", [9, 10]),
    "whole decimals of 64 bits": (pa.array([Decimal(2**64 - 1)], pa.decimal128(38, 0)), "uint64", [2**64 - 1]),
    "huge decimals": (pa.array([Decimal(10**30), None], pa.decimal128(38, 0)), "double", [1e30, None]),
    "prices": (pa.array([Decimal("9.50"), Decimal("10.25")], pa.decimal128(10, 2)), "double", [9.5, 10.25]),
    "tiny decimals": (pa.array([Decimal("1E-7"), Decimal(0)], pa.decimal128(30, 18)), "double", [1e-7, 0.0]),
    "small decimals": (pa.array([Decimal("-1.5")], pa.decimal32(5, 1)), "double", [-1.5]),
    "whole small decimals": (pa.array([Decimal(-3)], pa.decimal64(12, 0)), "int64", [-3]),
    "wide decimals": (pa.array([Decimal(3)], pa.decimal256(50, 0)), "int64", [3]),
    "null decimals": (pa.nulls(2, pa.decimal128(9, 2)), "double", [None, None]),
    "uuids": (pa.array([uuid.UUID(int=7).bytes, None], pa.uuid()), "string", [str(uuid.UUID(int=7)), None]),
    "json": (pa.array(['{"a": 1}', None], pa.json_()), "string", ['{"a": 1}', None]),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([0, 1, None], pa.int8())), "bool", [False, True, None]),
    "dates": (pa.array([date(2024, 2, 29)]), "string", ["2024-02-29"]),
    "moments": (pa.array([MOMENT], pa.timestamp("ms", "UTC")), "string", ["2024-02-29 12:30:00.000Z"]),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "string", ["1970-01-01 00:00:00.000000001"]),
    "durations": (pa.array([1500, None], pa.duration("ms")), "double", [1.5, None]),
    "lists": (pa.array([["a", 'b"'], [], None]), "string", ['["a", "b\\""]', "[]", None]),
    "lists of lists": (pa.array([[[1, None], []]]), "string", ["[[1, null], []]"]),
    "lists of dates": (pa.array([[date(2024, 2, 29)]]), "string", ['["2024-02-29"]']),
    "lists of decimals": (pa.array([[Decimal("1.50")]]), "string", ['["1.50"]']),
    "structs": (pa.array([{"a": 1.5, "b": "ä"}, None]), "string", ['{"a": 1.5, "b": "ä"}', None]),
    "structs with nan": (pa.array([{"a": float("nan")}]), "string", ['{"a": null}']),
    "moments in structs": (pa.array([{"a": 1}], pa.struct({"a": pa.timestamp("ns")})), "string", ['{"a": "1970-01-01 00:00:00.000000001"}']),
    "maps": (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), "string", ['{"k": 1}', None]),
    "words in lists": (pa.array([["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), "string", ['["a"]']),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("what", KEPT)
def test_columns_are_kept_by_what_they_mean(tmp_path: Path, what: str, name: str) -> None:
    array, type_, values = KEPT[what]
    assert stored(write(tmp_path / name, table_with(column=array)), "column") == (type_, values)


LEFT_OUT = {
    "vectors": pa.array([[0.5, 1.5]]),
    "tensors": pa.FixedShapeTensorArray.from_storage(
        pa.fixed_shape_tensor(pa.float32(), [2]), pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))
    ),
    "pictures": pa.array([{"bytes": b"\xff", "path": None}], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
}


@pytest.mark.parametrize("name", FORMATS)
def test_columns_that_are_left_out_are_named_once(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, table_with(kept=pa.array([1]), **LEFT_OUT))
    (block,) = read_raw(str(path), PLAIN)
    assert list(block.data) == ["text", "kept"]
    (note,) = block.reading.notes
    assert note.startswith(f"{path}: columns that cannot be kept as numbers or text are left out: 'vectors' (list<")
    assert "'tensors' (" in note
    assert "'pictures' (struct<bytes: binary, path: string>)" in note


def test_durations_are_told_to_be_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", table_with(x=pa.array([1], pa.duration("us"))))
    (block,) = read_raw(str(path), PLAIN)
    assert block.reading.notes == (f"{path}: kept in seconds: 'x'",)


def test_decimals_of_many_digits_are_known_to_be_rounded(tmp_path: Path) -> None:
    few, many = Decimal("123456789012.500"), Decimal("1234567890123456.789")
    for value, is_rounded in ((few, False), (many, True)):
        path = write(tmp_path / "in.parquet", table_with(x=pa.array([value, Decimal(1)], pa.decimal128(38, 18))))
        assert block_of(path).kinds["x"].is_rounded == is_rounded


def test_an_unknown_extension_is_what_it_is_stored_as(tmp_path: Path) -> None:
    class Stars(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.int64(), "made.up.stars")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "Stars":
            return cls()

    array = pa.ExtensionArray.from_storage(Stars(), pa.array([5, None]))
    for name in FORMATS:
        assert stored(write(tmp_path / name, table_with(x=array)), "x") == ("int64", [5, None])


def test_an_error_of_arrow_names_the_file_and_the_column(tmp_path: Path) -> None:
    lists = pa.array([["\udcff".encode("utf-8", "surrogateescape")]], pa.list_(pa.binary()))
    broken = pa.ListArray.from_arrays(lists.offsets, lists.values.view(pa.binary()).view(pa.string()))
    path = write(tmp_path / "in.parquet", table_with(words=broken))
    with pytest.raises(InputError, match=r"in\.parquet: the column 'words' cannot be read: .*utf-8"):
        block_of(path)
    with pytest.raises(InputError, match=r"in\.arrow cannot be read: .*UTF8"):
        block_of(write(tmp_path / "in.arrow", table_with(words=broken)))


def test_binary_ids_of_sixteen_bytes_name_the_way_to_uuids(tmp_path: Path) -> None:
    ids = [uuid.UUID(int=2**127 + number) for number in range(3)]
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": pa.array([id_.bytes for id_ in ids], pa.binary(16)), "text": ["a", "b", "c"]}), path)
    with pytest.raises(InputError, match=re.escape("as with str(uuid.UUID(bytes=value)) in Python")):
        [*read_blocks(str(path), ColumnNames())]
