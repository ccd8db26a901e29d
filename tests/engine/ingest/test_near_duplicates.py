"""Which texts are nearly the same: by shingles of three words, found by MinHash and judged exactly."""

import sys

import numpy as np
import pytest

from engine.errors import InputError
from engine.ingest.near_duplicates import NearDuplicates, Similar, bands, jaccard, shingles

WORDS = [f"word{number}" for number in range(2_000)]


def text(random, words=60):
    return " ".join(random.choice(WORDS, words))


def index(*texts, threshold=0.8):
    made = NearDuplicates(threshold=threshold)
    for one in texts:
        made.add(one)
    return made


def test_a_text_with_another_ending_is_found_and_one_with_another_half_is_not():
    random = np.random.default_rng(0)
    first, second = text(random), text(random)
    made = index(second, first)
    found = made.most_similar(f"{first} and so on")
    assert found == Similar(position=1, similarity=58 / 61)
    half = " ".join([*first.split()[:30], *second.split()[30:]])
    assert made.most_similar(half) is None
    assert index(second, first, threshold=0.3).most_similar(half) == Similar(position=0, similarity=28 / 88)


def test_letter_case_and_signs_do_not_count():
    made = index("The food was good, and the staff was friendly.")
    assert made.most_similar("the FOOD was good and the staff -- was friendly!") == Similar(position=0, similarity=1.0)


def test_the_threshold_itself_is_enough():
    held = index("a b c d e f g", threshold=0.5)  # abc bcd cde def efg
    assert held.most_similar("a b c d e f x y") is not None  # 4 of 7
    assert held.most_similar("a b c d x y z") is None  # 2 of 8
    assert index("a b c d e", threshold=0.5).most_similar("a b c d x y") is None  # 2 of 5
    assert index("a b c d", threshold=0.5).most_similar("a b c x") is None  # 1 of 3
    assert index("a b c d", threshold=0.5).most_similar("a b c d x y") == Similar(position=0, similarity=0.5)


@pytest.mark.parametrize("short", ["good", "so good", "!?", "👍"])
def test_short_texts_are_the_same_or_are_not(short):
    made = index(short)
    assert made.most_similar(f" {short} ") == Similar(position=0, similarity=1.0)
    assert made.most_similar(f"{short} bad") is None


def test_the_most_similar_of_several_is_found_and_the_first_of_equal_ones():
    random = np.random.default_rng(1)
    held = text(random)
    made = index(f"{held} a b c", f"{held} a", f"{held} a")
    assert made.most_similar(held).position == 1
    assert len(made) == 3


def test_of_pairs_at_the_threshold_hardly_one_is_missed():
    random, missed = np.random.default_rng(2), 0
    held = [text(random, 100) for _ in range(300)]
    made = index(*held)
    for place, one in enumerate(held):
        words = one.split()
        for at in (20, 50, 80):  # 9 of 98 shingles are others: 89 of 107
            words[at] = f"other{at}"
        found = made.most_similar(" ".join(words))
        missed += found is None or found.position != place
    assert missed <= 2


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8, 0.95, 1.0])
def test_bands_fit_and_miss_little(threshold):
    count, rows = bands(threshold)
    assert 1 <= count * rows <= 128
    if threshold > 0.1:
        assert (1 - threshold**rows) ** count <= 1e-3


def test_jaccard_is_what_both_have_of_what_either_has():
    assert jaccard(shingles("a b c d"), shingles("b c d e")) == 1 / 3
    assert jaccard(shingles("a b"), shingles("a b")) == 1.0


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan")])
def test_what_is_no_similarity_is_refused(threshold):
    with pytest.raises(InputError, match="a similarity is more than 0 and at most 1"):
        NearDuplicates(threshold=threshold)


def test_without_the_package_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setattr("engine.ingest.near_duplicates.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(InputError, match=r"pip install 'softlabel-engine\[near-duplicates\]'"):
        NearDuplicates()
