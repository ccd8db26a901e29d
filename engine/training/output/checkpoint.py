"""The state of a training ⇄ a folder that exists whole or not at all, and whose hashes say whether it is intact.

    CHECKPOINTS/00001200/model.safetensors      parameters and buffers
                         optimizer.safetensors  state of AdamW
                         state.json             `TrainState`, and the hashes of both files

A checkpoint is written beside its place, synced, and renamed. The last one that is intact is the latest: nothing else
points to it. Random numbers need no state: each step seeds its own from the seed, the step and the rank.
"""

import hashlib
import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import TrainingError
from store.errors import DamageError
from store.format.json_file import parse_json, to_json
from store.storage.atomic_file import sync
from store.storage.file_hash import sha256_of

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_NAME = re.compile(r"\d{8,}")
_UNFINISHED = ".unfinished-"
_log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A training at one step.

    Attributes:
        model: parameters and buffers by name.
        optimizer: its state, by name.
        state: `TrainState` as JSON values.
    """

    model: Tensors
    optimizer: Tensors
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: of all checkpoints.
        keep: how many of the last ones stay.
        wrote: told of each file that is about to be written or made visible; for tests.
    """

    def __init__(self, folder: Path, *, keep: int, wrote: Callable[[str], None] = lambda _: None) -> None:
        self._folder = folder
        self._keep = keep
        self._wrote = wrote

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, ascending; intact or not."""
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def place(self, step: int) -> Path:
        """The folder of the checkpoint at ``step``."""
        return self._folder / f"{step:08d}"

    def write(self, step: int, checkpoint: Checkpoint, *, best: int | None = None) -> None:
        """Write the checkpoint at ``step``; then only the last ones and that at step ``best`` stay."""
        self._folder.mkdir(parents=True, exist_ok=True)
        made = self._folder / f"{_UNFINISHED}{step:08d}"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for name, tensors in ((MODEL, checkpoint.model), (OPTIMIZER, checkpoint.optimizer)):
            self._wrote(name)
            _save(tensors, made / name)
        hashes = {name: sha256_of(made / name) for name in (MODEL, OPTIMIZER)}
        self._wrote(STATE)
        (made / STATE).write_bytes(to_json({**checkpoint.state, "sha256": hashes}))
        for path in (*made.iterdir(), made):
            sync(path)
        self._wrote("rename")
        place = self.place(step)
        shutil.rmtree(place, ignore_errors=True)  # only one that was found damaged can be there
        made.rename(place)
        sync(self._folder)
        self._wrote("prune")
        self._prune(step, best)

    def _prune(self, last: int, best: int | None) -> None:
        """Remove checkpoints that are not kept, and those after ``last``, which were passed over as damaged."""
        steps = self.steps()
        up_to_last = [step for step in steps if step <= last]
        for step in {*steps} - {*up_to_last[-self._keep :], best}:
            gone = self.place(step).rename(self._folder / f"{_UNFINISHED}{step:08d}")
            shutil.rmtree(gone)

    def sweep(self) -> None:
        """Remove what a killed writer left. Nobody else may be writing."""
        for path in self._folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(path)

    def latest(self) -> Checkpoint | None:
        """The last intact one, or None. Damaged ones are named in the log."""
        for step in reversed(self.steps()):
            if (checkpoint := self.read(step)) is not None:
                return checkpoint
        return None

    def read(self, step: int) -> Checkpoint | None:
        """The checkpoint at ``step``; None, with the reason in the log, if it is damaged or missing."""
        place = self.place(step)
        try:
            state = parse_json((place / STATE).read_bytes(), str(place / STATE))
            hashes = state.pop("sha256")
            for name in (MODEL, OPTIMIZER):
                if sha256_of(place / name) != hashes[name]:
                    raise ValueError(f"{name} has another sha256 than {STATE} says")
            return Checkpoint(model=load_file(place / MODEL), optimizer=load_file(place / OPTIMIZER), state=state)
        except DamageError:
            _log.warning("the checkpoint %s is damaged and is passed over: its %s is", place, STATE)
            return None
        except PermissionError:
            raise
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            _log.warning("the checkpoint %s is damaged and is passed over: %s", place, error)
            return None


def model_tensors(module: Any) -> Tensors:
    """Parameters and buffers of ``module`` that a file of it holds, each once."""
    kept = module.state_dict()
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor for name, tensor in named if name in kept}


def tensors_sha256(module: Any) -> str:
    """Hash of all parameters and buffers, a new head included."""
    digest = hashlib.sha256()
    for name, tensor in model_tensors(module).items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_tensors(module: Any, tensors: Tensors) -> None:
    """Copy ``tensors`` into ``module``, in place: the inverse of `model_tensors`."""
    with torch.no_grad():
        for name, tensor in model_tensors(module).items():
            tensor.copy_(tensors[name])


def _save(tensors: Tensors, file: Path) -> None:
    """Write ``tensors`` as safetensors.

    Raises:
        TrainingError: the file cannot be written, as on a full disk; its folder is removed.
    """
    try:
        save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, file)
    except SafetensorError as error:
        shutil.rmtree(file.parent, ignore_errors=True)
        raise TrainingError(
            f"{file} could not be written: {error}. Make space, and run the same command again to go on from the last "
            "checkpoint"
        ) from None
