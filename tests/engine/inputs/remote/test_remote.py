"""Input files behind URLs are read as those of a disk are, and are called by their URLs."""

import contextlib
import http.server
import threading
import uuid
from functools import partial
from pathlib import Path

import fsspec
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from azure_server import azure_server
from s3_server import S3Server

import store
from engine.errors import InputError
from engine.ingest.append import append, finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.formats import expand
from engine.inputs.remote import mirror
from engine.inputs.remote.mirror import name_of
from engine.inputs.remote.sources import _glob, list_files
from store.storage import open_storage
from store.storage.objects.place import place_of

CSV = "text,label\ngood food,1\nbad food,0\n"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def end_headers(self):
        if self.server.etag is not None:
            self.send_header("ETag", self.server.etag)
        super().end_headers()

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.cut:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"text\n")
        else:
            super().do_GET()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def web(tmp_path):
    """A server of a folder; its URL is ``url``."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "my reviews.csv").write_text(CSV)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "web"))
    server.etag, server.cut, server.asked = '"1"', False, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def azure():
    with azure_server() as server:
        yield server


@pytest.fixture(params=["s3", "azure"])
def bucket(request, cache, monkeypatch):
    """A bucket with two tables in a folder, a hidden file and one of another kind."""
    with contextlib.ExitStack() as stack:
        is_s3 = request.param == "s3"
        server = stack.enter_context(S3Server()) if is_s3 else request.getfixturevalue("azure")
        if is_s3:  # all of moto's servers in a process have the same buckets, with what other tests left there
            server.make_bucket(name := f"bucket-{uuid.uuid4().hex}")
            server.root = f"s3://{name}"
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        client = place_of(server.root).client(is_patient=False)
        for number in (1, 2):
            sink = pa.BufferOutputStream()
            pq.write_table(pa.table({"id": [f"{number}a", f"{number}b"], "text": [f"good {number}", "bad"]}), sink)
            obstore.put(client, f"data/part-{number}.parquet", sink.getvalue().to_pybytes())
        obstore.put(client, "data/_SUCCESS", b"")
        obstore.put(client, "data/picture.png", b"png")
        obstore.put(client, "other/reviews.csv", CSV.encode())
        server.client = client
        yield server


def corpus(place):
    return store.open(place).sql("SELECT id, text FROM corpus ORDER BY row").to_pylist()


def made(tmp_path, *files):
    return ingest(open_storage(tmp_path / "made"), IngestConfig(files=files, shards=1, classes=("0", "1")))


def test_a_file_of_the_web_is_called_by_its_url_and_fetched_once(web, tmp_path, caplog):
    caplog.set_level("INFO", "engine")
    url = f"{web.url}/my%20reviews.csv"
    snapshot = made(tmp_path, url)
    assert [row["id"] for row in corpus(tmp_path / "made")] == [f"{url}:1", f"{url}:2"]
    assert snapshot.header.inputs[0]["path"] == url
    assert "fetching a file of" in caplog.text
    assert "where the next run finds them" in caplog.text
    caplog.clear()
    assert [name_of(file) for file in expand([url])] == [url]
    assert "fetching" not in caplog.text


def test_a_new_version_is_fetched_anew(web, tmp_path):
    url = f"{web.url}/my%20reviews.csv"
    (before,) = expand([url])
    (tmp_path / "web" / "my reviews.csv").write_text(CSV + "fine food,1\n")
    web.etag = '"2"'
    (after,) = expand([url])
    assert before != after
    with Path(before).open() as old, Path(after).open() as new:
        assert (len(old.readlines()), len(new.readlines())) == (3, 4)


def test_a_file_without_a_version_is_fetched_each_time(web, tmp_path, monkeypatch):
    web.etag = None
    monkeypatch.setattr(Handler, "send_header", _without_last_modified(Handler.send_header))
    url = f"{web.url}/my%20reviews.csv"
    first, second = expand([url]), expand([url])
    assert first != second


def _without_last_modified(send):
    def kept(self, name, value):
        if name != "Last-Modified":
            send(self, name, value)

    return kept


def test_what_the_web_refuses_is_said(web):
    with pytest.raises(InputError, match=r"/none\.csv: its server answers 404"):
        expand([f"{web.url}/none.csv"])
    web.cut = True
    with pytest.raises(InputError, match=r"was cut off after 5 of 1,000 bytes; run again|cannot be fetched"):
        expand([f"{web.url}/my%20reviews.csv"])
    with pytest.raises(InputError, match="cannot be fetched"):
        expand(["http://127.0.0.1:1/reviews.csv"])


def test_a_password_is_nowhere(web, tmp_path, caplog):
    caplog.set_level("DEBUG")
    url = f"{web.url}/my%20reviews.csv?sig=secret"
    made(tmp_path, url)
    everything = caplog.text + str(store.open(tmp_path / "made").header)
    assert "secret" not in everything
    with pytest.raises(InputError) as caught:
        expand([url.replace("my", "no")])
    assert "secret" not in str(caught.value)


def test_a_folder_of_a_bucket_is_a_data_set(bucket, tmp_path):
    url = f"{bucket.root}/data"
    snapshot = made(tmp_path, url)
    assert [entry["path"] for entry in snapshot.header.inputs] == [f"{url}/part-{n}.parquet" for n in (1, 2)]
    assert [row["id"] for row in corpus(tmp_path / "made")] == ["1a", "1b", "2a", "2b"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("data/part-*.parquet", ["data/part-1.parquet", "data/part-2.parquet"]),
        ("data/part-[!1].parquet", ["data/part-2.parquet"]),
        ("data/part-{1,2}.parquet", ["data/part-1.parquet", "data/part-2.parquet"]),
        ("**/*.csv", ["other/reviews.csv"]),
        ("other/reviews.csv", ["other/reviews.csv"]),
    ],
)
def test_globs_and_braces_of_a_bucket(bucket, pattern, names):
    found = expand([f"{bucket.root}/{pattern}"])
    assert [name_of(file) for file in found] == [f"{bucket.root}/{name}" for name in names]


def test_what_a_bucket_does_not_have(bucket):
    with pytest.raises(InputError, match=rf"{bucket.root}/none\.csv: there is no such file"):
        expand([f"{bucket.root}/none.csv"])
    with pytest.raises(InputError, match="there is no such file"):
        expand([f"{bucket.root}/data/*.csv"])
    nowhere = bucket.root.replace("bucket", "none")
    with pytest.raises(InputError, match=f"^{nowhere}/data cannot be fetched: there is no such (bucket|container)"):
        expand([f"{nowhere}/data"])


def test_a_run_that_was_stopped_goes_on_without_its_files_named(bucket, tmp_path, monkeypatch):
    """The store names the URLs, and another machine has no files of them."""
    import engine.ingest.ingest as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_corpus", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, f"{bucket.root}/data")
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "elsewhere"))
    finish_corpus(open_storage(tmp_path / "made"), ())
    assert len(corpus(tmp_path / "made")) == 4


def test_appended_files_are_known_by_their_content(bucket, tmp_path):
    made(tmp_path, f"{bucket.root}/data/part-1.parquet")
    storage = open_storage(tmp_path / "made")
    grown = append(storage, IngestConfig(files=(f"{bucket.root}/data/part-*.parquet",)))
    assert [entry["path"] for entry in grown.header.segments[1].inputs] == [f"{bucket.root}/data/part-2.parquet"]
    assert len(corpus(tmp_path / "made")) == 4


def test_any_scheme_that_fsspec_knows():
    system = fsspec.filesystem("memory")
    system.pipe("/sets/a/reviews.csv", CSV.encode())
    system.pipe("/sets/b/reviews.csv", CSV.encode())
    try:
        (file,) = expand(["memory://sets/a/reviews.csv"])
        assert name_of(file) == "memory://sets/a/reviews.csv"
        with Path(file).open() as fetched:
            assert fetched.read() == CSV
        assert len(list_files("memory://sets/*/reviews.csv").files) == 2
    finally:
        system.rm("/sets", recursive=True)


def test_what_another_schemes_package_raises_is_explained(monkeypatch):
    class ConnectError(Exception):
        __module__ = "httpx"

    def fail(*_, **__):
        raise ConnectError("no route to host")

    monkeypatch.setattr("engine.inputs.remote.sources._of_fsspec", fail)
    with pytest.raises(InputError, match="hf://datasets/a/b.csv cannot be fetched: no route to host"):
        list_files("hf://datasets/a/b.csv")
    ConnectError.__module__ = "engine"
    with pytest.raises(ConnectError):
        list_files("hf://datasets/a/b.csv")


def test_a_file_of_this_machine_is_read_where_it_is(tmp_path):
    (tmp_path / "reviews.csv").write_text(CSV)
    assert expand([f"file://{tmp_path}/reviews.csv"]) == [str(tmp_path / "reviews.csv")]


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_other_names_of_s3(bucket):
    assert [name_of(file) for file in expand([bucket.root.replace("s3:", "s3a:") + "/other/*"])] == [
        f"{bucket.root}/other/reviews.csv"
    ]


def test_a_scheme_that_nobody_knows_or_whose_package_is_missing():
    with pytest.raises(InputError, match="Protocol not known: nowhere"):
        expand(["nowhere://a/b.csv"])


def test_a_disk_that_is_too_small_is_said_before(bucket, monkeypatch):
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3})())
    with pytest.raises(InputError, match=r"3 B are free where it would be kept.*ENGINE_CACHE names another folder"):
        expand([f"{bucket.root}/data/part-1.parquet"])


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("a/*.csv", "a/b.csv", True),
        ("a/*.csv", "a/b/c.csv", False),
        ("a/**/*.csv", "a/c.csv", True),
        ("a/**/*.csv", "a/b/d/c.csv", True),
        ("a/?.csv", "a/bc.csv", False),
        ("a/[a-c].csv", "a/b.csv", True),
        ("a/[!a-c].csv", "a/b.csv", False),
        ("a+b/*.csv", "a+b/x.csv", True),
        ("a.csv*", "axcsv", False),
    ],
)
def test_globs(glob, path, matches):
    assert bool(_glob(glob).fullmatch(path)) == matches
