"""What a head's outputs are: classes of a text, by name; anything else is refused, or made anew in a start."""

import logging

import pytest
import torch
import transformers
from tiny_models import SIZES, VOCABULARY, bert, change_config, save, spread, tokenizer

from engine.errors import ModelError
from engine.models.classifier import load_classifier, named, respelled
from engine.models.heads import class_names, output_layer, same_but_for_case
from engine.models.initialize import load_start
from engine.models.teacher import TeacherSource, load_teacher

LLAMA = {"vocab_size": len(VOCABULARY), "num_key_value_heads": 2, "pad_token_id": 0, **SIZES}


def llama(kind, classes=3):
    return spread(getattr(transformers, kind)(transformers.LlamaConfig(**LLAMA, num_labels=classes)))


# what is no classifier of texts


def test_a_regression_is_refused_whatever_its_outputs(tmp_path):
    names = ("valence", "arousal", "dominance")
    place = save(tmp_path / "m", bert(3), names=names)
    change_config(place, problem_type="regression")
    with pytest.raises(ModelError, match=r"a regression \(problem_type in its config.json\): its 3 outputs are scores"):
        load_classifier(place)
    kept = save(tmp_path / "classes", bert(3), names=names)
    trained = load_classifier(kept).module.classifier.weight
    assert torch.equal(load_start(kept, classes=names).module.classifier.weight, trained)
    assert not torch.equal(load_start(place, classes=names).module.classifier.weight, trained)


def test_a_classifier_of_tokens_with_the_same_weights_is_refused_by_its_architecture(tmp_path):
    place = save(tmp_path / "m", llama("LlamaForTokenClassification"), names=("O", "B-PER", "I-PER"))
    with pytest.raises(ModelError, match="LlamaForTokenClassification.*one class for each token.*engine finetune"):
        load_classifier(place)
    trained = llama("LlamaForTokenClassification").score.weight
    assert not torch.equal(load_start(place, classes=["O", "B-PER", "I-PER"]).module.score.weight, trained)


@pytest.mark.parametrize("kind", ["QuestionAnswering", "MultipleChoice", "NextSentencePrediction"])
def test_heads_of_other_tasks_are_refused_by_their_architecture(tmp_path, kind):
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), **SIZES)
    getattr(transformers, f"BertFor{kind}")(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=f"is a BertFor{kind}"):
        load_classifier(str(tmp_path))


@pytest.mark.parametrize("kind", ["MaskedLM", "PreTraining"])
def test_a_language_model_has_no_head_and_is_a_start(tmp_path, kind):
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), **SIZES)
    getattr(transformers, f"BertFor{kind}")(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=rf"no trained classification head .*BertFor{kind}\); fine-tune it first"):
        load_classifier(str(tmp_path))
    assert load_start(str(tmp_path), classes=["a", "b"]).classes == ["a", "b"]


def test_an_architecture_of_the_base_does_not_hide_a_trained_head(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, architectures=["BertForMaskedLM"])
    assert load_classifier(place).classes == ["negative", "positive"]
    change_config(place, architectures=None)
    assert load_classifier(place).classes == ["negative", "positive"]


# names


def test_outputs_without_names_are_counted(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, id2label=None, label2id=None)
    assert load_classifier(place).classes == ["LABEL_0", "LABEL_1"]
    three = save(tmp_path / "three", bert(3), names=("a", "b", "c"))
    change_config(three, id2label=None, label2id=None)
    with pytest.raises(ModelError, match=r"shape \(3,\) in its weights and \(2,\) by.*names of all 3 outputs into id2"):
        load_classifier(three)
    change_config(three, id2label={"0": "x", "1": "y", "2": "z"})
    assert load_classifier(three).classes == ["x", "y", "z"]


def test_names_that_are_not_numbered_from_zero_come_with_those_that_are(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, id2label={"1": "bad", "2": "good"}, label2id={"bad": 1, "good": 2})
    with pytest.raises(ModelError, match=r'keys \[1, 2\].*write \{"0": "bad", "1": "good"\} as "id2label"'):
        load_classifier(place)


def test_names_in_the_place_of_numbers_are_told_apart(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, id2label={"bad": 0, "good": 1})
    with pytest.raises(ModelError, match=r'the keys bad, good.*write "id2label": \{"0": "bad", "1": "good"\}'):
        load_classifier(place)


def test_two_classes_of_one_name_are_refused():
    config = transformers.BertConfig(id2label={0: "bad", 1: "good", 2: "bad"})
    with pytest.raises(ModelError, match="two of its classes 'bad'"):
        class_names("m", config)


@pytest.mark.parametrize(
    ("names", "others", "order"),
    [
        (["a", "b"], ["a", "b"], [0, 1]),
        (["a", "b"], ["B", "A"], [1, 0]),
        (["Straße", "Weg"], ["WEG", "STRASSE"], [1, 0]),
        (["a", "b"], ["a", "c"], None),
        (["a", "b"], ["a", "b", "c"], None),
        (["a", "A"], ["A", "a"], None),
    ],
)
def test_names_are_the_same_but_for_case_where_that_is_unique(names, others, order):
    assert same_but_for_case(names, others) == order


def test_a_teacher_takes_the_given_spelling_of_its_own_names(tmp_path, caplog):
    place = save(tmp_path / "m", names=("NEGATIVE", "POSITIVE"))
    with caplog.at_level(logging.INFO, "engine"):
        model = load_teacher(TeacherSource(source=place, classes=("positive", "negative")))
    assert model.classes == ["negative", "positive"]  # in the order of its outputs
    assert "its classes NEGATIVE, POSITIVE are negative, positive here" in caplog.text
    assert load_teacher(TeacherSource(source=place)).classes == ["NEGATIVE", "POSITIVE"]
    assert respelled(model, ["bad", "good"]) is model


def test_the_remedy_for_other_names_works(tmp_path):
    place = save(tmp_path / "m", names=("NEGATIVE", "POSITIVE"))
    with pytest.raises(ModelError, match="NEGATIVE, POSITIVE, and not bad, good; .*id2label of its config.json"):
        named(load_classifier(place), ["bad", "good"])
    change_config(place, id2label={"0": "bad", "1": "good"})
    assert named(load_classifier(place), ["good", "bad"]).classes == ["bad", "good"]


# a start whose head has the same classes

CLASSIFIERS = {
    "Bert": {},
    "Roberta": {"pad_token_id": 1, "max_position_embeddings": 70},
    "DistilBert": {},
    "Electra": {"embedding_size": 16},
    "Llama": {"num_key_value_heads": 2, "pad_token_id": 0},
}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_head_with_the_same_classes_in_another_order_is_kept_in_the_new_one(tmp_path, kind, caplog):
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(VOCABULARY), num_labels=3, **{**SIZES, **CLASSIFIERS[kind]}
    )
    made = spread(getattr(transformers, f"{kind}ForSequenceClassification")(config))
    assert output_layer(made).out_features == 3
    place = save(tmp_path / "m", made, names=("bad", "fine", "good"))
    ids = torch.tensor([[2, 7, 8, 9, 3]])
    with torch.inference_mode(), caplog.at_level(logging.INFO, "engine"):
        before = made(input_ids=ids).logits[0]
        start = load_start(place, classes=["good", "BAD", "Fine"])
        after = start.module(input_ids=ids).logits[0]
    assert torch.allclose(after, before[[2, 0, 1]], atol=1e-6)
    assert start.classes == ["good", "BAD", "Fine"]
    assert "its head for bad, fine, good is kept, for the classes good, BAD, Fine" in caplog.text
