"""Outputs behind URLs appear whole or not at all, and what cannot be written is said before anything is computed."""

import sys
import traceback
import uuid
from pathlib import Path

import fsspec
import pytest
from s3_server import BUCKET, S3Server, Trouble

from engine.errors import EngineError, InputError, OutputPlaceError
from engine.inputs.formats import expand
from engine.outputs import file as file_module
from engine.outputs.file import output_file
from engine.outputs.folder import filled_folder, output_folder, refuse_used, whole_folder
from engine.outputs.places import folder_on_this_machine
from engine.outputs.remote import remote_of
from engine.outputs.work import locked_work, work_path
from store.errors import StoreError

LARGE = 20 << 20  # bytes: more than a part of an upload


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(cache, monkeypatch):
    with S3Server() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(params=["s3", "memory"])
def place(request):
    """A URL below which anything can be written."""
    if request.param == "s3":
        request.getfixturevalue("server")
        return f"s3://{BUCKET}/{uuid.uuid4().hex}"  # moto's buckets are those of the process
    request.getfixturevalue("memory")
    return "memory://out"


def put(url, data, name=""):
    path = Path(file_module.tempfile.mkdtemp()) / "data"
    path.write_bytes(data)
    remote_of(url).put(path, name)


def content(url, name=""):
    return b"".join(remote_of(url).pieces(name))


def test_a_file_is_there_when_the_block_ends(place):
    out = output_file(f"{place}/x.csv")
    out.check()
    assert (out.suffix, str(out), out.exists()) == (".csv", f"{place}/x.csv", False)
    with out.made() as path:
        path.write_text("new")
        assert not out.exists()
    assert out.exists()
    assert content(f"{place}/x.csv") == b"new"
    assert remote_of(place).sizes() == {"x.csv": 3}, "nothing beside it"


def test_a_file_that_fails_is_not_there_and_an_earlier_one_stays(place):
    out = output_file(f"{place}/x.csv")
    for before in (None, b"old"):
        if before is not None:
            put(f"{place}/x.csv", before)
        with pytest.raises(KeyboardInterrupt):
            half_made(out)
        assert (content(f"{place}/x.csv") if before else out.place.size()) == before


def half_made(out):
    with out.made() as path:
        path.write_text("half")
        raise KeyboardInterrupt


def test_an_earlier_file_is_replaced(place, tmp_path):
    out = output_file(f"{place}/x.csv")
    for data in ("first", "second"):
        with out.made() as path:
            path.write_text(data)
    (tmp_path / "same").write_text("second")
    (tmp_path / "as long").write_text("seconc")
    assert content(f"{place}/x.csv") == b"second"
    assert out.holds(tmp_path / "same")
    assert not out.holds(tmp_path / "as long")


def test_a_folder_is_no_file(place):
    put(place, b"1", "a/b.csv")
    for name in (place, f"{place}/a", f"{place}/new/"):
        with pytest.raises(OutputPlaceError, match="is a folder; name a file in it with --out"):
            output_file(name).check()


def test_an_input_is_known_by_its_url(place):
    put(place, b"text\ngood\n", "in.csv")
    (file,) = expand([f"{place}/in.csv"])
    assert output_file(f"{place}/in.csv").is_input(file)
    assert not output_file(f"{place}/out.csv").is_input(file)


def test_a_large_file_goes_in_parts_with_bounded_memory(server):
    out = output_file(f"s3://{BUCKET}/large.bin")
    with out.made() as path:
        path.write_bytes(bytes(LARGE))
    assert out.place.size() == LARGE
    assert server.count("PUT", "partNumber=") == 3
    assert content(f"s3://{BUCKET}/large.bin") == bytes(LARGE)


def test_a_busy_server_is_asked_again_and_an_answer_that_is_lost_does_no_harm(server):
    out = output_file(f"s3://{BUCKET}/x.csv")
    troubles = [Trouble.BUSY, Trouble.LOST]
    server.choose = lambda request: troubles.pop() if request.method == "PUT" and troubles else None
    with out.made() as path:
        path.write_text("new")
    assert not troubles
    assert content(f"s3://{BUCKET}/x.csv") == b"new"


def test_a_page_says_what_it_is_to_a_browser(server):
    with output_file(f"s3://{BUCKET}/report.html").made() as path:
        path.write_text("<p>")
    import obstore
    from obstore.store import S3Store

    client = S3Store(BUCKET, config={"endpoint": server.url}, client_options={"allow_http": True})
    assert obstore.get(client, "report.html").attributes["Content-Type"] == "text/html; charset=utf-8"


