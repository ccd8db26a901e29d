"""Results → the tables of the README and of ``paper.md``.

``python -m benchmarks.tables`` rewrites them; a test fails when they drift.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.comparison.table import coverage
from benchmarks.export.table import onnx
from benchmarks.faults.table import append_kills, kills, objects_kills, training_kills, troubles
from benchmarks.gpu.table import gpu
from benchmarks.harness.conditions import RESULTS
from benchmarks.labelling.table import (
    agreement,
    dtypes,
    dtypes_with_amx,
    forecast,
    in_fp32_alone,
    memory,
    parity,
    throughput,
    tokenising,
    workers,
)
from benchmarks.loader.table import loader as loader_lines
from benchmarks.startup.table import startup
from benchmarks.store.table import near_duplicates, objects, queries, scale
from benchmarks.training.table import mlm, training
from benchmarks.yelp.table import ablations, audit, compared, first_results, masked, rounds

README = Path(__file__).parent.parent / "README.md"
PAPER = Path(__file__).parent / "paper.md"


def loader(result: dict[str, Any]) -> str:
    """The stream and the loaders that people use."""
    return "\n".join(loader_lines(result))


def report(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"A report of {result['rows']:,} rows with {result['mean_characters']:,.0f} characters each in the mean, two "
        f"label sets and gold for a tenth takes {result['seconds']:.1f} s (the median of {len(result['rounds'])} whole "
        f"processes, {result['conditions']['cores']} cores), is a page of {result['bytes'] / 1e6:.1f} MB and needs "
        f"{result['peak_megabytes']:,} MB at most."
    )


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "yelp": (first_results, ("yelp_compare",)),
    "label_throughput": (throughput, ("label_throughput_minilm", "label_throughput_bert-base")),
    "label_dtypes": (dtypes, ("label_throughput_dtypes_minilm",)),
    "label_dtypes_amx": (
        dtypes_with_amx,
        ("label_throughput_dtypes_amx_minilm", "label_throughput_dtypes_amx_bert-base"),
    ),
    "label_fp32": (in_fp32_alone, ("label_throughput_avx2_minilm", "label_throughput_avx2_bert-base")),
    "label_agreement": (agreement, ("label_agreement_minilm",)),
    "label_agreement_amx": (agreement, ("label_agreement_amx_minilm",)),
    "gpu": (gpu, ("gpu",)),
    "label_workers": (workers, ("label_workers_minilm",)),
    "forecast": (forecast, ("forecast",)),
    "label_memory": (memory, ("label_memory",)),
    "startup": (startup, ("startup",)),
    "tokenising": (tokenising, ("tokenising",)),
    "parity": (parity, ("parity",)),
    "kills": (kills, ("kills",)),
    "objects_kills": (objects_kills, ("objects_kills",)),
    "objects": (objects, ("objects",)),
    "append_kills": (append_kills, ("kills_append_train",)),
    "training": (training, ("training_throughput",)),
    "mlm": (mlm, ("mlm_throughput",)),
    "training_kills": (training_kills, ("training_kills", "training_kills_2")),
    "loader": (loader, ("loader",)),
    "troubles": (troubles, ("troubles",)),
    "scale": (scale, ("scale",)),
    "queries": (queries, ("queries",)),
    "near_duplicates": (near_duplicates, ("near_duplicates",)),
    "audit": (audit, ("yelp_audit",)),
    "rounds": (rounds, ("yelp_rounds",)),
    "report": (report, ("report",)),
    "onnx": (onnx, ("onnx",)),
    "coverage": (coverage, ("coverage",)),
}
"""By the name of the place in the README: what makes the words, and from which results."""
OF_PAPER: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "yelp_compare": (compared, ("yelp_compare",)),
    "yelp_ablations": (ablations, ("yelp_ablations",)),
    "yelp_mlm": (masked, ("yelp_mlm",)),
    "imdb_compare": (compared, ("imdb_compare",)),
}
"""The same of ``paper.md``."""
PAGES = ((README, TABLES), (PAPER, OF_PAPER))


def fill(page: str, tables: dict[str, tuple[Callable[..., str], tuple[str, ...]]]) -> str:
    """``page`` with each table between its two comments made anew from its results.

    Raises:
        OSError: a result is missing.
        ValueError: the page lacks the place of a table, or has two.
    """
    for name, (table, sources) in tables.items():
        words = table(*(json.loads((RESULTS / f"{source}.json").read_text()) for source in sources))
        block = f"<!-- {name}: python -m benchmarks.tables -->\n{words}\n<!-- end -->"
        places = re.findall(rf"<!-- {name}: .*?<!-- end -->", page, flags=re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for the table {name!r}, not one")
        page = page.replace(places[0], block)
    return page


if __name__ == "__main__":
    for path, tables in PAGES:
        path.write_text(fill(path.read_text(), tables))
