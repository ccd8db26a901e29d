"""Every named question against numpy on the same rows, and what is said where a question cannot be asked."""

import math
from collections.abc import Iterator
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from store_factory import (
    CLASSES,
    add_corpus,
    add_labels,
    calibration_at,
    label_of,
    make_store,
    random_logits,
    text_of,
    write_header,
)

from benchmarks.store.queries import time_questions
from benchmarks.store.table import queries
from engine.evaluation.metrics import confusion, expected_calibration_error, log_loss
from store import Store
from store.errors import QueryError, StoreMissingError
from store.families.text_hash import text_hash
from store.gold.calibration import add_calibration
from store.sql.questions import OVERVIEW, Question, lacking, question, questions, ready
from store.storage import MemoryStorage

ROWS, SHARDS, SETS = 1800, 4, ("bert", "roberta")
FAILED = {"bert": range(7, ROWS, 40), "roberta": range(8, ROWS, 30)}
Rows = list[dict[str, Any]]


def text(row: int) -> str:
    """Of ten rows the last three have one text, the last time shouted, and one is long."""
    if row % 10 == 9:
        return text_of(row - 2).upper() + "  "
    return text_of(row - 1 if row % 10 == 8 else row) + (" and so on" * 20 if row % 10 == 5 else "")


def gold_of(row: int, classes: int) -> int | None:
    """Gold for three of four rows; equal texts that are not shouted have the same."""
    return label_of(row - 1 if row % 10 == 8 else row, classes)


def logits_of(name: str, rows: int) -> np.ndarray:
    """Random logits; equal ones of equal texts that are not shouted, and some exact ties of two and of three classes."""
    logits = random_logits(rows, seed=SETS.index(name))
    logits[8::10] = logits[7::10][: len(logits[8::10])]
    logits[::50] = [1, 1, 0]
    logits[25::100] = 2
    logits[FAILED[name][: len(range(FAILED[name].start, rows, FAILED[name].step))], 0] = np.nan
    return logits


class Truth:
    """What one label set holds, as arrays: all of a row that failed is masked by ``known``."""

    def __init__(self, logits: np.ndarray, *, gold: Any) -> None:
        self.rows = np.arange(len(logits))
        self.known = np.isfinite(logits).all(axis=1)
        values = np.where(self.known[:, None], logits, 0).astype(np.float64)
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        self.p = powers / powers.sum(axis=1, keepdims=True)
        self.prediction = np.where(self.known, values.argmax(axis=1), -1)
        ordered = np.sort(self.p, axis=1)
        self.confidence, self.margin = ordered[:, -1], ordered[:, -1] - ordered[:, -2]
        self.entropy = -(self.p * np.log(self.p)).sum(axis=1)
        self.gold = np.array([-1 if (label := gold(row, len(CLASSES))) is None else label for row in self.rows])
        self.n_tokens, self.truncated = self.rows % 7, self.rows % 5 == 0
        self.length = np.array([1, 1, 2, 2, 4, 4, 4])[self.n_tokens]

    @cached_property
    def judged(self) -> np.ndarray:
        """Numbers of the rows that have both gold and a prediction."""
        return np.flatnonzero(self.known & (self.gold >= 0))

    @property
    def right(self) -> np.ndarray:
        return (self.gold == self.prediction)[self.judged]


def make(*, rows: int = ROWS, gold: Any = gold_of, shards: int = SHARDS) -> tuple[Store, dict[str, Truth]]:
    made = write_header(MemoryStorage(), rows=rows, shards=shards)
    add_corpus(made, text=text, label=gold)
    truths = {}
    for name in SETS:
        logits = add_labels(made, name, logits=logits_of(name, rows))
        truths[name] = Truth(logits, gold=gold)
    return made, truths


@pytest.fixture(scope="module")
def made_and_truths() -> tuple[Store, dict[str, Truth]]:
    return make()


@pytest.fixture(scope="module")
def made(made_and_truths: tuple[Store, dict[str, Truth]]) -> Store:
    return made_and_truths[0]


