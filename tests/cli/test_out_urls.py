"""--out and --plots with URLs: what each command puts to a bucket is what it writes to a disk, also where it was killed."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import store_factory
import tiny_models
from s3_server import BUCKET, S3Server, environment_of

from cli.main import ERROR, OK, REJECTED, USAGE, run
from engine.outputs.remote import remote_of
from store.storage import LocalStorage
from store.storage.objects.place import place_of

ROWS = 90
SELECT = "SELECT row, id, class FROM reviews ORDER BY row"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server() as server, environment_of(server, tmp_path_factory.mktemp("cache")):
        yield server


@pytest.fixture
def cloud(server: S3Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL and a cache folder of this test alone."""
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path_factory.mktemp("own")))
    yield f"s3://{BUCKET}/urls/{uuid.uuid4().hex}"
    server.forget()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("urls") / "reviews.store"
    made = store_factory.make_store(LocalStorage(folder), rows=ROWS)
    made.select("first", where="row < 10")
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.save(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rows") / "rows.txt"
    path.write_text("\n".join(tiny_models.texts(160)))
    return str(path)


def files_behind(url: str) -> dict[str, bytes]:
    remote = remote_of(url)
    return {name: b"".join(remote.pieces(name)) for name in remote.sizes()}


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def work_left() -> list[str]:
    folder = Path(os.environ["ENGINE_CACHE"]) / "outputs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command; its exit code, and what it says on stdout and stderr."""

    def asked(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = run(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return asked


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow"])
def test_sql(place: str, cloud: str, tmp_path: Path, ask: Ask, ending: str) -> None:
    for out in (str(tmp_path / f"x.{ending}"), f"{cloud}/x.{ending}"):
        code, said = ask("sql", place, SELECT, "--out", out)
        assert (code, said) == (OK, f"wrote {out}\n")
    assert files_behind(cloud) == files_in(tmp_path)
    assert f"{cloud}/x.{ending} is there already, and is replaced" in ask("sql", place, SELECT, "--out", out)[1]


def test_a_query_from_a_url(place: str, cloud: str, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "q.sql").write_text("SELECT 42 AS n")
    remote_of(f"{cloud}/q.sql").put(tmp_path / "q.sql")
    assert ask("sql", place, "--file", f"{cloud}/q.sql", "--format", "csv", "--quiet") == (OK, "n\n42\n")
    code, said = ask("sql", place, "--file", f"{cloud}/none.sql")
    assert (code, f"{cloud}/none.sql: there is no such file" in said) == (ERROR, True)


def test_defaults_from_a_url(place: str, cloud: str, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "engine.toml").write_text('[sql]\nformat = "csv"\n')
    remote_of(f"{cloud}/engine.toml").put(tmp_path / "engine.toml")
    assert ask("--config", f"{cloud}/engine.toml", "sql", place, "SELECT 42 AS n", "--quiet") == (OK, "n\n42\n")
    code, said = ask("sql", place, "SELECT 42", "--config", f"{cloud}/none.toml")
    assert (code, f"{cloud}/none.toml: there is no such file" in said) == (USAGE, True)


def test_a_file_for_annotators_is_not_written_over(place: str, cloud: str, tmp_path: Path, ask: Ask) -> None:
    for out in (str(tmp_path / "next.json"), f"{cloud}/next.json"):
        assert ask("select", place, "--show", "first", "--out", out)[0] == OK
    assert files_behind(cloud) == files_in(tmp_path)
    assert ask("select", place, "--show", "first", "--out", f"{cloud}/next.json")[0] == OK, "the same once more"
    (tmp_path / "work").write_text("labels of somebody")
    remote_of(f"{cloud}/next.json").put(tmp_path / "work")
    code, said = ask("select", place, "--show", "first", "--out", f"{cloud}/next.json")
    assert (code, "has something else in it, perhaps somebody's labels" in said) == (ERROR, True)
    assert files_behind(cloud) == {"next.json": b"labels of somebody"}


def test_report(place: str, cloud: str, ask: Ask) -> None:
    code, said = ask("report", place, "--out", f"{cloud}/report.html", "--format", "json")
    assert code == OK
    assert json.loads(said)[0]["out"] == f"{cloud}/report.html"
    assert files_behind(cloud)["report.html"].startswith(b"<!doctype html>")


def test_a_student_learns_from_tars_behind_a_url_as_from_the_store(
    ask: Ask, cloud: str, place: str, model: str, tmp_path: Path
) -> None:
    tars, short = f"{cloud}/tars", ["--student", model, "--epochs", "1", "--batch-size", "16"]
    assert ask("export", place, "--to", "webdataset", "--rows-per-file", "30", "--out", tars)[0] == 0
    for name, source in (("here", place), ("there", f"{tars}/"), ("named", f"{tars}/*.tar")):
        assert ask("train", source, *short, "--out", str(tmp_path / name))[0] == 0
    weights = {(tmp_path / name / "model.safetensors").read_bytes() for name in ("here", "there", "named")}
    assert len(weights) == 1
    some = sorted(name for name in remote_of(tars).sizes() if name.endswith(".tar"))[0]
    assert ask("train", f"{tars}/{some}", *short, "--out", str(tmp_path / "one"))[0] == 0
    place_of(tars).client(is_patient=False).delete(f"{place_of(tars).prefix}/{some}")
    code, said = ask("train", tars, *short, "--out", str(tmp_path / "less"))
    assert (code, f"{tars} lacks 1 of the 3 tars that _export.json names: {some}" in said) == (1, True)
    code, said = ask("train", f"{cloud}/none", *short, "--out", str(tmp_path / "none"))
    assert (code, f"{cloud}/none" in said) == (1, True)


@pytest.mark.parametrize("format_", ["parquet", "webdataset", "hf"])
def test_export(server: S3Server, place: str, cloud: str, tmp_path: Path, ask: Ask, format_: str) -> None:
    options = ["--to", format_, "--split", "train=0.6,test=0.4", "--rows-per-file", "20", "--format", "json"]
    server.requests.clear()
    for out in (str(tmp_path / "out"), cloud):
        assert ask("export", place, "--out", out, *options)[0] == OK
    assert files_behind(cloud) == files_in(tmp_path / "out")
    puts = [path for method, path in server.requests if method == "PUT"]
    assert puts[-1].endswith("/_export.json"), "the card makes it an export"
    code, said = ask("export", place, "--out", cloud, *options)
    assert code == OK
    assert f"{cloud} is there already, of the same store and choice; nothing was written" in said
    code, said = ask("export", place, "--out", cloud, *options, "--rows-per-file", "30")
    assert (code, f"{cloud} is another export, with other rows_per_file" in said) == (ERROR, True)
    assert work_left() == []


def test_an_export_is_not_put_among_other_files(place: str, cloud: str, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "mine").write_text("mine")
    remote_of(cloud).put(tmp_path / "mine", "mine.txt")
    code, said = ask("export", place, "--to", "parquet", "--out", cloud)
    assert (code, f"{cloud} is there already, and no export; name another folder" in said) == (ERROR, True)
    other = f"{cloud}-2"
    remote_of(other).put(tmp_path / "mine", "rows-00000-of-00001.parquet")
    code, said = ask("export", place, "--to", "parquet", "--out", other)
    assert code == ERROR
    assert f"{other}/rows-00000-of-00001.parquet is there already, and is another file; name another folder" in said
    assert files_behind(other) == {"rows-00000-of-00001.parquet": b"mine"}


def test_an_export_behind_a_url_is_not_pushed(place: str, cloud: str, ask: Ask) -> None:
    code, said = ask("export", place, "--to", "hf", "--out", cloud, "--push", "me/reviews")
    assert (code, f"--push uploads a folder of this machine, and --out is {cloud}" in said) == (USAGE, True)


def killed(arguments: list[str], waits: tuple[float, ...], server: S3Server, *, code: str = "") -> int:
    """Run a command and kill it so long after its first put or its first rows; how many runs that were."""
    program = f"import sys\n{code}\nfrom cli.main import run\nsys.exit(run(sys.argv[1:]))"
    number = 0
    for wait in waits:
        server.forget()
        process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.DEVNULL)
        while process.poll() is None and not any(method == "PUT" for method, _ in server.requests):
            time.sleep(0.005)
        time.sleep(wait)
        number += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    return number


def test_an_export_that_is_killed_ends_with_the_same_files(
    server: S3Server, place: str, cloud: str, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the last run is on another machine, which has nothing of the first ones in its cache."""
    options = ["--to", "webdataset", "--rows-per-file", "3", "--format", "json"]
    assert ask("export", place, "--out", str(tmp_path / "out"), *options)[0] == OK
    for url, cache in ((f"{cloud}/a", os.environ["ENGINE_CACHE"]), (f"{cloud}/b", str(tmp_path / "other"))):
        assert killed(["export", place, "--out", url, *options], (0.0, 0.1, 0.2), server)
        assert "_export.json" not in remote_of(url).sizes()
        monkeypatch.setenv("ENGINE_CACHE", cache)
        code, said = ask("export", place, "--out", url, *options)
        assert code == OK, said
        assert files_behind(url) == files_in(tmp_path / "out")
    assert json.loads(said)[0]["written"] == ROWS // 3, "each is made again there, and compared"


def test_predict(model: str, rows: str, cloud: str, tmp_path: Path, ask: Ask) -> None:
    for out in (str(tmp_path / "answers.parquet"), f"{cloud}/answers.parquet"):
        code, said = ask("predict", model, rows, "--out", out)
        assert code == OK
        assert f'"out": "{out}"' in said
    assert f"{os.environ['ENGINE_CACHE']}/outputs/answers.parquet-" in said
    assert f"and put to {cloud}/answers.parquet when all are answered" in said
    assert files_behind(cloud) == files_in(tmp_path)
    assert work_left() == []


def test_a_prediction_that_cannot_be_put_goes_on_where_it_was(
    server: S3Server, model: str, rows: str, cloud: str, ask: Ask
) -> None:
    last_before = "HEAD"  # whether the file is there
    server.choose = lambda request: server.refuse_with("AccessDenied", 403) if request.method == last_before else None
    code, said = ask("predict", model, rows, "--out", f"{cloud}/answers.csv")
    assert (code, "access is forbidden" in said) == (ERROR, True)
    server.forget()
    assert remote_of(cloud).sizes() == {}
    assert len(work_left()) == 1
    code, said = ask("predict", model, rows, "--out", f"{cloud}/answers.csv")
    assert (code, '"computed": 0' in said) == (OK, True)
    assert files_behind(cloud)["answers.csv"].count(b"\n") == 161


def test_a_prediction_that_is_killed_ends_with_the_same_file(
    server: S3Server, model: str, rows: str, cloud: str, tmp_path: Path, ask: Ask
) -> None:
    assert ask("predict", model, rows, "--out", str(tmp_path / "answers.csv"))[0] == OK
    small = "from engine.prediction import spool\nspool.CHUNK_ROWS = 16"
    command = [sys.executable, "-c", f"import sys\n{small}\nfrom cli.main import run\nsys.exit(run(sys.argv[1:]))"]
    stopped = 0
    for _ in range(3):
        done = len(_parts())
        arguments = ["predict", model, rows, "--out", f"{cloud}/answers.csv"]
        process = subprocess.Popen([*command, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(_parts()) == done:
            time.sleep(0.002)
        stopped += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert stopped
    assert ask("predict", model, rows, "--out", f"{cloud}/answers.csv")[0] == OK
    assert files_behind(cloud) == files_in(tmp_path)
    assert work_left() == []


def _parts() -> list[Path]:
    return list((Path(os.environ["ENGINE_CACHE"]) / "outputs").glob("*/model/*.arrow"))


def test_what_is_asked_of_a_url_is_refused_before_anything_is_computed(place: str, model: str, ask: Ask) -> None:
    doors: list[tuple[list[str], str]] = [
        (["sql", place, SELECT], "x.csv"),
        (["select", place, "--show", "first"], "x.csv"),
        (["report", place], "x.html"),
        (["predict", model, "none.csv"], "x.csv"),
        (["export", place, "--to", "parquet"], "x"),
        (["export", model, "--to", "onnx"], "x"),
    ]
    for arguments, name in doors:
        code, said = ask(*arguments, "--out", f"https://user:secret@example.org/{name}")
        assert (code, "a web server is read, and takes no files" in said) == (USAGE, True), arguments
        assert "secret" not in said
        code, said = ask(*arguments, "--out", f"nowhere://{name}")
        assert (code, "nobody knows the scheme nowhere://" in said) == (USAGE, True), arguments


def test_a_folder_in_which_work_goes_on_is_not_behind_a_url(place: str, model: str, rows: str, ask: Ask) -> None:
    labelled = ["--labelled", rows, "--unlabelled", rows, "--teacher", model, "--student", model]
    for arguments in (
        ["train", place, "--student", model],
        ["finetune", rows, "--model", model],
        ["compare", *labelled],
        ["demo"],
    ):
        code, said = ask(*arguments, "--out", f"s3://{BUCKET}/a/student")
        assert code == USAGE, said
        assert f"copy it with `aws s3 cp --recursive student s3://{BUCKET}/a/student`" in said
    assert not Path("s3:").exists()


def test_rows_that_are_rejected_of_a_file_behind_a_url_are_those_of_the_run(
    cloud: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "first.csv").write_text("id,text\n1,good\n2,bad\n")
    (tmp_path / "more.csv").write_text("id,text\n3,good\n4,\n")
    remote_of(f"{cloud}/more.csv").put(tmp_path / "more.csv")
    to_label = ["--store", str(tmp_path / "s"), "--teacher", model, "--devices", "cpu"]
    assert run(["label", str(tmp_path / "first.csv"), *to_label]) == OK
    for flags in (["--append"], []):
        capsys.readouterr()
        assert run(["label", f"{cloud}/more.csv", *to_label, *flags]) == REJECTED
        assert json.loads(capsys.readouterr().out)["rejected_given"] == 1
