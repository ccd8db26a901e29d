"""Are the stored logits those that the model gives? Against `AutoModelForSequenceClassification`, one row at a time.

    python -m benchmarks.labelling.parity --model TEACHER --input reviews.parquet --rows 2000

Half of the rows are the longest ones, so that texts cut at the maximum length are among them. The bound is that of a
value rounded to fp16: 1e-4 + 5e-4 · |x|.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import engine
import store
from benchmarks.harness.conditions import write_result
from engine.models.files import quiet_transformers


def main() -> None:
    """Label, compute again, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="folder of a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--rows", type=int, default=2000)
    arguments = parser.parse_args()
    quiet_transformers()
    table = _choose(pq.read_table(arguments.input, columns=["id", "text"]), arguments.rows)
    stored, lengths = _stored_logits(arguments.model, table)
    single = _single_logits(arguments.model, table.column("text").to_pylist())
    difference = np.abs(stored - single)
    excess = difference - (1e-4 + 5e-4 * np.abs(single))
    figures = {
        "rows": len(single),
        "rows_of_512_tokens": int((lengths == 512).sum()),
        "shortest": int(lengths.min()),
        "largest_difference": float(difference.max()),
        "rows_out_of_bounds": int((excess > 0).any(axis=1).sum()),
        "predictions_that_differ": int((stored.argmax(axis=1) != single.argmax(axis=1)).sum()),
    }
    path = write_result("parity", {"bound": "1e-4 + 5e-4 * |x|", "figures": figures})
    for name, figure in figures.items():
        print(f"{name:25} {figure}")
    print(f"written to {path}")


def _choose(table: pa.Table, rows: int) -> pa.Table:
    """The longest texts, and as many others spread over the rest, in a mixed order."""
    order = pc.sort_indices(pc.utf8_length(table.column("text")), sort_keys=[("", "descending")]).to_numpy()
    longest, rest = order[: rows // 2], order[rows // 2 :]
    others = rest[np.linspace(0, len(rest) - 1, rows - len(longest)).astype(int)]
    chosen = np.random.default_rng(0).permutation(np.concatenate([longest, others]))
    return table.take(pa.array(chosen))


def _stored_logits(model: str, table: pa.Table) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    folder = Path(tempfile.mkdtemp())
    try:
        pq.write_table(table, folder / "rows.parquet")
        inputs = (str(folder / "rows.parquet"),)
        engine.label(engine.LabelConfig(store=str(folder / "store"), teacher=model, inputs=inputs, shards=4))
        answer = store.open(folder / "store").sql("SELECT logits, n_tokens FROM labels ORDER BY row")
    finally:
        shutil.rmtree(folder)
    logits = np.array(answer.column("logits").to_pylist(), np.float32)
    return logits, answer.column("n_tokens").to_numpy().astype(np.int64)


def _single_logits(model: str, texts: list[str]) -> npt.NDArray[np.float32]:
    tokenizer = AutoTokenizer.from_pretrained(model)
    module = AutoModelForSequenceClassification.from_pretrained(model).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            inputs = tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
            rows.append(module(**inputs).logits[0].numpy())
    return np.stack(rows)


if __name__ == "__main__":
    main()
