"""The backends of torch: packed rows through our own layers or the model's, compiled, in 8 bits; and padded rows."""

from functools import partial
from types import MappingProxyType
from typing import Any

import torch

from engine.compute.attention import has_kernel
from engine.compute.backend import BOUNDS, Backend, Bound, Forward, Workload
from engine.compute.cpu.bf16_attention import Bf16Attention
from engine.compute.cpu.int8 import int8_problem
from engine.compute.cpu.processor import has_amx, has_bf16
from engine.compute.device import DTYPES
from engine.compute.forward import PackedForward, PaddedForward
from engine.compute.layers.fp8_layers import fp8_layers, odd_product
from engine.compute.layers.fp8_product import fp8_problem
from engine.compute.layers.fused_layer import compiling_failed, fused_layers
from engine.compute.layers.int8_layer import int8_layers
from engine.compute.packed_model import MakeLayers, packed_differs
from engine.models.probe import settle_length

# Compiling takes tens of seconds in each worker, which only a run of minutes makes up for.
TOKENS_TO_COMPILE = 100_000_000


class PaddedBackend(Backend):
    """Rows padded to rectangles, by the model's own layers: supports every model."""

    name = "padded"
    can_train = True
    pads = True

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """None: how rows are padded, if at all, was found out when the model was loaded, but for the longest ones."""
        settle_length(module, workload.longest)
        return None

    def make(self, module: Any, *, budget: int, longest: int) -> Forward:
        """See `Backend.make`."""
        return PaddedForward(module, budget=budget, longest=longest)


class PackedBackend(Backend):
    """Rows packed without padding between them, by the model's own layers."""

    name = "packed"
    can_train = True
    _fused = False
    _make_layers: MakeLayers | None = None
    _bf16_attention: Bf16Attention | None = None

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """How packed rows differ from rows alone, computed in fp32 where the module is."""
        return packed_differs(module, workload.longest, fused=self._fused)

    def make(self, module: Any, *, budget: int, longest: int) -> Forward:
        """See `Backend.make`."""
        return PackedForward(
            module,
            make_layers=self._make_layers,
            bf16_attention=self._bf16_attention,
            budget=budget,
            longest=longest,
        )


class FusedBackend(PackedBackend):
    """Packed rows through `engine.compute.layers.fused_layer`, for models whose layers have the parts of BERT's."""

    name = "fused"
    first_only = True
    _fused = True
    _make_layers: MakeLayers | None = staticmethod(fused_layers)

    def can_replace(self, other: Backend) -> bool:
        """Compiled layers compute the same products: runs that begin together may differ in this alone."""
        return isinstance(other, FusedBackend) and other.bounds == self.bounds


class CompiledBackend(FusedBackend):
    """Fused layers, compiled by torch."""

    name = "compiled"
    can_train = False
    _make_layers: MakeLayers | None = staticmethod(partial(fused_layers, compiled=True))

    def is_worthwhile(self, workload: Workload) -> bool:
        """On a GPU with the kernel for rows of different lengths, and with much to compute."""
        return workload.tokens >= TOKENS_TO_COMPILE and has_kernel(workload.device, DTYPES[workload.dtype])

    def in_effect(self) -> Backend:
        """Layers run uncompiled in this process if compiling has failed."""
        return FUSED if compiling_failed() else self


class Fp8Backend(FusedBackend):
    """Fused layers whose products are in 8 bits of floating point; what is between them is in fp16."""

    name = "fp8"
    can_train = False
    bounds = MappingProxyType({"fp8": Bound(1.0, 0.25, seldom=2)})
    _make_layers: MakeLayers | None = staticmethod(fp8_layers)

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """Why not: weights that rounding would hide, the device, the layers, or their sizes."""
        problem = _not_finite(module, DTYPES["fp8"]) or fp8_problem(workload.device)
        return problem or super().unsupported(module, workload) or odd_product(module)


class Fp8CompiledBackend(Fp8Backend, CompiledBackend):
    """The same, compiled by torch."""

    name = "fp8-compiled"
    _make_layers: MakeLayers | None = staticmethod(partial(fp8_layers, compiled=True))

    def in_effect(self) -> Backend:
        """Layers run uncompiled in this process if compiling has failed."""
        return FP8 if compiling_failed() else self


class Int8Backend(FusedBackend):
    """Fused layers whose products are in 8 bits, on a CPU."""

    name = "int8-static"
    can_train = False
    bounds = MappingProxyType({"int8": Bound(1.0, 0.25, seldom=2)})
    _make_layers: MakeLayers | None = staticmethod(int8_layers)

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """Why not: the device, its processor, weights that rounding would hide, or the layers."""
        if workload.device.type != "cpu":
            return f"it computes on a CPU, and not on {workload.device}"
        return _not_finite(module) or int8_problem() or super().unsupported(module, workload)

    def can_replace(self, other: Backend) -> bool:
        """No other one rounds as it does."""
        return other is self


class Bf16Backend(FusedBackend):
    """Fused layers in bf16, attention included (`engine.compute.cpu.bf16_attention`), on a CPU that has bf16."""

    name = "bf16"
    can_train = False
    bounds = MappingProxyType({"bf16": BOUNDS["bf16"]})
    _bf16_attention: Bf16Attention | None = "products"

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """Why not: the device, its processor, or the layers."""
        return _no_bf16(workload) or super().unsupported(module, workload)

    def can_replace(self, other: Backend) -> bool:
        """No other one rounds as it does."""
        return other is self


class Bf16FlashBackend(Bf16Backend):
    """As `Bf16Backend`, with torch's own attention: the faster way on a CPU with AMX."""

    name = "bf16-flash"
    _bf16_attention = "flash"

    def is_worthwhile(self, workload: Workload) -> bool:  # noqa: ARG002 - by the processor alone
        """Where the processor has AMX."""
        return has_amx()


class Int8Bf16Backend(Int8Backend):
    """Fused layers whose products are in 8 bits and whose attention is in bf16, on a CPU that has both."""

    name = "int8-static-bf16"
    _bf16_attention: Bf16Attention | None = "products"

    def unsupported(self, module: Any, workload: Workload) -> str | None:
        """Why not: the device, its processor, or the layers."""
        return _no_bf16(workload) or super().unsupported(module, workload)


class Int8FlashBackend(Int8Bf16Backend):
    """As `Int8Bf16Backend`, with torch's own attention: the faster way on a CPU with AMX."""

    name = "int8-static-flash"
    _bf16_attention = "flash"

    def is_worthwhile(self, workload: Workload) -> bool:  # noqa: ARG002 - by the processor alone
        """Where the processor has AMX."""
        return has_amx()


def _not_finite(module: Any, dtype: torch.dtype = torch.float32) -> str | None:
    """What is wrong with weights of ``module`` that are not finite in ``dtype``; None if all are."""
    if all(bool(parameter.to(dtype).isfinite().all()) for parameter in module.parameters()):
        return None
    return "some of its weights are not finite, which no number in 8 bits says"


def _no_bf16(workload: Workload) -> str | None:
    if workload.device.type != "cpu":
        return f"it computes on a CPU, and not on {workload.device}"
    return None if has_bf16() else "this processor has no products in bf16"


PADDED, PACKED, FUSED, COMPILED = PaddedBackend(), PackedBackend(), FusedBackend(), CompiledBackend()
INT8, INT8_BF16, INT8_FLASH = Int8Backend(), Int8Bf16Backend(), Int8FlashBackend()
BF16, BF16_FLASH = Bf16Backend(), Bf16FlashBackend()
FP8, FP8_COMPILED = Fp8Backend(), Fp8CompiledBackend()
