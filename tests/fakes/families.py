"""Small classifiers of ten families, with weights so large that a wrong token, position or mask shows in the logits."""

from pathlib import Path

import numpy as np
import torch
import transformers

from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.encoder import Encoder
from engine.models.classifier import Classifier
from engine.tokens.tokens import Tokens

VOCABULARY = 300
LONGEST = 512
_SIZE = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 64, "num_labels": 3,
}  # fmt: skip
_ROBERTA = {"max_position_embeddings": 514, "pad_token_id": 1}
_OWN = {
    "Bert": {},
    "Roberta": _ROBERTA,
    "XLMRoberta": _ROBERTA,
    "Camembert": _ROBERTA,
    "Electra": {"embedding_size": 16},
    "ModernBert": {
        "local_attention": 16, "global_attn_every_n_layers": 3, "max_position_embeddings": 512, "pad_token_id": 0,
        "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
    },
    "DistilBert": {},
    "MPNet": {"max_position_embeddings": 514},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 32},
    "Albert": {"embedding_size": 16},
}  # fmt: skip
FAMILIES = tuple(_OWN)
PACKED_FAMILIES = FAMILIES[:6]


def make(family, *, seed=0, **changes):
    """A module in evaluation mode."""
    size = dict(_SIZE)
    if family == "DistilBert":
        size = {"vocab_size": VOCABULARY, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "num_labels": 3}
    config = getattr(transformers, f"{family}Config")(**{**size, **_OWN[family], **changes})
    module = getattr(transformers, f"{family}ForSequenceClassification")(config).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.15)
    return module


def classifier(module):
    """As `engine.models.classifier.load_classifier` gives it, but for what lies on a disk."""
    names = [f"class {number}" for number in range(module.config.num_labels)]
    return Classifier(source="small", revision=None, folder=Path(), module=module, tokenizer=None, classes=names)


def workload(longest=LONGEST):
    """To be computed on the CPU in fp32."""
    return Workload(longest=longest, device=torch.device("cpu"))


def encoder(module, *, budget=4096, backend=None):
    """An `Encoder` on the CPU, with the backend that the probe finds if none is given."""
    backend = backend or choose_backend(module, workload())
    return Encoder(classifier(module), device=torch.device("cpu"), budget=budget, backend=backend, longest=LONGEST)


def made_up(lengths, *, seed=0):
    """Rows of random tokens, none of which is padding or special."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(seed).integers(5, VOCABULARY, offsets[-1]).astype(np.uint16)
    return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(len(lengths), np.bool_))


def chosen(tokens, rows):
    """The tokens of some rows, in another order."""
    ids = [tokens.row(row) for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
    return Tokens(ids=np.concatenate(ids), offsets=offsets, truncated=tokens.truncated[rows])


def alone(module, tokens):
    """(rows, classes) logits by plain transformers, one row at a time."""
    with torch.inference_mode():
        rows = [torch.from_numpy(tokens.row(row).astype(np.int64))[None] for row in range(len(tokens.truncated))]
        return torch.cat([module(input_ids=row).logits for row in rows]).numpy()
