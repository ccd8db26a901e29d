"""A hub id or a path → a folder with a model's files, and the hash of its weights. Loads no model, and no torch.

Only configuration, tokenizer and safetensors are fetched: pickled weights and code are never read.
"""

import errno
import hashlib
import json
import logging
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from engine.errors import EngineError, ModelError, is_memory_error
from engine.models.loading.near import looks_like_path, near_models
from engine.models.loading.places import no_folder, refuse_cut_off, without_config
from engine.models.loading.remedies import without_safetensors
from store.storage.file_hash import sha256_of

ADAPTER = "adapter_config.json"
CONFIG = "config.json"
REPORT = "training.json"  # of a training of the engine's own
_ADAPTER_WEIGHTS = "adapter_model"
_WEIGHTS = "*.safetensors"
_CARD = "README.md"
_FILES = ["*.json", _WEIGHTS, "*.txt", "*.model", _CARD]
_SETTLED = 1_000_000_000  # ns


def fetch(source: str, revision: str | None) -> Path:
    """The folder with the model's files. Of a hub id, only configuration, tokenizer, safetensors and card are fetched.

    Raises:
        ModelError: the model does not exist, or it has no safetensors.
    """
    folder = _folder(source, revision, _FILES)
    adapter, weights = is_adapter(folder), weight_files(folder)
    if not (folder / CONFIG).exists() and not adapter:
        raise ModelError(f"{source}: there is no config.json{without_config(folder)}")
    if adapter and any(not path.name.startswith(_ADAPTER_WEIGHTS) for path in weights):
        raise ModelError(
            f"{source} has the weights of a whole model beside those of a PEFT adapter, and which of them count is not "
            f"said; if the adapter is merged, remove {ADAPTER} and {_ADAPTER_WEIGHTS}.safetensors"
        )
    if not weights:
        raise ModelError(without_safetensors(source, folder))
    for path in weights:
        refuse_cut_off(path)
    return folder


def fetch_tokenizer(source: str, revision: str | None) -> Path:
    """The folder with the files of the model's tokenizer; its weights are not fetched.

    Raises:
        ModelError: the model does not exist.
    """
    return _folder(source, revision, [pattern for pattern in _FILES if pattern != _WEIGHTS])


def _folder(source: str, revision: str | None, files: list[str]) -> Path:
    folder = Path(source)
    return folder if folder.is_dir() else _download(source, revision, files)


def _download(source: str, revision: str | None, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=files))
    except HFValidationError:
        if Path(source).exists():
            raise ModelError(f"{source}: {no_folder(source)}") from None
        near = near_models(source)
        or_hub = "" if near or looks_like_path(source) else ", and it is no hub id either"
        raise ModelError(f"{source}: there is no such folder{or_hub}{near}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        cause = error.__cause__ or error.__context__
        near, is_cut_off = near_models(source), not isinstance(cause, HfHubHTTPError)
        if not (is_cut_off and isinstance(error, LocalEntryNotFoundError)):
            message = f"{source}: there is no such folder, and the hub did not give it: {first_line(error)}{near}"
        elif near or looks_like_path(source):
            message = f"{source}: there is no such folder, and no network to the hub{near}"
        else:
            message = _without_network(source, revision, files, is_offline=isinstance(cause, OfflineModeIsEnabled))
        raise ModelError(message) from None


def _without_network(source: str, revision: str | None, files: list[str], *, is_offline: bool) -> str:
    """What a hub id is that is neither in the cache nor to be had."""
    which = "" if revision is None else f" --revision {shlex.quote(revision)}"
    patterns = " ".join(f"--include {shlex.quote(pattern)}" for pattern in files)
    command = (
        f"hf download {shlex.quote(source)}{which} {patterns} --local-dir {shlex.quote(source.rsplit('/', 1)[-1])}"
    )
    why = " (HF_HUB_OFFLINE is set)" if is_offline else ""
    return (
        f"{source}: there is no such folder, no network to the hub{why}, and it is not in the cache. Name a folder, or "
        f"download it where there is a network, and copy it here: {command}"
    )


def is_adapter(folder: Path) -> bool:
    """Whether ``folder`` has a PEFT adapter, which is no model without its base."""
    return (folder / ADAPTER).exists()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files, sorted by name."""
    return sorted(folder.glob(_WEIGHTS))


def weights_sha256(*folders: Path) -> str:
    """Hash of the safetensors file; over their hashes, in the order of their names, if there are several."""
    hashes = [_sha256(path) for folder in folders for path in weight_files(folder)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def files_sha256(folder: Path) -> str:
    """Hash of the names and bytes of all files by which a model in ``folder`` could give other logits."""
    files = {path for pattern in _FILES if pattern != _CARD for path in folder.glob(pattern)}
    lines = [f"{path.name} {_sha256(path)}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Hash of a file; it is read once as long as nobody writes it."""
    now = path.stat()
    if time.time_ns() - now.st_mtime_ns < _SETTLED:  # a clock is too coarse to tell two writes that follow at once
        return sha256_of(path)
    return _sha256_of_version(path, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))


@lru_cache(maxsize=256)
def _sha256_of_version(path: Path, _version: tuple[int, ...]) -> str:
    return sha256_of(path)


def refuse_read_only(folder: Path, file: str) -> None:
    """Refuse a model's ``folder`` in which no ``file`` can be written.

    Raises:
        ModelError: it cannot.
    """
    if not os.access(folder, os.W_OK):
        raise unwritable(folder / file, os.strerror(errno.EACCES))
    if (folder / file).is_dir():
        raise unwritable(folder / file, os.strerror(errno.EISDIR))


def unwritable(place: Path, reason: str | None) -> ModelError:
    """The refusal of a file in a model's folder that cannot be written."""
    return ModelError(f"{place} cannot be written ({reason}); copy the model into a folder of your own, and name that")


def trained_length(folder: Path) -> int | None:
    """The maximum length, in tokens, of the training of ours that made the model; None if it was made elsewhere."""
    try:
        length = json.loads((folder / REPORT).read_text("utf-8"))["max_length"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return length if isinstance(length, int) and not isinstance(length, bool) and length > 0 else None


def quiet_transformers() -> None:
    """Keep the library's own progress bars and load reports off stderr; errors come as exceptions."""
    from transformers.utils import logging as transformers_logging  # half a second, for who only looks for a folder

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn every error of a library into a `ModelError` of one line.

    Models of other makers' code fail in every way; none of them may end a command with a traceback.

    Args:
        what: cannot be done, as the message begins.

    Raises:
        ModelError: an error was raised inside; one of ours goes through as it is.
    """
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # noqa: BLE001 - no list of them is complete
        reason = "there is too little memory" if is_memory_error(error) else first_line(error)
        raise ModelError(f"{what}: {reason}") from None


def first_line(error: BaseException) -> str:
    """The first line of a library's message, without characters that a terminal would obey."""
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return "".join(char if char.isprintable() else " " for char in line)
