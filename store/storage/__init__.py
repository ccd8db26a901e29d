"""Where the bytes of a store live: `open_storage` finds the place; `store.storage.base` says what each place can do."""

import os

from store.errors import StoreMissingError
from store.storage.base import TEMPORARY, Staged, Storage
from store.storage.local import LocalStorage
from store.storage.memory import MemoryStorage

__all__ = ["TEMPORARY", "LocalStorage", "MemoryStorage", "Staged", "Storage", "storage_at"]


def open_storage(place: str | os.PathLike[str] | Storage) -> Storage:
    """The storage behind ``place``: a folder's path, or a `Storage` as it is.

    Raises:
        StoreMissingError: ``place`` is a URL of a kind that is not supported.
    """
    if isinstance(place, Storage):
        return place
    if "://" in str(place):
        scheme = str(place).split("://", 1)[0]
        raise StoreMissingError(f"{place}: stores at {scheme}:// are not supported; give a folder on a local disk")
    return LocalStorage(place)
