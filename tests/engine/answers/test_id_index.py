"""Ids by hash: exact, whatever the hashes are."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import add_corpus, make_store, write_header

from engine.answers import id_index
from engine.answers.id_index import IdIndex
from store.errors import StoreMissingError

NAMES = st.lists(st.text("ab0é👍 ", max_size=4), unique=True, max_size=30)


@given(NAMES, st.lists(st.text("ab0é👍 ", max_size=4), max_size=30))
def test_every_id_is_found_and_no_other(names, asked):
    index = IdIndex(pa.array(names, pa.string()))
    expected = [names.index(name) if name in names else -1 for name in asked]
    assert index.rows(pa.array(asked, pa.string())).tolist() == expected
    assert index.known(asked) == {name: names.index(name) for name in asked if name in names}


@given(NAMES, st.lists(st.text("ab0é👍 ", max_size=4), max_size=30), st.integers(1, 3))
def test_ids_of_one_hash_are_told_apart(names, asked, hashes):
    def few(ids):
        return np.array([len(id_) % hashes for id_ in ids.to_pylist()], np.uint64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_index, "_hashes", few)
        index = IdIndex(pa.array(names, pa.string()))
        expected = [names.index(name) if name in names else -1 for name in asked]
        assert index.rows(pa.array(asked, pa.string())).tolist() == expected


def test_a_slice_is_hashed_as_what_it_holds():
    ids = pa.array(["a", "b", "c", "d"]).slice(1, 2)
    assert IdIndex(ids).rows(pa.array(["x", "c", "d", "b"]).slice(1)).tolist() == [1, -1, 0]


def test_those_of_a_store(monkeypatch):
    monkeypatch.setattr(id_index, "_AT_ONCE", 7)
    index = IdIndex.of_store(make_store(rows=50))
    assert index.rows(pa.array(["id-49", "id-0", "ID-1", "id-17"])).tolist() == [49, 0, -1, 17]
    assert (index.id(3), index.first(2)) == ("id-3", ["id-0", "id-1"])


def test_a_corpus_that_is_not_finished_has_none():
    made = write_header(rows=50)
    add_corpus(made, shards=[0, 2])
    with pytest.raises(StoreMissingError, match="lacks 1 of 3 shards"):
        IdIndex.of_store(made)
