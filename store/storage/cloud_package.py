"""The package that reaches object stores, which not every installation has."""

from collections.abc import Iterator
from contextlib import contextmanager

from store.errors import StoreError
from store.storage.urls import without_credentials

_PACKAGE = "obstore"


@contextmanager
def needing_obstore(url: str, *, what: str) -> Iterator[None]:
    """Around imports: if the package is missing, say how it is got.

    Args:
        url: that needs it.
        what: is there, in the plural: ``stores`` or ``files``.

    Raises:
        StoreError: it is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != _PACKAGE:
            raise
        raise StoreError(
            f"{without_credentials(url)}: {what} on object stores need the package {_PACKAGE}: pip install "
            "'softlabel-engine[cloud]'"
        ) from None
