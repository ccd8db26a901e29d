import copy

import numpy as np
import pytest
import torch
import transformers
from families import FAMILIES, LONGEST, PACKED_FAMILIES, alone, chosen, encoder, made_up, make, workload
from varlen import varlen_attn

import engine.compute.attention
import engine.compute.packed_model
from engine.compute.attention import DeviceRows, on_device
from engine.compute.backends import choose_backend
from engine.compute.layers.fused_layer import FusedLayer, fused_layers
from engine.compute.packed_model import PackedModel, packed_differs
from engine.compute.packing import fill, pack
from engine.compute.torch_backends import FUSED, PACKED, PADDED
from engine.models.batching import Batching

CPU = torch.device("cpu")
LENGTHS = [2, 3, 3, 512, 7, 9, 9, 9, 64, 15, 16, 17, 18, 130, 2, 300, 33, 5, 8, 8]


@pytest.fixture(scope="module")
def modules():
    return {family: make(family) for family in FAMILIES}


@pytest.fixture(scope="module")
def tokens():
    return made_up(LENGTHS)


@pytest.fixture(scope="module")
def expected(modules, tokens):
    return {family: alone(module, tokens) for family, module in modules.items()}


def logits(made, tokens):
    return made.logits(tokens, made.plan(tokens))


def assert_same(ours, theirs):
    assert (np.abs(ours - theirs) <= 1e-4 + 5e-4 * np.abs(theirs)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_probe_finds_the_fastest_way_that_is_the_same(modules, family):
    found = choose_backend(modules[family], workload())
    if family == "DistilBert":  # whether its attention can be replaced depends on the version of transformers
        assert found in (PACKED, PADDED)
    elif family == "ModernBert":
        assert found == PACKED
    else:
        assert found == (FUSED if family in PACKED_FAMILIES else PADDED)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("budget", [17, 700, 4096])
def test_logits_are_those_of_plain_transformers_row_by_row(modules, tokens, expected, family, budget):
    assert_same(logits(encoder(modules[family], budget=budget), tokens), expected[family])


@pytest.mark.parametrize("family", [*PACKED_FAMILIES, "DistilBert"])
def test_packed_rows_through_the_models_own_layers_are_the_same(modules, tokens, expected, family):
    backend = PADDED if PACKED.unsupported(modules[family], workload()) else PACKED
    assert backend == PACKED or family == "DistilBert"
    assert_same(logits(encoder(modules[family], backend=backend), tokens), expected[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_do_not_depend_on_neighbours_or_the_size_of_a_batch(modules, tokens, family):
    whole = logits(encoder(modules[family]), tokens)
    shuffled = np.random.default_rng(1).permutation(len(LENGTHS))
    for rows in (shuffled, shuffled[:7], np.array([3]), np.array([0, 3])):
        for budget in (100, 4096):
            part = logits(encoder(modules[family], budget=budget), chosen(tokens, rows))
            np.testing.assert_allclose(part, whole[rows], atol=1e-4, rtol=0)


def test_the_weights_are_large_enough_for_a_mistake_to_show(modules, tokens, expected):
    for family, module in modules.items():
        other = chosen(tokens, np.arange(len(LENGTHS)))
        last = other.offsets[1:] - 1
        other.ids[last] = other.ids[last] % 200 + 7
        difference = np.abs(alone(module, other) - expected[family]).max(axis=1)
        assert np.median(difference) > 1e-3, family


@pytest.mark.parametrize("family", ["Roberta", "XLMRoberta", "Camembert", "Bert", "ModernBert", "Electra"])
def test_a_text_that_names_the_padding_token_has_the_same_logits(modules, family):
    tokens = made_up([9, 6, 6, 30, 2])
    for place in (2, 5, 6, 11, 24, 40):
        tokens.ids[place] = modules[family].config.pad_token_id
    made = encoder(modules[family])
    assert made.backend != PADDED
    assert_same(logits(made, tokens), alone(modules[family], tokens))


def window_is_ignored(monkeypatch):
    attend = engine.compute.attention.attend
    monkeypatch.setattr(
        engine.compute.attention, "attend", lambda *given, window=None, **others: attend(*given, **others, window=None)
    )


def window_is_one_too_wide(monkeypatch):
    attend = engine.compute.attention.attend
    monkeypatch.setattr(
        engine.compute.attention,
        "attend",
        lambda *given, window=None, **others: attend(*given, **others, window=window and window + 1),
    )


def positions_do_not_restart(monkeypatch):
    monkeypatch.setattr(
        PackedModel, "_positions", lambda model, packing: np.minimum(np.arange(len(packing.ids)), LONGEST - 1)
    )


def positions_begin_one_late(monkeypatch):
    positions = PackedModel._positions
    monkeypatch.setattr(
        PackedModel, "_positions", lambda model, packing: np.minimum(positions(model, packing) + 1, LONGEST - 1)
    )


def the_second_token_is_read(monkeypatch):
    given = engine.compute.packed_model.on_device

    def wrong(*arguments, **options):
        rows = given(*arguments, **options)
        changed = {name: getattr(rows, name) for name in ("bounds", "runs", "longest", "kernel")}
        return DeviceRows(**changed, firsts=rows.firsts + 1)

    monkeypatch.setattr(engine.compute.packed_model, "on_device", wrong)


def rows_attend_to_each_other(monkeypatch):
    pack_ = engine.compute.packed_model.pack

    def wrong(ids, offsets, rows):
        packing = pack_(ids, offsets, rows)
        last = packing.blocks[-1]
        joined = type(last)(begin=packing.blocks[-2].begin, rows=1, length=last.stop - packing.blocks[-2].begin)
        return type(packing)(
            ids=packing.ids, positions=packing.positions, bounds=packing.bounds, rows=packing.rows,
            blocks=(*packing.blocks[:-2], joined),
        )  # fmt: skip

    monkeypatch.setattr(engine.compute.packed_model, "pack", wrong)


@pytest.mark.parametrize(
    ("family", "fault"),
    [
        ("ModernBert", window_is_ignored),
        ("ModernBert", window_is_one_too_wide),
        ("ModernBert", positions_do_not_restart),
        ("ModernBert", the_second_token_is_read),
        ("Bert", positions_do_not_restart),
        ("Bert", positions_begin_one_late),
        ("Bert", the_second_token_is_read),
        ("Roberta", positions_begin_one_late),
        ("Electra", the_second_token_is_read),
        ("Roberta", rows_attend_to_each_other),
        ("ModernBert", rows_attend_to_each_other),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_probe_finds_a_fault(modules, monkeypatch, family, fault):
    assert choose_backend(modules[family], workload()) != PADDED
    fault(monkeypatch)
    assert choose_backend(modules[family], workload()) == PADDED


def test_a_head_that_reads_more_than_the_first_token_falls_back(tokens):
    module = make("ModernBert", classifier_pooling="mean")
    made = encoder(module)
    assert made.backend == PADDED
    assert_same(logits(made, tokens), alone(module, tokens))


def test_a_causal_model_falls_back():
    assert choose_backend(make("Bert", is_decoder=True), workload(64)) == PADDED


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_a_nearly_constant_classifier_hides_no_fault(monkeypatch, size):
    module = make("ModernBert")
    with torch.no_grad():
        module.classifier.weight.mul_(size)
        module.classifier.bias.zero_()
    assert choose_backend(module, workload()) == PACKED
    window_is_ignored(monkeypatch)
    assert choose_backend(module, workload()) == PADDED


def test_a_classifier_that_gives_nan_falls_back():
    module = make("Bert")
    with torch.no_grad():
        module.classifier.bias[0] = float("nan")
    assert choose_backend(module, workload(64)) == PADDED


def test_every_backend_says_what_it_supports(modules):
    assert PACKED.unsupported(modules["Bert"], workload(64)) is None
    assert PADDED.unsupported(modules["Bert"], workload(64)) is None
    assert "do not take packed rows" in FUSED.unsupported(modules["ModernBert"], workload(64))


@pytest.mark.parametrize("longest", [1, 2, 5])
def test_the_probe_takes_models_of_very_short_rows(longest):
    assert choose_backend(make("Bert", max_position_embeddings=longest), workload(longest)) == FUSED


def test_the_probe_draws_no_random_numbers(modules):
    before = torch.random.get_rng_state()
    choose_backend(modules["Bert"], workload(64))
    choose_backend(modules["ModernBert"], workload(64))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("family", PACKED_FAMILIES)
@pytest.mark.parametrize("fused", [False, True])
def test_the_model_itself_stays_as_it_was(family, fused):
    if fused and family == "ModernBert":
        pytest.skip("it has no layers like BERT's")
    module = make(family)
    state, attention = copy.deepcopy(module.state_dict()), module.config._attn_implementation
    parts = [type(part) for part in module.modules()]
    ids = torch.randint(5, 90, (3, 20), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(20) < torch.tensor([[20], [11], [3]])).long()
    with torch.inference_mode():
        before = module(input_ids=ids, attention_mask=mask).logits
        packed = PackedModel(module, make_layers=fused_layers if fused else None)
        batch = pack(np.arange(5, 65), np.array([0, 20, 40, 60]), np.arange(3))
        packed(batch, on_device(batch, CPU, kernel=False))
        after = module(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(before, after)
    assert module.config._attn_implementation == attention != packed.module.config._attn_implementation
    assert [type(part) for part in module.modules()] == parts
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert module.state_dict().keys() == state.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("fused", [False, True])
def test_parameters_are_the_models_own(fused):
    module = make("Bert")
    packed = dict(PackedModel(module, make_layers=fused_layers if fused else None).module.named_parameters())
    own = dict(module.named_parameters())
    assert {"classifier.weight", "bert.embeddings.word_embeddings.weight"} <= packed.keys() <= own.keys()
    assert all(packed[name] is own[name] for name in packed)
    assert fused or packed.keys() == own.keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu_new"},
        {"hidden_act": "relu"},
        {"hidden_act": "gelu_python"},
        {"layer_norm_eps": 0.3},
        {"num_attention_heads": 1},
        {"num_hidden_layers": 1},
        {"intermediate_size": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["Bert", "Roberta", "Electra"])
def test_fused_layers_follow_the_configuration(tokens, family, changes):
    module = make(family, **changes)
    made = encoder(module, budget=700)
    assert made.backend == FUSED
    assert_same(logits(made, tokens), alone(module, tokens))


def test_layers_of_another_kind_are_not_fused(modules):
    with pytest.raises(AttributeError):
        PackedModel(modules["ModernBert"], make_layers=fused_layers)
    with pytest.raises(LookupError, match="no single stack"):
        PackedModel(modules["Albert"])


@pytest.mark.parametrize("first_only", [False, True])
def test_a_fused_layer_is_the_layer(modules, first_only):
    layer = modules["Bert"].bert.encoder.layer[0]
    batch = pack(np.zeros(14, np.int64), np.array([0, 6, 10, 14]), np.arange(3))
    hidden = torch.randn(1, 14, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = FusedLayer(layer, first_only=first_only)(hidden, packed_rows=on_device(batch, CPU, kernel=False))
        rows = [layer(hidden[:, begin:stop]) for begin, stop in ((0, 6), (6, 10), (10, 14))]
    rows = [row if isinstance(row, torch.Tensor) else row[0] for row in rows]
    expected = torch.cat([row[:, 0] for row in rows])[:, None] if first_only else torch.cat(rows, dim=1)
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-5)


@pytest.fixture
def kernel(monkeypatch):
    """A GPU's kernel on the CPU; (tokens, longest row) of the batches that it is given."""
    shapes = []

    def seen(query, key, value, bounds, key_bounds, longest, longest_key, **options):
        shapes.append((len(key), longest_key))
        return varlen_attn(query, key, value, bounds, key_bounds, longest, longest_key, **options)

    monkeypatch.setattr("engine.compute.forward.has_kernel", lambda device, dtype: True)
    monkeypatch.setattr("engine.compute.attention.varlen_attn", seen)
    return shapes


@pytest.mark.parametrize("family", PACKED_FAMILIES)
@pytest.mark.parametrize("budget", [100, 1200])
def test_the_kernels_batches_have_one_shape_and_the_same_logits(modules, tokens, expected, kernel, family, budget):
    made = encoder(modules[family], budget=budget)
    batches = made.plan(tokens)
    assert_same(made.logits(tokens, batches), expected[family])
    alone_or_long = {int(tokens.lengths[batch].sum()) for batch in batches if len(batch) == 1}
    assert {shape[0] for shape in kernel} <= {budget} | alone_or_long
    assert len({shape for shape in kernel if shape[0] == budget}) == 1


def test_what_the_kernel_leaves_undefined_reaches_no_row(modules, tokens, kernel):
    ours = torch.from_numpy(logits(encoder(modules["Bert"]), chosen(tokens, np.array([0, 1, 2]))))
    assert torch.isfinite(ours).all()
    packing = fill(pack(tokens.ids, tokens.offsets, np.arange(3)), tokens=64, rows=9)
    with torch.inference_mode():
        whole = PackedModel(modules["Bert"], make_layers=fused_layers)(
            packing, on_device(packing, CPU, kernel=True, longest=64)
        )
    assert not torch.isfinite(whole[3:]).any()
    torch.testing.assert_close(whole[:3], ours)


def test_a_model_that_scales_a_batch_by_its_mask_tokens_is_not_packed():
    """One row with a mask would change the others of its batch, and rows without one show nothing."""
    config = transformers.EsmConfig(
        vocab_size=3000, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, pad_token_id=0,
        mask_token_id=4, position_embedding_type="rotary", max_position_embeddings=128, token_dropout=True,
    )  # fmt: skip
    module = transformers.EsmForSequenceClassification(config).eval()
    module.batching = Batching(pad_id=0, knows_padding=True)
    assert "differ from those of rows alone" in (packed_differs(module, 100, fused=False) or "")
    config.token_dropout = False
    module = transformers.EsmForSequenceClassification(config).eval()
    module.batching = Batching(pad_id=0, knows_padding=True)
    assert packed_differs(module, 100, fused=False) is None
