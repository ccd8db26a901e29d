"""Labels of a store are what transformers gives for each text alone, for models that batches are hard for."""

import csv

import numpy as np
import pytest
from transformers import AutoTokenizer

import engine
import store
from engine.labelling.planning.choices import Choices
from engine.testing.architecture_list import ARCHITECTURES
from engine.testing.architectures import texts
from engine.testing.models_table import MAX_LENGTH, one_by_one

BY_TITLE = {architecture.title: architecture for architecture in ARCHITECTURES}


@pytest.mark.parametrize(
    "title",
    [
        "Llama, no padding token, ends with eos",
        "Bart, numbered as KoBART",
        "MobileBert",
        "BigBird, sparse attention",
        "Bert, text of token type 1",
    ],
)
def test_stored_logits_are_those_of_transformers(tmp_path, title):
    teacher, file = tmp_path / "teacher", tmp_path / "reviews.csv"
    BY_TITLE[title].save(teacher)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([["id", "text"], *enumerate(texts())])
    config = engine.LabelConfig(
        store=str(tmp_path / "store"), teacher=str(teacher), inputs=(str(file),), devices=("cpu",), shards=2,
        choices=Choices(max_length=MAX_LENGTH),
    )  # fmt: skip
    assert engine.label(config).largest_difference < 2e-3
    columns = store.open(tmp_path / "store").sql("SELECT logits, n_tokens FROM labels ORDER BY row").to_pydict()
    expected = one_by_one(teacher)
    off = np.abs(np.array(columns["logits"]) - expected) - (1e-4 + 5e-4 * np.abs(expected))
    assert off.max() <= 0
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    assert columns["n_tokens"] == [
        len(tokenizer(text, truncation=True, max_length=MAX_LENGTH)["input_ids"]) for text in texts()
    ]
