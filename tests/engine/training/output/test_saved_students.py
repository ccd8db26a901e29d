"""What a training saves, used without a word about it: at its length, by us and by transformers."""

import json

import numpy as np
import pytest
import transformers
from tiny_models import save, texts

import engine
from engine.models.classifier import load_classifier
from engine.training.loop import LoopConfig

ROWS = texts(32, words=(2, 10, 50))
LABELS = ["negative", "positive"] * 16


@pytest.fixture
def gold(tmp_path):
    file = tmp_path / "gold.csv"
    file.write_text(
        "text,label\n" + "".join(f"{text},{label}\n" for text, label in zip(ROWS, LABELS, strict=True)),
        encoding="utf-8",
    )
    return (str(file),)


def test_a_student_is_judged_at_the_length_of_its_training(tmp_path, gold):
    out, loop = str(tmp_path / "out"), LoopConfig(epochs=1, batch_size=16, learning_rate=1e-3)
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=gold),
        model=save(tmp_path / "start"),
        out=out,
        max_length=12,
        loop=loop,
        evaluation=gold,
    )
    trained = engine.finetune(config)
    assert json.loads((tmp_path / "out/training.json").read_text("utf-8"))["max_length"] == 12
    judged = engine.evaluate(engine.EvalConfig(model=out, inputs=gold))
    assert judged.log_loss == pytest.approx(trained.evaluation.log_loss, abs=1e-5)
    longer = engine.evaluate(engine.EvalConfig(model=out, inputs=gold, max_length=64))
    assert longer.log_loss != pytest.approx(judged.log_loss, abs=1e-4)
    classes = load_classifier(out).classes
    pipe = transformers.pipeline("text-classification", model=out)
    answers = pipe(ROWS, truncation=True, batch_size=8)
    assert np.mean([answer["label"] == label for answer, label in zip(answers, LABELS, strict=True)]) == pytest.approx(
        judged.accuracy, abs=1e-5
    )
    assert {answer["label"] for answer in answers} <= set(classes)


def test_a_teacher_labels_at_the_length_of_its_training(tmp_path, gold):
    save(tmp_path / "teacher")
    (tmp_path / "teacher/training.json").write_text(json.dumps({"max_length": 12}))
    place = str(tmp_path / "s")
    engine.label(engine.LabelConfig(store=place, teacher=str(tmp_path / "teacher"), inputs=gold))
    assert engine.label(engine.LabelConfig(store=place, teacher=str(tmp_path / "teacher"))).shards_done == 0
    import store

    assert store.open(place).label_set("teacher").card()["max_length"] == 12
