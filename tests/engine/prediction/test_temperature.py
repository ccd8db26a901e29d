import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_models
from safetensors.torch import load_file, save_file

import engine
from engine.errors import InputError, ModelError
from engine.models.notes.gold_texts import write_gold_texts
from store.families.labels import softmax


@pytest.fixture
def judged(tmp_path):
    """A model, and rows of which it is right in four of five."""
    model = tiny_models.save(tmp_path / "model")
    texts = tiny_models.texts(200)
    predicted = tiny_models.logits_alone(model, texts).argmax(axis=1)
    labels = [int(label) ^ (number % 5 == 0) for number, label in enumerate(predicted)]
    pq.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "gold.parquet")
    return model, str(tmp_path / "gold.parquet"), texts


def test_a_fitted_temperature_is_used_where_it_is_asked_for(tmp_path, judged):
    model, gold, texts = judged
    evaluation = engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,), calibrate=True))
    assert evaluation.temperature > 0
    assert evaluation.calibrated_ece < evaluation.ece
    for calibrated, temperature in ((False, 1.0), (True, evaluation.temperature)):
        config = engine.PredictConfig(
            model=model, inputs=(gold,), out=str(tmp_path / "out.parquet"), calibrated=calibrated
        )
        summary = engine.predict(config)
        wanted = softmax(tiny_models.logits_alone(model, texts) / temperature).max(axis=1)
        found = pq.read_table(tmp_path / "out.parquet")["confidence"].to_pylist()
        assert found == pytest.approx(wanted, abs=1e-4)
        assert summary.temperature == temperature
        assert engine.load(model, calibrated=calibrated).predict(texts).confidence == pytest.approx(wanted, abs=1e-4)


def test_without_one_it_says_how_to_get_one(judged):
    with pytest.raises(ModelError, match=r"engine eval .* --calibrate"):
        engine.load(judged[0], calibrated=True)


def test_one_of_other_weights_is_refused(tmp_path, judged):
    model, gold, _ = judged
    engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,), calibrate=True))
    file = tmp_path / "model" / "calibration.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "weights_sha256": "0" * 64}))
    with pytest.raises(ModelError, match="of other weights"):
        engine.load(model, calibrated=True)
    file.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        engine.load(model, calibrated=True)


def test_too_few_rows_have_no_temperature(tmp_path, judged):
    model, gold, _ = judged
    pq.write_table(pq.read_table(gold).slice(0, 20), tmp_path / "few.parquet")
    with pytest.raises(InputError, match="20 gold rows count"):
        engine.evaluate(engine.EvalConfig(model=model, inputs=(str(tmp_path / "few.parquet"),), calibrate=True))
    assert not (tmp_path / "model" / "calibration.json").exists()


def test_a_model_that_is_right_more_often_than_it_thinks_is_named(judged, caplog):
    model, gold, texts = judged
    weights = Path(model) / "model.safetensors"
    tensors = load_file(weights)
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = tensors[name] / 8
    save_file(tensors, weights, metadata={"format": "pt"})
    caplog.set_level("INFO")
    evaluation = engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,)))
    confidence = engine.load(model).predict(texts).confidence.mean()
    said = (
        f"{model} is right on {100 * evaluation.accuracy:.1f}% of these rows with a confidence of {confidence:.2f} on"
    )
    assert said in caplog.text
    engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,), calibrate=True))
    assert caplog.text.count("is right on") == 1


def test_rows_that_the_model_was_trained_on_do_not_count(judged, tmp_path, caplog):
    model, gold, texts = judged
    learned = texts[:100]
    new = sum(text not in learned for text in texts)
    write_gold_texts(Path(model), learned)
    caplog.set_level("INFO")
    engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,), calibrate=True))
    assert json.loads((Path(model) / "calibration.json").read_text())["rows"] == new
    assert f"the temperature: {new} rows, and not of {200 - new} that a model was trained on" in caplog.text
    write_gold_texts(Path(model), texts[:-1])
    with pytest.raises(InputError, match=r"\d gold rows count, and a temperature needs 50; give more labelled rows"):
        engine.evaluate(engine.EvalConfig(model=model, inputs=(gold,), calibrate=True))
