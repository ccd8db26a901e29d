"""Which dtype a label run computes in, if the user leaves it open."""

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import engine
import engine.compute.device
import engine.compute.torch_backends
import engine.labelling.dtype_choice as dtype_choice
import store
from engine.compute.cpu.int8 import int8_problem
from engine.compute.encoder import Encoder
from engine.errors import ModelError
from engine.labelling.dtype_choice import Trial, best_dtype, choose_dtype, pilot_texts, try_dtypes
from engine.models.classifier import load_classifier
from store.errors import MismatchError
from store.families.label_card import label_card

CPU = torch.device("cpu")


def trial(speed, *, flips=0, is_within=True):
    return Trial(rows_per_second=speed, flips=flips, largest_difference=0.1, is_within=is_within)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, "fp32"),
        ({"bf16": trial(10)}, "fp32"),  # ten times slower, as without the instructions
        ({"bf16": trial(109)}, "fp32"),
        ({"bf16": trial(150), "int8": trial(200)}, "int8"),
        ({"bf16": trial(150), "int8": trial(200, flips=5)}, "int8"),
        ({"bf16": trial(150), "int8": trial(200, flips=6)}, "bf16"),
        ({"bf16": trial(150, is_within=False), "int8": trial(200, flips=6)}, "fp32"),
    ],
)
def test_the_fastest_is_taken_whose_logits_are_nearly_those_of_fp32(others, expected):
    assert best_dtype({"fp32": trial(100), **others}, rows=1000) == expected


def test_each_dtype_is_tried_on_the_same_rows(demo, monkeypatch):
    monkeypatch.setattr(dtype_choice, "_GIVEN_UP", float("inf"))
    model = load_classifier(demo.path("teacher"))
    texts = pq.read_table(demo.path("gold.parquet")).column("text").to_pylist()[:40]
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    trials = try_dtypes(model, CPU, model.encoding(64).encode(texts), longest=64)
    assert [*trials] == ["fp32", *(["int8"] if int8_problem() is None else []), "bf16"]
    assert (trials["fp32"].flips, trials["fp32"].largest_difference) == (0, 0)
    for dtype in ("int8", "bf16"):
        if dtype in trials:
            assert 0 < trials[dtype].largest_difference < 1
            assert trials[dtype].is_within
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.module.state_dict().items())


@pytest.mark.parametrize(
    ("lacking", "times", "looked_at", "tried"),
    [(True, 4.0, [2, 16], False), (True, 2.0, [2, 16], True), (False, 4.0, [2], True)],
)
def test_a_dtype_that_the_processor_lacks_is_given_up_after_a_few_rows(
    demo, monkeypatch, caplog, lacking, times, looked_at, tried
):
    monkeypatch.setattr(dtype_choice, "lacks", lambda dtype: lacking and dtype == "bf16")
    caplog.set_level("INFO", logger="engine.labelling")
    now, computed = [0.0], []
    logits = Encoder.logits

    class Clock:
        perf_counter = staticmethod(lambda: now[0])

    def counting(self, tokens, plan, **others):
        now[0] += len(tokens.lengths) * (times if self.dtype == "bf16" else 1.0)
        computed.append((self.dtype, len(tokens.lengths)))
        return logits(self, tokens, plan, **others)

    monkeypatch.setattr(dtype_choice, "time", Clock)
    monkeypatch.setattr(Encoder, "logits", counting)
    model = load_classifier(demo.path("teacher"))
    texts = pq.read_table(demo.path("gold.parquet")).column("text").to_pylist()[:40]
    trials = try_dtypes(model, CPU, model.encoding(64).encode(texts), longest=64)
    assert ("bf16" in trials) == tried
    assert trials["fp32"].rows_per_second == 1
    assert [rows for dtype, rows in computed if dtype == "bf16"] == looked_at + [10] * 4 * tried
    assert [rows for dtype, rows in computed if dtype == "fp32"] == looked_at + [10] * 4
    assert ("bf16 is given up: 16 rows take 64 s, and 16 s in fp32" in caplog.text) == (not tried)


def test_nothing_is_tried_without_texts_or_on_a_gpu(demo, monkeypatch):
    model = load_classifier(demo.path("teacher"))
    monkeypatch.setattr(dtype_choice, "try_dtypes", lambda *_, **__: pytest.fail("tried"))
    assert choose_dtype(model, CPU, (), max_length=64, threads=1) == "fp32"
    assert choose_dtype(model, torch.device("cuda"), ("a",), max_length=64, threads=1) == "fp16"


@pytest.fixture
def small_pilot(monkeypatch):
    monkeypatch.setattr(dtype_choice, "PILOT_ROWS", 32)
    monkeypatch.setattr(dtype_choice, "LEAST_ROWS", 300)


def test_the_pilot_is_drawn_from_all_shards_of_a_corpus_that_is_large_enough(demo, monkeypatch, small_pilot):
    made = store.open(demo.path("reviews.store"))
    texts = pilot_texts(made)
    everything = made.sql("SELECT text FROM corpus ORDER BY row").column(0).to_pylist()
    places = [everything.index(text) for text in texts]
    assert len(texts) == 32
    assert places == sorted(places)
    assert {made.layout.shards_of(pa.array(places).to_numpy())[n] for n in range(32)} == {0, 1, 2, 3}
    monkeypatch.setattr(dtype_choice, "LEAST_ROWS", demo.rows + 1)
    assert pilot_texts(made) == ()


