"""This machine and what is installed → what a report of a mistake needs: versions, processor, cores, memory, devices.

Reads no user's files, and names none. Nothing is loaded but torch, which knows the processor and the devices.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

PACKAGE = "softlabel-engine"
_VERSIONS = (
    "torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "pyarrow", "duckdb", "numpy", "webdataset",
    "click", "rich",
)  # fmt: skip
_FOR_DEVELOPERS = ("dev",)
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One line of the report.

    Attributes:
        about: ``version``, ``machine``, ``device``, ``extra`` or ``setting``.
        name: of the thing.
        value: in words.
        remedy: what to do about it; None if nothing is amiss.
    """

    about: str
    name: str
    value: str
    remedy: str | None = None


def examine() -> list[Fact]:
    """All facts, in the order in which they are read."""
    return [*_versions(), *_machine(), *_devices(), *_extras(), *_settings()]


def _versions() -> Iterator[Fact]:
    yield Fact(about="version", name="engine", value=version(PACKAGE))
    yield Fact(
        about="version", name="python", value=f"{platform.python_version()} ({platform.python_implementation()})"
    )
    for name in _VERSIONS:
        found = _version(name)
        remedy = None if found is not None else f"pip install {name}"
        yield Fact(about="version", name=name, value=found or "not installed", remedy=remedy)


def _machine() -> Iterator[Fact]:
    import torch

    from engine.compute.cpu.int8 import int8_problem
    from engine.compute.cpu.limits import available_bytes, usable_cores
    from engine.compute.cpu.processor import processor_name

    yield Fact(about="machine", name="system", value=platform.platform())
    yield Fact(about="machine", name="processor", value=processor_name())
    yield Fact(about="machine", name="products in int8", value=int8_problem() or "yes")
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Fact(
        about="machine",
        name="cores",
        value=f"{os.cpu_count()} there, {affinity} by affinity, {usable_cores()} usable by affinity, quota and "
        "OMP_NUM_THREADS",
    )
    yield Fact(about="machine", name="threads of torch", value=str(torch.get_num_threads()))
    free = available_bytes()
    yield Fact(about="machine", name="memory left", value="unknown" if free is None else f"{free / _GIB:.1f} GiB")
    folder = tempfile.gettempdir()
    yield Fact(about="machine", name=f"disk left in {folder}", value=f"{shutil.disk_usage(folder).free / _GIB:.1f} GiB")


def _devices() -> Iterator[Fact]:
    import torch

    from engine.compute.layers.fp8_product import fp8_problem

    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = (
            "torch is built without CUDA" if built is None else f"torch is built for CUDA {built}, and finds no device"
        )
        yield Fact(about="device", name="cuda", value=f"none: {why}")
        return
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        capability = ".".join(map(str, torch.cuda.get_device_capability(number)))
        value = f"{torch.cuda.get_device_name(number)}, capability {capability}, CUDA {torch.version.cuda}, "
        value += f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free, "
        value += f"products in fp8: {fp8_problem(torch.device('cuda', number)) or 'yes'}"
        yield Fact(about="device", name=f"cuda:{number}", value=value)


def _extras() -> Iterator[Fact]:
    """Each extra that users may want: what it needs, and how it is installed."""
    for extra, names in extras().items():
        missing = [name for name in names if _version(name) is None]
        installed = ", ".join(f"{name} {_version(name)}" for name in names if name not in missing)
        value = f"not installed: {', '.join(missing)}" if missing else f"installed: {installed}"
        remedy = f"pip install '{PACKAGE}[{extra}]'" if missing else None
        yield Fact(about="extra", name=extra, value=value, remedy=remedy)


def extras() -> dict[str, list[str]]:
    """Packages of each extra, but for the developers' own, as the installed engine says."""
    found: dict[str, list[str]] = {}
    for requirement in requires(PACKAGE) or ():
        what, _, marker = requirement.partition(";")
        name, extra = _REQUIREMENT.match(what.strip()), _EXTRA.search(marker)
        if name is not None and extra is not None and extra[1] not in _FOR_DEVELOPERS:
            found.setdefault(extra[1], []).append(name[1])
    return found


def _settings() -> Iterator[Fact]:
    """Variables that change what a command does; a value may be private, so that only those of few kinds are shown."""
    shown = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES", "HF_HUB_OFFLINE", "HF_HOME", "TMPDIR")
    home = str(Path.home())
    for name in shown:
        if (value := os.environ.get(name)) is not None:
            yield Fact(about="setting", name=name, value=value.replace(home, "~"))
    for name in sorted(os.environ):
        if name.startswith("ENGINE_"):
            yield Fact(about="setting", name=name, value="is set")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
