"""Rows that are proposed to annotators: which ones by each way, and what is left out."""

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from store_factory import CLASSES, add_corpus, add_labels, append_rows, make_store, repair_labels, text_of, write_header

from store import Store
from store.errors import MismatchError, QueryError, StoreExistsError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.selections.card import Proposed
from store.selections.export import write_annotator_file
from store.selections.export_rows import SelectedRows
from store.selections.methods import DEFAULT_METHOD, METHODS
from store.selections.propose import divergence, turns
from store.selections.selection import Selection, class_counts
from store.verify.verify import verify

LEADS = [5, 1, 3, 0.5, 2, 4, 1, 6]
"""By how much the logit of its class leads, of each row: rows 1 and 6 are equal."""
BEST = [0, 0, 1, 0, 2, 1, 0, 2]


def logits_of(leads: list[float], best: list[int]) -> np.ndarray:
    logits = np.zeros((len(leads), len(CLASSES)), np.float16)
    logits[range(len(leads)), best] = leads
    return logits


def made_of(
    leads: list[float] = LEADS,
    best: list[int] = BEST,
    *,
    texts: list[str] | None = None,
    gold: dict[int, int] | None = None,
    failed: tuple[int, ...] = (),
) -> Store:
    made = write_header(rows=len(leads), shards=2)
    add_corpus(
        made, text=(texts or list(map(text_of, range(99)))).__getitem__, label=lambda row, _: (gold or {}).get(row)
    )
    logits = logits_of(leads, best)
    logits[list(failed), 0] = np.nan
    add_labels(made, "bert", logits=logits)
    return made


def rows_of(selection: Selection) -> list[int]:
    numbers: list[int] = selection.rows.numbers().tolist()
    return numbers


def order_by(made: Store, method: str, **more: object) -> list[int]:
    """All rows that may be proposed, in the order in which they are."""
    found: list[int] = []
    for limit in range(1, made.layout.rows + 1):
        new = set(rows_of(made.select(f"{method}-{limit}", propose=method, limit=limit, **more))) - set(found)
        found += new
        assert len(found) <= limit
        assert len(new) <= 1  # a larger limit adds rows and takes none away
    return found


def round_of(*rows: int) -> Labelled:
    return Labelled(rows=np.array(rows), labels=np.ones(len(rows), np.int16), sources=["me"] * len(rows))


def test_the_least_margins_come_first_and_chance_decides_between_equal_ones() -> None:
    by_chance = order_by(made_of(), "random")
    assert order_by(made_of(), "margin") == [3, *(row for row in by_chance if row in (1, 6)), 4, 2, 5, 0, 7]
    assert order_by(made_of([2] * 8, [1] * 8), "margin") == by_chance != list(range(8))
    assert order_by(made_of([2] * 8, [1] * 8, texts=list("abcdefgh")), "diverse") == by_chance


def test_classes_and_lengths_take_turns() -> None:
    texts = ["short", "s" * 9, "a little longer than that, I would say", *(letter * 20 for letter in "abcde")]
    made = made_of(texts=texts)
    # strata of (class, length in powers of two): (0, 4): 0 · (0, 8): 1 · (1, 32): 2 · (0, 16): 3, 6 · (2, 16): 4, 7 · (1, 16): 5
    assert order_by(made, "diverse") == [3, 1, 4, 2, 5, 0, 6, 7]


def test_turns_count_what_comes_before_in_the_same_stratum() -> None:
    strata, scores = np.array([1, 0, 1, 1, 0, 7]), np.array([0.5, 0.1, 0.2, 0.5, 0.3, 0.9])
    ties = np.array([3, 0, 0, 4, 0, 0])
    assert turns(strata, scores, ties).tolist() == [1, 0, 0, 2, 1, 0]
    assert turns(strata, scores, -ties).tolist() == [2, 0, 0, 1, 1, 0]
    assert turns(strata[:0], scores[:0], ties[:0]).tolist() == []


def test_label_sets_that_differ_most_come_first() -> None:
    made = made_of([4] * 6, [0] * 6)
    add_labels(made, "gpt", logits=logits_of([4, 4, 4, 1, 4, 4], [0, 1, 0, 1, 1, 0]))
    # 1 and 4 contradict as surely as can be, 3 less so; the others agree
    by_chance = order_by(made, "random", labels="bert")
    apart, alike = ([row for row in by_chance if row in some] for some in ((1, 4), (0, 2, 5)))
    assert order_by(made, "disagreement") == [*apart, 3, *alike]
    chosen = made.selection("disagreement-2")
    assert (chosen.labels, chosen.proposed) == (
        "bert", Proposed(method="disagreement", label_sets=["bert", "gpt"], rounds=[0])
    )  # fmt: skip
    assert set(chosen.sources) == {"corpus", "labels/bert", "labels/gpt"}
    assert class_counts(made, chosen)[0] == {"class": CLASSES[0], "selected": 2}


