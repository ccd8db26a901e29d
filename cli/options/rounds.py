"""``--round``: which rounds of gold count."""

import re
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_NUMBER = re.compile(r"\d+")
_MOST = 100_000


class Rounds(click.ParamType[tuple[int, ...]]):
    """A round of gold, such as ``2``, or a range of them, such as ``0..2``."""

    name = "N|N..M"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """``"0..2"`` → ``(0, 1, 2)``, ``"2"`` → ``(2,)``."""
        if isinstance(value, tuple):
            return value
        text = str(value).strip()
        if _NUMBER.fullmatch(text):
            return (int(text),)
        match = _RANGE.fullmatch(text)
        if match is None:
            self.fail(f"{value!r} is neither a round, such as 2, nor a range of them, such as 0..2", param, ctx)
        first, last = int(match[1]), int(match[2])
        if first > last:
            self.fail(f"{value!r} runs backwards; write {last}..{first}", param, ctx)
        if last - first >= _MOST:
            self.fail(f"{value!r} are {last - first + 1:,} rounds; a range has at most {_MOST:,}", param, ctx)
        return tuple(range(first, last + 1))


def _each_once(ctx: click.Context, param: click.Parameter, value: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:  # noqa: ARG001 - as click calls it
    return tuple(dict.fromkeys(chain.from_iterable(value)))


def rounds_option(help_: str) -> Callable[[F], F]:
    """The option ``--round``; its value, ``rounds``, has each number once, and is empty where none was given.

    Args:
        help_: what it does; how it is given stands behind that.
    """
    return click.option(
        "--round",
        "rounds",
        type=Rounds(),
        multiple=True,
        callback=_each_once,
        help=f"{help_} A range such as 0..2 is all of them; may be repeated. 0 is the corpus's own.",
    )


gold_rounds_option = rounds_option("Count the gold of this round alone. [default: all; the latest holds]")
