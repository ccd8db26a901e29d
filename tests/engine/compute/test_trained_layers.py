"""Packed rows in training: the gradients of plain transformers, and its dropout, in every way of computing."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from families import FAMILIES, PACKED_FAMILIES, chosen, made_up, make, workload
from torch.nn.functional import cross_entropy
from varlen import counted_kernel

import engine.compute.layers.linear
from engine.compute.attention import attend, attend_first, on_device
from engine.compute.backends import choose_backend
from engine.compute.forward import padded_logits
from engine.compute.layers.linear import product, product_gelu
from engine.compute.packing import pack
from engine.compute.torch_backends import FUSED, PACKED, PADDED

CPU = torch.device("cpu")
BERTS = ("Bert", "Roberta", "Electra", "XLMRoberta", "Camembert")
LENGTHS = [2, 3, 3, 31, 7, 9, 9, 9, 40, 15, 16, 17, 2, 5, 8, 8]
LABELS = torch.arange(len(LENGTHS)) % 3
_DROPOUTS = {
    "Albert": ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"),
    "DistilBert": ("dropout", "attention_dropout", "seq_classif_dropout"),
    "ModernBert": ("mlp_dropout", "attention_dropout", "classifier_dropout", "embedding_dropout"),
}
_BERTS_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")


def in_training(family, *, dropout=0.0, **changes):
    """A module in training mode, with one dropout everywhere but where ``changes`` say another."""
    names = _DROPOUTS.get(family, _BERTS_DROPOUTS)
    return make(family, **{**dict.fromkeys(names, dropout), **changes}).train()


@pytest.fixture(autouse=True)
def _all_trained_through_onednn(monkeypatch):
    """However small the weights of these models are."""
    monkeypatch.setattr(engine.compute.layers.linear, "LEAST_TRAINED", 0)


@pytest.fixture(scope="module")
def tokens():
    return made_up(LENGTHS)


def gradients(module, logits_of, *, rows):
    """(loss, gradient by name) of ``module`` where ``logits_of`` gives the logits of some rows."""
    module.zero_grad(set_to_none=True)
    total = 0.0
    for part in rows:
        loss = cross_entropy(logits_of(part), LABELS[torch.from_numpy(part)], reduction="sum") / len(LENGTHS)
        loss.backward()
        total += float(loss.detach())
    return total, {name: parameter.grad for name, parameter in module.named_parameters()}


def through(backend, module, tokens, *, budget=4096):
    """Loss and gradients of a training step that ``backend`` computes."""
    forward = backend.make(module, budget=budget, longest=512)
    return gradients(module, partial(forward, tokens), rows=forward.plan(tokens.lengths))


def of_transformers(module, tokens, *, padded=False):
    """Loss and gradients of transformers' own code: one row at a time, or all of them in one rectangle."""
    every = np.arange(len(LENGTHS))
    own = copy.deepcopy(module)
    return gradients(own, partial(padded_logits, own, tokens), rows=[every] if padded else every[:, None])


