"""Folders as they come: whole and understood, or refused with a remedy that works."""

import json
import logging
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_models import SIZES, VOCABULARY, bert, change_config, logits_alone, save, spread, texts, tokenizer

from engine.errors import ModelError
from engine.models.classifier import load_classifier
from engine.models.initialize import load_start
from engine.models.loading import vocabulary
from engine.models.loading.weights import shared_prefix

TEXTS = texts(6)


def rewrite(folder, change):
    """Change the weights of a model by name."""
    file = Path(folder) / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def logits(folder):
    model = load_classifier(folder)
    encoding = model.encoding()
    rows = [torch.from_numpy(encoding.encode([text]).ids.astype(np.int64))[None] for text in TEXTS]
    with torch.inference_mode():
        return np.stack([model.module(input_ids=row).logits[0].numpy() for row in rows])


def run_command(message):
    """Carry out the ``python -c`` command of a message, in this process."""
    words = shlex.split(message[message.index("python -c") :])
    exec(compile(words[2], "the remedy", "exec"), {})


def lone_pickle(folder, *, architectures=True):
    place = save(folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    if not architectures:
        change_config(place, architectures=None)
    return place


# prefixes


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "base_model.model.", "module._orig_mod."])
def test_a_prefix_that_all_weights_share_is_left_out_and_said(tmp_path, prefix, caplog):
    place = save(tmp_path / "m")
    before = logits(place)
    rewrite(place, lambda weights: {prefix + name: tensor for name, tensor in weights.items()})
    with caplog.at_level(logging.INFO, "engine"):
        assert np.allclose(logits(place), before, atol=1e-5)
    assert f"begin with {prefix!r}, which was left out" in caplog.text
    start = load_start(place, classes=["negative", "positive"])
    assert torch.equal(start.module.classifier.weight, load_classifier(place).module.classifier.weight)


def test_a_prefix_of_some_weights_or_one_that_is_the_models_own_stays(tmp_path, caplog):
    place = save(tmp_path / "m")
    rewrite(place, lambda weights: {("module." if "layer.0" in n else "") + n: t for n, t in weights.items()})
    assert shared_prefix(Path(place)) == ""
    with pytest.raises(ModelError, match="encoder.layer.0"):
        load_classifier(place)
    config = transformers.LlamaConfig(vocab_size=len(VOCABULARY), num_key_value_heads=2, pad_token_id=0, **SIZES)
    spread(transformers.LlamaForCausalLM(config)).save_pretrained(tmp_path / "lm")
    rewrite(tmp_path / "lm", lambda weights: {n: t for n, t in weights.items() if n.startswith("model.")})
    tokenizer().save_pretrained(tmp_path / "lm")
    with caplog.at_level(logging.INFO, "engine"):
        load_start(str(tmp_path / "lm"), classes=["a", "b"])
    assert "left out" not in caplog.text
    with pytest.raises(ModelError, match=r"score\.weight are not in its weights, those of a LlamaForCausalLM"):
        load_classifier(str(tmp_path / "lm"))


# weights that are not finite


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    place = save(tmp_path / "m")

    def poison(weights):
        weights["classifier.weight"][0, 0] = weights["bert.pooler.dense.bias"][1] = value
        return weights

    rewrite(place, poison)
    with pytest.raises(ModelError, match=r"2 of its tensors are not finite.*pooler\.dense\.bias, classifier\.weight"):
        load_classifier(place)
    with pytest.raises(ModelError, match="not finite"):
        load_start(place, classes=["negative", "positive"])


def test_large_weights_and_embeddings_of_single_tokens_are_no_reason_to_refuse(tmp_path):
    place = save(tmp_path / "m")

    def change(weights):
        weights["bert.embeddings.word_embeddings.weight"][7] = float("nan")
        weights["classifier.weight"][:] = 1e20
        return weights

    rewrite(place, change)
    assert load_classifier(place).classes == ["negative", "positive"]


# quantised weights


@pytest.mark.parametrize("method", ["gptq", "bitsandbytes", "awq", "compressed-tensors", "fp8", "nobody-knows"])
def test_quantised_weights_are_refused_with_their_method(tmp_path, method):
    place = save(tmp_path / "m")
    change_config(place, quantization_config={"quant_method": method, "bits": 4, "load_in_4bit": True})
    for load in (load_classifier, lambda place: load_start(place, classes=["a", "b"])):
        with pytest.raises(ModelError) as refusal:
            load(place)
        assert f"quantised ({method}" in str(refusal.value)
        assert "model.dequantize()" in str(refusal.value)
        assert "\n" not in str(refusal.value)


# other kinds of files


@pytest.mark.parametrize("architectures", [True, False])
def test_pickled_weights_are_refused_with_a_command_that_converts_them(tmp_path, architectures):
    place = lone_pickle(tmp_path / "m", architectures=architectures)
    with pytest.raises(ModelError, match="no safetensors weights; pytorch_model.bin.*can run code") as refusal:
        load_classifier(place)
    run_command(str(refusal.value))
    assert np.allclose(logits(place), logits_alone(place, TEXTS), atol=1e-5)


