import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from engine.errors import ModelError
from engine.tokens.encoding import Encoding


@pytest.fixture(scope="module")
def tokenizer(demo):
    return AutoTokenizer.from_pretrained(demo.path("teacher"))


def expected(tokenizer, text, max_length):
    return tokenizer(text, truncation=True, max_length=max_length)["input_ids"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), min_size=1, max_size=8))
def test_ids_are_those_of_transformers(tokenizer, texts):
    tokens = Encoding(tokenizer.backend_tokenizer, max_length=24).encode(texts)
    for row, text in enumerate(texts):
        assert tokens.row(row).tolist() == expected(tokenizer, text, 24)
        assert tokens.truncated[row] == (len(tokenizer(text)["input_ids"]) > 24)


@pytest.mark.parametrize("text", ["the food was good . " * 60_000, "x" * 1_000_000, "a" + " " * 1_000_000 + "b"])
def test_a_text_of_a_megabyte_gives_the_same_ids_as_without_a_cut(tokenizer, text):
    tokens = Encoding(tokenizer.backend_tokenizer, max_length=64).encode([text, "good"])
    assert tokens.row(0).tolist() == expected(tokenizer, text, 64)
    assert tokens.row(1).tolist() == expected(tokenizer, "good", 64)


def test_a_cut_on_the_left_keeps_the_end(tokenizer):
    text = "the food was good . " * 50
    tokenizer.truncation_side = "left"
    wanted = expected(tokenizer, text, 16)
    tokenizer.truncation_side = "right"
    assert Encoding(tokenizer.backend_tokenizer, max_length=16, side="left").encode([text]).row(0).tolist() == wanted


def test_offsets_lengths_and_dtype(tokenizer):
    tokens = Encoding(tokenizer.backend_tokenizer, max_length=32).encode(["good", "", "the food"])
    assert tokens.offsets.tolist()[0] == 0
    assert tokens.offsets[-1] == len(tokens.ids)
    assert tokens.ids.dtype == np.uint16
    assert tokens.lengths.tolist() == [len(expected(tokenizer, text, 32)) for text in ("good", "", "the food")]


def test_no_texts_give_no_tokens(tokenizer):
    tokens = Encoding(tokenizer.backend_tokenizer, max_length=32).encode([])
    assert tokens.offsets.tolist() == [0]
    assert len(tokens.ids) == 0


def test_the_fingerprint_ignores_truncation_and_padding_and_nothing_else(tokenizer):
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    used = Tokenizer.from_str(plain.to_str())
    used.enable_truncation(7)
    used.enable_padding(length=9)
    changed = json.loads(plain.to_str())
    changed["normalizer"]["lowercase"] = not changed["normalizer"]["lowercase"]
    fingerprint = Encoding(plain, max_length=32).fingerprint
    assert Encoding(used, max_length=32).fingerprint == fingerprint
    assert Encoding(Tokenizer.from_str(json.dumps(changed)), max_length=32).fingerprint != fingerprint
    assert Encoding(plain, max_length=31).fingerprint != fingerprint
    assert Encoding(plain, max_length=32, side="left").fingerprint != fingerprint


def test_the_name_says_kind_and_length(tokenizer):
    encoding = Encoding(tokenizer.backend_tokenizer, max_length=32)
    assert encoding.name == f"wordpiece-32-{encoding.fingerprint[:8]}"


def test_a_maximum_length_without_room_for_text_is_refused(tokenizer):
    with pytest.raises(ModelError, match="--max-length is 2"):
        Encoding(tokenizer.backend_tokenizer, max_length=2)