def assert_same_gradients(ours, theirs):
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    assert ours[1].keys() == theirs[1].keys()
    for name, expected in theirs[1].items():
        if expected is None:  # a part that no classifier uses
            assert ours[1][name] is None, name
        else:
            torch.testing.assert_close(ours[1][name], expected, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


# gradients without dropout


@pytest.mark.parametrize("budget", [20, 4096])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", BERTS)
def test_gradients_of_fused_layers_are_those_of_transformers(tokens, family, padded, budget):
    module = in_training(family)
    assert choose_backend(copy.deepcopy(module).eval(), workload(64)) == FUSED
    ours = through(FUSED, module, tokens, budget=budget)
    assert_same_gradients(ours, of_transformers(module, tokens, padded=padded))
    assert sum(gradient is not None and bool(gradient.abs().max() > 1e-4) for gradient in ours[1].values()) > 45


@pytest.mark.parametrize(
    ("family", "backend"),
    [
        pytest.param(*case, id=f"{case[0]}-{case[1].name}")
        for case in [("Bert", FUSED), *((name, PACKED) for name in PACKED_FAMILIES)]
    ],
)
def test_gradients_in_bf16_are_nearly_those_of_transformers_in_fp32(tokens, family, backend):
    module = in_training(family)
    with torch.autocast("cpu", torch.bfloat16):
        ours = through(backend, module, tokens)
    theirs = of_transformers(module, tokens)
    assert ours[0] == pytest.approx(theirs[0], rel=0.02)
    apart = sum(float((ours[1][name] - right).square().sum()) for name, right in theirs[1].items() if right is not None)
    whole = sum(float(right.square().sum()) for right in theirs[1].values() if right is not None)
    assert apart < 0.05**2 * whole


@pytest.mark.parametrize("family", [*PACKED_FAMILIES, "DistilBert"])
def test_gradients_of_packed_rows_are_those_of_transformers(tokens, family):
    module = in_training(family)
    assert PACKED.unsupported(copy.deepcopy(module).eval(), workload(64)) is None
    assert_same_gradients(through(PACKED, module, tokens, budget=100), of_transformers(module, tokens))


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_padded_rows_are_those_of_rows_alone(tokens, family):
    module = in_training(family)
    assert_same_gradients(through(PADDED, module, tokens, budget=100), of_transformers(module, tokens))


@pytest.mark.parametrize(
    "changes", [{"hidden_act": "gelu_new"}, {"hidden_act": "relu"}, {"num_hidden_layers": 1}, {"layer_norm_eps": 0.3}], ids=str
)  # fmt: skip
def test_gradients_follow_the_configuration(tokens, changes):
    module = in_training("Bert", **changes)
    assert_same_gradients(through(FUSED, module, tokens, budget=100), of_transformers(module, tokens))


@pytest.mark.parametrize("family", BERTS)
def test_gradients_do_not_need_one_dnn(tokens, family, monkeypatch):
    """As on a GPU, or a processor without it."""
    monkeypatch.setattr(engine.compute.layers.linear, "_pointwise", None)
    module = in_training(family)
    assert_same_gradients(through(FUSED, module, tokens, budget=100), of_transformers(module, tokens))


def test_small_weights_are_trained_by_torchs_own_products(tokens, monkeypatch):
    module = in_training("Bert")
    expected = through(FUSED, module, tokens)
    monkeypatch.setattr(engine.compute.layers.linear, "LEAST_TRAINED", 1_000_000)
    monkeypatch.setattr(engine.compute.layers.linear._Trained, "apply", None)
    assert_same_gradients(through(FUSED, module, tokens), expected)


def test_gradients_add_up_over_micro_batches(tokens):
    module = in_training("Bert")
    whole, parts = through(FUSED, module, tokens), through(FUSED, module, tokens, budget=17)
    assert_same_gradients(parts, whole)


def test_a_row_of_no_tokens_is_trained_as_one_of_padding(tokens):
    with_empty = made_up([*LENGTHS[:-1], 0])
    module = in_training("Bert")
    assert_same_gradients(through(FUSED, module, with_empty), of_transformers(module, with_empty))


def test_what_is_trained_is_seen_by_the_next_pass(tokens):
    """The layers take the parameters as they are, and hold no copies of them."""
    module = in_training("Bert")
    forward = FUSED.make(module, budget=4096, longest=64)
    every = np.arange(len(LENGTHS))
    before = forward(tokens, every).detach()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.1)
    after = forward(tokens, every)
    assert (after - before).abs().max() > 0.01
    torch.testing.assert_close(
        after, torch.cat([padded_logits(module, tokens, row) for row in every[:, None]]), atol=1e-4, rtol=1e-4
    )


def test_parameters_that_are_frozen_get_no_gradient(tokens):
    module = in_training("Bert")
    module.bert.encoder.layer[0].requires_grad_(requires_grad=False)
    module.bert.embeddings.requires_grad_(requires_grad=False)
    ours = through(FUSED, module, tokens)
    assert_same_gradients(ours, of_transformers(module, tokens))
    frozen = {name for name in ours[1] if ".layer.0." in name or ".embeddings." in name}
    assert all(ours[1][name] is None for name in frozen)
    assert sum(gradient is not None for gradient in ours[1].values()) == len(ours[1]) - len(frozen)


