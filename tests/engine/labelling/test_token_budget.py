from types import SimpleNamespace

import click
import pytest
import torch
from click.testing import CliRunner

import engine
import engine.labelling.planning.plan
import engine.labelling.token_budget
import store
from cli.options.computing import Budget
from engine.compute.device import default_budget
from engine.labelling.token_budget import (
    CANDIDATES,
    Conditions,
    CorpusSize,
    choose_budget,
    corpus_size,
    fastest,
    measure_budgets,
)
from engine.models.classifier import load_classifier
from engine.tokens.tokens import made_up_tokens

CPU = torch.device("cpu")


def corpus_of(characters, *, shards=3):
    """The size of a store's corpus, from the characters in its records."""
    records = {shard: SimpleNamespace(statistics={"characters": characters // shards}) for shard in range(shards)}
    return corpus_size(SimpleNamespace(corpus=SimpleNamespace(records=lambda: records)))


@pytest.fixture
def measured(monkeypatch):
    """Which budgets are measured; the one of 1,024 tokens is the fastest."""
    calls = []

    def measure(model, device, conditions, *, candidates, tick):
        calls.append((model, conditions.dtype, candidates))
        return {budget: abs(budget - 1024) + 1.0 for budget in candidates}

    monkeypatch.setattr(engine.labelling.token_budget, "measure_budgets", measure)
    return calls


def test_little_text_is_not_worth_measuring(measured):
    assert choose_budget(corpus_of(1_000_000), None, CPU, Conditions(dtype="fp32")) == default_budget(CPU)
    assert measured == []


def test_where_there_is_much_text_the_fastest_is_taken(measured):
    assert choose_budget(corpus_of(100_000_000), "model", CPU, Conditions(dtype="fp32")) == 1024
    assert measured == [("model", "fp32", CANDIDATES["cpu"])]


def test_measuring_takes_at_most_a_hundredth_of_the_work(measured):
    characters = 6 * 100 * 3 * len(CANDIDATES["cpu"]) * max(CANDIDATES["cpu"])
    assert corpus_of(characters).tokens == characters / 6
    choose_budget(corpus_of(characters - 300), None, CPU, Conditions(dtype="fp32"))
    assert not measured
    choose_budget(corpus_of(characters), None, CPU, Conditions(dtype="fp32"))
    assert measured


def test_of_budgets_that_are_as_good_the_smallest_is_taken():
    assert fastest({512: 1.1, 1024: 1.01, 2048: 1.0, 4096: 1.0}) == 1024
    assert fastest({512: 3.0}) == 512


@pytest.mark.parametrize("size", [1, 100, 5_000])
def test_made_up_tokens_are_about_as_many_as_asked_in_rows_that_fit(size):
    tokens = made_up_tokens(size, longest=128)
    assert len(tokens.ids) == tokens.offsets[-1] == tokens.lengths.sum()
    assert 1 <= tokens.lengths.min() <= tokens.lengths.max() <= 128
    assert abs(len(tokens.ids) - size) <= 128


def test_every_budget_is_measured_and_the_model_left_as_it_was(demo):
    model = load_classifier(demo.path("teacher"))
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    seconds = measure_budgets(model, CPU, Conditions(dtype="fp16"), candidates=(64, 256))
    assert list(seconds) == [64, 256]
    assert all(0 < taken < 60 for taken in seconds.values())
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(
        torch.equal(tensor, after[name]) and tensor.dtype == after[name].dtype for name, tensor in before.items()
    )


def test_budgets_for_which_memory_does_not_suffice_are_left_out(demo, monkeypatch):
    from engine.compute.forward import PackedForward

    whole = PackedForward.__call__

    def small_memory(self, tokens, rows):
        if tokens.lengths[rows].sum() > 150:
            raise torch.OutOfMemoryError("out of memory")
        return whole(self, tokens, rows)

    monkeypatch.setattr(PackedForward, "__call__", small_memory)
    model = load_classifier(demo.path("teacher"))
    assert list(measure_budgets(model, CPU, Conditions(dtype="fp32"), candidates=(128, 512))) == [128]
    assert list(measure_budgets(model, CPU, Conditions(dtype="fp32"), candidates=(300, 512))) == [300]


@pytest.mark.parametrize(("given", "tokens"), [("auto", None), ("4096", 4096), ("1", 1)])
def test_the_option_takes_auto_or_a_number(given, tokens):
    assert Budget().convert(given, None, None) == tokens


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", ""])
def test_the_option_refuses_what_is_no_number_of_tokens(given):
    @click.command()
    @click.option("--tokens-per-batch", type=Budget())
    def command(tokens_per_batch):
        raise AssertionError(tokens_per_batch)

    result = CliRunner().invoke(command, ["--tokens-per-batch", given])
    assert result.exit_code == 2
    assert "give auto, or 1 or more" in result.output


def label(demo, place, **changes):
    config = {"teacher": demo.path("teacher"), "inputs": (demo.path("unlabelled.parquet"),), **changes}
    return engine.label(engine.LabelConfig(store=str(place), **config))


def test_the_budget_that_was_measured_is_frozen_and_not_measured_again(demo, measured, monkeypatch, tmp_path):
    monkeypatch.setattr(engine.labelling.planning.plan, "corpus_size", lambda made: CorpusSize(tokens=1e12))
    label(demo, tmp_path / "a.store", shards=3, worker=(0, 3))
    card = store.open(tmp_path / "a.store").label_set("teacher").card()
    assert card["tokens_per_batch"] == 1024
    assert len(measured) == 1
    label(demo, tmp_path / "a.store", shards=None, worker=(1, 3))
    assert len(measured) == 1
