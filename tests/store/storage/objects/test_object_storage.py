"""A store on S3 and on Azure: lost answers, refusals that are none, servers that are busy, wrong or away, and files read once."""

import itertools
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure_server import azure_server
from faults import snapshot
from s3_server import S3Server, Trouble, environment_of, seldom
from store_factory import flip_bit, make_store
from troubled_server import TroubledServer
from whole_run import ENCODING, whole_run, write_input

import store
from store.errors import DamageError, StoreError, StoreMissingError
from store.format.run_log import read_runs
from store.storage import MemoryStorage, open_storage
from store.storage.objects import bucket as module
from store.storage.objects import place as place_module
from store.storage.objects.cache import ReadCache
from store.storage.objects.storage import ObjectStorage
from store.verify.verify import verify

NUMBERS = itertools.count()


only_s3 = pytest.mark.parametrize("one_server", ["s3"], indirect=True)
"""Of tests that know how S3 is asked, or which variables it is configured by."""


@pytest.fixture(scope="module", params=["s3", "azure"])
def one_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TroubledServer]:
    kind = {"s3": S3Server, "azure": azure_server}[request.param]
    with kind() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


@pytest.fixture
def server(one_server: TroubledServer) -> Iterator[TroubledServer]:
    one_server.forget()
    yield one_server
    one_server.forget()


@pytest.fixture
def cache(tmp_path: Path) -> ReadCache:
    return ReadCache(tmp_path / "cache", limit=10**8)


@pytest.fixture
def place(server: TroubledServer) -> str:
    return f"{server.root}/{next(NUMBERS)}/a.store"