# what cannot be written


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "https://example.org/x.csv",
            "a web server is read, and takes no files; name a place on this machine, or a URL",
        ),
        ("http://user:secret@example.org/x.csv", r"http://…@example.org/x.csv: a web server is read"),
        ("https://example.org/x.csv?sig=secret", r"https://example.org/x.csv\?…: a web server is read"),
        ("hf://datasets/a/b/x.csv", "the Hub takes commits, and no files: `engine export STORE --to hf --push"),
        ("nowhere://a/x.csv", "nobody knows the scheme nowhere://; name a place on this machine, or a URL of s3://"),
        ("s3://", "the name of the bucket is missing"),
        (f"s3://{BUCKET}", "is a whole bucket; name a place in it, as s3://bucket/NAME"),
        (f"s3://key:secret@{BUCKET}/x.csv", "has no name, password or signature; write s3://bucket/path alone"),
        (f"s3://{BUCKET}/x.csv?X-Amz-Signature=secret", "has no name, password or signature"),
        ("memory://", "names no file and no folder"),
        ("file://data/x.csv", "a file URL names an absolute path of this machine"),
        (Path("s3://bucket/x.csv"), "pathlib shortens the // of a URL; give the place as a text"),
    ],
)
def test_what_cannot_be_written_is_refused_by_its_name_alone(url, said):
    for door in (output_file, output_folder):
        with pytest.raises(OutputPlaceError, match=said) as caught:
            door(url)
        assert "secret" not in str(caught.value)


def test_a_bucket_that_is_not_there_or_not_open_is_said_before(server):
    with pytest.raises(StoreError, match="s3://none/x.csv: there is no such bucket; make it, or correct its name"):
        output_file("s3://none/x.csv").check()
    server.refuse_with("AccessDenied", 403)
    with pytest.raises(StoreError, match="access is forbidden; .* who writes also that to put them"):
        output_file(f"s3://{BUCKET}/x.csv").check()


def test_without_a_server_nothing_is_waited_for(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="its server cannot be reached"):
        output_file(f"s3://{BUCKET}/x.csv").check()


def test_who_may_not_put_learns_so(server):
    out = output_file(f"s3://{BUCKET}/{uuid.uuid4().hex}.csv")
    out.check()
    server.refuse_with("AccessDenied", 403)
    with pytest.raises(StoreError, match="access is forbidden"), out.made() as path:
        path.write_text("new")
    server.forget()
    assert not out.exists()


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    for name in ("store.storage.objects.bucket", "store.storage.objects.place", "engine.outputs.bucket"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"need the package obstore: pip install 'softlabel-engine\[cloud\]'"):
        output_file(f"s3://{BUCKET}/x.csv")


def test_a_scheme_whose_package_is_missing_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(InputError, match="paramiko"):
        output_file("sftp://host/x.csv")


