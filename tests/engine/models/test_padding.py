import copy
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.models.batching import batching_of
from engine.models.classifier import Classifier
from engine.models.padding import adopt_padding, settle_padding
from engine.models.probe import settle_length, settled, within
from engine.models.state import State
from engine.testing.architecture_list import ARCHITECTURES
from engine.testing.architectures import TOKENIZERS, texts
from engine.tokens.batches import restore
from engine.training.micro_batches import MicroBatches

CPU = torch.device("cpu")
BY_TITLE = {architecture.title: architecture for architecture in ARCHITECTURES}


def made(title, **changes):
    module, tokenizer = BY_TITLE[title].make()
    for name, value in changes.items():
        vars(module.config)[name] = value
    return module, tokenizer


def own(module, tokenizer, texts, max_length):
    """By transformers, each text alone and by a model that has computed nothing else."""
    rows = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        with torch.inference_mode():
            rows.append(copy.deepcopy(module)(**inputs).logits.numpy())
    return np.concatenate(rows)


def loaded(module, tokenizer):
    settle_padding("small", module, tokenizer)
    classes = [f"class {number}" for number in range(module.config.num_labels)]
    return Classifier(source="small", revision=None, folder=Path(), module=module, tokenizer=tokenizer, classes=classes)


def by_the_engine(model, texts, max_length, *, budget=512):
    encoder = Encoder(model, device=CPU, budget=budget, longest=max_length)
    tokens = model.encoding(max_length).encode(texts)
    logits = encoder.logits(tokens, encoder.plan(tokens))
    exact = np.stack([encoder.exact_logits(tokens, row) for row in range(len(texts))])
    np.testing.assert_allclose(logits, exact, atol=1e-4, rtol=5e-4)
    return logits, encoder


def assert_own(title, texts, *, max_length=48, budget=512, **changes):
    module, tokenizer = made(title, **changes)
    expected = own(module, tokenizer, texts, max_length)
    logits, encoder = by_the_engine(loaded(module, tokenizer), texts, max_length, budget=budget)
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=5e-4)
    return module, encoder


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("Llama, no padding token, ends with eos", 0),  # the end token would hide the end of each text
        ("GPT2, no padding token", 0),
        ("Llama, padding token -1", 0),
        ("Llama, pads and ends with eos", 2),
        ("Llama, own padding token", 1),
    ],
)
def test_a_decoder_is_pooled_where_transformers_pools_it(title, named):
    module, _ = assert_own(title, texts())
    assert module.config.pad_token_id == named, "what a trained model is saved with"


def test_a_number_beyond_the_vocabulary_is_no_padding_token():
    module, _ = assert_own("Llama, no padding token", texts(), pad_token_id=70_000)
    assert not batching_of(module).knows_padding


def test_a_batch_that_has_every_token_of_the_vocabulary_has_no_token_left_for_padding(monkeypatch):
    module, tokenizer = made("GPT2, no padding token")
    expected = own(module, tokenizer, texts(), 48)
    model = loaded(module, tokenizer)
    batching = batching_of(module)
    assert batching.fill(np.arange(4), 4) is None
    assert batching.fill(np.array([0, 2]), 4) == 1
    assert batching.fill(np.array([1, 2]), 4) == batching.pad_id == 0
    monkeypatch.setattr("engine.models.batching.vocabulary_size", lambda _: 1)
    np.testing.assert_allclose(by_the_engine(model, texts(), 48)[0], expected, atol=1e-4, rtol=5e-4)


def test_a_model_that_padding_changes_has_rows_of_one_length_in_a_batch(caplog):
    caplog.set_level(logging.INFO, logger="engine")
    module, encoder = assert_own("MobileBert", texts())
    assert caplog.text.count("only rows of equal length are computed together, which is slower") == 1
    tokens = Classifier.encoding(loaded(module, TOKENIZERS["bert"]()), 48).encode(texts())
    batches = encoder.plan(tokens)
    assert all(len(set(tokens.lengths[batch])) == 1 for batch in batches)
    assert sorted(np.concatenate(batches)) == list(range(len(texts())))
    assert len(batches) < len(texts()), "rows of equal length share a batch"


