import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.errors import ModelError
from engine.evaluation.metrics import accuracy, confusion, expected_calibration_error, f1_scores, log_loss
from engine.evaluation.paired import compare_pairs

GOLD = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2])


def test_confusion_counts_gold_down_and_predicted_across():
    assert confusion(GOLD, PREDICTED, classes=4).tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_accuracy_and_f1_by_hand():
    counts = confusion(GOLD, PREDICTED, classes=4)
    assert accuracy(counts) == pytest.approx(4 / 6)
    assert f1_scores(counts).tolist() == pytest.approx([2 / 3, 1 / 2, 1.0, 0.0])


def test_log_loss_by_hand_and_of_a_probability_of_zero():
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6]])
    assert log_loss(np.array([0, 1]), probabilities) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert 700 < log_loss(np.array([0]), np.array([[0.0, 1.0]])) < math.inf


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1]] * 10)
    gold = np.array([0] * 7 + [1] * 3)
    assert expected_calibration_error(gold, probabilities) == pytest.approx(0.2)
    assert expected_calibration_error(np.zeros(4, np.int64), np.array([[1.0, 0.0]] * 4)) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0.34, 1)), min_size=1, max_size=200))
def test_calibration_error_agrees_with_a_loop_over_the_bins(rows):
    gold = np.array([label for label, _ in rows])
    top = np.array([share for _, share in rows])
    probabilities = np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1)
    expected = 0.0
    for low in range(15):
        inside = (top > low / 15) & (top <= (low + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs((gold[inside] == 0).mean() - top[inside].mean())
    assert expected_calibration_error(gold, probabilities) == pytest.approx(expected, abs=1e-9)


def test_mcnemar_agrees_with_the_binomial_by_hand():
    gold = np.zeros(20, np.int64)
    first, second = np.zeros(20, np.int64), np.zeros(20, np.int64)
    second[:6] = 1
    first[6] = 1
    pair = compare_pairs(gold, first, second)
    assert (pair.only_first, pair.only_second) == (6, 1)
    assert pair.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert pair.agreement == pytest.approx(13 / 20)
    assert compare_pairs(gold, first, first).p_value == 1.0


def test_mcnemar_stays_finite_for_many_rows():
    gold, first = np.zeros(100_000, np.int64), np.zeros(100_000, np.int64)
    second = first.copy()
    second[:30_000] = 1
    assert 0 <= compare_pairs(gold, first, second).p_value < 1e-300


def test_a_model_is_judged_by_its_class_names(demo):
    evaluation = engine.evaluate(engine.EvalConfig(model=demo.path("teacher"), inputs=(demo.path("test.parquet"),)))
    assert evaluation.accuracy == demo.arms[0].accuracy
    assert evaluation.rows == 2000
    assert sum(sum(row.values()) for row in evaluation.confusion.values()) == 2000
    trace = sum(evaluation.confusion[name][name] for name in ("negative", "positive"))
    assert evaluation.accuracy == pytest.approx(trace / 2000)
    size = Path(demo.path("teacher"), "model.safetensors").stat().st_size
    assert evaluation.megabytes == pytest.approx(size / 1e6, abs=0.06)


def test_indices_mean_the_same_as_names(demo, tmp_path):
    table = pq.read_table(demo.path("test.parquet"))
    indices = [["negative", "positive"].index(name) for name in table.column("label").to_pylist()]
    pq.write_table(table.set_column(2, "label", [indices]), tmp_path / "test.parquet")
    judged = engine.evaluate(engine.EvalConfig(model=demo.path("teacher"), inputs=(str(tmp_path / "test.parquet"),)))
    assert judged.accuracy == demo.arms[0].accuracy


def test_models_are_compared_pair_by_pair_whatever_their_class_order(demo, tmp_path):
    import json

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(demo.path("teacher"), tmp_path / "permuted")
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].flip(0).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "positive", "1": "negative"}, "label2id": {"positive": 0, "negative": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    table = pq.read_table(demo.path("test.parquet"))
    indices = [["negative", "positive"].index(name) for name in table.column("label").to_pylist()]
    pq.write_table(table.set_column(2, "label", [indices]), tmp_path / "test.parquet")
    wanted = engine.EvalConfig(
        model=demo.path("teacher"),
        inputs=(str(tmp_path / "test.parquet"),),
        against=(str(folder), demo.path("direct")),
    )
    same, other = engine.evaluate(wanted).against.values()
    assert same["accuracy"] == demo.arms[0].accuracy
    assert (same["agreement"], same["only_first"], same["only_second"], same["p_value"]) == (1, 0, 0, 1)
    assert other["accuracy"] == demo.arms[2].accuracy
    assert (other["only_first"] - other["only_second"]) / 2000 == pytest.approx(
        demo.arms[0].accuracy - demo.arms[2].accuracy, abs=1e-5
    )


def test_labels_that_the_model_does_not_know_are_rejected_with_their_place(demo, tmp_path):
    (tmp_path / "test.csv").write_text("text,label\ngood food,positive\nbad food,awful\n")
    wanted = engine.EvalConfig(model=demo.path("teacher"), inputs=(str(tmp_path / "test.csv"),))
    evaluation = engine.evaluate(wanted)
    assert (evaluation.rows, evaluation.rejected) == (1, 1)
    assert "test.csv row 2: unknown label 'awful' (classes: negative, positive)" in evaluation.reasons[0]


def test_a_rival_with_other_classes_is_refused_with_both(demo, tmp_path):
    import json

    folder = shutil.copytree(demo.path("teacher"), tmp_path / "rival")
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "bad", "1": "good"}, "label2id": {"bad": 0, "good": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    wanted = engine.EvalConfig(model=demo.path("teacher"), inputs=(demo.path("test.parquet"),), against=(str(folder),))
    with pytest.raises(ModelError, match="rival has the classes bad, good, and .*teacher has negative, positive"):
        engine.evaluate(wanted)
