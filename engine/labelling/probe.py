"""A teacher, the user's choices, a device and the size of a corpus → the settings that a label set is made with.

A job of its own, whose input and output can be pickled: it can run on a worker that has the device, while the process
that plans the run has none.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from engine.compute.backend import Backend, Workload
from engine.compute.backends import choose_backend, require_backend
from engine.compute.device import default_dtype, device_kind, find_device, worker_threads
from engine.labelling.card import CHECK_ROWS, Settings
from engine.labelling.dtype_choice import choose_dtype
from engine.labelling.planning.choices import Choices
from engine.labelling.runners.base import Runner
from engine.labelling.token_budget import Conditions, CorpusSize, choose_budget
from engine.models.classifier import Classifier
from engine.models.teacher import TeacherSource, load_teacher
from engine.progress import Tick, silent
from store.families.label_card import LabelCard

_NARROW = ("int8", "fp8")  # dtypes that not every model and device has


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Finds out the settings that the user left open. A task for `engine.labelling.runners.base.Runner.call`.

    Attributes:
        teacher: where it is.
        choices: of the user.
        corpus: its size.
        held: the card of the run that began the label set; None if this one begins it.
        devices: of all workers; those on a CPU share its cores.
        model: the teacher, if this process has loaded it. It is not pickled.
        tick: called with progress, in this process only.
    """

    teacher: TeacherSource
    choices: Choices
    corpus: CorpusSize
    held: LabelCard | None
    devices: tuple[str, ...]
    model: Classifier | None = None
    tick: Tick = silent

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None, "tick": silent}

    def __call__(self, device: str) -> tuple[Settings, int]:
        """The settings for ``device`` of the machine where this runs, and the CPU threads of each worker.

        Raises:
            ModelError: the teacher cannot be loaded, the device is missing, or the chosen backend does not support
                both.
        """
        threads = worker_threads(self.devices)
        model = self.model or load_teacher(self.teacher)
        settings = probe_model(
            model, self.choices, find_device(device), self.corpus, held=self.held, threads=threads, tick=self.tick
        )
        return settings, threads


def probe_model(
    model: Classifier,
    choices: Choices,
    device: torch.device,
    corpus: CorpusSize,
    *,
    held: LabelCard | None = None,
    threads: int = 1,
    tick: Tick = silent,
) -> Settings:
    """The settings for ``device`` and a teacher that is loaded, in fp32 on the CPU; it is left as it is.

    Args:
        model: the teacher.
        choices: of the user.
        device: on which shards are computed.
        corpus: how much is to be labelled.
        held: the card of the run that began the label set; None if this one begins it.
        threads: on a CPU, those of each worker.
        tick: called with progress.

    Raises:
        ModelError: the chosen backend does not support the model on the device.
    """
    held = held or LabelCard()
    max_length = model.encoding(choices.max_length or held.max_length).max_length
    texts = corpus.pilot if choices.backend is None else ()
    dtype = choices.dtype or held.dtype
    dtype = dtype or choose_dtype(model, device, texts, max_length=max_length, threads=threads, tick=tick)
    workload = Workload(longest=max_length, device=device, dtype=dtype, tokens=corpus.tokens)
    backend = find_backend(model, choices, workload, held=held)
    budget = choices.tokens_per_batch or held.tokens_per_batch
    if budget is None:
        chosen = None if choices.backend is None else backend
        conditions = Conditions(dtype=dtype, longest=max_length, threads=threads, backend=chosen)
        budget = choose_budget(corpus, model, device, conditions, tick=tick)
    rows = (choices.check_rows, held.check_rows, CHECK_ROWS)
    return Settings(
        max_length=max_length,
        dtype=dtype,
        tokens_per_batch=budget,
        check_rows=next(number for number in rows if number is not None),
        backend=backend.name,
        device=device_kind(device),
    )


def check_choices(model: Classifier, choices: Choices, runner: Runner) -> None:
    """Refuse arithmetic that ``model`` cannot be computed in, before any text is read.

    Args:
        model: a teacher that is loaded, in fp32 on the CPU.
        choices: of the user.
        runner: that will compute.

    Raises:
        ModelError: no backend computes it so, or not the one that is named.
    """
    if choices.backend is not None or choices.dtype in _NARROW:
        runner.call(partial(_check_on, model, choices))


def _check_on(model: Classifier, choices: Choices, device: str) -> None:
    found, longest = find_device(device), model.encoding(choices.max_length).max_length
    workload = Workload(longest=longest, device=found, dtype=choices.dtype or default_dtype(found))
    find_backend(model, choices, workload, held=LabelCard())


def find_backend(model: Classifier, choices: Choices, workload: Workload, *, held: LabelCard) -> Backend:
    """The backend that the user chose; else that of the card, if it still supports the model; else the fastest.

    Raises:
        ModelError: the user's backend does not support the model; says why.
    """
    if choices.backend is not None:
        return require_backend(choices.backend, model.module, workload)
    return choose_backend(model.module, workload, preferred=held.path)
