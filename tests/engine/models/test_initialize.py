"""What a training begins with where there is only a configuration: random weights, and a tokenizer from somewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from store_factory import add_corpus, add_labels, write_header

import engine
from engine.demo.models import Shape, make_model, make_tokenizer
from engine.errors import ModelError
from engine.models.classifier import load_classifier, save_classifier
from engine.models.initialize import load_start
from store.storage import MemoryStorage

CLASSES = ["bad", "fine", "good"]
WORDS = ["the food was good", "the place was bad and slow", "review number naïve"]
OTHER_WORDS = ["l'assiette était bonne", "le service était lent"]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(WORDS, vocab_size=90, positions=32)


@pytest.fixture(scope="module")
def other_tokenizer():
    return make_tokenizer(OTHER_WORDS, vocab_size=60, positions=32)


def configuration(folder, *, name="config.json", **changes):
    """A configuration of a small BERT; its path."""
    shape = {
        "model_type": "bert",
        "vocab_size": 120,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 48,
    }
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({**shape, **changes}))
    return str(folder / name)


@pytest.fixture
def beside(tmp_path, tokenizer):
    """A folder with a tokenizer and nothing else."""
    tokenizer.save_pretrained(tmp_path / "beside")
    return tmp_path / "beside"


def weights(model):
    return {name: tensor.clone() for name, tensor in model.module.state_dict().items()}


def differing(one, two):
    assert one.keys() == two.keys()
    return {name for name in one if not torch.equal(one[name], two[name])}


def ids(model, text):
    return model.encoding().encode([text]).ids.tolist()


# from scratch


def test_a_configuration_makes_a_model_of_its_shape_with_the_tokenizer_beside_it(beside, tokenizer):
    file = configuration(beside)
    model = load_start(file, classes=CLASSES)
    config = model.module.config
    assert (config.hidden_size, config.num_hidden_layers, config.vocab_size) == (32, 2, 120)
    assert len(model.module.bert.encoder.layer) == 2
    assert (model.classes, model.module.config.num_labels) == (CLASSES, 3)
    assert model.module.config.problem_type == "single_label_classification"
    assert (model.source, model.revision, model.folder) == (file, None, beside)
    assert model.longest == 32
    assert ids(model, WORDS[1]) == tokenizer(WORDS[1])["input_ids"]
    assert not model.module.training
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    assert all(torch.isfinite(tensor).all() for tensor in weights(model).values())
    assert weights(model)["classifier.weight"].std() > 0


def test_its_name_does_not_matter_and_classes_of_its_own_are_forgotten(beside):
    names = {"id2label": {"0": "old", "1": "older"}, "label2id": {"old": 0, "older": 1}, "dtype": "bfloat16"}
    model = load_start(configuration(beside, name="small.json", **names), classes=CLASSES)
    assert model.classes == CLASSES
    assert model.module.config.label2id == {name: index for index, name in enumerate(CLASSES)}
    assert model.module.dtype == torch.float32


def test_what_is_made_can_be_saved_and_loaded_again(beside, tmp_path):
    model = load_start(configuration(beside), classes=CLASSES)
    save_classifier(model, tmp_path / "saved")
    again = load_classifier(str(tmp_path / "saved"))
    assert differing(weights(model), weights(again)) == set()
    assert (again.classes, ids(again, WORDS[0])) == (CLASSES, ids(model, WORDS[0]))


# whose tokenizer


def test_the_tokenizer_of_the_teacher_goes_with_a_configuration_alone(tmp_path, tokenizer):
    """Of the teacher nothing else is read: it has no weights here."""
    tokenizer.save_pretrained(tmp_path / "teacher")
    file = configuration(tmp_path / "alone")
    model = load_start(file, classes=CLASSES, tokenizer=(str(tmp_path / "teacher"), None))
    assert ids(model, WORDS[1]) == tokenizer(WORDS[1])["input_ids"]
    assert model.module.config.hidden_size == 32


def test_the_tokenizer_beside_a_configuration_comes_before_the_teachers(beside, tmp_path, tokenizer, other_tokenizer):
    other_tokenizer.save_pretrained(tmp_path / "teacher")
    model = load_start(configuration(beside), classes=CLASSES, tokenizer=(str(tmp_path / "teacher"), None))
    assert ids(model, WORDS[1]) == tokenizer(WORDS[1])["input_ids"]


def test_no_tokenizer_at_all_is_refused_with_the_places_to_put_one(tmp_path):
    file = configuration(tmp_path / "alone")
    with pytest.raises(ModelError) as refused:
        load_start(file, classes=CLASSES)
    assert str(refused.value) == (
        f"{file} has no tokenizer beside it (tokenizer.json, vocab.txt, vocab.json, *.model); put one there"
    )


def test_a_teacher_that_is_not_there_is_named(tmp_path):
    file = configuration(tmp_path / "alone")
    with pytest.raises(ModelError, match="nobody/nothing: there is no such folder, no network to the hub"):
        load_start(file, classes=CLASSES, tokenizer=("nobody/nothing", None))


def test_a_teacher_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "teacher").mkdir()
    with pytest.raises(ModelError, match="has no tokenizer: none of tokenizer.json"):
        load_start(configuration(tmp_path / "alone"), classes=CLASSES, tokenizer=(str(tmp_path / "teacher"), None))


@pytest.mark.parametrize("where", ["beside", "teacher"])
def test_a_vocabulary_that_is_smaller_than_the_tokenizers_is_refused(tmp_path, tokenizer, where):
    tokenizer.save_pretrained(tmp_path / where)
    file = configuration(tmp_path / ("beside" if where == "beside" else "alone"), vocab_size=40)
    with pytest.raises(ModelError) as refused:
        load_start(file, classes=CLASSES, tokenizer=(str(tmp_path / "teacher"), None))
    assert str(refused.value) == (
        f"{file}: its tokenizer has {len(tokenizer)} tokens and the model 40 embeddings; they do not belong together. "
        f"Write vocab_size {len(tokenizer)} into it, or put another tokenizer beside it"
    )


def test_a_student_from_scratch_has_the_tokenizer_of_the_first_teacher(tmp_path, tokenizer):
    """Through `engine.train`, with the place of the teacher from the card of its label set."""
    tokenizer.save_pretrained(tmp_path / "teacher")
    made = write_header(MemoryStorage(), rows=40, shards=2, classes=CLASSES)
    add_corpus(made)
    card = {"model": str(tmp_path / "teacher"), "encoding": "none", "max_length": 12, "device": "cpu"}
    made.label_set("kept").freeze_card(card)
    add_labels(made, "kept")
    trained = engine.train(
        engine.DistillConfig(
            store=made.storage,
            student=configuration(tmp_path / "alone"),
            out=str(tmp_path / "out"),
            loop=engine.LoopConfig(epochs=1, batch_size=16),
        )
    )
    assert (trained.rows, trained.max_length, trained.steps) == (40, 12, 3)
    assert np.isfinite(trained.epochs[0].loss)
    student = load_classifier(str(tmp_path / "out"))
    assert ids(student, WORDS[1]) == tokenizer(WORDS[1])["input_ids"]
    assert student.classes == CLASSES


# what is no configuration


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError) as refused:
        load_start(str(tmp_path / "small.json"), classes=CLASSES)
    assert str(refused.value) == (
        f"{tmp_path}/small.json: there is no such file; a configuration is a config.json as transformers writes it"
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"bert"', b"\xff\xfe", b'{"vocab_size": 9}'])
def test_what_is_no_configuration_is_refused_by_its_name(beside, content):
    (beside / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=f"{beside}/config.json: its configuration cannot be used: "):
        load_start(f"{beside}/config.json", classes=CLASSES)


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "nothing"},
        {"model_type": "vit"},
        {"hidden_size": 33},
        {"hidden_size": "many"},
        {"num_attention_heads": 0},
        {"hidden_dropout_prob": 1.5},
        {"hidden_size": -32},
        {"intermediate_size": -3},
        {"vocab_size": 0},
        {"max_position_embeddings": 0},
        {"pad_token_id": 5_000},
        {"hidden_act": "gleu"},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_model_is_refused_by_its_name(beside, changes):
    with pytest.raises(ModelError, match=f"{beside}/config.json"):
        load_start(configuration(beside, **changes), classes=CLASSES)


# seeds


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(beside):
    file = configuration(beside)
    torch.manual_seed(99)
    first = weights(load_start(file, classes=CLASSES, seed=5))
    torch.rand(17)
    assert differing(first, weights(load_start(file, classes=CLASSES, seed=5))) == set()
    drawn = {name for name in first if first[name].ndim > 1 and name.endswith("weight")}
    assert differing(first, weights(load_start(file, classes=CLASSES, seed=6))) == drawn
    assert len(drawn) == 3 + 2 * 6 + 2


@pytest.mark.parametrize("layers", ["", "#layers=1"])
def test_a_new_head_is_that_of_its_seed_and_an_old_encoder_is_kept(tmp_path, tokenizer, layers):
    folder = make_model(tmp_path, tokenizer, Shape(hidden=16, layers=2, heads=2, positions=32), classes=["no", "yes"])
    first, again, other = (weights(load_start(f"{folder}{layers}", classes=CLASSES, seed=seed)) for seed in (1, 1, 2))
    assert differing(first, again) == set()
    assert differing(first, other) == {"classifier.weight"}
    assert first["classifier.bias"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("classes", [["no", "yes"], ["yes", "no"]])
def test_a_head_for_the_same_classes_is_kept_and_one_for_others_is_not(tmp_path, tokenizer, classes):
    folder = make_model(tmp_path, tokenizer, Shape(hidden=16, layers=2, heads=2, positions=32), classes=["no", "yes"])
    kept, started = (weights(load(folder, classes)) for load in (_loaded, _started))
    assert differing(kept, started) == (set() if classes == ["no", "yes"] else {"classifier.weight"})


def _loaded(folder: Path, _classes):
    return load_classifier(str(folder))


def _started(folder: Path, classes):
    return load_start(str(folder), classes=classes, seed=3)
