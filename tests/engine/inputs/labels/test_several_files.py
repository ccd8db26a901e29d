"""Several files of which one does not have all columns are refused with what is to be done."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to
from store.errors import MismatchError
from store.storage import LocalStorage, MemoryStorage

CLASSES = ("negative", "positive")
TEXTS = {"id": ["007", "a,b", "009"], "text": ['fine, "really"', "cold soup", "no label"]}
LABELS = {"id": ["a,b", "007"], "label": ["negative", "positive"]}
ONE_NAME = "It needs one name in all files: rename it where it has another, or leave the file out"

DOORS = {
    "gold": lambda files: read_gold(GoldConfig(files=files, classes=CLASSES)),
    "label": lambda files: ingest(MemoryStorage(), IngestConfig(files=files), known=CLASSES),
}


def write(path: Path, columns: dict[str, list[str]]) -> str:
    rows = list(zip(*columns.values(), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        mark = "\t" if path.suffix == ".tsv" else ";" if "semicolon" in path.name else ","
        quoted = [['"' + value.replace('"', '""') + '"' for value in row] for row in rows]
        path.write_text(mark.join(columns) + "\n" + "".join(mark.join(row) + "\n" for row in quoted))
    return str(path)


@pytest.mark.parametrize(
    ("texts", "labels", "id_"),
    [
        ("texts.csv", "labels.csv", "id"),
        ("a.csv", "b.csv", "id"),
        ("texts.csv", "labels semicolon.csv", "review_id"),
        ("o'texts.tsv", "labels.jsonl", "doc_id"),
        ("texts.parquet", "labels.csv", "id"),
    ],
)
@pytest.mark.parametrize("door", ["gold", "label"])
def test_texts_and_labels_in_two_files_are_joined_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: str, labels: str, id_: str, door: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = (write(tmp_path / texts, TEXTS), write(tmp_path / labels, {id_: LABELS["id"], "label": LABELS["label"]}))
    with pytest.raises(InputError, match="has texts, and .* their labels: join them by 'id' and read") as raised:
        DOORS[door](files)
    command = str(raised.value).partition("what comes out: ")[2]
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True)
    gold = read_gold(GoldConfig(files=("rows.csv",), classes=CLASSES))
    assert dict(zip(gold.texts, (CLASSES[label] for label in gold.labels), strict=True)) == {
        'fine, "really"': "positive",
        "cold soup": "negative",
    }
    assert gold.rejected == 1


def test_labels_beside_texts_are_a_round_of_gold_alone(tmp_path: Path) -> None:
    texts, labels = write(tmp_path / "texts.csv", TEXTS), write(tmp_path / "labels.csv", LABELS)
    store = ingest(MemoryStorage(), IngestConfig(files=(texts,)), known=CLASSES)
    with pytest.raises(InputError, match=rf"texts.csv: no column looks like the label \(columns: .*{ONE_NAME}"):
        add_gold(GoldRoundConfig(store=store.storage, inputs=(texts, labels)))
    assert add_gold(GoldRoundConfig(store=store.storage, inputs=(labels,))).added == 2


def test_a_label_of_another_name_in_one_file_is_to_be_renamed(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", {"id": ["1", "2"], "text": ["x", "y"], "label": ["negative", "positive"]})
    other = write(tmp_path / "b.csv", {"id": ["3"], "text": ["z"], "sentiment": ["negative"]})
    for name, words in ((None, "no column looks like the label"), ("sentiment", "there is no column 'sentiment'")):
        with pytest.raises(InputError, match=f"{words}.*{ONE_NAME}"):
            read_gold(GoldConfig(files=(one, other), columns=ColumnNames(label=name)))
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(other,)))
    assert ONE_NAME not in str(raised.value)
    store = ingest(MemoryStorage(), IngestConfig(files=(one,)), known=CLASSES)
    (tmp_path / "ds/b.txt").parent.mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "ds" / name).write_text("a text\n")
    with pytest.raises(
        InputError, match="put the texts of each class into a folder that names it, as label=positive/$"
    ):
        read_gold(GoldConfig(files=(str(tmp_path / "ds"),)))
    with pytest.raises(InputError, match=ONE_NAME):
        add_gold(GoldRoundConfig(store=store.storage, inputs=(one, other), columns=LabelColumns(label="sentiment")))


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", {"text": ["x"], "label": ["negative"]})
    (tmp_path / "b.jsonl").write_text("{\n")
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(one, str(tmp_path / "b.jsonl"))))
    assert ONE_NAME not in str(raised.value)


# --- files that hold rows of others, and files that are called as classes


@pytest.mark.parametrize("door", ["gold", "label"])
@pytest.mark.parametrize("name", ["reviews_sample.csv", "reviews_clean.csv", "reviews (1).csv", "Copy of reviews.csv"])
def test_a_copy_or_a_part_beside_its_file_is_refused_unless_it_is_named(tmp_path: Path, name: str, door: str) -> None:
    rows = {"text": ["Loved it!", "Cold soup", "So-so"], "label": ["positive", "negative", "negative"]}
    whole = write(tmp_path / "ds/reviews.csv", rows)
    part = write(tmp_path / "ds" / name, {"text": ["cold soup", "loved it"], "label": ["negative", "positive"]})
    for files in ((str(tmp_path / "ds"),), (f"{tmp_path}/ds/*.csv",)):
        with pytest.raises(InputError, match=r"once more, .*name the one that is to be read, as .*/reviews\.csv, or"):
            DOORS[door](files)
    DOORS[door]((whole,))
    DOORS[door]((whole, part))


@pytest.mark.parametrize("door", ["gold", "label"])
@pytest.mark.parametrize("ids", [{}, {"id": ["1", "2", "3", "4"]}])
def test_two_versions_in_a_folder_are_refused_whatever_they_are_called(
    tmp_path: Path, door: str, ids: dict[str, list[str]]
) -> None:
    texts = ["Loved it, and so will you", "The soup was cold", "So-so", "Never again, said all"]
    old = write(tmp_path / "ds/a.csv", {**ids, "text": texts, "label": ["positive", *["negative"] * 3]})
    new = write(
        tmp_path / "ds/b-LAPTOP.csv", {**ids, "text": texts, "label": ["positive", "positive", *["negative"] * 2]}
    )
    write(tmp_path / "ds/c.csv", {"id": ["5", "6"], "text": ["Other", "Rows"], "label": ["positive", "negative"]})
    with pytest.raises(InputError, match=r"two versions of the same rows: 4 of the first 4 texts .* or each file"):
        DOORS[door]((str(tmp_path / "ds"),))
    DOORS[door]((old,))
    DOORS[door]((old, new))


@pytest.mark.parametrize("door", DOORS)
def test_answers_that_come_again_and_again_make_no_two_versions(tmp_path: Path, door: str) -> None:
    answers = ["very satisfied", "satisfied", "neutral", "dissatisfied", "very dissatisfied"] * 10
    for month in ("2024-01", "2024-02"):
        write(tmp_path / f"ds/{month}.csv", {"text": answers, "label": ["positive", "negative"] * 25})
    DOORS[door]((str(tmp_path / "ds"),))


def test_other_rows_beside_a_file_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "reviews.csv", {"text": ["Loved it", "Cold"], "label": ["positive", "negative"]})
    old = write(tmp_path / "reviews_old.csv", {"text": ["Warm", "Bad"], "label": ["positive", "negative"]})
    caplog.set_level("INFO")
    DOORS["gold"]((str(tmp_path),))
    assert f"{old}: it is called as a copy or a part of {tmp_path}/reviews.csv" in caplog.text


def command_for(name: str, words: str, caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """The command that both doors give for a folder, and what is to be read then."""
    caplog.set_level("INFO")
    DOORS["label"]((name,))
    (note,) = (record.getMessage() for record in caplog.records if "called as classes" in record.getMessage())
    with pytest.raises(InputError, match="called as classes") as raised:
        DOORS["gold"]((name,))
    assert note.partition(words)[2] == str(raised.value).partition(words)[2]
    command, _, then = note.partition(words)[2].partition("; then read ")
    return command, then


@pytest.mark.parametrize(
    "names", [("positive.csv", "negative.csv"), ("pos.txt", "neg.txt"), ("x positive-1.csv", "x negative.csv")]
)
def test_files_called_as_classes_are_moved_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, names: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ds").mkdir()
    for name, text in zip(names, ("Loved it", "Cold soup"), strict=True):
        Path("ds", name).write_text(f"{text}\n" if name.endswith("txt") else f"text\n{text}\n")
    command, folders = command_for(
        "ds", "the files are called as classes; to make their names the labels, move them: ", caplog
    )
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    gold = read_gold(GoldConfig(files=tuple(folders.split()), classes=CLASSES))
    assert dict(zip(gold.texts, gold.labels.tolist(), strict=True)) == {"Loved it": 1, "Cold soup": 0}


@pytest.mark.parametrize("names", [("pos", "neg"), ("positive reviews", "negative reviews")])
def test_folders_called_as_classes_are_renamed_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, names: tuple[str, str]
) -> None:
    """As in the data set of film reviews, with a file a text."""
    monkeypatch.chdir(tmp_path)
    for name, text in zip(names, ("Loved it", "Cold soup"), strict=True):
        Path("train", name).mkdir(parents=True)
        for number in range(30):
            Path("train", name, f"{number}_9.txt").write_text(f"{text} {number}\n")
    words = "the folders are called as classes; to make their names the labels, rename them: "
    command, folder = command_for("train", words, caplog)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    gold = read_gold(GoldConfig(files=(folder,), classes=CLASSES))
    assert [text.startswith("Loved") for text in gold.texts] == [bool(label) for label in gold.labels]
    assert len(gold.texts) == 60


@pytest.mark.parametrize("door", ["gold", "label"])
def test_beside_folders_of_classes_is_one_without_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """As IMDb's reviews are given out, with addresses of pages and counts of words beside them."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("pos", "Loved it"), ("neg", "Awful"), ("unsup", "Who knows")):
        Path("train", name).mkdir(parents=True)
        for number in range(30):
            Path("train", name, f"{number}_9.txt").write_text(f"{text} {number}\n")
        Path(f"train/urls_{name}.txt").write_text("http://a.example/1\nhttp://a.example/2\n")
    Path("train/labeledBow.feat").write_text("9 0:9 1:1\n")
    caplog.set_level("INFO")
    if door == "gold":
        with pytest.raises(InputError, match="the folders are called as classes") as raised:
            read_gold(GoldConfig(files=("train",), classes=CLASSES))
        words = str(raised.value)
    else:
        DOORS["label"](("train",))
        words = caplog.text
    found = re.search(r"rename them: (mv .*); then read (.*)", words)
    assert found, words
    subprocess.run(found[1], shell=True, check=True, cwd=tmp_path)
    places = found[2].split()
    assert ("train/unsup" in places) == (door == "label")
    gold = read_gold(GoldConfig(files=tuple(place for place in places if "unsup" not in place), classes=CLASSES))
    assert [text.startswith("Loved") for text in gold.texts] == [bool(label) for label in gold.labels]
    assert len(gold.texts) == 60