# gradients of the parts


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("function", [product, product_gelu])
@pytest.mark.parametrize("shape", [(1, 5), (7, 5), (300, 5), (2, 7, 5)])
def test_gradients_of_a_product_are_those_of_a_linear_layer(shape, function, bias):
    """Also where the gradient that comes is a view without memory of its own, as that of a sum."""
    chance = torch.Generator().manual_seed(0)
    given = [
        torch.randn(shape, generator=chance),
        torch.randn(3, 5, generator=chance),
        torch.randn(3, generator=chance),
    ]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in given] for _ in range(2))
    found = function(ours[0], ours[1], ours[2] if bias else None)
    expected = torch.nn.functional.linear(theirs[0], theirs[1], theirs[2] if bias else None)
    expected = torch.nn.functional.gelu(expected) if function is product_gelu else expected
    torch.testing.assert_close(found, expected)
    for made, tensors in ((found, ours), (expected, theirs)):
        (made.sum() + (made[..., :2].transpose(0, -1) ** 2).sum()).backward()
        assert tensors[2].grad is None or bias
    for one, two in zip(ours[: 2 + bias], theirs[: 2 + bias], strict=True):
        torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.parametrize("made_so", ["transposed", "sliced", "expanded"])
def test_a_product_takes_what_does_not_lie_side_by_side(made_so):
    chance = torch.Generator().manual_seed(0)
    x = {
        "transposed": torch.randn(5, 7, generator=chance).t(),
        "sliced": torch.randn(7, 11, generator=chance)[:, 3:8],
        "expanded": torch.randn(1, 5, generator=chance).expand(7, 5),
    }[made_so].requires_grad_()
    weight = torch.randn(3, 5, generator=chance, requires_grad=True)
    ours = torch.autograd.grad(product(x, weight, None).square().sum(), (x, weight))
    theirs = torch.autograd.grad(torch.nn.functional.linear(x, weight).square().sum(), (x, weight))
    torch.testing.assert_close(ours, theirs)


# a GPU's kernel, by its twin


@pytest.fixture
def kernel(monkeypatch):
    """A GPU's kernel on the CPU; how often it is asked."""
    return counted_kernel(monkeypatch)


@pytest.mark.parametrize("budget", [20, 4096])
@pytest.mark.parametrize("family", BERTS)
def test_gradients_by_the_kernel_are_those_of_transformers(tokens, family, budget, kernel):
    module = in_training(family)
    ours = through(FUSED, module, tokens, budget=budget)
    assert len(kernel) >= 3
    assert_same_gradients(ours, of_transformers(module, tokens))


@pytest.mark.parametrize("family", PACKED_FAMILIES)
def test_gradients_of_packed_rows_by_the_kernel_are_those_of_transformers(tokens, family, kernel):
    module = in_training(family)
    ours = through(PACKED, module, tokens)
    assert len(kernel) == 3
    assert_same_gradients(ours, of_transformers(module, tokens))


def test_the_kernel_drops_no_attention_and_says_so(tokens, kernel):
    module = in_training("Bert", attention_probs_dropout_prob=0.5)
    forward = FUSED.make(module, budget=4096, longest=64)
    assert not forward.has_attention_dropout
    every = np.arange(len(LENGTHS))
    assert torch.equal(forward(tokens, every), forward(tokens, every))
    assert not any("dropout" in name for options in kernel for name in options)


def test_elsewhere_attention_dropout_is_there(tokens):
    module = in_training("Bert", attention_probs_dropout_prob=0.5)
    assert FUSED.make(module, budget=4096, longest=64).has_attention_dropout
    assert PADDED.make(module, budget=4096, longest=64).has_attention_dropout


# dropout


def passes(module, tokens, backend, seeds):
    """(seeds, rows, classes) logits, a pass for each seed."""
    forward, every = backend.make(module, budget=4096, longest=64), np.arange(len(tokens.truncated))
    found = []
    with torch.enable_grad():
        for seed in seeds:
            torch.manual_seed(seed)
            found.append(forward(tokens, every).detach())
    return torch.stack(found)


def layers_alone(module):
    """``module`` without dropout before and behind its layers."""
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.Dropout) and ".layer." not in name:
            part.p = 0.0
    return module