def test_end_tokens_in_a_text_are_counted():
    many = [*texts(), "good </s> bad", "good </s> bad </s>", "</s>"]
    _, encoder = assert_own("Bart, numbered as KoBART", many)
    assert batching_of(encoder._module).apart == "ends"


def test_a_model_that_reads_other_rows_is_computed_row_by_row(caplog):
    caplog.set_level(logging.INFO, logger="engine")
    module, tokenizer = made("Bert")
    whole = module.forward

    def mixed(input_ids, attention_mask=None, token_type_ids=None):
        output = whole(input_ids=input_ids, attention_mask=attention_mask)
        output.logits = output.logits - output.logits.mean(0) * (len(input_ids) > 1)
        return output

    module.forward = mixed
    settle_padding("mixing", module, tokenizer)
    assert batching_of(module).apart == "rows"
    assert "each row is computed alone" in caplog.text


def test_a_model_that_gives_other_logits_each_time_is_refused():
    module, tokenizer = made("Bert")
    module.classifier.register_forward_hook(lambda _module, _given, logits: logits + torch.randn(1))
    with pytest.raises(ModelError, match="cannot be computed as transformers computes them: for the text '"):
        settle_padding("chance", module, tokenizer)


@pytest.mark.parametrize("error", [AttributeError, NotImplementedError, ValueError, KeyError, AssertionError])
def test_an_error_of_the_models_own_code_is_told_with_the_model(error):
    module, tokenizer = made("Bert")

    def fails(**_):
        raise error("no such thing")

    module.forward = fails
    with pytest.raises(ModelError, match=f"broken: transformers itself cannot compute .*{error.__name__}: .*no such"):
        settle_padding("broken", module, tokenizer)


def test_an_error_on_a_later_row_is_told_with_the_model():
    model = loaded(*made("MPNet"))
    encoder = Encoder(model, device=CPU, budget=512, longest=48)
    tokens = model.encoding(48).encode(texts())
    tokens.ids[3] = 60_000
    with pytest.raises(ModelError, match=r"\(MPNetForSequenceClassification\) fails in its own code: IndexError"):
        encoder.logits(tokens, encoder.plan(tokens))


LONG = ["the food was good " * words for words in (1, 2, 3, 5, 8, 13, 20, 25, 40, 60)]


def test_bigbird_has_its_own_attention_again_for_every_batch():
    module, encoder = assert_own("BigBird, sparse attention", LONG, max_length=128)
    assert encoder.path == "padded"
    assert batching_of(module).resets
    assert module.bert.attention_type == "block_sparse"


def test_bigbirds_rows_that_all_have_full_attention_are_packed():
    module, encoder = assert_own("BigBird, sparse attention", [*LONG[:4], *texts()], max_length=36)
    assert encoder.path == "fused"
    assert module.bert.attention_type == "block_sparse", "other rows may be longer"
    assert settled(module, 36).bert.attention_type == "original_full"
    assert settled(module, 128) is module


def test_packed_batches_are_no_longer_than_bigbirds_tables():
    _, encoder = assert_own("BigBird, full attention", LONG, max_length=300, budget=8192)
    assert encoder.path == "fused"
    assert encoder._forward.budget == 512
    bert = Encoder(loaded(*made("Bert")), device=CPU, budget=8192, longest=300)
    assert bert._forward.budget == 8192


def test_a_model_that_computes_long_rows_in_another_way_is_found_out_by_its_longest_row():
    module, tokenizer = made("Phi3, frequencies by length")
    vars(module.config)["original_max_position_embeddings"] = 64
    vars(module.config)["rope_parameters"]["original_max_position_embeddings"] = 64
    module = type(module)(module.config).eval()
    settle_padding("long", module, tokenizer)
    assert batching_of(module).apart == "nothing"
    settle_length(module, 48)
    assert (batching_of(module).apart, batching_of(module).tried) == ("nothing", 48)
    settle_length(module, 128)
    assert (batching_of(module).apart, batching_of(module).tried) == ("lengths", 128)


