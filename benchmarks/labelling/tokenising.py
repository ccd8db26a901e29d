"""How much faster do texts become token ids than by what people do today, and are the ids the same?

    python -m benchmarks.labelling.tokenising --tokenizer TEACHER --input reviews.parquet --rows 20000 --check *.parquet

What a time includes: from a list of texts to one flat array of ids, special tokens added, cut at ``--max-length``. The
peer is tokenizers' `encode_batch` with its own truncation, then numpy. nanotoken remembers words between calls, so ours
is the first call of a new encoding; later calls are given beside it. Ratios are taken round by round.

``--check`` compares ids, lengths and what was truncated of all texts of its files: nanotoken, tokenizers as the engine
uses it, and tokenizers on whole texts with its own truncation. Only counts are written down.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from benchmarks.harness.conditions import write_result
from benchmarks.harness.rounds import compare, lines, run_rounds
from engine.tokens.encoding import Encoding
from engine.tokens.tokens import Tokens

OURS = "engine, nanotoken, first call"
CHECK_ROWS = 2048
Contestant = Callable[[list[str]], Any]


def main() -> None:
    """Time, check, write the result."""
    arguments = _arguments()
    tokenizer = Tokenizer.from_file(str(Path(arguments.tokenizer) / "tokenizer.json"))
    result: dict[str, Any] = {"max_length": arguments.max_length}
    if arguments.input:
        table = pq.read_table(arguments.input, columns=["text"])
        step = max(1, table.num_rows // arguments.rows)
        texts = table.column("text").to_pylist()[::step][: arguments.rows]
        result |= measure(tokenizer, texts, max_length=arguments.max_length, rounds=arguments.rounds)
        print("\n".join(lines(result["figures"], ours=OURS)))
    if arguments.check:
        result["check"] = check(tokenizer, arguments.check, max_length=arguments.max_length)
        print(result["check"])
    print(f"written to {write_result('tokenising', result)}")
    if any(result.get("check", {}).get("rows_that_differ", {}).values()):
        sys.exit(1)


def measure(tokenizer: Tokenizer, texts: list[str], *, max_length: int, rounds: int) -> dict[str, Any]:
    """Seconds of every contestant in every round; rows and megabytes a second, and how much faster nanotoken is."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    slow = Encoding(tokenizer, max_length=max_length, fast=False)
    fast = Encoding(tokenizer, max_length=max_length)
    assert fast.made_by == "nanotoken", "the extra nanotoken is needed"
    cut = _cutting(tokenizer, max_length)
    contestants: dict[str, Contestant] = {
        "engine, nanotoken, the same texts again": fast.encode,
        "engine, tokenizers": slow.encode,
        "tokenizers, encode_batch": lambda texts: _flat(cut.encode_batch(texts)),
        "tokenizers, encode_batch_fast": lambda texts: _flat(cut.encode_batch_fast(texts)),
    }
    for contestant in contestants.values():
        contestant(texts[:64])
    timed: dict[str, Callable[[], float]] = {
        name: partial(_seconds, contestant, texts) for name, contestant in contestants.items()
    }
    timed[OURS] = lambda: _seconds(Encoding(tokenizer, max_length=max_length).encode, texts)
    seconds = run_rounds(timed, rounds)
    figures = compare(seconds, rows=len(texts), ours=OURS)
    for figure in figures.values():
        figure["megabytes_per_second"] = round(figure["rows_per_second"] * megabytes / len(texts), 2)
    tokens = int(fast.encode(texts).offsets[-1])
    return {
        "rows": len(texts),
        "megabytes": round(megabytes, 1),
        "tokens": tokens,
        "seconds": seconds,
        "figures": figures,
    }


def check(tokenizer: Tokenizer, files: list[str], *, max_length: int) -> dict[str, Any]:
    """How many texts ``files`` have, and how many of them other tokens than tokenizers gives for the whole text."""
    fast = Encoding(tokenizer, max_length=max_length)
    slow = Encoding(tokenizer, max_length=max_length, fast=False)
    cut = _cutting(tokenizer, max_length)
    counts = {"rows": 0, "truncated": 0, "tokens": 0}
    differ = {f"engine, {encoding.made_by}": 0 for encoding in (fast, slow)}
    for texts in _texts(files):
        encodings = cut.encode_batch(texts)
        ids, offsets = _flat(encodings)
        wanted = Tokens(ids=ids, offsets=offsets, truncated=np.array([bool(one.overflowing) for one in encodings]))
        for encoding in (fast, slow):
            differ[f"engine, {encoding.made_by}"] += _different(encoding.encode(texts), wanted)
        counts["rows"] += len(texts)
        counts["truncated"] += int(wanted.truncated.sum())
        counts["tokens"] += len(ids)
    return {"files": len(files), **counts, "rows_that_differ": differ}


def _different(found: Tokens, wanted: Tokens) -> int:
    """Number of rows whose ids, length or truncation differ."""
    return sum(
        bool(found.truncated[row] != wanted.truncated[row]) or not np.array_equal(found.row(row), wanted.row(row))
        for row in range(len(wanted.truncated))
    )


def _texts(files: list[str]) -> Iterator[list[str]]:
    for number, file in enumerate(files):
        sys.stderr.write(f"checking file {number + 1} of {len(files)}\n")
        column: pa.ChunkedArray = pq.read_table(file, columns=["text"]).column("text")
        for start in range(0, len(column), CHECK_ROWS):
            yield column.slice(start, CHECK_ROWS).to_pylist()


def _cutting(tokenizer: Tokenizer, max_length: int) -> Tokenizer:
    """A copy that cuts at ``max_length`` and does not pad."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.enable_truncation(max_length)
    return copy


def _flat(encodings: list[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ids and offsets, the usual way."""
    rows = [np.array(encoding.ids) for encoding in encodings]
    return np.concatenate(rows), np.cumsum([0, *map(len, rows)])


def _seconds(contestant: Contestant, texts: list[str]) -> float:
    started = time.perf_counter()
    contestant(texts)
    return time.perf_counter() - started


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True, help="folder with a tokenizer.json of WordPiece")
    parser.add_argument("--input", help="Parquet file with the column text, to time")
    parser.add_argument("--check", nargs="+", help="Parquet files with the column text, to compare")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-length", type=int, default=512)
    return parser.parse_args()


if __name__ == "__main__":
    main()
