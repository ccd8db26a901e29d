from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny_models
import torch

import engine
from engine.errors import InputError, ModelError
from store.families.labels import softmax


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.save(tmp_path_factory.mktemp("model") / "model", tiny_models.bert(3), names=("a", "b", "c"))


def test_it_answers_as_transformers_does(folder):
    texts = tiny_models.texts(20)
    wanted = softmax(tiny_models.logits_alone(folder, texts))
    loaded = engine.load(folder)
    found = loaded.predict(texts)
    assert loaded.classes == ["a", "b", "c"]
    assert found.classes == ["abc"[number] for number in wanted.argmax(axis=1)]
    assert found.probabilities == pytest.approx(wanted, abs=1e-5)
    assert found.confidence == pytest.approx(wanted.max(axis=1), abs=1e-5)
    assert len(found) == 20


def test_one_and_none(folder):
    loaded = engine.load(folder)
    assert len(loaded.predict(["good"])) == 1
    nothing = loaded.predict([])
    assert (len(nothing), nothing.probabilities.shape, nothing.confidence.shape) == (0, (0, 3), (0,))


def test_what_is_no_list_of_texts_is_refused(folder):
    loaded = engine.load(folder)
    with pytest.raises(InputError, match="put it into a list"):
        loaded.predict("good")
    with pytest.raises(InputError, match="text 1 is NoneType"):
        loaded.predict(["good", None])


def test_threads_may_ask_side_by_side(folder):
    texts, loaded, threads = tiny_models.texts(40), engine.load(folder), torch.get_num_threads()
    wanted = loaded.predict(texts).probabilities
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: loaded.predict([texts[row]]).probabilities[0], range(40)))
    assert np.array(found) == pytest.approx(wanted, abs=1e-6)
    assert torch.get_num_threads() == threads


def test_nothing_finite_is_said(tmp_path):
    bert = tiny_models.bert(2)
    with torch.no_grad():
        bert.classifier.bias[0] = float("inf")
    with pytest.raises(ModelError):
        engine.load(tiny_models.save(tmp_path / "model", bert)).predict(["good"])
