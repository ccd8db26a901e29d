import copy
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from families import alone, chosen, encoder, made_up, make
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import engine.compute.encoder
from engine.compute.device import DTYPES, default_budget, default_dtype, limited_threads
from engine.compute.encoder import Encoder, is_out_of_memory
from engine.compute.forward import PackedForward
from engine.compute.layers.fused_layer import fused_layers
from engine.compute.torch_backends import FUSED, PACKED, PADDED
from engine.errors import ModelError
from engine.models.classifier import load_classifier

TEXTS = ["good", "the food was not good .", "bad " * 300, "the room is lovely . " * 9, "x", "so rude and so slow !"]


@pytest.fixture(scope="module")
def single(demo):
    """Logits by transformers, one row at a time."""
    tokenizer = AutoTokenizer.from_pretrained(demo.path("teacher"))
    model = AutoModelForSequenceClassification.from_pretrained(demo.path("teacher")).eval()
    with torch.inference_mode():
        rows = [model(**tokenizer(text, truncation=True, max_length=128, return_tensors="pt")).logits for text in TEXTS]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("budget", [1, 130, 100_000])
def test_logits_do_not_depend_on_the_batch(demo, single, budget):
    model = load_classifier(demo.path("teacher"))
    encoder = Encoder(model, device=torch.device("cpu"), budget=budget)
    tokens = model.encoding().encode(TEXTS)
    np.testing.assert_allclose(encoder.logits(tokens, encoder.plan(tokens)), single, atol=1e-5)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_the_dtype_is_that_of_the_computation(demo, single, dtype):
    model = load_classifier(demo.path("teacher"))
    encoder = Encoder(model, device=torch.device("cpu"), dtype=dtype, budget=512)
    tokens = model.encoding().encode(TEXTS)
    logits = encoder.logits(tokens, encoder.plan(tokens))
    assert model.module.classifier.weight.dtype == DTYPES[dtype]
    assert 0 < np.abs(logits - single).max() < 0.5
    np.testing.assert_allclose(encoder.exact_logits(tokens, 3), single[3], atol=1e-5)


def test_processes_give_the_bits_of_one(demo, monkeypatch):
    monkeypatch.setattr(engine.compute.encoder, "FLOPS_EACH", 1.0)
    model = load_classifier(demo.path("teacher"))
    one, three = (Encoder(model, device=torch.device("cpu"), budget=100, processes=count) for count in (1, 3))
    tokens = model.encoding().encode(TEXTS * 4)
    with limited_threads(torch.device("cpu"), 1):
        expected = one.logits(tokens, one.plan(tokens))
    rows = []
    np.testing.assert_array_equal(
        three.logits(tokens, three.plan(tokens), tick=lambda _, done, __: rows.append(done)), expected
    )
    assert rows == sorted(rows)
    assert three.busy_seconds > 0
    assert three.ceiling() == 3 * one.ceiling()
    assert three.logits(tokens.some(np.arange(1)), [np.arange(1)]).shape == (1, 2)  # too little for a second one
    assert three._worthwhile(tokens, [np.arange(1), np.arange(1, 2)]) == 2  # a core for each of few batches


def test_memory_that_runs_out_in_another_process_is_found_here(demo, monkeypatch):
    monkeypatch.setattr(engine.compute.encoder, "FLOPS_EACH", 1.0)
    model = load_classifier(demo.path("teacher"))
    made = Encoder(model, device=torch.device("cpu"), budget=100, processes=2)
    tokens, forward = model.encoding().encode(TEXTS * 4), made._forward.__call__

    def full(tokens, rows):
        if len(rows) > 2:
            raise RuntimeError("can't allocate memory")
        return forward(tokens, rows)

    made._forward = SimpleNamespace(
        **{name: getattr(made._forward, name) for name in ("plan_rows", "computed_tokens", "budget", "fits")}
    )
    made._forward = type("Full", (SimpleNamespace,), {"__call__": lambda _, *given: full(*given)})(
        **vars(made._forward)
    )
    batches = made.plan(tokens)
    assert made.logits(tokens, batches).shape == (len(TEXTS) * 4, 2)
    assert made.splits > 0


