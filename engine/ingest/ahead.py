"""Items that are made while those before them are used: Arrow lets go of the interpreter, so that both go on."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
_HELD = 2


def ahead(items: Iterator[Item], *, held: int = _HELD) -> Iterator[Item]:
    """The same items in the same order, made in a thread of their own; an error comes where its item would have.

    Args:
        items: used by that thread alone.
        held: how many are made before they are asked for.
    """
    made: deque[Future[list[Item]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as maker:
        try:
            made.extend(maker.submit(_next, items) for _ in range(held))
            while item := made.popleft().result():
                made.append(maker.submit(_next, items))
                yield item[0]
        finally:
            maker.shutdown(wait=True, cancel_futures=True)


def _next(items: Iterator[Item]) -> list[Item]:
    """The next item; empty if there is none. A future cannot carry a `StopIteration`."""
    return list(islice(items, 1))
