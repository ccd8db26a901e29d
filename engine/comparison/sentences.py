"""Contrasts and worths → what may be said of them, a sentence each."""

from collections.abc import Sequence
from decimal import Decimal

from engine.comparison.prices import Prices
from engine.comparison.results import DIRECT, DIRECT_EXTRA, DISTILLED, SELF_DISTILLED, TEACHER, Recipe, Results
from engine.comparison.statistics.contrasts import DELTA, USUAL_DISAGREEMENT, Contrast, smallest_visible
from engine.comparison.statistics.worth import Worth

_SHORT = {TEACHER: "its teacher", DIRECT: "direct training", DIRECT_EXTRA: "direct training with more labels"}
_MINUS = "−"


def points(share: float, *, signed: bool = True) -> str:
    """A difference of shares, in points: ``+1.23``."""
    written = f"{100 * share:+.2f}" if signed else f"{100 * share:.2f}"
    return written.replace("-", _MINUS)


def p_of(value: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def seeds_in_words(number: int) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number} seed{'' if number == 1 else 's'}"


def visible_sentence(contrasts: Sequence[Contrast]) -> str:
    """The smallest differences that could have been seen."""
    if not contrasts:
        return "No two arms that are to be compared have a seed in common yet."
    parts = [f"{points(one.visible, signed=False)} points against {name_of(one.second)}" for one in contrasts]
    one = contrasts[0]
    return (
        f"The smallest difference that {seeds_in_words(len(one.seeds))} and {one.rows:,} test rows show with a chance "
        f"of 80 %: {', '.join(parts)}." + (" Of these models, that is: seeds add to it." if len(one.seeds) == 1 else "")
    )


def expected_sentence(rows: int) -> str:
    """What ``rows`` test rows can show at best, before anything is measured."""
    least = points(smallest_visible(rows, USUAL_DISAGREEMENT), signed=False)
    return (
        f"The smallest difference that {rows:,} test rows show with a chance of 80 % is some {least} points, if two "
        f"models disagree on {USUAL_DISAGREEMENT:.0%} of them; seeds add to it. More test rows show smaller ones"
    )


def name_of(recipe: Recipe) -> str:
    """Of what the distilled student is compared with, in words."""
    return _SHORT.get(recipe.arm, str(recipe))


def contrast_sentence(contrast: Contrast) -> str:
    """Difference, interval, p, seeds, rows and what follows of a planned contrast."""
    teacher = contrast.second.arm == TEACHER
    against = _SHORT[TEACHER] if teacher else f"{_SHORT[DIRECT]} with {contrast.second.labels:,} labels"
    conclusion = _against_teacher(contrast) if teacher else _higher_or_lower(contrast)
    return f"Distilled ({contrast.first.labels:,} labels) against {against}: {_measured(contrast)}: {conclusion}."


def exploratory_sentence(contrast: Contrast) -> str:
    """The same of a contrast that was not planned: nothing follows from it."""
    words = {
        (SELF_DISTILLED, DIRECT): "What more text gives (self-distilled against direct training)",
        (DISTILLED, SELF_DISTILLED): "What the larger teacher gives (distilled against self-distilled)",
    }
    name = words.get((contrast.first.arm, contrast.second.arm), f"{contrast.first} against {contrast.second}")
    spread = f"{points(contrast.low)} to {points(contrast.high)}"
    return f"{name}: {points(contrast.difference)} points, 95 % interval {spread}{_of_models(contrast)}; exploratory."


def worth_sentences(worth: Worth, prices: Prices) -> list[str]:
    """N*, its interval, the interpolated value and the price, as far as the data say them."""
    if worth.equal is None:
        sizes = f"from {worth.sizes[0]:,} to {worth.sizes[-1]:,} labels"
        falls = "does not fall" if worth.slope <= 0 else "hardly falls"
        return [f"What a label is worth cannot be said: the error of direct training {falls} {sizes}."]
    said = [_equal_sentence(worth)]
    if worth.interpolated is not None:
        said.append(f"Between the measured sizes, without the line: {rounded(worth.interpolated)} labels.")
    if worth.break_even is not None and prices.device_hour is not None:
        said.append(_price_sentence(worth, prices.device_hour))
    return said


def caption_of(results: Results, prices: Prices) -> str:
    """What the figures of the table are."""
    most = max((len(results.of(one)) for one in results.recipes()), default=0)
    parts = [
        f"Accuracy on {len(results.gold):,} test rows of {len(results.classes)} classes; means over seeds.",
        _interval_words(results, most) if most > 1 else "One seed: intervals are over test rows, of these models.",
    ]
    if most < results.seeds:
        parts.append(f"So far {most} of {seeds_in_words(results.seeds)}.")
    if results.begins_as_teacher:
        parts.append(
            "What is distilled begins with layers of its own teacher, as that was trained (self-distilled with all of "
            "the direct model): what distilling gives has that in it."
        )
    if results.max_length is not None:
        parts.append(f"At most {results.max_length} tokens a row.")
    removed = [f"{rows:,} of {name}" for name, rows in results.removed.items() if rows]
    if removed:
        parts.append(f"Taken away beforehand, as they are nearly the same as a test row: {', '.join(removed)}.")
    if results.speeds:
        parts.append("Rows/s and latency: median of rounds in turns, in brackets the slowest and the fastest.")
    parts.append(f"Seconds are those of one device{f' ({results.device})' if results.device else ''}.")
    if results.shared:
        inflated = "seconds and costs are" if prices.known else "seconds are"
        parts.append(f"Several processes shared a machine: {inflated} more than those of one process alone.")
    if prices.known:
        parts.append(f"Cost: {_cost_words(prices)}.")
    return " ".join(parts)