DROPPED = {
    "hidden": {"hidden_dropout_prob": 0.3},
    "attention": {"attention_probs_dropout_prob": 0.3},
    "both": {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("dropped", DROPPED)
@pytest.mark.parametrize("family", BERTS)
def test_dropout_inside_the_layers_acts_and_is_that_of_its_seed(tokens, family, dropped, layers):
    """Also in the last layer, which computes the first tokens alone."""
    module = layers_alone(in_training(family, num_hidden_layers=layers, **DROPPED[dropped]))
    one, again, other = passes(module, tokens, FUSED, [1, 1, 2])
    assert torch.equal(one, again)
    differences = (one - other).abs().amax(dim=1)
    assert (differences > 1e-4).float().mean() > 0.8
    without = passes(layers_alone(in_training(family, num_hidden_layers=layers)), tokens, FUSED, [1, 2])
    assert torch.equal(*without)


@pytest.mark.parametrize("family", ["Bert", "Roberta"])
def test_no_dropout_acts_in_evaluation(tokens, family):
    module = in_training(family, dropout=0.3)
    forward = FUSED.make(module.eval(), budget=4096, longest=64)
    every = np.arange(len(LENGTHS))
    with torch.inference_mode():
        assert torch.equal(forward(tokens, every), forward(tokens, every))


def samples(module, tokens, backend, *, copies, seed=0):
    """(rows, copies, classes) float64 logits of one pass over rows that come many times."""
    rows = len(tokens.truncated)
    many = chosen(tokens, np.repeat(np.arange(rows), copies))
    torch.manual_seed(seed)
    logits = backend.make(module, budget=4096, longest=64)(many, np.arange(rows * copies))
    return logits.detach().double().view(rows, copies, -1)


@pytest.mark.parametrize("backend", [FUSED, PACKED])
@pytest.mark.parametrize("dropped", ["hidden", "attention"])
def test_dropout_has_the_distribution_of_transformers(dropped, backend):
    """Mean and spread of each logit over 3,000 samples."""
    changes = {"num_hidden_layers": 2, "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2}
    changes[{"hidden": "attention_probs_dropout_prob", "attention": "hidden_dropout_prob"}[dropped]] = 0.0
    module = layers_alone(in_training("Bert", **changes))
    ours, theirs = (samples(module, made_up([3, 6, 11]), way, copies=3_000) for way in (backend, PADDED))
    errors = ((ours.var(1) + theirs.var(1)) / 3_000).sqrt()
    assert errors.min() > 0
    assert ((ours.mean(1) - theirs.mean(1)).abs() < 4.5 * errors).all()
    torch.testing.assert_close(ours.std(1), theirs.std(1), rtol=0.1, atol=0)


def test_as_much_is_dropped_as_the_configuration_says():
    """More of it spreads the logits further."""
    spreads = []
    for dropout in (0.05, 0.2, 0.5):
        module = layers_alone(in_training("Bert", num_hidden_layers=1, hidden_dropout_prob=dropout))
        spreads.append(float(samples(module, made_up([9, 4]), FUSED, copies=200).std(1).mean()))
    assert spreads[0] < spreads[1] < spreads[2]


@pytest.mark.parametrize("first_only", [False, True])
def test_attention_with_dropout_is_that_without_on_the_mean(first_only):
    batch = pack(np.zeros(19, np.int64), np.array([0, 6, 12, 14, 19]), np.arange(4))
    rows = on_device(batch, CPU, kernel=False)
    chance = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(19, 2, 4, generator=chance) for _ in range(3))
    compute = partial(attend_first, query[rows.firsts]) if first_only else partial(attend, query)
    torch.manual_seed(0)
    found = torch.stack([compute(key, value, rows, dropout=0.4) for _ in range(1_500)])
    errors = found.std(0) / 1_500**0.5
    assert ((found.mean(0) - compute(key, value, rows)).abs() < 5 * errors + 1e-6).all()
    zeros = (found == 0).all(dim=-1).float().mean(0)  # all of a row's weights were dropped
    lengths = torch.tensor([6, 6, 2, 5]) if first_only else torch.tensor([6] * 12 + [2] * 2 + [5] * 5)
    torch.testing.assert_close(zeros.mean(1), 0.4**lengths, atol=0.03, rtol=0)


def test_rows_are_dropped_independently():
    """Equal rows of one batch, and equal batches of one step."""
    equal = chosen(made_up([9]), np.zeros(4, np.int64))
    module = layers_alone(in_training("Bert", attention_probs_dropout_prob=0.3, hidden_dropout_prob=0.0))
    torch.manual_seed(0)
    forward = FUSED.make(module, budget=4096, longest=64)
    logits = torch.cat([forward(equal, np.arange(4)), forward(equal, np.arange(4))]).detach()
    assert len(torch.unique(logits, dim=0)) == 8
