import dataclasses
from pathlib import Path

import pytest
import tiny_models
from huggingface_hub import ModelCard

from engine.evaluation.evaluate import Evaluation
from engine.models.classifier import load_classifier
from engine.models.notes.card_head import base_model, card_body, card_head, licence_of, with_head
from engine.training.loop import LoopConfig
from engine.training.output.model_card import model_card
from engine.training.output.trained import Trained
from engine.training.state import EpochReport

SETTINGS = {
    "gold_sha256": "a" * 64,
    "labels.big": "b" * 64,
    "select": None,
    "weight_sha256": None,
    "loop.seed": 0,
    "classes": ["negative", "positive"],
}
EVALUATION = Evaluation(
    model="out", rows=40, accuracy=0.95, macro_f1=0.94, log_loss=0.2, ece=0.03, f1={}, confusion={},
    rows_per_second=9.0, parameters=5, megabytes=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return tiny_models.save(tmp_path_factory.mktemp("start") / "small")


def trained(start, **changes):
    report = Trained(
        out="runs/student", start=start, procedure="distilled from the label set 'big'",
        classes=["negative", "positive"], rows=1200, max_length=64, loop=LoopConfig(), dtype="fp32",
        epochs=[EpochReport(epoch=1, loss=0.25, rows=1200, seconds=2.0, waited=0.0)], evaluation=EVALUATION,
        evaluated="c" * 64, evaluation_files=["data/test.csv"], teachers=["`teacher` (label set 'big')"],
    )  # fmt: skip
    return dataclasses.replace(report, **changes)


def card_of(start, **changes):
    report = trained(start, **changes)
    return ModelCard(model_card(load_classifier(start), report, sources=["reviews.store"], settings=SETTINGS))


def test_the_head_is_what_a_hub_reads(start):
    (Path(start) / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: en\nbase_model: nobody/big\n---\n# Big")
    data = card_of(start).data
    assert (data.license, data.base_model, data.pipeline_tag) == ("apache-2.0", "nobody/big", "text-classification")
    assert data.language is None, "what it was trained on is not what its start was"
    assert "knowledge-distillation" in data.tags
    results = {one.metric_type: (one.metric_value, one.dataset_name) for one in data.eval_results}
    assert results == {"accuracy": (0.95, "40 rows of test.csv"), "f1": (0.94, "40 rows of test.csv")}


def test_the_body_has_teacher_data_and_limits(start):
    text = card_of(start).text
    assert "| teacher | `teacher` (label set 'big') |" in text
    for name, value in (("gold_sha256", "a"), ("labels.big", "b"), ("evaluation rows", "c")):
        assert f"| {name} | {value * 64} |" in text
    assert "loop.seed" not in text
    assert "Texts are cut at 64 tokens." in text
    assert "mistakes of its teacher" in text


def test_what_is_not_known_is_said_and_not_made_up(start):
    (Path(start) / "README.md").unlink(missing_ok=True)
    card = card_of(start, teachers=[], evaluation=None, evaluated=None, evaluation_files=[])
    assert (card.data.license, card.data.base_model, card.data.eval_results) == (None, None, None)
    assert "names no licence" in card.text
    assert "It was not evaluated" in card.text
    assert "its teacher" not in card.text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("google/electra-small-discriminator#layers=1,3", "google/electra-small-discriminator"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("config.json", None),
        ("./not/here", None),
    ],
)
def test_a_base_model_is_one_of_a_hub(source, expected, tmp_path):
    assert base_model(source, tmp_path) == expected


@pytest.mark.parametrize("text", ["", "# No head", "---\n[: broken\n---\n# A", "---\n- a list\n---\n# A", "\xff\xfe"])
def test_a_card_that_cannot_be_read_says_nothing(text, tmp_path):
    (tmp_path / "README.md").write_text(text, encoding="latin-1")
    assert card_head(tmp_path) == {}
    assert licence_of(tmp_path) == {}


def test_a_card_is_read_as_it_was_written(tmp_path):
    (tmp_path / "README.md").write_text(with_head({"license": "mit", "base_model": None}, "# A\n\n---\n\nb\n"))
    assert card_head(tmp_path) == {"license": "mit"}
    assert card_body(tmp_path) == "# A\n\n---\n\nb"
    assert card_body(tmp_path / "nowhere") == ""
