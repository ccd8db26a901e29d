"""Azure's Blob Storage in this process: Azurite, behind the troubles of `troubled_server`.

Azurite is Microsoft's emulator, a program for node. It listens on the loopback, keeps all in memory, sends nothing and
ends with the test. The variable AZURITE names it, the file ``azurite-blob``; where it names none and none is on the
path, tests that need it are skipped. Where it names one, a test that cannot start it fails.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from typing import IO, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from troubled_server import BUCKET, TroubledServer

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of every Azurite: its documentation names both, and they open nothing else."""
_VERSION = "2023-11-03"
_SIGNED = ("content-encoding content-language content-length content-md5 content-type date if-modified-since if-match "
           "if-none-match if-unmodified-since range").split()  # fmt: skip
_OF_ONE_CONNECTION = {"connection", "host", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class AzureServer(TroubledServer):
    """It answers as Azure does.

    Args:
        azurite: where Azurite listens.

    Attributes:
        page: names in a list at most; as many as Azurite gives if None.
    """

    root = f"az://{BUCKET}"

    def __init__(self, azurite: str) -> None:
        self._host = urlsplit(azurite).netloc
        super().__init__(self._forward)

    def forget(self) -> None:
        """Count from the beginning, without troubles. Objects stay."""
        super().forget()
        self.page: int | None = None

    def make_bucket(self, name: str) -> None:
        """Make one more container."""
        path, headers = f"/{ACCOUNT}/{name}", {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}
        headers["Authorization"] = _signature("PUT", path, "restype=container", headers)
        request = urllib.request.Request(f"http://{self._host}{path}?restype=container", headers=headers, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201

    def environment(self) -> dict[str, str]:
        """The variables with which clients ask this server."""
        return {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": self.url}

    def _forward(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Ask Azurite the same. What a test changes is signed anew."""
        path, query = environ["RAW_URI"].partition("?")[::2]
        size = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers |= {"content-length": str(size)} | (
            {"content-type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
        )
        if self.page is not None and "comp=list" in query:
            query += f"&maxresults={self.page}"
        if self.page is not None or self.ignores_conditions:
            headers["authorization"] = _signature(environ["REQUEST_METHOD"], path, query, headers)
        connection = http.client.HTTPConnection(self._host, timeout=60)
        with contextlib.closing(connection):
            headers |= {"host": self._host, "connection": "close"}
            connection.request(environ["REQUEST_METHOD"], f"{path}?{query}", environ["wsgi.input"].read(size), headers)
            answer = connection.getresponse()
            data = answer.read()
        passed = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_CONNECTION]
        length = answer.getheader("Content-Length") if environ["REQUEST_METHOD"] == "HEAD" else str(len(data))
        start_response(f"{answer.status} {answer.reason}", [*passed, ("Content-Length", length or "0")])
        return [data]


def _signature(method: str, path: str, query: str, headers: dict[str, str]) -> str:
    """What `Authorization` says: the shared key of Azure, as "Authorize with Shared Key" of its documentation has it."""
    values = {name: value if (name, value) != ("content-length", "0") else "" for name, value in headers.items()}
    ours = sorted((name, value) for name, value in values.items() if name.startswith("x-ms-"))
    asked = sorted((name.lower(), unquote(value)) for name, value in parse_qsl(query, keep_blank_values=True))
    lines = [method, *(values.get(name, "") for name in _SIGNED), *(f"{name}:{value}" for name, value in ours)]
    lines += [f"/{ACCOUNT}{path}", *(f"{name}:{value}" for name, value in asked)]
    digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    return f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"


def azurite_program() -> str:
    """The file ``azurite-blob``; the test is skipped where there is none."""
    named = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if named is None:
        pytest.skip("there is no Azurite: npm install azurite, and name its file azurite-blob by AZURITE")
    return named


@contextlib.contextmanager
def azure_server() -> Iterator[AzureServer]:
    """A server, whose Azurite ends with the block."""
    command = [azurite_program(), "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*command, "--disableTelemetry", "--silent", "--skipApiVersionCheck"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            assert process.stdout is not None
            with AzureServer(_address(process.stdout, said)) as server:
                yield server
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _address(printed: IO[str], said: IO[str]) -> str:
    """Where Azurite says that it listens."""
    for line in printed:
        if (found := re.search(r"successfully listens on (http://\S+)", line)) is not None:
            return found[1]
    said.seek(0)
    raise AssertionError(f"Azurite does not start: {said.read()}")
