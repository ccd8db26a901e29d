"""Where the bytes of a store live: `open_storage` finds the storage; `store.storage.base` says what each one can do."""

import os
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from store.errors import StoreMissingError
from store.storage.base import TEMPORARY, Staged, Storage
from store.storage.local import LocalStorage
from store.storage.memory import MemoryStorage

__all__ = ["SCHEMES", "TEMPORARY", "LocalStorage", "MemoryStorage", "Staged", "Storage", "open_storage"]


def _local(url: str) -> Storage:
    return LocalStorage(unquote(urlsplit(url).path))


SCHEMES: dict[str, Callable[[str], Storage]] = {"file": _local}
"""The scheme of a URL → what opens the storage there, given the whole URL. A new kind of storage is added here."""


def open_storage(place: str | os.PathLike[str] | Storage) -> Storage:
    """The storage at ``place``: a folder's path, a URL of one of `SCHEMES`, or a `Storage` as it is.

    Raises:
        StoreMissingError: ``place`` is a URL of a scheme that is not supported.
    """
    if isinstance(place, Storage):
        return place
    scheme, separator, _ = str(place).partition("://")
    if not separator:
        return LocalStorage(place)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise StoreMissingError(
            f"{place}: stores at {scheme}:// are not supported; give a folder on a local disk, or a URL of {known}"
        )
    return SCHEMES[scheme](str(place))
