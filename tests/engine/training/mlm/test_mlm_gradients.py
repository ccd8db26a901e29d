"""The losses and gradients of hidden tokens are those that transformers gives for each text alone."""

import dataclasses

import numpy as np
import pytest
import tiny_models
import torch
import transformers
from varlen import counted_kernel

from engine.compute.masked_forward import PackedMasked, PaddedMasked, masked_forward
from engine.errors import ModelError
from engine.models.initialize import load_start
from engine.tokens.masking import IGNORED
from engine.training.data.steps import Step
from engine.training.loss import masked_cross_entropy
from engine.training.micro_batches import MicroBatches
from engine.training.mlm.model import load_masked, masking_of
from engine.training.optimizer import FlatGradients

CPU = torch.device("cpu")
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


def bigbird():
    return transformers.BigBirdForMaskedLM(transformers.BigBirdConfig(attention_type="original_full", **SIZES))


def fnet():
    sizes = {name: SIZES[name] for name in SIZES if name != "num_attention_heads"}
    return transformers.FNetForMaskedLM(transformers.FNetConfig(**sizes))


MODELS = {
    "bert": (bert, PackedMasked),
    "roberta": (roberta, PackedMasked),
    "distilbert": (distilbert, PackedMasked),
    "modernbert": (modernbert, PackedMasked),
    "mpnet": (mpnet, PaddedMasked),
    "deberta": (deberta, PaddedMasked),
    "bigbird": (bigbird, PackedMasked),
    "fnet": (fnet, PaddedMasked),
}


@pytest.fixture
def kernel(monkeypatch):
    """A GPU's kernel on the CPU; how often it is asked."""
    return counted_kernel(monkeypatch)


@dataclasses.dataclass
class Case:
    """A masked language model, twenty texts, and what transformers gives for each of them alone."""

    model: object
    start: object
    module: object
    step: Step

    def gradients(self, *, budget=60, **more):
        """Ours: the sum of losses, and the module whose parameters have gradients; how they were computed."""
        made = MicroBatches(
            self.module, masked_cross_entropy, CPU, budget=budget, longest=64, make=masked_forward, **more
        )
        gradients = FlatGradients([one for one in self.module.parameters() if one.requires_grad], sums=2)
        made(self.step, gradients, seed=(0,))
        return gradients.sums[0].item(), type(made._forward)

    def check(self, loss):
        """Compare the gradients, and the sum of losses, with those of each text alone."""
        theirs, own = without_dropout(type(self.model).from_pretrained(self.start.source)), 0.0
        masked, labels = self.step.tokens, self.step.targets["label"]
        for row in self.step.rows.tolist():
            places = masked.hidden(np.array([row]), np.zeros(1, np.int64))
            wanted = torch.full((1, int(masked.lengths[row])), -100)
            wanted[0, places] = torch.from_numpy(labels[row][labels[row] != IGNORED])
            out = theirs(input_ids=torch.from_numpy(masked.row(row).astype(np.int64))[None], labels=wanted)
            (out.loss / self.step.size).backward()
            own += out.loss.item()
        assert loss == pytest.approx(own, rel=1e-5)
        for (said, one), (_, other) in zip(self.module.named_parameters(), theirs.named_parameters(), strict=True):
            other = torch.zeros_like(one) if other.grad is None else other.grad
            torch.testing.assert_close(one.grad, other, rtol=1e-4, atol=1e-6, msg=said)


def case(folder, name):
    model = tiny_models.spread(MODELS[name][0]())
    model.config.architectures = [type(model).__name__]
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    start = load_start(str(folder), classes=["bad", "good"])
    module = without_dropout(load_masked(start, longest=64, seed=0))
    tokens = start.encoding(64).encode(tiny_models.texts(20))
    masked, labels = masking_of(start, seed=5)(tokens, np.arange(20), epoch=0)
    return Case(model, start, module, Step(tokens=masked, rows=np.arange(20), targets={"label": labels}, size=20))


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_each_text_alone(tmp_path, name):
    one = case(tmp_path, name)
    loss, way = one.gradients()
    assert way is MODELS[name][1]
    one.check(loss)


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert"])
def test_gradients_by_a_gpus_kernel_are_the_same(tmp_path, name, kernel):
    one = case(tmp_path, name)
    loss, way = one.gradients()
    assert way is PackedMasked
    assert len(kernel) >= 2
    one.check(loss)


@pytest.mark.parametrize(("dtype", "way"), [("fp32", PaddedMasked), ("bf16", PackedMasked)])
def test_a_gpu_packs_only_what_its_kernel_takes(tmp_path, kernel, dtype, way):
    module = case(tmp_path, "bert").module
    made = masked_forward(module, torch.device("cuda"), dtype=dtype, budget=60, longest=64)
    assert type(made) is way


def test_memory_that_runs_out_changes_no_gradient(tmp_path, monkeypatch):
    one = case(tmp_path, "bert")
    compute, sizes = PackedMasked.__call__, []

    def full(self, tokens, rows):
        sizes.append(len(rows))
        if len(rows) > 3 and one.module.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(self, tokens, rows)

    monkeypatch.setattr(PackedMasked, "__call__", full)
    loss, _ = one.gradients(budget=1000)
    assert max(sizes) > 3
    one.check(loss)


def test_a_model_that_no_way_reproduces_is_refused(tmp_path, monkeypatch):
    module = case(tmp_path, "bert").module
    monkeypatch.setattr("engine.compute.masked_forward.logits_differ", lambda *_: "they differ by 1.0")
    with pytest.raises(ModelError, match=r"cannot be trained .*fused: they differ by 1.0; packed: .*padded: .*--mlm"):
        masked_forward(module, CPU, dtype="fp32", budget=60, longest=64)


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
