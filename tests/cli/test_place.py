"""Where a command runs: the locale, closed streams, files that may not be read, too little memory."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch
from tiny_models import save, texts

import store
from cli.main import ERROR, OK, cli, run
from engine.models.loading import weights
from store.storage import MemoryStorage
from store.verify.verify import verify

ROOT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
NAMES = ("schlecht", "großartig")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A folder with a teacher that has a name beyond ASCII, and a store that it labelled."""
    folder = tmp_path_factory.mktemp("place")
    save(folder / "teacher", names=NAMES)
    rows = "".join(f"{text},{NAMES[at % 2]}\n" for at, text in enumerate(texts(24)))
    (folder / "gold.csv").write_text("text,label\n" + rows, encoding="utf-8")
    arguments = ["label", str(folder / "gold.csv"), "--store", str(folder / "s"), "--teacher", str(folder / "teacher")]
    assert run([*arguments, "--format", "json"]) == OK
    return folder


def test_a_training_in_a_locale_that_is_not_utf_8_loses_nothing(labelled, tmp_path, run_engine):
    arguments = ("train", str(labelled / "s"), "--student", str(labelled / "teacher"), "--epochs", "1")
    done = run_engine(*arguments, "--out", str(tmp_path / "student"), "--eval", str(labelled / "gold.csv"), **ASCII)
    assert done.returncode == OK, done.stderr
    assert json.loads((tmp_path / "student/training.json").read_text("utf-8"))["classes"] == list(NAMES)
    assert "großartig" in (tmp_path / "student/README.md").read_text("utf-8")


def test_what_is_printed_in_such_a_locale_is_utf_8(labelled, run_engine):
    environment = {**os.environ, **ASCII}
    command = [sys.executable, "-m", "cli", "sql", str(labelled / "s"), "SELECT DISTINCT class FROM corpus ORDER BY 1"]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=100)
    assert done.returncode == OK, done.stderr
    assert done.stdout.decode("utf-8").splitlines()[0] == '{"class": "großartig"}'


@pytest.mark.parametrize("package", ["cli", "engine", "store"])
def test_every_text_file_is_opened_as_utf_8(package):
    """What the locale says must not decide what is written or read."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                assert not _leaves_it_to_the_locale(node), f"{file}:{node.lineno}"


def _leaves_it_to_the_locale(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg for keyword in call.keywords}
    if name == "read_text":
        return "encoding" not in keywords and not call.args
    if name == "write_text":
        return "encoding" not in keywords and len(call.args) < 2
    if name == "open" and isinstance(call.func, ast.Name | ast.Attribute):
        modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        opens_text = any(set(mode) <= set("rwaxt+") for mode in modes) or (not call.args and not keywords)
        return opens_text and "encoding" not in keywords
    return bool(keywords & {"text", "universal_newlines"}) and "encoding" not in keywords and name in ("run", "Popen")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_ends_no_command(labelled, tmp_path, closed):
    query = f"{sys.executable} -m cli sql {labelled / 's'} 'SELECT count(*) FROM corpus' --out {tmp_path / 'n.csv'}"
    done = subprocess.run(f"{query} {closed}", shell=True, capture_output=True, text=True, timeout=100)
    assert done.returncode == OK
    assert "Traceback" not in done.stderr
    assert (tmp_path / "n.csv").read_text() == "count_star()\n24\n"


def test_a_store_is_described_to_a_closed_stdout(labelled):
    command = f"{sys.executable} -m cli info {labelled / 's'} >&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (OK, "")


# what may not be read


class Closed(MemoryStorage):
    """A storage of which some files may not be read by this user."""

    closed = "\0"

    def open(self, name):
        if self.closed in name:
            raise PermissionError(13, "Permission denied", name)
        return super().open(name)


def copied(labelled):
    storage = Closed()
    for path in (labelled / "s").rglob("*"):
        if path.is_file():
            storage.put_if_absent(str(path.relative_to(labelled / "s")), path.read_bytes())
    return storage


@pytest.mark.parametrize("what", ["store.json", "card.json", "00000.json", "corpus/00000-", "labels/teacher/00000-"])
def test_a_file_that_may_not_be_read_is_an_error_and_no_damage(labelled, what):
    storage = copied(labelled)
    assert list(verify(storage)) == []
    Closed.closed = what
    try:
        with pytest.raises(PermissionError):
            list(verify(storage))
        if what not in ("card.json", "00000.json"):  # of a finished set the manifest is read, and no card
            with pytest.raises(PermissionError):
                next(iter(store.open(storage).stream(labels="teacher", columns=("text", "logits"))))
    finally:
        Closed.closed = "\0"


# the machine


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "error: there is too little memory: an allocation failed. What was committed stays"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
            "too little memory",
        ),
        (ImportError("libtorch_cpu.so: failed to map segment: Cannot allocate memory"), "too little memory"),
        (OSError(12, "Cannot allocate memory"), "too little memory"),
        (PermissionError(13, "Permission denied", "x.csv"), "error: x.csv may not be read or written by this user"),
        (OSError(28, "No space left on device", "x"), "error: no space left on the disk of x"),
    ],
)
def test_an_error_of_the_machine_is_one_line_and_exit_code_1(monkeypatch, capsys, error, said):
    def fail():
        raise error

    monkeypatch.setattr(cli, "get_command", lambda *_: click.Command("info", callback=fail))
    assert run(["info"]) == ERROR
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_an_error_of_our_own_keeps_its_traceback(monkeypatch):
    def fail():
        raise RuntimeError("a mistake in the program")

    monkeypatch.setattr(cli, "get_command", lambda *_: click.Command("info", callback=fail))
    with pytest.raises(RuntimeError, match="a mistake in the program"):
        run(["info"])


def test_with_too_little_memory_for_a_model_a_command_says_so(labelled, monkeypatch, capsys):
    monkeypatch.setattr(weights, "_load", lambda *_: torch.empty(1 << 48, dtype=torch.uint8))
    assert run(["eval", str(labelled / "teacher"), str(labelled / "gold.csv")]) == ERROR
    printed = capsys.readouterr().err
    assert printed.endswith("there is too little memory\n")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("a,b", ("a", "b")),
        (" a , b ", ("a", "b")),
        ('Rooms,"Food, drink"', ("Rooms", "Food, drink")),
        ('"say ""hi""", b', ('say "hi"', "b")),
        ("Rooms,Food\\, drink", ("Rooms", "Food, drink")),
        ("a\\b,c", ("a\\b", "c")),
    ],
)
def test_names_are_one_line_of_csv(given, names):
    from cli.options.shared import CommaSeparated

    assert CommaSeparated().convert(given, None, None) == names


@pytest.mark.parametrize("given", ["", "a,,b", '"a', 'a,"b"c'])
def test_what_is_no_line_of_names_is_refused(given):
    from cli.options.shared import CommaSeparated

    with pytest.raises(click.BadParameter):
        CommaSeparated().convert(given, None, None)
