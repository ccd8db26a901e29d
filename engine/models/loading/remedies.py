"""A folder whose model cannot be used as it is → what the user can do about it, as a message. Loads no model."""

import json
import shlex
from pathlib import Path

import transformers

_PICKLED = ("pytorch_model*.bin", "*.bin", "*.pt", "*.pth", "*.ckpt")
_NO_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
_OTHERS = {
    "*.onnx": "an ONNX model",
    "onnx/*.onnx": "an ONNX model",
    "*.gguf": "a GGUF model",
    "*.h5": "weights of TensorFlow",
    "*.msgpack": "weights of Flax",
}


def without_safetensors(source: str, folder: Path) -> str:
    """Why a folder without safetensors is refused, and how to make some."""
    refusal = f"{source} has no safetensors weights"
    if pickled := _first(folder, *_PICKLED):
        return (
            f"{refusal}; {pickled}, which is pickled, can run code and is not read. If you trust it, convert it: "
            f"{_conversion(source, folder, pickled)}"
        )
    for pattern, kind in _OTHERS.items():
        if found := _first(folder, pattern):
            return (
                f"{refusal}, but {kind} ({found}); name the model that it was exported from, saved by transformers "
                "with save_pretrained"
            )
    return (
        f"{refusal}; pickled ones can run code and are not read. On the hub a converted revision may be among its pull "
        "requests (--revision refs/pr/N), or load it with transformers, save_pretrained it and name that folder"
    )


def saved_again(source: str, folder: Path, change: str = "") -> str:
    """A command that loads a model with transformers and saves it as safetensors.

    Args:
        source: hub id or path.
        folder: where its files are.
        change: Python statements on the model ``m`` between the two, each ending in ``; ``.
    """
    name = model_class(folder) or "AutoModelForSequenceClassification"
    place, target = _text(source), _text(_target(source))
    code = f"from transformers import AutoTokenizer, {name} as M; m = M.from_pretrained({place}); {change}"
    code += f"m.save_pretrained({target})"
    if place != target:
        code += f"; AutoTokenizer.from_pretrained({place}).save_pretrained({target})"
    else:
        code = code.replace("AutoTokenizer, ", "")
    return _command(code)


def model_class(folder: Path) -> str | None:
    """The class of transformers that made the model, as its config.json says; None if it says none that exists."""
    try:
        name = json.loads((folder / "config.json").read_text("utf-8"))["architectures"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    # What a file says becomes part of a command only if it is a class of the library.
    return name if isinstance(name, str) and name.isidentifier() and hasattr(transformers, name) else None


def _conversion(source: str, folder: Path, pickled: str) -> str:
    """A command that makes safetensors of the pickled weights, with all of their tensors and no others."""
    if model_class(folder) is not None and pickled.startswith("pytorch_model"):
        return saved_again(source, folder)
    file, made = _text(str(folder / pickled)), _text(str(folder / "model.safetensors"))
    return _command(
        "import torch; from safetensors.torch import save_file; "
        f'w = torch.load({file}, weights_only=True, map_location="cpu"); w = w.get("state_dict", w); '
        f'save_file({{k: v.clone() for k, v in w.items()}}, {made}, metadata={{"format": "pt"}})'
    )


def _target(source: str) -> str:
    """Where a model is saved: in its own place, or for a hub id in a folder of its name."""
    return source if Path(source).is_dir() else source.rsplit("/", 1)[-1]


def _first(folder: Path, *patterns: str) -> str | None:
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.name not in _NO_WEIGHTS)
    first = next(found, None)
    return None if first is None else str(first.relative_to(folder))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _command(code: str) -> str:
    return f"python -c {shlex.quote(code)}"
