"""An S3 server of this process: moto's, with the troubles of `troubled_server`."""

import contextlib
import os
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

from troubled_server import BUCKET, Trouble, TroubledServer, seldom

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

__all__ = ["BUCKET", "ENVIRONMENT", "S3Server", "Trouble", "environment_of", "seldom"]

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class S3Server(TroubledServer):
    """It answers as S3 does."""

    root = f"s3://{BUCKET}"

    def __init__(self) -> None:
        super().__init__(DomainDispatcherApplication(create_backend_app))

    def make_bucket(self, name: str) -> None:
        """Make one more bucket."""
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def environment(self) -> dict[str, str]:
        """The variables with which clients ask this server."""
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.url}


@contextlib.contextmanager
def environment_of(server: TroubledServer, cache: Path) -> Iterator[dict[str, str]]:
    """The environment in which clients ask ``server``, and keep what they read in the folder ``cache``."""
    ours = {**server.environment(), "ENGINE_CACHE": str(cache)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield ours
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