@pytest.fixture(scope="module", params=SETS)
def labels(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def truth(made_and_truths: tuple[Store, dict[str, Truth]], labels: str) -> Truth:
    return made_and_truths[1][labels]


@pytest.fixture
def answer(request: pytest.FixtureRequest, made: Store) -> Iterator[Rows]:
    """The answer to the question that the test is named after."""
    name = request.function.__name__.removeprefix("test_").replace("_", "-")
    labels = request.getfixturevalue("labels") if "labels" in request.fixturenames else None
    return made.audit(name, labels=labels).to_pylist()


def check(found: Rows, expected: Rows) -> None:
    """The same rows and columns in the same order; floats to fp32."""
    assert [list(row) for row in found] == [list(row) for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        floats = [name for name, value in theirs.items() if isinstance(value, float | np.floating)]
        assert [ours[name] for name in floats] == pytest.approx([theirs[name] for name in floats], rel=2e-5, abs=2e-6)
        assert {name: ours[name] for name in ours if name not in floats} == {
            name: theirs[name] for name in theirs if name not in floats
        }


def class_of(label: int) -> str | None:
    return None if label < 0 else CLASSES[label]


# Each question


def test_every_question_is_checked_here() -> None:
    checked = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert set(questions()) - checked == set()


def test_failures(answer: Rows, made_and_truths: tuple[Store, dict[str, Truth]]) -> None:
    expected = []
    for name, truth in made_and_truths[1].items():
        for failure, mask in (("none", truth.known), ("non-finite logits", ~truth.known)):
            cut, n = (mask & truth.truncated).sum(), mask.sum()
            expected.append({"label_set": name, "failure": failure, "rows": n, "share": n / ROWS})
            expected[-1] |= {"truncated": cut, "truncated_share": cut / n}
    check(answer, expected)


def test_where_nothing_failed_the_failure_is_none() -> None:
    made = write_header(MemoryStorage(), rows=30)
    add_corpus(made)
    add_labels(made, "bert")
    (row,) = made.audit("failures").to_pylist()
    assert (row["failure"], row["rows"], row["share"]) == ("none", 30, 1.0)


def test_classes(answer: Rows, truth: Truth) -> None:
    expected = []
    for label, class_ in enumerate(CLASSES):
        n, mean = (truth.prediction == label).sum(), truth.p[truth.known, label].mean()
        expected.append({"prediction": label, "class": class_, "rows": n, "share": n / truth.known.sum()})
        expected[-1] |= {"mean_probability": mean}
    check(answer, expected)


def histogram(values: np.ndarray) -> Rows:
    bins = np.arange(0, 26) / 20
    counts, _ = np.histogram(values, bins)
    rows = zip(bins, bins[1:], counts, counts / len(values), strict=False)
    return [dict(zip(("low", "high", "rows", "share"), row, strict=True)) for row in rows if row[2]]


def slices(truth: Truth, values: list[Any]) -> Rows:
    """What is said of the rows whose ``values`` are equal, most rows first; those of None last of equal ones."""
    distinct = sorted(set(values), key=lambda value: (-values.count(value), value is None, value))
    return [slice_(truth, np.array([one == value for one in values]), value, 1) for value in distinct]


def slice_(truth: Truth, of: np.ndarray, value: Any, together: int) -> dict[str, Any]:
    known = of & truth.known
    judged = known & (truth.gold >= 0)
    right, n = (truth.gold == truth.prediction)[judged].sum(), judged.sum()
    counts = {name: (truth.prediction[known] == label).sum() for label, name in enumerate(CLASSES)}
    largest = sorted((name for name in CLASSES if counts[name]), key=lambda name: -counts[name])
    low = high = None
    if n:  # the roots of Wilson's quadratic
        z = 1.959963984540054
        low, high = sorted(np.roots([n + z * z, -(2 * right + z * z), right * right / n]).real)
    has = known.any()
    return {
        "slice": value,
        "slices": together,
        "rows": of.sum(),
        "share": of.mean(),
        "failures": (of & ~truth.known).sum(),
        "classes": ", ".join(f"{name} {math.floor(100 * counts[name] / known.sum() + 0.5)} %" for name in largest)
        or None,
        "mean_confidence": truth.confidence[known].mean() if has else None,
        "mean_margin": truth.margin[known].mean() if has else None,
        "near_ties": (truth.margin[known].astype(np.float32) < 0.1).mean() if has else None,
        "gold_rows": n,
        "accuracy": float(right / n) if n else None,
        "low": low,
        "high": high,
    }


def test_slices(answer: Rows, truth: Truth) -> None:
    check(answer, slices(truth, [class_of(label) for label in truth.prediction]))


def test_slices_by_any_expression(made: Store, truth: Truth, labels: str) -> None:
    for by, values in {
        "row % 7 -- a comment": [row % 7 for row in range(ROWS)],
        "left(id, 4)": [f"id-{row}"[:4] for row in range(ROWS)],
        "nullif(n_tokens > 3, true)": [None if row % 7 > 3 else False for row in range(ROWS)],
        "gold_class": [class_of(label) for label in truth.gold],
        "CASE WHEN row < 9 THEN 'a)' ELSE '(b' END": ["a)" if row < 9 else "(b" for row in range(ROWS)],
    }.items():
        check(made.audit("slices", labels=labels, by=by).to_pylist(), slices(truth, values))


def test_of_many_slices_the_largest_are_shown_and_the_others_are_one(made: Store, truth: Truth, labels: str) -> None:
    values = [row if row < 150 else 150 for row in range(ROWS)]
    rows = made.audit("slices", labels=labels, by="least(row, 150)").to_pylist()
    assert [row["slice"] for row in rows] == [150, *range(99), None]
    rest = np.array([99 <= value < 150 for value in values])
    check(rows[-1:], [slice_(truth, rest, None, 51)])
    assert sum(row["rows"] for row in rows) == ROWS
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert made.audit("slices", labels=labels, by="least(row, 99)").num_rows == 100


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("class; DROP VIEW reviews", "holds more|a part of it is no plain SELECT"),
        ("1) AS slice, (2", "syntax error"),
        ("1) FROM reviews; SELECT (1", "syntax error"),
        ("class FROM reviews", "syntax error"),
        ("class LIMIT 3", "holds more"),
        ("1 UNION SELECT 2", "holds more"),
        ("class /*", "unterminated"),
        ("class AS other", "syntax error"),
        ("", "syntax error|holds more"),
        ("*", "syntax error|several columns"),
        ("COLUMNS('.*')", "gives several columns"),
        ("unnest(logits)", "several values a row"),
        ("count(*)", "GROUP BY"),
        ("slice", "cannot be referenced"),
        ("nothing", "not found"),
        ("$1", "parameters"),
        ("(SELECT content FROM read_text('/etc/passwd'))", "disabled"),
        ("(SELECT * EXCLUDE (row) FROM read_csv('/etc/passwd'))", "several columns|disabled"),
        ("(SELECT count(1) FROM 'x.parquet')", "disabled|does not exist"),
        ("getenv('HOME')", "does not exist"),
        ("(SELECT 1 FROM (PIVOT labels ON class USING count(*)))", "no plain SELECT"),
        ("(" * 3000 + "1" + ")" * 3000, "nested|depth|recursion|memory exhausted|stack"),
    ],
)
def test_what_is_no_expression_makes_no_slices(made: Store, by: str, message: str) -> None:
    with pytest.raises(QueryError, match=f"(?i){message}"):
        made.audit("slices", labels="bert", by=by)


