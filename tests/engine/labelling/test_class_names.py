"""Names of a teacher's classes that differ from the store's, or from ``--classes``, in case alone are the same."""

import numpy as np
import pytest
from tiny_models import bert, logits_alone, save, texts

import engine
import store
from engine.errors import ModelError
from store.errors import MismatchError

ROWS = texts(12)


@pytest.fixture
def inputs(tmp_path):
    file = tmp_path / "in.csv"
    file.write_text("text\n" + "".join(f"{text}\n" for text in ROWS), encoding="utf-8")
    return (str(file),)


def label(tmp_path, inputs, teacher, **options):
    return engine.label(engine.LabelConfig(store=str(tmp_path / "s"), teacher=teacher, inputs=inputs, **options))


def logits(tmp_path, name):
    answer = store.open(tmp_path / "s").sql(f"SELECT logits FROM labels WHERE label_set = '{name}' ORDER BY row")
    return np.array(answer.column("logits").to_pylist())


def test_a_teacher_is_named_by_the_given_classes_and_in_their_order(tmp_path, inputs):
    teacher = save(tmp_path / "loud", names=("NEGATIVE", "POSITIVE"))
    for _ in range(2):  # the second run finds all shards done, and its card the same
        label(tmp_path, inputs, teacher, classes=("positive", "negative"))
    made = store.open(tmp_path / "s")
    assert made.header.classes == ["positive", "negative"]
    assert made.label_set("loud").card()["classes"] == ["negative", "positive"]
    assert np.abs(logits(tmp_path, "loud") - logits_alone(teacher, ROWS)[:, ::-1]).max() < 5e-3


def test_a_second_teacher_with_names_in_other_case_joins_the_store(tmp_path, inputs):
    label(tmp_path, inputs, save(tmp_path / "first"))
    teacher = save(tmp_path / "second", bert(hidden_size=32), names=("Positive", "NEGATIVE"))
    label(tmp_path, inputs, teacher)
    assert store.open(tmp_path / "s").header.classes == ["negative", "positive"]
    assert np.abs(logits(tmp_path, "second") - logits_alone(teacher, ROWS)[:, ::-1]).max() < 5e-3
    with pytest.raises(MismatchError, match="rename them in the model's id2label"):
        label(tmp_path, inputs, save(tmp_path / "third", names=("bad", "good")))


def test_other_names_are_refused_before_anything_is_written(tmp_path, inputs):
    teacher = save(tmp_path / "loud", names=("NEGATIVE", "POSITIVE"))
    with pytest.raises(ModelError, match="NEGATIVE, POSITIVE, and not bad, good; .*id2label of its config.json"):
        label(tmp_path, inputs, teacher, classes=("bad", "good"))
    assert not (tmp_path / "s").exists()


def test_models_whose_names_differ_in_case_are_compared(tmp_path):
    file = tmp_path / "gold.csv"
    file.write_text(
        "text,label\n" + "".join(f"{text},{('negative', 'positive')[at % 2]}\n" for at, text in enumerate(ROWS)),
        encoding="utf-8",
    )
    first = save(tmp_path / "first")
    other = save(tmp_path / "other", names=("NEGATIVE", "POSITIVE"))
    config = engine.EvalConfig(model=first, inputs=(str(file),), against=(other,))
    compared = engine.evaluate(config)
    assert compared.against[other]["accuracy"] == compared.accuracy
