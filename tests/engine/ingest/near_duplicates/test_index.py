"""Which texts are nearly the same: by shingles of three words, found by MinHash and judged exactly."""

import gc
import random
import re
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.ingest.near_duplicates.bands import bands
from engine.ingest.near_duplicates.index import NearDuplicates, Similar
from engine.ingest.near_duplicates.key_index import _MOST_OF_A_KEY, KeyIndex
from engine.ingest.near_duplicates.shingles import shingle_sets

WORDS = [f"word{number}" for number in range(2_000)]


def text(random, words=60):
    return " ".join(random.choice(WORDS, words))


def index(*texts, threshold=0.8):
    made = NearDuplicates(threshold=threshold)
    made.add(texts)
    return made


def similar(made, one):
    (found,) = made.most_similar([one])
    return found


def shingles(one):
    """The shingles of a text, each spelt out."""
    words = re.findall(r"\w+", one.casefold()) or [one.strip()]
    return frozenset(" ".join(words[first : first + 3]) for first in range(max(1, len(words) - 2)))


def jaccard(first, second):
    return len(first & second) / len(first | second)


def test_a_text_with_another_ending_is_found_and_one_with_another_half_is_not():
    random = np.random.default_rng(0)
    first, second = text(random), text(random)
    made = index(second, first)
    assert similar(made, f"{first} and so on") == Similar(position=1, similarity=58 / 61)
    half = " ".join([*first.split()[:30], *second.split()[30:]])
    assert similar(made, half) is None
    assert similar(index(second, first, threshold=0.3), half) == Similar(position=0, similarity=28 / 88)


def test_letter_case_and_signs_do_not_count():
    made = index("The food was good, and the staff was friendly.")
    same = Similar(position=0, similarity=1.0)
    assert similar(made, "the FOOD was good and the staff -- was friendly!") == same
    assert similar(made, "the food was good “and the staff” was… friendly") == same


def test_the_threshold_itself_is_enough():
    held = index("a b c d e f g", threshold=0.5)  # abc bcd cde def efg
    assert similar(held, "a b c d e f x y") is not None  # 4 of 7
    assert similar(held, "a b c d x y z") is None  # 2 of 8
    assert similar(index("a b c d e", threshold=0.5), "a b c d x y") is None  # 2 of 5
    assert similar(index("a b c d", threshold=0.5), "a b c x") is None  # 1 of 3
    assert similar(index("a b c d", threshold=0.5), "a b c d x y") == Similar(position=0, similarity=0.5)


@pytest.mark.parametrize("short", ["good", "so good", "!?", "👍", "ß", "\x00"])
def test_short_texts_are_the_same_or_are_not(short):
    made = index(short)
    assert similar(made, f" {short} ") == Similar(position=0, similarity=1.0)
    assert similar(made, f"{short} bad") is None


def test_the_most_similar_of_several_is_found_and_the_first_of_equal_ones():
    random = np.random.default_rng(1)
    held = text(random)
    made = index(f"{held} a b c", f"{held} a", f"{held} a")
    assert similar(made, held).position == 1
    assert len(made) == 3
    assert made.most_similar([]) == []
    assert index().most_similar([held]) == [None]


def test_a_text_has_the_shingles_that_its_words_say():
    texts = [
        *("", " ", "!?", "a", "a b", "a b c", "a b c d", "a A a a a", "naïve\u0301 Straße x_1", "STRASSE—don’t"),
        *("\ud800 x y", "x\x00y z", "日本語 の 文 です", "A-b_c9 D", "İ i I", "a\nb\tc", "é" * 100),
    ]
    sets = shingle_sets(texts)
    spelt = [shingles(one) for one in texts]
    assert sets.sizes.tolist() == [len(one) for one in spelt]
    parts = np.split(sets.values, sets.starts[1:-1])
    for first in range(len(texts)):
        for second in range(first):
            both = len(np.intersect1d(parts[first], parts[second]))
            assert both == len(spelt[first] & spelt[second]), (texts[first], texts[second])


