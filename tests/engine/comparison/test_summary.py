"""The table: figures of each arm, contrasts, sentences, and the forms in which they are written."""

import dataclasses
import json
import math

import numpy as np
import pytest
from made_comparison import ACCURACIES, EXTRA, POOL, N, made_results, run_of
from scipy import stats

from engine.comparison.prices import Prices
from engine.comparison.results import ARMS, DIRECT, DIRECT_EXTRA, DISTILLED, TEACHER, Recipe, Results, Speed
from engine.comparison.statistics.contrasts import planned_contrasts
from engine.comparison.summary import Comparison, summarise
from engine.comparison.table import latex
from engine.errors import InputError
from engine.evaluation.metrics import confusion, expected_calibration_error, f1_scores, log_loss
from store.families.labels import softmax


@pytest.fixture(scope="module")
def results() -> Results:
    return made_results(rows=1_500)


@pytest.fixture(scope="module")
def comparison(results: Results) -> Comparison:
    return summarise(results, Prices(device_hour=2.0, label=0.1))


def small(logits: dict[tuple[str, int], list[list[float]]], *, labels: int = 10) -> Results:
    """Four test rows of two classes; (arm, seed) → logits."""
    runs = []
    for (arm, seed), values in logits.items():
        recipe = Recipe(arm=arm, labels=labels + (10 if arm == DIRECT_EXTRA else 0), pool=50 if arm == DISTILLED else 0)
        runs.append(run_of(recipe, seed, np.array(values, np.float16)))
    gold = np.array([0, 0, 1, 1])
    return Results(classes=("a", "b"), gold=gold, runs=tuple(runs), labels=labels, extra=10, pool=50, seeds=2)


A, B = [3.0, 0.0], [0.0, 1.0]


def test_figures_of_an_arm_by_hand():
    found = summarise(
        small({
            (TEACHER, 0): [A, A, B, B], (TEACHER, 1): [A, A, B, B],
            (DISTILLED, 0): [A, A, B, A], (DISTILLED, 1): [A, B, B, A],
        })
    )  # fmt: skip
    teacher, distilled = found.rows
    assert (teacher.accuracy, distilled.accuracy) == (1.0, (0.75 + 0.5) / 2)
    assert distilled.seed_sd == pytest.approx(math.sqrt(2 * 0.125**2))
    assert (distilled.least, distilled.most) == (0.5, 0.75)
    assert (teacher.agreement, distilled.agreement) == (None, (0.75 + 0.5) / 2)
    first = (2 * 2 / 5 + 2 * 1 / 3) / 2  # F1 of classes: 2 of 3 predicted, 2 gold; 1 of 1, 2
    assert distilled.macro_f1 == pytest.approx((first + 0.5) / 2)
    sure_a, sure_b = math.log(1 + math.exp(-3)), math.log(1 + math.exp(-1))
    assert teacher.log_loss == pytest.approx((2 * sure_a + 2 * sure_b) / 4)
    assert teacher.low < 0.6, "four rows without a mistake say little"
    assert teacher.high == 1


def test_figures_of_an_arm_are_those_of_the_metrics(results, comparison):
    (row,) = [one for one in comparison.rows if one.arm == DISTILLED]
    runs = list(results.of(row.recipe).values())
    each = []
    for run in runs:
        p = softmax(run.logits)
        counts = confusion(results.gold, p.argmax(axis=1), classes=2)
        each.append((f1_scores(counts).mean(), log_loss(results.gold, p), expected_calibration_error(results.gold, p)))
    assert (row.macro_f1, row.log_loss, row.ece) == pytest.approx(tuple(np.mean(each, axis=0)))
    teachers = results.of(Recipe(arm=TEACHER, labels=N))
    agreement = np.mean([np.mean(run.predicted == teachers[run.seed].predicted) for run in runs])
    assert row.agreement == pytest.approx(agreement)
    assert row.steps == runs[0].steps
    assert row.megabytes == 69.6
    assert row.labelling_seconds == pytest.approx(POOL / 130)
    speed = results.speeds[DISTILLED]
    assert (row.rows_per_second, row.slowest, row.fastest) == (
        np.median(speed.rounds),
        min(speed.rounds),
        max(speed.rounds),
    )


