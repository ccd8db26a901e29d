"""A PEFT adapter and the model it was trained on → one classifier, merged by the package peft.

The number of classes is that of the adapter's own head; their names are not in it.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from engine.errors import ModelError
from engine.models.files import ADAPTER, CONFIG, fetch, refused
from engine.models.loading.remedies import merge_remedy
from engine.models.loading.weights import Loaded, load_module, read_config, refuse_non_finite

_HEADS = ("classifier", "score")
_KIND = "SEQ_CLS"
_PROMPTS = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "MULTITASK_PROMPT_TUNING", "ADAPTION_PROMPT", "CPT")
_TABLES = ("embed_tokens", "word_embeddings", "wte", "embed_in", "tok_embeddings", "shared")


def load_adapted(source: str, folder: Path) -> tuple[Loaded, Path]:
    """The model of an adapter, merged; and the folder of its base.

    Args:
        source: hub id or path of the adapter, as the user gave it.
        folder: where its files are.

    Raises:
        ModelError: the package peft is not installed, the adapter names no base, or it is not one of a classifier.
    """
    settings = _settings(source, folder)
    base = settings.get("base_model_name_or_path")
    if settings.get("task_type") not in (_KIND, None) or not isinstance(base, str) or not base:
        raise ModelError(
            f"{source} is a PEFT adapter of {base or 'no base that it names'} for {settings.get('task_type')}; one of "
            f"a sequence classifier ({_KIND}) is needed"
        )
    if settings.get("peft_type") in _PROMPTS:
        raise ModelError(
            f"{source} is an adapter of the kind {settings['peft_type']}, which puts made-up tokens before each text "
            "and cannot be merged into a model; use one of the kind LORA"
        )
    peft = _peft(source, base)
    try:
        place = fetch(base, settings.get("revision"))
    except ModelError as error:
        raise ModelError(
            f"{source} is a PEFT adapter, and its base is not there: {error}. Or {merge_remedy(source)}"
        ) from None
    config = read_config(base, place, **_labels(source, folder))
    loaded = load_module(base, place, config)
    with refused(f"{source}: the adapter cannot be merged into {base}"):
        _resize(loaded.module, folder)
        merged = peft.PeftModel.from_pretrained(loaded.module, folder).merge_and_unload().eval()
    for parameter in merged.parameters():
        parameter.requires_grad_(True)
    refuse_non_finite(source, merged)
    return Loaded(module=merged, missing=_still_new(loaded.missing, _names(folder))), place


def _resize(module: Any, folder: Path) -> None:
    """Give the base as many embeddings as the adapter has, which was trained after tokens had been added."""
    table = module.get_input_embeddings().weight
    for file in folder.glob("adapter_model*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if name.split(".")[-2:][0] in _TABLES]  # noqa: SIM118
            shapes = {tuple(opened.get_slice(name).get_shape()) for name in names}
        rows = {shape[0] for shape in shapes if len(shape) == 2 and shape[1] == table.shape[1]}
        if len(rows) == 1 and (size := rows.pop()) > table.shape[0]:
            module.resize_token_embeddings(size)


def _settings(source: str, folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / ADAPTER).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{source}: its {ADAPTER} cannot be read: {error}") from None
    return settings if isinstance(settings, dict) else {}


def _peft(source: str, base: str) -> Any:
    """The package.

    Raises:
        ModelError: it is not installed.
    """
    try:
        import peft
    except ImportError:
        raise ModelError(
            f"{source} is a PEFT adapter, which is no model without its base ({base}). Install peft, and it is merged "
            f"as it is loaded: pip install 'softlabel-engine[peft]'. Or {merge_remedy(source)}"
        ) from None
    return peft


def _labels(source: str, folder: Path) -> dict[str, Any]:
    """The classes that the adapter's head has, as fields of a configuration."""
    outputs = _outputs(folder)
    if (folder / CONFIG).exists():
        own = read_config(source, folder)
        if outputs in (None, own.num_labels):
            return {"num_labels": own.num_labels, "id2label": own.id2label, "label2id": own.label2id}
    return {} if outputs is None else {"num_labels": outputs}


def _outputs(folder: Path) -> int | None:
    """Outputs of the head that was trained with the adapter; None if it has none."""
    counts = []
    for file in folder.glob("adapter_model*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if _is_head(name)]  # noqa: SIM118
            counts += [opened.get_slice(name).get_shape()[0] for name in sorted(names)]
    return counts[-1] if counts else None


def _names(folder: Path) -> list[str]:
    names: list[str] = []
    for file in folder.glob("adapter_model*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            names += opened.keys()
    return names


def _is_head(name: str) -> bool:
    """Whether ``name`` is that of a head's matrix, saved whole."""
    parts = name.split(".")
    return parts[-1] == "weight" and any(part in _HEADS for part in parts) and "lora" not in name


def _still_new(missing: list[str], brought: list[str]) -> list[str]:
    """Parameters of the base that the adapter brings neither."""
    return [name for name in missing if not any(other.endswith(name) for other in brought)]
