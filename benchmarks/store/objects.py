"""What does a store on S3 cost against one on a disk: labelling, and the epochs of a training?

    python -m benchmarks.store.objects --model TEACHER --input reviews.parquet --rows 4000 --rounds 5

Contestants label the same rows with the same model in turn, in processes of their own, into new stores: `disk`, and
`s3` on a server of the loopback (moto's, which takes time of the same cores, unless `--endpoint` names another one that
has a bucket called `bucket`). Then the stream of the store on S3 is read for three epochs, with and without a warm
cache, beside that of the disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import store
from benchmarks.harness.conditions import write_result
from benchmarks.harness.object_server import object_server
from benchmarks.harness.rounds import compare, lines, run_rounds

EPOCHS = 3


def label(place: str, arguments: argparse.Namespace, rows: Path) -> float:
    """Seconds of labelling, without the start of the process."""
    command = [sys.executable, "-m", "cli", "--quiet", "label", str(rows), "--store", place]
    command += ["--teacher", arguments.model, "--shards", str(arguments.shards), "--devices", "cpu", "--dtype", "fp32"]
    command += ["--tokens-per-batch", "2048", "--format", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    (summary,) = json.loads(done.stdout)
    return float(summary["seconds"])


def epochs(place: str) -> list[float]:
    """Seconds of each epoch of a stream: logits and token ids, as a student reads them."""
    made = store.open(place)
    (encoding,), (labels,) = made.encodings(), made.label_sets()
    stream, seconds = made.stream(labels=labels, encoding=encoding, batch_size=64), []
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        rows = sum(len(batch["row"]) for batch in stream.at(epoch=epoch))
        seconds.append(round(time.perf_counter() - started, 4))
        assert rows == made.layout.rows
    return seconds


def main() -> None:
    """All rounds, one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--endpoint", help="of another server")
    parser.add_argument("--name", default="objects", help="of the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, object_server(arguments.endpoint) as bucket:
        figures = measure(Path(place), f"{bucket}/{uuid.uuid4().hex[:8]}", arguments)
    path = write_result(arguments.name, figures)
    print("\n".join(lines(figures["labelling"], ours="s3")))
    print(json.dumps(figures["epochs"]))
    print(f"written to {path}")


def measure(folder: Path, bucket: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of labelling by contestant and round, then those of the epochs."""
    os.environ["ENGINE_CACHE"] = str(folder / "cache")
    rows, made = folder / "rows.parquet", {"disk": 0, "s3": 0}
    table = pq.read_table(arguments.input, columns=["id", "text"]).slice(0, arguments.rows)
    pq.write_table(table, rows)

    def turn(name: str) -> float:
        made[name] += 1
        return label(_place(name, made[name]), arguments, rows)

    def _place(name: str, number: int) -> str:
        return f"{folder}/{number}.store" if name == "disk" else f"{bucket}/{number}.store"

    seconds = run_rounds({name: lambda name=name: turn(name) for name in made}, arguments.rounds)  # type: ignore[misc]
    first = {"disk": epochs(_place("disk", 1)), "s3": epochs(_place("s3", 1)), "s3_again": epochs(_place("s3", 1))}
    return {
        "server": arguments.endpoint or "moto",
        "rows": table.num_rows,
        "shards": arguments.shards,
        "seconds": seconds,
        "labelling": compare(seconds, rows=table.num_rows, ours="s3"),
        "epochs": first,
    }


if __name__ == "__main__":
    main()
