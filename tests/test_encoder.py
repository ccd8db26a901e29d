import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from engine.encoder import DTYPES, Encoder, default_budget, default_dtype
from engine.model import load_classifier

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
