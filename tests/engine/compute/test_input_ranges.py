"""Ranges of a product's inputs: those of the model's own code, the same in every process, for any model's limits."""

import numpy as np
import pytest
import torch
from families import make

from engine.compute import input_ranges as under_test
from engine.compute.cpu.smoothing import smoothing_factors
from engine.compute.input_ranges import ChannelRange, input_ranges
from engine.models.batching import Batching, padded_logits
from engine.models.layers import shared_copy
from engine.tokens.frame import Frame


def products_of(module):
    layer = module.bert.encoder.layer[0]
    return [layer.attention.self.key, layer.intermediate.dense]


def test_they_are_of_what_the_products_are_given():
    module = make("Bert")
    key, up = products_of(module)
    given = []
    hook = up.register_forward_pre_hook(lambda _, values: given.append((values[0], torch.get_num_threads())))
    first, second = input_ranges(module, [key, up])
    hook.remove()
    assert sorted(tuple(values.shape[:2]) for values, _ in given) == sorted(
        (rows, length) for length, rows in under_test.LENGTHS.items()
    )
    assert {threads for _, threads in given} == {1}
    values = torch.cat([values.flatten(0, 1) for values, _ in given])
    assert torch.equal(second.least, values.amin(0))
    assert torch.equal(second.largest, values.amax(0))
    assert first.least.shape == (module.config.hidden_size,)
    assert bool((first.least < first.largest).all())
    assert not key._forward_pre_hooks
    assert not up._forward_pre_hooks


def test_they_are_found_once_for_all_copies_until_the_parameters_change(monkeypatch):
    module, calls = make("Bert"), []
    compute = under_test.padded_logits
    monkeypatch.setattr(under_test, "padded_logits", lambda *given: calls.append(given) or compute(*given))
    before = input_ranges(module, products_of(module))
    once = len(calls)
    assert once == len(under_test.LENGTHS)
    copy = shared_copy(module)
    again = input_ranges(copy, products_of(copy))
    assert len(calls) == once
    assert all(torch.equal(one.least, other.least) for one, other in zip(before, again, strict=True))
    with torch.no_grad():
        module.bert.embeddings.LayerNorm.weight.mul_(2)
    changed = input_ranges(module, products_of(module))
    assert len(calls) == 2 * once
    assert not torch.equal(changed[0].largest, before[0].largest)
    same = make("Bert")  # another process
    for one, other in zip(before, input_ranges(same, products_of(same)), strict=True):
        assert torch.equal(one.least, other.least)
        assert torch.equal(one.largest, other.largest)


def test_rows_computed_one_by_one_count_together(monkeypatch):
    """As rows of a model without a padding token are."""
    module = make("Bert")
    whole = input_ranges(module, products_of(module))

    def one_by_one(module, tokens, rows):
        for row in rows:
            padded_logits(module, tokens, np.array([row]))

    monkeypatch.setattr(under_test, "padded_logits", one_by_one)
    twin = make("Bert")
    alone = input_ranges(twin, products_of(twin))
    for one, other in zip(whole, alone, strict=True):
        torch.testing.assert_close(one.largest, other.largest)
        torch.testing.assert_close(one.least, other.least)


@pytest.mark.parametrize(
    ("family", "changes", "longest"),
    [
        ("Roberta", {"max_position_embeddings": 16}, 14),
        ("Roberta", {"max_position_embeddings": 40, "pad_token_id": 3}, 36),
        ("Bert", {"max_position_embeddings": 100, "pad_token_id": 0}, 100),
        ("Bert", {"max_position_embeddings": 2000}, 512),
    ],
)
def test_rows_are_no_longer_than_the_model_takes_and_have_no_padding(family, changes, longest):
    module = make(family, **changes)
    tokens = under_test._made_up(module)
    assert tokens.lengths.max() == longest
    assert module.config.pad_token_id not in tokens.ids.tolist()
    input_ranges(module, [module.classifier if family == "Bert" else module.classifier.dense])  # it computes them


def test_rows_begin_and_end_as_the_tokenizers_do():
    module = make("Bert")
    module.batching = Batching(pad_id=0, frame=Frame(before=(7,), after=(8, 9)))
    tokens = under_test._made_up(module)
    rows = [tokens.row(row).tolist() for row in range(len(tokens.lengths))]
    assert {(row[0], *row[-2:]) for row in rows} == {(7, 8, 9)}


def test_a_whole_range_is_wider_than_what_was_seen():
    step, zero = ChannelRange(torch.tensor([-1.0, 0.0]), torch.tensor([0.5, 3.0])).whole()
    assert step * 255 == pytest.approx(under_test._MARGIN * 4)
    assert zero == round(255 / 4)


def test_factors_make_ranges_more_even_and_keep_the_product():
    chance = np.random.default_rng(0)
    x, weight = chance.normal(size=(50, 8)).astype(np.float32), chance.normal(size=(4, 8)).astype(np.float32)
    x[:, 3] *= 100
    largest = np.abs(x).max(0)
    factors = smoothing_factors(largest, np.abs(weight).max(0))
    assert np.exp(np.log(factors).mean()) == pytest.approx(1, rel=1e-5)
    even = largest / factors
    assert even.max() / even.min() < largest.max() / largest.min() / 3
    np.testing.assert_allclose((x / factors) @ (weight * factors).T, x @ weight.T, rtol=1e-3, atol=1e-3)


def test_channels_without_anything_have_factors_too():
    assert np.isfinite(smoothing_factors(np.zeros(3, np.float32), np.array([0, 1, 2], np.float32))).all()
