"""The losses and gradients of hidden tokens are those that transformers gives for each text alone."""

import numpy as np
import pytest
import tiny_models
import torch
import transformers

from engine.compute.masked_forward import masked_forward
from engine.models.initialize import load_start
from engine.training.data.steps import Step
from engine.training.loss import MaskedLoss
from engine.training.micro_batches import MicroBatches
from engine.training.mlm.model import load_masked, masking_of
from engine.training.optimizer import FlatGradients

SIZES = {"vocab_size": len(tiny_models.VOCABULARY), "max_position_embeddings": 66, **tiny_models.SIZES}


def bert():
    return transformers.BertForMaskedLM(transformers.BertConfig(**SIZES))


def roberta():
    return transformers.RobertaForMaskedLM(transformers.RobertaConfig(pad_token_id=0, **SIZES))


def distilbert():
    shape = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    names = {"vocab_size": SIZES["vocab_size"], "max_position_embeddings": 66, "pad_token_id": 0}
    return transformers.DistilBertForMaskedLM(transformers.DistilBertConfig(**shape, **names))


def mpnet():
    return transformers.MPNetForMaskedLM(transformers.MPNetConfig(pad_token_id=0, **SIZES))


def modernbert():
    config = transformers.ModernBertConfig(
        pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3, **SIZES
    )
    return transformers.ModernBertForMaskedLM(config)


def deberta():
    return transformers.DebertaV2ForMaskedLM(transformers.DebertaV2Config(relative_attention=True, **SIZES))


MODELS = {
    "bert": (bert, "PackedMasked"),
    "roberta": (roberta, "PackedMasked"),
    "distilbert": (distilbert, "PackedMasked"),
    "modernbert": (modernbert, "PackedMasked"),
    "mpnet": (mpnet, "PaddedMasked"),
    "deberta": (deberta, "PaddedMasked"),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_each_text_alone(tmp_path, name):
    make, way = MODELS[name]
    model = tiny_models.spread(make())
    model.config.architectures = [type(model).__name__]
    model.save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    start = load_start(str(tmp_path), classes=["bad", "good"])
    module = without_dropout(load_masked(start, longest=64, seed=0))

    texts = tiny_models.texts(20)
    tokens = start.encoding(64).encode(texts)
    masked, labels = masking_of(start, seed=5)(tokens, np.arange(20), epoch=0)
    step = Step(tokens=masked, rows=np.arange(20), targets={"label": labels}, size=20)
    loss = MaskedLoss(hidden_per_row=2.0)
    batches = MicroBatches(module, loss, torch.device("cpu"), budget=60, longest=64, make=masked_forward)
    assert type(batches._forward).__name__ == way
    gradients = FlatGradients([one for one in module.parameters() if one.requires_grad], sums=2)
    batches(step, gradients, seed=(0,))

    theirs, own = without_dropout(type(model).from_pretrained(tmp_path)), 0.0
    for row in range(20):
        places = masked.hidden(np.array([row]), np.zeros(1, np.int64))
        wanted = torch.full((1, int(tokens.lengths[row])), -100)
        wanted[0, places] = torch.from_numpy(tokens.row(row).astype(np.int64)[places])
        ids = torch.from_numpy(masked.row(row).astype(np.int64))[None]
        out = theirs(input_ids=ids, labels=wanted)
        (out.loss * len(places) / 2.0 / 20).backward()
        own += out.loss.item() * len(places) / 2.0
    assert gradients.sums[0].item() == pytest.approx(own, rel=1e-5)
    for (said, one), (_, other) in zip(module.named_parameters(), theirs.named_parameters(), strict=True):
        other = torch.zeros_like(one) if other.grad is None else other.grad
        torch.testing.assert_close(one.grad, other, rtol=1e-4, atol=1e-6, msg=said)


def without_dropout(module):
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if hasattr(part, "dropout") and isinstance(part.dropout, float):
            part.dropout = 0.0
        if hasattr(part, "dropout_prob"):
            part.dropout_prob = 0.0
    for name in ("attention_probs_dropout_prob", "attention_dropout", "hidden_dropout_prob"):
        if hasattr(module.config, name):
            setattr(module.config, name, 0.0)
    return module.train()
