"""The result of `benchmarks.comparison.coverage` → the README's table."""

from typing import Any

_METHODS = {
    "crossed": "**ours**",
    "one_pair": "one pair of models, its rows",
    "mean_of_seeds": "mean of seeds, its rows",
    "multi_bootstrap": "multi-bootstrap",
    "t_over_seeds": "t over seeds",
}


def coverage(result: dict[str, Any]) -> str:
    """Coverage and width of each method, and of the interval of N*."""
    lines = [
        f"| seeds, test rows, SD over seeds | {' | '.join(_METHODS.values())} |",
        f"|---|{'---:|' * len(_METHODS)}",
    ]
    for one in result["differences"]:
        if one["seeds"] > 1:
            cells = [f"{one[name]['coverage']:.1%} ({one[name]['width_points']:.1f})" for name in _METHODS]
            place = f"{one['seeds']}, {one['rows']:,}, {one['true_seed_sd_points']:.2f}"
            lines.append(f"| {place} | {' | '.join(cells)} |")
    held = [one["crossed_of_these_models"]["coverage"] for one in result["differences"] if one["seeds"] == 1]
    worths = [f"{one['coverage']:.1%} ({one['seeds']} × {one['rows']:,})" for one in result["worth"]]
    first, second = (f"{accuracy:.0%}" for accuracy in result["accuracies"])
    note = (
        f"How often a nominal 95 % interval holds the true difference of two recipes of {first} and {second} accuracy, "
        f"and its mean width in points; {result['repeats']:,} simulated experiments a line ({result['resampled']} for "
        "the bootstrap), SD over seeds in points. With one seed ours holds the difference of the two models "
        f"{min(held):.1%} to {max(held):.1%} of the time. The interval of N* holds the true one {', '.join(worths)} of "
        "the time (seeds × test rows)."
    )
    return "\n".join([*lines, "", note])
