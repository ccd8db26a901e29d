"""A file or a folder in a bucket: one object, or those whose keys begin so. A put makes an object, or nothing."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path

from engine.errors import OutputPlaceError
from engine.outputs.remote import Remote
from store.errors import StoreMissingError
from store.storage.cloud_package import needing_obstore


class BucketPlace(Remote):
    """An object, or what is below its key.

    Args:
        url: of ``s3``, ``gs`` or ``az``.

    Raises:
        OutputPlaceError: it names no object, or has credentials in it.
        StoreError: obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        with needing_obstore(url, what="files"):
            from store.storage.objects.bucket import Bucket
            from store.storage.objects.place import place_of
        try:
            place = place_of(url)
        except StoreMissingError as error:
            raise OutputPlaceError(str(error)) from None
        if not place.prefix:
            raise OutputPlaceError(f"{place.url} is a whole bucket; name a place in it, as {place.url}/NAME")
        self.name = place.url
        self._bucket = Bucket(place)

    def is_folder(self) -> bool:
        """Whether a key begins so, and goes on behind a slash."""
        return bool(self._bucket.list(""))

    def sizes(self) -> dict[str, int]:
        """All objects below it."""
        return self._bucket.sizes()

    def size(self, name: str = "") -> int | None:
        """What the head of the object says."""
        return self._bucket.size(name)

    def pieces(self, name: str = "") -> Iterator[bytes]:
        """The object, from the server."""
        return map(bytes, self._bucket.pieces(name))

    def put(self, path: Path, name: str = "") -> None:
        """One object; of a large one in parts, which are seen when all are there. The server is told its MIME type."""
        kind, _ = mimetypes.guess_type(name or self.name)
        kind = f"{kind}; charset=utf-8" if kind is not None and kind.startswith("text/") else kind
        self._bucket.replace(name, lambda: path, size=path.stat().st_size, kind=kind)
