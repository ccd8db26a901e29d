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
    monkeypatch.setattr(dtype_choice, "_HOPELESS", float("inf"))
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


def test_a_dtype_that_is_hopeless_is_given_up_after_a_few_rows(demo, monkeypatch, caplog):
    """As bf16 where it is not an instruction of the processor."""
    caplog.set_level("INFO", logger="engine.labelling")
    now, computed = [0.0], []
    logits = Encoder.logits

    class Clock:
        perf_counter = staticmethod(lambda: now[0])

    def counting(self, tokens, plan, **others):
        now[0] += len(tokens.lengths) * (4.0 if self.dtype == "bf16" else 1.0)
        computed.append((self.dtype, len(tokens.lengths)))
        return logits(self, tokens, plan, **others)

    monkeypatch.setattr(dtype_choice, "time", Clock)
    monkeypatch.setattr(Encoder, "logits", counting)
    model = load_classifier(demo.path("teacher"))
    texts = pq.read_table(demo.path("gold.parquet")).column("text").to_pylist()[:40]
    trials = try_dtypes(model, CPU, model.encoding(64).encode(texts), longest=64)
    assert [*trials] == ["fp32", *(["int8"] if int8_problem() is None else [])]
    assert trials["fp32"].rows_per_second == 1
    assert [rows for dtype, rows in computed if dtype == "bf16"] == [16, 16]
    assert sum(rows for dtype, rows in computed if dtype == "fp32") == 16 + 16 + 40
    assert "bf16 is given up: 16 rows take 64 s, and 16 s in fp32" in caplog.text


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


@pytest.mark.parametrize("lacking", [True, False])
def test_a_dtype_that_the_processor_has_to_convert_is_warned_of_with_what_helps(
    demo, tmp_path, monkeypatch, caplog, lacking
):
    monkeypatch.setattr(engine.compute.device, "lacks", lambda dtype: lacking and dtype == "bf16")
    place, inputs = str(tmp_path / "store"), (demo.path("gold.parquet"),)
    config = engine.LabelConfig(
        store=place, teacher=demo.path("teacher"), inputs=inputs, shards=2, choices=engine.Choices(dtype="bf16")
    )
    engine.label(dataclasses.replace(config, worker=(0, 2)))
    said = "this processor has no products in bf16, and takes several times as long for them as in fp32: "
    assert [record.message for record in caplog.records if "no products" in record.message] == (
        [f"{said}leave --dtype out"] if lacking else []
    )
    caplog.clear()
    engine.label(dataclasses.replace(config, inputs=(), shards=None, choices=engine.Choices()))
    assert [record.message for record in caplog.records if "no products" in record.message] == (
        [f"{said}this label set is in it; --dtype fp32 needs another --name"] if lacking else []
    )


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
