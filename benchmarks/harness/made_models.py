"""A BERT-shaped classifier with random weights, made where nothing can be downloaded: for speed, not for accuracy."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

CLASSES = ("negative", "positive")
_SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
_SPREAD = 0.2
# Twice BERT's in a BERT-base: with BERT's own, attention is flat and the first token hardly sees the others.
_WEIGHTS = 1.1


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of an encoder.

    Attributes:
        layers: how many.
        width: of the hidden states.
        heads: of attention.
        inner: width inside a layer's feed-forward part.
    """

    layers: int
    width: int
    heads: int
    inner: int

    def flops(self, length: float, square: float) -> float:
        """Floating-point operations of one text: the whole of every layer, biases and norms not counted.

        Args:
            length: tokens; their mean, for the mean.
            square: its square; the mean of the squares, for the mean.
        """
        linears = 2 * length * (4 * self.width**2 + 2 * self.width * self.inner)
        return self.layers * (linears + 4 * square * self.width)


SHAPES = {
    "tiny": Shape(layers=2, width=64, heads=2, inner=256),
    "bert-small": Shape(layers=4, width=512, heads=8, inner=2048),
    "bert-base": Shape(layers=12, width=768, heads=12, inner=3072),
}


def make_teacher(folder: Path, shape: Shape, tokenizer: Any) -> Path:
    """A classifier of two classes in ``folder``; the same one every time."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=shape.layers,
        hidden_size=shape.width,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=_WEIGHTS / shape.width**0.5,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: index for index, name in enumerate(CLASSES)},
    )
    module = BertForSequenceClassification(config).eval()
    _spread_logits(module, tokenizer)
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _spread_logits(module: Any, tokenizer: Any) -> None:
    """Scale the head so that both classes are predicted: random weights give all texts nearly the same logits.

    Rounding errors grow with it. Against how far the logits of two texts are apart, they are larger than in a trained
    model.
    """
    ids = torch.randint(len(tokenizer), (24, 96))
    ids[:, 0], ids[:, -1] = tokenizer.cls_token_id, tokenizer.sep_token_id
    with torch.inference_mode():
        logits = module(input_ids=ids).logits
    scale = _SPREAD / logits.std(dim=0)
    with torch.no_grad():
        module.classifier.weight *= scale[:, None]
        module.classifier.bias.copy_((module.classifier.bias - logits.mean(dim=0)) * scale)


def read_tokenizer(folder: str) -> Any:
    """The tokenizer in ``folder``."""
    return AutoTokenizer.from_pretrained(folder)


def make_tokenizer(words: Sequence[str]) -> Any:
    """A WordPiece tokenizer as BERT has it, whose vocabulary is ``words`` and single letters."""
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    vocabulary = {word: index for index, word in enumerate([*_SPECIAL.values(), *letters, *words])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=_SPECIAL["unk_token"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **_SPECIAL)
