"""A hub id, a path or a plain configuration → a classifier to train: its encoder, and a head for the classes."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from engine.models.classifier import Classifier, checked
from engine.models.files import fetch, fetch_tokenizer, refused
from engine.models.heads import chooses_one_class, output_layer, same_but_for_case
from engine.models.layers import keep_layers, warn_if_constant
from engine.models.loading.chosen_layers import split_layers
from engine.models.loading.first_look import refuse_adapter, refuse_no_configuration
from engine.models.loading.transformers_parts import AutoModelForSequenceClassification
from engine.models.loading.vocabulary import VOCABULARIES, has_vocabulary
from engine.models.loading.weights import Loaded, load_module, other_shape, read_config

_log = logging.getLogger(__name__)


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
    place, layers = split_layers(source)
    folder = fetch(place, revision)
    refuse_adapter(place, folder)
    own = read_config(place, folder)
    loaded = load_module(place, folder, read_config(place, folder, **_head(classes)))
    module = loaded.module
    prefix = module.base_model_prefix + "."
    if absent := [name for name in loaded.missing if name.startswith(prefix) and ".pooler." not in name]:
        if shapes := {name: loaded.other_shapes[name] for name in absent if name in loaded.other_shapes}:
            raise ModelError(other_shape(place, module.config, shapes))
        raise ModelError(f"{place} is incomplete: {', '.join(absent[:3])} are not in its weights")
    _settle_head(place, loaded, own, classes)
    if layers is not None:
        module = keep_layers(module, layers, source=place)
    model = checked(source, revision, folder, module)
    warn_if_constant(source, module, model.tokenizer)
    return model


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
    refuse_no_configuration(file)
    config = read_config(str(file), file, **_head(classes))
    with refused(f"{file} makes no sequence classifier"):
        module = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False).float().eval()
    if has_vocabulary(file.parent):
        return checked(str(file), None, file.parent, module)
    teacher, revision = tokenizer
    if teacher is None:
        raise ModelError(f"{file} has no tokenizer beside it ({', '.join(VOCABULARIES)}); put one there")
    return checked(str(file), revision, fetch_tokenizer(teacher, revision), module)


def _settle_head(source: str, loaded: Loaded, own: Any, classes: Sequence[str]) -> None:
    """Keep a head that was trained for ``classes``, put into their order; make any other anew."""
    module, names = loaded.module, [str(own.id2label[index]) for index in sorted(own.id2label or {})]
    if names == list(classes) and chooses_one_class(own):
        return
    order, layer = same_but_for_case(classes, names), output_layer(module)
    if order is None or layer is None or loaded.missing or not chooses_one_class(own):
        _new_head(module)
        return
    with torch.no_grad():
        layer.weight.copy_(layer.weight[order])
        if layer.bias is not None:
            layer.bias.copy_(layer.bias[order])
    _log.info("%s: its head for %s is kept, for the classes %s", source, ", ".join(names), ", ".join(classes))


def _new_head(module: Any) -> None:
    """Forget a head that was trained for other classes: its outputs would mean something else."""
    inside = {id(part) for part in module.base_model.modules()}
    for part in module.modules():
        if isinstance(part, nn.Linear) and id(part) not in inside:
            nn.init.normal_(part.weight, std=getattr(module.config, "initializer_range", 0.02))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
