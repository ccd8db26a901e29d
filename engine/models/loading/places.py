"""A path that is no whole model → what it is, and where the model may be, as the end of a message. Loads nothing."""

import json
import shlex
from pathlib import Path

from engine.errors import ModelError
from engine.models.loading.near import CONFIG, models_below, some
from engine.models.loading.remedies import OTHER_KINDS, saved_by_name
from store.format.header import HEADER

_KINDS = {
    **{pattern.removeprefix("*"): kind for pattern, kind in OTHER_KINDS.items() if pattern.startswith("*.")},
    ".ftz": "a model of fastText",
    ".pkl": "a pickled model, as of scikit-learn",
    ".joblib": "a pickled model, as of scikit-learn",
    ".bin": "weights alone, or a model of fastText",
    ".pt": "pickled weights alone, or a whole pickled model",
    ".pth": "pickled weights alone, or a whole pickled model",
    ".ckpt": "a checkpoint of PyTorch Lightning",
}
_BEGUN = "run.json"
"""In the folder of a training, from its beginning."""
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_TOKENIZER_FILES = ("tokenizer*.json", "special_tokens_map.json", "vocab.*", "merges.txt", "*.model")
_OF_BYTES = ("CanineTokenizer", "PerceiverTokenizer", "ByT5Tokenizer")
_METADATA = "__metadata__"
_LFS = b"version https://git-lfs"
_LENGTH_BYTES, _LONGEST_HEADER = 8, 100_000_000  # of safetensors
_OURS = "a model is a folder with config.json, model.safetensors and tokenizer.json, as save_pretrained writes it"


def no_folder(source: str) -> str:
    """What a file is that was named in the place of a folder."""
    file, quoted = Path(source), shlex.quote(source)
    if file.name.endswith(_ARCHIVES):
        return f"it is an archive; unpack it and name the folder that is in it: tar -xf {quoted}"
    if file.name.endswith(".zip"):
        return f"it is an archive; unpack it and name the folder that is in it: unzip {quoted}"
    if (file.parent / CONFIG).exists():
        return f"it is a file of a model; name its folder: {file.parent}"
    kind = _KINDS.get(file.suffix.lower())
    return f"it is {kind or 'a file'} and no folder; {_OURS}"


def without_config(folder: Path) -> str:
    """What is in a folder that has no config.json; empty if nothing tells."""
    if (folder / HEADER).exists():
        return "; it is a store and no model: name a folder that `engine finetune` or `engine train` wrote (--out)"
    if (folder / _BEGUN).exists():
        return "; a training was begun there and is not finished: run its command again, which goes on with it"
    if models := models_below(folder):
        return f"; below it there {'are models' if len(models) > 1 else 'is a model'}: name {some(models)}"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    found = next(((path, kind) for path in files if (kind := _KINDS.get(path.suffix.lower()))), None)
    return f"; {found[0].name} is {found[1]}, and {_OURS}" if found else f"; {_OURS}"


def without_tokenizer(source: str, folder: Path, vocabularies: tuple[str, ...]) -> str:
    """How a model gets the tokenizer that is not in its folder.

    Args:
        source: hub id or path of the model.
        folder: where its files are.
        vocabularies: patterns of files of which a tokenizer can be made.
    """
    kind = _config(folder, "tokenizer_config.json").get("tokenizer_class")
    if kind in _OF_BYTES:
        return f"a {kind} has none, and only fast tokenizers are supported; use another model"
    beside = sorted(path for path in folder.parent.iterdir() if path.is_dir() and not (path / CONFIG).exists())
    near = (folder.parent, *beside)
    place = next((path for path in near if any(any(path.glob(pattern)) for pattern in vocabularies)), None)
    if place is not None and Path(source).is_dir():
        files = [path for pattern in _TOKENIZER_FILES for path in sorted(place.glob(pattern))]
        return f"if it is that of {place}: cp {shlex.join(map(str, files))} {shlex.quote(source)}"
    base = _config(folder).get("_name_or_path")
    base = base if isinstance(base, str) and base else "MODEL"
    return f"put that of the model it was trained from beside it: {saved_by_name(base, source)}"


def refuse_cut_off(file: Path) -> None:
    """Refuse a file of safetensors that is only the beginning of one, or a pointer of Git LFS to it.

    Raises:
        ModelError: it is.
    """
    size = file.stat().st_size
    with file.open("rb") as source:
        begin = source.read(len(_LFS))
        if begin == _LFS:
            raise ModelError(f"{file} is a pointer of Git LFS and not the file itself; fetch it: git lfs pull")
        header = int.from_bytes(begin[:_LENGTH_BYTES], "little")
        if size < _LENGTH_BYTES or header > _LONGEST_HEADER:
            raise ModelError(f"{file} is no file of safetensors; copy or fetch it again")
        source.seek(_LENGTH_BYTES)
        whole = _LENGTH_BYTES + header + _bytes_of_tensors(source.read(header))
    if size < whole:
        raise ModelError(f"{file} has {size:,} bytes and should have {whole:,} at least: copy or fetch it again")


def _bytes_of_tensors(header: bytes) -> int:
    """The bytes behind a header of safetensors; 1 if it is not whole itself."""
    try:
        tensors = json.loads(header)
        return max((tensor["data_offsets"][1] for name, tensor in tensors.items() if name != _METADATA), default=0)
    except (ValueError, LookupError, TypeError, AttributeError):
        return 1


def _config(folder: Path, name: str = CONFIG) -> dict[str, object]:
    try:
        values = json.loads((folder / name).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
