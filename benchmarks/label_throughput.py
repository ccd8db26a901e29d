"""How much faster is labelling than what people do today? The peers run in the same process, in turn.

    python -m benchmarks.label_throughput --model TEACHER --input reviews.parquet --rows 800

Each round times `engine.label` (reading the store's texts, tokenising, computing, writing and committing shards) and
each peer (tokenising and computing) on the same rows. Loading models is timed for nobody, and everybody warms up. The
ratio is taken round by round.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

import engine
from benchmarks.conditions import write_result
from engine.model_files import quiet_transformers
from engine.tokens import Encoding

WARM_UP_ROWS = 64


def main() -> None:
    """Run the rounds, print the table, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="folder of a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quiet_transformers()
    table = pq.read_table(arguments.input, columns=["id", "text"])
    step = max(1, table.num_rows // arguments.rows)
    table = table.take(pa.array(range(0, step * arguments.rows, step)))
    classify = _pipeline(arguments.model)
    contestants: dict[str, Callable[[pa.Table], float]] = {
        "engine": lambda rows: _label(arguments.model, rows),
        "pipeline(batch_size=32)": lambda rows: _classify(classify, rows),
    }
    for contestant in contestants.values():
        contestant(table.slice(0, WARM_UP_ROWS))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(arguments.rounds):
        for name, contestant in contestants.items():
            seconds[name].append(contestant(table))
            sys.stderr.write(f"round {round_ + 1}: {name} {arguments.rows / seconds[name][-1]:.1f} rows/s\n")
    _report(arguments.rows, seconds, _tokens(arguments.model, table))


def _label(model: str, table: pa.Table) -> float:
    folder = Path(tempfile.mkdtemp())
    try:
        pq.write_table(table, folder / "rows.parquet")
        inputs = (str(folder / "rows.parquet"),)
        config = engine.LabelConfig(store=str(folder / "store"), teacher=model, inputs=inputs, shards=1)
        return engine.label(config).seconds
    finally:
        shutil.rmtree(folder)


def _pipeline(model: str) -> Any:
    return pipeline(
        "text-classification",
        model=AutoModelForSequenceClassification.from_pretrained(model),
        tokenizer=AutoTokenizer.from_pretrained(model),
        device="cpu",
    )


def _classify(classify: Any, table: pa.Table) -> float:
    texts = table.column("text").to_pylist()
    started = time.perf_counter()
    classify(texts, batch_size=32, truncation=True, max_length=512, top_k=None)
    return time.perf_counter() - started


def _tokens(model: str, table: pa.Table) -> dict[str, float]:
    encoding = Encoding(AutoTokenizer.from_pretrained(model).backend_tokenizer, max_length=512)
    lengths = encoding.encode(table.column("text").to_pylist()).lengths
    return {"mean": round(float(lengths.mean()), 1), "max": int(lengths.max())}


def _report(rows: int, seconds: dict[str, list[float]], tokens: dict[str, float]) -> None:
    ours = seconds["engine"]
    figures = {
        name: {
            "rows_per_second": round(rows / statistics.median(times), 1),
            "times_as_fast": round(statistics.median(b / a for a, b in zip(ours, times, strict=True)), 2),
        }
        for name, times in seconds.items()
    }
    path = write_result("label_throughput", {"rows": rows, "tokens": tokens, "seconds": seconds, "figures": figures})
    for name, figure in figures.items():
        print(
            f"{name:45} {figure['rows_per_second']:8.1f} rows/s   engine is {figure['times_as_fast']:.2f} times as fast"
        )
    print(f"written to {path}")


if __name__ == "__main__":
    main()
