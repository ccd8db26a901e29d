"""A message that a label set, or the corpus, lacks shards gives the command that makes them: pasted, it works."""

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
from tiny_models import save, texts

import engine
import store
from cli.main import ERROR, OK, REJECTED, run
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions
from engine.labelling.planning.command import command_of
from store.errors import StoreMissingError
from store.format.label_command import answers_command, label_command, reading_words
from store.format.run_log import read_runs
from store.storage import open_storage
from store.verify.verify import verify

ROWS = 60


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("the models") / "my teacher")


@pytest.fixture
def texts_file(tmp_path: Path) -> str:
    lines = [f"id-{row};{text}" for row, text in enumerate(texts(ROWS, words=(3, 8), seed=1))]
    (tmp_path / "the texts.csv").write_text("\n".join(["key;body", *lines, ""]))
    return str(tmp_path / "the texts.csv")


@pytest.fixture
def place(tmp_path: Path, teacher: str, texts_file: str) -> str:
    place = str(tmp_path / "my store")
    made = ["label", texts_file, "--store", place, "--teacher", teacher, "--shards", "3", "--name", "one"]
    assert run([*made, "--devices", "cpu", "--max-length", "16", "--check-rows", "2", "--id", "key"]) == OK
    return place


def lose(place: str, family: str, shard: int) -> None:
    """Take a shard away, as if no run had come so far."""
    for file in [*Path(place, family).glob(f"{shard:05d}*"), Path(place, family, "manifest.json")]:
        file.unlink()


def pasted(said: str) -> int:
    """Run the command between the backticks of a message, as a shell would split it."""
    (command,) = re.findall(r"`(engine label [^`]*)`", said)
    return run(shlex.split(command)[1:])


def whole(place: str) -> bool:
    return all(family.is_sealed() for family in store.open(place).families() if family.path != "gold")


def test_a_teachers_label_set_is_finished_by_what_the_message_says(place: str, capsys, tmp_path: Path) -> None:
    lose(place, "labels/one", 1)
    capsys.readouterr()
    assert run(["train", place, "--student", "none", "--out", str(tmp_path / "out")]) == ERROR
    said = capsys.readouterr().err
    assert "labels/one lacks 1 of 3 shards (the first is 1); `engine label --store " in said
    assert pasted(said) == OK
    assert whole(place)
    assert list(verify(open_storage(place))) == []


def test_what_the_first_run_did_not_keep_is_not_kept_by_the_next(tmp_path: Path, teacher: str, texts_file: str) -> None:
    place = str(tmp_path / "bare")
    assert run(["label", texts_file, "--store", place, "--teacher", teacher, "--shards", "2", "--no-keep-tokens"]) == OK
    (name,) = store.open(place).label_sets()
    lose(place, f"labels/{name}", 0)
    with pytest.raises(StoreMissingError) as refused:
        store.open(place).label_set(name).check_complete()
    assert pasted(str(refused.value)) == OK
    assert whole(place)
    assert store.open(place).encodings() == []


def test_a_label_set_that_no_shard_has_yet_is_begun_by_the_command(place: str, capsys) -> None:
    for shard in (0, 1, 2):
        for file in Path(place, "labels/one").glob(f"{shard:05d}*"):
            file.unlink()
    Path(place, "labels/one/manifest.json").unlink()
    capsys.readouterr()
    assert run(["audit", place, "classes"]) == ERROR
    said = capsys.readouterr().err
    assert "the label set 'one' has no labels yet; `engine label " in said
    assert pasted(said) == OK
    assert run(["audit", place, "classes"]) == OK


def test_tokens_name_the_label_set_that_makes_them(place: str) -> None:
    made = store.open(place)
    (encoding,) = made.encodings()
    said = made.tokens(encoding).lacking([0])
    assert said.endswith(f"`{label_command(made.storage, 'labels/one')}` finishes it")
    assert " --name one " in said


ANSWERS = {
    "plain": ("id,label", lambda row: f"id-{row},negative", []),
    "odd": (
        "row key;what it says;who;how sure",
        lambda row: f"id-{row};{'good, no doubt' if row % 2 else 'bad=worse'};a;0.75",
        [
            "--id", "row key", "--label", "what it says", "--annotator", "who", "--confidence", "how sure", "--hard", "0.8",
            "--label-map", '"good, no doubt=positive",bad\\=worse=negative', "--delimiter", ";", "--quote", "none",
        ],
    ),
    "scores": ("id,negative,positive,label", lambda row: f"id-{row},{row % 7},{-row % 5},positive", ["--scores", "logits"]),
}  # fmt: skip


