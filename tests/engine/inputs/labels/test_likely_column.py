"""No column is called a label: the one that seems to hold labels is named, in errors and in notes."""

from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.ingest.rejects_writer import RejectsWriter
from engine.ingest.validate import InputFile, validate_files
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.likely_column import likely_label

CLASSES = ("negative", "positive")
SIX = ["a", "b", "a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"sentiment": ["Positive", "negative", None], "lang": ["en", "en", "de"]}, "sentiment"),
        ({"x": ["positive", "NEGATIVE "], "category": ["food", "food"]}, "x"),
        ({"accept": ['["positive"]', '["negative"]', "[]"]}, "accept"),
        ({"Stimmung": ["positiv", "negativ"]}, "Stimmung"),
        ({"note": ["neg", "pos"]}, "note"),
        ({"note": ["p", "n"]}, None),
        ({"target": [0, 1, 1]}, "target"),
        ({"target": ["1", "2", "1"], "stars": ["1", "2", "1"]}, "target"),
        ({"target": [0, 1, 2]}, None),
        ({"month": [0, 1, 1]}, None),
        ({"prediction": ["positive", "negative"]}, None),
        ({"one": ["positive"], "two": ["negative"]}, None),
        ({"sentiment": [None, "", "nan"]}, None),
        ({"category": ["food", "drink", "food", "drink"]}, None),
        ({"score": [0.5, 1.0]}, None),
    ],
)
def test_the_values_of_a_column_say_what_it_holds(columns: dict[str, list[object]], likely: str | None) -> None:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    assert likely_label(arrays, CLASSES, by_name=False) == likely


def test_where_labels_are_needed_a_name_is_enough() -> None:
    columns = {"category": pa.array(SIX), "lang": pa.array(SIX)}
    assert likely_label(columns, ()) == "category"
    assert likely_label({**columns, "topic": pa.array(SIX)}, ()) is None


def table(folder: Path, name: str) -> str:
    path = folder / "rows.csv"
    path.write_text(f"text,{name}\n" + "".join(f"text {n},{CLASSES[n % 2]}\n" for n in range(6)))
    return str(path)


def test_an_error_names_it_and_the_way_works(tmp_path: Path) -> None:
    file = table(tmp_path, "my sentiment")
    with pytest.raises(InputError, match="name it with --label, for example --label 'my sentiment'"):
        read_gold(GoldConfig(files=(file,)))
    assert read_gold(GoldConfig(files=(file,), columns=ColumnNames(label="my sentiment"))).classes == [*CLASSES]


@pytest.mark.parametrize(("label", "count"), [(None, 1), (NO_COLUMN, 0), ("sentiment", 0)])
def test_texts_to_be_labelled_get_a_note_of_it_once(tmp_path: Path, label: str | None, count: int) -> None:
    file = InputFile(path=table(tmp_path, "sentiment"), name="rows.csv", columns=ColumnNames(label=label))
    validated = validate_files(
        [file], classes=CLASSES, rejects=RejectsWriter(None, on_bad_row="fail"), tick=lambda *_: None
    )
    told = [note for note in validated.notes if "'sentiment' seems to hold labels and is no gold; --label" in note]
    assert len(told) == count
