"""A hub id or a path → a sequence classifier, loaded safely: safetensors only, no code of the model's own.

Says what the model is: its weights' hash, its class names, its encoding. Trains and computes nothing.
"""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from engine.errors import ModelError
from engine.models.batching import vocabulary_size
from engine.models.files import fetch, is_adapter, trained_length, weights_sha256
from engine.models.heads import are_generic, check_names, class_names, refuse_other_heads, spelled_as, task_of
from engine.models.loading.adapters import load_adapted
from engine.models.loading.vocabulary import has_vocabulary, load_tokenizer, refuse_unknown_tokens
from engine.models.loading.weights import Loaded, load_module, other_shape, read_config
from engine.models.padding import settle_padding
from engine.models.saving import save_module
from engine.tokens.encoding import Encoding

DEFAULT_MAX_LENGTH = 512
_NO_LIMIT = int(1e30)  # as transformers says it
_log = logging.getLogger(__name__)


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
        trained_length: maximum length, in tokens, of the training of ours that made it; None if it was made elsewhere.
        base: where the files of its base are, if ``folder`` has an adapter; else None.
    """

    source: str
    revision: str | None
    folder: Path
    module: Any
    tokenizer: Any
    classes: list[str]
    trained_length: int | None = None
    base: Path | None = None

    @property
    def has_class_names(self) -> bool:
        """Whether the names mean anything."""
        return not are_generic(self.classes)

    @property
    def longest(self) -> int:
        """Tokens that the model and its tokenizer can take."""
        # The tokenizer of a model of ours says the length of its training, which is no limit.
        tokenizers = self.tokenizer.model_max_length if self.trained_length is None else _NO_LIMIT
        limits = [tokenizers, _positions(self.module)]
        return int(min(limit for limit in limits if limit is not None))

    @property
    def default_length(self) -> int:
        """Tokens a row, unless the user says: those of its training, or 512, or as many as it can take."""
        return min(self.trained_length or DEFAULT_MAX_LENGTH, self.longest)

    def encoding(self, max_length: int | None = None) -> Encoding:
        """How this model's texts become token ids.

        Args:
            max_length: tokens at most; `default_length` if None.

        Raises:
            ModelError: the model cannot take as many.
        """
        if max_length is None:
            max_length = self.default_length
        if max_length > self.longest:
            raise ModelError(f"{self.source} takes {self.longest} tokens at most, and --max-length is {max_length}")
        side = self.tokenizer.truncation_side
        backend = self.tokenizer.backend_tokenizer
        return Encoding(backend, max_length=max_length, side=side)

    def weights_sha256(self) -> str:
        """Hash of the weight files."""
        return weights_sha256(self.folder, *([self.base] if self.base else []))


def load_classifier(source: str, *, revision: str | None = None) -> Classifier:
    """Load a fine-tuned classifier, for labelling or evaluation.

    Args:
        source: hub id or path.
        revision: branch, tag or commit of a hub id.

    Raises:
        ModelError: it does not exist, has no trained head, one that does not choose a class of a text, or its tokenizer
            does not fit.
    """
    folder = fetch(source, revision)
    if is_adapter(folder):
        loaded, base = load_adapted(source, folder)
        refuse_other_heads(source, loaded.module.config)
    else:
        config = read_config(source, folder)
        refuse_other_heads(source, config)
        loaded, base = load_module(source, folder, config), None
    if loaded.missing:
        raise ModelError(_without_head(source, loaded, base=base))
    return checked(source, revision, folder, loaded.module, base=base)


def save_classifier(model: Classifier, folder: Path, *, max_length: int | None = None) -> None:
    """Write the model and its tokenizer as transformers reads them, weights as safetensors.

    Args:
        model: the classifier.
        folder: where to.
        max_length: tokens a row that it was trained with; `Classifier.default_length` if None.
    """
    length = model.default_length if max_length is None else min(max_length, model.longest)
    save_module(model.module, model.tokenizer, folder, max_length=length)


def named(model: Classifier, names: Sequence[str]) -> Classifier:
    """``model`` with class names for its outputs: in their order, or by name if it has the same ones in other case.

    Raises:
        ModelError: it has other names, or another number of outputs.
    """
    check_names(model.source, model.classes, names)
    return respelled(model, names) if model.has_class_names else dataclasses.replace(model, classes=list(names))


def respelled(model: Classifier, names: Sequence[str]) -> Classifier:
    """``model`` with the spelling of ``names`` if they are its own names in other case; else ``model`` as it is."""
    classes = spelled_as(model.classes, names)
    if classes == model.classes:
        return model
    _log.info("%s: its classes %s are %s here", model.source, ", ".join(model.classes), ", ".join(classes))
    return dataclasses.replace(model, classes=classes)


def parameters(module: Any) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def checked(source: str, revision: str | None, folder: Path, module: Any, *, base: Path | None = None) -> Classifier:
    """``module`` with the tokenizer in ``folder``, or in that of its base, when they go together.

    Raises:
        ModelError: the tokenizer is not a fast one, or they do not.
    """
    place = base if base is not None and not has_vocabulary(folder) else folder
    tokenizer = load_tokenizer(source, place)
    refuse_unknown_tokens(source, place, tokenizer, vocabulary_size(module))
    settle_padding(source, module, tokenizer)
    return Classifier(
        source=source,
        revision=revision,
        folder=folder,
        module=module,
        tokenizer=tokenizer,
        classes=class_names(source, module.config),
        trained_length=trained_length(folder),
        base=base,
    )


def _without_head(source: str, loaded: Loaded, *, base: Path | None) -> str:
    """The message about a model whose head is not, or not wholly, in its files."""
    config = loaded.module.config
    if loaded.other_shapes:
        return other_shape(source, config, loaded.other_shapes)
    if base is not None:
        return (
            f"{source}: {', '.join(loaded.missing[:3])} are neither in the adapter nor in its base, so that the model "
            "that was trained is lost; train the adapter again with them in modules_to_save"
        )
    known = task_of(config) in (None, "SequenceClassification")
    return (
        f"{source} has no trained classification head ({', '.join(loaded.missing[:3])} are not in its weights"
        f"{'' if known else ', those of a ' + config.architectures[0]}); fine-tune it first with `engine finetune`"
    )


def _positions(module: Any) -> int | None:
    """Rows of the position table that a text can use; None if it has no table."""
    table = getattr(getattr(module.base_model, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        positions = getattr(module.config, "max_position_embeddings", None)
        return None if positions is None or positions < 1 else int(positions)  # XLNet's is -1: any number
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