def test_only_slices_take_an_expression(made: Store) -> None:
    with pytest.raises(
        QueryError, match="accuracy groups by nothing that could be chosen; --by goes with slices and estimates"
    ):
        made.audit("accuracy", labels="bert", by="shard")


@pytest.mark.usefixtures("labels")
def test_confidence(answer: Rows, truth: Truth) -> None:
    check(answer, histogram(truth.confidence[truth.known]))


@pytest.mark.usefixtures("labels")
def test_margin(answer: Rows, truth: Truth) -> None:
    check(answer, histogram(truth.margin[truth.known]))


@pytest.mark.usefixtures("labels")
def test_entropy(answer: Rows, truth: Truth) -> None:
    check(answer, histogram(truth.entropy[truth.known]))


def test_length(answer: Rows, truth: Truth) -> None:
    expected = []
    for low in (1, 2, 4):
        of = truth.known & (truth.length == low)
        judged = of & (truth.gold >= 0)
        expected.append({"tokens_from": low, "tokens_to": 2 * low - 1, "rows": of.sum()})
        expected[-1] |= {"mean_confidence": truth.confidence[of].mean(), "mean_margin": truth.margin[of].mean()}
        expected[-1] |= {"truncated": truth.truncated[of].mean(), "gold_rows": judged.sum()}
        expected[-1] |= {"accuracy": (truth.gold == truth.prediction)[judged].mean()}
    check(answer, expected)


def of_shard(made: Store, truth: Truth, shard: int) -> np.ndarray:
    first, stop = made.layout.range_of(shard)
    return truth.known & (truth.rows >= first) & (truth.rows < stop)


def test_drift(answer: Rows, made: Store, truth: Truth) -> None:
    whole, deviation = truth.confidence[truth.known].mean(), truth.confidence[truth.known].std()
    expected = []
    for shard in range(SHARDS):
        values = truth.confidence[of_shard(made, truth, shard)]
        difference = values.mean() - whole
        expected.append({"shard": shard, "rows": len(values), "mean_confidence": values.mean(), "whole": whole})
        expected[-1] |= {"difference": difference, "standardised": difference / deviation}
    check(answer, sorted(expected, key=lambda row: -abs(row["difference"])))


def test_class_drift(answer: Rows, made: Store, truth: Truth) -> None:
    expected = []
    for shard in range(SHARDS):
        predicted = truth.prediction[of_shard(made, truth, shard)]
        for label, class_ in enumerate(CLASSES):
            share, whole = (predicted == label).mean(), (truth.prediction[truth.known] == label).mean()
            standardised = (share - whole) / math.sqrt(whole * (1 - whole))
            expected.append({"shard": shard, "prediction": label, "class": class_, "rows": (predicted == label).sum()})
            expected[-1] |= {"share": share, "whole": whole, "difference": share - whole, "standardised": standardised}
    check(answer, sorted(expected, key=lambda row: -abs(row["difference"])))


def test_class_drift_of_a_class_that_a_shard_has_not() -> None:
    made, truths = make(rows=5, shards=5)
    rows = made.audit("class-drift", labels="bert").to_pylist()
    present = len(np.unique(truths["bert"].prediction))
    assert len(rows) == 5 * present
    assert sorted(row["rows"] for row in rows) == [0] * (5 * present - 5) + [1] * 5
    assert all(row["share"] == row["rows"] for row in rows)


