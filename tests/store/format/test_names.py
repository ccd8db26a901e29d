"""Names and column types."""

import pyarrow as pa
import pytest

from store.errors import InvalidNameError
from store.families.corpus import corpus_schema
from store.families.gold import gold_schema
from store.families.labels import labels_schema
from store.families.rejects import rejects_schema
from store.families.tokens import tokens_schema
from store.format.names import RESERVED_COLUMNS, check_name


@pytest.mark.parametrize("name", ["a", "0", "bert-base_uncased.v2", "a" * 64, "a..b"])
def test_good_names_are_themselves(name: str) -> None:
    assert check_name(name, what="label set") == name


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "..", "_a", "a/b", "a b", "a\n", "é", "a" * 65, "a\x00"])
def test_bad_names_are_refused_with_what_they_name(name: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_name(name, what="label set")
    assert str(caught.value).startswith(f"label set {name!r}: a name is 1 to 64 of")


@pytest.mark.parametrize(("vocabulary", "type_"), [(2, pa.uint16()), (65_536, pa.uint16()), (65_537, pa.uint32())])
def test_token_ids_are_as_narrow_as_the_vocabulary_allows(vocabulary: int, type_: pa.DataType) -> None:
    assert tokens_schema(vocabulary).field("input_ids").type.value_type == type_


def test_logits_are_half_floats() -> None:
    assert labels_schema(5).field("logits").type == pa.list_(pa.field("item", pa.float16(), nullable=False), 5)


def test_extras_follow_the_corpus_columns_in_order() -> None:
    schema = corpus_schema({"z": pa.bool_(), "a": pa.string()})
    assert schema.names == ["row", "id", "text", "label", "n_chars", "text_hash", "z", "a"]
    assert schema.field("z").type == pa.bool_()


def test_columns_that_a_row_must_have_are_not_nullable() -> None:
    nullable = {field.name for field in corpus_schema({"x": pa.int64()}) if field.nullable}
    assert nullable == {"label", "x"}
    nullable = {field.name for field in labels_schema(2) if field.nullable}
    assert nullable == {"logits", "prediction", "confidence", "margin", "entropy", "failure"}
    assert {field.name for field in gold_schema() if field.nullable} == set()
    assert {field.name for field in rejects_schema() if field.nullable} == {"id", "position", "lines"}


def test_every_column_of_ours_is_reserved() -> None:
    assert set(corpus_schema().names) | set(labels_schema(2).names) <= set(RESERVED_COLUMNS)
