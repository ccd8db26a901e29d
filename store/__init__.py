"""Soft labels on disk: texts, token ids and the logits of many models, in sharded Arrow files that SQL can ask.

    >>> import store
    >>> s = store.open("reviews.store")                                    # doctest: +SKIP
    >>> s.sql("SELECT class, count(*) FROM labels GROUP BY 1")             # doctest: +SKIP

No torch here, and no model: a store can be read wherever pyarrow and duckdb can. ``import store`` alone loads neither.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.store import Store
    from store.store import open_store as open  # noqa: A004 - store.open reads as what it is

_HOME = {
    "Store": ("store.store", "Store"),
    "open": ("store.store", "open_store"),
}

__all__ = ["Store", "open"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'store' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(module), attribute)
