"""The URL of input files → the files there: their names, sizes and versions, and their bytes.

``s3://``, ``gs://`` and ``az://`` are reached as stores there are, with the same credentials; ``https://`` and
``http://`` by a plain request; ``hf://datasets/…`` and every other scheme by fsspec, whose packages a user may add.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from engine.errors import InputError
from store.errors import StoreError
from store.storage.cloud_package import needing_obstore
from store.storage.urls import has_credentials, without_credentials

_PIECE = 8 << 20  # bytes
_TIMEOUT = 60  # seconds without a byte
_MAGIC = re.compile(r"[*?[]")
BUCKETS = ("s3", "gs", "az")
WEB = ("http", "https")
_LOCAL = re.compile(r"(file|local)://(localhost(?=/))?", re.IGNORECASE)
_OTHER_NAMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_HTTP_PACKAGES = ("httpx", "httpcore", "aiohttp", "requests", "urllib3")
"""By which packages of other schemes fetch, and whose errors are none of Python's own."""
_OWN_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://\S*: (?=\S)")
"""The place with which an error begins, which is named before it."""
_VERSIONS = ("etag", "ETag", "blob_id", "sha256", "md5", "mtime", "LastModified", "last_modified", "created")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        url: without credentials.
        name: its path below the scheme.
        size: in bytes; None if it is not known.
        version: another one if its content is another; None if that is not known.
        pieces: its bytes, piece by piece; raises InputError.
    """

    url: str
    name: str
    size: int | None
    version: str | None
    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a URL names.

    Attributes:
        files: in the order of their names.
        folder: what all names begin with, if the URL names a folder; None for one file or a glob.
    """

    files: list[RemoteFile]
    folder: str | None


def local_path(place: str) -> str | None:
    """The path on this machine that a URL of ``file`` names, relative if it is so there; None if it is no such URL."""
    begin = _LOCAL.match(place)
    return None if begin is None else unquote(place[begin.end() :])


