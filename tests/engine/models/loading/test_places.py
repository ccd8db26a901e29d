"""A path that is no whole model is refused for what it is, with where the model may be."""

import json
import re
import shlex
import shutil
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from store_factory import make_store
from tiny_models import change_config, logits_alone, save, texts

from engine.errors import ModelError
from engine.models.classifier import load_classifier
from engine.models.initialize import load_start
from store.storage import LocalStorage

TEXTS = texts(4)


def refusal_of(place):
    with pytest.raises(ModelError) as refused:
        load_classifier(str(place))
    return str(refused.value)


def test_a_training_that_is_not_finished_is_no_model_yet(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    said = "there is no config.json; a training was begun there and is not finished: run its command again, which goes"
    assert said in refusal_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.Q8.gguf", "it is a GGUF model and no folder; a model is a folder with config.json"),
        ("lid.ftz", "it is a model of fastText and no folder"),
        ("model.pkl", "it is a pickled model, as of scikit-learn and no folder"),
        ("notes.txt", "it is a file and no folder"),
        ("a b.tar.gz", "it is an archive; unpack it and name the folder that is in it: tar -xf "),
        ("m.zip", "unzip "),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"x")
    assert f"{tmp_path / name}: " in refusal_of(tmp_path / name)
    assert words in refusal_of(tmp_path / name)


def test_of_a_file_of_a_model_the_folder_is_named(tmp_path):
    place = save(tmp_path / "m")
    assert refusal_of(tmp_path / "m/model.safetensors").endswith(f"it is a file of a model; name its folder: {place}")


def test_models_below_a_folder_are_named_and_can_be_loaded(tmp_path):
    for step in (500, 1000):
        save(tmp_path / f"run/checkpoint-{step}")
    (tmp_path / "run/1_Pooling").mkdir()
    (tmp_path / "run/1_Pooling/config.json").write_text("{}")
    message = refusal_of(tmp_path / "run")
    assert "there is no config.json; below it there are models: name " in message
    named = message.partition(": name ")[2].split(", ")
    assert sorted(named) == [str(tmp_path / f"run/checkpoint-{step}") for step in (1000, 500)]
    assert load_classifier(named[0]).folder == tmp_path / named[0]
    save(tmp_path / "hub/models--a--b/snapshots/abc")
    assert refusal_of(tmp_path / "hub").endswith(f"is a model: name {tmp_path / 'hub/models--a--b/snapshots/abc'}")


def test_what_a_folder_without_a_configuration_holds_is_named(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"x")
    assert "; model.pkl is a pickled model, as of scikit-learn, and a model is a folder with" in refusal_of(tmp_path)


def test_a_tokenizer_that_is_near_is_copied_by_the_command(tmp_path):
    place = save(tmp_path / "all/model")
    (tmp_path / "all/tokenizer").mkdir()
    for file in (tmp_path / "all/model").glob("token*"):
        shutil.move(file, tmp_path / "all/tokenizer")
    message = refusal_of(place)
    assert (
        f"has no tokenizer: none of tokenizer.json, vocab.txt, vocab.json, *.model is there; if it is that of {tmp_path}"
        in message
    )
    subprocess.run(message[message.index("cp ") :], shell=True, check=True)
    assert load_classifier(place).classes


def test_a_model_without_a_tokenizer_names_the_one_that_it_was_trained_from(tmp_path):
    place = save(tmp_path / "m")
    base = save(tmp_path / "elsewhere/base")
    for file in (tmp_path / "m").glob("token*"):
        file.unlink()
    change_config(place, _name_or_path=base)
    message = refusal_of(place)
    words = shlex.split(message[message.index("python -c") :])
    exec(compile(words[2], "the remedy", "exec"), {})
    assert load_classifier(place).classes
    for kind in ("CanineTokenizer", "ByT5Tokenizer"):
        for file in (tmp_path / "m").glob("token*"):
            file.unlink()
        (tmp_path / "m/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))
        assert f"a {kind} has none, and only fast tokenizers are supported" in refusal_of(place)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-100], r"has [\d,]+ bytes and should have [\d,]+ at least: copy or fetch it again"),
        (lambda data: data[:100], r"has 100 bytes and should have [\d,]+ at least: copy or fetch it again"),
        (lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "fetch it: git lfs pull$"),
        (lambda data: b"", r"is no file of safetensors; copy or fetch it again"),
        (lambda data: b"\xff" * 64, r"is no file of safetensors; copy or fetch it again"),
    ],
)
def test_weights_that_are_cut_off_or_a_pointer_are_named(tmp_path, change, words):
    place = save(tmp_path / "m")
    file = tmp_path / "m/model.safetensors"
    file.write_bytes(change(file.read_bytes()))
    assert re.search(rf"model\.safetensors {words}" if "pull" not in words else words, refusal_of(place))


