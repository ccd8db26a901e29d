"""A folder whose model cannot be used as it is → what the user can do about it, as a message. Loads no model."""

import json
import shlex
from pathlib import Path

_DEEPSPEED = "global_step*/mp_rank_00_model_states.pt"
_PICKLED = ("pytorch_model*.bin", "*.bin", "*.pt", "*.pth", "*.ckpt", _DEEPSPEED)
_NO_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
OTHER_KINDS = {
    "*.onnx": "an ONNX model",
    "onnx/*.onnx": "an ONNX model",
    "*.gguf": "a GGUF model",
    "*.h5": "weights of TensorFlow",
    "*.msgpack": "weights of Flax",
}


def without_safetensors(source: str, folder: Path) -> str:
    """Why a folder without safetensors is refused, and how to make some."""
    refusal = f"{source} has no safetensors weights"
    if script := _first(folder, "zero_to_fp32.py"):
        program = f"python {shlex.quote(str(folder / script))} {shlex.quote(str(folder))} {shlex.quote(str(folder))}"
        return (
            f"{refusal}, but a checkpoint of DeepSpeed; its weights are put together, with deepspeed, by: {program} "
            "--safe_serialization"
        )
    if pickled := _first(folder, *_PICKLED):
        return (
            f"{refusal}; {pickled}, which is pickled, can run code and is not read. If you trust it, convert it: "
            f"{_conversion(folder, pickled)}"
        )
    for pattern, kind in OTHER_KINDS.items():
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
    import transformers  # seconds, for who only reads a message

    # What a file says becomes part of a command only if it is a class of the library.
    return name if isinstance(name, str) and name.isidentifier() and hasattr(transformers, name) else None


def _conversion(folder: Path, pickled: str) -> str:
    """A command that makes safetensors of the pickled weights, with all of their tensors and no others.

    transformers would leave out those whose names have a prefix, and save new ones in their place.
    """
    parts = sorted(folder.glob("pytorch_model*.bin")) if pickled.startswith("pytorch_model") else [folder / pickled]
    files, made = f"[{', '.join(_text(str(part)) for part in parts)}]", _text(str(folder / "model.safetensors"))
    return _command(
        "import torch; from safetensors.torch import save_file; w = {}; "
        f'[w.update(torch.load(file, weights_only=True, map_location="cpu")) for file in {files}]; '
        'w = w.get("module", w.get("state_dict", w)); '
        f'save_file({{k: v.clone().contiguous() for k, v in w.items()}}, {made}, metadata={{"format": "pt"}})'
    )


def merge_remedy(source: str) -> str:
    """How to make a whole model of an adapter, as the end of a message."""
    place = json.dumps(source, ensure_ascii=False)
    code = (
        "from peft import AutoPeftModelForSequenceClassification as M; from transformers import AutoTokenizer; "
        f'M.from_pretrained({place}, num_labels=N).merge_and_unload().save_pretrained("merged"); '
        f'AutoTokenizer.from_pretrained({place}).save_pretrained("merged")'
    )
    return f"merge it, with its number of classes for N, and name the folder merged: python -c {shlex.quote(code)}"


def saved_by_name(model: str, folder: str) -> str:
    """A command that saves the tokenizer of ``model`` into ``folder``."""
    code = f"T.from_pretrained({_text(model)}).save_pretrained({_text(folder)})"
    return _command(f"from transformers import AutoTokenizer as T; {code}")


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
