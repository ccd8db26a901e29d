"""Labels in a file of their own, a line each, and lists of classes beside data: no text, and never lost silently."""

import logging
import re
import subprocess
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.paths.label_lines import labels_beside

TEXTS = ["Soup was cold", "Lovely evening", "Rude at the door", "Best bread in town", "Sticky floor", "Great cake"]
LABELS = ["0", "1", "0", "1", "0", "1"]


def made(folder: Path, texts: str, labels: str, *, end: str = "\n", tab: str = "") -> None:
    """Write both files, in folders if their names say so."""
    for name, lines in ((texts, [TEXTS[0] + tab, *TEXTS[1:]]), (labels, LABELS)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(end.join([*lines, ""]).encode())


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ("train_text.txt", "train_labels.txt"),
        ("x.txt", "x.labels"),
        ("reviews.txt", "targets.txt"),
        ("my reviews.txt", "the labels.txt"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tab", ["", "\tso"])
def test_texts_and_labels_of_two_files_are_put_together(
    tmp_path: Path, texts: str, labels: str, end: str, tab: str
) -> None:
    made(tmp_path, texts, labels, end=end, tab=tab)
    with pytest.raises(InputError, match="it has no labels, and .* has one for each line") as raised:
        read_gold(GoldConfig(files=(str(tmp_path / texts),), classes=("bad", "good")))
    subprocess.run(str(raised.value).partition("put both together: ")[2], shell=True, check=True, cwd=tmp_path)
    gold = read_gold(GoldConfig(files=(str(tmp_path / "labelled.txt"),), classes=("bad", "good")))
    assert [gold.classes[label] for label in gold.labels] == ["bad", "good"] * 3
    assert list(gold.texts) == [TEXTS[0] + tab.replace("\t", " "), *TEXTS[1:]]


def test_a_folder_of_both_is_refused_with_the_way(tmp_path: Path) -> None:
    made(tmp_path, "set/train_text.txt", "set/train_labels.txt")
    with pytest.raises(InputError, match=r"train_labels.txt has a label for each line of .*train_text.txt") as raised:
        expand([str(tmp_path / "set")])
    command = re.search(r"put both together: (.*?);", str(raised.value))
    assert command is not None
    subprocess.run(command[1], shell=True, check=True, cwd=tmp_path)
    assert (tmp_path / "labelled.txt").read_text().splitlines()[1] == "1\tLovely evening"
    assert expand([str(tmp_path / "set/train_text.txt")]) == [str(tmp_path / "set/train_text.txt")]


def test_folders_of_many_texts_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each file of them."""
    (tmp_path / "many").mkdir()
    for number in range(50):
        (tmp_path / f"many/{number}.txt").write_text("a text")
    monkeypatch.setattr(Path, "glob", lambda *_: pytest.fail("listed again"))
    assert len(expand([str(tmp_path / "many")])) == 50


def test_the_labels_of_the_same_split_are_taken(tmp_path: Path) -> None:
    for split in ("test", "train"):
        made(tmp_path, f"{split}_text.txt", f"{split}_labels.txt")
    assert labels_beside(str(tmp_path / "train_text.txt")) == str(tmp_path / "train_labels.txt")
    assert labels_beside(str(tmp_path / "test_text.txt")) == str(tmp_path / "test_labels.txt")


@pytest.mark.parametrize("labels", ["0\n1\n0\n1\n", "\n".join(TEXTS), "", "0\n1\n\n1\n0\n1\n"])
def test_a_file_that_has_no_label_for_each_line_is_not_taken(tmp_path: Path, labels: str) -> None:
    made(tmp_path, "x.txt", "labels.txt")
    (tmp_path / "labels.txt").write_text(labels)
    assert labels_beside(str(tmp_path / "x.txt")) is None


@pytest.mark.parametrize("names", ["negative\npositive\n", "0\tnegative\n1\tpositive\n"])
def test_a_list_of_classes_beside_data_is_no_data(tmp_path: Path, caplog: pytest.LogCaptureFixture, names: str) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "data.txt").write_text("\n".join(TEXTS))
    (tmp_path / "classes.txt").write_text(names)
    assert expand([str(tmp_path)]) == [str(tmp_path / "data.txt")]
    assert "classes.txt: passed over, as the names of classes; name it by itself to read it" in caplog.text
    assert expand([str(tmp_path / "classes.txt")]) == [str(tmp_path / "classes.txt")]


@pytest.mark.parametrize("content", ["good\ngood\nbad\n", "A long text, " * 9 + "\nand another one\n", "one\n"])
def test_texts_in_a_file_called_as_a_list_of_classes_are_data(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.txt").write_text("\n".join(TEXTS))
    (tmp_path / "labels.txt").write_text(content)
    assert expand([str(tmp_path)]) == [str(tmp_path / "data.txt"), str(tmp_path / "labels.txt")]
