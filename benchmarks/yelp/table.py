"""The results of `benchmarks.yelp.arms` and `benchmarks.yelp.audit` → tables and their words for the README."""

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