def test_the_divergence_is_that_of_jensen_and_shannon() -> None:
    sure, other, half = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])
    assert divergence([sure, sure]).tolist() == [0]
    assert divergence([sure, other])[0] == pytest.approx(math.log(2))
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) - math.log(2) / 2
    assert divergence([sure, half])[0] == pytest.approx(expected)
    assert divergence([sure, other, half])[0] == pytest.approx(math.log(2) - math.log(2) / 3)


def test_of_several_label_sets_those_are_compared_that_are_named() -> None:
    made = made_of([4] * 3, [0] * 3)
    add_labels(made, "gpt", logits=logits_of([4] * 3, [0, 1, 0]))
    add_labels(made, "roberta", logits=logits_of([4] * 3, [0, 0, 1]))
    two = made.select("two", propose="disagreement", labels=("roberta", "bert"), limit=1)
    assert (rows_of(two), two.labels) == ([2], "roberta")
    assert made.select("one", propose="disagreement", labels="gpt", limit=1).proposed.label_sets == [
        "bert", "gpt", "roberta",
    ]  # fmt: skip
    with pytest.raises(StoreMissingError, match="has no label set 't5'; it has: bert, gpt, roberta"):
        made.select("none", propose="disagreement", labels=("gpt", "t5"), limit=1)
    add_labels(made, "begun", shards=[0])
    with pytest.raises(StoreMissingError, match="labels/begun lacks 1 of 2 shards"):
        made.select("early", propose="disagreement", limit=1)
    assert rows_of(made.select("later", propose="disagreement", labels=("gpt", "roberta"), limit=3)) == [0, 1, 2]


def test_one_label_set_disagrees_with_nobody() -> None:
    with pytest.raises(StoreMissingError, match="compares label sets, and .* has 1; `engine label` with another"):
        made_of().select("none", propose="disagreement", limit=1)


def test_random_rows_are_those_of_the_seed() -> None:
    made = make_store(rows=400)
    orders = {
        seed: order for seed in range(3) for order in [made.select(f"s{seed}", propose="random", seed=seed, limit=50)]
    }
    assert len({tuple(rows_of(one)) for one in orders.values()}) == 3
    assert rows_of(made.select("none", propose="random", limit=50)) == rows_of(orders[0])
    assert made.selection("none").proposed == Proposed(method="random", seed=0, rounds=[0])
    assert order_by(made_of(), "random", seed=3) == order_by(made_of(), "random", seed=3) != list(range(8))
    # every open row is as likely: 100 open rows, 30 of them 100 times
    counts = np.zeros(400)
    for seed in range(100):
        counts[rows_of(make_store_once().select(f"n{seed}", propose="random", seed=seed, limit=30))] += 1
    is_open = np.arange(400) % 4 == 3
    assert counts[~is_open].sum() == 0
    assert ((counts[is_open] - 30) ** 2 / 21).sum() < 150  # chi-square with 99 degrees of freedom: p = 0.0007


_ONCE: list[Store] = []


def make_store_once() -> Store:
    if not _ONCE:
        _ONCE.append(make_store(rows=400))
    return _ONCE[0]


def test_random_rows_need_no_labels() -> None:
    made = write_header(rows=40)
    add_corpus(made)
    chosen = made.select("some", propose="random", limit=4)
    assert (len(chosen.rows), chosen.labels, set(chosen.sources)) == (4, None, {"corpus"})
    for method in ("margin", "diverse", "disagreement"):
        with pytest.raises(StoreMissingError, match="has no label set yet"):
            made.select("none", propose=method, limit=4)


@pytest.mark.parametrize("method", METHODS)
def test_what_needs_no_label_is_left_out(method: str) -> None:
    texts = ["one", "two", "ONE ", "three", "four", "two", " Three", "five"]
    made = made_of(texts=texts, gold={2: 1}, failed=(4,))
    add_labels(made, "gpt", seed=3)
    add_round(made, round_of(7))
    # 0 has the text of 2, which has gold; 5 is a copy of 1, and 6 of 3
    chosen = made.select("all", propose=method, labels="bert", limit=100)
    assert rows_of(chosen) == [1, 3]
    assert chosen.proposed.rounds == [0, 1]
    assert rows_of(made.select("later", propose=method, labels="bert", where="row > 3", limit=100)) == [5, 6]
    made.select("three", where="row IN (3, 5, 7)", labels="bert")
    assert rows_of(made.select("inside", propose=method, labels="bert", and_=("three",), limit=100)) == [3, 5]
    assert rows_of(made.select("outside", propose=method, labels="bert", not_=("three",), limit=100)) == [1, 6]
    add_round(made, round_of(1, 3))
    with pytest.raises(QueryError, match="has nothing to propose: each of the 8 rows to choose from has gold, or"):
        made.select("rest", propose=method, labels="bert", limit=1)