def test_a_missing_part_of_the_weights_is_named(tmp_path):
    place = save(tmp_path / "m")
    weights = load_file(tmp_path / "m/model.safetensors")
    (tmp_path / "m/model.safetensors").unlink()
    some = dict(list(weights.items())[:3])
    save_file(some, tmp_path / "m/model-00001-of-00002.safetensors", metadata={"format": "pt"})
    index = {name: f"model-0000{1 + (name not in some)}-of-00002.safetensors" for name in weights}
    (tmp_path / "m/model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    assert "lacks model-00002-of-00002.safetensors of its weights; copy or fetch all" in refusal_of(place)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("parts", [1, 2])
def test_pickled_weights_with_a_prefix_are_converted_with_all_of_them(tmp_path, prefix, parts):
    """transformers would find none of them, and save random ones without an error."""
    place = save(tmp_path / "m")
    expected = logits_alone(place, TEXTS)
    weights = {prefix + name: tensor for name, tensor in load_file(tmp_path / "m/model.safetensors").items()}
    (tmp_path / "m/model.safetensors").unlink()
    for part in range(parts):
        name = "pytorch_model.bin" if parts == 1 else f"pytorch_model-0000{part + 1}-of-00002.bin"
        torch.save(dict(list(weights.items())[part::parts]), tmp_path / "m" / name)
    message = refusal_of(place)
    exec(compile(shlex.split(message[message.index("python -c") :])[2], "the remedy", "exec"), {})
    model = load_classifier(place)
    model.module.save_pretrained(tmp_path / "saved")
    model.tokenizer.save_pretrained(tmp_path / "saved")
    assert np.allclose(logits_alone(tmp_path / "saved", TEXTS), expected, atol=1e-5)
    load_start(place, classes=("a", "b"))


def test_a_checkpoint_of_deepspeed_is_put_together_by_its_script_or_converted(tmp_path):
    place = save(tmp_path / "m")
    expected = logits_alone(place, TEXTS)
    step = tmp_path / "m/global_step5"
    step.mkdir()
    torch.save({"module": load_file(tmp_path / "m/model.safetensors")}, step / "mp_rank_00_model_states.pt")
    (tmp_path / "m/model.safetensors").unlink()
    message = refusal_of(place)
    exec(compile(shlex.split(message[message.index("python -c") :])[2], "the remedy", "exec"), {})
    assert np.allclose(logits_alone(place, TEXTS), expected, atol=1e-5)
    (tmp_path / "m/model.safetensors").unlink()
    (tmp_path / "m/zero_to_fp32.py").write_text("")
    assert refusal_of(place).endswith(f"by: python {place}/zero_to_fp32.py {place} {place} --safe_serialization")


@pytest.mark.parametrize("changes", [{"return_dict": False}, {"attn_implementation": "flash_attention_2"}])
def test_settings_of_another_machine_or_caller_change_no_logits(tmp_path, changes):
    place = save(tmp_path / "m")
    expected = logits_alone(place, TEXTS)
    change_config(place, **changes)
    model = load_classifier(place)
    model.module.save_pretrained(tmp_path / "saved")
    model.tokenizer.save_pretrained(tmp_path / "saved")
    assert np.allclose(logits_alone(tmp_path / "saved", TEXTS), expected, atol=1e-5)


def test_a_vocabulary_of_another_size_is_named_with_the_right_one(tmp_path):
    place = save(tmp_path / "m")
    size = load_classifier(place).module.config.vocab_size
    change_config(place, vocab_size=size + 7)
    for load in (load_classifier, lambda where: load_start(where, classes=("a", "b"))):
        with pytest.raises(
            ModelError, match=f'if nothing else is wrong, write "vocab_size": {size} into its config.json'
        ):
            load(place)
    change_config(place, vocab_size=size)
    load_classifier(place)


def test_code_of_its_own_and_models_of_no_text_are_refused_for_it(tmp_path):
    place = save(tmp_path / "m")
    change_config(place, model_type="their-own", auto_map={"AutoConfig": "x.Y"})
    assert "is computed by code of its own (auto_map in its config.json), which is not run" in refusal_of(place)
    change_config(place, model_type="vit", auto_map={})
    assert "is a vit, and transformers has no classifier of texts of that kind" in refusal_of(place)


def test_a_peft_model_saved_whole_is_named_with_the_way(tmp_path):
    place = save(tmp_path / "m")
    file = tmp_path / "m/model.safetensors"
    weights = load_file(file)
    weights["base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.default.weight"] = torch.zeros(2, 2)
    save_file(weights, file, metadata={"format": "pt"})
    assert "call model.merge_and_unload().save_pretrained(FOLDER), and name that folder" in refusal_of(place)


def test_of_a_path_that_is_misspelt_the_models_near_it_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("teacher", "runs/teacher", "runs/student"):
        save(tmp_path / name)
    (tmp_path / "teacher2").mkdir()  # no model
    near = "; near it there is the model"
    assert refusal_of("techer") == f"techer: there is no such folder, and no network to the hub{near} teacher"
    assert refusal_of("./techer") == f"./techer: there is no such folder{near} teacher"
    assert refusal_of(tmp_path / "runs/studnt").endswith(f"no such folder{near} {tmp_path / 'runs/student'}")
    assert refusal_of("rnus/teacher").endswith(f"no network to the hub{near} runs/teacher")
    other = refusal_of("runs/mine")
    assert "hf download" not in other
    assert sorted(other.partition("are the models ")[2].split(", ")) == ["runs/student", "runs/teacher"]
    assert refusal_of("a/b/c") == "a/b/c: there is no such folder"
    assert "hf download nobody/nothing" in refusal_of("nobody/nothing")  # nothing local is like it


def test_a_store_in_the_place_of_a_model_is_named(tmp_path):
    make_store(LocalStorage(tmp_path / "s"))
    assert refusal_of(tmp_path / "s").endswith(
        "there is no config.json; it is a store and no model: name a folder that `engine finetune` or `engine train` "
        "wrote (--out)"
    )