def test_exact_logits_are_those_of_the_row_alone(demo, single):
    model = load_classifier(demo.path("teacher"))
    encoder = Encoder(model, device=torch.device("cpu"), budget=512)
    tokens = model.encoding().encode(TEXTS)
    np.testing.assert_allclose(encoder.exact_logits(tokens, 2), single[2], atol=1e-5)


def test_no_rows_give_no_logits(demo):
    model = load_classifier(demo.path("teacher"))
    encoder = Encoder(model, device=torch.device("cpu"), budget=512)
    assert encoder.logits(model.encoding().encode([]), []).shape == (0, 2)


def test_defaults_follow_the_device():
    assert (default_dtype(torch.device("cpu")), default_dtype(torch.device("cuda"))) == ("fp32", "fp16")
    assert default_budget(torch.device("cpu")) < default_budget(torch.device("cuda"))


LENGTHS = [40, 3, 9, 9, 9, 17, 64, 2, 33, 8, 8, 5]


@pytest.fixture(scope="module")
def modules():
    return {family: make(family) for family in ("Bert", "ModernBert", "MPNet")}


def fails_above(made, size, failure):
    """Let the model of an encoder raise where it is given more than ``size`` tokens; the sizes that it is given."""
    sizes = []

    def forward(module, arguments, keywords):
        sizes.append(keywords["input_ids"].numel())
        if sizes[-1] > size:
            raise failure

    made._forward.module.register_forward_pre_hook(forward, with_kwargs=True)
    return sizes


CUDA_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU_FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to")


@pytest.mark.parametrize("failure", [CUDA_FULL, CPU_FULL], ids=["cuda", "cpu"])
@pytest.mark.parametrize("family", ["Bert", "ModernBert", "MPNet"])
@pytest.mark.parametrize("size", [64, 100])
def test_a_batch_that_memory_does_not_suffice_for_is_split(failure, family, size):
    module = make(family)
    tokens = made_up(LENGTHS)
    expected = alone(module, tokens)
    made = encoder(module, budget=4096)
    sizes = fails_above(made, size, failure)
    np.testing.assert_allclose(made.logits(tokens, made.plan(tokens)), expected, atol=1e-4)
    failed = sum(given > size for given in sizes)
    assert made.splits >= failed > 0
    sizes.clear()
    first = made.splits
    np.testing.assert_allclose(made.logits(tokens, made.plan(tokens)), expected, atol=1e-4)
    assert max(sizes) <= size, "the ceiling was forgotten"
    assert made.splits > first, "batches that are split ahead are split, too"


def test_a_row_that_memory_does_not_suffice_for_is_told_with_the_remedy():
    made = encoder(make("Bert"), budget=4096)
    sizes = fails_above(made, 63, CUDA_FULL)
    tokens = made_up(LENGTHS)
    with pytest.raises(
        ModelError, match=r"cpu ran out of memory on one row of 64 tokens; lower --max-length"
    ) as caught:
        made.logits(tokens, made.plan(tokens))
    assert len(sizes) < 12
    assert caught.value.__notes__ == ["in batch 1 of 1 (12 rows of 64 tokens)"]


def test_no_memory_at_all_ends_too():
    made = encoder(make("MPNet"), budget=100)
    fails_above(made, 0, CPU_FULL)
    tokens = made_up([2] * 40)
    with pytest.raises(ModelError, match="one row of 2 tokens"):
        made.logits(tokens, made.plan(tokens))


def test_other_errors_of_a_device_are_not_taken_for_a_lack_of_memory():
    failure = RuntimeError("CUDA error: device-side assert triggered")
    made = encoder(make("Bert"), budget=50)
    fails_above(made, 20, failure)
    tokens = made_up([5, 5, 40])
    with pytest.raises(RuntimeError, match=re.escape(str(failure))) as caught:
        made.logits(tokens, made.plan(tokens))
    assert caught.value is failure
    assert made.splits == 0
    assert not is_out_of_memory(failure)


