"""The results of this folder's measurements → tables and their words for the README."""

from typing import Any

from benchmarks.harness.conditions import in_words
from engine.comparison.statistics.arms import ArmSummary
from engine.comparison.table import as_markdown, make_tables
from engine.inputs.messages import counted

_ORDER = ("teacher", "distilled", "direct", "direct+extra")


def compared(result: dict[str, Any]) -> str:
    """Both tables of a comparison, and what it says."""
    smallest, *sentences = result["sentences"]
    tables = make_tables([ArmSummary(**row) for row in result["rows"]])
    said = "\n".join(f"- {sentence}" for sentence in sentences)
    return "\n\n".join([smallest, *map(as_markdown, tables), result["caption"], said, in_words(result)])


def first_results(result: dict[str, Any]) -> str:
    """The paper's four rows, each with its interval, and the three contrasts."""
    header = "| model | procedure | labels | text rows | accuracy [95 %] | rows/s |"
    lines = [header, "|---|---|---:|---:|---:|---:|"]
    distilled, others = result["contrasts"][0]["first"], [one["second"] for one in result["contrasts"]]
    for recipe in sorted([distilled, *others], key=lambda recipe: _ORDER.index(recipe["arm"])):
        row = _row_of(result, recipe)
        procedure = f"**{row['procedure']}**" if recipe == distilled else row["procedure"]
        speed = "" if row["rows_per_second"] is None else f"{row['rows_per_second']:,.0f}"
        texts = f"{row['text_rows']:,}" if row["text_rows"] else "–"
        lines.append(
            f"| {recipe['arm']}, {row['parameters'] / 1e6:.1f}M | {procedure} | {row['labels']:,} | {texts} | "
            f"{row['accuracy']:.2%} [{row['low']:.2%}, {row['high']:.2%}] | {speed} |"
        )
    said = " ".join(map(_contrast_words, result["contrasts"]))
    seeds = counted(max(row["seeds"] for row in result["rows"]), "seed")
    note = f"{result['contrasts'][0]['rows']:,} test rows, {seeds}. {said} {in_words(result)}"
    return "\n".join([*lines, "", note])


def _row_of(result: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """The row of a table that is of a contrast's ``recipe``."""
    rows: list[dict[str, Any]] = result["rows"]
    wanted = (recipe["arm"], recipe["labels"], recipe["pool"])
    (row,) = (row for row in rows if (row["arm"], row["labels"], row["text_rows"]) == wanted)
    return row


def _contrast_words(one: dict[str, Any]) -> str:
    """A contrast in a sentence: of what, how large, how sure."""
    arm, labels = one["second"]["arm"], one["second"]["labels"]
    against = "its teacher" if arm == "teacher" else f"the one trained on {labels:,} labels"
    low, high = (f"{100 * one[end]:+.2f}" for end in ("low", "high"))
    p = "p < 0.001" if one["holm_p"] < 0.001 else f"p = {one['holm_p']:.2g}"
    return (
        f"The distilled student against {against}: {100 * one['difference']:+.2f} points [{low}, {high}], {p} (Holm)."
    )


def ablations(result: dict[str, Any]) -> str:
    """A line for each lever."""
    lines = ["| change | of the arm | seeds | accuracy | without it | difference, points [95 %] | p |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    lines += [
        f"| {one['what']} | {one['base']} | {one['seeds']} | {one['accuracy']:.2%} | {one['base_accuracy']:.2%} | "
        f"{one['difference']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}] | {one['p_value']:.2g} |"
        for one in result["levers"]
    ]
    note = (
        f"{result['test_rows']:,} test rows; each run has the seed of the one that it is paired with. Intervals and p "
        "are of one lever each, exploratory: they are not corrected for their number, and with one seed they are of "
        f"these two models alone. {in_words(result)}"
    )
    return "\n".join([*lines, "", note])


def masked(result: dict[str, Any]) -> str:
    """What masked language modelling before the labels is worth."""
    points, accuracy, epochs = result["points"], result["accuracy"], result["epochs"]
    lines = ["| a small BERT, fine-tuned on {labels:,} labels | accuracy |".format(**result), "|---|---:|"]
    lines.append(f"| as it is | {accuracy['direct']:.2%} |")
    lines.append(
        f"| after masked language modelling on {result['texts']:,} unlabelled texts of the same kind, "
        f"{epochs['mlm']} epochs | {accuracy['mlm']:.2%} |"
    )
    p = "p < 0.001" if result["p_value"] < 0.001 else f"p = {result['p_value']:.2g}"
    said = (
        f"{points['mean']:+.2f} points [{points['low']:+.2f}, {points['high']:+.2f}], {p}; {result['seeds']} seeds, "
        f"{result['test_rows']:,} test rows, at most {result['max_length']} tokens. The loss of a text was "
        f"{result['loss']['start']:.2f} at the end of the start's own pretraining ({result['other_texts']:,} texts of "
        f"another kind, {epochs['start']} epochs), and is {result['loss']['mlm']:.2f} at the end of this one. "
        f"{in_words(result)}"
    )
    return "\n".join([*lines, "", said])


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
