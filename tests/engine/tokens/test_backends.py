"""Token ids by nanotoken and by tokenizers: the same ones, or nanotoken is not used."""

import json
import logging
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

from engine.tokens import backends
from engine.tokens.backends import FlatIds, offsets_of, with_nanotoken, with_tokenizers
from engine.tokens.encoding import Encoding
from engine.tokens.probe_texts import NASTY_TEXTS

MAX_LENGTH = 24
NORMALIZERS = {
    "uncased": {},
    "cased": {"lowercase": False},
    "uncased with accents": {"strip_accents": False},
    "control characters kept": {"clean_text": False},
    "CJK not split": {"handle_chinese_chars": False},
}
WIDE = st.characters(exclude_categories=["Cs"])
# Letters, marks, white space and pieces that meet in one word more often than they would by chance.
PIECES = st.sampled_from(["[SEP]", "[MASK]", "good", "Food", " ", "\n", "\x1c", "\u0301", "\u00ad", "\u200d", "\u3000", "中", "İ", "ß", "Σ", "##", "x" * 99])  # fmt: skip
TEXTS = st.lists(st.lists(st.one_of(PIECES, WIDE), max_size=120).map("".join), max_size=8)


@pytest.fixture(scope="module")
def backend(demo):
    tokenizer = AutoTokenizer.from_pretrained(demo.path("teacher")).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def changed(backend, **normalizer):
    serialized = json.loads(backend.to_str())
    serialized["normalizer"].update(normalizer)
    return Tokenizer.from_str(json.dumps(serialized))


def same(one, other):
    assert one.ids.dtype == other.ids.dtype
    assert one.ids.tolist() == other.ids.tolist()
    assert one.offsets.dtype == other.offsets.dtype
    assert one.offsets.tolist() == other.offsets.tolist()
    return True


@pytest.fixture
def anew():
    """What was found out of tokenizers before, with nanotoken as it is, does not count in this test, nor the reverse."""
    backends._found_nanotoken.cache_clear()
    yield
    backends._found_nanotoken.cache_clear()


def test_a_tokenizer_is_compared_once(backend, anew):
    pytest.importorskip("nanotoken")
    first, second = (Encoding(backend, max_length=length) for length in (MAX_LENGTH, 16))
    assert first._make_ids is second._make_ids


@pytest.fixture(scope="module", params=NORMALIZERS)
def both(request, backend):
    """The encodings of one tokenizer that nanotoken and tokenizers carry out."""
    pytest.importorskip("nanotoken")
    tokenizer = changed(backend, **NORMALIZERS[request.param])
    fast, slow = (Encoding(tokenizer, max_length=MAX_LENGTH, fast=fast) for fast in (True, False))
    assert (fast.made_by, slow.made_by) == ("nanotoken", "tokenizers")
    return fast, slow


def test_nasty_texts_give_the_same_tokens(both):
    fast, slow = (encoding.encode(NASTY_TEXTS) for encoding in both)
    assert same(fast, slow)
    assert fast.truncated.tolist() == slow.truncated.tolist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_any_texts_give_the_same_tokens(both, texts):
    fast, slow = (encoding.encode(texts) for encoding in both)
    assert same(fast, slow)
    assert fast.truncated.tolist() == slow.truncated.tolist()


