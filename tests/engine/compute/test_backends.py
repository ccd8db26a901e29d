from itertools import permutations

import numpy as np
import pytest
import torch
from families import alone, classifier, encoder, made_up, make, workload

import engine
import store
from engine.compute.backend import Backend, Bound, Forward, Workload
from engine.compute.backends import BACKENDS, backend_named, choose_backend, require_backend
from engine.compute.encoder import Encoder
from engine.compute.forward import padded_logits
from engine.compute.torch_backends import (
    BF16,
    BF16_FLASH,
    COMPILED,
    FP8,
    FP8_COMPILED,
    FUSED,
    INT8,
    INT8_BF16,
    INT8_FLASH,
    PACKED,
    PADDED,
    TOKENS_TO_COMPILE,
)
from engine.errors import LabellingError, ModelError
from engine.labelling.job import labeller_of
from engine.labelling.planning.choices import Choices
from engine.labelling.shard import label_shard
from store.errors import MismatchError


class ReversedForward(Forward):
    """Rows of a batch from the last to the first, padded, in another dtype and off by a constant."""

    def __init__(self, module, *, budget, off):
        super().__init__(budget=budget)
        self._module = module
        self._off = off

    def __call__(self, tokens, rows):
        return padded_logits(self._module, tokens, rows[::-1]).flip(0) + self._off


class ReversedBackend(Backend):
    """A backend as another library would bring one: a class, and a line in the registry."""

    name = "reversed"

    def __init__(self, *, longest=512, off=0.0, precision="high", wanted=False):
        self.bounds = {"fp32": Bound(1e-2, 0)}
        self._longest = longest
        self._off = off
        self._precision = precision
        self._wanted = wanted

    def unsupported(self, module, workload):
        if workload.longest > self._longest:
            return f"it takes rows of {self._longest} tokens at most, and the longest has {workload.longest}"
        return None

    def is_worthwhile(self, workload):
        return self._wanted

    def make(self, module, *, budget, longest):
        return ReversedForward(module, budget=budget, off=self._off)

    def card_fields(self):
        return {"path": self.name, "precision": self._precision}


@pytest.fixture
def register(monkeypatch):
    """Registers a backend as the fastest of all."""

    def register(backend):
        others = {name: other for name, other in BACKENDS.items() if name != backend.name}
        BACKENDS.clear()
        BACKENDS.update({backend.name: backend, **others})
        return backend

    before = dict(BACKENDS)
    yield register
    BACKENDS.clear()
    BACKENDS.update(before)


def label(demo, place, **choices):
    config = {"teacher": demo.path("teacher"), "inputs": (demo.path("gold.parquet"),), "devices": ("cpu",)}
    more = {} if place.exists() else {"shards": 2}
    return engine.label(engine.LabelConfig(store=str(place), choices=Choices(**choices), **config, **more))


def test_the_backends_have_the_names_that_cards_hold():
    assert [*BACKENDS] == [
        "int8-static-flash",
        "int8-static-bf16",
        "int8-static",
        "fp8-compiled",
        "fp8",
        "bf16-flash",
        "bf16",
        "compiled",
        "fused",
        "packed",
        "padded",
    ]
    assert [backend_named(name) for name in BACKENDS] == [
        INT8_FLASH,
        INT8_BF16,
        INT8,
        FP8_COMPILED,
        FP8,
        BF16_FLASH,
        BF16,
        COMPILED,
        FUSED,
        PACKED,
        PADDED,
    ]
    with pytest.raises(
        ModelError,
        match="no backend 'onnx' in this version; it has int8-static-flash, int8-static-bf16, int8-static, fp8-compiled, fp8, bf16-flash, bf16, compiled, fused, packed, padded",
    ):
        backend_named("onnx")


@pytest.mark.parametrize(
    ("device", "dtype", "tokens", "expected"),
    [
        ("cuda", "fp16", TOKENS_TO_COMPILE, COMPILED),
        ("cuda", "fp16", TOKENS_TO_COMPILE - 1, FUSED),
        ("cuda", "fp32", TOKENS_TO_COMPILE, FUSED),
        ("cpu", "fp16", TOKENS_TO_COMPILE, FUSED),
    ],
)
def test_compiling_has_to_be_worthwhile(monkeypatch, device, dtype, tokens, expected):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    much = Workload(longest=64, device=torch.device(device), dtype=dtype, tokens=tokens)
    assert choose_backend(make("Bert"), much) == expected
    assert choose_backend(make("Bert"), much, preferred="compiled") == COMPILED, "a card or a user may ask for it"


def test_training_has_backends_that_give_gradients(register):
    register(ReversedBackend(wanted=True))
    assert choose_backend(make("Bert"), workload()).name == "reversed"
    training = Workload(longest=64, device=torch.device("cpu"), training=True)
    assert choose_backend(make("Bert"), training, preferred="compiled") == FUSED
    assert [backend.name for backend in BACKENDS.values() if backend.can_train] == ["fused", "packed", "padded"]


def test_only_what_is_compiled_and_its_twin_may_replace_each_other():
    pairs = {(one.name, other.name) for one in BACKENDS.values() for other in BACKENDS.values()
             if one is not other and one.can_replace(other)}  # fmt: skip
    assert pairs == {*permutations(["compiled", "fused"]), *permutations(["fp8-compiled", "fp8"])}


