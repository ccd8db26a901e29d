"""The processor of this machine, and the arithmetic that it has beyond fp32."""

import platform
from functools import cache
from pathlib import Path
from typing import Any

import torch

_CPUINFO = Path("/proc/cpuinfo")
_ARITHMETIC = {"AMX": "_is_amx_tile_supported", "bf16": "_is_avx512_bf16_supported", "VNNI": "_is_vnni_supported"}
"""What torch says of a processor, by name; torch has no public way to ask."""
_X86 = ("x86_64", "AMD64")


@cache
def processor_name() -> str:
    """Model and arithmetic, such as ``AMD EPYC (AVX512, bf16, VNNI)``: what speeds depend on."""
    has = [name for name, check in _ARITHMETIC.items() if getattr(torch.cpu, check, bool)()]
    return f"{_model()} ({', '.join([torch.backends.cpu.get_cpu_capability(), *has])})"


@cache
def has_amx() -> bool:
    """Whether this processor multiplies tiles of a matrix in one instruction."""
    return bool(getattr(torch.cpu, _ARITHMETIC["AMX"], bool)())


@cache
def has_bf16() -> bool:
    """Whether products in bf16 are instructions of this processor."""
    return any(getattr(torch.cpu, _ARITHMETIC[name], bool)() for name in ("AMX", "bf16"))


@cache
def lacks(dtype: str) -> bool:
    """Whether this processor is known to have no products in ``dtype``, so that torch converts each number.

    Args:
        dtype: of the computation; of those in 8 bits their backends know.
    """
    if platform.machine() not in _X86:  # of others torch says nothing
        return False
    return (dtype == "bf16" and not has_bf16()) or (dtype == "fp16" and not _has_fp16())


def _has_fp16() -> bool:
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return not has or any(has.get(name, False) for name in ("avx512_fp16", "amx_fp16"))


def _model() -> str:
    for line in _CPUINFO.read_text(encoding="utf-8").splitlines() if _CPUINFO.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
