"""An export to ONNX on real rows with gold: differences, flips, accuracy and speed of its files, beside transformers.

    python -m benchmarks.export.onnx --model TEACHER --check test.parquet --rows 2000

It is `engine export MODEL --to onnx --check`, whose figures are kept.
"""

import argparse
import dataclasses
import tempfile
from importlib.metadata import version
from pathlib import Path

import engine
from benchmarks.harness.conditions import write_result


def main() -> None:
    """Export, write the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="folder of a fine-tuned classifier")
    parser.add_argument("--check", required=True, help="file of rows with labels")
    parser.add_argument("--rows", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = engine.RowsConfig(files=(arguments.check,), limit=arguments.rows)
        found = engine.export_onnx(
            engine.OnnxConfig(model=arguments.model, out=str(Path(folder) / "out"), rows=rows, weights=False)
        )
    compared = {name: dataclasses.asdict(one) for name, one in found.compared.items()}
    result = {
        "packages": {name: version(name) for name in ("onnx", "onnxruntime")},
        "max_length": found.max_length,
        "made_up_rows": found.made_up_rows,
        "largest_difference": found.largest_difference,
        "quantized": found.quantized,
        "not_quantized": found.not_quantized,
        "megabytes": found.megabytes,
        "compared": compared,
    }
    path = write_result("onnx", result)
    for name, one in compared.items():
        print(f"{name:40} {one}")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
