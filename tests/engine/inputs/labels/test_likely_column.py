"""No column is called a label: the one that seems to hold labels is named, in errors and in notes."""

from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.ingest.rejects_writer import RejectsWriter
from engine.ingest.validate import InputFile, validate_files
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.likely_column import likely_labels, possible_gold, possible_labels

CLASSES = ("negative", "positive")
SIX = ["a", "b", "a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"sentiment": ["Positive", "negative", None], "lang": ["en", "en", "de"]}, ["sentiment"]),
        ({"x": ["positive", "NEGATIVE "], "category": ["food", "food"]}, ["x"]),
        ({"accept": ['["positive"]', '["negative"]', "[]"]}, ["accept"]),
        ({"Stimmung": ["positiv", "negativ"]}, ["Stimmung"]),
        ({"note": ["neg", "pos"]}, ["note"]),
        ({"note": ["p", "n"]}, []),
        ({"target": [0, 1, 1]}, ["target"]),
        ({"target": ["1", "2", "1"], "stars": ["1", "2", "1"]}, ["target"]),
        ({"target": [0, 1, 2]}, []),
        ({"month": [0, 1, 1]}, []),
        ({"prediction": ["positive", "negative"]}, []),
        ({"one": ["positive"], "two": ["negative"]}, ["one", "two"]),
        ({"sentiment": [None, "", "nan"]}, []),
        ({"category": ["food", "drink", "food", "drink"]}, ["category"]),
        ({"category": SIX, "lang": SIX}, ["category"]),
        ({"score": [0.5, 1.0]}, []),
        ({"is_positive": [True, False], "is_open": [True, False]}, ["is_positive"]),
        ({"voted": [True, False], "recommended": [True, False, True, False]}, ["recommended"]),
        ({"cats": ['{"POSITIVE": 1.0, "NEGATIVE": 0.0}'], "meta": ['{"a": 1}']}, ["cats"]),
        ({"votes": ['{"positive": 3}', '{"negative": 2}']}, ["votes"]),
        ({"annotation": ['{"label": "negative", "by": "a"}', '{"label": "positive", "by": "b"}']}, ["annotation"]),
        (
            {"GOLDEN:result": ["positive", None, None], "OUTPUT:result": ["positive", "negative", "positive"]},
            ["OUTPUT:result", "GOLDEN:result"],
        ),
        ({"s.responses": ['["positive"]', '["negative"]'], "s.suggestion": ["negative", "positive"]}, ["s.responses"]),
    ],
)
def test_the_values_of_a_column_say_what_it_holds(columns: dict[str, list[object]], likely: list[str]) -> None:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    assert likely_labels(arrays, CLASSES) == likely


def test_columns_that_could_hold_labels_are_few_short_values_or_nested() -> None:
    columns = {"lang": SIX, "url": [f"http://{n}" for n in range(6)], "tags": ['["a"]', '["b", "c"]'] * 3}
    arrays = {name: pa.array(values) for name, values in columns.items()}
    assert possible_labels(arrays) == ["lang", "tags"]
    assert possible_labels({"stars": pa.array([1, 2, 1, 2]), "price": pa.array([1.5, 2.5])}) == ["stars"]


TOPICS = [f"Topic {n}" for n in range(30)]


@pytest.mark.parametrize(
    ("columns", "classes", "gold"),
    [
        ({"lang": SIX}, CLASSES, ["lang"]),
        ({"subject": TOPICS[:8] * 3}, CLASSES, []),
        ({"subject": TOPICS * 60}, CLASSES, []),
        ({"subject": TOPICS * 60}, (), ["subject"]),
        ({"subject": TOPICS * 29}, (), []),
        ({"subject": TOPICS * 2}, TOPICS, ["subject"]),
        ({"team": list("abcdefghij") * 10}, CLASSES, ["team"]),
        ({"team": list("abcdefghijk") * 11}, CLASSES, []),
        ({"team": list("abcde") * 4}, list("vwxyz"), ["team"]),
        ({"team": list("abcde") * 4}, CLASSES, []),
        ({"title": SIX, "title_class": SIX}, CLASSES, ["title_class"]),
        ({"meta": [f'{{"seen": {n}}}' for n in range(40)], "tags": ['["a"]', '["b", "c"]'] * 3}, CLASSES, ["tags"]),
    ],
)
def test_only_a_column_of_about_as_few_values_as_classes_could_be_gold(
    columns: dict[str, list[object]], classes: list[str], gold: list[str]
) -> None:
    assert possible_gold({name: pa.array(values) for name, values in columns.items()}, classes) == gold


def table(folder: Path, name: str) -> str:
    path = folder / "rows.csv"
    path.write_text(f"text,{name}\n" + "".join(f"text {n},{CLASSES[n % 2]}\n" for n in range(6)))
    return str(path)


def test_an_error_names_it_and_the_way_works(tmp_path: Path) -> None:
    file = table(tmp_path, "my sentiment")
    with pytest.raises(InputError, match="name it with --label, for example --label 'my sentiment'"):
        read_gold(GoldConfig(files=(file,)))
    assert read_gold(GoldConfig(files=(file,), columns=ColumnNames(label="my sentiment"))).classes == [*CLASSES]


def test_names_that_a_store_needs_are_told_as_the_file_has_them(tmp_path: Path) -> None:
    file = table(tmp_path, "prediction_target")
    with pytest.raises(InputError, match="for example --label prediction_target$"):
        read_gold(GoldConfig(files=(file,)))
    renamed = table(tmp_path, "gold")
    with pytest.raises(InputError, match="for example --label gold$"):
        read_gold(GoldConfig(files=(renamed,)))


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("sentiment", None, "'sentiment' seems to hold labels and no gold is read; --label sentiment reads it as gold"),
        ("gold", None, "'gold' seems to hold labels and no gold is read; --label gold reads"),
        ("sentiment", NO_COLUMN, None),
        ("sentiment", "sentiment", None),
    ],
)
def test_texts_to_be_labelled_get_a_note_of_it_once(
    tmp_path: Path, name: str, label: str | None, words: str | None
) -> None:
    notes = notes_on(table(tmp_path, name), label)
    told = [note for note in notes if "no gold is read" in note]
    assert len(told) == (words is not None)
    assert words is None or words in told[0]


def test_other_columns_that_could_be_gold_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,lang,when\n" + "".join(f"text {n},{SIX[n]},2024-01-0{n + 1}\n" for n in range(6)))
    (note,) = notes_on(str(path), None)
    assert "no gold is read; if a column holds it ('lang'), --label NAME reads it as gold, and --no-label" in note
    path.write_text("text,when\n" + "".join(f"text {n},2024-01-0{n + 1}\n" for n in range(6)))
    assert notes_on(str(path), None) == []
    path.write_text("text,subject\n" + "".join(f"text {n},{TOPICS[n % 30]}\n" for n in range(1800)))
    assert notes_on(str(path), None) == []


def notes_on(path: str, label: str | None) -> list[str]:
    file = InputFile(path=path, name="rows.csv", columns=ColumnNames(label=label))
    rejects = RejectsWriter(None, on_bad_row="fail")
    return validate_files([file], classes=CLASSES, rejects=rejects, tick=lambda *_: None).notes