def test_ties(answer: Rows, truth: Truth) -> None:
    rows = truth.rows[truth.known]
    expected = [
        {
            "row": row,
            "id": f"id-{row}",
            "class": CLASSES[truth.prediction[row]],
            "confidence": truth.confidence[row],
            "margin": truth.margin[row],
            "text": text(row)[:100],
        }
        for row in rows[np.lexsort((rows, truth.margin[rows].astype(np.float32)))][:100]
    ]
    check(answer, expected)


def test_duplicates(answer: Rows, truth: Truth) -> None:
    groups: dict[int, list[int]] = {}
    for row in truth.rows[truth.known]:
        groups.setdefault(text_hash(text(row)), []).append(row)
    expected = []
    for hash_, rows in groups.items():
        if len(set(truth.prediction[rows])) > 1:
            expected.append({"text_hash": hash_, "rows": len(rows)})
            expected[-1] |= {"classes": sorted({CLASSES[label] for label in truth.prediction[rows]})}
            expected[-1] |= {"first_row": min(rows), "last_row": max(rows)}
            confidence = truth.confidence[rows].astype(np.float32)
            expected[-1] |= {"least_confidence": confidence.min(), "largest_confidence": confidence.max()}
    assert len(expected) > 110
    check(answer, sorted(expected, key=lambda row: (-row["rows"], row["first_row"]))[:100])


def test_agreement(answer: Rows, made_and_truths: tuple[Store, dict[str, Truth]]) -> None:
    first, second = made_and_truths[1].values()
    both = first.known & second.known
    same = (first.prediction == second.prediction)[both]
    expected = {"label_set": "bert", "other": "roberta", "rows": both.sum(), "same": same.sum(), "share": same.mean()}
    check(answer, [expected])


def test_disagreement(answer: Rows, made_and_truths: tuple[Store, dict[str, Truth]]) -> None:
    first, second = made_and_truths[1].values()
    expected = []
    for ours in range(len(CLASSES)):
        for theirs in range(len(CLASSES)):
            of = (first.prediction == ours) & (second.prediction == theirs)
            expected.append({"label_set": "bert", "other": "roberta", "prediction": ours, "class": CLASSES[ours]})
            expected[-1] |= {"other_prediction": theirs, "other_class": CLASSES[theirs], "rows": of.sum()}
            means = first.confidence[of].mean(), second.confidence[of].mean()
            expected[-1] |= {"mean_confidence": means[0], "other_mean_confidence": means[1]}
    check(answer, expected)


def test_cascade(answer: Rows, made_and_truths: tuple[Store, dict[str, Truth]], truth: Truth) -> None:
    other = next(one for one in made_and_truths[1].values() if one is not truth)
    rows = truth.rows[truth.known & other.known & (truth.gold >= 0)]
    rows = rows[np.lexsort((rows, truth.confidence[rows].astype(np.float32)))]
    first, second = (one.prediction[rows] == one.gold[rows] for one in (truth, other))
    sizes = [len(part) for part in np.array_split(rows, 20)]
    expected, done = [], 0
    for size in [0, *sizes]:
        done += size
        accuracy = np.concatenate([second[:done], first[done:]]).mean()
        most = truth.confidence[rows[done - 1]].astype(np.float32) if done else 0
        expected.append({"other": other_name(made_and_truths, other), "deferred": done / len(rows), "rows": done})
        expected[-1] |= {"gold_rows": len(rows)}
        expected[-1] |= {"most_confidence": most, "accuracy": accuracy}
    check(answer, expected)


def test_diff(answer: Rows, made_and_truths: tuple[Store, dict[str, Truth]], truth: Truth) -> None:
    other = next(one for one in made_and_truths[1].values() if one is not truth)
    expected = []
    for ours in range(len(CLASSES)):
        for theirs in range(len(CLASSES)):
            of = (truth.prediction == ours) & (other.prediction == theirs)
            if ours == theirs or not of.any():
                continue
            row = {"other": other_name(made_and_truths, other), "class": CLASSES[ours], "other_class": CLASSES[theirs]}
            row |= {"rows": of.sum(), "mean_confidence": truth.confidence[of].mean()}
            row |= {"other_mean_confidence": other.confidence[of].mean(), "gold_rows": (truth.gold[of] >= 0).sum()}
            row |= {"right": (truth.gold[of] == ours).sum(), "other_right": (truth.gold[of] == theirs).sum()}
            expected.append((-row["rows"], ours, theirs, row))
    check(answer, [row for *_, row in sorted(expected, key=lambda one: one[:3])])


def other_name(made_and_truths: tuple[Store, dict[str, Truth]], truth: Truth) -> str:
    return next(name for name, one in made_and_truths[1].items() if one is truth)


def test_every_pair_of_three_label_sets_is_compared() -> None:
    made = make_store(labels=["a", "c", "b"])
    assert [(row["label_set"], row["other"], row["rows"]) for row in made.audit("agreement").to_pylist()] == [
        ("a", "b", 50), ("a", "c", 50), ("b", "c", 50),
    ]  # fmt: skip
    assert sum(row["rows"] for row in made.audit("disagreement").to_pylist()) == 150


