"""The packages that an export to ONNX needs, which are an extra."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError

_NEEDED = ("onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class OnnxPackages:
    """Modules of the extra.

    Attributes:
        onnx: the format.
        runtime: ONNX Runtime.
        quantization: of ONNX Runtime.
    """

    onnx: Any
    runtime: Any
    quantization: Any


def onnx_packages() -> OnnxPackages:
    """Import them.

    Raises:
        ModelError: one is not installed; says how to install it.
    """
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ModelError(
                f"an export to ONNX needs the package {name}, which is not installed ({error}): "
                "pip install 'softlabel-engine[onnx]'"
            ) from None
    return OnnxPackages(
        onnx=importlib.import_module("onnx"),
        runtime=importlib.import_module("onnxruntime"),
        quantization=importlib.import_module("onnxruntime.quantization"),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep advice of torch and ONNX Runtime off stderr: what they make constant is found by comparing logits."""
    held = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(held)
