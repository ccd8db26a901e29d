"""The process that `benchmarks.labelling.memory` watches: a request as JSON on stdin, what it did as JSON on stdout."""

import json
import sys
import time
from typing import Any

import store
from engine.ingest.ingest import IngestConfig, ingest
from engine.labelling.execute import execute
from engine.labelling.runners.in_process import InProcess
from engine.testing.fake_job import FakeJob
from store.storage import LocalStorage

CLASSES = ("negative", "positive")
MAX_LENGTH = 512


def ingest_texts(request: dict[str, Any]) -> None:
    """A file → a store with its corpus, in shards of the default size."""
    ingest(LocalStorage(request["store"]), IngestConfig(files=(request["file"],), classes=CLASSES))


def label_texts(request: dict[str, Any]) -> None:
    """A store → its label set and token ids, with a made-up teacher, in this process."""
    made = store.open(request["store"])
    job = FakeJob(store=request["store"], max_length=MAX_LENGTH)
    job.freeze_card()
    execute(made, job, InProcess("fake"))


if __name__ == "__main__":
    given = json.load(sys.stdin)
    started = time.perf_counter()
    {"ingest": ingest_texts, "label": label_texts}[given.pop("what")](given)
    seconds = round(time.perf_counter() - started, 2)
    header = store.open(given["store"]).header
    rows_of_a_shard = max(stop - first for _, first, stop in header.layout)
    answer = {"seconds": seconds, "shards": header.layout.shards, "rows_of_a_shard": rows_of_a_shard}
    sys.stdout.write(json.dumps(answer))