@pytest.mark.parametrize("names", [("pos", "neg", "other"), ("pos", "pos2"), ("a", "b")])
def test_other_folders_are_not_called_as_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...]
) -> None:
    for name in names:
        write(tmp_path / name / "texts.csv", {"text": [f"{name} one", f"{name} two"]})
    caplog.set_level("INFO")
    DOORS["label"]((str(tmp_path),))
    assert "called as classes" not in caplog.text


def test_rows_of_a_file_without_the_named_label_have_no_gold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    labelled = write(tmp_path / "a.csv", {"text": ["fine", "cold"], "queue": ["positive", "negative"]})
    others = [write(tmp_path / name, {"text": [f"{name} one", f"{name} two"]}) for name in ("b.csv", "c.jsonl")]
    config = IngestConfig(files=(labelled, *others), columns=ColumnNames(label="queue"))
    made = ingest(MemoryStorage(), config, known=CLASSES)
    assert made.sql("SELECT label FROM corpus ORDER BY row").column("label").to_pylist() == [
        1,
        0,
        None,
        None,
        None,
        None,
    ]
    said = [one.getMessage() for one in caplog.records if "have no gold" in one.getMessage()]
    assert said == [f"{others[0]} and 1 more file: there is no column 'queue', and so its rows have no gold"]
    assert [entry["columns"]["label"] for entry in made.header.inputs] == ["queue", "", ""]


