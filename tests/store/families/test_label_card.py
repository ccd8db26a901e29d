"""The card of a label set: typed when it is read, whatever a version or a hand wrote, and the same JSON again."""

import pickle

import pytest
from store_factory import make_store

from store.errors import DamageError
from store.families.label_card import LabelCard, label_card, parse_label_card
from store.format.names import LABELS
from store.storage import MemoryStorage

WHOLE = {
    "model": "org/bert", "revision": None, "weights_sha256": "a", "config_sha256": "b", "classes": ["good", "bad"],
    "encoding": "one", "encoding_sha256": "c", "max_length": 64, "dtype": "fp32", "tokens_per_batch": 2048,
    "path": "fused", "check_rows": 0, "device": "cpu", "threads": 2, "versions": {"torch": "2"},
}  # fmt: skip


def test_a_card_is_the_same_json_again_in_the_same_order():
    card = parse_label_card(WHOLE, place="card.json")
    assert list(card.to_dict().items()) == list(WHOLE.items())
    assert pickle.loads(pickle.dumps(card)) == card


def test_fields_of_another_version_are_kept_and_absent_ones_are_none():
    card = parse_label_card({"model": "m", "precision": "int8", "others": 3}, place="card.json")
    assert (card.model, card.path, card.check_rows) == ("m", None, None)
    assert card.others == {"precision": "int8", "others": 3}
    assert card.to_dict() == {"model": "m", "revision": None, "precision": "int8", "others": 3}
    assert parse_label_card(card.to_dict(), place="card.json") == card


ANSWERS = {
    "files": [{"path": "a.csv", "size": 9, "sha256": "0", "rows": 2, "columns": {"id": "id", "scores": None}}],
    "scores": "labels", "hard": 0.9, "smallest": 1e-6, "used": 1, "repeated": 0, "refused": {"unknown label": 1},
    "answered": 1, "unanswered": {"no answer": 4}, "annotators": None, "alpha": None, "kappa": None,
}  # fmt: skip


def test_a_card_of_answers_is_the_same_json_again():
    card = parse_label_card({"revision": None, "answers": ANSWERS}, place="card.json")
    assert card.answers is not None
    assert (card.answers.hard, card.answers.files[0]["path"], card.model) == (0.9, "a.csv", None)
    assert card.to_dict() == {"revision": None, "answers": ANSWERS}
    later = {**ANSWERS, "prompt": "which"}
    assert parse_label_card({"answers": later}, place="card.json").to_dict()["answers"] == later


@pytest.mark.parametrize(("field", "value"), [("hard", "0.9"), ("files", {}), ("used", 1.5), ("refused", {"x": "1"})])
def test_a_wrong_type_in_answers_is_damage(field, value):
    with pytest.raises(DamageError, match=rf"card\.json is damaged: answers\.{field}"):
        parse_label_card({"answers": {**ANSWERS, field: value}}, place="card.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_length", "64"), ("tokens_per_batch", 2048.0), ("threads", True), ("path", ["fused"]), ("model", 3),
        ("classes", "good"), ("classes", ["good", 1]), ("versions", ["torch"]), ("check_rows", "0"),
        ("encoding", {"name": "one"}),
    ],
)  # fmt: skip
def test_a_wrong_type_is_damage_with_its_file_and_field(field, value):
    made = make_store(MemoryStorage())
    labels = made.label_set("new")
    assert label_card(labels) is None
    labels.freeze_card({**WHOLE, field: value})
    with pytest.raises(DamageError, match=rf"{LABELS}/new/card\.json is damaged: {field}.* is .*, and must be"):
        label_card(labels)


def test_no_field_has_to_be_there():
    assert parse_label_card({}, place="card.json") == LabelCard()
