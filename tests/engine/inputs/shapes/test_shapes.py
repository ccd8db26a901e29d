"""Tables that are not a text and its label a row → the command in the message, run as a user would, makes such rows."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.labels.annotations import read_annotations
from engine.inputs.labels.classes import index_labels
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.options import ReadOptions

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which messages name")
CLASSES = ("bad", "good")
ROWS = [("r1", "it's; late", "good"), ("r2", "y, no", "bad"), ("r3", 'so "z"', "good")]
OBJECTS = [json.dumps({"text": text, "label": label}).replace('"', '""') for _, text, label in ROWS]


def quoted(*values: str, by: str = ",") -> str:
    return by.join('"' + value.replace('"', '""') + '"' for value in values) + "\n"


def marked(mark: str, off: str, by: str = ",") -> str:
    lines = (
        quoted(id_, text, *(mark if label == name else off for name in CLASSES), by=by) for id_, text, label in ROWS
    )
    return by.join(["id", "text", *CLASSES]) + "\n" + "".join(lines)


LONG = [(id_, name, value) for id_, text, label in ROWS for name, value in (("text", text), ("label", label))]
TABLES = {
    "x": marked("x", ""),
    "a tick, between tabs": marked("✓", "", "\t"),
    "yes and no, between semicolons": marked("Yes", "No", ";"),
    "1 and 0": marked("1", "0"),
    "a long table": "id,field,value\n" + "".join(quoted(*row) for row in LONG),
    "objects of JSON": "id,payload\n"
    + "".join(f'{id_},"{said}"\n' for (id_, *_), said in zip(ROWS, OBJECTS, strict=True)),
}


def run(message: str, folder: Path) -> str:
    found = re.search(r"((python|jq) -c .* > rows\.jsonl)( takes it out\))?$", message)
    assert found, message
    subprocess.run(found[1].replace("python", sys.executable, 1), shell=True, check=True, cwd=folder)
    return str(folder / "rows.jsonl")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("is_gold", [True, False])
def test_the_command_makes_rows_of_a_text_and_a_label(tmp_path: Path, name: str, is_gold: bool) -> None:
    path = tmp_path / ("in.tsv" if "tabs" in name else "in.csv")
    path.write_text(TABLES[name])
    config, columns = GoldConfig(files=(str(path),), classes=CLASSES), LabelColumns(id="id")
    with pytest.raises(InputError) as raised:
        read_gold(config) if is_gold else list(read_annotations(str(path), columns, classes=CLASSES))
    made = run(str(raised.value), tmp_path)
    gold = read_gold(GoldConfig(files=(made,), classes=CLASSES))
    assert [(text, CLASSES[label]) for text, label in zip(gold.texts, gold.labels, strict=True)] == [
        (text, label) for _, text, label in ROWS
    ]
    found = read_annotations(made, LabelColumns())
    assert [(one.id, one.label) for one in found] == [(id_, label) for id_, _, label in ROWS]


def test_a_named_column_of_values_or_objects_is_refused(tmp_path: Path) -> None:
    for name, column in (("a long table", "value"), ("objects of JSON", "payload")):
        (tmp_path / "in.csv").write_text(TABLES[name])
        with pytest.raises(InputError, match=r"> rows\.jsonl$"):
            read_gold(GoldConfig(files=(str(tmp_path / "in.csv"),), columns=ColumnNames(text=column)))


def test_a_column_of_kinds_of_texts_is_no_long_table(tmp_path: Path) -> None:
    kinds = "".join(f"{n},{kind},t {n}\n" for n, kind in enumerate(["review", "comment", "review"]))
    (tmp_path / "in.csv").write_text(f"label,kind,text\n{kinds}")
    assert len(read_gold(GoldConfig(files=(str(tmp_path / "in.csv"),))).texts) == 3


@pytest.mark.parametrize(
    ("labels", "column", "way"),
    [
        (["x"], "good", "write a column 'label' that names the class of each row, and leave out --label"),
        (["no", "yes"], "bad", "--label-map no=good,yes=bad"),
        (["false", "true"], "good", "--label-map false=bad,true=good"),
        *((["0", "1"], name, "--label-map 0=good,1=bad") for name in ("bad", "is_bad", "labelBad", "bad_label")),
    ],
)
def test_a_column_with_the_name_of_a_class_is_refused_with_the_way(labels: list[str], column: str, way: str) -> None:
    beside = NamesBeside(CLASSES)
    beside.label_columns["in.parquet"] = column
    with pytest.raises(InputError) as raised:
        index_labels(labels, CLASSES, where="in.parquet", beside=beside)
    assert str(raised.value).endswith(way)


FORMS = {"objects": '{{"reason": "x{n}", "label": "{label}"}}', "fenced": '```json\n{{"label": "{label}"}}\n```'}
VALUES: dict[str, dict[str, str | float]] = {
    "scores": {"good": 0.93, "bad": 0.25},
    "scores around 0": {"good": 0.93, "bad": -0.25},
    "vectors": {"good": "[0.07 0.93]", "bad": "[1. 0.]"},
}


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".jsonl", marks=needs_jq)])
@pytest.mark.parametrize("form", [*FORMS, *VALUES])
def test_the_command_writes_classes_in_the_place_of_objects_and_scores(tmp_path: Path, suffix: str, form: str) -> None:
    def written(number: int, label: str) -> str | float:
        return VALUES[form][label] if form in VALUES else FORMS[form].format(n=number, label=label)

    rows = [(id_, text, written(number, label)) for number, (id_, text, label) in enumerate(ROWS)]
    path = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        path.write_text("id,text,label\n" + "".join(quoted(*map(str, row)) for row in rows))
    else:
        path.write_text(
            "".join(json.dumps(dict(zip(("id", "text", "label"), row, strict=True))) + "\n" for row in rows)
        )
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(path),), classes=CLASSES))
    gold = read_gold(GoldConfig(files=(run(str(raised.value), tmp_path),), classes=CLASSES))
    assert [CLASSES[label] for label in gold.labels] == [label for *_, label in ROWS]


PRINTED = {
    "bytes.csv": ("id,text,label\n", lambda id_, text, label: quoted(id_, repr(text.encode()), label)),
    "a list of one.tsv": ("id\ttext\tlabel\n", lambda id_, text, label: quoted(id_, repr([text]), label, by="\t")),
    "a dict.csv": ("id,review\n", lambda id_, text, label: quoted(id_, repr({"text": text, "label": label}))),
    "a struct.csv": ("id,review\n", lambda id_, text, label: quoted(id_, f"{{text={text}, label={label}}}")),
    "bytes.jsonl": (
        "",
        lambda id_, text, label: json.dumps({"id": id_, "text": repr(text.encode()), "label": label}) + "\n",
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_values_that_a_program_printed_are_no_texts_and_the_command_makes_them_of_it(tmp_path: Path, name: str) -> None:
    header, line = PRINTED[name]
    path = tmp_path / name
    path.write_text(header + "".join(line(*row) for row in ROWS))
    with pytest.raises(InputError, match="holds values as .* and not texts") as raised:
        read_gold(GoldConfig(files=(str(path),), classes=CLASSES))
    gold = read_gold(GoldConfig(files=(run(str(raised.value), tmp_path),), classes=CLASSES))
    assert gold.texts == [text for _, text, _ in ROWS]


@pytest.mark.parametrize(("name", "encoding"), [("a.jsonl", "latin-1"), ("a.jsonl", "cp1252"), ("a.csv", "cp1252")])
def test_texts_that_were_read_as_another_encoding_are_told_with_the_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, encoding: str
) -> None:
    texts = ["très bon", "it’s fine", "plain"] if encoding == "cp1252" else ["très bon", "Gut 😊", "plain"]
    wrong = [text.encode().decode(encoding) for text in texts]
    lines = [json.dumps({"text": text, "label": "good"}) if "json" in name else quoted(text, "good") for text in wrong]
    (tmp_path / name).write_text("text,label\n" * (name == "a.csv") + "\n".join(line.strip() for line in lines))
    caplog.set_level("INFO")
    assert read_gold(GoldConfig(files=(str(tmp_path / name),), classes=CLASSES)).texts == wrong
    command = caplog.text.partition("to mend that: ")[2].partition("\n")[0]
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path)
    (made,) = tmp_path.glob("rows*")
    assert read_gold(GoldConfig(files=(str(made),), classes=CLASSES)).texts == texts


def test_a_file_in_utf8_is_not_read_in_the_encoding_of_another(tmp_path: Path) -> None:
    """``--encoding`` is of all files of a command."""
    (tmp_path / "a.csv").write_text("text,label\nsehr schön,good\ntrès bon,good\nplain,bad\n", encoding="utf-8")
    config = GoldConfig(files=(str(tmp_path / "a.csv"),), classes=CLASSES, options=ReadOptions(encoding="cp1252"))
    with pytest.raises(
        InputError, match=r"a\.csv: it is UTF-8, and not cp1252 .*--encoding is of all files of a command"
    ):
        read_gold(config)
    (tmp_path / "a.csv").write_text("text,label\nsehr schön,good\nplain,bad\n", encoding="cp1252")
    assert read_gold(config).texts == ["sehr schön", "plain"]


def test_errors_of_a_spreadsheet_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n#NAME?,good\nfine,good\n#DIV/0!,bad\n#1,bad\n")
    gold = read_gold(GoldConfig(files=(str(tmp_path / "a.csv"),), classes=CLASSES))
    assert (gold.texts, gold.rejected) == (["fine", "#1"], 2)
    assert "text is #NAME?, an error of the spreadsheet" in gold.reasons[0]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_column_of_splits_is_refused_and_the_command_gives_one(tmp_path: Path, name: str) -> None:
    rows = [(text, label, "Train" if n < 2 else "test") for n, (_, text, label) in enumerate(ROWS)]
    names = ("text", "label", "part")
    lines = [json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows]
    lines = [",".join(names) + "\n", *(quoted(*row) for row in rows)] if name == "a.csv" else lines
    (tmp_path / name).write_text("".join(lines))
    with pytest.raises(InputError, match="'part' holds the splits Train, test: give the rows of one") as raised:
        read_gold(GoldConfig(files=(str(tmp_path / name),), classes=CLASSES))
    message = str(raised.value).partition(". If all rows")[0]
    gold = read_gold(GoldConfig(files=(run(message, tmp_path),), classes=CLASSES))
    assert gold.texts == [text for text, *_ in rows[:2]]


def test_labels_that_stand_once_for_a_group_are_told_with_the_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, labels = tmp_path / "a.csv", ("good", "", "", "bad", "")
    path.write_text("label,text\n" + "".join(f"{label},text {n}\n" for n, label in enumerate(labels)))
    caplog.set_level("INFO")
    assert read_gold(GoldConfig(files=(str(path),), classes=CLASSES)).rejected == 3
    (note,) = (message for message in caplog.messages if "3 of 5 labels are empty" in message)
    assert read_gold(GoldConfig(files=(run(note, tmp_path),), classes=CLASSES)).labels.tolist() == [1, 1, 1, 0, 0]
    caplog.clear()
    path.write_text("label,text\n" + "".join(f"{label},text {n}\n" for n, label in enumerate(("", *labels))))
    read_gold(GoldConfig(files=(str(path),), classes=CLASSES))
    assert "labels are empty" not in caplog.text


def test_scores_of_the_first_class_are_read_by_the_name_of_their_column(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,prob_bad\nx,0.93\ny,0.25\n")
    columns = ColumnNames(label="prob_bad")
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(tmp_path / "in.csv"),), classes=CLASSES, columns=columns))
    made = run(str(raised.value), tmp_path)
    assert read_gold(GoldConfig(files=(made,), classes=CLASSES, columns=columns)).labels.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".jsonl", marks=needs_jq)])
def test_the_class_with_the_most_votes_is_written(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": f"t {n}", "votes_good": good, "votes_bad": bad} for n, (good, bad) in enumerate([(3, 1), (0, 2)])]
    of_csv = "text,votes_good,votes_bad\n" + "".join(quoted(*map(str, row.values())) for row in rows)
    path = tmp_path / f"in{suffix}"
    path.write_text(of_csv if suffix == ".csv" else "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(path),), classes=CLASSES))
    made = run(str(raised.value), tmp_path)
    assert read_gold(GoldConfig(files=(made,), classes=CLASSES)).labels.tolist() == [1, 0]
