"""A hub id or a path → a sequence classifier, loaded safely: safetensors only, no code of the model's own.

Says what the model is: its weights' hash, its class names, its encoding. Trains and computes nothing.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from engine.errors import ModelError
from engine.models.batching import vocabulary_size
from engine.models.files import fetch, first_line, weights_sha256
from engine.models.padding import settle_padding
from engine.tokens.encoding import Encoding

DEFAULT_MAX_LENGTH = 512
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_GENERIC = re.compile(r"LABEL_\d+")


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A loaded model.

    Attributes:
        source: hub id or path, as the user gave it.
        revision: of the hub id.
        folder: where its files are.
        module: the transformers model, in evaluation mode.
        tokenizer: the transformers tokenizer, for saving.
        classes: names in the order of its outputs; ``LABEL_0``-style if it has none.
    """

    source: str
    revision: str | None
    folder: Path
    module: Any
    tokenizer: Any
    classes: list[str]

    @property
    def has_class_names(self) -> bool:
        """Whether the names mean anything."""
        return not all(_GENERIC.fullmatch(name) for name in self.classes)

    @property
    def longest(self) -> int:
        """Tokens that the model and its tokenizer can take."""
        limits = [self.tokenizer.model_max_length, _positions(self.module)]
        return int(min(limit for limit in limits if limit is not None))

    def encoding(self, max_length: int | None = None) -> Encoding:
        """How this model's texts become token ids.

        Args:
            max_length: tokens at most; 512, or as many as the model can take, if None.

        Raises:
            ModelError: the model cannot take as many.
        """
        if max_length is None:
            max_length = min(DEFAULT_MAX_LENGTH, self.longest)
        if max_length > self.longest:
            raise ModelError(f"{self.source} takes {self.longest} tokens at most, and --max-length is {max_length}")
        side = self.tokenizer.truncation_side
        backend = self.tokenizer.backend_tokenizer
        return Encoding(backend, max_length=max_length, side=side)

    def weights_sha256(self) -> str:
        """Hash of the weight files."""
        return weights_sha256(self.folder)


def load_classifier(source: str, *, revision: str | None = None) -> Classifier:
    """Load a fine-tuned classifier, for labelling or evaluation.

    Args:
        source: hub id or path.
        revision: branch, tag or commit of a hub id.

    Raises:
        ModelError: it does not exist, has no trained head, one output or several labels a text, or its tokenizer does
            not fit.
    """
    folder = fetch(source, revision)
    config = read_config(source, folder)
    if config.num_labels < 2:
        raise ModelError(
            f"{source} has {config.num_labels} output; a classifier needs one for each of 2 classes or more"
        )
    if config.problem_type == "multi_label_classification":
        raise ModelError(f"{source} gives several labels a text (multi-label); one class a text is needed")
    module, missing = load_module(source, folder, config)
    if missing:
        raise ModelError(
            f"{source} has no trained classification head ({', '.join(missing[:3])} are not in its weights); "
            "fine-tune it first with `engine finetune`"
        )
    return checked(source, revision, folder, module)


def save_classifier(model: Classifier, folder: Path) -> None:
    """Write the model and its tokenizer as transformers reads them, weights as safetensors."""
    model.module.save_pretrained(folder, safe_serialization=True)
    model.tokenizer.save_pretrained(folder)


def named(model: Classifier, names: Sequence[str]) -> Classifier:
    """``model`` with class names for its outputs; it must have none of its own.

    Raises:
        ModelError: it has names, or another number of outputs.
    """
    if len(names) != len(model.classes):
        raise ModelError(f"{model.source} has {len(model.classes)} outputs, and there are {len(names)} class names")
    if model.has_class_names:
        raise ModelError(f"{model.source} has names of its own: {', '.join(model.classes)}")
    return dataclasses.replace(model, classes=list(names))


def parameters(module: Any) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def read_config(source: str, folder: Path, **changes: Any) -> Any:
    """The configuration in ``folder``, with ``changes``.

    Raises:
        ModelError: it cannot be used.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, **changes)
    except (ValueError, OSError, KeyError, TypeError, StrictDataclassError) as error:
        raise ModelError(f"{source}: its configuration cannot be used: {first_line(error)}") from None


def load_module(source: str, folder: Path, config: Any) -> tuple[Any, list[str]]:
    """The model in fp32 on the CPU, and the names of parameters that its files lack.

    Raises:
        ModelError: its files do not make such a model.
    """
    try:
        module, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (ValueError, OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{source} cannot be loaded as a sequence classifier: {first_line(error)}") from None
    mismatched = [entry[0] for entry in info["mismatched_keys"]]
    return module.eval(), sorted([*info["missing_keys"], *mismatched])


def checked(source: str, revision: str | None, folder: Path, module: Any) -> Classifier:
    """``module`` with the tokenizer in ``folder``, when they go together.

    Raises:
        ModelError: the tokenizer is not a fast one, or they do not.
    """
    if not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        raise ModelError(f"{source} has no tokenizer: none of {', '.join(VOCABULARIES)} is there")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, use_fast=True)
    except (ValueError, OSError, KeyError, ImportError, AttributeError) as error:
        raise ModelError(f"{source}: its tokenizer cannot be loaded: {first_line(error)}") from None
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise ModelError(f"{source}: its tokenizer is not a fast one (there is no tokenizer.json)")
    embeddings = vocabulary_size(module)
    if len(tokenizer) > embeddings:
        raise ModelError(
            f"{source}: its tokenizer has {len(tokenizer):,} tokens and the model {embeddings:,} embeddings; "
            "they do not belong together. If tokens were added to the tokenizer, load both with transformers, call "
            "model.resize_token_embeddings(len(tokenizer)), and save both"
        )
    settle_padding(source, module, tokenizer)
    names = module.config.id2label
    if sorted(names) != list(range(module.config.num_labels)):
        raise ModelError(f"{source}: id2label has the keys {sorted(names)}, not 0 to {module.config.num_labels - 1}")
    classes = [str(names[index]) for index in range(module.config.num_labels)]
    return Classifier(
        source=source, revision=revision, folder=folder, module=module, tokenizer=tokenizer, classes=classes
    )


def _positions(module: Any) -> int | None:
    """Rows of the position table that a text can use; None if it has no table."""
    table = getattr(getattr(module.base_model, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        positions = getattr(module.config, "max_position_embeddings", None)
        return None if positions is None or positions < 1 else int(positions)  # XLNet's is -1: any number
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