def test_a_class_name_that_is_no_class_gets_into_no_command(tmp_path):
    place = lone_pickle(tmp_path / "m")
    change_config(place, architectures=["x'; import os; os.system('true') #"])
    with pytest.raises(ModelError) as refusal:
        load_classifier(place)
    assert "os.system" not in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("model.onnx", "an ONNX model"),
        ("onnx/model.onnx", "an ONNX model"),
        ("tf_model.h5", "weights of TensorFlow"),
        ("flax_model.msgpack", "weights of Flax"),
        ("model.Q4_K_M.gguf", "a GGUF model"),
        ("training_args.bin", "pickled ones can run code"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path, file, kind):
    place = save(tmp_path / "m")
    (tmp_path / "m/model.safetensors").unlink()
    (tmp_path / "m" / file).parent.mkdir(exist_ok=True)
    (tmp_path / "m" / file).write_bytes(b"x")
    with pytest.raises(ModelError, match=f"no safetensors weights.*{kind}.*save_pretrained"):
        load_classifier(place)


# tokenizers


def test_tokens_without_an_embedding_are_refused_with_a_command_that_gives_them_one(tmp_path):
    longer = tokenizer()
    longer.add_tokens(["[X]", "[Y]"])
    place = save(tmp_path / "m", tokens=longer)
    size = len(VOCABULARY)
    with pytest.raises(ModelError, match=rf"{size + 2} tokens and the model {size} embeddings") as refusal:
        load_classifier(place)
    before = logits(save(tmp_path / "short"))
    run_command(str(refusal.value))
    assert load_classifier(place).module.get_input_embeddings().num_embeddings == size + 2
    assert np.allclose(logits(place), before, atol=1e-5)


def test_a_sentencepiece_file_alone_names_the_packages_that_read_it(tmp_path, monkeypatch):
    place = save(tmp_path / "m")
    for file in (tmp_path / "m").glob("tok*"):
        file.unlink()
    (tmp_path / "m/spm.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>" + bytes(64))
    monkeypatch.setattr(vocabulary, "_PIECES", ("a_package_that_nobody_has",))
    with pytest.raises(ModelError, match=r"spm\.model.*sentencepiece.*pip install 'softlabel-engine\[sentencepiece\]'"):
        load_classifier(place)
    monkeypatch.setattr(vocabulary, "_PIECES", ())
    (tmp_path / "m/spm.model").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="its tokenizer has no words: what a BertTokenizer reads is not there"):
        load_classifier(place)


def test_a_sentencepiece_file_alone_is_read_with_its_packages(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    pytest.importorskip("google.protobuf")
    (tmp_path / "text").write_text("\n".join(texts(200)), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "spm"), vocab_size=40, pad_id=0, unk_id=1, bos_id=2,
        eos_id=3, pad_piece="[PAD]", unk_piece="[UNK]", bos_piece="[CLS]", eos_piece="[SEP]", minloglevel=2,
    )  # fmt: skip
    config = transformers.DebertaV2Config(vocab_size=80, pad_token_id=0, **SIZES)
    place = save(tmp_path / "m", spread(transformers.DebertaV2ForSequenceClassification(config)))
    for file in (tmp_path / "m").glob("tok*"):
        file.unlink()
    (tmp_path / "spm.model").rename(tmp_path / "m/spm.model")
    assert np.allclose(logits(place), logits_alone(place, TEXTS), atol=1e-5)


# whatever a library raises


@pytest.mark.parametrize("error", [ImportError, AttributeError, NotImplementedError, AssertionError, IndexError])
def test_no_error_of_a_library_leaves_as_a_traceback(tmp_path, monkeypatch, error):
    place = save(tmp_path / "m")

    def fail(*_, **__):
        raise error("\nsomething is odd\nand more lines of it")

    for loaded, said in (
        (transformers.AutoConfig, "configuration cannot be used"),
        (transformers.AutoModelForSequenceClassification, "cannot be loaded as a sequence classifier"),
        (transformers.AutoTokenizer, "tokenizer cannot be loaded"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(loaded, "from_pretrained", fail)
            with pytest.raises(ModelError, match=f"{said}: something is odd$"):
                load_classifier(place)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_said_in_a_line(tmp_path, monkeypatch, error):
    place = save(tmp_path / "m")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", fail)
    with pytest.raises(ModelError, match="there is too little memory$"):
        load_classifier(place)


def test_a_configuration_that_is_no_object_is_named(tmp_path):
    place = save(tmp_path / "m")
    for broken in ("[]", "{", json.dumps({"model_type": "nothing"}), "\x00"):
        (tmp_path / "m/config.json").write_text(broken)
        with pytest.raises(ModelError, match="configuration cannot be used"):
            load_classifier(place)


def test_the_hash_of_the_weights_is_that_of_the_files(tmp_path):
    place = save(tmp_path / "m", bert())
    assert len(load_classifier(place).weights_sha256()) == 64