def test_a_run_freezes_the_dtype_that_was_best_and_later_runs_keep_it(demo, tmp_path, monkeypatch, caplog, small_pilot):
    caplog.set_level("INFO", logger="engine.labelling")
    chosen = dict.fromkeys(("fp32", "bf16"), trial(1)) | {"bf16": trial(2)}
    calls = []
    monkeypatch.setattr(dtype_choice, "try_dtypes", lambda *_, **__: calls.append(1) or chosen)
    place = str(tmp_path / "store")
    config = engine.LabelConfig(
        store=place, teacher=demo.path("teacher"), inputs=(demo.path("gold.parquet"),), shards=2
    )
    first = engine.label(dataclasses.replace(config, worker=(0, 2)))
    second = engine.label(dataclasses.replace(config, inputs=(), shards=None))
    assert (first.dtype, second.dtype, len(calls)) == ("bf16", "bf16", 1)
    assert label_card(store.open(place).label_set("teacher")).dtype == "bf16"
    assert "dtypes, tried on 32 rows: fp32 1 rows/s, bf16 2 rows/s (0 flips, off by 0.1 at most); bf16 is taken" in (
        caplog.text
    )


@pytest.fixture
def without_bf16(monkeypatch):
    """A processor that lacks it, of which nothing was said yet."""
    monkeypatch.setattr(engine.compute.device, "lacks", lambda dtype: dtype == "bf16")
    monkeypatch.setattr(engine.compute.device, "_warned_of", set())


def warnings_in(caplog):
    found = [record.message.partition("alone takes 5 to 13 times as long). ")[2] for record in caplog.records]
    caplog.clear()
    return [remedy for remedy in found if remedy]


@pytest.mark.usefixtures("without_bf16")
@pytest.mark.parametrize("devices", [("cpu",), ("cpu", "cpu")])
def test_a_dtype_that_the_processor_lacks_is_warned_of_once_with_what_helps(
    demo, tmp_path, monkeypatch, caplog, devices
):
    config = engine.LabelConfig(
        store=str(tmp_path / "store"),
        teacher=demo.path("teacher"),
        inputs=(demo.path("gold.parquet"),),
        shards=2,
        devices=devices,
        choices=engine.Choices(dtype="bf16"),
    )
    keeps = "The label set keeps it; --dtype auto takes what is fastest, under another --name"
    engine.label(dataclasses.replace(config, worker=(0, 2)))
    assert warnings_in(caplog) == [keeps]
    resumed = dataclasses.replace(config, inputs=(), shards=None, choices=engine.Choices())
    monkeypatch.setattr(engine.compute.device, "_warned_of", set())
    assert engine.label(resumed).dtype == "bf16"
    assert warnings_in(caplog) == [keeps]
    assert engine.label(dataclasses.replace(resumed, name="other")).dtype == "fp32"
    with pytest.raises(MismatchError, match="was begun with dtype fp32"):
        engine.label(dataclasses.replace(config, inputs=(), shards=None, name="other"))
    assert warnings_in(caplog) == []


@pytest.mark.usefixtures("without_bf16")
def test_predictions_in_it_are_warned_of_too(demo, tmp_path, monkeypatch, caplog):
    config = engine.PredictConfig(
        model=demo.path("teacher"), inputs=(demo.path("gold.parquet"),), out=str(tmp_path / "answers.csv")
    )
    engine.predict(config)
    engine.load(demo.path("teacher"))
    assert warnings_in(caplog) == []
    engine.predict(dataclasses.replace(config, choices=engine.Choices(dtype="bf16")))
    assert warnings_in(caplog) == ["Leave --dtype out"]
    monkeypatch.setattr(engine.compute.device, "_warned_of", set())
    engine.load(demo.path("teacher"), dtype="bf16")
    assert warnings_in(caplog) == ["Leave dtype out"]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (engine.Choices(dtype="int8"), "no VNNI here.*Name another --dtype"),
        (engine.Choices(backend="int8-static"), "does not compute in fp32"),
        (engine.Choices(backend="none"), "there is no backend 'none'"),
    ],
)
def test_arithmetic_that_cannot_be_had_is_refused_before_a_text_is_read(demo, tmp_path, monkeypatch, choices, words):
    monkeypatch.setattr(engine.compute.torch_backends, "int8_problem", lambda: "no VNNI here")
    monkeypatch.setattr(engine.compute.torch_backends, "has_bf16", lambda: False)
    place, inputs = tmp_path / "store", (demo.path("gold.parquet"),)
    with pytest.raises(ModelError, match=words):
        engine.label(
            engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), inputs=inputs, shards=2, choices=choices)
        )
    answers = tmp_path / "answers.csv"
    with pytest.raises(ModelError, match=words):
        engine.predict(
            engine.PredictConfig(model=demo.path("teacher"), inputs=inputs, out=str(answers), choices=choices)
        )
    assert not place.exists()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".arrow", ".parquet")]


@pytest.mark.skipif(int8_problem() is not None, reason=str(int8_problem()))
def test_a_store_in_int8_is_checked_against_fp32_and_resumes_to_the_same_bytes(demo, tmp_path):
    def label(place, **changes):
        inputs = (demo.path("gold.parquet"),) if not place.exists() else ()
        choices = engine.Choices(dtype="int8")
        return engine.label(
            engine.LabelConfig(
                store=str(place),
                teacher=demo.path("teacher"),
                inputs=inputs,
                shards=2 if inputs else None,
                choices=choices,
                **changes,
            )
        )

    whole = label(tmp_path / "whole")
    assert (whole.dtype, whole.flips) == ("int8", 0)
    assert whole.checked > 0
    assert 0 < whole.largest_difference < 0.5
    label(tmp_path / "halves", worker=(1, 2))
    label(tmp_path / "halves")
    shards = [sorted((tmp_path / name).glob("labels/*/0*.arrow")) for name in ("whole", "halves")]
    assert [path.read_bytes() for path in shards[0]] == [path.read_bytes() for path in shards[1]]
