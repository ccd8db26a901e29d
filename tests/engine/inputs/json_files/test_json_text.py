"""A JSON text is read value by value, in pieces of any size, and its errors say where they are."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.inputs.json_files import json_text
from engine.inputs.json_files.json_text import JsonText, NotJsonError, elements, keys

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


class Dripping(io.BytesIO):
    """A source that gives a few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


def text_of(content: str | bytes, *, drips: bool = False) -> JsonText:
    source = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return JsonText((Dripping if drips else io.BytesIO)(source), "in.json")


@settings(deadline=None, max_examples=150)
@given(values=st.lists(anything, max_size=5), indent=st.sampled_from([None, 1]), escapes=st.booleans())
def test_the_elements_are_those_that_json_reads(values: list[Any], indent: int | None, escapes: bool) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=escapes)
    assert list(elements(text_of(content, drips=True))) == values
    assert list(elements(text_of(f"\ufeff {content}\n"))) == values


@settings(deadline=None, max_examples=100)
@given(members=st.dictionaries(st.text(max_size=5), anything, max_size=5), indent=st.sampled_from([None, 2]))
def test_the_members_are_those_that_json_reads(members: dict[str, Any], indent: int | None) -> None:
    text = text_of(json.dumps(members, indent=indent), drips=True)
    assert {key: text.value() for key in keys(text)} == members
    assert text.peek() == ""


def test_a_number_that_ends_a_piece_is_not_cut() -> None:
    text = text_of("[123456789, 5]", drips=True)
    assert list(elements(text)) == [123456789, 5]
    assert text_of("123456789", drips=True).value() == 123456789


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1}\n, {"a" 2}]', "it is not JSON from line 2 on: Expecting ':' delimiter"),
        ('[\n{"a": 1}\n{"a": 2}\n]', "it is not JSON from line 3 on: expecting ',' or ']'"),
        ('[{"a": 1},\n', "it is not JSON from line 2 on: Expecting value"),
        ('[{"a": 1}\n', "it is not JSON from line 2 on: it is cut off"),
        ("[" * 100_000, "a value is nested too deeply"),
        ("[" + "1" * 5000 + "]", "Exceeds the limit"),
        ('["' + "x" * 300, "Unterminated string"),
    ],
)
def test_an_error_names_its_line(content: str, message: str) -> None:
    for drips in (False, True):
        with pytest.raises(NotJsonError) as raised:
            list(elements(text_of(content, drips=drips)))
        assert str(raised.value).startswith("in.json cannot be read: ")
        assert message in str(raised.value)


def test_a_value_without_an_end_is_given_up_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "LINE_BYTES", 1000)
    monkeypatch.setattr(json_text, "_PIECE", 100)
    with pytest.raises(NotJsonError, match="or a value is longer than 1,000 characters"):
        list(elements(text_of('["' + "x" * 10_000)))


def test_bytes_that_are_not_utf8_spoil_only_the_value_that_they_stand_in() -> None:
    text = text_of(b'["good \xc3\xa4", "bad \xe4", "\\ud800"]')
    assert [text.is_spoilt for _ in elements(text)] == [False, True, False]


def test_the_text_is_not_held() -> None:
    content = json.dumps([{"text": "x" * 1000}] * 20_000).encode()
    tracemalloc.start()
    assert sum(1 for _ in elements(text_of(content))) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20 < len(content)
