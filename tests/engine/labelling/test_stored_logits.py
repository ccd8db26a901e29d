"""Logits that float16 cannot keep apart are stored less their largest one; all others byte by byte as before."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load_file, save_file
from tiny_models import bert, save, texts

import engine
import store
from engine.errors import LabellingError
from engine.labelling import card
from engine.labelling.stored_logits import CENTRED_FROM, as_stored
from store.families.labels import softmax

MADE = np.random.default_rng(0).normal(0, 3, (2_000, 3)).astype(np.float32)
finite = st.floats(-(2.0**127), 2.0**127, width=32)


@pytest.mark.parametrize("offset", [0, 10, 100, -100, 1_000, 5_000, 70_000, -70_000])
def test_an_offset_changes_no_probability(offset):
    shifted = MADE + np.float32(offset)
    stored = as_stored(shifted, CENTRED_FROM)
    assert np.abs(softmax(stored.logits) - softmax(shifted)).max() < 4.1e-3
    if abs(offset) > 50:
        assert (stored.logits.argmax(axis=1) == shifted.argmax(axis=1)).all()
        assert stored.centred == len(MADE)


@given(hnp.arrays(np.float32, (5, 3), elements=st.floats(-31.875, 31.875, width=32)))
def test_ordinary_logits_keep_their_bytes(logits):
    stored = as_stored(logits, CENTRED_FROM)
    assert stored.logits.tobytes() == logits.astype(np.float16).tobytes()
    assert stored.centred == 0


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(2, 4)), elements=finite))
def test_whatever_is_finite_can_be_stored_and_keeps_its_probabilities(logits):
    stored = as_stored(logits, CENTRED_FROM).logits
    assert np.isfinite(stored).all()
    assert np.abs(softmax(stored) - softmax(logits)).max(initial=0) < 8e-3


@given(hnp.arrays(np.float32, (4, 2), elements=st.floats(width=32)), st.integers(0, 3))
def test_a_row_is_stored_as_it_would_be_alone(logits, row):
    with np.errstate(all="ignore"):
        together, alone = as_stored(logits, CENTRED_FROM).logits, as_stored(logits[row : row + 1], CENTRED_FROM).logits
    assert together[row].tobytes() == alone[0].tobytes()


def test_label_sets_of_earlier_versions_round_every_row():
    logits = np.array([[1000.1, 1000.3], [7e4, 0]], np.float32)
    with np.errstate(over="ignore"):
        assert as_stored(logits, None).logits.tobytes() == logits.astype(np.float16).tobytes()


# a whole run


def label(place, teacher, rows, *, shards=None, **options):
    file = place.with_suffix(".csv")
    file.write_text("text\n" + "".join(f"{text}\n" for text in rows), encoding="utf-8")
    config = engine.LabelConfig(store=str(place), teacher=teacher, inputs=(str(file),), shards=shards, **options)
    return engine.label(config)


def labels(place):
    answer = store.open(place).sql("SELECT prediction, confidence, failure FROM labels ORDER BY row")
    return {name: np.array(values) for name, values in answer.to_pydict().items()}


def test_a_teacher_with_an_offset_labels_as_one_without(tmp_path):
    rows = texts(60)
    plain = save(tmp_path / "0")
    label(tmp_path / "s0", plain, rows)
    expected = labels(tmp_path / "s0")
    for offset in (100, 70_000):
        moved = shutil.copytree(plain, tmp_path / str(offset))
        weights = load_file(moved / "model.safetensors")
        weights["classifier.bias"] += offset
        save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
        summary = label(tmp_path / f"s{offset}", str(moved), rows)
        found = labels(tmp_path / f"s{offset}")
        assert np.abs(found["confidence"] - expected["confidence"]).max() < 5e-3
        assert (found["prediction"] == expected["prediction"]).all()
        assert (summary.failed, summary.flips, summary.checked) == (0, 0, 1)
        records = store.open(tmp_path / f"s{offset}").label_set(str(offset)).records()
        assert records[0].computed["centred"] == len(rows)
    assert "centred" not in store.open(tmp_path / "s0").label_set("0").records()[0].computed
    assert store.open(tmp_path / "s0").label_set("0").card()["centred_from"] == CENTRED_FROM


def test_a_label_set_begun_by_an_earlier_version_goes_on_as_it_began(tmp_path, monkeypatch):
    model = bert()
    model.classifier.bias.data += 100
    teacher = save(tmp_path / "m", model)
    with monkeypatch.context() as patch:
        patch.setattr(card, "CENTRED_FROM", None)
        label(tmp_path / "s", teacher, texts(40), shards=2, worker=(1, 2))
    assert "centred_from" not in store.open(tmp_path / "s").label_set("m").card()
    assert label(tmp_path / "s", teacher, texts(40)).shards_done == 1
    found = store.open(tmp_path / "s").sql("SELECT min(list_min(logits)) AS least FROM labels").to_pylist()
    assert found[0]["least"] > 90


def test_a_run_whose_shard_has_no_finite_logits_stops_there(tmp_path):
    model = bert()
    model.bert.embeddings.word_embeddings.weight.data[2] = float("nan")  # of [CLS], which every row begins with
    with pytest.raises(LabellingError, match=r"shard \d: none of its 30 rows has finite logits.*The model is broken"):
        label(tmp_path / "s", save(tmp_path / "m", model), texts(60), shards=2)
    assert store.open(tmp_path / "s").label_set("m").records() == {}