def _interval_words(results: Results, seeds: int) -> str:
    few = (
        " Of two seeds they are too narrow at times: simulated ones held the truth in 88 to 98 %." if seeds == 2 else ""
    )
    drawn = (
        "Each seed draws its labelled rows anew, from the same ones: what that adds is somewhat understated."
        if results.redrawn
        else "All seeds share the labelled rows, so that intervals speak of these alone."
    )
    return (
        "Intervals are of 95 %, over seeds and test rows (two crossed random effects, Satterthwaite's degrees of "
        f"freedom). {drawn}{few}"
    )


def _cost_words(prices: Prices) -> str:
    parts = []
    if prices.label is not None:
        parts.append(f"labels at {prices.label:g}")
    if prices.device_hour is not None:
        parts.append(f"devices at {prices.device_hour:g} an hour, the teacher's training included")
    return ", ".join(parts)


def _measured(contrast: Contrast) -> str:
    spread = f"{points(contrast.low)} to {points(contrast.high)}"
    count = len(contrast.seeds)
    test = f"Holm's {p_of(contrast.holm_p)}" + (" (McNemar's exact test)" if count == 1 else "")
    return (
        f"{points(contrast.difference)} points, 95 % interval {spread}, {test}, {seeds_in_words(count)} × "
        f"{contrast.rows:,} rows"
    )


def _of_models(contrast: Contrast) -> str:
    return ", of these two models, not of the recipes" if len(contrast.seeds) == 1 else ""


def _higher_or_lower(contrast: Contrast) -> str:
    return f"{contrast.verdict}{_of_models(contrast)}"


def _against_teacher(contrast: Contrast) -> str:
    margin = f"δ = {points(DELTA, signed=False)} points, fixed beforehand"
    words = {
        "not inferior": f"not inferior ({margin})",
        "inferior": f"inferior ({margin})",
        "not decided": f"whether it is inferior is not decided ({margin})",
    }[contrast.inferiority]
    if contrast.verdict == "higher":
        words = f"higher, and {words}"
    elif contrast.verdict == "lower" and contrast.inferiority == "not inferior":
        words = f"lower, by less than δ: {words}"
    elif contrast.verdict == "lower":
        words = f"lower; {words}" if contrast.inferiority == "not decided" else f"lower, and {words}"
    return f"{words}{_of_models(contrast)}"


def _equal_sentence(worth: Worth) -> str:
    assert worth.equal is not None, "there is an N*"
    beyond = worth.equal > worth.trusted
    about = "" if beyond else "about "
    far = f"beyond the {worth.sizes[-1]:,}" if worth.equal > worth.sizes[-1] else f"below the {worth.sizes[0]:,}"
    extrapolated = f", extrapolated {far} that were measured" if worth.extrapolated else ""
    one_seed = ", of these models" if len(worth.seeds) == 1 else ""
    saved = worth.equal - worth.labels
    if saved <= 0:
        value = "distilling saves no label"
    else:
        lead = f"more than {worth.trusted - worth.labels:,}" if beyond else f"about {rounded(saved)}"
        value = f"distilling is worth {lead} labels"
    return (
        f"To be as good as distilling from {worth.labels:,} labels, direct training needs {about}"
        f"{_labels(worth.equal, worth)} labels (95 % interval {_ends(worth)}{extrapolated}{one_seed}): {value}."
    )


def _ends(worth: Worth) -> str:
    low = "from below 1" if worth.low is None else f"from {_labels(worth.low, worth)}"
    return f"{low}; its upper end is not determined" if worth.high is None else f"{low} to {_labels(worth.high, worth)}"


def _labels(number: float, worth: Worth) -> str:
    return rounded(number) if number <= worth.trusted else f"more than {worth.trusted:,}"


def rounded(number: float) -> str:
    """Three digits of it."""
    return f"{float(f'{number:.3g}'):,.0f}"


def _price_sentence(worth: Worth, device_hour: float) -> str:
    assert worth.break_even is not None, "there is a price"
    assert worth.equal is not None, "there is an N*"
    least = worth.break_even * (worth.equal - worth.labels) / (worth.trusted - worth.labels)  # at the most labels said
    prices = (worth.break_even, worth.break_even_low or 0.0, worth.break_even_high)
    price, low, high = ("no upper end" if one is None else _price(max(one, least), one < least) for one in prices)
    return (
        f"Distilling is the cheaper way where a label costs more than {price} (95 % interval from {low} to {high}; "
        f"devices at {device_hour:g} an hour)."
    )


def _price(price: float, below: bool) -> str:
    """Two digits of it, without an exponent."""
    written = f"{Decimal(f'{price:.2g}'):f}"
    return f"less than {written}" if below else written
