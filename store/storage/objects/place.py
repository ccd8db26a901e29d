"""The URL of a store on an object store → its bucket, its prefix, and clients that reach it.

Credentials, region and endpoint are those that the environment and, of S3, the user's profile say. A client that
greets gives up soon, so that a wrong name is told at once; one that works is patient.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import AzureStore, GCSStore, S3Store

from store.errors import StoreError, StoreMissingError
from store.storage.objects.aws_profile import s3_options
from store.storage.urls import has_credentials, without_credentials

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_ENDPOINTS = {
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_EMULATOR = ("AZURE_STORAGE_USE_EMULATOR", "AZURITE_BLOB_STORAGE_URL")  # which obstore reads
_WHOM = (
    *("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_PROFILE"),
    *sum(_ENDPOINTS.values(), ()),
    *_EMULATOR,
)
_READ_SECONDS = 60  # nothing came for so long: the request is repeated
_CONNECT_SECONDS = 5
_LONGEST = timedelta(hours=6)  # of one request: a large file may take its time as long as bytes come
_PATIENT: "RetryConfig" = {"max_retries": 10, "retry_timeout": timedelta(minutes=3)}
_GREETING: "RetryConfig" = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a store is.

    Attributes:
        url: as the user said it, without a slash at its end.
        scheme: ``s3``, ``gs`` or ``az``.
        bucket: its name; of Azure, that of the container.
        prefix: what the keys of all files of the store begin with, without a slash at its end; may be empty.
    """

    url: str
    scheme: str
    bucket: str
    prefix: str

    @property
    def server(self) -> tuple[str, ...]:
        """What decides how creations behave there: the same for all stores of one bucket."""
        return (self.scheme, self.bucket, *(os.environ.get(name, "") for name in _WHOM))

    def key(self, name: str) -> str:
        """The key of the file ``name`` of the store."""
        return f"{self.prefix}/{name}" if self.prefix and name else self.prefix or name

    def client(self, *, is_patient: bool) -> "ObjectStore":
        """A client of the bucket.

        Args:
            is_patient: whether requests that fail are repeated for minutes, or for seconds.

        Raises:
            StoreError: the user's profile is not there, or says what only boto3 knows.
        """
        retry = _PATIENT if is_patient else _GREETING
        if self.scheme == "s3":
            config, credentials = s3_options(os.environ)
            config["disable_bulk_delete"] = True  # which not every server has
            options = _client_options(config.get("endpoint", ""))
            return S3Store(
                self.bucket,
                config=config,
                client_options=options,
                retry_config=retry,
                credential_provider=credentials,
            )
        kind: Any = {"gs": GCSStore, "az": AzureStore}[self.scheme]
        endpoint = next((os.environ[name] for name in _ENDPOINTS[self.scheme] if os.environ.get(name)), "")
        client: ObjectStore = kind(self.bucket, client_options=_client_options(endpoint), retry_config=retry)
        return client


def _client_options(endpoint: str) -> "ClientConfig":
    """Limits of each request. Without TLS only where the user names such an endpoint.

    Raises:
        StoreError: it is no address, or has a password, which errors of the client would repeat.
    """
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise StoreError(
            "the endpoint of the object store is no address; write it with http:// or https:// before it, as in "
            "https://objects.example.org"
        )
    if has_credentials(endpoint):
        raise StoreError(
            f"the endpoint {without_credentials(endpoint)} has a name or a password before its @; leave it out, and "
            "give credentials by the environment or a profile"
        )
    return {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=_READ_SECONDS),
        "timeout": _LONGEST,
    }


def place_of(url: str) -> Place:
    """The place that ``url`` names.

    Raises:
        StoreMissingError: it names no bucket, its path has parts that no key can have, or it has credentials in it,
            which logs and records of the store would repeat.
    """
    scheme, _, rest = url.partition("://")
    if has_credentials(url):
        raise StoreMissingError(
            f"{without_credentials(url)}: a URL of a bucket has no name, password or signature; write "
            f"{scheme}://bucket/path alone, and give credentials by the environment or a profile"
        )
    bucket, _, path = rest.partition("/")
    prefix = path.strip("/")
    if not bucket:
        raise StoreMissingError(f"{url}: the name of the bucket is missing, as in {scheme}://bucket/reviews.store")
    if {"", ".", ".."} & set(prefix.split("/") if prefix else []) or not (bucket + prefix).isprintable():
        raise StoreMissingError(f"{url}: a part of the path is empty, . or .., or cannot be seen; write it out")
    return Place(url=f"{scheme}://{bucket}/{prefix}".rstrip("/"), scheme=scheme, bucket=bucket, prefix=prefix)
