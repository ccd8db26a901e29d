"""Ranges of a product's inputs: those of the model's own code, the same in every process, for any model's limits."""

import numpy as np
import pytest
import torch
from families import make

from engine.compute.cpu import input_ranges as under_test
from engine.compute.cpu.input_ranges import ChannelRange, input_ranges
from engine.compute.cpu.smoothing import smoothing_factors
from engine.models.batching import batching_of, padded_logits


def products_of(module):
    layer = module.bert.encoder.layer[0]
    return [layer.attention.self.key, layer.intermediate.dense]


def test_they_are_of_what_the_products_are_given():
    module = make("Bert")
    key, up = products_of(module)
    given = []
    hook = up.register_forward_pre_hook(lambda _, values: given.append(values[0]))
    first, second = input_ranges(module, [key, up])
    hook.remove()
    [values] = given
    assert values.shape[:2] == (under_test.ROWS, under_test.LENGTH)
    assert torch.equal(second.least, values.flatten(0, 1).amin(0))
    assert torch.equal(second.largest, values.flatten(0, 1).amax(0))
    assert first.least.shape == (module.config.hidden_size,)
    assert bool((first.least < first.largest).all())
    assert not key._forward_pre_hooks
    assert not up._forward_pre_hooks


def test_they_are_the_same_with_other_threads_and_at_another_time():
    module = make("Bert")
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            torch.rand(7)
            found.append(input_ranges(module, products_of(module)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
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
    alone = input_ranges(module, products_of(module))
    for one, other in zip(whole, alone, strict=True):
        torch.testing.assert_close(one.largest, other.largest)
        torch.testing.assert_close(one.least, other.least)


@pytest.mark.parametrize("positions", [16, 40])
def test_rows_are_no_longer_than_the_model_takes_and_have_no_padding(positions):
    module = make("Roberta", max_position_embeddings=positions)
    tokens = under_test._made_up(module)
    assert set(tokens.lengths.tolist()) == {positions - 2}
    assert module.config.pad_token_id not in tokens.ids.tolist()
    frame = batching_of(module).frame
    assert tokens.row(0).tolist()[: len(frame.before)] == list(frame.before)


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
