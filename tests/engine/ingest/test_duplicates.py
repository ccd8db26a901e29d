"""Ids → the positions that repeat an earlier one."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ingest.ids.duplicates import DuplicateFinder

SPILLS = [1, 60, 1 << 20]
"""Bytes held: every block goes to disk, some do, none does."""


def oracle(ids: list[str], positions: list[int]) -> list[tuple[int, str]]:
    seen: set[str] = set()
    found = []
    for position, id_ in sorted(zip(positions, ids, strict=True)):
        if id_ in seen:
            found.append((position, id_))
        seen.add(id_)
    return found


def repeats(ids: list[str], positions: list[int], *, spill_bytes: int, block: int = 3) -> list[tuple[int, str]]:
    with DuplicateFinder(spill_bytes=spill_bytes) as finder:
        for start in range(0, len(ids), block):
            finder.add(pa.array(ids[start : start + block], pa.string()), np.array(positions[start : start + block]))
        where, which = finder.repeats()
    return list(zip(where.tolist(), which, strict=True))


@pytest.mark.parametrize("spill_bytes", SPILLS)
@settings(deadline=None, max_examples=60)
@given(ids=st.lists(st.sampled_from("abcdefgh") | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)))
def test_the_repeats_are_those_that_a_set_finds(spill_bytes: int, ids: list[str]) -> None:
    positions = [3 * number + 1 for number in range(len(ids))]
    assert repeats(ids, positions, spill_bytes=spill_bytes) == oracle(ids, positions)


@pytest.mark.parametrize("spill_bytes", SPILLS)
def test_the_first_of_equal_ids_stays_whatever_block_it_came_in(spill_bytes: int) -> None:
    assert repeats(["a", "b", "a", "c", "a", "b"], [0, 1, 2, 3, 4, 5], spill_bytes=spill_bytes, block=1) == [
        (2, "a"),
        (4, "a"),
        (5, "b"),
    ]


@pytest.mark.parametrize("spill_bytes", SPILLS)
def test_no_ids_and_no_repeats_give_nothing(spill_bytes: int) -> None:
    assert repeats([], [], spill_bytes=spill_bytes) == []
    assert repeats(["a", "A", "a ", "", " ", "\u00e4", "a\u0308"], list(range(7)), spill_bytes=spill_bytes) == []


def test_ids_with_the_same_crc_are_different_ids() -> None:
    assert repeats(["plumless", "buckeroo", "plumless"], [0, 1, 2], spill_bytes=1) == [(2, "plumless")]


@pytest.mark.parametrize("spill_bytes", [2_000, 1 << 30])
def test_many_ids_agree_with_a_set(spill_bytes: int) -> None:
    ids = [f"id-{number}" for number in np.random.default_rng(5).integers(0, 4_000, 5_000)]
    found = repeats(ids, list(range(5_000)), spill_bytes=spill_bytes, block=500)
    assert found == oracle(ids, list(range(5_000)))
    assert len(found) > 1_000


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DuplicateFinder(spill_bytes=1) as finder:
        finder.add(pa.array(["a", "b"]), np.array([0, 1]))
        assert list(tmp_path.iterdir())
        finder.repeats()
    assert not list(tmp_path.iterdir())


def test_a_small_input_never_touches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DuplicateFinder() as finder:
        finder.add(pa.array(["a", "a"]), np.array([0, 1]))
        assert finder.repeats()[0].tolist() == [1]
        assert not list(tmp_path.iterdir())