def test_what_was_proposed_holds_when_its_labels_have_come() -> None:
    made = made_of()
    first = made.select("first", propose="margin", limit=3)
    add_round(made, round_of(*rows_of(first)))
    assert made.selection("first") == first
    assert made.select("again", propose="margin", limit=3).rows.numbers().tolist() == [2, 4, 5]
    with pytest.raises(StoreExistsError, match="this one has 3 rows and is another; use another name"):
        made.select("first", propose="margin", limit=3)
    assert rows_of(made.select("both", or_=("first", "again"))) == [1, 2, 3, 4, 5, 6]
    assert not [finding for finding in verify(made.storage) if finding.is_damage]
    repair_labels(made, "bert", shard=0, seed=5)
    with pytest.raises(MismatchError, match="'first' of .* was made from labels/bert"):
        made.selection("first")


@pytest.mark.parametrize("method", ["margin", "random"])
def test_appended_rows_change_no_proposal(method: str) -> None:
    made = make_store(rows=50)
    before = made.select("next", propose=method, limit=5)
    grown = append_rows(made, rows=30)
    assert grown.selection("next") == before
    with pytest.raises(StoreMissingError, match="labels/bert lacks 1 of 4 shards"):
        grown.select("more", propose=method, limit=5)
    add_labels(grown, "bert", shards=[3], seed=1)
    more = rows_of(grown.select("more", propose=method, limit=80))
    assert set(rows_of(before)) < set(more)
    assert max(more) >= 50


def test_a_label_set_is_chosen_and_must_be_finished() -> None:
    made = make_store(rows=50, labels=["bert", "gpt"])
    for method in ("margin", "diverse", "random"):
        with pytest.raises(StoreMissingError, match="2 label sets: bert, gpt; choose one with --labels"):
            made.select("none", propose=method, limit=3)
    ours, theirs = (
        rows_of(made.select(f"of-{name}", propose="margin", labels=name, limit=3)) for name in ("bert", "gpt")
    )
    assert ours != theirs
    for name, found in (("bert", ours), ("gpt", theirs)):
        asked = made.sql("SELECT row FROM reviews WHERE gold IS NULL ORDER BY margin, row LIMIT 3", labels=name)
        assert sorted(asked.column("row").to_pylist()) == found
    add_labels(made, "begun", shards=[0])
    with pytest.raises(StoreMissingError, match=r"labels/begun lacks 2 of 3 shards \(the first is 1\); `engine label"):
        made.select("early", propose="margin", labels="begun", limit=3)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"propose": "margins", "limit": 3}, "the ways to propose rows are margin, diverse, disagreement, random"),
        ({"propose": "margin"}, "give --limit too: how many to propose"),
        ({"propose": "margin", "limit": 3, "order_by": "row"}, "both say which rows come first"),
        ({"propose": "margin", "limit": 3, "seed": 1}, "--seed is of --propose random"),
        ({"limit": 3, "seed": 1}, "--seed is of --propose random"),
        ({"propose": "random", "limit": 3, "seed": -1}, "must be from 0 to 2"),
        ({"propose": "margin", "limit": 0}, "--limit is 0"),
        ({"propose": "margin", "limit": 3, "labels": ("a", "b")}, "which only --propose disagreement compares"),
        ({"where": "true", "labels": ("a", "b")}, "which only --propose disagreement compares"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(wanted: dict[str, object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make_store_once().select("refused", **wanted)
    assert "refused" not in make_store_once().selections()


def test_the_default_is_one_of_the_ways() -> None:
    assert DEFAULT_METHOD in METHODS


def test_proposed_rows_are_written_with_their_predictions(tmp_path: Path) -> None:
    made = made_of()
    add_labels(made, "gpt", logits=logits_of(LEADS[::-1], BEST[::-1]))
    chosen = made.select("next", propose="disagreement", limit=2)
    write_annotator_file(SelectedRows(made, chosen), tmp_path / "next.parquet")
    written = pq.read_table(tmp_path / "next.parquet").to_pylist()
    assert [(row["row"], row["label_set"], row["class"]) for row in written] == [
        (row, "bert", CLASSES[BEST[row]]) for row in rows_of(chosen)
    ]


def test_copies_of_a_store_keep_how_rows_were_proposed(tmp_path: Path) -> None:
    made = make_store(rows=50)
    chosen = made.select("next", propose="random", seed=7, limit=4)
    made.copy(str(tmp_path / "copy.store"))
    import store

    assert store.open(tmp_path / "copy.store").selection("next") == chosen
