"""Texts → corpus columns."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.families.corpus import add_statistics, corpus_batch, corpus_schema, corpus_statistics
from store.families.text_hash import text_hash, text_hashes

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def batch_of(values: list[str], *, labels: list[int | None] | None = None) -> pa.RecordBatch:
    return corpus_batch(
        first_row=5,
        ids=pa.array([str(number) for number in range(len(values))], pa.string()),
        texts=pa.array(values, pa.string()),
        labels=pa.array(labels or [None] * len(values), pa.int16()),
        extras={"stars": pa.array(range(len(values)), pa.int64())},
    )


@pytest.mark.parametrize("same", ["hello world", "  Hello\tWORLD\n", "HELLO\u00a0\r\n world", "hello\u3000world"])
def test_texts_that_a_reader_would_call_the_same_hash_the_same(same: str) -> None:
    assert text_hash(same) == text_hash("Hello World")


@pytest.mark.parametrize("other", ["helloworld", "hello world!", "", "hello, world", "hellö world"])
def test_other_texts_hash_differently(other: str) -> None:
    assert text_hash(other) != text_hash("hello world")


def test_case_is_folded_and_not_lowered() -> None:
    assert text_hash("Straße") == text_hash("STRASSE")


def test_the_hash_is_the_one_that_the_format_promises() -> None:
    digest = hashlib.blake2b(b"hello world", digest_size=8).digest()
    assert text_hash(" Hello  World") == sum(byte << 8 * place for place, byte in enumerate(digest))
    assert text_hash("") == 0xB4B2797457A0A6E4


@settings(deadline=None)
@given(values=st.lists(texts, max_size=5))
def test_a_batch_has_every_text_with_its_length_and_hash(values: list[str]) -> None:
    batch = batch_of(values)
    batch.validate(full=True)
    assert batch.schema == corpus_schema({"stars": pa.int64()})
    assert batch.column("row").to_pylist() == list(range(5, 5 + len(values)))
    assert batch.column("text").to_pylist() == values
    assert batch.column("n_chars").to_pylist() == [len(value) for value in values]
    assert batch.column("text_hash").to_pylist() == [text_hash(value) for value in values]
    assert batch.column("stars").to_pylist() == list(range(len(values)))


ODD = "aZ \t\n\x0b\x1c\x1f\x85\xa0\u2003\u3000éÉßẞſµİıΣςЖж字👍\u0345\ufb01K\U00010400\0"


@settings(deadline=None)
@given(values=st.lists(st.text(st.sampled_from(ODD), max_size=12), max_size=6), begin=st.integers(0, 2))
def test_many_texts_hash_as_each_of_them_does(values: list[str], begin: int) -> None:
    expected = [text_hash(text) for text in values[begin:]]
    assert text_hashes(pa.array(values, pa.string())[begin:]).tolist() == expected
    cast = pa.array([text.encode() for text in values], pa.large_binary())[begin:].cast(pa.string())
    assert text_hashes(cast).tolist() == expected, "its first byte is not the first of its buffer"


def test_every_character_hashes_as_it_does_alone() -> None:
    values = [f"{chr(point)}a {chr(point + 1)}" for point in (*range(0, 0xD7FE, 2), *range(0xE000, 0x1FFFE, 2))]
    assert text_hashes(pa.array(values, pa.string())).tolist() == [text_hash(text) for text in values]


def test_characters_are_counted_and_not_bytes() -> None:
    assert batch_of(["naïve 👍"]).column("n_chars").to_pylist() == [7]


def test_statistics_add_up_over_batches() -> None:
    statistics = corpus_statistics()
    assert statistics == {"characters": 0, "gold": 0}
    for batch in (batch_of(["ab", "cde"], labels=[0, None]), batch_of([]), batch_of(["é"], labels=[2])):
        add_statistics(statistics, batch)
    assert statistics == {"characters": 6, "gold": 2}
