"""A hub id, a path or a plain configuration → a classifier to train: its encoder, and a head for the classes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from engine.errors import ModelError
from engine.models.classifier import VOCABULARIES, Classifier, checked, load_module, read_config
from engine.models.files import fetch, fetch_tokenizer
from engine.models.layers import keep_layers

_LAYERS = re.compile(r"(.+)#layers=(\d+(?:,\d+)*)")


def load_start(
    source: str,
    *,
    classes: Sequence[str],
    revision: str | None = None,
    seed: int = 0,
    tokenizer: tuple[str | None, str | None] = (None, None),
) -> Classifier:
    """Load a model to train: its encoder, and a new head if it has none for these classes.

    Args:
        source: hub id or path; ``MODEL#layers=1,3,5`` keeps these encoder layers, counted from 0. A file
            ``….json`` is a configuration: of a model with random weights.
        classes: class names that the trained model will have.
        revision: branch, tag or commit of a hub id.
        seed: of the weights that are new.
        tokenizer: hub id or path, and revision, of the model whose tokenizer goes with a configuration that has none
            beside it.

    Raises:
        ModelError: it does not exist, its encoder is incomplete, or it has no such layers.
    """
    torch.manual_seed(seed)
    if source.endswith(".json"):
        return _from_config(Path(source), classes, tokenizer)
    match = _LAYERS.fullmatch(source)
    place, layers = (match[1], [int(layer) for layer in match[2].split(",")]) if match else (source, None)
    folder = fetch(place, revision)
    own = read_config(place, folder).id2label or {}
    module, missing = load_module(place, folder, read_config(place, folder, **_head(classes)))
    prefix = module.base_model_prefix + "."
    if absent := [name for name in missing if name.startswith(prefix) and ".pooler." not in name]:
        raise ModelError(f"{place} is incomplete: {', '.join(absent[:3])} are not in its weights")
    if list(own.values()) != list(classes):
        _new_head(module)
    if layers is not None:
        module = keep_layers(module, layers, source=place)
    return checked(source, revision, folder, module)


def _head(classes: Sequence[str]) -> dict[str, Any]:
    """The fields of a configuration that name the classes."""
    names = dict(enumerate(classes))
    return {
        "num_labels": len(classes),
        "id2label": names,
        "label2id": {name: index for index, name in names.items()},
        "problem_type": "single_label_classification",
    }


def _from_config(file: Path, classes: Sequence[str], tokenizer: tuple[str | None, str | None]) -> Classifier:
    """A model with random weights, of the shape that ``file`` says."""
    if not file.is_file():
        raise ModelError(f"{file}: there is no such file; a configuration is a config.json as transformers writes it")
    config = read_config(str(file), file, **_head(classes))
    try:
        module = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False).float().eval()
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError, AssertionError) as error:
        raise ModelError(f"{file} makes no sequence classifier: {error}") from None
    if any(any(file.parent.glob(pattern)) for pattern in VOCABULARIES):
        return checked(str(file), None, file.parent, module)
    teacher, revision = tokenizer
    if teacher is None:
        raise ModelError(f"{file} has no tokenizer beside it ({', '.join(VOCABULARIES)}); put one there")
    return checked(str(file), revision, fetch_tokenizer(teacher, revision), module)


def _new_head(module: Any) -> None:
    """Forget a head that was trained for other classes: its outputs would mean something else."""
    inside = {id(part) for part in module.base_model.modules()}
    for part in module.modules():
        if isinstance(part, nn.Linear) and id(part) not in inside:
            nn.init.normal_(part.weight, std=getattr(module.config, "initializer_range", 0.02))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
