"""What do the store's promises cost while labelling: hashing, waiting for the disk, creating records?

    python -m benchmarks.labelling.write_overhead --model TEACHER --input reviews.parquet --rows 3000

One label run in this process, from input files to a sealed store, on a storage that keeps the time of each verb.
Arrow's own work on the files, which any writer needs, is not counted.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import engine
from benchmarks.harness.conditions import write_result
from engine.models.files import quiet_transformers
from store.storage import LocalStorage, Staged


class TimedStorage(LocalStorage):
    """A folder that knows how long each verb took, in seconds."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Keep the time of what is done inside."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - started

    def stage(self) -> Staged:
        """A staged file whose verbs are timed too."""
        with self.timed("stage"):
            staged = super().stage()
        for what in ("write", "publish", "discard"):
            setattr(staged, what, self._timing(what, getattr(staged, what)))
        return staged

    def _timing(self, what: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with self.timed(what):
                return verb(*arguments)

        return call

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Timed."""
        with self.timed("put_if_absent"):
            return super().put_if_absent(name, data)


def main() -> None:
    """One run, one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a fine-tuned classifier")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--shards", type=int, default=16)
    arguments = parser.parse_args()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        pq.write_table(pq.read_table(arguments.input, columns=["id", "text"]).slice(0, arguments.rows), rows)
        storage = TimedStorage(Path(folder) / "store")
        started = time.perf_counter()
        config = engine.LabelConfig(
            store=storage, teacher=arguments.model, inputs=(str(rows),), shards=arguments.shards, devices=("cpu",)
        )
        summary = engine.label(config)
        seconds = time.perf_counter() - started
    spent = {what: round(took, 4) for what, took in storage.seconds.items()}
    share = sum(storage.seconds.values()) / seconds
    figures = {
        "rows": summary.rows,
        "shards": summary.shards,
        "seconds": round(seconds, 2),
        "rows_per_second": summary.rows_per_second,
        "storage_seconds": spent,
        "share": round(share, 5),
    }
    path = write_result("write_overhead", figures)
    print(f"{share:.2%} of {seconds:.1f} s: {spent}")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
