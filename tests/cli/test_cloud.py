"""Every command on a store that lies on S3 or Azure, as a user runs it; and its way to a disk and back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_server import azure_server
from faults import snapshot
from s3_server import S3Server, environment_of
from store_factory import flip_bit
from tiny_models import save, texts
from troubled_server import TroubledServer

import store
from cli.main import run
from store.storage import LocalStorage, open_storage
from store.verify.verify import verify

ROWS, MORE = 60, 20


def write_csv(path: Path, rows: int, *, seed: int) -> str:
    lines = [
        f"{path.stem}{row},{text},{('negative', 'positive')[row % 2] if row < 20 else ''}"
        for row, text in enumerate(texts(rows, words=(3, 8), seed=seed))
    ]
    path.write_text("\n".join(["id,text,label", *lines, ""]))
    return str(path)


@pytest.fixture(scope="module", params=["s3", "azure"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TroubledServer]:
    kind = {"s3": S3Server, "azure": azure_server}[request.param]
    with kind() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    """The rows that a command prints."""
    capsys.readouterr()
    assert run([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("with_all", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_whole_path(
    server: TroubledServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], with_all: bool
) -> None:
    """In the long form also a report, and compared with a store on a disk."""
    teacher = save(tmp_path / "teacher")
    first, more = write_csv(tmp_path / "first.csv", ROWS, seed=1), write_csv(tmp_path / "more.csv", MORE, seed=2)
    place, local = f"{server.root}/{with_all}/reviews.store", str(tmp_path / "reviews.store")
    for where in (place, local) if with_all else (place,):
        label = ["label", "--store", where, "--teacher", teacher, "--name", "bert", "--devices", "cpu"]
        assert run([*label, first, "--shards", "3"]) == 0
        assert run([*label, more, "--append", "--shards", "1"]) == 0
    if with_all:
        assert snapshot(open_storage(place)) == snapshot(LocalStorage(local)), "byte for byte that of a disk"

    counted = "SELECT count(*) AS rows, count(text) AS texts FROM reviews"
    assert asked(capsys, "sql", place, counted) == [{"rows": ROWS + MORE, "texts": ROWS + MORE}]
    info = asked(capsys, "info", place)
    assert info[0]["rows"] == ROWS + MORE
    (selected,) = asked(capsys, "select", place, "even", "--where", "row % 2 = 0")
    assert selected["selected"] == (ROWS + MORE) // 2
    if with_all:
        assert run(["report", place, "--out", str(tmp_path / "report.html")]) == 0
        assert "reviews.store" in (tmp_path / "report.html").read_text()
    server.requests.clear()
    student = ["--student", teacher, "--epochs", "2", "--select", "even", "--out", str(tmp_path / "student")]
    assert run(["train", place, *student]) == 0
    fetched = [path for method, path in server.requests if method == "GET" and ".arrow" in path]
    assert len(fetched) == len(set(fetched)), "no data file twice"

    before = snapshot(open_storage(place))
    made = store.open(place)
    record = made.label_set("bert").record(1)
    assert record is not None
    flip_bit(made.storage, f"labels/bert/{record.file}", 1000)
    assert run(["verify", place, "--repair"]) == 0
    assert "made again labels/bert, shard 1" in capsys.readouterr().err
    assert snapshot(open_storage(place)) == before

    assert run(["remove", place, "labels/bert", "--yes"]) == 1
    assert "an object store knows no locks" in capsys.readouterr().err
    back = f"{server.root}/{with_all}/again"
    for source, to in ((place, str(tmp_path / "down")), (str(tmp_path / "down"), back)):
        assert run(["copy", source, to]) == 0
    assert snapshot(LocalStorage(tmp_path / "down")) == before
    again = snapshot(open_storage(back))
    again.pop("copy-begun.json")
    assert again == before
    assert not list(verify(open_storage(back)))


def test_a_bucket_that_is_not_there_is_an_error_and_no_traceback(server: TroubledServer, capsys) -> None:
    place = f"{server.root.partition('//')[0]}//none/a"
    for arguments in (["info", place], ["sql", place, "SELECT 1"], ["verify", place]):
        assert run(arguments) == 1
        said = capsys.readouterr().err
        assert f"{place}: there is no such " in said
        assert "; make it, or correct its name" in said
