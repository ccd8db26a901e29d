"""The name of a device → the device, if this machine has it; dtypes and defaults by device."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from engine.compute.cpu.forked import can_fork
from engine.compute.cpu.limits import usable_cores
from engine.compute.cpu.memory import return_memory
from engine.compute.cpu.processor import lacks
from engine.errors import LabellingError, ModelError

_log = logging.getLogger("engine.labelling")
DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "int8": torch.float32,
    "fp8": torch.float16,
}
"""Types of a model's parameters by dtype of the computation; in 8 bits, of all that is not a product of its layers."""
CPU_BUDGET = 1024
CUDA_BUDGET = 65_536
_warned_of = set[str]()
"""Dtypes of which `warn_if_emulated` has warned in this process."""


def default_dtype(device: torch.device) -> str:
    """fp16 on CUDA; fp32 on a CPU, where others are faster on some processors alone and have to be tried."""
    return "fp16" if device.type == "cuda" else "fp32"


def default_budget(device: torch.device) -> int:
    """Tokens a batch. Larger batches are slower on a CPU (they do not fit into its cache)."""
    return CUDA_BUDGET if device.type == "cuda" else CPU_BUDGET


def best_device() -> torch.device:
    """CUDA if available, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_memory(device: torch.device) -> None:
    """Give back the memory of ``device`` that nothing uses: what is cached hinders other sizes."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    else:
        return_memory()


def find_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` names.

    Raises:
        ModelError: this machine does not have it.
    """
    device = best_device() if name == "auto" else torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"--devices is {name}, and this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def device_kind(device: torch.device) -> str:
    """``cpu``, or the name of the CUDA device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def find_devices(names: Sequence[str]) -> tuple[str, ...]:
    """The devices that the user means, by name.

    Args:
        names: ``cpu``, ``cuda`` or ``cuda:N``, once for each worker; or ``auto`` alone: every CUDA device of the first
            one's kind, or one CPU worker, which computes on all cores, if this machine has no CUDA device.

    Raises:
        LabellingError: no name is given, ``auto`` is not alone, or the devices are of two kinds.
        ModelError: this machine does not have a device.
    """
    if not names or ("auto" in names and len(names) > 1):
        raise LabellingError(f"--devices is {','.join(names)!r}; name devices with commas between them, or auto alone")
    if names[0] == "auto":
        count = torch.cuda.device_count()
        found = [f"cuda:{number}" for number in range(count)] if torch.cuda.is_available() else ["cpu"]
        return tuple(name for name in found if _kind(name) == _kind(found[0]))
    kinds = {name: _kind(name) for name in names}
    other = next((name for name in names if kinds[name] != kinds[names[0]]), None)
    if other is not None:
        raise LabellingError(
            f"--devices has {names[0]} ({kinds[names[0]]}) and {other} ({kinds[other]}): they give different bits, and "
            "a label set is made by one kind of device. Name devices of one kind"
        )
    return tuple(names)


def _kind(name: str) -> str:
    return device_kind(find_device(name))


def worker_threads(devices: Sequence[str]) -> int:
    """CPU threads of each worker, which its label set keeps: another number gives other bits.

    A worker on a CPU computes in several processes of one thread each, where it can. Elsewhere workers share the
    cores: processes that compute on the same cores with as many threads each wait for one another, and two on two
    cores are a hundred times slower than two with one thread each.
    """
    on_cpu = sum(name == "cpu" for name in devices)
    if on_cpu and can_fork():
        return 1
    return max(1, min(torch.get_num_threads(), usable_cores()) // max(1, on_cpu))


def worker_processes(*, threads: int, workers: int = 1) -> int:
    """Processes in which a worker on a CPU computes, itself among them.

    Args:
        threads: of each.
        workers: that share the cores of this machine.
    """
    return max(1, usable_cores() // workers) if threads == 1 else 1


@contextmanager
def restored_threads() -> Iterator[None]:
    """Leave torch with as many threads as before: the caller's program may compute, too."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def limited_threads(device: torch.device, threads: int) -> Iterator[None]:
    """Compute with as many threads as a worker on a CPU; free the memory of a GPU afterwards, for its workers."""
    with restored_threads():
        if device.type == "cpu":
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if device.type == "cuda":
                torch.cuda.empty_cache()


def warn_if_emulated(dtype: str, device: torch.device, *, remedy: str) -> None:
    """Warn if a CPU has no products in ``dtype``: torch makes them of others. Once in a process, whatever computes.

    Args:
        dtype: of the computation.
        device: that computes.
        remedy: what to do about it.
    """
    if device.type == "cpu" and lacks(dtype) and dtype not in _warned_of:
        _warned_of.add(dtype)
        _log.warning(
            "this processor has no products in %s, and may take several times as long for them as in fp32 (an AMD EPYC "
            "with AVX2 alone takes 5 to 13 times as long). %s",
            dtype,
            remedy,
        )


def warn_if_shared(devices: Sequence[str]) -> None:
    """Warn if several workers of ``devices`` share a GPU. A cluster may call its devices as it likes."""
    numbers = [torch.device(name).index or 0 for name in devices if name == "cuda" or name.startswith("cuda:")]
    for number in sorted({number for number in numbers if numbers.count(number) > 1}):
        _log.warning(
            "--devices has cuda:%d %d times, and its workers wait for each other: on an H100 two were 0.94 times as "
            "fast as one (BERT-base's shape). Name it once, unless `waiting` in a run's summary says that it waited",
            number,
            numbers.count(number),
        )


def warn_if_crowded(devices: Sequence[str], threads: int) -> None:
    """Warn if the threads that a label set was begun with are too many for so many workers."""
    on_cpu, cores = sum(name == "cpu" for name in devices), usable_cores()
    if threads > 1 and on_cpu > 1 and threads * on_cpu > cores:
        _log.warning(
            "the label set was begun with %d threads a worker, and %d workers share %d cores: that is slow. "
            "Name %d in --devices",
            threads,
            on_cpu,
            cores,
            max(1, cores // threads),
        )
