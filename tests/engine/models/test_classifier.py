import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    RobertaConfig,
)
from transformers import RobertaForSequenceClassification as Roberta

from engine.errors import ModelError
from engine.models.classifier import load_classifier, named, save_classifier
from engine.models.initialize import load_start


def copy(demo, name, tmp_path):
    return shutil.copytree(demo.path(name), tmp_path / "model")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_classifier_loads_with_its_class_names(demo):
    model = load_classifier(demo.path("teacher"))
    assert model.classes == ["negative", "positive"]
    assert model.has_class_names
    assert not model.module.training
    assert model.longest == 128


def test_a_model_without_a_trained_head_is_refused(demo, tmp_path):
    config = BertConfig.from_pretrained(demo.path("teacher"))
    BertModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(demo.path("teacher")).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"no trained classification head.*classifier.*engine finetune"):
        load_classifier(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem_type": "multi_label_classification"}, "multi-label"),
        ({"id2label": {"0": "score"}, "label2id": {"score": 0}, "problem_type": "regression"}, "has 1 output"),
    ],
)
def test_heads_that_do_not_choose_one_class_are_refused(demo, tmp_path, changes, message):
    folder = copy(demo, "teacher", tmp_path)
    change_config(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_classifier(str(folder))


def test_pickled_weights_are_never_read(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors weights"):
        load_classifier(str(folder))


def test_code_that_a_model_brings_is_never_run(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    change_config(
        folder,
        model_type="evil",
        auto_map={"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"},
    )
    with pytest.raises(ModelError, match=r"code of its own \(auto_map in its config.json\), which is not run"):
        load_classifier(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"extra{number}" for number in range(10)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"tokenizer has [\d,]+ tokens and the model [\d,]+ embeddings"):
        load_classifier(str(folder))


def test_a_place_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_classifier(str(tmp_path))
    with pytest.raises(ModelError) as refused:
        load_classifier("nobody/nothing", revision="v 1")
    assert str(refused.value) == (
        "nobody/nothing: there is no such folder, no network to the hub (HF_HUB_OFFLINE is set), and it is not in the "
        "cache. Name a folder, or download it where there is a network, and copy it here: hf download nobody/nothing "
        "--revision 'v 1' --include '*.json' --include '*.safetensors' --include '*.txt' --include '*.model' --include README.md "
        "--local-dir nothing"
    )
    with pytest.raises(ModelError, match="no such folder, and it is no hub id either"):
        load_classifier("not a model")
    with pytest.raises(ModelError, match="./not/a/model: there is no such folder$"):
        load_classifier("./not/a/model")


def test_broken_weights_are_named(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=str(folder)):
        load_classifier(str(folder))


def test_a_missing_tokenizer_is_named(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    for path in folder.glob("*token*"):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        load_classifier(str(folder))


def test_generic_names_are_known_as_such_and_can_be_given(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    change_config(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id={"LABEL_0": 0, "LABEL_1": 1})
    model = load_classifier(str(folder))
    assert not model.has_class_names
    assert named(model, ["bad", "good"]).classes == ["bad", "good"]
    with pytest.raises(ModelError, match="2 outputs, and there are 3"):
        named(model, ["a", "b", "c"])
    with pytest.raises(ModelError, match="names of its own"):
        named(load_classifier(demo.path("teacher")), ["bad", "good"])


def test_a_maximum_length_past_the_positions_is_refused(demo):
    model = load_classifier(demo.path("teacher"))
    assert model.encoding().max_length == 128
    with pytest.raises(ModelError, match="128 tokens at most, and --max-length is 129"):
        model.encoding(129)


def test_positions_that_roberta_keeps_for_padding_are_not_counted(demo, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(demo.path("teacher"))
    tokenizer.model_max_length = 10_000
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=34, pad_token_id=1, id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1},
    )  # fmt: skip
    Roberta(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert load_classifier(str(tmp_path)).longest == 32


def test_chosen_layers_are_those_of_the_larger_model(demo):
    source = demo.path("start-teacher")
    whole = load_start(source, classes=["a", "b"]).module
    part = load_start(f"{source}#layers=1", classes=["a", "b"]).module
    assert part.config.num_hidden_layers == 1
    assert len(part.bert.encoder.layer) == 1
    for ours, theirs in zip(
        part.bert.encoder.layer[0].parameters(), whole.bert.encoder.layer[1].parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("layers", ["2", "0,0", "0,5"])
def test_layers_that_do_not_exist_are_refused(demo, layers):
    with pytest.raises(ModelError, match="has the layers 0 to 1"):
        load_start(f"{demo.path('start-teacher')}#layers={layers}", classes=["a", "b"])


def test_layers_that_are_no_numbers_are_refused_before_anything_is_loaded(demo):
    source = demo.path("start-teacher")
    with pytest.raises(ModelError, match=f"as {source}#layers=1,3,5"):
        load_start(f"{source}#layers=first", classes=["a", "b"])


def test_a_head_for_other_classes_is_made_anew_and_the_encoder_kept(demo):
    source = demo.path("teacher")
    same = load_start(source, classes=["negative", "positive"]).module
    other = load_start(source, classes=["bad", "good"]).module
    more = load_start(source, classes=["bad", "so-so", "good"])
    trained = load_classifier(source).module
    assert torch.equal(same.classifier.weight, trained.classifier.weight)
    assert not torch.equal(other.classifier.weight, trained.classifier.weight)
    assert more.module.classifier.out_features == 3
    assert more.classes == ["bad", "so-so", "good"]
    for module in (same, other, more.module):
        assert torch.equal(
            module.bert.embeddings.word_embeddings.weight, trained.bert.embeddings.word_embeddings.weight
        )


def test_a_new_head_depends_on_the_seed_alone(demo):
    heads = [
        load_start(demo.path("teacher"), classes=["x", "y"], seed=seed).module.classifier.weight for seed in (1, 1, 2)
    ]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_an_encoder_with_missing_weights_is_refused_as_a_start(demo, tmp_path):
    folder = copy(demo, "start-teacher", tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="incomplete"):
        load_start(str(folder), classes=["a", "b"])


def test_what_is_saved_loads_with_plain_transformers(demo, tmp_path):
    model = load_start(demo.path("teacher"), classes=["bad", "good"])
    save_classifier(model, tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path)
    assert loaded.config.id2label == {0: "bad", 1: "good"}
    assert not list(tmp_path.glob("*.bin"))
    assert torch.equal(loaded.classifier.weight, model.module.classifier.weight)


def test_the_hash_of_the_weights_follows_every_weight(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    before = load_classifier(str(folder)).weights_sha256()
    assert load_classifier(demo.path("teacher")).weights_sha256() == before
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_classifier(str(folder)).weights_sha256() != before


def make_decoder(folder, demo, **changes):
    tokenizer = AutoTokenizer.from_pretrained(demo.path("teacher"))
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=8, n_layer=3, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=3,
        id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1},
    )  # fmt: skip
    GPT2ForSequenceClassification(config).save_pretrained(folder)
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_layers_of_a_decoder_get_their_new_places(demo, tmp_path):
    part = load_start(f"{make_decoder(tmp_path / 'whole', demo)}#layers=0,2", classes=["a", "b"])
    save_classifier(part, tmp_path / "part")
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        saved = load_classifier(str(tmp_path / "part")).module(input_ids=ids).logits
        assert torch.allclose(part.module(input_ids=ids).logits, saved, atol=1e-6)


def test_class_names_that_do_not_count_from_zero_are_refused(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    change_config(folder, id2label={"1": "bad", "2": "good"}, label2id={"bad": 1, "good": 2})
    with pytest.raises(ModelError, match=r"id2label has the keys \[1, 2\]"):
        load_classifier(str(folder))


def test_a_configuration_of_wrong_types_is_named(demo, tmp_path):
    folder = copy(demo, "teacher", tmp_path)
    change_config(folder, num_hidden_layers="many")
    with pytest.raises(ModelError, match="configuration cannot be used"):
        load_classifier(str(folder))
