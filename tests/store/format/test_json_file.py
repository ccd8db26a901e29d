"""The small files: every flipped bit and every cut is seen, and what is kept twice is the same twice."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import with_check

from store.errors import DamageError, StoreMissingError
from store.format.json_file import copy_name, freeze, from_json, is_there, is_torn, parse_json, to_json
from store.storage import LocalStorage, MemoryStorage, Storage

VALUE = {"b": "é", "a": [1, None, {"x": "}", "check": "no"}], "last": {"deep": ',\n "check": "'}}
WHOLE = to_json(VALUE)


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "a.store") if request.param == "local" else MemoryStorage()


plain = st.text(st.characters(exclude_categories=["Cs"]))
values = st.dictionaries(
    plain,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
        lambda inner: st.lists(inner) | st.dictionaries(plain, inner),
        max_leaves=8,
    ),
    min_size=1,
)


@settings(max_examples=60, deadline=None)
@given(value=values)
def test_a_value_is_read_back_equal_and_gives_the_same_bytes_again(value: dict[str, Any]) -> None:
    data = to_json(value)
    back = parse_json(data, "x")
    assert (back, list(back)) == (value, list(value))
    assert to_json(back) == data
    assert not is_torn(data)


def test_it_is_readable_json_whose_last_key_is_the_hash_of_what_is_before_it() -> None:
    assert "é".encode() in WHOLE
    assert WHOLE.endswith(b'"\n}\n')
    keys = [key for key, _ in json.loads(WHOLE, object_pairs_hook=list)]
    assert keys == [*VALUE, "check"]
    body, trailer = WHOLE.rsplit(b',\n "check": "', 1)
    assert trailer == hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def test_a_key_of_the_name_check_is_kept() -> None:
    value = {"a": 1, "check": "of the user", "z": 2}
    assert parse_json(to_json(value), "x") == value


@pytest.mark.parametrize("raw", [b"a\x80b", b"\xff", b"caf\xe9.csv", b"\xed\xa0\xbd \xc3\xa9"])
def test_a_file_name_that_is_not_utf8_is_read_back_equal(raw: bytes) -> None:
    name = os.fsdecode(raw)
    data = to_json({"inputs": [{"path": name}], name: 1})
    data.decode()
    assert parse_json(data, "x") == {"inputs": [{"path": name}], name: 1}
    assert to_json(parse_json(data, "x")) == data


def test_every_flipped_bit_is_found_and_named() -> None:
    for position in range(len(WHOLE)):
        for bit in range(8):
            data = bytearray(WHOLE)
            data[position] ^= 1 << bit
            with pytest.raises(DamageError, match=r"a/store/x\.json is .*; `engine verify STORE --repair` says what"):
                parse_json(bytes(data), "a/store/x.json")


def test_a_flipped_bit_is_damage_and_no_torn_file() -> None:
    """A torn record counts as not committed, and a damaged one must not."""
    for position in range(len(WHOLE)):
        for bit in range(8):
            data = bytearray(WHOLE)
            data[position] ^= 1 << bit
            assert not is_torn(bytes(data)), f"bit {bit} of byte {position - len(WHOLE)} from the end"


def test_every_beginning_is_torn() -> None:
    for length in range(len(WHOLE)):
        assert is_torn(WHOLE[:length])
        with pytest.raises(DamageError, match=r"x\.json is cut short; `engine verify STORE --repair`"):
            parse_json(WHOLE[:length], "x.json")


@pytest.mark.parametrize("more", [b"\0", b"\n", b"}\n", WHOLE])
def test_something_behind_is_damage(more: bytes) -> None:
    with pytest.raises(DamageError, match="is damaged|is cut short"):
        parse_json(WHOLE + more, "x")
    assert not is_torn(WHOLE + more)


@pytest.mark.parametrize("body", [b"[1", b"7", b'{"a"', b'{"a": 1}', b"\xff", b'{"a": "\xff"'])
def test_a_right_check_over_what_is_no_json_object_is_damage(body: bytes) -> None:
    with pytest.raises(DamageError, match="x is damaged"):
        parse_json(with_check(body), "x")


def test_a_missing_file_is_missing_and_damage_names_its_place(storage: Storage) -> None:
    with pytest.raises(StoreMissingError, match="there is no file x.json"):
        from_json(storage, "x.json")
    storage.put("x.json", WHOLE[:-1])
    with pytest.raises(DamageError) as caught:
        from_json(storage, "x.json")
    assert f"{storage.location}/x.json" in str(caught.value)


def test_a_torn_file_is_not_there(storage: Storage) -> None:
    assert not is_there(storage, "x.json")
    for length in (0, 1, len(WHOLE) // 2, len(WHOLE) - 1):
        storage.put("x.json", WHOLE[:length])
        assert not is_there(storage, "x.json")
    storage.put("x.json", WHOLE)
    assert is_there(storage, "x.json")


def test_what_is_frozen_is_there_twice_with_the_same_bytes(storage: Storage) -> None:
    assert freeze(storage, "f/card.json", VALUE) == VALUE
    assert storage.list("f") == ["card.copy.json", "card.json"]
    assert [storage.read(f"f/{name}").to_pybytes() for name in storage.list("f")] == [WHOLE, WHOLE]
    assert copy_name("f/card.json") == "f/card.copy.json"


def test_the_first_value_holds_in_the_file_and_its_copy(storage: Storage) -> None:
    freeze(storage, "card.json", {"model": "one"})
    assert freeze(storage, "card.json", {"model": "two"}) == {"model": "one"}
    assert from_json(storage, "card.copy.json") == from_json(storage, "card.json") == {"model": "one"}


@pytest.mark.parametrize("copied", [None, 0, 7, len(WHOLE) - 1])
def test_a_writer_that_was_killed_between_the_file_and_its_copy(storage: Storage, copied: int | None) -> None:
    storage.put("card.json", WHOLE)
    if copied is not None:
        storage.put("card.copy.json", WHOLE[:copied])
    assert freeze(storage, "card.json", {"other": 1}) == VALUE
    assert storage.read("card.copy.json").to_pybytes() == WHOLE


@pytest.mark.parametrize("length", [0, 1, len(WHOLE) // 2, len(WHOLE) - 1])
def test_a_writer_that_was_killed_inside_the_file(storage: Storage, length: int) -> None:
    storage.put("card.json", WHOLE[:length])
    assert freeze(storage, "card.json", VALUE) == VALUE
    assert storage.read("card.json").to_pybytes() == storage.read("card.copy.json").to_pybytes() == WHOLE


def test_freezing_over_damage_is_refused_and_changes_nothing(storage: Storage) -> None:
    damaged = WHOLE.replace(b"last", b"lost")
    storage.put("card.json", damaged)
    with pytest.raises(DamageError, match=r"card\.json is damaged"):
        freeze(storage, "card.json", VALUE)
    assert storage.read("card.json").to_pybytes() == damaged
    assert storage.list("") in (["card.json"], ["card.json", "tmp"])


def test_a_lost_file_is_not_frozen_anew_beside_its_copy(storage: Storage) -> None:
    """What the copy says was obeyed by every shard so far."""
    storage.put("card.copy.json", to_json({"model": "one"}))
    try:
        held = freeze(storage, "card.json", {"model": "two"})
    except DamageError:
        return
    assert held == {"model": "one"}
