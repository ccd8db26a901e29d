"""A folder and a configuration → the transformers model with its weights, in fp32 on the CPU.

Says which parameters the files lack. Strips a prefix that a wrapper has put before all names.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine.errors import ModelError
from engine.models.files import CONFIG, quiet_transformers, refused, weight_files
from engine.models.loading.lean_imports import unfilled
from engine.models.loading.transformers_parts import (
    CONFIG_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
)

_PREFIXES = ("_orig_mod.", "module.", "base_model.model.", "model.")
_NEEDS_A_GPU = ("flash_attention", "flex_attention")
_SHOWN = 3
_SAFETENSORS = "model.safetensors"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model, and how its files fit it.

    Attributes:
        module: the transformers model, in evaluation mode.
        missing: sorted names of the parameters that are new: its files lack them, or have them in another shape.
        other_shapes: of these, by name, the shape in the files and the shape by the configuration.
    """

    module: Any
    missing: list[str]
    other_shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)


def read_config(source: str, folder: Path, **changes: Any) -> Any:
    """The configuration in ``folder``, or in the file ``folder``, with ``changes``.

    Raises:
        ModelError: it cannot be used, or it is that of quantised weights.
    """
    quiet_transformers()
    _check_keys(source, folder / CONFIG if folder.is_dir() else folder)
    with refused(f"{source}: its configuration cannot be used"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **changes)
    config.return_dict = True  # of a tuple nothing says which part are the logits
    if str(config._attn_implementation).startswith(_NEEDS_A_GPU):
        config._attn_implementation = None  # that of the machine it was trained on
    if (quantised := getattr(config, "quantization_config", None)) is not None:
        raise ModelError(_quantised(source, quantised))
    return config


def load_module(source: str, folder: Path, config: Any, *, auto: Any = AutoModelForSequenceClassification) -> Loaded:
    """The model in fp32 on the CPU; ``auto`` is the class of transformers that finds its own.

    Raises:
        ModelError: its files do not make such a model, or weights are not finite.
    """
    _refuse_parts(source, folder, config)
    kind = "sequence classifier" if auto is AutoModelForSequenceClassification else "masked language model"
    with refused(f"{source} cannot be loaded as a {kind}"):
        loaded = _load(auto, folder, config)
        if loaded.missing and (prefix := shared_prefix(folder)):
            loaded = _without_prefix(source, folder, loaded, prefix)
    refuse_non_finite(source, loaded.module)
    return loaded


def _refuse_parts(source: str, folder: Path, config: Any) -> None:
    """Refuse weights of which files are missing, those of an adapter beside its base, and models of no text.

    Raises:
        ModelError: they are such.
    """
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise ModelError(
            f"{source} is a {config.model_type}, and transformers has no classifier of texts of that kind; use another "
            "model"
        )
    if absent := _absent_files(folder):
        raise ModelError(f"{source} lacks {_listed(absent)} of its weights; copy or fetch all of its files again")
    if any(".lora_A." in name or ".modules_to_save." in name for name in _names(folder)):
        raise ModelError(
            f"{source}: its weights are those of a PEFT model that was saved without being merged; where it was "
            "trained, call model.merge_and_unload().save_pretrained(FOLDER), and name that folder"
        )


def _absent_files(folder: Path) -> list[str]:
    """Files that the index of the weights names, and that are not there."""
    try:
        index = json.loads((folder / f"{_SAFETENSORS}.index.json").read_text("utf-8"))
        files = sorted({*index["weight_map"].values()})
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return [] if (folder / _SAFETENSORS).exists() else [file for file in files if not (folder / file).exists()]


