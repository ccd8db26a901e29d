"""A folder and a configuration → the transformers model with its weights, in fp32 on the CPU.

Says which parameters the files lack. Strips a prefix that a wrapper has put before all names.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from engine.errors import ModelError
from engine.models.files import CONFIG, refused, weight_files

_PREFIXES = ("_orig_mod.", "module.", "base_model.model.", "model.")
_SHOWN = 3
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
    _check_label_keys(source, folder / CONFIG if folder.is_dir() else folder)
    with refused(f"{source}: its configuration cannot be used"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **changes)
    if (quantised := getattr(config, "quantization_config", None)) is not None:
        raise ModelError(_quantised(source, quantised))
    return config


def load_module(source: str, folder: Path, config: Any) -> Loaded:
    """The model in fp32 on the CPU.

    Raises:
        ModelError: its files do not make such a model, or weights are not finite.
    """
    with refused(f"{source} cannot be loaded as a sequence classifier"):
        loaded = _load(AutoModelForSequenceClassification, folder, config)
        if loaded.missing and (prefix := shared_prefix(folder)):
            loaded = _without_prefix(source, folder, loaded, prefix)
    refuse_non_finite(source, loaded.module)
    return loaded


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


def _check_label_keys(source: str, file: Path) -> None:
    """Refuse an ``id2label`` that is not by number, as where it was swapped with ``label2id``."""
    try:
        names = json.loads(file.read_text("utf-8")).get("id2label") or {}
    except (OSError, ValueError, AttributeError):
        return  # transformers says what is wrong with it
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
