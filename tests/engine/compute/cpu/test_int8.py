"""Products in 8 bits: what they are off by, that rows stay alone, and what is refused."""

import numpy as np
import pytest
import torch
from families import LONGEST, alone, classifier, made_up, make
from torch.nn import functional

import engine.compute.ceiling
import engine.compute.cpu.int8
from engine.compute.backend import Workload
from engine.compute.backends import choose_backend, require_backend
from engine.compute.cpu.int8 import Range, StaticProduct, int8_problem, quantised, quantised_product
from engine.compute.encoder import Encoder
from engine.compute.torch_backends import FUSED, INT8, INT8_BF16, INT8_FLASH
from engine.errors import ModelError

CPU = torch.device("cpu")
INT8_WORK = Workload(longest=LONGEST, device=CPU, dtype="int8")
needs_int8 = pytest.mark.skipif(int8_problem() is not None, reason=str(int8_problem()))


def in_int8(module, *, budget=4096):
    return Encoder(classifier(module), device=CPU, dtype="int8", backend=INT8, budget=budget, longest=LONGEST)


def logits(encoder, tokens):
    return encoder.logits(tokens, encoder.plan(tokens))


@pytest.fixture
def factors():
    chance = torch.Generator().manual_seed(0)
    x, weight = torch.randn(33, 64, generator=chance), torch.randn(48, 64, generator=chance)
    x[3] *= 1000  # a token of another size has a scale of its own
    weight[5] *= 100
    return x, weight, torch.randn(48, generator=chance)


@needs_int8
def test_a_product_is_that_of_the_rounded_factors(factors):
    x, weight, bias = factors
    least, step = (low := x.amin(1, keepdim=True)), (x.amax(1, keepdim=True) - low) / 255
    scale = weight.abs().amax(1, keepdim=True) / 127
    rounded = least + step * torch.round((x - least) / step), torch.round(weight / scale) * scale
    expected = rounded[0].double() @ rounded[1].double().T
    torch.testing.assert_close(
        quantised_product(x, quantised(weight), bias).double(), expected + bias, rtol=1e-4, atol=1e-3
    )


@needs_int8
def test_rounding_costs_about_a_hundredth(factors):
    x, weight, bias = factors
    sizes = x.norm(dim=1, keepdim=True) * weight.norm(dim=1)
    off = (quantised_product(x, quantised(weight), bias) - (x @ weight.T + bias)).abs() / sizes
    assert 1e-3 < float(off.max()) < 1e-2


