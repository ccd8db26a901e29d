"""The result of `benchmarks.training.throughput` → the README's table."""

import statistics
from typing import Any

from benchmarks.harness.conditions import in_words

OURS, HALF = "engine", "engine, bf16"


def training(result: dict[str, Any]) -> str:
    """Ours and Trainer's; each is compared with ours in the same dtype, round by round."""
    figures, seconds = result["figures"], result["seconds"]
    lines = ["| how | rows/s | engine in the same dtype is faster by |", "|---|---:|---:|"]
    for name in sorted(figures, key=lambda name: -figures[name]["rows_per_second"]):
        ours = HALF if name.endswith("bf16") else OURS
        ratios = [theirs / own for theirs, own in zip(seconds[name], seconds[ours], strict=True)]
        ratio = "" if name == ours else f"{statistics.median(ratios):.2f} ×"
        lines.append(f"| {name} | {figures[name]['rows_per_second']:.1f} | {ratio} |")
    waiting = max(result["waiting"].values())
    note = (
        f"{result['rows']} of {result['rows_to_choose_from']:,} labelled reviews, mean {result['tokens']['mean']:.0f} "
        f"and at most {result['tokens']['max']} tokens, {result['batch_size']} rows a step; medians of "
        f"{len(result['seconds']['engine'])} rounds in turn, ratios within each. The next step was never waited for "
        f"longer than {waiting:.2%} of the time. {in_words(result)}"
    )
    return "\n".join([*lines, "", note])
