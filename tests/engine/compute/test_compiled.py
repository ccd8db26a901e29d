"""Layers for a GPU are compiled once for all layers and batches; where that cannot be done, they run as they are."""

from functools import partial

import numpy as np
import pytest
import torch
from families import made_up, make
from torch._dynamo.testing import CompileCounter

import engine.compute.attention
import engine.compute.forward
import engine.compute.layers.fused_layer
import engine.compute.layers.linear
from engine.compute.torch_backends import COMPILED, FP8, FP8_COMPILED, FUSED


@torch.library.custom_op("engine_tests::attention", mutates_args=())
def opaque(query: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
    """Anything: a kernel that a compiler cannot look into."""
    return query * 2


@opaque.register_fake
def _(query: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
    return torch.empty_like(query)


def as_kernel(query, key, value, bounds, _bounds, longest, _longest, **_):
    return opaque(query, bounds, longest)


@pytest.fixture
def kernel(monkeypatch):
    """A CPU that pretends to have the kernel, and nothing compiled yet."""
    monkeypatch.setattr(engine.compute.attention, "varlen_attn", as_kernel)
    monkeypatch.setattr(engine.compute.forward, "has_kernel", lambda *_: True)
    monkeypatch.setattr(engine.compute.layers.linear, "_pointwise", None)  # as on a GPU
    engine.compute.layers.fused_layer._compiled.cache_clear()
    torch._dynamo.reset()
    yield
    engine.compute.layers.fused_layer._compiled.cache_clear()
    torch._dynamo.reset()


def logits_of(module, backend):
    """Of many batches, with all numbers of rows, under a budget that each fills up."""
    tokens = made_up(np.random.default_rng(0).integers(3, 64, 90))
    forward = backend.make(module, budget=256, longest=64)
    batches = forward.plan(tokens.lengths)
    assert len({len(batch) for batch in batches}) > 4
    with torch.inference_mode():
        return np.concatenate([forward(tokens, batch).numpy() for batch in batches])


@pytest.mark.parametrize(("compiled", "plain"), [(COMPILED, FUSED), (FP8_COMPILED, FP8)])
def test_twelve_layers_and_many_batches_compile_a_few_times(compiled, plain, kernel, monkeypatch):
    counter = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counter))
    module = make("Bert", num_hidden_layers=12)
    np.testing.assert_array_equal(logits_of(module, compiled), logits_of(module, plain))
    assert counter.frame_count == 4  # all tokens and first tokens: for one number of rows, then for any


def test_a_compiler_that_fails_leaves_the_layers_as_they_are(kernel, monkeypatch, caplog):
    def broken(*_):
        raise OSError("no C compiler here")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    module = make("Bert", num_hidden_layers=3)
    np.testing.assert_array_equal(logits_of(module, COMPILED), logits_of(module, FUSED))
    warnings = [record.message for record in caplog.records if record.name == "engine.compute.layers.fused_layer"]
    assert len(warnings) == 2
    assert all("cannot be compiled here, and run as they are" in warning for warning in warnings)


@pytest.mark.gpu
def test_compiled_layers_give_the_logits_of_the_others():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    module = make("Bert", num_hidden_layers=4).to("cuda", torch.float16)
    tokens = made_up(np.random.default_rng(0).integers(3, 512, 80))
    found = []
    for backend in (COMPILED, FUSED):
        forward = backend.make(module, budget=4096, longest=512)
        with torch.inference_mode():
            found.append(torch.cat([forward(tokens, batch) for batch in forward.plan(tokens.lengths)]).float().cpu())
    torch.testing.assert_close(*found, atol=2e-2, rtol=1e-2)
