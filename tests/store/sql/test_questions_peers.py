"""The questions about gold against cleanlab and scikit-learn on the same rows."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, roc_auc_score
from store_factory import add_corpus, add_labels, write_header

from store import Store
from store.storage import MemoryStorage

ROWS = 2_000


class Case:
    """A store whose gold is drawn from its probabilities, a tenth of it turned into the next class."""

    def __init__(self, classes: int) -> None:
        chance = np.random.default_rng(classes)
        self.classes = classes
        logits = (chance.normal(size=(ROWS, classes)) * 3).astype(np.float16)
        powers = np.exp(logits.astype(np.float64))
        self.p = powers / powers.sum(axis=1, keepdims=True)
        drawn = (self.p.cumsum(axis=1) < chance.random((ROWS, 1))).sum(axis=1).clip(max=classes - 1)
        self.gold = np.where(chance.random(ROWS) < 0.1, (drawn + 1) % classes, drawn)
        self.made: Store = write_header(MemoryStorage(), rows=ROWS, classes=[f"c{one}" for one in range(classes)])
        add_corpus(self.made, label=lambda row, _: int(self.gold[row]))
        add_labels(self.made, "teacher", logits=logits)

    def ask(self, question: str) -> list[dict[str, object]]:
        return self.made.audit(question).to_pylist()


@pytest.fixture(scope="module", params=[2, 3, 7])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def matrix(rows: list[dict[str, object]], across: str, classes: int) -> np.ndarray:
    counts = np.zeros((classes, classes), np.int64)
    for row in rows:
        counts[row["gold"], row[across]] = row["rows"]  # type: ignore[index]
    return counts


def test_the_confident_joint_is_cleanlabs(case: Case) -> None:
    joint = compute_confident_joint(case.gold, case.p, calibrate=False)
    np.testing.assert_array_equal(matrix(case.ask("confident-joint"), "likely", case.classes), joint)


def test_label_errors_are_cleanlabs_in_its_order(case: Case) -> None:
    ranked = find_label_issues(
        case.gold, case.p, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    rows = case.ask("label-errors")
    assert len(rows) == min(500, len(ranked)) > 100
    assert {row["row"] for row in rows} == set(ranked[:500].tolist())
    theirs = np.where(  # of equal ones cleanlab's order is another
        case.p.argmax(axis=1) == case.gold,
        np.sort(case.p, axis=1)[:, -1] - np.sort(case.p, axis=1)[:, -2],
        case.p[np.arange(ROWS), case.gold] - case.p.max(axis=1),
    )
    np.testing.assert_allclose([row["normalised_margin"] for row in rows], theirs[ranked[:500]], atol=1e-6)


def test_confusion_and_calibration_are_those_of_scikit_learn(case: Case) -> None:
    counts = matrix(case.ask("confusion"), "prediction", case.classes)
    np.testing.assert_array_equal(counts, confusion_matrix(case.gold, case.p.argmax(axis=1)))
    (figures,) = case.ask("calibration")
    assert figures["log_loss"] == pytest.approx(log_loss(case.gold, case.p), rel=1e-5)
    if case.classes == 2:  # scikit-learn counts one of the two classes alone
        assert figures["brier_score"] == pytest.approx(2 * brier_score_loss(case.gold, case.p[:, 1]), rel=1e-5)


def test_risk_falls_with_coverage_as_confidence_tells_right_from_wrong(case: Case) -> None:
    right = case.p.argmax(axis=1) == case.gold
    assert roc_auc_score(right, case.p.max(axis=1)) > 0.6
    risks = [row["risk"] for row in case.ask("risk-coverage")]
    assert risks[0] < risks[-1] == pytest.approx(1 - right.mean())  # type: ignore[operator]