def test_accuracy(answer: Rows, truth: Truth) -> None:
    n, k = len(truth.judged), int(truth.right.sum())
    (row,) = answer
    assert (row["rows"], row["correct"], row["accuracy"]) == (n, k, pytest.approx(k / n))
    for bound in (row["low"], row["high"]):  # where the score test's statistic is 1.96: Wilson's own words
        assert abs(k / n - bound) / math.sqrt(bound * (1 - bound) / n) == pytest.approx(1.959963984540054)
    assert row["low"] < k / n < row["high"]


def test_confusion(answer: Rows, truth: Truth) -> None:
    counts = confusion(truth.gold[truth.judged], truth.prediction[truth.judged], classes=len(CLASSES))
    expected = []
    for gold in range(len(CLASSES)):
        for label in range(len(CLASSES)):
            n = counts[gold, label]
            expected.append({"gold": gold, "gold_class": CLASSES[gold], "prediction": label, "class": CLASSES[label]})
            expected[-1] |= {"rows": n, "share_of_gold": n / counts[gold].sum()}
            expected[-1] |= {"share_of_predicted": n / counts[:, label].sum()}
    check(answer, expected)


def test_reliability(answer: Rows, truth: Truth) -> None:
    expected = []
    confidence = truth.confidence[truth.judged]
    for bin_ in range(1, 16):
        of = (confidence > (bin_ - 1) / 15) & (confidence <= bin_ / 15)
        if of.any():
            mean, accuracy = confidence[of].mean(), truth.right[of].mean()
            expected.append({"bin": bin_, "low": (bin_ - 1) / 15, "high": bin_ / 15, "rows": of.sum()})
            expected[-1] |= {"mean_confidence": mean, "accuracy": accuracy, "gap": mean - accuracy}
    check(answer, expected)


