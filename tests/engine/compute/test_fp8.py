"""Products in 8 bits of floating point: a CPU's are a GPU's, what rounding costs, and what is refused."""

import math

import numpy as np
import pytest
import torch
from families import LONGEST, alone, classifier, made_up, make
from torch.nn import functional

import engine
import engine.compute.ceiling
import engine.compute.layers.fp8_product
import store
from engine.compute.backend import Workload
from engine.compute.backends import choose_backend, require_backend
from engine.compute.encoder import Encoder
from engine.compute.input_ranges import input_ranges
from engine.compute.layers.fp8_layers import fp8_layers, products_of
from engine.compute.layers.fp8_product import (
    E4M3,
    fp8_problem,
    fp8_product,
    fp8_rounded,
    fp8_weight,
    multiplied,
    multiplied_in_fp8,
)
from engine.compute.torch_backends import FP8, FP8_COMPILED, FUSED, TOKENS_TO_COMPILE
from engine.errors import ModelError
from engine.labelling.planning.choices import Choices

CPU = torch.device("cpu")
FP8_WORK = Workload(longest=LONGEST, device=CPU, dtype="fp8")


def in_fp8(module, *, budget=4096, device=CPU):
    return Encoder(classifier(module), device=device, dtype="fp8", backend=FP8, budget=budget, longest=LONGEST)


def logits(encoder, tokens):
    return encoder.logits(tokens, encoder.plan(tokens))


@pytest.fixture
def factors():
    chance = torch.Generator().manual_seed(0)
    x, weight = torch.randn(33, 64, generator=chance).half(), torch.randn(48, 64, generator=chance)
    return x, weight, torch.randn(48, generator=chance).half()


def test_a_product_is_that_of_the_rounded_factors(factors):
    x, weight, bias = factors
    held = fp8_weight(weight, float(x.abs().max()))
    scale = weight.abs().max() / 448
    assert float(held.scale) == pytest.approx(float(scale))
    exact = (held.values.double() * scale) @ ((x / held.taken).to(E4M3).double() * held.taken).T
    found = fp8_product(x, held, bias)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.double(), exact.T + bias, rtol=2**-10, atol=1e-3)
    torch.testing.assert_close(fp8_product(x, held, None).double(), exact.T, rtol=2**-10, atol=1e-3)


def test_rounding_costs_about_a_fiftieth(factors):
    x, weight, bias = factors
    sizes = x.float().norm(dim=1, keepdim=True) * weight.norm(dim=1)
    exact = functional.linear(x.float(), weight, bias.float())
    off = (fp8_product(x, fp8_weight(weight, 4.0), bias).float() - exact).abs() / sizes
    assert 2e-3 < float(off.max()) < 2e-2


