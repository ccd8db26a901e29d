import numpy as np
import pytest

from engine.tokens.masking import IGNORED, Masking
from engine.tokens.tokens import Tokens, tokens_of

SIZE, MASK = 1000, 4
SPECIAL = np.arange(5)
MASKING = Masking(mask_id=MASK, special=SPECIAL, vocabulary=SIZE, seed=3)


def rows_of(lengths, seed=0):
    chance = np.random.default_rng(seed)
    return tokens_of([[2, *chance.integers(5, SIZE, length).tolist(), 3] for length in lengths])


def hidden_places(masked, row):
    return masked.hidden(np.array([row]), np.zeros(1, np.int64))


def test_of_the_tokens_a_share_is_hidden_and_of_these_most_by_the_mask_token():
    tokens = rows_of([200] * 300)
    masked, labels = MASKING(tokens, np.arange(300), epoch=0)
    assert np.diff(masked.starts).tolist() == [30] * 300
    assert labels.shape == (300, 30)
    places = masked.hidden(np.arange(300), tokens.offsets[:-1])
    assert (labels.ravel() == tokens.ids[places]).all()
    now = masked.ids[places]
    assert (now == MASK).mean() == pytest.approx(0.8, abs=0.015)
    stays = now == tokens.ids[places]
    assert stays.mean() == pytest.approx(0.1, abs=0.015)
    others = now[(now != MASK) & ~stays]
    assert len(others) / len(now) == pytest.approx(0.1, abs=0.015)
    assert not np.isin(others, SPECIAL).any()
    untouched = np.ones(len(tokens.ids), bool)
    untouched[places] = False
    assert (masked.ids[untouched] == tokens.ids[untouched]).all()
    assert masked.ids.dtype == tokens.ids.dtype


def test_special_tokens_are_never_hidden_also_in_the_middle_of_a_text():
    rows = [[2, 7, 1, 8, 0, 9, 4, 3]] * 200
    masked, labels = MASKING(tokens_of(rows), np.arange(200), epoch=0)
    assert set(labels.ravel().tolist()) == {7, 8, 9}
    assert {place for row in range(200) for place in hidden_places(masked, row).tolist()} == {1, 3, 5}


def test_a_row_is_hidden_by_its_number_and_the_epoch_whatever_is_beside_it():
    tokens = rows_of([40, 3, 90, 7, 25])
    numbers = np.array([12, 5, 900, 7, 1])
    masked, labels = MASKING(tokens, numbers, epoch=2)
    for row in range(5):
        alone = tokens.some(np.array([row]))
        one, label = MASKING(alone, numbers[[row]], epoch=2)
        assert one.row(0).tolist() == masked.row(row).tolist()
        assert hidden_places(one, 0).tolist() == hidden_places(masked, row).tolist()
        assert label[0].tolist() == [each for each in labels[row].tolist() if each != IGNORED]
    again = MASKING(tokens, numbers, epoch=3)[0]
    assert hidden_places(again, 2).tolist() != hidden_places(masked, 2).tolist()
    other = Masking(mask_id=MASK, special=SPECIAL, vocabulary=SIZE, seed=4)(tokens, numbers, epoch=2)[0]
    assert hidden_places(other, 2).tolist() != hidden_places(masked, 2).tolist()


def test_a_short_text_has_one_hidden_token_and_one_of_special_tokens_none():
    masked, labels = MASKING(tokens_of([[2, 9, 3], [2, 3], [], [2, 8, 9, 3]]), np.arange(4), epoch=0)
    assert np.diff(masked.starts).tolist() == [1, 0, 0, 1]
    assert (labels != IGNORED).sum(axis=1).tolist() == [1, 0, 0, 1]
    assert masked.row(1).tolist() == [2, 3]
    assert MASKING.can_hide(tokens_of([[2, 9, 3], [2, 3], [], [2, 8, 9, 3]])).tolist() == [True, False, False, True]


def test_of_chosen_rows_the_places_count_from_where_these_begin():
    tokens = rows_of([30, 50, 20])
    masked, labels = MASKING(tokens, np.arange(3), epoch=0)
    rows = np.array([2, 0])
    places = masked.hidden(rows, np.array([0, 22]))
    together = np.concatenate([tokens.row(2), tokens.row(0)])
    wanted = labels[rows]
    assert together[places].tolist() == wanted[wanted != IGNORED].tolist()


def test_no_rows_are_no_rows():
    empty = Tokens(ids=np.empty(0, np.uint16), offsets=np.zeros(1, np.int64), truncated=np.empty(0, bool))
    masked, labels = MASKING(empty, np.empty(0, np.int64), epoch=0)
    assert len(masked.places) == 0
    assert labels.shape == (0, 0)