def test_costs_count_labels_devices_and_the_teacher(results, comparison):
    rows = {(one.arm, one.labels): one for one in comparison.rows}
    teacher, ours = rows[TEACHER, N], rows[DISTILLED, N]
    assert teacher.cost == pytest.approx(N * 0.1 + teacher.training_seconds * 2 / 3600)
    seconds = ours.training_seconds + ours.labelling_seconds + teacher.training_seconds
    assert ours.cost == pytest.approx(N * 0.1 + seconds * 2 / 3600)
    own, direct = rows["self-distilled", N], rows[DIRECT, N]
    seconds = own.training_seconds + own.labelling_seconds + direct.training_seconds
    assert own.cost == pytest.approx(N * 0.1 + seconds * 2 / 3600)
    assert rows[DIRECT_EXTRA, N + EXTRA].cost > 2 * direct.cost * 0.99


def test_planned_contrasts_are_the_three(results, comparison):
    assert [str(one.second) for one in comparison.contrasts] == ["direct@2,000", "direct+extra@4,000", "teacher@2,000"]
    for one in comparison.contrasts:
        ours, theirs = (results.right(results.of(recipe).values()) for recipe in (one.first, one.second))
        assert one.difference == pytest.approx(ours.mean() - theirs.mean())
        assert one.by_seed == pytest.approx(tuple((ours - theirs).mean(axis=1)))
        assert one.disagreement == pytest.approx((ours != theirs).mean())
        assert one.p_value <= one.holm_p <= 3 * one.p_value
        assert one.seeds == (0, 1, 2)
    assert [(one.first.arm, one.second.arm) for one in comparison.exploratory] == [
        ("self-distilled", "direct"),
        ("distilled", "self-distilled"),
    ]


def test_only_seeds_that_both_have_are_compared():
    whole = made_results(rows=300, seeds=3)
    runs = tuple(run for run in whole.runs if not (run.arm == DIRECT and run.seed == 1))
    found = planned_contrasts(dataclasses.replace(whole, runs=runs))
    assert [one.seeds for one in found] == [(0, 2), (0, 1, 2), (0, 1, 2)]


def test_with_one_seed_it_is_mcnemar_and_said_to_be_of_these_models():
    one_seed = made_results(rows=800, seeds=1)
    found = summarise(one_seed)
    for one in found.contrasts:
        ours, theirs = (one_seed.right(one_seed.of(recipe).values())[0] for recipe in (one.first, one.second))
        only = [int(((ours == 1) & (theirs == 0)).sum()), int(((ours == 0) & (theirs == 1)).sum())]
        assert one.p_value == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)
    said = [sentence for sentence in found.sentences if sentence.startswith("Distilled (")]
    assert len(said) == 3
    assert all("McNemar's exact test" in one and "of these two models, not of the recipes" in one for one in said)
    assert all(row.seed_sd is None for row in found.rows)
    assert "One seed: intervals are over test rows, of these models." in found.caption
    several = summarise(made_results(rows=300, seeds=2))
    assert not any("McNemar" in sentence or "these two models" in sentence for sentence in several.sentences)


def test_the_smallest_visible_difference_comes_first(comparison):
    text = str(comparison)
    assert text.startswith("The smallest difference that 3 seeds and 1,500 test rows show with a chance of 80 %: ")
    visible = 100 * comparison.contrasts[0].visible
    assert f"{visible:.2f} points against direct training" in text.splitlines()[0]


def test_half_an_experiment_is_summarised_too():
    whole = made_results(rows=200, seeds=2)
    order = sorted(whole.runs, key=lambda run: (run.seed, ARMS.index(run.arm), run.labels))
    seen = set()
    for count in range(len(order) + 1):
        part = summarise(dataclasses.replace(whole, runs=tuple(order[:count])), Prices(label=1.0))
        assert len(part.rows) == len({run.recipe for run in order[:count]})
        assert part.as_markdown()
        assert part.as_latex()
        assert str(part)
        seen.add(len(part.contrasts))
    assert seen == {0, 1, 2, 3}


def test_columns_are_there_where_something_is_known():
    bare = made_results(rows=200, seeds=1, speeds=False)
    plain = summarise(bare)
    assert not {"rows/s", "latency, ms", "cost"} & set(headings(plain.as_markdown()))
    assert "Cost" not in plain.caption
    assert "cost" in headings(summarise(bare, Prices(label=0.0)).as_markdown())
    assert "rows/s" in headings(
        summarise(dataclasses.replace(bare, speeds={DIRECT: Speed(rounds=(9.0,))})).as_markdown()
    )


