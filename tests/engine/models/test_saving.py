"""A saved model is all that its users need: transformers' pipeline and CrossEncoder get the engine's logits from it."""

import json
import logging

import numpy as np
import pytest
import torch
import transformers
from tiny_models import SIZES, VOCABULARY, bert, change_config, save, spread, texts, tokenizer

from engine.errors import ModelError
from engine.models.batching import padded_logits
from engine.models.classifier import load_classifier, save_classifier
from engine.models.initialize import load_start

CLASSES = ["negative", "positive"]
ROWS = texts(24, words=(1, 5, 20, 90), seed=3)
V = len(VOCABULARY)


def small(kind, **options):
    config = getattr(transformers, f"{kind}Config")(vocab_size=V, **{**SIZES, **options})
    return spread(getattr(transformers, f"{kind}ForSequenceClassification")(config))


def start_bert(folder):
    return load_start(save(folder), classes=CLASSES)


def start_distilbert(folder):
    """Of a tokenizer that knows no length and gives token types, which the model does not take."""
    kinds = ["input_ids", "token_type_ids", "attention_mask"]
    tokens = tokenizer(model_max_length=None, model_input_names=kinds)
    config = transformers.DistilBertConfig(
        vocab_size=V, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=48
    )
    return load_start(
        save(folder, spread(transformers.DistilBertForSequenceClassification(config)), tokens), classes=CLASSES
    )


