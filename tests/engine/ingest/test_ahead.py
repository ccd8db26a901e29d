"""Items made ahead: the same ones, errors at their place, and nothing goes on behind the end."""

import threading
from collections.abc import Iterator

import pytest

from engine.ingest.ahead import ahead


def numbers(stop: int, made: list[int], *, fault_at: int = -1) -> Iterator[int]:
    for number in range(stop):
        if number == fault_at:
            raise ValueError(f"number {number}")
        made.append(number)
        yield number


@pytest.mark.parametrize("stop", [0, 1, 2, 9])
def test_items_come_in_their_order(stop: int) -> None:
    assert list(ahead(numbers(stop, []))) == list(range(stop))


def test_an_error_comes_behind_the_items_before_it() -> None:
    items = ahead(numbers(9, [], fault_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="number 3"):
        next(items)


def test_no_more_than_a_few_are_made_before_they_are_asked_for_and_none_after_the_end() -> None:
    made: list[int] = []
    threads = threading.active_count()
    items = ahead(numbers(1000, made), held=2)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 4
    assert threading.active_count() == threads