def test_shingles_do_not_depend_on_the_texts_beside_them(monkeypatch):
    random = np.random.default_rng(3)
    texts = [text(random, int(words)) for words in random.integers(0, 40, 50)]
    whole = shingle_sets(texts)
    monkeypatch.setattr("engine.ingest.near_duplicates.shingles._AT_ONCE", 300)
    cut = shingle_sets(texts)
    assert cut.values.tolist() == whole.values.tolist()
    assert cut.starts.tolist() == whole.starts.tolist()
    alone = [shingle_sets([one]).values.tolist() for one in texts]
    assert [part.tolist() for part in np.split(whole.values, whole.starts[1:-1])] == alone


def edited(made, one):
    """``one`` as copies are: with a word here and there changed, cut off, or with a signature behind it."""
    words = one.split()
    ways = [
        lambda: [made.choice(WORDS) if made.random() < 0.02 else word for word in words],
        lambda: words[: int(len(words) * made.uniform(0.78, 1))],
        lambda: [*words, *"Sent from my phone , best regards , J. Doe".split()],
        lambda: words[made.randrange(5) :],
    ]
    return " ".join(made.choice(ways)())


def test_near_copies_are_found_as_by_comparing_all_with_all():
    made = random.Random(0)
    held = [" ".join(made.choices(WORDS[:400], k=made.randint(8, 150))) for _ in range(2_000)]
    copies = [edited(made, one) for one in held]
    found = index(*held).pairs(copies)
    expected = {}
    by_shingle = {}
    for position, one in enumerate(held):
        for shingle in shingles(one):
            by_shingle.setdefault(shingle, set()).add(position)
    for place, one in enumerate(copies):
        ours = shingles(one)
        for position in set().union(*(by_shingle.get(shingle, ()) for shingle in ours)):
            if (similarity := jaccard(ours, shingles(held[position]))) >= 0.8:
                expected[place, position] = similarity
    columns = (found.places.tolist(), found.positions.tolist(), found.similarities.tolist())
    got = {(place, position): similarity for place, position, similarity in zip(*columns, strict=True)}
    assert len(expected) > 1_500
    assert got.items() <= expected.items()
    assert len(expected) - len(got) <= 3


def test_of_pairs_at_the_threshold_hardly_one_is_missed():
    random = np.random.default_rng(2)
    held, copies = [text(random, 100) for _ in range(2_000)], []
    for one in held:
        words = one.split()
        for at in (20, 50, 80):  # 9 of 98 shingles are others: 89 of 107
            words[at] = f"other{at}"
        copies.append(" ".join(words))
    found = index(*held).most_similar(copies)
    missed = sum(one is None or one.position != place for place, one in enumerate(found))
    assert missed <= 6  # 0.83: 0.0002 of them in the mean


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8, 0.95, 1.0])
def test_bands_fit_and_miss_little(threshold):
    count, minima = bands(threshold)
    assert 1 <= count * minima <= 72
    assert (1 - threshold**minima) ** count <= 1e-3


@pytest.mark.parametrize("threshold", [0, 0.09, -0.1, 1.01, float("nan")])
def test_what_is_no_similarity_is_refused(threshold):
    with pytest.raises(InputError, match="a similarity is from 0.1 to 1"):
        NearDuplicates(threshold=threshold)


def test_keys_are_found_however_they_were_added():
    made = np.random.default_rng(4)
    keys = made.integers(0, 200, (3, 1_000), np.uint32)
    keys[:, :5] = 2**32 - 1
    wanted = keys[:, ::7]
    expected = set()
    for band in range(3):
        for place, key in enumerate(wanted[band]):
            positions = np.flatnonzero(keys[band] == key)[:_MOST_OF_A_KEY]
            expected |= {(place, int(position)) for position in positions}
    for size in (1_000, 100, 33):
        index = KeyIndex(3)
        for first in range(0, 1_000, size):
            index.add(keys[:, first : first + size])
        found = index.sharing(wanted)
        assert [(int(one) >> 32, int(one) & 0xFFFFFFFF) for one in found] == sorted(expected)


def test_of_a_key_that_many_share_the_first_are_found():
    made = np.random.default_rng(5)
    one = text(made)
    held = index(*[f"{one} number{number}" for number in range(300)])
    found = held.pairs([one])
    assert found.positions[:3].tolist() == [0, 1, 2]
    assert _MOST_OF_A_KEY <= len(found.positions) < 300


def test_its_temporary_file_goes_with_it():
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    made = index("a b c d e", "f g h i j")
    assert similar(made, "a b c d e") is not None
    del made
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
