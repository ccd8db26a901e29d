"""An ONNX file in fp32 → one in int8: weights in 8 bits, activations in 8 bits by the range that each batch has."""

from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.export.onnx.packages import onnx_packages, quiet
from engine.labelling.dtype_choice import MOST_FLIPS
from engine.models.files import first_line

LEAST_ROWS = 200
"""Rows on which a file in int8 is judged at least: with fewer, one flip is more than the bound."""


def quantize(fp32: Path, int8: Path) -> None:
    """Write ``int8`` from ``fp32``: products with weights, a scale for each output, and the table of tokens.

    Raises:
        ModelError: ONNX Runtime cannot.
    """
    quantization = onnx_packages().quantization
    more: dict[str, Any] = {"per_channel": True, "reduce_range": False}
    try:
        with quiet():
            quantization.quantize_dynamic(str(fp32), str(int8), weight_type=quantization.QuantType.QInt8, **more)
    except Exception as error:  # its errors have no common class
        raise ModelError(f"{fp32.name}: ONNX Runtime cannot write it in int8: {first_line(error)}") from error


def refusal(*, rows: int, flips: int) -> str | None:
    """Why a file that changes ``flips`` of so many rows' classes is not kept; None if it is."""
    if rows < LEAST_ROWS:
        return f"{rows} rows are too few to judge it by; give {LEAST_ROWS} or more with --check"
    if flips > MOST_FLIPS * rows:
        return f"it changes the class of {flips} of {rows:,} rows, and {MOST_FLIPS:.1%} is the most"
    return None
