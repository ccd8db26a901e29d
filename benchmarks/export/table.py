"""The figures of an export to ONNX → the sentences of the README."""

from typing import Any

from benchmarks.harness.conditions import in_words


def onnx(result: dict[str, Any]) -> str:
    """Two sentences: the file in fp32, and that in int8."""
    compared = result["compared"]
    fp32, own = compared["onnx/model.onnx"], compared["transformers"]
    words = (
        f"Of {fp32['rows']:,} real reviews with gold, of at most {result['max_length']} tokens, the logits of the file "
        f"in fp32 are off by {result['largest_difference']:.1e} at most and {fp32['flips']} classes change."
    )
    int8 = compared["onnx/model_quantized.onnx"]
    alone = compared["onnx/model_quantized.onnx, rows alone"]
    kept = "is written" if result["quantized"] else f"is not written ({result['not_quantized']})"
    speed = ""
    if int8["rows_per_second"]:
        speed = (
            f", {int8['rows_per_second'] / fp32['rows_per_second']:.2f} times the rows/s of that in fp32 and "
            f"{int8['rows_per_second'] / own['rows_per_second']:.2f} times those of transformers"
        )
    size = result["megabytes"]
    return (
        f"{words} The one in int8 {kept}: {int8['flips']} classes change in batches "
        f"({int8['flips'] / int8['rows']:.2%}; of {alone['rows']:,} rows alone {alone['flips']}), accuracy "
        f"{int8['accuracy']:.2%} against {own['accuracy']:.2%}, {size.get('onnx/model_quantized.onnx', 0):.0f} MB "
        f"against {size['onnx/model.onnx']:.0f}{speed}. MiniLM-L6; {in_words(result)}"
    )