@pytest.mark.parametrize("family", ["Bert", "MPNet"])
def test_errors_of_the_models_own_code_name_the_model(family):
    made = encoder(make(family), budget=50)
    fails_above(made, 20, ValueError("wrong"))
    tokens = made_up([5, 5, 40])
    with pytest.raises(
        ModelError, match=rf"\({family}ForSequenceClassification\) fails .* ValueError: wrong"
    ) as caught:
        made.logits(tokens, made.plan(tokens))
    assert caught.value.__notes__[0].startswith("in batch 1 of ")


def test_a_split_leaves_the_order_of_the_rows():
    module = make("Bert")
    tokens = made_up([9, 30, 30, 3, 12] * 5)
    order = np.random.default_rng(0).permutation(25)
    made = encoder(module, budget=300)
    fails_above(made, 40, CUDA_FULL)
    mixed = chosen(tokens, order)
    np.testing.assert_allclose(made.logits(mixed, made.plan(mixed)), alone(module, tokens)[order], atol=1e-4)


def test_batches_for_the_kernel_are_filled_up_less_where_memory_does_not_suffice(monkeypatch):
    from varlen import varlen_attn

    monkeypatch.setattr("engine.compute.forward.has_kernel", lambda device, dtype: True)
    monkeypatch.setattr("engine.compute.attention.varlen_attn", varlen_attn)
    module = make("Bert")
    tokens = made_up(LENGTHS)
    made = encoder(module, budget=512)
    batches = made.plan(tokens)
    assert made.computed_tokens(tokens, batches) == len(batches) * 512
    sizes = fails_above(made, 100, CUDA_FULL)
    np.testing.assert_allclose(made.logits(tokens, batches), alone(module, tokens), atol=1e-4)
    assert made.splits >= sum(size > 100 for size in sizes) == 3
    assert {512, 256, 128, 64} <= set(sizes) <= {512, 256, 128, 64, *LENGTHS}


@pytest.mark.parametrize(
    ("family", "backend"), [("Bert", FUSED), ("Bert", PACKED), ("ModernBert", PACKED), ("Bert", PADDED)]
)
def test_work_inside_a_batch_is_told_layer_by_layer(family, backend):
    made = encoder(make(family), budget=4096, backend=backend)
    tokens = made_up([9, 3])
    told = []
    made.logits(tokens, made.plan(tokens), tick=lambda *progress: told.append(progress))
    assert told == [("computing logits", 0, 2)] * 3 + [("computing logits", 2, 2)]


@pytest.mark.parametrize("family", ["Bert", "ModernBert", "MPNet"])
@pytest.mark.parametrize("lengths", [[7, 0, 3, 12], [0], [0, 0, 5], [30, 1, 0]])
def test_a_row_without_tokens_disturbs_no_other_and_is_the_same_anywhere(modules, family, lengths):
    tokens = made_up(lengths)
    made = encoder(modules[family], budget=4096)
    logits = made.logits(tokens, made.plan(tokens))
    there = np.flatnonzero(lengths)
    if there.size:
        np.testing.assert_allclose(logits[there], alone(modules[family], chosen(tokens, there)), atol=1e-4)
    empty = lengths.index(0)
    np.testing.assert_allclose(logits[empty], made.exact_logits(tokens, empty), atol=1e-4)


@pytest.mark.parametrize(
    ("family", "backend"), [("Bert", FUSED), ("Bert", PACKED), ("Roberta", FUSED), ("Bert", PADDED)]
)
def test_operations_are_those_that_pytorch_counts(family, backend, monkeypatch):
    monkeypatch.setattr("engine.compute.layers.linear._pointwise", None)
    made = encoder(make(family, hidden_size=64, intermediate_size=256), budget=4096, backend=backend)
    tokens = made_up([64] * 8)
    # With gradients, and by plain matrix products: it knows no others.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        made._forward(tokens, np.arange(8))
    assert made.flops(tokens) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_operations_of_rows_are_added_up(modules):
    made = encoder(modules["Bert"], budget=64)
    one, other, both = (made.flops(made_up(lengths)) for lengths in ([9], [30, 4], [4, 9, 30]))
    assert both == pytest.approx(one + other)