def shifted(p: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature, from those at 1."""
    powers = p ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def test_calibrated() -> None:
    made, truths = make()
    for name, temperature in (("bert", 3.0), ("bert", 0.7), ("roberta", 5.0)):
        add_calibration(made, calibration_at(temperature, label_set=name, made=made))
    truth = truths["bert"]
    gold, expected = truth.gold[truth.judged], []
    for calibrated, temperature in ((False, 1.0), (True, 0.7)):
        p = shifted(truth.p[truth.judged], temperature)
        expected.append({"calibrated": calibrated, "temperature": temperature, "rows": len(gold)})
        expected[-1] |= {"accuracy": truth.right.mean(), "mean_confidence": p.max(axis=1).mean()}
        expected[-1] |= {"expected_calibration_error": expected_calibration_error(gold, p)}
        expected[-1] |= {"brier_score": ((p - np.eye(len(CLASSES))[gold]) ** 2).sum(axis=1).mean()}
        expected[-1] |= {"log_loss": log_loss(gold, p)}
    check(made.audit("calibrated", labels="bert").to_pylist(), expected)


def test_calibrated_of_logits_far_apart_is_finite() -> None:
    made = write_header(MemoryStorage(), rows=2, shards=1)
    add_corpus(made, label=lambda row, _: row)
    add_labels(made, "bert", logits=np.array([[60000, -60000, 0], [60000, -60000, 0]], np.float16))
    add_calibration(made, calibration_at(2.0, made=made))
    (before, after), (plain,) = made.audit("calibrated").to_pylist(), made.audit("calibration").to_pylist()
    assert before["log_loss"] == pytest.approx(plain["log_loss"])
    assert after["log_loss"] == pytest.approx(plain["log_loss"] / 2)


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Where the score test's statistic is 1.96 (Wilson 1927), found by halving."""

    def bound(far: float) -> float:
        near = share
        for _ in range(200):
            middle = (near + far) / 2
            is_inside = abs(share - middle) <= 1.959963984540054 * math.sqrt(middle * (1 - middle) / rows)
            near, far = (middle, far) if is_inside else (near, middle)
        return near

    return bound(0.0), bound(1.0)


def inferred(truth: np.ndarray, guess: np.ndarray) -> dict[str, Any]:
    """PPI++ of a mean, as its paper has it: ``truth`` is NaN where there is no gold."""
    labelled = ~np.isnan(truth)
    y, f, others = truth[labelled], guess[labelled], guess[~labelled]
    n, m = len(y), len(others)
    weight = np.clip(np.cov(y, f)[0, 1] / ((1 + n / m) * np.var(guess, ddof=1)), 0, 1)
    if min(y.sum(), n - y.sum()) < 10:
        weight = 0
    estimate = weight * others.mean() + (y - weight * f).mean()
    variance = weight**2 * np.var(others, ddof=1) / m + np.var(y - weight * f, ddof=1) / n
    (alone_low, alone_high), (low, high) = (
        wilson(y.mean(), n),
        wilson(estimate, estimate * (1 - estimate) / variance if weight else n),
    )
    found = {"gold_rows": n, "other_rows": m, "labels_alone": guess.mean(), "gold_alone": y.mean()}
    found |= {"gold_low": alone_low, "gold_high": alone_high, "estimate": estimate, "low": low, "high": high}
    return found | {"narrower": 1 - (high - low) / (alone_high - alone_low)}


def test_estimates(answer: Rows, truth: Truth) -> None:
    has_gold = truth.gold >= 0
    of = {"accuracy": (truth.gold == truth.prediction, truth.confidence)}
    of |= {f"share of {name}": (truth.gold == label, truth.p[:, label]) for label, name in enumerate(CLASSES)}
    expected = []
    for label, (name, (true, guess)) in enumerate(of.items(), start=-1):
        values = np.where(has_gold, true, np.nan)[truth.known]
        expected.append(
            {
                "slice": "all",
                "label": None if label < 0 else label,
                "estimand": name,
                **inferred(values, guess[truth.known]),
            }
        )
    check(answer, expected)


def test_estimates_of_slices(made: Store, truth: Truth, labels: str) -> None:
    expected = []
    for slice_ in (True, False):
        of = truth.known & ((truth.n_tokens < 5) == slice_)
        gold = np.where(truth.gold >= 0, truth.gold == truth.prediction, np.nan)
        expected.append({"slice": slice_, "label": None, "estimand": "accuracy"})
        expected[-1] |= inferred(gold[of], truth.confidence[of])
    found = made.audit("estimates", labels=labels, by="n_tokens < 5").to_pylist()
    check([row for row in found if row["estimand"] == "accuracy"], expected)
    assert len(found) == 2 * (1 + len(CLASSES))


def test_estimates_of_many_slices_are_those_of_the_largest(made: Store) -> None:
    found = made.audit("estimates", labels="bert", by="least(row // 2, 850)").to_pylist()
    assert len({row["slice"] for row in found}) == 100
    assert found[0]["slice"] == 850


def test_estimates_where_every_row_has_gold() -> None:
    made, truths = make(rows=200, gold=lambda row, classes: row % classes)
    truth = truths["bert"]
    accuracy = made.audit("estimates", labels="bert").to_pylist()[0]
    assert (accuracy["gold_rows"], accuracy["other_rows"]) == (truth.known.sum(), 0)
    assert accuracy["estimate"] == accuracy["gold_alone"] == pytest.approx(truth.right.mean())
    assert (accuracy["low"], accuracy["high"]) == (accuracy["gold_low"], accuracy["gold_high"])
    assert accuracy["narrower"] == 0


@pytest.mark.parametrize(("rows", "right"), [(1, 1), (1, 0), (2, 2), (5, 5), (40, 39), (60, 51)])
def test_few_or_equal_gold_rows_make_wide_intervals(rows: int, right: int) -> None:
    made = write_header(MemoryStorage(), rows=400, shards=1)
    logits = random_logits(400)
    predicted = logits.argmax(axis=1)
    gold = [int(label if row < right else (label + 1) % 3) for row, label in enumerate(predicted[:rows])]
    add_corpus(made, text=text_of, label=lambda row, _: gold[row] if row < rows else None)
    add_labels(made, "bert", logits=logits)
    accuracy, *shares = made.audit("estimates").to_pylist()
    assert accuracy["estimate"] == accuracy["gold_alone"] == right / rows
    assert (accuracy["low"], accuracy["high"]) == pytest.approx(wilson(right / rows, rows))
    assert accuracy["high"] - accuracy["low"] > 0.1
    assert all(share["low"] < share["high"] for share in shares)


@pytest.mark.parametrize(("accuracy", "size"), [(0.99, 50), (0.97, 100), (0.9, 200), (0.8, 60)])
def test_intervals_cover_the_truth_also_of_good_labels(accuracy: float, size: int) -> None:
    """The same formulas as in the question, for many samples: its SQL is checked above."""
    chance = np.random.default_rng(size)
    covered = 0
    for _ in range(400):
        guess = chance.beta(accuracy * 8, (1 - accuracy) * 8, 3000)
        truth = (chance.random(3000) < guess).astype(float)
        mean = truth.mean()
        truth[chance.permutation(3000)[size:]] = np.nan
        found = inferred(truth, guess)
        covered += found["low"] <= mean <= found["high"]
    assert 0.9 <= covered / 400 <= 0.995  # Wilson's own coverage swings where a class is rare


def test_good_labels_make_estimates_narrower() -> None:
    made = write_header(MemoryStorage(), rows=4000, shards=2)
    chance = np.random.default_rng(0)
    logits = chance.normal(size=(4000, 3)) * 3
    powers = np.exp(logits)
    gold = (powers.cumsum(axis=1) / powers.sum(axis=1, keepdims=True) < chance.random((4000, 1))).sum(axis=1)
    add_corpus(made, text=text_of, label=lambda row, _: int(gold[row]) if row % 20 == 0 else None)
    add_labels(made, "bert", logits=logits.astype(np.float16))
    accuracy, *shares = made.audit("estimates").to_pylist()
    right = (logits.argmax(axis=1) == gold).mean()
    assert accuracy["low"] < right < accuracy["high"]
    for label, share in enumerate(shares):
        assert share["low"] < (gold == label).mean() < share["high"]
        assert share["narrower"] > 0.2


def test_calibration(answer: Rows, truth: Truth) -> None:
    gold, p = truth.gold[truth.judged], truth.p[truth.judged]
    expected = {
        "rows": len(gold),
        "accuracy": truth.right.mean(),
        "mean_confidence": p.max(axis=1).mean(),
        "expected_calibration_error": expected_calibration_error(gold, p),
        "brier_score": ((p - np.eye(len(CLASSES))[gold]) ** 2).sum(axis=1).mean(),
        "log_loss": log_loss(gold, p),
    }
    check(answer, [expected])


def test_risk_coverage(answer: Rows, truth: Truth) -> None:
    confidence = truth.confidence[truth.judged].astype(np.float32)
    order = np.lexsort((truth.judged, -confidence))
    sizes = [len(part) for part in np.array_split(order, 20)]
    expected = []
    for n in np.cumsum(sizes):
        risk = 1 - truth.right[order[:n]].mean()
        expected.append({"coverage": n / len(order), "rows": n, "least_confidence": confidence[order[n - 1]]})
        expected[-1] |= {"risk": risk}
    check(answer, expected)


def likely(truth: Truth) -> np.ndarray:
    """Label that each judged row likely has, -1 where none is: Northcutt et al. 2021, equation 1."""
    gold, p = truth.gold[truth.judged], truth.p[truth.judged]
    thresholds = np.array([p[gold == j, j].mean() if (gold == j).any() else np.inf for j in range(p.shape[1])])
    reached = np.where(p >= thresholds - 1e-6, p, 0)
    return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)


