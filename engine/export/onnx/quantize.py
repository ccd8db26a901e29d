"""An ONNX file in fp32 → one in int8: weights in 8 bits, activations in 8 bits by the range that each batch has.

Before, the ranges of the activations' channels are made more even, see `engine.export.onnx.smooth`. On a processor
without VNNI, whose sums of two products are cut off at 16 bits, weights have 7 bits: then no such sum is too large.
"""

from pathlib import Path
from typing import Any

from engine.compute.cpu.int8 import int8_problem
from engine.errors import ModelError
from engine.export.onnx.packages import onnx_packages, quiet
from engine.export.onnx.smooth import Ranges, products, smooth
from engine.labelling.dtype_choice import MOST_FLIPS
from engine.models.files import first_line

LEAST_ROWS = 200
"""Rows on which a file in int8 is judged at least: with fewer, one flip is more than the bound."""
ALL, BUT_NARROWING = "all products", "all products but those with more inputs than outputs"
_EVEN = "even.onnx"
RECIPES = (ALL, BUT_NARROWING)
"""What is computed in int8, the fastest first. Inputs of narrowing products, behind an activation, have outliers."""


def has_narrow_weights() -> bool:
    """Whether weights get 7 bits here, so that the file is right on processors without VNNI, as this one is."""
    return int8_problem() is not None


def quantize(fp32: Path, int8: Path, recipe: str, ranges: Ranges) -> None:
    """Write ``int8`` from ``fp32``: the table of tokens, and products with weights, which have a scale for each output.

    Args:
        fp32: the file that is read.
        int8: the file that is written.
        recipe: one of `RECIPES`.
        ranges: of the inputs of the products, which are made more even.

    Raises:
        ModelError: ONNX Runtime cannot.
    """
    packages = onnx_packages()
    model = packages.onnx.load(str(fp32))
    kept = _narrowing(model.graph) if recipe == BUT_NARROWING else []
    smooth(model.graph, ranges, kept=kept)
    more: dict[str, Any] = {
        "weight_type": packages.quantization.QuantType.QInt8,
        "per_channel": True,
        "reduce_range": has_narrow_weights(),
    }
    even = int8.with_name(_EVEN)
    try:
        packages.onnx.save(model, str(even))
        with quiet():
            packages.quantization.quantize_dynamic(str(even), str(int8), nodes_to_exclude=kept, **more)
    except Exception as error:  # its errors have no common class
        raise ModelError(f"{fp32.name}: ONNX Runtime cannot write it in int8: {first_line(error)}") from error
    finally:
        even.unlink(missing_ok=True)


def _narrowing(graph: Any) -> list[str]:
    """Names of the products with a weight that has more inputs than outputs."""
    return [node.name for node, weight in products(graph) if weight.dims[0] > weight.dims[1]]


def refusal(*, rows: int, flips: int) -> str | None:
    """Why a file that changes ``flips`` of so many rows' classes is not kept; None if it is."""
    if rows < LEAST_ROWS:
        return f"{rows} rows are too few to judge it by; give {LEAST_ROWS} or more with --check"
    if flips > MOST_FLIPS * rows:
        return f"it changes the class of {flips} of {rows:,} rows, and {MOST_FLIPS:.1%} is the most"
    return None