def test_every_character_gives_the_same_ids(backend):
    pytest.importorskip("nanotoken")
    words = [f"go{chr(point)}od" for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    texts = [" ".join(words[start : start + 1000]) for start in range(0, len(words), 1000)]
    assert same(with_nanotoken(backend)(texts), with_tokenizers(backend)(texts))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("text", ["the food was good . " * 60_000, "x" * 1_000_000, "a" + " " * 1_000_000 + "b"])
def test_a_text_of_a_megabyte_gives_the_same_tokens(backend, text, side):
    pytest.importorskip("nanotoken")
    texts = ["good", text, "", text + " bad"]
    fast, slow = (Encoding(backend, max_length=64, side=side, fast=fast).encode(texts) for fast in (True, False))
    assert same(fast, slow)
    assert fast.truncated.tolist() == slow.truncated.tolist()


def test_name_and_fingerprint_do_not_say_who_made_the_ids(both):
    fast, slow = both
    assert (fast.name, fast.fingerprint, fast.dtype) == (slow.name, slow.fingerprint, slow.dtype)


def test_without_nanotoken_the_ids_come_from_tokenizers(backend, monkeypatch, caplog, anew):
    monkeypatch.setitem(sys.modules, "nanotoken", None)
    with caplog.at_level(logging.DEBUG, logger="engine.tokens.backends"):
        encoding = Encoding(backend, max_length=MAX_LENGTH)
    assert encoding.made_by == "tokenizers"
    assert "not nanotoken: import of nanotoken halted" in caplog.text
    assert encoding.encode(["the food"]).row(0).tolist() == backend.encode("the food").ids


class _Tampered:
    """nanotoken, but with an id of its own for one text."""

    def __init__(self, real, text):
        self._real, self._text = real, text

    def from_json(self, serialized):
        made = self._real.from_json(serialized)
        return _TamperedBatches(made, self._text)


class _TamperedBatches:
    def __init__(self, made, text):
        self._made, self._text = made, text

    def encode_batch(self, texts):
        return self._made.encode_batch(["other" if text == self._text else text for text in texts])


@pytest.mark.parametrize("text", [NASTY_TEXTS[3], NASTY_TEXTS[10].upper(), NASTY_TEXTS[-1]])
def test_one_other_text_is_enough_to_do_without_nanotoken(backend, monkeypatch, caplog, text, anew):
    nanotoken = pytest.importorskip("nanotoken")
    monkeypatch.setattr(nanotoken, "Tokenizer", _Tampered(nanotoken.Tokenizer, text))
    with caplog.at_level(logging.DEBUG, logger="engine.tokens.backends"):
        assert Encoding(backend, max_length=MAX_LENGTH).made_by == "tokenizers"
    assert "differ on the sample" in caplog.text


def test_what_nanotoken_does_not_know_is_left_to_tokenizers(backend):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    other_model = Tokenizer(models.BPE({letter: index for index, letter in enumerate(letters)}, []))
    assert with_nanotoken(other_model) is None
    other_parts = Tokenizer.from_str(backend.to_str())
    other_parts.pre_tokenizer = pre_tokenizers.Metaspace()
    assert with_nanotoken(other_parts) is None


def test_added_tokens_of_a_user_are_found_in_the_text(backend):
    pytest.importorskip("nanotoken")
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.add_tokens(["GoodFood", "two words"])
    tokenizer.add_special_tokens(["<br />"])
    fast, slow = (Encoding(tokenizer, max_length=MAX_LENGTH, fast=fast) for fast in (True, False))
    assert fast.made_by == "nanotoken"
    texts = ["goodfood GoodFood,two words", "a<br />b <br/> " * 9, "two " * 200 + "two words"]
    assert same(fast.encode(texts), slow.encode(texts))


@pytest.mark.parametrize("fast", [True, False])
def test_no_texts_give_no_ids(backend, fast):
    tokens = Encoding(backend, max_length=MAX_LENGTH, fast=fast).encode([])
    assert (tokens.ids.dtype, len(tokens.ids)) == (np.uint16, 0)
    assert tokens.offsets.tolist() == [0]
    assert (tokens.truncated.dtype, len(tokens.truncated)) == (np.bool_, 0)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_text_of_just_the_maximum_length_is_not_truncated(backend, fast, side):
    encoding = Encoding(backend, max_length=MAX_LENGTH, side=side, fast=fast)
    room = MAX_LENGTH - 2
    tokens = encoding.encode(["food " * (room + more) for more in (-1, 0, 1, 2, 500)])
    assert tokens.truncated.tolist() == [False, False, True, True, True]
    assert tokens.lengths.tolist() == [MAX_LENGTH - 1, *[MAX_LENGTH] * 4]
    first, *_, last = backend.encode("food").ids
    assert all(tokens.row(row)[0] == first and tokens.row(row)[-1] == last for row in range(5))


@pytest.mark.parametrize("fast", [True, False])
def test_a_prefix_does_not_end_at_a_character_that_the_tokenizer_deletes(backend, fast):
    """The words around it are one: too long a one, and so one unknown token, not the 60 letters before it."""
    text = "food " * 10 + " " * 100 + "g" * 60 + "\x1c" + "o" * 200 + " good" * 100
    tokens = Encoding(backend, max_length=MAX_LENGTH, fast=fast).encode([text])
    assert tokens.row(0).tolist() == [*backend.encode(text).ids[: MAX_LENGTH - 1], backend.encode("").ids[-1]]


def test_rows_can_be_replaced():
    flat = FlatIds(np.array([1, 2, 3, 4], np.uint32), offsets_of([2, 0, 2]))
    others = FlatIds(np.array([7, 8, 9], np.uint32), offsets_of([3, 0]))
    assert same(flat.replaced([1, 2], others), FlatIds(np.array([1, 2, 7, 8, 9], np.uint32), offsets_of([2, 3, 0])))