def headings(markdown: str) -> list[str]:
    lines = [line for line in markdown.splitlines() if line.startswith("| arm ")]
    return [cell.strip() for line in lines for cell in line.strip("|").split("|")]


def test_markdown_has_a_cell_for_each_heading(results):
    odd = dataclasses.replace(results.runs[0], model="a|b`<script>`_c\x1b[31m")
    runs = tuple(odd if run is results.runs[0] else run for run in results.runs)
    found = summarise(dataclasses.replace(results, runs=runs))
    tables = [line for line in found.as_markdown().splitlines() if line.startswith("|")]
    counts = {line.replace("\\|", "").count("|") for line in tables}
    assert len(counts) == 2, "two tables"
    assert "\x1b" not in found.as_markdown() + str(found) + found.as_html() + found.as_latex()
    assert "<script>" not in found._repr_html_()


def test_latex_is_escaped(comparison):
    assert latex("50% & a_b #1 $x {y} ~ ^ \\ − δ") == (
        r"50\% \& a\_b \#1 \$x \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{} $-$ $\delta$"
    )
    source = comparison.as_latex()
    assert source.count(r"\begin{table*}") == source.count(r"\end{table*}") == 2
    body = [line for line in source.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in body}) == 2
    assert source.isascii(), [char for char in source if not char.isascii()]


def test_json_has_everything(comparison):
    back = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
    assert back["rows"][0]["accuracy"] == comparison.rows[0].accuracy
    assert [one["verdict"] for one in back["contrasts"]] == [one.verdict for one in comparison.contrasts]
    assert back["contrasts"][2]["inferiority"] == comparison.contrasts[2].inferiority
    assert "holm_p" not in back["exploratory"][0]
    assert back["worth"]["equal"] == comparison.worth.equal
    assert back["prices"] == {"device_hour": 2.0, "label": 0.1}
    assert back["sentences"] == list(comparison.sentences)
    assert comparison.records()[1]["arm"] == DISTILLED


def test_five_classes():
    five = made_results(rows=600, classes=tuple("abcde"))
    found = summarise(five)
    assert "of 5 classes" in found.caption
    assert all(0 < row.macro_f1 < 1 for row in found.rows)


def test_the_caption_says_what_the_figures_are(results):
    shared = summarise(dataclasses.replace(results, redrawn=False, seeds=5, removed={"pool": 12, "extra": 0}))
    assert "All seeds share the labelled rows" in shared.caption
    assert "So far 3 of 5 seeds." in shared.caption
    assert "12 of pool" in shared.caption
    assert "extra" not in shared.caption
    assert "draws its labelled rows anew" in summarise(results).caption


def test_the_caption_says_that_processes_shared_a_machine(results):
    shared = dataclasses.replace(results, shared=True)
    words = "Several processes shared a machine: seconds are more than those of one process alone."
    assert words in summarise(shared).caption
    assert words not in summarise(results).caption
    assert "seconds and costs are more" in summarise(shared, Prices(device_hour=1.0)).caption


def test_the_same_results_give_the_same_words(results):
    backwards = dataclasses.replace(results, runs=results.runs[::-1])
    assert str(summarise(backwards)) == str(summarise(results))
    assert summarise(backwards).as_dict() == summarise(results).as_dict()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: {"logits": run.logits[:-1]}, "logits of other test rows"),
        (lambda run: {"logits": np.full_like(run.logits, np.nan)}, "no numbers"),
        (lambda run: {"seed": 1}, "is there twice"),
    ],
)
def test_runs_that_do_not_fit_are_refused(results, change, words):
    odd = dataclasses.replace(results.runs[0], **change(results.runs[0]))
    with pytest.raises(InputError, match=words):
        dataclasses.replace(results, runs=(odd, *results.runs[1:]))


@pytest.mark.parametrize("price", [-1.0, math.nan, math.inf])
def test_prices_that_are_none_are_refused(price):
    with pytest.raises(InputError, match="--price-label is"):
        Prices(label=price)


def test_recipes_have_the_order_of_the_table(results):
    assert [str(one) for one in results.recipes()] == [
        "teacher@2,000",
        "distilled@2,000, pool 27,000",
        "self-distilled@2,000, pool 27,000",
        "direct@500",
        "direct@1,000",
        "direct@2,000",
        "direct+extra@4,000",
    ]
    assert set(results.recipes()) == set(ACCURACIES)