def test_token_types_of_the_tokenizer_are_given_to_the_model():
    module, encoder = assert_own("Bert, text of token type 1", texts())
    assert encoder.path == "padded"
    assert_own("GPT2, token types given", texts())
    without, _ = assert_own("GPT2, no padding token", texts())
    assert batching_of(module).passes_types
    assert not batching_of(without).passes_types


def test_token_types_that_change_nothing_are_left_out():
    _, encoder = assert_own("Bert", texts())
    assert not batching_of(encoder._module).passes_types
    assert encoder.path == "fused"


def test_the_split_of_special_tokens_is_that_of_the_tokenizer():
    module, tokenizer = made("Bert")
    tokenizer.split_special_tokens = tokenizer.backend_tokenizer.encode_special_tokens = True
    expected = own(module, tokenizer, texts(), 48)
    logits, _ = by_the_engine(loaded(module, tokenizer), texts(), 48)
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=5e-4)


def test_a_tokenizer_with_code_of_its_own_is_refused(monkeypatch):
    module, tokenizer = made("Bert")
    whole = type(tokenizer).__call__
    monkeypatch.setattr(
        type(tokenizer), "__call__", lambda self, text, **more: whole(self, text.upper() + " x", **more)
    )
    with pytest.raises(ModelError, match="computed by code of its own"):
        settle_padding("odd", module, tokenizer)


def test_a_model_in_training_has_the_padding_token_that_it_is_saved_with():
    module, tokenizer = made("Llama, no padding token, ends with eos")
    settle_padding("start", module, tokenizer)
    assert not batching_of(module).knows_padding
    adopt_padding(module)
    assert batching_of(module).knows_padding
    assert module.config.pad_token_id == tokenizer.unk_token_id


def test_a_probe_leaves_the_model_and_the_random_numbers_as_they_were():
    module, tokenizer = made("BigBird, sparse attention")
    state, before, config = State(module), torch.random.get_rng_state(), module.config.to_dict()
    settle_padding("small", module, tokenizer)
    vars(module).pop("batching")
    assert not state.restore()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert module.config.to_dict() == config


def test_logits_that_hardly_differ_from_row_to_row_must_be_nearer():
    same = np.array([[1.0, 2.0], [1.001, 2.0]], np.float32)
    assert within(same + 4e-6, same).all()
    assert not within(same + np.float32([[0, 0], [3e-5, 0]]), same).all()
    assert within(np.float32([[np.nan, 1]]), np.float32([[np.nan, 1]])).all()


@pytest.mark.parametrize(
    "title", ["XLNet", "Bart, numbered as KoBART", "Llama, own padding token", "Llama, pads and ends with eos"]
)
def test_micro_batches_of_a_training_have_the_models_own_logits(title):
    module, tokenizer = made(title)
    expected = own(module, tokenizer, texts(), 48)
    model = loaded(module, tokenizer)
    tokens, rows = model.encoding(48).encode(texts()), np.arange(len(texts()))
    parts = MicroBatches(module, None, CPU, budget=512, longest=48)
    module.eval()  # without dropout
    batches = parts._forward.plan_rows(tokens, rows)
    with torch.no_grad():
        logits = [parts._forward(tokens, rows[batch]).numpy() for batch in batches]
    np.testing.assert_allclose(restore(batches, logits), expected, atol=1e-4, rtol=5e-4)
    assert parts._forward(tokens, rows[:1]).requires_grad


@pytest.mark.parametrize("direction", ["left", "right"])
def test_a_tokenizer_that_pads_every_text_is_taken(direction):
    module, tokenizer = made("Bert")
    tokenizer.backend_tokenizer.enable_padding(direction=direction, pad_id=0, pad_token="[PAD]", length=32)
    tokenizer.backend_tokenizer.enable_truncation(max_length=32)
    some = texts()
    expected = own(module, tokenizer, some, 48)
    tokenizer.backend_tokenizer.enable_padding(direction=direction, pad_id=0, pad_token="[PAD]", length=32)
    logits, _ = by_the_engine(loaded(module, tokenizer), some, 48)
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=5e-4)
