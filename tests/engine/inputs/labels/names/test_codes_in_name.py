"""Label columns whose names say what the numbers stand for."""

import logging
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.names.codes_in_name import names_in_name
from engine.inputs.options import ReadOptions
from store.format.shard import read_shard
from store.storage import MemoryStorage

CLASSES = ("negative", "positive")
COLUMN = "label (0=positive, 1=negative)"


def write(path: Path, column: str = COLUMN, labels: str = "011") -> str:
    path.write_text(f'id,text,"{column}"\n' + "".join(f"r{n},text {n},{label}\n" for n, label in enumerate(labels)))
    return str(path)


def gold(file: str, column: str = COLUMN, **options: object) -> list[str]:
    columns = ColumnNames(label=column)
    found = read_gold(GoldConfig(files=(file,), columns=columns, classes=CLASSES, options=ReadOptions(**options)))
    return [CLASSES[label] for label in found.labels]


def test_the_names_in_a_column_s_name_are_those_of_its_labels_at_every_door(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "sheet.csv")
    caplog.set_level(logging.INFO)
    assert gold(path) == ["positive", "negative", "negative"]
    assert f"{path}: the column '{COLUMN}' names its labels: 0 is positive, 1 is negative" in caplog.messages
    made = ingest(MemoryStorage(), IngestConfig(files=(path,), columns=ColumnNames(label=COLUMN)), known=CLASSES)
    assert read_shard(made.corpus, made.corpus.record(0))["label"].to_pylist() == [1, 0, 0]
    without = IngestConfig(files=(path,), columns=ColumnNames(label=NO_COLUMN))
    store = ingest(MemoryStorage(), without, known=CLASSES)
    add_gold(GoldRoundConfig(store=store.storage, inputs=(path,), columns=LabelColumns(label=COLUMN)))
    rows = store.sql("SELECT class FROM gold ORDER BY row").to_pylist()
    assert [row["class"] for row in rows] == ["positive", "negative", "negative"]


@pytest.mark.parametrize(
    ("comment", "wanted"),
    [
        ("# made by jo\n# labels: 0 = positive, 1 = negative", ["positive", "negative", "negative"]),
        ("# gender: 0 = positive, 1 = negative", ["negative", "positive", "positive"]),
    ],
)
def test_a_comment_above_the_header_names_the_labels(tmp_path: Path, comment: str, wanted: list[str]) -> None:
    path = write(tmp_path / "sheet.csv", column="label")
    Path(path).write_text(f"{comment}\n{Path(path).read_text()}")
    assert gold(path, column="label") == wanted
    said = (("0", "negative"), ("1", "positive"))
    assert gold(path, column="label", label_map=said) == ["negative", "positive", "positive"]


def test_a_map_of_the_user_wins(tmp_path: Path) -> None:
    path = write(tmp_path / "sheet.csv")
    assert gold(path, label_map=(("0", "negative"), ("1", "positive"))) == ["negative", "positive", "positive"]


def test_a_label_that_the_name_does_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has the label 2, and the column .* names the labels 0 to 1"):
        gold(write(tmp_path / "sheet.csv", labels="012"))


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("label (0=positive, 1=negative)", ("positive", "negative")),
        ("sentiment [1: very good; 0: not-so good]", ("not-so good", "very good")),
        ("label 0 -> neg / 1 -> pos", ("neg", "pos")),
        ("label (neg=0, pos=1)", ("neg", "pos")),
        ("label {'0': 'neg', '1': 'pos'}", ("neg", "pos")),
        ("label", ()),
        ("label (1=positive)", ()),
        ("rating (0=worst, 10=best)", ()),
        ("rating (1=worst, 5=best)", ()),
        ("label (-1=negative, 0=neutral, 1=positive)", ()),
        ("is it good? 0/1", ()),
        ("v1.0: label", ()),
    ],
)
def test_names_are_those_from_0_on(column: str, names: tuple[str, ...]) -> None:
    assert names_in_name(column) == names


@pytest.mark.parametrize(
    ("column", "labels", "pairs"),
    [
        ("label (0=pos, 1=neg)", "011", "neg=negative,pos=positive"),
        ("label (1=pos, 2=neg)", "122", "1=positive,2=negative"),
        ("label: 0 pos, 1 neg", "011", "0=positive,1=negative"),
        ("label (0/1 = positive/negative)", "011", "0=positive,1=negative"),
    ],
)
def test_names_that_only_begin_a_class_are_refused_with_the_map(
    tmp_path: Path, column: str, labels: str, pairs: str
) -> None:
    path = write(tmp_path / "sheet.csv", column, labels)
    with pytest.raises(InputError, match=f"--label-map {pairs}$"):
        gold(path, column)
    given = tuple(tuple(pair.split("=")) for pair in pairs.split(","))
    assert gold(path, column, label_map=given) == ["positive", "negative", "negative"]


def test_codes_that_are_indices_are_read(tmp_path: Path) -> None:
    column = "label: 0 neg, 1 pos"
    assert gold(write(tmp_path / "sheet.csv", column), column) == ["negative", "positive", "positive"]
