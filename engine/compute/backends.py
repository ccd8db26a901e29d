"""The backends by name, and which of them computes a model."""

import logging
from typing import Any

from engine.compute.backend import Backend, Workload
from engine.compute.torch_backends import (
    BF16,
    BF16_FLASH,
    COMPILED,
    FP8,
    FP8_COMPILED,
    FUSED,
    INT8,
    INT8_BF16,
    INT8_FLASH,
    PACKED,
    PADDED,
)
from engine.errors import ModelError

BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        INT8_FLASH,
        INT8_BF16,
        INT8,
        FP8_COMPILED,
        FP8,
        BF16_FLASH,
        BF16,
        COMPILED,
        FUSED,
        PACKED,
        PADDED,
    )
}
"""The fastest first. `PADDED`, which supports every model, is the last one."""

_log = logging.getLogger(__name__)


def backend_named(name: str) -> Backend:
    """The backend of this name.

    Raises:
        ModelError: this version has no such backend.
    """
    try:
        return BACKENDS[name]
    except KeyError:
        raise ModelError(f"there is no backend {name!r} in this version; it has {', '.join(BACKENDS)}") from None


def choose_backend(module: Any, workload: Workload, *, preferred: str | None = None) -> Backend:
    """The first backend that is worthwhile and supports ``module``.

    Args:
        module: the classifier, in fp32 and evaluation mode.
        workload: the rows to be computed.
        preferred: name of a backend to try first, worthwhile or not; one that this version lacks is passed over.
    """
    if preferred in BACKENDS and _supports(BACKENDS[preferred], module, workload):
        return BACKENDS[preferred]
    for backend in BACKENDS.values():
        if backend.is_worthwhile(workload) and _supports(backend, module, workload):
            return backend
    reasons = {name: _problem(one, module, workload) for name, one in BACKENDS.items() if workload.dtype in one.bounds}
    said = "; ".join(f"{name}: {problem}" for name, problem in reasons.items())
    raise ModelError(
        f"no backend computes {type(module).__name__} in {workload.dtype} on {workload.device} ({said}). Name another "
        "--dtype"
    )


def require_backend(name: str, module: Any, workload: Workload) -> Backend:
    """The backend that the user named.

    Raises:
        ModelError: there is no such backend, or it does not support ``module``; says why.
    """
    backend = backend_named(name)
    if problem := _problem(backend, module, workload):
        raise ModelError(f"the backend {name!r} cannot compute {type(module).__name__}: {problem}. Name another one")
    return backend


def _problem(backend: Backend, module: Any, workload: Workload) -> str | None:
    if workload.dtype not in backend.bounds:
        return f"it does not compute in {workload.dtype}"
    return backend.unsupported(module, workload)


def _supports(backend: Backend, module: Any, workload: Workload) -> bool:
    if workload.training and not backend.can_train:
        return False
    problem = _problem(backend, module, workload)
    if problem:
        _log.debug("%s is not computed by %r: %s", type(module).__name__, backend.name, problem)
    return problem is None