def test_a_preferred_backend_that_is_unknown_or_does_not_fit_is_passed_over(register):
    register(ReversedBackend(longest=64))
    assert choose_backend(make("Bert"), workload(), preferred="reversed") == FUSED
    assert choose_backend(make("Bert"), workload(), preferred="onnx") == FUSED
    assert choose_backend(make("Bert"), workload(64), preferred="reversed").name == "reversed"


def test_a_backend_that_the_user_names_says_why_it_does_not_fit(register):
    register(ReversedBackend(longest=64))
    with pytest.raises(
        ModelError, match="'reversed' cannot compute Bert.*: it takes rows of 64 tokens at most, .* 512"
    ):
        require_backend("reversed", make("Bert"), workload())
    with pytest.raises(ModelError, match="'fused' cannot compute ModernBert.*: its layers do not take packed rows"):
        require_backend("fused", make("ModernBert"), workload())


@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_another_backend_has_the_batches_splits_and_order_of_an_encoder(budget):
    module, tokens = make("Bert"), made_up([9, 30, 30, 3, 12] * 3)
    made = encoder(module, budget=budget, backend=ReversedBackend())
    np.testing.assert_allclose(made.logits(tokens, made.plan(tokens)), alone(module, tokens), atol=1e-4)
    assert (made.path, made.bound, made.splits) == ("reversed", Bound(1e-2, 0), 0)


def test_memory_that_runs_out_in_another_backend_splits_its_batches():
    module, tokens = make("Bert"), made_up([9, 30, 30, 3, 12] * 3)
    made = encoder(module, budget=4096, backend=ReversedBackend())
    whole = made._forward._module.forward

    def small(input_ids, **others):
        if input_ids.numel() > 64:
            raise torch.OutOfMemoryError("out of memory")
        return whole(input_ids=input_ids, **others)

    made._forward._module.forward = small
    np.testing.assert_allclose(
        made.logits(tokens, made.plan(tokens)), alone(classifier(make("Bert")).module, tokens), atol=1e-4
    )
    assert made.splits > 0


def begun(demo, place):
    """Half of a label set, of the backend `ReversedBackend`."""
    return engine.label(
        engine.LabelConfig(
            store=str(place), teacher=demo.path("teacher"), inputs=(demo.path("gold.parquet"),), shards=2,
            choices=Choices(backend="reversed"), devices=("cpu",), worker=(0, 2),
        )
    )  # fmt: skip


def test_a_label_set_of_another_backend_is_named_in_its_card_and_continued_with_it(demo, tmp_path, register):
    register(ReversedBackend())
    place = tmp_path / "store"
    assert begun(demo, place).checked > 0
    card = store.open(place).label_set("teacher").card()
    assert (card["path"], card["precision"]) == ("reversed", "high")
    register(ReversedBackend(precision="low"))
    with pytest.raises(MismatchError, match="begun with precision high .* this run has low"):
        label(demo, place)
    register(ReversedBackend())
    label(demo, place)
    records = store.open(place).label_set("teacher").records()
    assert [record.computed.get("path") for record in records.values()] == [None, None]
    labeller = labeller_of(store.open(place), "teacher")
    assert labeller.encoder.path == "reversed"
    assert not label_shard(labeller, 0).committed, "the same bytes are there already"
    with pytest.raises(MismatchError, match="begun with path reversed .* this run has fused"):
        label(demo, place, backend="fused")


def test_a_label_set_of_a_backend_that_is_gone_is_refused(demo, tmp_path, register):
    register(ReversedBackend())
    begun(demo, tmp_path / "store")
    del BACKENDS["reversed"]
    with pytest.raises(MismatchError, match="begun with path reversed .* this run has fused"):
        label(demo, tmp_path / "store")


def test_a_label_run_with_a_backend_that_does_not_fit_says_why_and_begins_nothing(demo, tmp_path, register):
    register(ReversedBackend(longest=16))
    with pytest.raises(ModelError, match="'reversed' cannot compute .*: it takes rows of 16 tokens at most"):
        label(demo, tmp_path / "store", backend="reversed")
    assert not (tmp_path / "store").exists(), "no text was read"


@pytest.mark.parametrize(("off", "wrong"), [(5e-3, False), (5e-2, True)])
def test_the_bound_of_a_backend_stops_a_run_whose_logits_are_off(demo, tmp_path, register, off, wrong):
    register(ReversedBackend(off=off))
    if not wrong:
        assert label(demo, tmp_path / "store", backend="reversed").largest_difference > 4e-3
        return
    with pytest.raises(LabellingError, match=r"more than fp32 explains \(0.01 \+ 0·\|x\|\)"):
        label(demo, tmp_path / "store", backend="reversed")
    assert store.open(tmp_path / "store").label_set("teacher").records() == {}


def test_the_encoder_chooses_by_the_registry(register):
    register(ReversedBackend(wanted=True))
    made = Encoder(classifier(make("Bert")), device=torch.device("cpu"), budget=64, longest=64)
    assert made.path == "reversed"


def test_positions_of_the_worked_example():
    from engine.compute.packed_model import PackedModel
    from engine.compute.packing import pack

    ids = np.array([5, 6, 7, 8, 1, 9])
    packed = pack(ids, np.array([0, 3, 6]), np.arange(2))
    assert PackedModel(make("Roberta"))._positions(packed).tolist() == [2, 3, 4, 2, 1, 3]