def other_shape(source: str, config: Any, shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """A message: a parameter has another shape in the files than by the configuration.

    Args:
        source: hub id or path.
        config: of the model.
        shapes: as in `Loaded`.
    """
    name, (theirs, ours) = next(iter(sorted(shapes.items())))
    remedy = "its config.json is that of another model"
    if theirs[1:] == ours[1:] and ours[0] == getattr(config, "vocab_size", None):
        remedy = f'if nothing else is wrong, write "vocab_size": {theirs[0]} into its config.json'
    elif ours[0] == config.num_labels:
        remedy = (
            f"write the names of all {theirs[0]} outputs into id2label of its config.json, as in "
            '{"0": "first", "1": "second"}'
        )
    return f"{source}: {name} has the shape {theirs} in its weights and {ours} by its config.json; {remedy}"


def refuse_non_finite(source: str, module: Any) -> None:
    """Refuse a model whose parameters are not all finite, but for embeddings of tokens that no text may use.

    Raises:
        ModelError: names the first of them.
    """
    table = _embeddings(module)
    bad = [name for name, tensor in module.named_parameters() if _is_broken(tensor, by_row=tensor is table)]
    if bad:
        raise ModelError(
            f"{source}: {len(bad)} of its tensors are not finite numbers ({_listed(bad)}), as a training leaves them "
            "that has diverged; use an earlier checkpoint, or train it again with a lower learning rate"
        )


def _embeddings(module: Any) -> Any:
    """The table of token embeddings; None if it has no single one."""
    try:
        return module.get_input_embeddings().weight
    except (NotImplementedError, AttributeError):
        return None


def _is_broken(tensor: torch.Tensor, *, by_row: bool) -> bool:
    """Whether some of its numbers are not finite; ``by_row``, whether each of its rows has such a number."""
    with torch.inference_mode():
        if torch.isfinite(tensor.sum()):  # one pass, and no mask in memory
            return False
        finite = torch.isfinite(tensor)
        return not (finite.all(dim=1).any() if by_row else finite.all())


def shared_prefix(folder: Path) -> str:
    """What wrappers have put before the names of all weights: ``module._orig_mod.``; empty if nothing."""
    names = _names(folder)
    prefix = ""
    while added := next((each for each in _PREFIXES if all(n.startswith(prefix + each) for n in names)), ""):
        prefix += added
    return prefix if names else ""


def _load(model_class: Any, folder: Path | None, config: Any, **more: Any) -> Loaded:
    with unfilled():
        module, info = model_class.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **more,
        )
    shapes = {name: (tuple(theirs), tuple(ours)) for name, theirs, ours in info["mismatched_keys"]}
    return Loaded(module=module.eval(), missing=sorted({*info["missing_keys"], *shapes}), other_shapes=shapes)


def _without_prefix(source: str, folder: Path, loaded: Loaded, prefix: str) -> Loaded:
    """The model from the same weights without ``prefix``, or a part of it, if more of them fit then."""
    weights = {name: tensor for file in weight_files(folder) for name, tensor in load_file(file).items()}
    for stripped in _beginnings(prefix):
        state = {name.removeprefix(stripped): tensor for name, tensor in weights.items()}
        again = _load(type(loaded.module), None, loaded.module.config, state_dict=state)
        if len(again.missing) < len(loaded.missing):
            _log.info("%s: the names of all its weights begin with %r, which was left out", source, stripped)
            loaded = again
    return loaded


def _beginnings(prefix: str) -> list[str]:
    """``a.b.`` → ``a.``, ``a.b.``: a part may be the model's own."""
    parts = prefix.split(".")[:-1]
    return [".".join(parts[: count + 1]) + "." for count in range(len(parts))]


def _names(folder: Path) -> list[str]:
    """Names of all weights; only the headers of the files are read."""
    names: list[str] = []
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as opened:
            names += opened.keys()
    return names


def _check_keys(source: str, file: Path) -> None:
    """Refuse code of the model's own, and an ``id2label`` that is not by number, as if swapped with ``label2id``."""
    try:
        values = json.loads(file.read_text("utf-8"))
        names = values.get("id2label") or {}
    except (OSError, ValueError, AttributeError):
        return  # transformers says what is wrong with it
    if "auto_map" in values and values.get("model_type") not in CONFIG_MAPPING_NAMES:
        raise ModelError(
            f"{source} is computed by code of its own (auto_map in its config.json), which is not run; use a model of "
            "a class that transformers has"
        )
    if isinstance(names, dict) and not all(str(key).removeprefix("-").isdecimal() for key in names):
        right = json.dumps(dict(enumerate(map(str, names))), ensure_ascii=False)
        raise ModelError(
            f"{source}: id2label in its config.json has the keys {', '.join(map(str, names))}; it goes from the number "
            f'of an output to a name. If these are the names in the order of the outputs, write "id2label": {right}'
        )


def _quantised(source: str, quantised: Any) -> str:
    method = quantised.get("quant_method") if isinstance(quantised, dict) else getattr(quantised, "quant_method", None)
    return (
        f"{source}: its weights are quantised ({getattr(method, 'value', method) or 'by an unnamed method'}; "
        "quantization_config in its config.json), and labels need the weights themselves. Where it was quantised, load "
        "it, call model.dequantize() and model.save_pretrained(FOLDER), or merge its adapter into the base in 16 or 32 "
        "bits; then name that folder"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