@pytest.mark.parametrize("how", ANSWERS)
def test_a_label_set_of_answers_is_finished_from_its_files(place: str, tmp_path: Path, capsys, how: str) -> None:
    header, line, options = ANSWERS[how]
    files = [tmp_path / "first answers.csv", tmp_path / "it's more.csv"]
    for file, rows in zip(files, (range(40), range(40, ROWS)), strict=True):
        file.write_text("\n".join([header, *map(line, rows), ""]))
    made = [word for file in files for word in ("--from", str(file))]
    assert run(["label", "--store", place, "--name", "gpt", *made, *options]) in (OK, REJECTED)
    before = {file.name: file.read_bytes() for file in Path(place, "labels/gpt").iterdir()}
    lose(place, "labels/gpt", 2)
    capsys.readouterr()
    assert run(["info", place, "--format", "table"]) == OK
    table = capsys.readouterr().out
    assert f"answers: {files[0]}, {files[1]}" in table
    assert "gpt: 1 of 3 shards are missing; `engine label --store " in table
    assert pasted(table) == OK
    assert {file.name: file.read_bytes() for file in Path(place, "labels/gpt").iterdir()} == before
    assert run(["info", place, "--format", "table"]) == OK
    assert "are missing" not in capsys.readouterr().out
    assert run(["label", "--store", place, "--name", "gpt", "--teacher", "somewhere"]) == ERROR
    assert pasted(capsys.readouterr().err) == OK


def test_of_many_files_of_answers_the_command_says_how_many() -> None:
    files = [{"path": f"{number}.csv", "columns": {"id": "id"}} for number in range(25)]
    words = shlex.split(answers_command("s.store", "gpt", {"files": files, "scores": "logits"}))
    assert words[6:] == ["--from", "EACH OF ITS 25 FILES, AS 0.csv", "--id", "id", "--scores", "logits"]


def test_a_run_that_was_stopped_in_the_texts_is_gone_on_with(
    tmp_path: Path, teacher: str, texts_file: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.ingest import write_corpus

    real, written = write_corpus.write_shard, []

    def stopping(*arguments, **named):
        written.append(real(*arguments, **named))
        raise KeyboardInterrupt

    place = str(tmp_path / "my store")
    words = ["label", texts_file, "--store", place, "--teacher", teacher, "--shards", "3", "--delimiter", ";"]
    words += ["--text", "body", "--label", "none", "--name", "first", "--devices", "cpu", "--no-keep-tokens"]
    with monkeypatch.context() as patch:
        patch.setattr(write_corpus, "write_shard", stopping)
        assert run(words) == 130
    assert written
    (noted,) = read_runs(open_storage(place))
    assert sorted(shlex.split(noted["again"])) == sorted(["engine", *words])
    capsys.readouterr()
    assert run(["info", place, "--format", "table"]) == OK
    assert f"`{noted['again']}` goes on" in capsys.readouterr().out
    with pytest.raises(StoreMissingError) as refused:
        store.open(place).corpus.check_complete()
    assert pasted(str(refused.value)) == OK
    assert whole(place)


def test_every_option_of_a_request_is_in_its_command() -> None:
    config = engine.LabelConfig(
        store="s",
        teacher="a/b",
        revision="main",
        inputs=("a b.csv", "c.csv"),
        columns=ColumnNames(text="t", label=""),
        options=ReadOptions(delimiter="\t", quote="", names=("a", "b,c"), whole_files=True, label_map=(("1", "x"),)),
        classes=("x", "y, z"),
        shards=4,
        append=True,
        name="n",
        choices=engine.Choices(max_length=8, dtype="bf16", tokens_per_batch=512, check_rows=0),
        devices=("cuda:0", "cuda:1"),
        worker=(1, 4),
        keep_tokens=False,
        on_bad_row="fail",
        pilot=5,
        max_hours=0.5,
    )
    words = shlex.split(command_of(config, "my store"))
    assert words[:4] == ["engine", "label", "a b.csv", "c.csv"]
    pairs = dict(itertools.pairwise(words))
    assert {flag: pairs[flag] for flag in pairs if flag.startswith("--") and not pairs[flag].startswith("--")} == {
        "--store": "my store", "--teacher": "a/b", "--revision": "main", "--text": "t", "--label": "none",
        "--delimiter": "tab", "--quote": "none", "--columns": 'a,"b,c"', "--label-map": "1=x", "--classes": 'x,"y, z"',
        "--shards": "4", "--name": "n", "--max-length": "8", "--dtype": "bf16", "--tokens-per-batch": "512",
        "--check-rows": "0", "--devices": "cuda:0,cuda:1", "--worker": "1/4", "--on-bad-row": "fail", "--pilot": "5",
        "--max-hours": "0.5",
    }  # fmt: skip
    assert {"--append", "--no-keep-tokens", "--whole-files"} < set(words)
    assert command_of(engine.LabelConfig(store="s", teacher="t"), "s") == "engine label --store s --teacher t"


def test_a_plain_file_is_read_without_being_told_how() -> None:
    assert reading_words({"delimiter": ",", "quote": '"', "encoding": "utf-8"}) == []
    assert reading_words({"delimiter": "\x01", "quote": '"'}) == ["--delimiter", "\\x01", "--quote", '"']
    assert reading_words({}) == []


def test_the_notes_are_json_that_says_the_command_of_what_is_missing(place: str, capsys) -> None:
    capsys.readouterr()
    assert run(["info", place]) == OK
    families = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["again"] for one in families if one["about"] == "family"} == {None}
    lose(place, "labels/one", 1)
    assert run(["info", place]) == OK
    families = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (again,) = {one["again"] for one in families if one["about"] == "family"} - {None}
    assert again == label_command(open_storage(place), "labels/one")
