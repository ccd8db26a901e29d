"""Folders that a PEFT training leaves: merged where the package is installed, else refused with the way to merge."""

import builtins
import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from tiny_models import bert, change_config, logits_alone, save, spread, texts, tokenizer

from engine.errors import ModelError
from engine.models.classifier import load_classifier
from engine.models.initialize import load_start

TEXTS = texts(6)


@pytest.fixture
def bare(tmp_path):
    """An adapter's folder, with nothing in it that is right."""
    folder = tmp_path / "adapter"
    tokenizer().save_pretrained(folder)
    settings = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "someone/base", "r": 4}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    save_file({"base_model.model.x.lora_A.weight": torch.zeros(4, 16)}, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def without_peft(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "peft":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize("with_config", [False, True])
def test_without_the_package_the_message_has_both_ways(bare, without_peft, with_config):
    if with_config:
        bert().config.save_pretrained(bare)
    with pytest.raises(
        ModelError, match=r"PEFT adapter.*base \(someone/base\).*pip install 'softlabel-engine\[peft\]'"
    ):
        load_classifier(str(bare))
    with pytest.raises(ModelError, match=r"merge_and_unload\(\)\.save_pretrained"):
        load_classifier(str(bare))


def test_a_base_that_is_not_there_is_named_with_its_adapter(bare):
    pytest.importorskip("peft")
    with pytest.raises(ModelError, match="PEFT adapter, and its base is not there: someone/base: .*Or merge it"):
        load_classifier(str(bare))


def test_a_training_does_not_begin_with_an_adapter(bare):
    with pytest.raises(ModelError, match="PEFT adapter, and a training begins with a whole model; merge it"):
        load_start(str(bare), classes=["a", "b"])


def test_a_whole_model_beside_an_adapter_is_ambiguous(bare):
    save(bare)
    with pytest.raises(ModelError, match="a whole model beside those of a PEFT adapter.*remove adapter_config.json"):
        load_classifier(str(bare))


def test_an_adapter_of_another_task_is_refused(bare):
    change_config(bare, file="adapter_config.json", task_type="CAUSAL_LM")
    with pytest.raises(ModelError, match="adapter of someone/base for CAUSAL_LM; one of a sequence classifier"):
        load_classifier(str(bare))


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "PREFIX_TUNING"])
def test_an_adapter_that_cannot_be_merged_is_named(bare, kind):
    settings = json.loads((bare / "adapter_config.json").read_text())
    (bare / "adapter_config.json").write_text(json.dumps({**settings, "peft_type": kind}))
    with pytest.raises(ModelError, match=f"an adapter of the kind {kind}, .* cannot be merged into a model"):
        load_classifier(str(bare))


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_with_added_tokens_is_merged_into_a_longer_table(tmp_path):
    peft = pytest.importorskip("peft")
    config = transformers.RobertaConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    )
    base = tmp_path / "base"
    tokens = tokenizer()
    config.vocab_size = len(tokens)
    spread(transformers.RobertaForMaskedLM(config)).save_pretrained(base)
    tokens.save_pretrained(base)
    start = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    tokens.add_tokens(["[X]", "[Y]"])
    start.resize_token_embeddings(len(tokens))
    adapted = peft.get_peft_model(start, peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])).eval()
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    tokens.save_pretrained(tmp_path / "adapter")
    model = load_classifier(str(tmp_path / "adapter"))
    ids = torch.tensor([[2, 7, len(tokens) - 1, 9, 3]])
    with torch.inference_mode():
        assert torch.allclose(model.module(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["Bert", "Roberta"])
def test_with_the_package_an_adapter_is_merged_as_transformers_would(tmp_path, kind):
    """Of BERT the pooler was new when the adapter was trained, and peft does not save it unless it is told to."""
    peft = pytest.importorskip("peft")
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    )
    base = tmp_path / "base"
    spread(getattr(transformers, f"{kind}ForMaskedLM")(config)).save_pretrained(base)
    tokenizer().save_pretrained(base)
    start = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, target_modules=["query", "value"])
    adapted = peft.get_peft_model(start, lora).eval()
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.3)
    adapted.save_pretrained(tmp_path / "adapter")
    if kind == "Bert":
        with pytest.raises(ModelError, match="pooler.dense.weight are neither in the adapter nor in its base"):
            load_classifier(str(tmp_path / "adapter"))
        return
    model = load_classifier(str(tmp_path / "adapter"))
    assert model.classes == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert model.base == base
    model.module.save_pretrained(tmp_path / "merged")
    model.tokenizer.save_pretrained(tmp_path / "merged")
    ids = torch.tensor([[2, 7, 8, 9, 3]])
    with torch.inference_mode():
        assert torch.allclose(model.module(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-5)
    merged = load_classifier(str(tmp_path / "merged"))
    assert merged.weights_sha256() != model.weights_sha256()
    assert np.isfinite(logits_alone(tmp_path / "merged", TEXTS)).all()
