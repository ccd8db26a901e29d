"""Does a store stay quick when it is large? Many shards, many rows, many bytes of text.

    python -m benchmarks.store.scale --work FOLDER [--gigabytes 5] [--part shards rows texts]

Each question is asked in a process of its own, whose memory and open files are watched: once with its manifests
unread, then a few times again (the median counts). ``--work`` needs 2 GB for the shards, 1 GB for the rows, and twice
``--gigabytes`` for the texts; all of it is deleted afterwards.

The parts:
    shards  100,000 shards of three rows: opening, counting, summing up
    rows    10 million rows in 100 shards: every question that reads no text, beside DuckDB over pyarrow's own data set
    texts   input files → corpus, in bounded memory
"""

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.made_stores import build_store, write_texts
from benchmarks.harness.measured import measure

CHILD = "benchmarks.store.scale_child"
MANY_SHARDS = {
    "count and mean": "SELECT count(*) AS n, avg(confidence) AS mean FROM labels",
    "shards by family": "SELECT family, count(*) AS n, sum(rows) AS rows FROM shards GROUP BY ALL ORDER BY ALL",
    "accuracy": "SELECT count(*) AS n, avg((gold = prediction)::INT) AS mean FROM reviews WHERE gold IS NOT NULL",
}
MANY_ROWS = {
    "count": "SELECT count(*) AS n FROM labels",
    "count and mean": "SELECT count(*) AS n, avg(confidence) AS mean FROM labels WHERE label_set = 'bert'",
    "by class": "SELECT label_set, class, count(*) AS n, avg(confidence) AS mean FROM labels GROUP BY ALL ORDER BY ALL",
    "histogram": (
        "SELECT label_set, floor(confidence * 20) / 20 AS bin, count(*) AS n FROM labels GROUP BY ALL ORDER BY ALL"
    ),
    "quantiles": "SELECT label_set, quantile_cont(entropy, [0.1, 0.5, 0.9]) AS q FROM labels GROUP BY 1 ORDER BY 1",
    "least certain": "SELECT row, class FROM labels WHERE label_set = 'bert' ORDER BY confidence, row LIMIT 100",
    "agreement": (
        "SELECT count(*) AS n, count_if(a.prediction = b.prediction) AS same FROM labels a JOIN labels b USING (row) "
        "WHERE a.label_set = 'bert' AND b.label_set = 'roberta'"
    ),
    "accuracy": MANY_SHARDS["accuracy"],
    "confusion": "SELECT gold, prediction, count(*) AS n FROM reviews WHERE gold IS NOT NULL GROUP BY ALL ORDER BY ALL",
    "uncertain with gold": "SELECT count(*) AS n FROM reviews WHERE confidence < 0.6 AND gold IS NOT NULL",
    "failed and truncated": (
        "SELECT label_set, count(failure) AS failed, count_if(truncated) AS truncated, sum(n_tokens)::BIGINT AS tokens "
        "FROM labels GROUP BY 1 ORDER BY 1"
    ),
    "by shard": "SELECT shard, avg(confidence) AS mean FROM labels WHERE label_set = 'bert' GROUP BY 1 ORDER BY 1",
    "shards": "SELECT family, name, sum(rows)::BIGINT AS rows FROM shards GROUP BY ALL ORDER BY ALL",
}


PEERS = {
    "count and mean": "SELECT count(*) AS n, avg(confidence) AS mean FROM bert",
    "accuracy": (
        "SELECT count(*) AS n, avg((c.label = l.prediction)::INT) AS mean FROM corpus c JOIN bert l USING (row) "
        "WHERE c.label IS NOT NULL"
    ),
}


def ask(place: Path, sql: str, *, what: str = "ask") -> dict[str, Any]:
    """Time and memory of a query, in a process of its own."""
    return asdict(measure(CHILD, {"what": what, "store": str(place), "sql": sql}))


def _peers(place: Path, *names: str) -> dict[str, Any]:
    return {f"{name}, pyarrow's data set": ask(place, PEERS[name], what="peer") for name in names}


def many_shards(work: Path, *, shards: int = 100_000) -> dict[str, Any]:
    """Part (a)."""
    place = work / "shards.store"
    build_store(place, rows=3 * shards, shards=shards, label_sets=("bert",))
    figures = {name: ask(place, sql) for name, sql in MANY_SHARDS.items()}
    figures["engine info"] = asdict(measure(CHILD, {"what": "info", "store": str(place)}))
    return {**figures, **_peers(place, "count and mean")}


def many_rows(work: Path, *, rows: int = 10_000_000, shards: int = 100) -> dict[str, Any]:
    """Part (b)."""
    place = work / "rows.store"
    build_store(place, rows=rows, shards=shards)
    return {**{name: ask(place, sql) for name, sql in MANY_ROWS.items()}, **_peers(place, *PEERS)}


def many_bytes(work: Path, *, size: int) -> dict[str, Any]:
    """Part (c): of ``size`` bytes, and of a tenth of them."""
    figures = {}
    for part in (size // 10, size):
        files = write_texts(work, size=part)
        place = work / "texts.store"
        figures[f"{part / 1e9:g} GB"] = asdict(measure(CHILD, {"what": "ingest", "store": str(place), "files": files}))
        shutil.rmtree(place)
    return figures


def main() -> None:
    """Run the parts, print their figures, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True, type=Path, help="an empty folder that is deleted afterwards")
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--part", nargs="+", choices=["shards", "rows", "texts"], default=["shards", "rows", "texts"])
    arguments = parser.parse_args()
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "shards": many_shards,
        "rows": many_rows,
        "texts": lambda work: many_bytes(work, size=int(arguments.gigabytes * 1e9)),
    }
    result = {}
    for name in arguments.part:
        arguments.work.mkdir(parents=True)
        try:
            result[name] = parts[name](arguments.work)
        finally:
            shutil.rmtree(arguments.work)
        for question, figures in result[name].items():
            print(_line(question, figures), flush=True)
    from benchmarks.harness.conditions import (  # torch, whose threads would be beside the children's
        RESULTS,
        write_result,
    )

    written = RESULTS / "scale.json"
    before = json.loads(written.read_text()) if written.exists() else {}
    kept = {name: figures for name, figures in before.items() if name in parts}
    print(f"written to {write_result('scale', {**kept, **result})}")


def _line(question: str, figures: dict[str, Any]) -> str:
    answer = figures["answer"]
    again = f"again {answer['again']:.2f} s" if "again" in answer else ""
    return (
        f"{question:36} first {answer['first']:7.2f} s  {again:14}  {figures['peak_megabytes']:5} MB at most, "
        f"{figures['peak_private_megabytes']:5} MB private, {figures['descriptors']:3} open files, "
        f"{figures['cpu_seconds']:.1f} s of processors"
    )


if __name__ == "__main__":
    main()
