"""How fast are near-duplicates marked, beside datasketch as its page says, and how many planted copies does each find?

    python -m benchmarks.store.near_duplicates --texts PARQUET [--rows 20000] [--rounds 3] [--memory-rows 1000000]

Every tenth text comes once more: with a signature behind it, cut off, or with some words changed. Ours and the peers
mark the same rows, in turn; the ratio of each round is taken inside it. Before that, in a process of its own, more rows
are marked, each the words of a text in another order, and what that takes of memory and of disk is measured.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness.conditions import write_result
from engine.ingest.near_duplicates.index import THRESHOLD
from engine.ingest.near_duplicates.marks import Marker
from store.format.segments import MARK

_WORD = re.compile(r"\w+")
_BLOCK = 2_048
_OURS = "engine"


def ours(texts: list[str]) -> list[int | None]:
    """The row that each is nearly the same as, in the way of `engine label --mark-near-duplicates`."""
    marker, found = Marker(THRESHOLD), []
    for first in range(0, len(texts), _BLOCK):
        found += marker.mark(pa.array(texts[first : first + _BLOCK], pa.string()))[MARK].to_pylist()
    return found


def _shingles(text: str) -> set[str]:
    words = _WORD.findall(text.lower())
    return {" ".join(words[first : first + 3]) for first in range(max(1, len(words) - 2))}


def datasketch(texts: list[str]) -> list[int | None]:
    """MinHash and MinHashLSH as datasketch's own page uses them: a shingle at a time, candidates as they come."""
    from datasketch import MinHash, MinHashLSH

    lsh, found = MinHashLSH(threshold=THRESHOLD, num_perm=128), []
    for row, text in enumerate(texts):
        signature = MinHash(num_perm=128)
        for shingle in _shingles(text):
            signature.update(shingle.encode())
        found.append(_first(lsh, row, signature))
    return found


def datasketch_batches(texts: list[str]) -> list[int | None]:
    """The same, with all shingles of a text at once."""
    from datasketch import MinHash, MinHashLSH

    lsh, found = MinHashLSH(threshold=THRESHOLD, num_perm=128), []
    for row, text in enumerate(texts):
        signature = MinHash(num_perm=128)
        signature.update_batch([shingle.encode() for shingle in _shingles(text)])
        found.append(_first(lsh, row, signature))
    return found


def _first(lsh: Any, row: int, signature: Any) -> int | None:
    candidates = lsh.query(signature)
    if not candidates:
        lsh.insert(row, signature)
    return min(candidates, default=None)


WAYS: dict[str, Callable[[list[str]], list[int | None]]] = {
    _OURS: ours,
    "datasketch, MinHashLSH": datasketch,
    "datasketch, MinHashLSH, update_batch": datasketch_batches,
}


def planted(texts: list[str]) -> tuple[list[str], dict[int, int]]:
    """``texts`` and copies of every tenth; the rows of copies that are similar enough, and those they are copies of."""
    made, rows, copies = random.Random(0), list(texts), {}
    for row in range(0, len(texts), 10):
        words = texts[row].split()
        changed = ([made.choice(words) if made.random() < 0.02 else word for word in words],)
        ways = (
            *changed,
            words[: int(len(words) * made.uniform(0.8, 1))],
            [*words, *"Sent from my phone , J. Doe".split()],
        )
        copy, original = " ".join(made.choice(ways)), _shingles(texts[row])
        theirs = _shingles(copy)
        if len(original & theirs) >= THRESHOLD * len(original | theirs):
            copies[len(rows)] = row
        rows.append(copy)
    return rows, copies


def compare(texts: list[str], rounds: int) -> dict[str, Any]:
    """Rows a second of each way, and the share of the copies that it marks."""
    rows, copies = planted(texts)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    found = {}
    for number in range(rounds):
        for name in sorted(WAYS, reverse=bool(number % 2)):
            started = time.perf_counter()
            marks = WAYS[name](rows)
            seconds[name].append(time.perf_counter() - started)
            found[name] = sum(marks[row] is not None for row in copies)
        print({name: round(times[-1], 2) for name, times in seconds.items()}, flush=True)
    figures = {
        name: {
            "rows_per_second": round(len(rows) / statistics.median(times)),
            "found": found[name],
            "times_as_fast": round(statistics.median(b / a for a, b in zip(seconds[_OURS], times, strict=True)), 1),
        }
        for name, times in seconds.items()
    }
    return {"rows": len(rows), "copies": len(copies), "seconds": seconds, "figures": figures}


def shuffled(texts: list[str], rows: int) -> Iterator[list[str]]:
    """``rows`` texts with the words of ``texts``, block by block."""
    made, row = random.Random(1), 0
    while row < rows:
        block = []
        for text in (texts[number % len(texts)] for number in range(row, min(row + _BLOCK, rows))):
            words = text.split()
            made.shuffle(words)
            block.append(" ".join(words))
        row += len(block)
        yield block


def _resident() -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def measure(texts: list[str], rows: int) -> dict[str, Any]:
    """What marking ``rows`` rows takes: memory beyond that of the first block, and bytes of the temporary file."""
    marker, seconds, before, most = Marker(THRESHOLD), 0.0, 0, 0
    for block in shuffled(texts, rows):
        array = pa.array(block, pa.string())
        started = time.perf_counter()
        marker.mark(array)
        seconds += time.perf_counter() - started
        most = max(most, _resident())
        before = before or most
    disk = marker._index._held._file.tell()
    return {
        "rows": rows,
        "rows_per_second": round(rows / seconds),
        "megabytes_a_million": round((most - before) / rows),
        "disk_megabytes_a_million": round(disk / rows),
    }


def main() -> None:
    """Compare, measure, print, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, required=True, help="a Parquet file with a column text")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-rows", type=int, default=1_000_000)
    parser.add_argument("--measure", action="store_true", help="be the process that is measured")
    arguments = parser.parse_args()
    texts: list[str] = pq.read_table(arguments.texts, columns=["text"]).column("text").to_pylist()
    if arguments.measure:
        print(json.dumps(measure(texts, arguments.memory_rows)))
        return
    line = [sys.executable, "-m", "benchmarks.store.near_duplicates", "--measure", "--texts", str(arguments.texts)]
    child = subprocess.run([*line, "--memory-rows", str(arguments.memory_rows)], check=True, capture_output=True)
    result = {**compare(texts[: arguments.rows], arguments.rounds), "memory": json.loads(child.stdout)}
    print(json.dumps(result, indent=1))
    print(f"written to {write_result('near_duplicates', result)}")


if __name__ == "__main__":
    main()