@pytest.fixture
def storage(place: str, cache: ReadCache) -> ObjectStorage:
    return ObjectStorage(place, cache=cache)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try comes at once."""
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.001)


class Once:
    """Lets ``trouble`` strike the first ``times`` creations."""

    def __init__(self, trouble: Trouble, times: int = 1) -> None:
        self._trouble, self._left = trouble, times

    def __call__(self, request) -> Trouble | None:
        if self._left and "If-None-Match" in request.headers:
            self._left -= 1
            return self._trouble
        return None


@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.CONFLICT, Trouble.BUSY])
@pytest.mark.parametrize("times", [1, 3])
def test_a_creation_whose_answer_is_lost_or_means_nothing_is_ours(server, storage, quick, trouble, times) -> None:
    storage.put("probed", b"")
    server.choose = Once(trouble, times)
    assert storage.put_if_absent("f/a", b"first") is True
    assert server.struck[trouble] == times
    assert storage.read("f/a").to_pybytes() == b"first"
    assert storage.put_if_absent("f/a", b"first") is False


@pytest.mark.parametrize("data", [b"first", b"other"])
@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.CONFLICT, Trouble.BUSY])
def test_what_another_created_is_not_ours_also_if_it_is_equal(server, storage, quick, trouble, data) -> None:
    assert storage.put_if_absent("f/a", b"first") is True
    server.choose = Once(trouble)
    assert storage.put_if_absent("f/a", data) is False
    assert storage.read("f/a").to_pybytes() == b"first"


def test_where_metadata_are_not_kept_equal_bytes_are_ours(server, storage) -> None:
    storage.put("f/a", b"first")
    assert storage.put_if_absent("f/a", b"other") is False
    assert storage.put_if_absent("f/a", b"first") is True


def test_a_creation_that_is_always_refused_ends_with_an_error(server, storage, quick, monkeypatch) -> None:
    storage.put("probed", b"")
    server.choose = Once(Trouble.CONFLICT, 100)
    with pytest.raises(StoreError, match="f/a: each creation is refused, and nothing is there"):
        storage.put_if_absent("f/a", b"first")
    assert server.struck[Trouble.CONFLICT] == module._TRIES


def test_a_server_that_creates_twice_is_refused_before_anything_is_written(server, storage, place, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PROBED", set())
    server.ignores_conditions = True
    for write in (storage.put, storage.put_if_absent):
        with pytest.raises(StoreError, match=f"{place}: its server ignores that an object is to be created only if"):
            write("f/a", b"first")
    staged = storage.stage()
    staged.write(b"1")
    with pytest.raises(StoreError, match="two writers would overwrite each other's work"):
        staged.publish("f/b")
    staged.discard()
    assert storage.list("") == []
    server.ignores_conditions = False
    assert storage.put_if_absent("f/a", b"first") is True
    assert storage.list("") == ["f"]
    server.requests.clear()
    ObjectStorage(place).put("f/c", b"1")
    assert server.count("PUT") == 1, "a bucket is probed once"


def test_readers_put_nothing(server, storage, monkeypatch) -> None:
    storage.put("a", b"1")
    monkeypatch.setattr(module, "_PROBED", set())
    server.requests.clear()
    again = ObjectStorage(storage.location)
    assert again.read("a").to_pybytes() == b"1"
    assert again.list("") == ["a"]
    assert {method for method, _ in server.requests} == {"GET"}


@only_s3
@pytest.mark.parametrize("lost", [False, True])
def test_a_large_file_is_put_in_parts_and_whole(server, storage, quick, monkeypatch, lost) -> None:
    monkeypatch.setattr(module, "_PIECE", 5 << 20)
    data = random.Random(0).randbytes(11 << 20)
    storage.put("probed", b"")
    server.choose = lambda request: (
        Trouble.LOST
        if lost and request.method == "POST" and "uploadId" in request.args and not server.struck[Trouble.LOST]
        else None
    )
    staged = storage.stage()
    for begin in range(0, len(data), 1 << 20):
        staged.write(data[begin : begin + (1 << 20)])
    staged.publish("f/large")
    staged.discard()
    assert server.count("PUT", "partNumber") >= 3
    assert server.struck[Trouble.LOST] == lost
    assert storage.read("f/large").to_pybytes() == data
    assert storage.list("f") == ["large"]


@only_s3
def test_a_folder_is_listed_page_after_page(server, storage, monkeypatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    names = [f"{number:05d}.json" for number in range(30)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: storage.put(f"f/{name}", b"1"), names))
    server.requests.clear()
    assert storage.list("f") == names
    assert server.count("GET", "list-type=2") == 5


# who may ask, and whom


def reached(place: str) -> None:
    open_storage(place).read("store.json")


@only_s3
@pytest.mark.parametrize("verb", [reached, lambda place: open_storage(place).put("a", b"1"), store.open])
def test_a_bucket_that_is_not_there_is_named(server, verb) -> None:
    with pytest.raises(StoreError, match="s3://nowhere/a.store: there is no such bucket; make it, or correct"):
        verb("s3://nowhere/a.store")


def test_a_store_that_is_not_there_is_named(place) -> None:
    with pytest.raises(StoreMissingError, match=f"{place} is not a store: it has no store.json"):
        store.open(place)


@only_s3
def test_a_server_that_cannot_be_reached_is_told_soon(server, monkeypatch) -> None:
    for endpoint, words in (
        ("http://127.0.0.1:9", "its server cannot be reached: is the endpoint right"),
        ("http://s3.invalid", "its server has no address|its server cannot be reached"),
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(StoreError, match=f"s3://bucket/a.store: ({words})"):
            reached("s3://bucket/a.store")


@only_s3
@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("AccessDenied", 403, "access is forbidden; who reads needs the rights to get and list"),
        ("InvalidAccessKeyId", 403, "the credentials are wrong; set AWS_ACCESS_KEY_ID and"),
        ("SignatureDoesNotMatch", 403, "the credentials are wrong"),
        ("ExpiredToken", 400, "the credentials have expired; get new ones"),
        ("RequestTimeTooSkewed", 403, "the clock of this machine is wrong"),
        ("PermanentRedirect", 301, "the bucket is in another region; set AWS_REGION"),
        (
            "SlowDown",
            503,
            "its server is overloaded or has a fault, also after several tries. What was committed stays",
        ),
    ],
)
def test_what_the_server_says_comes_with_a_remedy(server, monkeypatch, code, status, words) -> None:
    monkeypatch.setattr(module, "_TRIES", 1)
    monkeypatch.setattr(place_module, "_PATIENT", place_module._GREETING)
    server.refuse_with(code, status)
    with pytest.raises(StoreError, match=f"^s3://bucket/a.store: {words}"):
        reached("s3://bucket/a.store")


@only_s3
def test_without_credentials_it_is_said_how_to_give_some(server, monkeypatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        reached("s3://bucket/a.store")


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///a", "s3://bucket/a//b", "s3://bucket/../b", "gs://b/./a", "az://b/a\x00"]
)
def test_a_url_that_no_object_can_have_is_refused(url) -> None:
    with pytest.raises(StoreMissingError, match="the name of the bucket is missing|a part of the path is empty"):
        open_storage(url)


def test_without_obstore_it_is_said_what_to_install(monkeypatch) -> None:
    for name in ("storage", "bucket"):
        monkeypatch.delitem(sys.modules, f"store.storage.objects.{name}")
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"need the package obstore: pip install 'softlabel-engine\[cloud\]'"):
        open_storage("s3://bucket/a.store")


# other processes


READER = "import sys; from store.storage import open_storage; print(open_storage(sys.argv[1]).read('a').to_pybytes())"


def test_another_process_opens_it_by_its_url_and_a_forked_one_is_told_to(server, place) -> None:
    ours = open_storage(f"{place}/")
    ours.put("a", b"1")
    assert ours.address == ours.location == place
    assert pickle.loads(pickle.dumps(ours)).read("a").to_pybytes() == b"1"
    done = subprocess.run([sys.executable, "-c", READER, place], capture_output=True, text=True, check=True)
    assert done.stdout == "b'1'\n"
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            ours.read("a")
        except StoreError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "was opened before this process was forked, which its client does not survive" in said.read()


# reading


def data_file(storage: ObjectStorage, data: bytes = b"rows" * 1_000) -> str:
    staged = storage.stage()
    staged.write(data)
    name = f"labels/bert/00000-{staged.sha256[:16]}.arrow"
    staged.publish(name)
    staged.discard()
    return name


def test_a_data_file_is_fetched_once_and_read_where_it_is_asked_for(server, storage, place, cache) -> None:
    name = data_file(storage)
    for opened in (storage, ObjectStorage(place, cache=cache), storage):
        with opened.open(name) as file:
            assert file.read_at(4, 8) == b"rows"
    assert server.count("GET", name) == 1
    assert storage.read(name).size == 4_000
    assert server.count("GET", name) == 2, "who checks a store is not told what is kept here"


def test_damage_is_seen_when_a_file_is_opened_and_by_whom_reads_it(server, storage, place, tmp_path) -> None:
    name = data_file(storage)
    with storage.open(name):
        pass
    flip_bit(storage, name, 100)
    assert storage.read(name).to_pybytes() != b"rows" * 1_000
    other = ObjectStorage(place, cache=ReadCache(tmp_path / "other", limit=10**6))
    with pytest.raises(DamageError, match=f"{place}/{name} is damaged: .* `engine verify STORE --repair` makes it"):
        other.open(name)


def test_a_second_epoch_asks_the_server_for_nothing(server, storage, cache) -> None:
    made = make_store(storage, rows=1_500, shards=4, labels=("bert", "other"), encodings=("words-8-right",))
    server.requests.clear()
    columns = ("text", "logits", "confidence")
    stream = made.stream(labels=("bert", "other"), columns=columns, encoding="words-8-right", batch_size=64)
    first = [batch["row"] for batch in stream]
    asked = server.count("GET")
    assert server.count("GET", ".arrow") == 4 * 4, "each file once"
    second = [batch["row"] for batch in stream.at(epoch=1)]
    assert server.count("GET") == asked
    assert sorted(row for rows in second for row in rows) == sorted(row for rows in first for row in rows)
    server.requests.clear()
    another_run = store.open(ObjectStorage(storage.location, cache=cache)).stream(batch_size=64, labels="bert")
    assert sum(len(batch["row"]) for batch in another_run) == 1_500
    assert server.count("GET", ".arrow") == 0


# whole runs


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return write_input(tmp_path_factory.mktemp("input"))


@pytest.fixture(scope="module")
def undisturbed(files) -> dict[str, bytes]:
    storage = MemoryStorage()
    whole_run(storage, files)
    return snapshot(storage)


FAMILIES = ("corpus", "labels/one", f"tokens/{ENCODING}")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 30))])
def test_a_run_among_troubles_leaves_the_bytes_of_one_on_a_disk(
    server, storage, quick, files, undisturbed, seed
) -> None:
    server.choose = seldom(random.Random(seed), 0.2)
    whole_run(storage, files)
    server.choose = lambda _: None
    assert set(server.struck) == set(Trouble)
    assert snapshot(storage).items() <= undisturbed.items()
    assert undisturbed.keys() - snapshot(storage).keys() <= {f"{path}/manifest.json" for path in FAMILIES}
    whole_run(storage, files)  # a list that is not the newest may hide that a family is finished
    assert snapshot(storage) == undisturbed
    assert not list(verify(storage))


@pytest.mark.parametrize("writers", [4, *(pytest.param(writers, marks=pytest.mark.slow) for writers in (2, 8))])
def test_writers_at_once_lose_and_double_nothing(server, place, quick, files, undisturbed, tmp_path, writers) -> None:
    server.choose = seldom(random.Random(writers), 0.05, set(Trouble) - {Trouble.STALE})
    barrier = threading.Barrier(writers)

    def write(number: int) -> None:
        barrier.wait()
        whole_run(ObjectStorage(place, cache=ReadCache(tmp_path / str(number), limit=10**7)), files)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    server.choose = lambda _: None
    storage = ObjectStorage(place)
    assert snapshot(storage) == undisturbed
    assert not list(verify(storage))
    noted = [(entry["family"], entry["shard"]) for run in read_runs(storage) for entry in run["shards"]]
    assert sorted(noted) == [("labels/one", shard) for shard in range(3)]


def test_nothing_is_removed_and_it_is_said_why(server, storage) -> None:
    made = make_store(storage, rows=30)
    with pytest.raises(StoreError, match="an object store knows no locks, so that nobody can tell whether labels/bert"):
        made.remove("labels/bert")
    assert made.label_sets() == ["bert"]
    assert storage.sweep() == []
