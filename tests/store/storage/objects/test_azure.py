"""What is Azure's own: how it is named and asked, its pages and blocks, and what it says."""

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure_server import ACCOUNT, KEY, AzureServer, azure_server
from s3_server import environment_of

from store.errors import StoreError
from store.storage import open_storage
from store.storage.objects import bucket as module
from store.storage.objects import place as place_module
from store.storage.objects.storage import ObjectStorage

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    with azure_server() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


@pytest.fixture
def server(one_server: AzureServer) -> AzureServer:
    one_server.forget()
    return one_server


@pytest.fixture
def storage(server: AzureServer) -> ObjectStorage:
    made = open_storage(f"{server.root}/{next(NUMBERS)}/ä store")
    assert isinstance(made, ObjectStorage)
    return made


def by_endpoint(server: AzureServer, monkeypatch: pytest.MonkeyPatch, *, key: str = KEY) -> None:
    """Ask it as a server that is no emulator."""
    monkeypatch.delenv("AZURE_STORAGE_USE_EMULATOR")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{server.url}/{ACCOUNT}")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", key)


def test_a_folder_is_listed_page_after_page(server: AzureServer, storage: ObjectStorage) -> None:
    names = [f"{number:05d}.json" for number in range(30)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: storage.put(f"f/{name}", b"1"), names))
    server.forget()
    server.page = 7
    assert storage.list("f") == names
    assert server.count("GET", "comp=list") == 5


def test_a_large_file_is_put_in_blocks_and_whole(
    server: AzureServer, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE", 5 << 20)
    data = random.Random(0).randbytes(11 << 20)
    staged = storage.stage()
    staged.write(data)
    staged.publish("f/large")
    staged.discard()
    assert (server.count("PUT", "comp=block&"), server.count("PUT", "comp=blocklist")) == (3, 1)
    assert storage.read("f/large").to_pybytes() == data
    assert b"".join(storage.pieces("f/large")) == data


def test_it_is_asked_by_its_endpoint_as_well(
    server: AzureServer, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("a", b"1")
    by_endpoint(server, monkeypatch)
    again = ObjectStorage(storage.location)
    assert again.put_if_absent("a", b"2") is False
    assert again.put_if_absent("b", b"2") is True
    assert storage.list("") == ["a", "b"]


def test_a_container_that_is_not_there_is_named(server: AzureServer) -> None:
    for verb in (
        lambda storage: storage.read("store.json"),
        lambda storage: storage.list(""),
        lambda storage: storage.put("a", b"1"),
    ):
        with pytest.raises(StoreError, match=r"^az://nowhere/a.store: there is no such container; make it, or correct"):
            verb(open_storage("az://nowhere/a.store"))


def test_a_wrong_key_is_no_access(server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    by_endpoint(server, monkeypatch, key="d3Jvbmc=")
    with pytest.raises(StoreError, match="access is forbidden; ") as told:
        open_storage("az://bucket/a.store").read("a")
    assert "d3Jvbmc" not in str(told.value)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("AuthenticationFailed", 403, "the credentials are wrong; set AZURE_STORAGE_ACCOUNT_NAME and"),
        ("AuthorizationFailure", 403, "access is forbidden; "),
        ("AuthorizationPermissionMismatch", 403, "access is forbidden"),
        ("ServerBusy", 503, "its server is overloaded or has a fault, also after several tries"),
    ],
)
def test_what_it_says_comes_with_a_remedy(
    server: AzureServer, monkeypatch: pytest.MonkeyPatch, code: str, status: int, words: str
) -> None:
    monkeypatch.setattr(module, "_TRIES", 1)
    monkeypatch.setattr(place_module, "_PATIENT", place_module._GREETING)
    server.refuse_with(code, status)
    with pytest.raises(StoreError, match=f"^az://bucket/a.store: {words}"):
        open_storage("az://bucket/a.store").read("a")


def test_one_that_does_not_listen_is_told_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="az://bucket/a.store: its server cannot be reached: is the endpoint right"):
        open_storage("az://bucket/a.store").read("a")


def test_without_an_account_it_is_said_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_USE_EMULATOR", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StoreError, match="there are no credentials; set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE"):
        open_storage("az://bucket/a.store").read("a")
