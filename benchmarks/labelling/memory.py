"""Does labelling need more memory for more rows? Ingest and labelling, each in a process of its own that is watched.

    python -m benchmarks.labelling.memory --work FOLDER [--rows 10000 32768 80000 640000]

The teacher is made up (`engine.testing.fake_job`): its logits need no model, and all the rest is the real thing, token
ids kept. Its tokens are bytes, cut at 512, so that nearly every row has 512 of them: three times what a real teacher
has of such texts. Shards are the default ones, of 32,768 rows at most; a shard is what is in memory, so a store of
fewer rows than that needs less. What a real teacher's weights and batches need comes on top, and does not depend on
the rows. ``--work`` needs 2 GB and is deleted afterwards.
"""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.made_texts import LENGTHS, made_words, write_made_texts
from benchmarks.harness.measured import measure

CHILD = "benchmarks.labelling.memory_child"
WORDS = 30_000


def measure_rows(work: Path, rows: int) -> dict[str, Any]:
    """Both steps on as many rows."""
    file, place = work / f"{rows}.parquet", work / f"{rows}.store"
    write_made_texts(file, rows=rows, words=made_words(WORDS))
    request = {"file": str(file), "store": str(place)}
    figures = {what: asdict(measure(CHILD, {"what": what, **request})) for what in ("ingest", "label")}
    file.unlink()
    shutil.rmtree(place)
    return figures


def main() -> None:
    """Measure each number of rows, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, type=Path, help="an empty folder that is deleted afterwards")
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 32_768, 80_000, 640_000])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    try:
        figures = {}
        for rows in arguments.rows:
            figures[str(rows)] = measure_rows(arguments.work, rows)
            for what, one in figures[str(rows)].items():
                print(_line(rows, what, one), flush=True)
    finally:
        shutil.rmtree(arguments.work)
    growth = {what: _growth(figures, what) for what in ("ingest", "label")}
    print(f"MB at most, the most rows against the fewest that fill a shard: {json.dumps(growth)}")
    from benchmarks.harness.conditions import write_result  # torch, whose threads would be beside the children's

    result = {"teacher": "made-up", "words_of_texts": LENGTHS, "figures": figures, "growth": growth}
    print(f"written to {write_result('label_memory', result)}")


def _growth(figures: dict[str, Any], what: str) -> dict[str, int] | None:
    """Peaks in MB: of the fewest rows with a full shard, and of the most."""
    full = [rows for rows, one in figures.items() if one["label"]["answer"]["rows_of_a_shard"] > 25_000]
    if not full:
        return None
    least, most = min(full, key=int), max(full, key=int)
    return {rows: figures[rows][what]["peak_megabytes"] for rows in (least, most)}


def _line(rows: int, what: str, one: dict[str, Any]) -> str:
    return (
        f"{rows:8,} rows  {what:6}  {one['peak_megabytes']:5} MB at most, {one['peak_private_megabytes']:5} MB private "
        f"(halves {one['halves'][0]} and {one['halves'][1]}), {one['answer']['shards']:3} shards, "
        f"{one['answer']['seconds']:7.1f} s"
    )


if __name__ == "__main__":
    main()
