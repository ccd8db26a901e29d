"""How fast input files become a corpus, beside another version of this project, with the same bytes?

    python -m benchmarks.store.ingest --work FOLDER --against PYTHON [--gigabytes 1] [--rounds 5] [--texts PARQUET]

``PYTHON`` is the interpreter of an environment in which the other version is installed. Both make a store of the same
file, in turn, each time in a process of its own; the ratio of each round is taken inside it. The texts are made up, or
those of a Parquet file with ``id`` and ``text``, repeated with other ids. ``--work`` needs four times ``--gigabytes``.
"""

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness.conditions import write_result
from benchmarks.harness.made_stores import CLASSES, GOLD_EVERY, write_texts

CHILD = Path(__file__).parent / "ingest_child.py"
FORMATS = ("jsonl", "parquet", "csv")
_SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("label", pa.string()), ("stars", pa.string())])
_ROWS = 50_000


def tables(work: Path, texts: Path | None, size: int) -> Iterator[pa.Table]:
    """Rows with about ``size`` bytes of texts in all, a few ten thousand at a time."""
    if texts is None:
        [made] = write_texts(work, size=min(size, 100_000_000), files=1)
        source = [json.loads(line)["text"] for line in Path(made).read_text().splitlines()]
        Path(made).unlink()
    else:
        source = pq.read_table(texts, columns=["text"]).column("text").to_pylist()
    row, done = 0, 0
    while done < size:
        part = [source[number % len(source)] for number in range(row, row + _ROWS)]
        numbers = range(row, row + _ROWS)
        labels = [
            CLASSES[number // GOLD_EVERY % len(CLASSES)] if number % GOLD_EVERY == 0 else None for number in numbers
        ]
        ids = [f"review-{number * 7919 % 1_000_000_007:010}" for number in numbers]
        yield pa.table([ids, part, labels, [str(number % 5 + 1) for number in numbers]], schema=_SCHEMA)
        row, done = row + _ROWS, done + sum(map(len, part))


def write_file(kind: str, work: Path, texts: Path | None, size: int) -> Path:
    """A file of that kind; its path."""
    path = work / f"rows.{kind}"
    parts = tables(work, texts, size)
    if kind == "parquet":
        with pq.ParquetWriter(path, _SCHEMA) as writer:
            for part in parts:
                writer.write_table(part)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _SCHEMA.names)
        if kind == "csv":
            writer.writeheader()
        for part in parts:
            rows = part.to_pylist()
            if kind == "csv":
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def ingest(python: str, file: Path, work: Path) -> dict[str, Any]:
    """What it took to make a store of ``file`` in a process of ``python``, and the hashes of the corpus files."""
    place = work / "made.store"
    done = subprocess.run([python, str(CHILD), file.name, place.name], cwd=work, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{python} {CHILD} {file} failed: {done.stderr[-2000:]}")
    shutil.rmtree(place)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def compare(kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Medians of both versions on a file of that kind, and of their ratios."""
    work: Path = arguments.work
    work.mkdir(parents=True)
    try:
        file = write_file(kind, work, arguments.texts, int(arguments.gigabytes * 1e9))
        pythons = {"this": sys.executable, "other": arguments.against}
        rounds: list[dict[str, dict[str, Any]]] = []
        for number in range(arguments.rounds):
            names = sorted(pythons, reverse=bool(number % 2))
            rounds.append({name: ingest(pythons[name], file, work) for name in names})
            print(kind, {name: f"{figures['seconds']} s" for name, figures in rounds[-1].items()}, flush=True)
        return {"megabytes": round(file.stat().st_size / 1e6), **_medians(rounds, file.stat().st_size / 1e6)}
    finally:
        shutil.rmtree(work)


def _medians(rounds: list[dict[str, dict[str, Any]]], megabytes: float) -> dict[str, Any]:
    def median(name: str, what: str) -> float:
        return float(statistics.median(round_[name][what] for round_ in rounds))

    figures: dict[str, Any] = {
        name: {
            "megabytes_per_second": round(megabytes / median(name, "seconds"), 1),
            "seconds": [round_[name]["seconds"] for round_ in rounds],
            "cpu_seconds": median(name, "cpu_seconds"),
            "peak_megabytes": max(round_[name]["peak_megabytes"] for round_ in rounds),
        }
        for name in ("this", "other")
    }
    for what in ("seconds", "cpu_seconds"):
        ratios = [round_["other"][what] / round_["this"][what] for round_ in rounds]
        figures[f"times_as_fast_by_{what}"] = round(statistics.median(ratios), 2)
    made = [round_[name]["files"] for round_ in rounds for name in ("this", "other")]
    figures["same_bytes_in_the_corpus"] = all(files == made[0] for files in made)
    return figures


def main() -> None:
    """Compare every format, print the figures, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True, type=Path, help="a folder that is made, and deleted afterwards")
    parser.add_argument("--against", required=True, help="interpreter of an environment with the other version")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--texts", type=Path, help="a Parquet file with the columns id and text")
    parser.add_argument("--name", default="ingest", help="of the file of results")
    arguments = parser.parse_args()
    result = {}
    for kind in arguments.formats:
        result[kind] = compare(kind, arguments)
        print(kind, json.dumps(result[kind]), flush=True)
    print(f"written to {write_result(arguments.name, result)}")


if __name__ == "__main__":
    main()