def is_url(pattern: str) -> bool:
    """Whether ``pattern`` is a URL, and no path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", pattern) is not None


def shown(url: str) -> str:
    """``url`` for messages and records: whole, unless it has a password or a signature."""
    return without_credentials(url) if has_credentials(url) else url


def with_scheme(url: str) -> tuple[str, str]:
    """The scheme of ``url`` by its usual name, and ``url`` with it."""
    scheme, _, rest = url.partition("://")
    scheme = _OTHER_NAMES.get(scheme.lower(), scheme.lower())
    return scheme, f"{scheme}://{rest}"


def list_files(url: str) -> Listing:
    """The files that a URL names: one, those of a folder and its folders, or those that a glob matches.

    Raises:
        InputError: it names none, cannot be reached, or a package is missing.
    """
    scheme, url = with_scheme(url)
    with explained_as(url, "fetched"):
        if scheme in WEB:
            return Listing(files=[_of_web(url)], folder=None)
        listing = _of_bucket(url) if scheme in BUCKETS else _of_fsspec(url, scheme)
    if not listing.files:
        raise InputError(f"{shown(url)}: there is no such file")
    return listing


@contextlib.contextmanager
def explained_as(url: str, what: str) -> Iterator[None]:
    """Let errors say that ``url`` cannot be ``what``, and why, without its credentials.

    Raises:
        InputError: something cannot be done.
    """
    try:
        yield
    except HTTPError as error:
        error.close()
        raise InputError(f"{shown(url)}: its server answers {error.code} {error.reason}") from None
    except Exception as error:
        is_known = isinstance(error, URLError | StoreError | OSError | ValueError)
        if not is_known and not type(error).__module__.startswith(_HTTP_PACKAGES):
            raise
        reason = _OWN_URL.sub("", without_credentials(str(getattr(error, "reason", error))))
        raise InputError(f"{shown(url)} cannot be {what}: {reason}") from None


def _of_web(url: str) -> RemoteFile:
    """The file. What it is called and how long it is, only the answer to a request for it says: not all have others."""
    request, parts = Request(url, headers={"User-Agent": "softlabel-engine"}), urlsplit(url)
    with urlopen(request, timeout=_TIMEOUT) as answer:
        headers = answer.headers
    size = headers.get("Content-Length")

    def pieces() -> Iterator[bytes]:
        with explained_as(url, "fetched"), urlopen(request, timeout=_TIMEOUT) as answer:
            while piece := answer.read(_PIECE):
                yield piece

    return RemoteFile(
        url=shown(url),
        name=f"{parts.netloc.rpartition('@')[2]}{unquote(parts.path)}",
        size=None if size is None else int(size),
        version=headers.get("ETag") or headers.get("Last-Modified"),
        pieces=pieces,
    )


def _of_bucket(url: str) -> Listing:
    with needing_obstore(url, what="files"):
        import obstore

        from store.storage.objects.failures import explained
        from store.storage.objects.place import place_of
    place = place_of(url)
    before = _literal_folder(place.prefix)
    with explained(place.url, place.scheme):
        client = place.client(is_patient=True)
        found = [meta for page in obstore.list(client, before or None) for meta in page]
        if not found and not _MAGIC.search(place.prefix):  # a listing is of folders, and this may be a file
            with contextlib.suppress(FileNotFoundError):
                found = [obstore.head(client, place.prefix)]

    def file(meta: Any) -> RemoteFile:
        key = meta["path"]
        file_url = f"{place.scheme}://{place.bucket}/{key}"

        def pieces() -> Iterator[bytes]:
            with explained_as(file_url, "fetched"), explained(place.url, place.scheme, missing=key):
                for piece in obstore.get(client, key).stream(min_chunk_size=_PIECE):
                    yield bytes(piece)

        return RemoteFile(
            url=file_url,
            name=f"{place.bucket}/{key}",
            size=meta["size"],
            version=f"{meta['e_tag']} {meta['last_modified']}",
            pieces=pieces,
        )

    files = {meta["path"]: file(meta) for meta in sorted(found, key=lambda meta: str(meta["path"]))}
    return _chosen(files, place.prefix, f"{place.bucket}/{place.prefix}".rstrip("/"))


def _of_fsspec(url: str, scheme: str) -> Listing:
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InputError(f"{shown(url)}: {error}") from None
    found = system.find(_literal_folder(path), detail=True)

    def file(name: str, info: dict[str, Any]) -> RemoteFile:
        def pieces() -> Iterator[bytes]:
            with explained_as(url, "fetched"), system.open(name, "rb") as source:
                while piece := source.read(_PIECE):
                    yield bytes(piece)

        versions = [f"{key} {info[key]}" for key in _VERSIONS if info.get(key) is not None]
        return RemoteFile(
            url=f"{scheme}://{name.lstrip('/')}",
            name=name.lstrip("/"),
            size=info.get("size"),
            version=", ".join(versions) or None,
            pieces=pieces,
        )

    files = {name: file(name, info) for name, info in sorted(found.items())}
    return _chosen(files, path, path.strip("/"))


def _chosen(files: dict[str, RemoteFile], path: str, folder: str) -> Listing:
    """Those of ``files``, by their paths, that ``path`` names."""
    if path in files:
        return Listing(files=[files[path]], folder=None)
    if _MAGIC.search(path):
        matches = _glob(path)
        return Listing(files=[file for name, file in files.items() if matches.fullmatch(name)], folder=None)
    return Listing(files=list(files.values()), folder=folder)


def _literal_folder(path: str) -> str:
    """The folder of which a glob matches files, as far as it has no wildcards; a path without any as it is."""
    wild = _MAGIC.search(path)
    return path if wild is None else path[: wild.start()].rpartition("/")[0]


def _glob(path: str) -> re.Pattern[str]:
    """Of a glob: ``*`` and ``?`` match within a name, ``**/`` any folders or none, ``[…]`` one of some characters."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def translated(found: re.Match[str]) -> str:
        part = found[0]
        if part in parts:
            return parts[part]
        if len(part) > 1:
            inside = re.escape(part[1:-1].removeprefix("!")).replace(r"\-", "-")
            return f"[^{inside}]" if part[1] == "!" else f"[{inside}]"
        return re.escape(part)

    return re.compile(re.sub(r"\*\*/|\*\*|\*|\?|\[!?[^]]+\]|.", translated, path, flags=re.DOTALL))