@needs_int8
def test_a_static_product_is_that_of_the_rounded_factors(factors):
    x, weight, bias = factors
    taken = Range.over(-2.0, 3.0)
    scale = weight.abs().amax(1, keepdim=True) / 127
    levels = (torch.round(x / taken.step) + taken.zero).clamp(0, 255)  # what is outside is cut off
    exact = (taken.step * (levels - taken.zero)).double() @ (torch.round(weight / scale) * scale).double().T + bias
    product = StaticProduct(weight, bias, taken)
    rounded = product.rounded(x)
    assert torch.equal(rounded, levels.to(torch.uint8))
    torch.testing.assert_close(product(rounded).double(), exact, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(product(rounded, gelu=True).double(), functional.gelu(exact), rtol=1e-4, atol=1e-3)
    halves = product(rounded, dtype=torch.bfloat16)
    assert halves.dtype == torch.bfloat16
    torch.testing.assert_close(halves.double(), exact, rtol=2**-8, atol=1e-3)


@needs_int8
def test_a_token_does_not_depend_on_the_others(factors):
    x, weight, bias = factors
    static, packed = StaticProduct(weight, bias, Range.over(-4, 4)), quantised(weight)
    for compute in (lambda part: static(static.rounded(part)), lambda part: quantised_product(part, packed, bias)):
        torch.testing.assert_close(
            compute(x)[5:9], compute(x[5:9]), rtol=1e-5, atol=1e-5
        )  # the last bit is the kernel's


@pytest.mark.parametrize(
    ("least", "largest", "zero"), [(-1, 1, 128), (0, 5, 0), (2, 5, 0), (-3, 0, 255), (-3, -2, 255), (0, 0, 0)]
)
def test_a_range_holds_its_ends_and_0(least, largest, zero):
    step, found = Range.over(least, largest)
    assert found == zero
    for value in (least, 0.0, largest):
        level = min(255, max(0, round(value / step) + zero))
        assert step * (level - zero) == pytest.approx(value, abs=step)


@needs_int8
def test_tokens_and_weights_of_zeros_give_the_bias():
    bias, nothing = torch.tensor([1.0, -2.0]), torch.zeros(2, 16)
    assert torch.equal(quantised_product(torch.zeros(3, 16), quantised(nothing), bias), bias.expand(3, 2))
    static = StaticProduct(nothing, bias, Range.over(0, 0))
    assert torch.equal(static(static.rounded(torch.zeros(3, 16))), bias.expand(3, 2))


@needs_int8
@pytest.mark.parametrize("family", ["Bert", "Roberta", "Electra"])
def test_logits_are_within_the_bound_and_do_not_depend_on_the_batch(family):
    module = make(family)
    tokens = made_up([2, 3, 3, 512, 7, 9, 9, 64, 130, 1, 33])
    whole = logits(in_int8(module), tokens)
    exact = alone(module, tokens)
    assert not INT8.bounds["int8"]._replace(seldom=1).exceeded(whole, exact).any()
    np.testing.assert_allclose(whole, exact, atol=0.1)
    assert not np.array_equal(whole, exact)
    np.testing.assert_allclose(logits(in_int8(module, budget=64), tokens), whole, rtol=1e-4, atol=1e-4)


@needs_int8
def test_other_activations_are_the_models_own():
    module = make("Bert", hidden_act="relu")
    tokens = made_up([12, 40, 7])
    np.testing.assert_allclose(logits(in_int8(module), tokens), alone(module, tokens), atol=0.05)


@needs_int8
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_not_rounded_away(bad):
    module = make("Bert")
    with torch.no_grad():
        module.bert.embeddings.word_embeddings.weight[3, 0] = bad
    with pytest.raises(ModelError, match="int8-static: some of its weights are not finite.*Name another --dtype"):
        choose_backend(module, INT8_WORK)


@needs_int8
def test_rows_alone_are_computed_in_fp32():
    module, tokens = make("Bert"), made_up([12, 40])
    encoder = in_int8(module)
    assert encoder.path == "int8-static"
    np.testing.assert_array_equal(encoder.exact_logits(tokens, 1), alone(module, tokens)[1])


@needs_int8
def test_the_ceiling_is_that_of_products_in_8_bits(monkeypatch):
    seen = []
    compute = StaticProduct.__call__
    monkeypatch.setattr(StaticProduct, "__call__", lambda self, x: seen.append(x.dtype) or compute(self, x))
    engine.compute.ceiling.measure_ceiling.cache_clear()
    assert in_int8(make("Bert")).ceiling() > 0
    assert {*seen} == {torch.uint8}


@needs_int8
@pytest.mark.parametrize(
    ("has_bf16", "has_amx", "backend"),
    [(True, True, INT8_FLASH), (True, False, INT8_BF16), (False, False, INT8)],
)
def test_it_is_chosen_for_int8_alone(has_bf16, has_amx, backend, monkeypatch):
    monkeypatch.setattr("engine.compute.torch_backends.has_bf16", lambda: has_bf16)
    monkeypatch.setattr("engine.compute.torch_backends.has_amx", lambda: has_amx)
    module = make("Bert")
    assert choose_backend(module, INT8_WORK) == backend
    assert choose_backend(module, INT8_WORK, preferred="int8-static") == INT8  # as a label set was begun
    assert choose_backend(module, Workload(longest=LONGEST, device=CPU)) == FUSED
    with pytest.raises(ModelError, match="'int8-static' cannot compute Bert.*: it does not compute in fp32"):
        require_backend("int8-static", module, Workload(longest=LONGEST, device=CPU))
    with pytest.raises(ModelError, match="'fused' cannot compute Bert.*: it does not compute in int8"):
        require_backend("fused", module, INT8_WORK)


def test_models_and_devices_without_it_are_told(monkeypatch):
    monkeypatch.setattr("engine.compute.torch_backends.int8_problem", lambda: None)
    with pytest.raises(
        ModelError,
        match=r"no backend computes Albert.* in int8 on cpu \(int8-static-flash: .*; int8-static-bf16: .*; int8-static: .*\)\. Name another",
    ):
        choose_backend(make("Albert"), INT8_WORK)
    on_gpu = Workload(longest=64, device=torch.device("cuda"), dtype="int8")
    with pytest.raises(ModelError, match="it computes on a CPU, and not on cuda"):
        choose_backend(make("Bert"), on_gpu)


@pytest.fixture
def anew():
    int8_problem.cache_clear()
    yield
    int8_problem.cache_clear()


def test_a_processor_that_cuts_sums_off_is_found_out(monkeypatch, anew):
    """Without VNNI, two products are added in 16 bits: at most 32,767."""
    monkeypatch.setattr(
        engine.compute.cpu.int8, "_integer_product", lambda values, weight, **_: torch.full((1, 16), 32.0 * 32_767)
    )
    assert "has no VNNI" in int8_problem()


def test_a_torch_without_the_product_is_told(monkeypatch, anew):
    def missing(values, weight, **_):
        raise RuntimeError("no kernel")

    monkeypatch.setattr(engine.compute.cpu.int8, "_integer_product", missing)
    assert "has no product in 8 bits for this processor (no kernel)" in int8_problem()
