"""Where the bytes of a store live: `open_storage` finds the storage; `store.storage.base` says what each one can do."""

import os
import re
from collections.abc import Callable
from urllib.parse import unquote

from store.errors import StoreMissingError
from store.storage.base import TEMPORARY, Staged, Storage
from store.storage.cloud_package import needing_obstore
from store.storage.file_lock import THIS_MACHINE
from store.storage.local import LocalStorage
from store.storage.memory import MemoryStorage
from store.storage.urls import without_credentials

__all__ = ["SCHEMES", "TEMPORARY", "THIS_MACHINE", "LocalStorage", "MemoryStorage", "Staged", "Storage", "open_storage"]


_SHORTENED_URL = re.compile(r"[a-z][a-z0-9+.-]+:/(?!/)")


def _local(url: str) -> Storage:
    path = url.removeprefix("file://").removeprefix("localhost")
    if not path.startswith("/"):
        raise StoreMissingError(
            f"{url}: a file URL names an absolute path of this machine, as file:///data/reviews.store"
        )
    return LocalStorage(unquote(path))


def _objects(url: str) -> Storage:
    with needing_obstore(url, what="stores"):
        from store.storage.objects.storage import ObjectStorage
    return ObjectStorage(url)


SCHEMES: dict[str, Callable[[str], Storage]] = {"file": _local, "s3": _objects, "gs": _objects, "az": _objects}
"""The scheme of a URL → what opens the storage there, given the whole URL. A new kind of storage is added here."""


def open_storage(place: str | os.PathLike[str] | Storage) -> Storage:
    """The storage at ``place``: a folder's path, a URL of one of `SCHEMES`, or a `Storage` as it is.

    Raises:
        StoreMissingError: ``place`` is a URL of a scheme that is not supported, or no whole one.
        StoreError: what its scheme needs is not installed.
    """
    if isinstance(place, Storage):
        return place
    if isinstance(place, os.PathLike) and _SHORTENED_URL.match(os.fspath(place)):
        raise StoreMissingError(f"{place}: pathlib shortens the // of a URL; give the store as a text")
    scheme, separator, _ = str(place).partition("://")
    if not separator:
        return LocalStorage(place)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise StoreMissingError(
            f"{without_credentials(str(place))}: stores at {scheme}:// are not supported; give a folder on a local "
            f"disk, or a URL of {known}"
        )
    return SCHEMES[scheme](str(place))
