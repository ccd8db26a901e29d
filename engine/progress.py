"""How long work tells how far it is, without knowing who shows it."""

from collections.abc import Callable

Tick = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and of how much (None: not known)."""


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Show nothing."""
