"""The process that is measured by `benchmarks.store.scale`: JSON on stdin, what it took as JSON on stdout."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AGAIN = 5
LONG = 5.0  # seconds


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, round(time.perf_counter() - started, 3)


def _again(work: Callable[[], Any], first: float) -> float:
    """The median of several times; of one where the first took long."""
    times = AGAIN if first < LONG else 1
    return sorted(_timed(work)[1] for _ in range(times))[times // 2]


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds to open and connect, of the query, and of the same query again; its first rows."""
    import store
    from store.sql.session import Session

    made, opening = _timed(lambda: store.open(request["store"]))
    session, connecting = _timed(lambda: Session(made, labels="bert"))
    with session:
        rows, first = _timed(lambda: session.reader(request["sql"]).read_all().to_pylist())
        again = _again(lambda: session.reader(request["sql"]).read_all(), first)
    return {"connect": round(opening + connecting, 3), "first": first, "again": again, "rows": rows[:100]}


def peer(request: dict[str, Any]) -> dict[str, Any]:
    """The same over pyarrow's own data sets: tables ``corpus`` and one of each label set's name."""
    import duckdb
    import pyarrow as pa

    import store

    made, opening = _timed(lambda: store.open(request["store"]))
    with duckdb.connect() as connection:
        paths = {"corpus": "corpus", **{name: f"labels/{name}" for name in made.label_sets()}}

        def connect() -> None:
            for name, path in paths.items():
                connection.register(name, made.dataset(path, logit=pa.float32()))

        _, connecting = _timed(connect)
        rows, first = _timed(lambda: connection.sql(request["sql"]).to_arrow_table().to_pylist())
        again = _again(lambda: connection.sql(request["sql"]).to_arrow_table(), first)
    return {"connect": round(opening + connecting, 3), "first": first, "again": again, "rows": rows}


def info(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds that ``engine info`` takes, and what it says of the families."""
    import store
    from store.summary import summarise

    summary, seconds = _timed(lambda: summarise(store.open(request["store"])))
    families = [{name: family[name] for name in ("family", "shards", "rows")} for family in summary["families"]]
    return {"first": seconds, "rows": families}


def ingest(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds to make a store of text files."""
    from engine.ingest.ingest import IngestConfig
    from engine.ingest.ingest import ingest as run
    from store.storage import LocalStorage

    config = IngestConfig(files=tuple(request["files"]))
    made, seconds = _timed(lambda: run(LocalStorage(request["store"]), config))
    size = sum(Path(file).stat().st_size for file in request["files"])
    return {"first": seconds, "rows": made.layout.rows, "megabytes_per_second": round(size / 1e6 / seconds, 1)}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    answer = {"ask": ask, "peer": peer, "info": info, "ingest": ingest}[given.pop("what")](given)
    sys.stdout.write(json.dumps(answer, default=str))
