"""A hub id or a path → a folder with a model's files, and the hash of its weights. Loads no model.

Only configuration, tokenizer and safetensors are fetched: pickled weights and code are never read.
"""

import hashlib
import logging
from pathlib import Path

from transformers.utils import logging as transformers_logging

from engine.errors import ModelError

_WEIGHTS = "*.safetensors"
_FILES = ["*.json", _WEIGHTS, "*.txt", "*.model"]


def fetch(source: str, revision: str | None) -> Path:
    """The folder with the model's files. Of a hub id, only configuration, tokenizer and safetensors are fetched.

    Raises:
        ModelError: the model does not exist, or it has no safetensors.
    """
    folder = _folder(source, revision, _FILES)
    if not (folder / "config.json").exists():
        raise ModelError(f"{source}: there is no config.json; is it a model?")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{source} has no safetensors weights; pickled ones can run code and are not read. Convert it")
    return folder


def fetch_tokenizer(source: str, revision: str | None) -> Path:
    """The folder with the files of the model's tokenizer; its weights are not fetched.

    Raises:
        ModelError: the model does not exist.
    """
    return _folder(source, revision, [pattern for pattern in _FILES if pattern != _WEIGHTS])


def _folder(source: str, revision: str | None, files: list[str]) -> Path:
    quiet_transformers()
    folder = Path(source)
    return folder if folder.is_dir() else _download(source, revision, files)


def _download(source: str, revision: str | None, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=files))
    except HFValidationError:
        raise ModelError(f"{source}: there is no such folder, and it is no hub id either") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        message = f"{source}: there is no such folder, and the hub did not give it: {first_line(error)}"
        raise ModelError(message) from None


def weights_sha256(folder: Path) -> str:
    """Hash of the safetensors file; over their hashes, in the order of their names, if there are several."""
    hashes = [_sha256(path) for path in sorted(folder.glob("*.safetensors"))]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def quiet_transformers() -> None:
    """Keep the library's own progress bars and load reports off stderr; errors come as exceptions."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def first_line(error: Exception) -> str:
    """The first line of a library's message, without characters that a terminal would obey."""
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return "".join(char if char.isprintable() else " " for char in line)
