"""An S3 server of this machine for a benchmark: moto's in a process of its own, or one that runs already."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from store.storage import open_storage

BUCKET = "bucket"
_UP_SECONDS = 60.0


@contextlib.contextmanager
def object_server(endpoint: str | None = None) -> Iterator[str]:
    """The URL of an empty bucket, which this process and its children reach by their environment.

    Args:
        endpoint: of a server that has the bucket; moto's is started, and ended, if None.
    """
    if endpoint is not None:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        yield f"s3://{BUCKET}"
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        _make_bucket(f"http://127.0.0.1:{port}/{BUCKET}")
        yield f"s3://{BUCKET}"
    finally:
        process.terminate()
        process.wait()


def _make_bucket(url: str) -> None:
    """Ask until the server is up."""
    ends = time.monotonic() + _UP_SECONDS
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10):
                return
        except urllib.error.URLError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


def files_at(url: str) -> dict[str, bytes]:
    """Every file of the store at ``url`` that its promises are about: as `benchmarks.faults.kills.files` of a disk."""
    storage, found = open_storage(url), {}
    folders = [""]
    while folders:
        folder = folders.pop()
        for name in storage.list(folder):
            path = f"{folder}/{name}".lstrip("/")
            if path in ("runs", "tmp"):
                continue
            if name.endswith((".json", ".arrow", ".bits")):
                found[path] = storage.read(path).to_pybytes()
            else:
                folders.append(path)
    return found