def test_confident_joint(answer: Rows, truth: Truth) -> None:
    gold, label = truth.gold[truth.judged], likely(truth)
    counts = confusion(gold[label >= 0], label[label >= 0], classes=len(CLASSES))
    expected = []
    for given in range(len(CLASSES)):
        for other in range(len(CLASSES)):
            expected.append({"gold": given, "gold_class": CLASSES[given], "likely": other})
            expected[-1] |= {"likely_class": CLASSES[other], "rows": counts[given, other]}
            expected[-1] |= {"share_of_gold": counts[given, other] / counts[given].sum()}
    check(answer, expected)


def label_errors(truth: Truth) -> Rows:
    label, gold, p = likely(truth), truth.gold[truth.judged], truth.p[truth.judged]
    own = p[np.arange(len(gold)), gold]
    others = np.where(np.arange(p.shape[1]) == gold[:, None], -1, p).max(axis=1)
    wrong = np.flatnonzero((label >= 0) & (label != gold))
    return [
        {
            "row": truth.judged[at],
            "id": f"id-{truth.judged[at]}",
            "gold_class": CLASSES[gold[at]],
            "likely_class": CLASSES[label[at]],
            "self_confidence": own[at],
            "normalised_margin": own[at] - others[at],
            "text": text(truth.judged[at])[:100],
        }
        for at in wrong[np.argsort(own[wrong] - others[wrong], kind="stable")]
    ]


def test_label_errors(answer: Rows, truth: Truth) -> None:
    expected = label_errors(truth)
    assert len(expected) > 500
    check(answer, expected[:500])


def test_label_errors_are_all_there_where_they_are_few() -> None:
    made, truths = make(rows=600)
    expected = label_errors(truths["bert"])
    assert 100 < len(expected) < 500
    check(made.audit("label-errors", labels="bert").to_pylist(), expected)


def test_a_class_without_gold_is_never_likely() -> None:
    made, truths = make(rows=900, gold=lambda row, classes: row % 2)
    label = likely(truths["bert"])
    assert {row["likely"] for row in made.audit("confident-joint", labels="bert").to_pylist()} == {0, 1}
    errors = made.audit("label-errors", labels="bert").num_rows
    assert errors == ((label >= 0) & (label != truths["bert"].gold[truths["bert"].judged])).sum()


def test_annotate(answer: Rows, truth: Truth) -> None:
    free = truth.rows[truth.known & (truth.gold < 0)]
    free = free[np.lexsort((free, truth.margin[free].astype(np.float32)))]
    turns: dict[tuple[int, int], int] = {}
    ranked = []
    for row in free:
        group = (truth.prediction[row], truth.length[row])
        turns[group] = turns.get(group, 0) + 1
        ranked.append((turns[group], truth.margin[row].astype(np.float32), row))
    expected = [
        {
            "row": row,
            "id": f"id-{row}",
            "class": CLASSES[truth.prediction[row]],
            "margin": margin,
            "turn": turn,
            "text": text(row)[:100],
        }
        for turn, margin, row in sorted(ranked)[:100]
    ]
    assert len(turns) == 9
    check(answer, expected)


