"""`engine compare`, whose table becomes a result that is kept.

    python -m benchmarks.comparison.kept imdb_compare --start MODEL --called NAME -- --labelled gold.parquet …

What stands behind ``--`` goes to `engine compare`: the same command goes on where it was stopped, and
``--max-hours 0.0001`` keeps the table of what is there.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness.conditions import write_result


def main() -> None:
    """Run the command, and keep its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", help="its name")
    parser.add_argument("--start", required=True, help="what the models begin with")
    parser.add_argument("--called", help="the start's name in the result; that of its folder if not given")
    parser.add_argument("more", nargs="+", help="for engine compare")
    arguments = parser.parse_args()
    name = arguments.called or Path(arguments.start).name
    sys.exit(run_compare(arguments.more, result=arguments.result, start=arguments.start, name=name))


def run_compare(arguments: list[str], *, result: str | None, start: str, name: str) -> int:
    """Run `engine compare` with these ``arguments``; its exit code.

    Args:
        arguments: of the command.
        result: under which its table is kept; it is not if None.
        start: a path in the table.
        name: that takes its place.
    """
    command = [sys.executable, "-m", "cli", "compare", *arguments]
    sys.stderr.write(f"{' '.join(command[2:])}\n")
    ended = subprocess.run([*command, "--format", "json"], stdout=subprocess.PIPE, text=True)
    if ended.returncode == 0 and result is not None:
        sys.stderr.write(f"written to {write_result(result, named(json.loads(ended.stdout), start, name))}\n")
    return ended.returncode


def named(comparison: dict[str, Any], start: str, name: str) -> dict[str, Any]:
    """The same with ``name`` in place of the path ``start``."""
    for row in comparison["rows"]:
        row["model"] = row["model"].replace(start, name)
    return comparison


if __name__ == "__main__":
    main()
