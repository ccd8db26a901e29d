"""Texts → a small BERT with random weights and its own tokenizer, saved as transformers saves models.

The demo and the tests begin with such models, so that they need no hub.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from engine.models.files import quiet_transformers


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of a small BERT.

    Attributes:
        hidden: width.
        layers: depth.
        heads: attention heads a layer.
        positions: tokens a row at most.
    """

    hidden: int
    layers: int
    heads: int
    positions: int = 128


def make_tokenizer(texts: Iterable[str], *, vocab_size: int, positions: int) -> BertTokenizerFast:
    """A WordPiece tokenizer, trained on ``texts``."""
    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(texts, vocab_size=vocab_size, min_frequency=1, show_progress=False)
    return BertTokenizerFast(tokenizer_object=trained._tokenizer, model_max_length=positions)


def make_model(
    folder: Path, tokenizer: BertTokenizerFast, shape: Shape, *, classes: Sequence[str], seed: int = 0
) -> Path:
    """Save a BERT of ``shape`` with random weights into ``folder``, with ``tokenizer``; ``folder`` itself."""
    quiet_transformers()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=shape.positions,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
    )
    torch.manual_seed(seed)
    BertForSequenceClassification(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder
