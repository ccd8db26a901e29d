"""The result of `benchmarks.training.throughput` → the README's table."""

import statistics
from typing import Any

from benchmarks.harness.conditions import in_words

OURS, HALF = "engine", "engine, bf16"


def mlm(result: dict[str, Any]) -> str:
    """Masked language modelling, ours and Trainer's."""
    figures, rounds = result["figures"], len(result["seconds"][OURS])
    peers = ", ".join(
        f"{name} {figure['rows_per_second']:.1f} ({figure['times_as_fast']:.2f} ×)"
        for name, figure in sorted(figures.items(), key=lambda each: each[1]["times_as_fast"])
        if name != OURS
    )
    shape = f"{result['layers']} layers, {result['hidden']} wide, {result['vocabulary']:,} tokens"
    return (
        f"Masked language modelling learns {figures[OURS]['rows_per_second']:.1f} texts a second; {peers}. {shape}; "
        f"{result['texts']:,} of {result['texts_to_choose_from']:,} reviews, mean {result['tokens']['mean']:.0f} and "
        f"at most {result['tokens']['max']} tokens, {result['batch_size']} a step; medians of {rounds} rounds in turn, "
        f"ratios within each. {in_words(result)}"
    )


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
