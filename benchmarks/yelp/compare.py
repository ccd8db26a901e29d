"""Is distilling worth it on real reviews? `engine compare` on Yelp, with a test that is large enough to see it.

    python -m benchmarks.yelp.compare --data FOLDER --start MODEL --work WORK -- --seeds 3 --plots WORK/plots
    python -m benchmarks.yelp.compare --data FOLDER --start MODEL --work TRY --small -- --seeds 1 --max-length 64

``--data`` holds ``labelled``, ``labelled_extra``, ``unlabelled``, ``unlabelled_gold`` (id and label) and ``test`` as
Parquet files; ``--start`` is a pretrained encoder of six layers, whose layers 1, 3 and 5 the students begin with. Some
rows of the pool whose gold is known are kept out of it and go to the test. What stands behind ``--`` goes to
`engine compare`, as ``--label-sizes 250,500,1000 --pool-sizes 3000,6000``. Its folder is ``WORK/experiment``: the same
command goes on where it was stopped.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.comparison.kept import run_compare

RESULT = "yelp_compare"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """How many rows of each file are used; all if None.

    Attributes:
        labelled: of each of both files of labelled rows.
        pool: unlabelled rows that are left, beside those that are held out.
        test: rows of the test file.
        held_out: rows of the pool that go to the test.
    """

    labelled: int | None = None
    pool: int | None = None
    test: int | None = None
    held_out: int = 12_000


SMALL = Parts(labelled=200, pool=400, test=200, held_out=100)


def main() -> None:
    """Write the files, if they are not there, and run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--start", required=True)
    parser.add_argument("--called", help="the start's name in the result; that of its folder if not given")
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--small", action="store_true", help="a try of minutes, which says nothing")
    parser.add_argument("more", nargs="*", help="for engine compare")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if not (arguments.work / "test.parquet").exists():
        write_parts(arguments.data, arguments.work, SMALL if arguments.small else Parts())
    files = [
        part
        for name in ("labelled", "extra", "unlabelled", "test")
        for part in (f"--{name}", f"{arguments.work}/{name}.parquet")
    ]
    models = ["--teacher", arguments.start, "--student", f"{arguments.start}#layers=1,3,5"]
    names = ["--label-map", "0=negative,1=positive", "--out", f"{arguments.work}/experiment"]
    command = [*files, *models, *names, *arguments.more]
    result, name = None if arguments.small else RESULT, arguments.called or Path(arguments.start).name
    sys.exit(run_compare(command, result=result, start=arguments.start, name=name))


def write_parts(data: Path, work: Path, parts: Parts) -> None:
    """Write the four files; the test comes last, and has its own rows first."""
    pool, gold = (pq.read_table(data / f"{name}.parquet") for name in ("unlabelled", "unlabelled_gold"))
    order = np.random.default_rng(0).permutation(pool.num_rows)
    known = pc.is_in(pool.column("id"), value_set=gold.column("id").combine_chunks()).to_numpy()
    held = np.sort(order[known[order]][: parts.held_out])
    left = (
        np.sort(np.setdiff1d(order, held)) if parts.pool is None else np.sort(np.setdiff1d(order, held)[: parts.pool])
    )
    for name, file in (("labelled", "labelled"), ("extra", "labelled_extra")):
        pq.write_table(_columns(pq.read_table(data / f"{file}.parquet"), parts.labelled), work / f"{name}.parquet")
    pq.write_table(pool.select(["id", "text"]).take(left), work / "unlabelled.parquet")
    held_out = pool.select(["id", "text"]).take(held).join(gold.select(["id", "label"]), "id").sort_by("id")
    test = _columns(pq.read_table(data / "test.parquet"), parts.test)
    tests = [test, held_out.select(["id", "text", "label"]).cast(test.schema)]
    pq.write_table(pa.concat_tables(tests), work / "test.parquet")


def _columns(table: pa.Table, rows: int | None) -> pa.Table:
    return table.select(["id", "text", "label"]).slice(0, rows)


if __name__ == "__main__":
    main()