def test_a_file_system_that_cannot_be_written_is_said(memory, monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError

    monkeypatch.setattr(type(memory), "put_file", refuse)
    with (
        pytest.raises(OutputPlaceError, match="its file system cannot be written"),
        output_file("memory://a/x").made() as path,
    ):
        path.write_text("")


def test_what_another_package_raises_is_an_error_without_its_password(memory, monkeypatch):
    def refuse(*_, **__):
        raise LookupError("sftp://user:secret@host is closed")

    monkeypatch.setattr(type(memory), "put_file", refuse)
    with (
        pytest.raises(InputError, match="memory://a/x cannot be written: ") as caught,
        output_file("memory://a/x").made() as path,
    ):
        path.write_text("")
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert not memory.exists("/a/x")


def test_a_full_disk_names_the_one_where_outputs_are_made(place, tmp_path):
    for within, variable in ((None, "TMPDIR"), (tmp_path, "ENGINE_CACHE")):
        with (
            pytest.raises(EngineError, match=f"No space left.* name another folder by {variable}"),
            output_file(f"{place}/x.csv").made(within=within) as path,
        ):
            raise OSError(28, "No space left on device", str(path))
    assert list(tmp_path.iterdir()) == []


def test_the_disk_of_long_outputs_is_named_too(cache):
    with (
        pytest.raises(EngineError, match=f"{cache}/outputs/x-.*: No space left.* another folder by ENGINE_CACHE"),
        locked_work(remote_of(f"s3://{BUCKET}/x"), "exporting"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError, match="/elsewhere"), locked_work(remote_of(f"s3://{BUCKET}/x"), "exporting"):
        raise OSError(28, "No space left on device", "/elsewhere")


def test_a_system_that_renames_onto_nothing_is_helped(memory, monkeypatch):
    move = memory.mv

    def careful(source, target):
        if memory.exists(target):
            raise FileExistsError(target)
        move(source, target)

    monkeypatch.setattr(type(memory), "mv", lambda _, *arguments: careful(*arguments))
    for data in (b"first", b"second"):
        put("memory://a/x", data)
    assert content("memory://a/x") == b"second"
    assert remote_of("memory://a").sizes() == {"x": 6}


def test_a_new_file_is_kept_where_the_old_one_is_gone_and_it_cannot_be_renamed(memory, monkeypatch):
    put("memory://a/x", b"first")

    def fails(_self, _source, target):
        raise FileExistsError(target) if memory.exists(target) else RuntimeError("the line is cut")

    monkeypatch.setattr(type(memory), "mv", fails)
    with pytest.raises(InputError, match=r"still called /?a/\.x\..*: rename it \(the line is cut\)"):
        put("memory://a/x", b"second")
    (left,) = remote_of("memory://a").sizes()
    assert content("memory://a", left) == b"second"


def test_a_file_that_arrives_short_is_an_error(memory, monkeypatch):
    monkeypatch.setattr(type(memory), "put_file", lambda self, _, target: self.pipe(target, b"ha"))
    with pytest.raises(InputError, match="4 bytes were sent, and 2 are there; run the same command again"):
        put("memory://a/x", b"half")
    assert remote_of("memory://a").sizes() == {}


def test_an_empty_file(place):
    put(place, b"", "x.jsonl")
    assert remote_of(place).sizes() == {"x.jsonl": 0}
    assert content(place, "x.jsonl") == b""


# this machine


def test_a_file_url_is_a_path_of_this_machine(tmp_path):
    out = output_file(f"file://{tmp_path}/my%20file.csv")
    with out.made() as path:
        path.write_text("new")
    assert (tmp_path / "my file.csv").read_text() == "new"
    assert output_folder(f"file://{tmp_path}/a") == tmp_path / "a"


def test_a_folder_in_which_work_goes_on_is_on_this_machine(tmp_path):
    assert folder_on_this_machine(str(tmp_path)) == tmp_path
    with pytest.raises(OutputPlaceError, match=f"name this folder by its path, as --out {tmp_path}"):
        folder_on_this_machine(f"file://{tmp_path}")
    with pytest.raises(OutputPlaceError, match="copy it with `aws s3 cp --recursive student s3://bucket/a/student`"):
        folder_on_this_machine("s3://bucket/a/student")
    with pytest.raises(OutputPlaceError, match="copy it with any program that can"):
        folder_on_this_machine("memory://a/student")


def test_where_an_output_behind_a_url_is_made(cache):
    one, other = (work_path(remote_of(f"s3://{BUCKET}/{name}/x.csv"), "predicting") for name in "ab")
    assert one != other
    assert one.parent == cache / "outputs"
    assert one.name.startswith("x.csv-")
    assert one == work_path(remote_of(f"s3a://{BUCKET}/a/x.csv"), "predicting")


# folders


def filled(folder, *more):
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model").write_text("model")
    (folder / "config.json").write_text("{}")
    (folder / "zzz").write_text("z")
    for name in more:
        (folder / name).write_bytes(b"old")


def test_the_last_file_of_a_folder_comes_last(server):
    place = f"s3://{BUCKET}/last-{uuid.uuid4().hex}"
    with whole_folder(place, last="config.json") as folder:
        filled(folder)
    puts = [path.rpartition("/last-")[2] for method, path in server.requests if method == "PUT" and "/last-" in path]
    assert [name.partition("/")[2] for name in puts] == ["onnx/model", "zzz", "config.json"]
    assert remote_of(place).sizes() == {"onnx/model": 5, "config.json": 2, "zzz": 1}


def test_a_folder_that_has_something_is_refused(place, cache):
    put(place, b"mine", "mine.txt")
    for act in (lambda: refuse_used(place), lambda: whole_folder(place, last="a").__enter__()):
        with pytest.raises(InputError, match=f"{place} is not empty; name a new folder with --out"):
            act()
    put(f"{place}/file", b"mine")
    with pytest.raises(InputError, match="is a file; name a folder|is not empty"):
        refuse_used(f"{place}/file")


def test_a_run_that_was_stopped_while_files_were_put_puts_them_again(place, cache, monkeypatch):
    kind = type(remote_of(place))
    put_one, calls = kind.put, []

    def stop(self, path, name=""):
        calls.append(name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        put_one(self, path, name)

    monkeypatch.setattr(kind, "put", stop)
    with pytest.raises(KeyboardInterrupt), whole_folder(place, last="config.json") as folder:
        filled(folder)
    assert remote_of(place).sizes() == {"onnx/model": 5}
    with whole_folder(place, last="config.json") as folder:
        filled(folder)
    assert remote_of(place).sizes().keys() == {"onnx/model", "config.json", "zzz"}
    assert list((cache / "outputs").iterdir()) == []
    with pytest.raises(InputError, match="is not empty"):
        refuse_used(place)


def test_files_of_a_stopped_run_that_this_one_does_not_make_are_not_left_among_its_own(place, monkeypatch):
    kind = type(remote_of(place))
    put_one = kind.put

    def stop(self, path, name=""):
        put_one(self, path, name)
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "put", stop)
    with pytest.raises(KeyboardInterrupt), whole_folder(place, last="config.json") as folder:
        filled(folder, "an_int8_file")
    monkeypatch.setattr(kind, "put", put_one)
    words = "has files that a run put there which was stopped, and this one makes no such files: an_int8_file; remove"
    for _ in range(2):
        with pytest.raises(InputError, match=words), whole_folder(place, last="config.json") as folder:
            filled(folder)
    assert remote_of(place).sizes() == {"an_int8_file": 3}


def test_files_are_put_into_a_folder_that_may_have_others(place):
    put(place, b"mine", "mine.txt")
    with filled_folder(output_folder(place)) as folder:
        (folder / "plot.svg").write_text("<svg/>")
    assert remote_of(place).sizes() == {"mine.txt": 4, "plot.svg": 6}
