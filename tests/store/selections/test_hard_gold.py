"""Gold rows that were chosen for being hard: which ones are found, and what is said of an estimate from them."""

import numpy as np
from store_factory import add_corpus, add_labels, append_rows, make_store, write_header

from store import Store
from store.gold.add_round import Labelled, add_round
from store.gold.held import held_gold
from store.removal import plan_removal
from store.selections.hard_gold import hard_gold, hard_gold_words, lost_with_selection

METHODS = ("margin", "diverse", "disagreement")


def without_own_gold(rows: int = 400) -> Store:
    made = write_header(rows=rows)
    add_corpus(made, label=lambda _row, _classes: None)
    for seed, name in enumerate(("bert", "roberta")):
        add_labels(made, name, seed=seed)
    return made


def label(made: Store, rows: np.ndarray, source: str = "people") -> int:
    labels = np.zeros(len(rows), np.int16)
    return add_round(made, Labelled(rows=np.sort(rows), labels=labels, sources=[source] * len(rows)))[0]


def proposed(made: Store, name: str, method: str, limit: int = 20) -> np.ndarray:
    return made.select(
        name, propose=method, limit=limit, labels=None if method == "disagreement" else "bert"
    ).rows.numbers()


def found(made: Store, rounds: list[int] | None = None) -> dict[str, tuple[str, list[int], list[int]]]:
    return {one.name: (one.method, one.rows.tolist(), one.rounds) for one in hard_gold(made, held_gold(made, rounds))}


def test_every_way_of_choosing_hard_rows_is_found_and_a_random_sample_is_none() -> None:
    made = without_own_gold()
    chosen = {method: proposed(made, method, method) for method in METHODS}
    sample = proposed(made, "sample", "random")
    assert found(made) == {}  # no gold came yet
    number = label(made, sample)
    assert found(made) == {}
    for method, rows in chosen.items():
        number = label(made, rows, method)
        name, hard, rounds = found(made, [number])[method]
        assert (name, hard, rounds) == (method, rows.tolist(), [number])


def test_hard_rows_in_a_sample_that_hit_them_by_chance_do_not_count() -> None:
    made = without_own_gold()
    hard = proposed(made, "hard", "margin", limit=100)
    others = np.setdiff1d(np.arange(400), hard)
    as_chance_has_it = np.concatenate([hard[:25], others[:75]])
    label(made, as_chance_has_it)
    assert found(made) == {}
    label(made, np.concatenate([hard[:60], others[:60]]), "both in one file")
    assert found(made) == {"hard": ("margin", np.sort(hard[:60]).tolist(), [2])}


def test_rows_that_are_not_judged_or_that_the_teacher_knows_are_not_counted() -> None:
    made = make_store()
    hard = np.sort(proposed(made, "hard", "margin", limit=6))
    label(made, hard)
    found_now = hard_gold(made, held_gold(made))
    none = np.empty(0, np.int64)
    every = np.arange(50)
    assert str(hard_gold_words(found_now, every, known=none)).startswith(
        "6 of the 50 gold rows that count were chosen for being hard, by the selection 'hard' (--propose margin, 6 rows). "
        "Labels are wrong on such rows more often than on all, so accuracy comes out too low"
    )
    assert "4 of the 48 gold rows" in str(hard_gold_words(found_now, np.setdiff1d(every, hard[:2]), known=none))
    assert "5 of the 50 gold rows" in str(hard_gold_words(found_now, every, known=hard[:1]))
    assert hard_gold_words(found_now, every, known=hard) is None
    assert hard_gold_words(found_now, np.setdiff1d(every, hard), known=none) is None


def test_a_row_that_two_selections_chose_is_counted_once() -> None:
    made = without_own_gold()
    hard = proposed(made, "hard", "margin")
    made.select("again", propose="margin", limit=20, labels="bert")
    label(made, hard)
    words = hard_gold_words(hard_gold(made, held_gold(made)), np.sort(hard), known=np.empty(0, np.int64))
    assert str(words).startswith(
        "20 of the 20 gold rows that count were chosen for being hard, by the selections 'again'"
    )


def test_a_hard_round_that_later_ones_repeat_holds_nowhere() -> None:
    made = without_own_gold()
    hard = proposed(made, "hard", "margin")
    label(made, hard, "first")
    label(made, hard, "again")
    assert found(made) == {"hard": ("margin", hard.tolist(), [2])}


def test_what_is_lost_with_a_selection_is_told() -> None:
    made = without_own_gold()
    hard, sample = proposed(made, "hard", "margin"), proposed(made, "check", "random")
    assert lost_with_selection(made, "hard") is None
    label(made, hard, "first")
    label(made, np.union1d(hard, sample), "again")
    assert str(lost_with_selection(made, "hard")).startswith(
        "20 gold rows, of --round 1 and 2, were chosen by it for being hard, and nothing will say so then"
    )
    assert lost_with_selection(made, "check") is None
    (plan,) = plan_removal(made, ["selections/hard"])
    assert plan.notes == ["a training that was begun with it cannot be resumed", lost_with_selection(made, "hard")]


def test_rows_that_were_appended_and_selections_that_are_damaged_change_nothing() -> None:
    made = without_own_gold()
    hard = proposed(made, "hard", "margin")
    grown = append_rows(made, rows=100, extras={})
    label(grown, np.concatenate([hard, np.arange(400, 500)]))
    assert found(grown) == {"hard": ("margin", hard.tolist(), [1])}
    card = grown.selection("hard").card
    grown.storage.put(f"selections/{card.file}", b"\0" * card.bytes)
    assert found(grown) == {}
