"""The tables of the paper, from a small made-up comparison."""

import copy

import pytest

from benchmarks.yelp.table import ablations, compared, first_results

CONDITIONS = {
    "device": "cpu",
    "threads": 1,
    "processor": "a processor",
    "versions": {"torch": "1", "transformers": "2"},
}
RECIPES = {
    "teacher": ("teacher", 100, 0),
    "distilled": ("distilled", 100, 900),
    "direct": ("direct", 100, 0),
    "more": ("direct+extra", 200, 0),
    "self": ("self-distilled", 100, 900),
}


def row(arm, labels, pool, accuracy):
    return {
        "arm": arm,
        "model": "made-up",
        "parameters": 2_500_000,
        "megabytes": 10.0,
        "procedure": f"as {arm}",
        "labels": labels,
        "text_rows": pool,
        "seeds": 3,
        "steps": 7.0,
        "accuracy": accuracy,
        "low": accuracy - 0.01,
        "high": accuracy + 0.01,
        "seed_sd": 0.001,
        "least": accuracy,
        "most": accuracy,
        "macro_f1": accuracy,
        "log_loss": 0.2,
        "ece": 0.03,
        "agreement": None,
        "training_seconds": 1.0,
        "labelling_seconds": 0.0,
        "rows_per_second": 1234.5 if arm == "teacher" else None,
        "slowest": 1.0,
        "fastest": 2.0,
        "latency_ms": 3.0,
        "cost": None,
    }


def contrast(second, difference, holm_p):
    recipes = [dict(zip(("arm", "labels", "pool"), RECIPES[name], strict=True)) for name in ("distilled", second)]
    ends = {"difference": difference, "low": difference - 0.002, "high": difference + 0.002}
    return {"first": recipes[0], "second": recipes[1], **ends, "holm_p": holm_p, "rows": 5_000}


@pytest.fixture
def result():
    accuracies = {"teacher": 0.95, "distilled": 0.94, "direct": 0.9, "more": 0.92, "self": 0.91}
    return {
        "conditions": CONDITIONS,
        "rows": [row(*RECIPES[name], accuracy) for name, accuracy in accuracies.items()],
        "contrasts": [contrast("direct", 0.04, 1e-9), contrast("more", 0.02, 0.012), contrast("teacher", -0.01, 0.3)],
        "sentences": ["This much could have been seen.", "First.", "Second."],
        "caption": "What it is.",
    }


def test_the_first_results_are_the_four_arms_of_the_contrasts(result):
    words = first_results(result)
    assert [line.split(" | ")[0] for line in words.splitlines()[2:6]] == [
        "| teacher, 2.5M",
        "| distilled, 2.5M",
        "| direct, 2.5M",
        "| direct+extra, 2.5M",
    ]
    assert "| **as distilled** | 100 | 900 | 94.00% [93.00%, 95.00%] |  |" in words
    assert "| as teacher | 100 | – | 95.00% [94.00%, 96.00%] | 1,234 |" in words
    assert "5,000 test rows, 3 seeds." in words
    assert "against the one trained on 100 labels: +4.00 points [+3.80, +4.20], p < 0.001 (Holm)." in words
    assert "against the one trained on 200 labels: +2.00 points [+1.80, +2.20], p = 0.012 (Holm)." in words
    assert "against its teacher: -1.00 points [-1.20, -0.80], p = 0.3 (Holm)." in words
    assert "self-distilled" not in words


def test_an_arm_that_the_contrasts_speak_of_and_the_table_lacks_is_an_error(result):
    result["rows"] = [one for one in copy.deepcopy(result["rows"]) if one["arm"] != "distilled"]
    with pytest.raises(ValueError, match="not enough values"):
        first_results(result)


def test_the_whole_comparison_has_both_tables_and_every_sentence(result):
    words = compared(result)
    assert words.startswith("This much could have been seen.\n\n**How good**")
    assert "**At what cost**" in words
    assert "\n- First.\n- Second.\n" in words
    assert words.count("| self-distilled |") == 2


def test_a_lever_has_its_difference_and_interval():
    lever = {
        "what": "another loss",
        "base": "distilled",
        "seeds": 2,
        "accuracy": 0.931,
        "base_accuracy": 0.93,
        "difference": 0.1,
        "low": -0.25,
        "high": 0.45,
        "p_value": 0.5734,
    }
    words = ablations({"conditions": CONDITIONS, "test_rows": 5_000, "levers": [lever]})
    assert "| another loss | distilled | 2 | 93.10% | 93.00% | +0.10 [-0.25, +0.45] | 0.57 |" in words
    assert "5,000 test rows" in words
