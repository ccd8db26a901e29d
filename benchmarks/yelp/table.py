"""The results of this folder's measurements → tables and their words for the README."""

from typing import Any

from benchmarks.harness.conditions import in_words

_ARMS = {
    "teacher": ("6 layers", "fine-tuned on gold"),
    "distilled": ("3 layers", "**distilled from the store**"),
    "direct": ("3 layers", "fine-tuned on gold"),
    "direct-double": ("3 layers", "fine-tuned on twice the gold"),
}


def yelp(result: dict[str, Any]) -> str:
    """The paper's four rows."""
    header = "| model | procedure | sample size | training time | accuracy | rows/s |"
    lines = [header, "|---|---|---:|---:|---:|---:|"]
    for arm in result["arms"]:
        size, procedure = _ARMS[arm["arm"]]
        lines.append(
            f"| {size}, {arm['parameters'] / 1e6:.1f}M | {procedure} | {arm['sample_size']:,} | "
            f"{arm['training_seconds']:,.0f} s | {arm['accuracy']:.1%} | {arm['rows_per_second']:,.0f} |"
        )
    pair, label = result["distilled_against_direct_double"], result["label"]
    note = (
        f"{result['test_rows']:,} test rows. {in_words(result)} One seed. The distilled student against the one "
        f"with twice the gold: {pair['only_first']} rows only it gets right, {pair['only_second']} only the other, "
        f"p = {pair['p_value']:.2g} (McNemar, exact). "
        f"Labelling the {label['rows']:,} unlabelled rows ran at {label['rows_per_second']:,.0f} rows/s."
    )
    return "\n".join([*lines, "", note])


def audit(result: dict[str, Any]) -> str:
    """A few sentences and a table of intervals."""
    calibration, mistakes, inference = result["calibration"], result["mistakes"], result["inference"]
    before, after = (calibration[when]["expected_calibration_error"] for when in ("before", "after"))
    words = (
        f"{result['rows']:,} real Yelp reviews whose gold the teacher never saw. Fitted to "
        f"{calibration['fitted_on']:,} of them, a temperature of {calibration['temperature']:.2f} takes the expected "
        f"calibration error of the others from {before:.2%} to {after:.2%}. With {mistakes['base_rate']:.1%} of the "
        f"gold labels turned over, {mistakes['share_of_mistakes']:.0%} of the {mistakes['ranked']} rows that "
        f"`label-errors` ranks first are such. `estimates`, of {inference['resamples']} random samples each:"
    )
    lines = ["| gold rows | estimate | truth | covered | width | gold alone: covered | width | narrower |"]
    lines.append("|---:|---|---:|---:|---:|---:|---:|---:|")
    for size, of in inference["by_gold_rows"].items():
        for name in list(of)[:2]:  # of two classes the second share is the first one's rest
            one = of[name]
            lines.append(
                f"| {int(size):,} | {name} | {inference['truths'][name]:.1%} | {one['covered']:.1%} | "
                f"{one['width']:.2%} | {one['covered_by_gold_alone']:.1%} | {one['width_of_gold_alone']:.2%} | "
                f"{one['narrower']:.0%} |"
            )
    return "\n".join([words, "", *lines])


_ADDED = {
    "first": "nothing added",
    "random": "`random`",
    "margin": "`margin`",
    "diverse": "`diverse`",
    "disagreement": "`disagreement`",
}


def rounds(result: dict[str, Any]) -> str:
    """Accuracies after a round of each method, and gains over random rows with their intervals."""
    lines = ["| rows added by | accuracy | seeds' deviation | gain over `random` [95% interval] | p |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name, one in result["methods"].items():
        gain = result["gains_over_random"].get(name)
        cells = ["", ""]
        if gain is not None:
            cells = [f"{gain['mean']:+.2%} [{gain['low']:+.2%}, {gain['high']:+.2%}]", f"{gain['p_value']:.2g}"]
        lines.append(f"| {_ADDED[name]} | {one['mean']:.2%} | {one['deviation']:.2%} | {' | '.join(cells)} |")
    control = result["gain_of_random"]
    note = (
        f"{result['gold']} gold reviews, and {result['added']} more of {result['pool']:,} without gold, proposed by "
        f"the labels of a teacher that learned from the first. MiniLM-L6, {result['max_length']} tokens, "
        f"{result['epochs']} epochs, {result['test']:,} test rows; {len(result['seeds'])} seeds, each with rows, order "
        "and dropout of its own, the same for every method; intervals over seeds and test rows, crossed. "
        f"{result['added']} random rows gain {control['mean']:+.2%} [{control['low']:+.2%}, {control['high']:+.2%}]. "
        f"{in_words(result)}"
    )
    return "\n".join([*lines, "", note])