@pytest.mark.parametrize(("family", "computed"), [("Bert", 51), ("ModernBert", 51), ("MPNet", 60 + 1)])
def test_computed_tokens_are_real_ones_where_rows_are_packed(modules, family, computed):
    made = encoder(modules[family], budget=60)
    tokens = made_up([20, 15, 15, 1])
    batches = made.plan(tokens)
    assert made.computed_tokens(tokens, batches) == computed


@pytest.mark.parametrize(
    ("rows", "computed"),
    [
        ([15], 15),
        ([31, 2], 34),  # up to a sixteenth more
        ([100], 100),
        ([90, 11], 104),
        ([485, 485], 992),
        ([500, 499], 1000),  # no more than the budget
        ([1001], 1001),  # but for a row that is longer
    ],
)
def test_batches_in_bf16_have_few_sizes_on_a_cpu(modules, rows, computed):
    module = copy.deepcopy(modules["Bert"]).bfloat16()
    forward = PackedForward(module, make_layers=fused_layers, bf16_attention=True, budget=1000, longest=64)
    lengths = np.array(rows)
    assert forward.computed_tokens([np.arange(len(rows))], lengths) == computed
    assert forward.plan(lengths)[0].tolist() == list(range(len(rows)))


@pytest.mark.parametrize(("bf16_attention", "sizes"), [("flash", 10), (None, 19)])
def test_products_on_a_cpu_have_few_shapes(modules, bf16_attention, sizes):
    """Of all tokens, and of the first ones."""
    module = copy.deepcopy(modules["Bert"]).bfloat16() if bf16_attention else modules["Bert"]
    forward = PackedForward(module, make_layers=fused_layers, bf16_attention=bf16_attention, budget=1000, longest=64)
    shapes = []
    forward._packed = lambda batch, _: (
        shapes.append((len(batch.ids), len(batch.firsts))) or torch.zeros(len(batch.firsts), 2)
    )
    tokens = made_up(np.random.default_rng(0).integers(1, 64, 2_000))
    batches = [batch[: max(1, len(batch) - number % 5)] for number, batch in enumerate(forward.plan(tokens.lengths))]
    assert [len(forward(tokens, batch)) for batch in batches] == [*map(len, batches)], "what fills up has no logits"
    assert len({len(batch) for batch in batches}) > 20
    large = {tokens for tokens, _ in shapes if tokens > 500}
    assert len(large) <= sizes < len({int(tokens.lengths[batch].sum()) for batch in batches})
    fours = {step * number for step in (8, 16, 32) for number in range(4, 8)}  # of each octave
    assert {rows for _, rows in shapes} <= {8, 16, 24, *fours}
    assert max(large) <= 1000


def test_what_fills_a_batch_in_bf16_up_changes_no_row(modules):
    module = copy.deepcopy(modules["Bert"])
    forward = PackedForward(module, make_layers=fused_layers, bf16_attention=True, budget=1000, longest=64)
    tokens = made_up([40, 37, 33, 20, 3])
    rows = np.arange(5)
    assert forward.computed_tokens([rows], tokens.lengths) == 136 > tokens.lengths.sum()
    with torch.inference_mode():
        np.testing.assert_allclose(forward(tokens, rows), alone(modules["Bert"], tokens), atol=0.02)


def test_busy_seconds_grow_with_every_call(modules):
    made = encoder(modules["Bert"], budget=60)
    tokens = made_up(LENGTHS)
    seen = [made.busy_seconds]
    for _ in range(2):
        made.logits(tokens, made.plan(tokens))
        seen.append(made.busy_seconds)
    assert 0 == seen[0] < seen[1] < seen[2]