def test_the_product_of_torch_gives_the_same(factors):
    """What a GPU computes with, on this processor."""
    x, weight, bias = factors
    held = fp8_weight(weight, 4.0)
    rounded = fp8_rounded(x, held)
    ours = multiplied(rounded, held, bias, dtype=torch.float16)
    torch.testing.assert_close(multiplied_in_fp8(rounded, held, bias, dtype=torch.float16), ours, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("largest", [1e-40, 0.0, 1e-6, 0.9, 1.0, 7.3, 111.9, 112.1, 1e4])
def test_the_scale_of_an_input_is_a_power_of_two_that_holds_four_times_what_was_seen(largest):
    step = float(fp8_weight(torch.ones(16, 16), largest).taken)
    assert math.frexp(step)[0] == 0.5
    assert 448 * step >= 4 * largest
    assert 448 * step <= max(8 * largest, 448 * 2**-24)
    assert float(torch.tensor(step).half()) == step, "a GPU divides by it in fp16"


def test_what_is_too_large_is_cut_off_and_what_is_no_number_stays_none():
    held = fp8_weight(torch.eye(16), 112.0)
    x = torch.zeros(3, 16).half()
    x[0, 0], x[1, 1], x[2, 2] = 60_000, -math.inf, math.nan
    found = fp8_product(x, held, None)
    assert float(found[0, 0]) == -float(found[1, 1]) == pytest.approx(448, rel=1e-3)
    assert found[2].isnan().any()
    assert not found[:2].isnan().any()


def test_weights_of_zeros_give_the_bias():
    bias = torch.arange(16.0).half()
    assert torch.equal(
        fp8_product(torch.ones(3, 16).half(), fp8_weight(torch.zeros(16, 16), 1.0), bias), bias.expand(3, 16)
    )


@pytest.mark.parametrize("family", ["Bert", "Roberta", "Electra"])
def test_logits_are_within_the_bound_and_do_not_depend_on_the_batch(family):
    module = make(family)
    tokens = made_up([2, 3, 3, 512, 7, 9, 9, 64, 130, 1, 33])
    exact = alone(module, tokens)
    whole = logits(in_fp8(make(family)), tokens)
    assert not FP8.bounds["fp8"]._replace(seldom=1).exceeded(whole, exact).any()
    np.testing.assert_allclose(whole, exact, atol=0.5)
    assert np.abs(whole - exact).max() > 1e-2, "these are not the logits of fp16"
    np.testing.assert_allclose(logits(in_fp8(make(family), budget=64), tokens), whole, atol=0.1)


def test_each_product_takes_what_its_own_inputs_need():
    """Inputs of very different sizes: with the scale of another product they would be cut off, or vanish."""
    module = make("Bert")
    with torch.no_grad():
        for layer in module.bert.encoder.layer:
            layer.attention.self.value.weight.mul_(1e-3)
            layer.attention.output.LayerNorm.weight.mul_(30)
            layer.intermediate.dense.weight.mul_(3)
    own = list(module.bert.encoder.layer)
    inputs = [product for layer in own for product in products_of(layer)]
    seen = [float(each.size().max()) for each in input_ranges(module, inputs)]
    made = fp8_layers(module, own)
    takes = [(one._weights.mixed, one._weights.out, one._weights.up, one._weights.down) for one in made]
    steps = [float(weight.taken) for weights in takes for weight in weights]
    assert all(4 * largest <= 448 * step < 8 * largest for step, largest in zip(steps, seen, strict=True))
    assert len({*steps[4:8]}) == 4
    assert float(made[-1]._weights.query.taken) == steps[-4]


def test_other_activations_are_the_models_own():
    tokens = made_up([12, 40, 7])
    exact = alone(make("Bert", hidden_act="relu"), tokens)
    np.testing.assert_allclose(logits(in_fp8(make("Bert", hidden_act="relu")), tokens), exact, atol=0.3)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_not_rounded_away(bad):
    module = make("Bert")
    with torch.no_grad():
        module.bert.embeddings.word_embeddings.weight[3, 0] = bad
    with pytest.raises(ModelError, match="fp8: some of its weights are not finite.*Name another --dtype"):
        choose_backend(module, FP8_WORK)


def test_numbers_that_are_too_large_for_fp16_are_told():
    module = make("Bert")
    with torch.no_grad():
        module.bert.encoder.layer[2].output.dense.weight[0, 0] = 1e5
    with pytest.raises(ModelError, match="fp8: some of its weights are not finite"):
        choose_backend(module, FP8_WORK)
    with torch.no_grad():
        module.bert.encoder.layer[2].output.dense.weight[0, 0] = 0
        module.bert.encoder.layer[1].output.LayerNorm.weight.fill_(6e4)
    with pytest.raises(ModelError, match="Bert.*: numbers between its layers are too large for fp16.*; name another"):
        in_fp8(module)


def test_it_is_chosen_for_fp8_alone(monkeypatch):
    module = make("Bert")
    assert choose_backend(module, FP8_WORK) == FP8
    assert choose_backend(module, Workload(longest=LONGEST, device=CPU)) == FUSED
    with pytest.raises(ModelError, match="'fp8' cannot compute Bert.*: it does not compute in fp32"):
        require_backend("fp8", module, Workload(longest=LONGEST, device=CPU))
    monkeypatch.setattr("engine.compute.torch_backends.fp8_problem", lambda _: None)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    much = Workload(longest=64, device=torch.device("cuda"), dtype="fp8", tokens=TOKENS_TO_COMPILE)
    assert choose_backend(module, much) == FP8_COMPILED
    assert FP8.can_replace(FP8_COMPILED)
    assert FP8_COMPILED.can_replace(FP8)
    assert not FUSED.can_replace(FP8)
    assert not FP8.can_replace(FUSED)


def test_models_without_it_are_told():
    odd = make("Bert", hidden_size=24, num_attention_heads=2)
    with pytest.raises(ModelError, match=r"fp8: it has a product of 24 inputs and 24 outputs, .*multiples of 16\)"):
        choose_backend(odd, FP8_WORK)
    with pytest.raises(ModelError, match=r"no backend computes Albert.* in fp8 on cpu .*Name another --dtype"):
        choose_backend(make("Albert"), FP8_WORK)


@pytest.fixture
def anew():
    fp8_problem.cache_clear()
    yield
    fp8_problem.cache_clear()


def test_a_device_without_the_product_is_told(monkeypatch, anew):
    def missing(*_, **__):
        raise RuntimeError("it takes compute capability 8.9\nand this has 8.0")

    monkeypatch.setattr(engine.compute.layers.fp8_product, "multiplied", missing)
    with pytest.raises(ModelError, match=r"no product in 8 bits of floating point for cpu \(it takes .* 8.9\)"):
        choose_backend(make("Bert"), FP8_WORK)


def test_a_device_that_is_full_for_a_moment_is_not_taken_for_one_without_it(monkeypatch, anew):
    def full(*_, **__):
        raise torch.OutOfMemoryError("full")

    with monkeypatch.context() as patched:
        patched.setattr(engine.compute.layers.fp8_product, "multiplied", full)
        with pytest.raises(torch.OutOfMemoryError):
            fp8_problem(CPU)
    assert fp8_problem(CPU) is None


def test_a_product_that_comes_out_wrong_is_found_out(monkeypatch, anew):
    monkeypatch.setattr(engine.compute.layers.fp8_product, "multiplied", lambda *_, **__: torch.ones(16, 16))
    assert fp8_problem(CPU) == "products in 8 bits of floating point come out wrong on cpu"


def test_the_ceiling_is_that_of_products_in_8_bits(monkeypatch):
    seen = []
    monkeypatch.setattr(
        engine.compute.ceiling, "multiplied", lambda x, *_, **more: seen.append(x.dtype) or multiplied(x, *_, **more)
    )
    engine.compute.ceiling.measure_ceiling.cache_clear()
    assert in_fp8(make("Bert")).ceiling() > 0
    assert {*seen} == {E4M3}


def test_labels_in_fp8_are_kept_with_what_made_them(demo, tmp_path):
    config = engine.LabelConfig(
        store=str(tmp_path / "demo.store"),
        teacher=demo.path("teacher"),
        inputs=(demo.path("gold.parquet"),),
        devices=("cpu",),
        shards=2,
        name="eighths",
        choices=Choices(dtype="fp8"),
    )
    summary = engine.label(config)
    assert summary.dtype == "fp8"
    assert summary.failed == 0
    card = store.open(config.store).label_set("eighths").card()
    assert (card["dtype"], card["path"]) == ("fp8", "fp8")
    assert summary.checked
    assert 0 < summary.largest_difference < 1


@pytest.mark.gpu
def test_a_gpu_gives_what_a_cpu_gives():
    if not torch.cuda.is_available() or fp8_problem(torch.device("cuda")):
        pytest.skip("no CUDA device with products in 8 bits of floating point")
    tokens = made_up([2, 3, 512, 7, 64, 130, 33])
    here, there = (logits(in_fp8(make("Bert"), device=torch.device(name)), tokens) for name in ("cpu", "cuda"))
    np.testing.assert_allclose(here, there, atol=0.2)
