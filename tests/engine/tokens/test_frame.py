import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from engine.errors import ModelError
from engine.testing.architectures import TOKENIZERS
from engine.tokens.encoding import Encoding
from engine.tokens.frame import Frame, frame_of
from engine.tokens.tokens import made_up_tokens


def letters(*known):
    """A tokenizer of letters, which gives no token for any other."""
    made = Tokenizer(models.BPE({"<s>": 0, "</s>": 1, **{letter: 2 + at for at, letter in enumerate(known)}}, []))
    made.add_special_tokens(["<s>", "</s>"])
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s> </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return made


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_cut_keeps_the_special_tokens_although_one_letter_gives_no_token(side):
    made = letters("X", "Y", "Z")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=made, truncation_side=side)
    text = "XYZ"
    ids = Encoding(made, max_length=5, side=side).encode([text, "a", "X a Z"])
    assert ids.row(0).tolist() == theirs(text, truncation=True, max_length=5)["input_ids"]
    assert ids.row(0).tolist() == ([0, 2, 3, 1, 1] if side == "right" else [0, 3, 4, 1, 1])
    assert ids.row(1).tolist() == [0, 1, 1]
    assert ids.truncated.tolist() == [True, False, False]


def test_a_tokenizer_that_knows_no_letter_or_fails_is_refused():
    with pytest.raises(ModelError, match="gives no token for any text"):
        frame_of(Tokenizer(models.BPE({"ab": 0}, [])))
    with pytest.raises(ModelError, match="cannot encode 'a': .*UNK"):
        frame_of(Tokenizer(models.WordLevel({"bad": 0})))


def test_types_follow_the_place_in_the_row():
    frame = frame_of(TOKENIZERS["xlnet"]().backend_tokenizer)
    assert frame == Frame(before=(), after=(4, 3), types_before=(), text_type=0, types_after=(0, 2))
    assert frame.types(np.array([4, 2])).tolist() == [0, 0, 0, 2, 0, 2]
    around = Frame(before=(7,), after=(8,), types_before=(2,), text_type=1, types_after=(0,))
    assert around.types(np.array([2, 5, 3])).tolist() == [2, 0, 2, 1, 1, 1, 0, 2, 1, 0]
    assert around.has_types
    assert not Frame(before=(7,), types_before=(0,)).has_types


def test_split_special_tokens_are_another_encoding():
    tokenizer = TOKENIZERS["bert"]().backend_tokenizer
    plain = Encoding(tokenizer, max_length=16)
    tokenizer.encode_special_tokens = True
    split = Encoding(tokenizer, max_length=16)
    assert plain.fingerprint != split.fingerprint
    assert 3 in plain.encode(["good [SEP] bad"]).row(0)[1:-1]
    assert split.encode(["good [SEP] bad"]).row(0).tolist() == tokenizer.encode("good [SEP] bad").ids
    assert split.made_by == "tokenizers"


def test_made_up_rows_begin_and_end_as_the_tokenizers_do():
    frame = Frame(before=(300,), after=(301, 302), types_before=(0,), types_after=(0, 0))
    tokens = made_up_tokens(500, longest=20, frame=frame)
    rows = [tokens.row(row) for row in range(len(tokens.truncated))]
    assert {row[0] for row in rows} == {300}
    assert {tuple(row[-2:]) for row in rows} == {(301, 302)}


@pytest.mark.parametrize("direction", ["left", "right"])
def test_padding_that_a_tokenizer_asks_for_is_no_part_of_the_frame(direction):
    """As the tokenizer.json of all-MiniLM-L6-v2 and others asks for 128 tokens."""
    tokenizer = TOKENIZERS["bert"]().backend_tokenizer
    expected = frame_of(tokenizer)
    assert expected.before
    tokenizer.enable_padding(direction=direction, pad_id=0, pad_token="[PAD]", length=32)
    tokenizer.enable_truncation(max_length=32)
    assert frame_of(tokenizer) == expected
