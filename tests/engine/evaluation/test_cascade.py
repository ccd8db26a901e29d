import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.errors import InputError, ModelError
from engine.evaluation.cascade import Judged, choose_threshold, curve, halves, measure, why_pointless
from engine.prediction.cascade_card import CascadeCard, with_paragraph


def judged(confidence, first, second):
    return Judged(confidence=np.array(confidence, float), first=np.array(first, bool), second=np.array(second, bool))


def test_the_lowest_threshold_that_reaches_the_target_by_hand():
    rows = judged([0.5, 0.6, 0.7, 0.8, 0.9], first=[0, 0, 1, 0, 1], second=[1, 1, 1, 1, 0])
    for target, threshold, deferred in ((0.4, 0.0, 0.0), (0.5, 0.6, 0.2), (0.8, 0.7, 0.4), (0.9, 0.9, 0.8)):
        assert choose_threshold(rows, target) == threshold
        assert measure(rows, threshold).deferred == pytest.approx(deferred)
    with pytest.raises(InputError, match=r"the best, 0\.9, reaches 1\.0000"):
        choose_threshold(rows, 1.1)


def test_all_rows_can_be_deferred():
    rows = judged([0.5, 1.0], first=[0, 0], second=[1, 1])
    assert measure(rows, choose_threshold(rows, 1.0)).deferred == 1


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.75, 1.0]), st.booleans(), st.booleans()), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_a_chosen_threshold_keeps_its_word_and_none_lower_does(rows, target):
    both = judged(*zip(*rows, strict=True))
    accuracy = {t: measure(both, t).accuracy for t in (0.0, 0.6, 0.75, 1.0, 1.1)}
    try:
        chosen = choose_threshold(both, target)
    except InputError:
        assert max(accuracy.values()) < target
        return
    found = measure(both, chosen)
    assert found.accuracy >= target
    assert all(accuracy[t] < target for t in accuracy if measure(both, t).deferred < found.deferred)


def test_the_curve_begins_with_the_first_model_and_ends_with_the_second():
    random = np.random.default_rng(0)
    rows = judged(random.random(500), random.random(500) < 0.8, random.random(500) < 0.9)
    points = curve(rows)
    assert len(points) == 21
    assert (points[0].deferred, points[0].accuracy) == (0, rows.first.mean())
    assert (points[-1].deferred, points[-1].accuracy) == (1, rows.second.mean())
    assert [point.deferred for point in points] == pytest.approx(np.linspace(0, 1, 21), abs=0.01)


def test_a_threshold_that_leaves_all_rows_to_one_model_is_called_pointless():
    rows = judged([0.5, 0.75], first=[1, 1], second=[1, 0])
    said = [why_pointless(rows, at, target=0.9, first="a", second="b") for at in (0.0, 0.6, 0.8)]
    second_in_vain = (
        "the second model is pointless: a reaches 0.9 without it, and no row would go to b; predict without --defer-to, "
        "or give a higher --target"
    )
    first_in_vain = (
        "the first model is pointless: every row would go to b; predict with b alone, or give a lower --target"
    )
    assert said == [second_in_vain, None, first_in_vain]


def test_halves_are_all_rows_once():
    one, other = halves(101)
    assert sorted([*one, *other]) == list(range(101))
    with pytest.raises(InputError, match="needs 50"):
        halves(49)


@pytest.fixture
def pair(tmp_path):
    """Two models, and rows on which the second one is right."""
    first = tiny_models.save(tmp_path / "first", tiny_models.bert(3), names="abc")
    second = tiny_models.save(tmp_path / "second", tiny_models.spread(tiny_models.bert(3), seed=5), names="abc")
    texts = tiny_models.texts(300)
    labels = ["abc"[number] for number in tiny_models.logits_alone(second, texts).argmax(axis=1)]
    assert len(set(labels)) > 1
    pq.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "gold.parquet")
    return first, second, str(tmp_path / "gold.parquet")


def test_predict_gives_what_was_measured(tmp_path, pair):
    first, second, gold = pair
    alone = engine.evaluate(engine.EvalConfig(model=first, inputs=(gold,)))
    target = round((1 + alone.accuracy) / 2, 2)
    found = engine.evaluate(engine.EvalConfig(model=first, inputs=(gold,), defer_to=second, target=target))
    chosen = found.cascade["chosen"]
    assert chosen["second_alone"] == 1
    assert chosen["low"] <= chosen["accuracy"] <= chosen["high"]
    summary = engine.predict(
        engine.PredictConfig(
            model=first, inputs=(gold,), out=str(tmp_path / "out.parquet"), cascade=engine.Cascade(model=second)
        )
    )
    answers = pq.read_table(tmp_path / "out.parquet")
    labels = pq.read_table(gold)["label"].to_pylist()
    right = [label == one for label, one in zip(labels, answers["class"].to_pylist(), strict=True)]
    _, measured_on = halves(300)
    assert np.mean(np.array(right)[measured_on]) == pytest.approx(chosen["accuracy"], abs=1e-5)
    assert np.array(answers["deferred"])[measured_on].mean() == pytest.approx(chosen["deferred"], abs=1e-5)
    assert summary.cascade["share"] > 0
    card = (tmp_path / "first" / "README.md").read_text()
    assert card.count("## Cascade") == 1
    assert second in card


def test_a_threshold_of_other_weights_is_refused(tmp_path, pair):
    first, second, gold = pair
    config = engine.PredictConfig(
        model=first, inputs=(gold,), out=str(tmp_path / "out.csv"), cascade=engine.Cascade(model=second)
    )
    with pytest.raises(ModelError, match=r"no threshold of its own; give --threshold, or choose one: `engine eval"):
        engine.predict(config)
    engine.evaluate(engine.EvalConfig(model=first, inputs=(gold,), defer_to=second, target=0.5))
    engine.predict(config)
    place = tmp_path / "first" / "cascade.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "second_sha256": "0"}))
    with pytest.raises(ModelError, match="of other weights"):
        engine.predict(config)
    engine.evaluate(engine.EvalConfig(model=first, inputs=(gold,), defer_to=second, target=0.5))
    place.write_text(json.dumps({**json.loads(place.read_text()), "temperature": 2.0}))
    with pytest.raises(ModelError, match="predict with --calibrated"):
        engine.predict(config)


def test_a_target_needs_a_second_model():
    with pytest.raises(InputError, match="name the second with --defer-to"):
        engine.EvalConfig(model="x", inputs=(), target=0.5)


def test_a_paragraph_takes_the_place_of_an_earlier_one():
    values = dict.fromkeys(CascadeCard.__dataclass_fields__, 0.5)
    one = CascadeCard(**{**values, "rows": 10, "second": "teacher"})
    other = CascadeCard(**{**values, "rows": 10, "second": "other"})
    once = with_paragraph("# student\n\nText.\n", one)
    assert once.startswith("# student\n\nText.\n\n<!-- cascade -->")
    assert "`other`" in with_paragraph(once, other)
    assert "`teacher`" not in with_paragraph(once, other)
    assert with_paragraph(with_paragraph(once, other), one) == once