# Small and empty stores


@pytest.mark.parametrize("name", questions())
def test_one_row_is_answered(name: str) -> None:
    made, _ = make(rows=1, shards=1)
    add_calibration(made, calibration_at(2.0, made=made))
    table = made.audit(name, labels="bert")
    assert not any(pa.types.is_decimal(type_) for type_ in table.schema.types)
    found = table.to_pylist()
    assert len(found) == {
        "classes": 3,
        "failures": 2,
        "duplicates": 0,
        "label-errors": 0,
        "annotate": 0,
        "calibrated": 2,
        "cascade": 2,
        "diff": 0,
        "estimates": 4,
    }.get(name, 1)
    for row in found:
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in row.values())


@pytest.mark.parametrize("name", questions())
def test_of_rows_that_all_failed_nothing_is_said(name: str) -> None:
    made = write_header(rows=9)
    add_corpus(made)
    for set_ in SETS:
        add_labels(made, set_, failed=range(9))
    add_calibration(made, calibration_at(2.0, made=made))
    assert made.audit(name, labels="bert").num_rows == {"failures": 2, "slices": 1}.get(name, 0)


@pytest.mark.parametrize("name", questions())
def test_a_label_set_without_rows_is_told(name: str) -> None:
    made = write_header(rows=9)
    add_corpus(made)
    made.label_set("bert").freeze_card({"model": "m"})
    assert made.sql(question(name).sql, labels="bert").num_rows == 0
    if name != "failures":
        with pytest.raises(StoreMissingError, match="no labels yet|compares label sets"):
            made.audit(name)


@pytest.mark.parametrize("name", questions())
def test_without_gold_what_needs_it_says_so(name: str) -> None:
    made, _ = make(gold=lambda row, classes: None)
    found = made.sql(question(name).sql, labels="bert")
    if "gold" not in question(name).needs:
        assert found.num_rows > 0
        assert made.audit(name, labels="bert") == found
        return
    assert found.num_rows == 0
    with pytest.raises(StoreMissingError, match=f"{name} cannot be asked: no row of .* has a gold label"):
        made.audit(name, labels="bert")


# What a store must have


def test_one_label_set_cannot_be_compared() -> None:
    made = make_store()
    with pytest.raises(
        StoreMissingError, match="agreement cannot be asked: it compares label sets, .* has only 'bert'"
    ):
        made.audit("agreement")
    assert made.audit("accuracy").num_rows == 1


def test_of_several_label_sets_one_is_chosen(made: Store) -> None:
    with pytest.raises(StoreMissingError, match="choose it with --labels. .* has: bert, roberta"):
        made.audit("accuracy")
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'"):
        made.audit("failures", labels="gpt")
    assert made.audit("failures").num_rows == 4


def test_without_any_labels_questions_say_so() -> None:
    made = make_store(labels=[])
    with pytest.raises(StoreMissingError, match="has no labels yet; `engine label --store .*` makes them"):
        made.audit("classes")
    assert "none" in (lacking(made, question("agreement")) or "")


def test_a_question_that_is_not_there_names_the_nearest(made: Store) -> None:
    with pytest.raises(QueryError, match="no question 'acuracy'; did you mean accuracy"):
        made.audit("acuracy")
    with pytest.raises(QueryError, match="did you mean .*annotate"):
        question("zzzz")


# The files


def test_every_file_is_a_question_with_help() -> None:
    names = {file.name.removesuffix(".sql") for file in files("store.sql").joinpath("queries").iterdir()}
    assert set(questions()) == names
    assert set(OVERVIEW) <= names


@pytest.mark.parametrize("asked", questions().values(), ids=questions())
def test_a_file_begins_with_its_help_and_is_one_tidy_select(asked: Question) -> None:
    assert asked.help.endswith(".")
    assert asked.sql.startswith(f"-- {asked.help}\n")
    assert asked.sql.endswith("\n")
    assert not asked.sql.endswith("\n\n")
    assert all(len(line) <= 120 and line == line.rstrip() and "\t" not in line for line in asked.sql.splitlines())
    assert ("reviews" in asked.sql) == ("labels" in asked.needs)
    assert ("corpus" in asked.sql) == ("texts" in asked.needs)


def test_what_can_be_asked_is_given_as_it_stands() -> None:
    assert ready(make_store(), "accuracy") is question("accuracy")


def test_the_benchmark_times_a_question(tmp_path: Path) -> None:
    figures = time_questions(tmp_path, rows=2_000, names=["accuracy"])
    assert 0 < figures["accuracy"]["answer"]["again"] < 60
    assert list(tmp_path.iterdir()) == []


def test_the_benchmarks_words_name_the_slowest() -> None:
    seconds = {name: {"answer": {"again": 0.01 * at}} for at, name in enumerate(questions())}
    words = queries({"sizes": {"639000": seconds}, "conditions": {"cores": 2}})
    assert words.startswith("Over 639,000 rows, the 22 that read no text take at most ")
    assert "the 3 that show texts" in words