def test_a_named_label_that_no_file_has_or_that_is_to_be_learned_from_is_refused(tmp_path: Path) -> None:
    texts = tuple(write(tmp_path / name, {"text": [name, "two"]}) for name in ("b.csv", "c.csv"))
    labelled = write(tmp_path / "a.csv", {"text": ["fine", "cold"], "queue": ["positive", "negative"]})
    named = ColumnNames(label="queue")
    with pytest.raises(InputError, match=rf"b.csv: there is no column 'queue' for --label .*{ONE_NAME}"):
        ingest(MemoryStorage(), IngestConfig(files=texts, columns=named), known=CLASSES)
    with pytest.raises(InputError, match=rf"b.csv: there is no column 'queue' for --label .*{ONE_NAME}"):
        read_gold(GoldConfig(files=(labelled, *texts), columns=named))


def test_a_store_of_which_one_file_lacks_the_label_is_opened_again_with_the_same_options(tmp_path: Path) -> None:
    labelled = write(tmp_path / "a.csv", {"text": ["fine", "cold"], "queue": ["positive", "negative"]})
    files, named = (labelled, write(tmp_path / "b.csv", {"text": ["one", "two"]})), ColumnNames(label="queue")
    storage = LocalStorage(tmp_path / "s")
    ingest(storage, IngestConfig(files=files, columns=named), known=CLASSES)
    again = LabelConfig(store=storage, teacher="none", inputs=files, columns=named)
    given = given_to(again, storage)
    assert given is not None
    assert given.new == []
    with pytest.raises(
        MismatchError,
        match=r"b\.csv was read without a column of labels, .*a\.csv was read with the label column queue, and --label",
    ):
        given_to(dataclasses.replace(again, columns=ColumnNames(label="kind")), storage)
