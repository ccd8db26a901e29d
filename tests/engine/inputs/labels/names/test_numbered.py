import json
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.options import ReadOptions

CLASSES = ("negative", "positive")
ROWS = [{"text": "good one", "label": 0}, {"text": "bad one", "label": 1}]
NAMES = ["positive", "negative"]
MAP = "--label-map 0=positive,1=negative"


def gold(file: Path, label_map: tuple[tuple[str, str], ...] | None = None) -> list[str]:
    config = GoldConfig(files=(str(file),), options=ReadOptions(label_map=label_map), classes=CLASSES)
    return [CLASSES[label] for label in read_gold(config).labels]


def lines(*rows: object) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"label_names": NAMES, "examples": ROWS}),
        json.dumps({"data": ROWS, "id2label": {"0": "positive", "1": "negative"}}),
        json.dumps({"meta": {"label2id": {"positive": 0, "negative": 1}}, "data": ROWS}),
        json.dumps({"features": {"label": {"names": NAMES, "_type": "ClassLabel"}}, "data": ROWS}),
        json.dumps({"categories": [{"id": 0, "name": "pos"}, {"id": 1, "name": "neg"}], "annotations": ROWS}),
        lines({"label_names": NAMES}, *ROWS),
        lines(*({**row, "label": [row["label"]], "label_names": NAMES} for row in ROWS)),
    ],
)
def test_names_in_the_file_of_other_classes_than_indices_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "d.json").write_text(content)
    with pytest.raises(InputError, match=MAP):
        gold(tmp_path / "d.json")
    assert gold(tmp_path / "d.json", (("0", "positive"), ("1", "negative"))) == NAMES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.txt", "positive\nnegative\n"),
        ("labels.txt", "0 positive\n1 negative\n"),
        ("hotel.names", "positive\nnegative\n"),
        ("class_names.json", json.dumps(NAMES)),
        ("config.json", json.dumps({"model_type": "bert", "id2label": {"0": "positive", "1": "negative"}})),
        ("labels.csv", "label,name\n0,positive\n1,negative\n"),
    ],
)
def test_names_beside_the_file_of_other_classes_than_indices_are_refused(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / "train.jsonl").write_text(lines(*ROWS))
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=MAP):
        gold(tmp_path / "train.jsonl")


@pytest.mark.parametrize(
    "names", [["negative", "positive"], ["LABEL_0", "LABEL_1"], ["sports", "politics"], ["positive", "positive"]]
)
def test_names_that_agree_or_are_no_classes_change_nothing(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"classes": names, "data": ROWS}))
    (tmp_path / "classes.txt").write_text("\n".join(names))
    assert gold(tmp_path / "d.json") == ["negative", "positive"]


def test_names_in_the_file_are_written_for_one_hot_labels(tmp_path: Path) -> None:
    rows = [{"text": "good one", "label": [1, 0]}]
    (tmp_path / "d.json").write_text(json.dumps({"classes": NAMES, "data": rows}))
    with pytest.raises(InputError, match=r'\["positive", "negative"\]\[index'):
        gold(tmp_path / "d.json")
    (tmp_path / "d.json").write_text(lines({**rows[0], "label_names": NAMES}))
    with pytest.raises(InputError, match=r'\$row\["label_names"\]\[index'):
        gold(tmp_path / "d.json")