def start_gpt2(folder):
    """Without a padding token; its tokenizer would pad on the left."""
    model = small("GPT2", bos_token_id=2, eos_token_id=3, n_positions=48)
    tokens = tokenizer(
        single=None, pad_token=None, eos_token="[SEP]", padding_side="left",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    return load_start(save(folder, model, tokens), classes=CLASSES)


def start_roberta(folder):
    """Whose table has two rows more than a text can use."""
    model = small("Roberta", pad_token_id=0, max_position_embeddings=50)
    return load_start(save(folder, model, tokenizer(model_max_length=512)), classes=CLASSES)


def start_configuration(folder):
    """With fewer positions than the tokenizer of its teacher says."""
    folder.mkdir()
    transformers.BertConfig(vocab_size=V, max_position_embeddings=40, **SIZES).save_pretrained(folder)
    teacher = save(folder.with_name("teacher"), tokens=tokenizer(model_max_length=512))
    return load_start(str(folder / "config.json"), classes=CLASSES, tokenizer=(teacher, None))


def start_layers(folder):
    return load_start(save(folder, bert(num_hidden_layers=4)) + "#layers=1,3", classes=CLASSES)


def start_xlnet(folder):
    """Whose rows are padded on the left, and never by the engine."""
    config = transformers.XLNetConfig(vocab_size=V, d_model=16, n_layer=2, n_head=2, d_inner=32, pad_token_id=0)
    names = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"], "padding_side": "left"}
    tokens = tokenizer(single="$A [SEP] [CLS]", **names)
    return load_start(
        save(folder, spread(transformers.XLNetForSequenceClassification(config)), tokens), classes=CLASSES
    )


STARTS = [start_xlnet, start_bert, start_distilbert, start_gpt2, start_roberta, start_configuration, start_layers]


def ours(model, max_length):
    """(rows, classes) logits of the engine's tokens, one row at a time."""
    tokens = model.encoding(max_length).encode(ROWS)
    with torch.inference_mode():
        alone = [padded_logits(model.module, tokens, np.array([row])) for row in range(len(ROWS))]
    return torch.cat(alone).numpy()


def by_pipeline(folder):
    pipe = transformers.pipeline("text-classification", model=str(folder))
    found = pipe(ROWS, truncation=True, batch_size=8, top_k=None, function_to_apply="none")
    return np.array([[next(e["score"] for e in row if e["label"] == name) for name in CLASSES] for row in found])


def by_model(folder):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        return model(**tokens(ROWS, padding=True, truncation=True, return_tensors="pt")).logits.numpy()


def by_cross_encoder(folder):
    """What sentence-transformers' CrossEncoder does with a folder and single texts."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    longest = min(getattr(model.config, "max_position_embeddings", 10**6), tokens.model_max_length)
    read = tokens(ROWS, padding=True, truncation="longest_first", max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        return model(**read).logits.numpy()


@pytest.mark.parametrize("make", STARTS)
@pytest.mark.parametrize("max_length", [16, None])
def test_what_is_saved_gives_its_logits_to_others(tmp_path, make, max_length):
    model = make(tmp_path / "start")
    length = max_length or model.default_length
    spread(model.module, seed=5)
    expected = ours(model, length)
    save_classifier(model, tmp_path / "saved", max_length=max_length)
    # The pipeline of transformers cannot take XLNet's output apart, and CrossEncoder takes its -1 positions for a limit.
    for use in (by_model,) if make is start_xlnet else (by_model, by_pipeline, by_cross_encoder):
        assert np.abs(use(tmp_path / "saved") - expected).max() < 1e-4, use.__name__
    again = load_classifier(str(tmp_path / "saved"))
    assert np.abs(ours(again, length) - expected).max() < 1e-5
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokens.model_max_length == length == again.encoding().max_length
    assert tokens.pad_token_id == again.module.config.pad_token_id


def test_saving_leaves_the_tokenizer_in_memory_as_it_is(tmp_path):
    model = start_gpt2(tmp_path / "start")
    save_classifier(model, tmp_path / "saved", max_length=8)
    assert (model.tokenizer.model_max_length, model.tokenizer.pad_token, model.longest) == (64, None, 48)


def test_a_word_never_becomes_the_padding_token(tmp_path):
    model = start_bert(tmp_path / "start")
    model.module.config.pad_token_id = VOCABULARY.index("food")
    save_classifier(model, tmp_path / "saved")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "saved").pad_token == "[PAD]"


def test_the_length_of_the_training_is_the_default_and_no_limit(tmp_path):
    model = start_bert(tmp_path / "start")
    save_classifier(model, tmp_path / "saved", max_length=16)
    (tmp_path / "saved/training.json").write_text(json.dumps({"max_length": 16}))
    saved = load_classifier(str(tmp_path / "saved"))
    assert (saved.trained_length, saved.longest, saved.encoding().max_length) == (16, 64, 16)
    assert saved.encoding(64).max_length == 64
    with pytest.raises(ModelError, match="64 tokens at most, and --max-length is 65"):
        saved.encoding(65)


@pytest.mark.parametrize("report", ["[]", "{", '{"max_length": "long"}', '{"max_length": true}', '{"max_length": -1}'])
def test_a_report_without_a_length_says_nothing(tmp_path, report):
    place = save(tmp_path / "m")
    (tmp_path / "m/training.json").write_text(report)
    assert load_classifier(place).trained_length is None


# a start from which nothing can be learnt


@pytest.mark.parametrize("is_trained", [True, False])
def test_a_trained_start_whose_first_token_sees_nothing_else_is_a_warning(tmp_path, caplog, is_trained):
    """Random weights hardly see anything before they are trained, and learn."""
    model = bert()
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.attention.output.dense.weight.zero_()
        if is_trained:
            model.bert.embeddings.LayerNorm.weight.mul_(0.99)
    place = save(tmp_path / "blind", model)
    with caplog.at_level(logging.WARNING, "engine"):
        load_start(place, classes=CLASSES)
    assert ("is nearly the same for every text" in caplog.text) == is_trained


@pytest.mark.parametrize("make", STARTS)
def test_other_starts_are_none(tmp_path, make, caplog):
    with caplog.at_level(logging.WARNING, "engine"):
        make(tmp_path / "start")
    assert "nearly the same" not in caplog.text


def test_a_model_of_other_positions_keeps_its_configuration(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, hidden_dropout_prob=0.25)
    save_classifier(load_classifier(place), tmp_path / "saved")
    assert transformers.AutoConfig.from_pretrained(tmp_path / "saved").hidden_dropout_prob == 0.25
