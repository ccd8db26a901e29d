"""Small models with random weights, of any architecture that transformers has, and their tokenizers."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = "the food room staff pool was is very too never good great fine bad awful slow and but i not again".split()
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = SPECIALS + WORDS
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def texts(rows, *, words=(1, 3, 8, 30), seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.choice(words))) for _ in range(rows)]


def tokenizer(kind=transformers.PreTrainedTokenizerFast, *, single="[CLS] $A [SEP]", **options):
    """A tokenizer of whole words; ``single`` is how a text is framed, None for not at all."""
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    if single is not None:
        special = [("[CLS]", 2), ("[SEP]", 3)]
        backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return kind(tokenizer_object=backend, **{**names, "mask_token": "[MASK]", "model_max_length": 64, **options})


def bert(classes=2, **options):
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), num_labels=classes, max_position_embeddings=64, **{**SIZES, **options}
    )
    return spread(transformers.BertForSequenceClassification(config))


def sure_bert():
    """A model that is sure of its classes, as a trained one is."""
    model = bert()
    model.classifier.weight.data *= 20
    return model


def spread(model, *, size=0.3, seed=0):
    """``model`` with weights that make its logits differ from text to text."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)
    return model.eval()


def save(folder, model=None, tokens=None, names=("negative", "positive")):
    """A model folder as transformers writes it; its path as text."""
    model = bert(len(names)) if model is None else model
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: number for number, name in enumerate(names)}
    model.save_pretrained(folder)
    (tokenizer() if tokens is None else tokens).save_pretrained(folder)
    return str(folder)


def change_config(folder, *, file="config.json", **changes):
    path = Path(folder) / file
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), encoding="utf-8")


def logits_alone(folder, rows, *, max_length=64):
    """(rows, classes) logits by transformers, one text at a time."""
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        read = [tokens(text, return_tensors="pt", truncation=True, max_length=max_length) for text in rows]
        return np.stack([model(**one).logits[0].numpy() for one in read])
