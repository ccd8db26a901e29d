"""Files of labels → what a label means, the same at every door: fine-tuning, evaluation, labelling, rounds of gold."""

import gzip
import json
import logging
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.labels.spelling import parse_label_map
from engine.inputs.options import ReadOptions
from store import Store
from store.storage import MemoryStorage

CLASSES = ("negative", "positive")
TEXTS = ["cold soup", "warm staff", "dirty bed", "quick and gentle"]
TRUTH = ["negative", "positive", "negative", "positive"]


def csv_file(path: Path, labels: list[str], *, header: str = "label") -> str:
    lines = [f"r{row},{text},{label}\n" for row, (text, label) in enumerate(zip(TEXTS, labels, strict=True))]
    path.write_text(f"id,text,{header}\n" + "".join(lines))
    return str(path)


def class_label(path: Path, labels: list[int], names: list[str]) -> str:
    """A Parquet file as the library datasets writes it, with ClassLabel names in its metadata."""
    table = pa.table({"id": [f"r{row}" for row in range(len(labels))], "text": TEXTS, "label": pa.array(labels)})
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), path)
    return str(path)


def at_every_door(file: str, **options: Any) -> dict[str, list[str | None]]:
    """The classes of the rows of ``file``, as each door reads them; a refusal by its message."""
    read = ReadOptions(**options)
    return {
        "finetune": _gold(file, read, CLASSES),
        "label": _labelled(file, read),
        "audit": _audited(file, read),
    }


def _gold(file: str, read: ReadOptions, classes: tuple[str, ...] | None) -> list[str | None]:
    gold = read_gold(GoldConfig(files=(file,), options=read, classes=classes))
    by_text = dict(zip(gold.texts, (gold.classes[label] for label in gold.labels), strict=True))
    return [by_text.get(text) for text in TEXTS]


def _labelled(file: str, read: ReadOptions) -> list[str | None]:
    return _classes(ingest(MemoryStorage(), IngestConfig(files=(file,), options=read), known=CLASSES))


def _classes(made: Store, column: str = "class") -> list[str | None]:
    return [row[column] for row in made.sql(f"SELECT {column} FROM corpus ORDER BY row").to_pylist()]


def _audited(file: str, read: ReadOptions) -> list[str | None]:
    texts = Path(file).parent / "texts.jsonl"
    texts.write_text("".join(json.dumps({"id": f"r{row}", "text": text}) + "\n" for row, text in enumerate(TEXTS)))
    made = ingest(MemoryStorage(), IngestConfig(files=(str(texts),)), known=CLASSES)
    add_gold(GoldRoundConfig(store=made.storage, inputs=(file,), options=read))
    found = {row["row"]: row["class"] for row in made.sql("SELECT row, class FROM gold").to_pylist()}
    return [found.get(row) for row in range(len(TEXTS))]


def same(answers: dict[str, list[str | None]], labels: list[str | None]) -> bool:
    return list(answers.values()) == [labels] * len(answers)


@pytest.mark.parametrize(
    "labels",
    [
        TRUTH,
        [" negative", "positive ", "negative", "positive"],
        ["Negative", "POSITIVE", "negative", "Positive"],
        ["0", "1", "0", "1"],
        ["0.0", "1.0", "0", "1"],
    ],
)
def test_a_label_is_the_same_class_at_every_door(tmp_path: Path, labels: list[str]) -> None:
    assert same(at_every_door(csv_file(tmp_path / "in.csv", labels)), list(TRUTH))


@pytest.mark.parametrize("word", ["", "nan", "NULL", "N/A", "None", "-1"])
def test_a_word_for_nothing_is_no_label_at_any_door(tmp_path: Path, word: str) -> None:
    file = csv_file(tmp_path / "in.csv", ["negative", word, "negative", "positive"])
    assert same(at_every_door(file), ["negative", None, "negative", "positive"])


def test_the_names_in_a_file_come_before_the_order_of_the_model(tmp_path: Path) -> None:
    file = class_label(tmp_path / "in.parquet", [1, 0, 1, 0], ["positive", "negative"])
    assert same(at_every_door(file), list(TRUTH))
    assert read_gold(GoldConfig(files=(file,))).classes == ["positive", "negative"]


def test_minus_one_is_no_label_beside_names_in_a_file(tmp_path: Path) -> None:
    file = class_label(tmp_path / "in.parquet", [1, -1, 1, 0], ["positive", "negative"])
    assert same(at_every_door(file), ["negative", None, "negative", "positive"])


def test_names_in_a_file_that_are_not_the_models_are_shown_beside_them(tmp_path: Path) -> None:
    file = class_label(tmp_path / "in.parquet", [1, 0, 1, 0], ["ham", "spam"])
    with pytest.raises(InputError, match=r"ham, spam.*negative, positive.*--label-map"):
        _gold(file, ReadOptions(), CLASSES)


# Counted from one


@pytest.mark.parametrize("labels", [["1", "2", "1", "2"], ["2", "2", "2", "2"], ["1.0", "2.0", "nan", "2.0"]])
@pytest.mark.parametrize("door", ["finetune", "label", "audit"])
def test_labels_that_are_counted_from_one_stop_every_door(tmp_path: Path, labels: list[str], door: str) -> None:
    file = csv_file(tmp_path / "in.csv", labels)
    doors = {
        "finetune": lambda: _gold(file, ReadOptions(), CLASSES),
        "label": lambda: _labelled(file, ReadOptions()),
        "audit": lambda: _audited(file, ReadOptions()),
    }
    with pytest.raises(InputError, match=r"counted from 1.*--label-map 1=negative,2=positive"):
        doors[door]()


def test_the_way_out_of_labels_that_are_counted_from_one_leads_out(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", ["1", "2", "1", "2"])
    assert same(at_every_door(file, label_map=parse_label_map("1=negative,2=positive")), list(TRUTH))


def test_nothing_is_written_where_labels_are_counted_from_one(tmp_path: Path) -> None:
    storage = MemoryStorage()
    with pytest.raises(InputError, match="counted from 1.*--no-label"):
        ingest(storage, IngestConfig(files=(csv_file(tmp_path / "in.csv", ["1", "2", "1", "2"]),)), known=CLASSES)
    assert [name for name in storage.list("") if storage.list(name)] == []


def test_stars_are_no_indices_of_two_classes(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", ["1", "5", "1", "4"])
    with pytest.raises(InputError, match=r"the labels are 1, 4, 5.*negative, positive"):
        _gold(file, ReadOptions(), CLASSES)


def test_five_classes_counted_from_one_stop_too(tmp_path: Path) -> None:
    stars = tuple(f"{number} stars" for number in range(1, 6))
    with pytest.raises(InputError, match="counted from 1"):
        _gold(csv_file(tmp_path / "in.csv", ["1", "5", "3", "4"]), ReadOptions(), stars)


def test_whole_numbers_without_zero_are_no_indices(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", ["1"] * 4)
    assert _labelled(file, ReadOptions()) == [None] * 4
    with pytest.raises(InputError, match="the labels are 1.*indices only if 0 is among them.*--label-map 1=CLASS"):
        _gold(file, ReadOptions(), CLASSES)
    assert same(at_every_door(file, label_map=parse_label_map("1=positive")), ["positive"] * 4)


# A gold column never blocks labelling


@pytest.mark.parametrize(
    "labels",
    [["ham", "spam", "ham", "spam"], ["sku0", "sku1", "sku2", "sku3"], ["False", "True", "False", "True"], ["3"] * 4],
)
def test_a_column_that_is_no_gold_is_kept_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, labels: list[str]
) -> None:
    caplog.set_level(logging.INFO)
    made = ingest(MemoryStorage(), IngestConfig(files=(csv_file(tmp_path / "in.csv", labels),)), known=CLASSES)
    assert _classes(made) == [None] * 4
    assert [str(value) for value in _classes(made, "label_")] == labels
    assert "no gold" in caplog.text
    assert "--no-label" in caplog.text
    assert made.header.rejects["rows"] == 0


@pytest.mark.parametrize("columns", [ColumnNames(label=NO_COLUMN)])
def test_without_labels_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, columns: ColumnNames) -> None:
    caplog.set_level(logging.INFO)
    config = IngestConfig(files=(csv_file(tmp_path / "in.csv", TRUTH),), columns=columns)
    assert _classes(ingest(MemoryStorage(), config, known=CLASSES)) == [None] * 4
    assert caplog.text == ""


def test_a_label_that_is_no_class_among_others_is_no_gold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = csv_file(tmp_path / "in.csv", ["negative", "neutral", "negative", "positive"])
    assert _labelled(file, ReadOptions()) == ["negative", None, "negative", "positive"]
    assert "labels of 1 row are none of the classes negative, positive: neutral" in caplog.text


def test_a_column_that_the_user_names_has_to_be_gold(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", ["ham", "spam", "ham", "spam"], header="kind")
    with pytest.raises(InputError, match=r"ham, spam.*negative, positive.*--no-label"):
        ingest(MemoryStorage(), IngestConfig(files=(file,), columns=ColumnNames(label="kind")), known=CLASSES)


# New class names


@pytest.mark.parametrize(
    ("labels", "warning"),
    [
        (["good", "Good", "bad", "bad"], "'good' (1 row) as 'Good' (1 row); if so: --label-map good=Good"),
        (["good", "bad", "unknown", "bad"], "'unknown' may be no class"),
    ],
)
def test_a_new_class_that_is_nearly_another_or_no_name_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, labels: list[str], warning: str
) -> None:
    caplog.set_level(logging.INFO)
    read_gold(GoldConfig(files=(csv_file(tmp_path / "in.csv", labels),)))
    assert warning in caplog.text


def test_ids_that_restart_are_used_without_the_column(tmp_path: Path) -> None:
    files = tuple(csv_file(tmp_path / name, TRUTH) for name in ("one.csv", "two.csv"))
    config = GoldConfig(files=files, classes=CLASSES)
    assert read_gold(config).rejected == 4
    assert "--id none" in read_gold(config).reasons[0]
    everything = read_gold(GoldConfig(files=files, classes=CLASSES, columns=ColumnNames(id=NO_COLUMN)))
    assert (len(everything.texts), everything.rejected) == (8, 0)


def test_a_round_of_gold_takes_a_label_map(tmp_path: Path) -> None:
    made = ingest(MemoryStorage(), IngestConfig(files=(csv_file(tmp_path / "in.csv", TRUTH),)), known=CLASSES)
    stars = csv_file(tmp_path / "stars.csv", ["1", "5", "1", "4"], header="stars")
    options = ReadOptions(label_map=parse_label_map("1=negative,4=positive,5=positive"))
    columns = LabelColumns(label="stars")
    added = add_gold(GoldRoundConfig(store=made.storage, inputs=(stars,), columns=columns, options=options))
    assert (added.added, added.agreeing, added.rejected) == (4, 4, 0)


def test_a_header_among_the_rows_is_no_row(tmp_path: Path) -> None:
    both = tmp_path / "both.csv"
    both.write_text("id,text,label\na,x,positive\nid,text,label\nb,y,negative\n")
    made = ingest(MemoryStorage(), IngestConfig(files=(str(both),)), known=CLASSES)
    assert [row["text"] for row in made.sql("SELECT text FROM corpus ORDER BY row").to_pylist()] == ["x", "y"]
    assert made.sql("SELECT source_row, reason FROM rejects").to_pylist() == [
        {"source_row": 2, "reason": "the row repeats the header"}
    ]


def test_ids_that_restart_are_told_at_the_door_of_the_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    files = tuple(csv_file(tmp_path / name, TRUTH) for name in ("one.csv", "two.csv"))
    assert ingest(MemoryStorage(), IngestConfig(files=files), known=CLASSES).header.rejects["rows"] == 4
    assert "refused 4 rows: id is that of an earlier row; if ids begin anew" in caplog.text
    everything = IngestConfig(files=files, columns=ColumnNames(id=NO_COLUMN))
    assert ingest(MemoryStorage(), everything, known=CLASSES).header.rows == 8


# What files say beside the label, and what they say twice


def _notes(file: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the door of labelling says of ``file``, without its name."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    _labelled(file, ReadOptions())
    return [record.getMessage().removeprefix(f"{file}: ") for record in caplog.records]


@pytest.mark.parametrize("columns", [ColumnNames(), ColumnNames(label=NO_COLUMN)])
def test_lines_of_several_labels_are_texts_without_gold(tmp_path: Path, columns: ColumnNames) -> None:
    """As cooking.stackexchange.txt of fastText has them."""
    lines = [f"__label__sauce {TEXTS[0]}", *(f"__label__a __label__b {text}" for text in TEXTS[1:])]
    (tmp_path / "in.txt").write_text("\n".join(lines))
    made = ingest(MemoryStorage(), IngestConfig(files=(str(tmp_path / "in.txt"),), columns=columns), known=CLASSES)
    assert _classes(made) == [None] * 4
    assert _classes(made, "text") == TEXTS


def test_an_empty_column_leaves_the_label_to_the_path(tmp_path: Path) -> None:
    file = tmp_path / "label=positive" / "in.csv"
    file.parent.mkdir()
    assert at_every_door(csv_file(file, [""] * 4)) == dict.fromkeys(("finetune", "label", "audit"), ["positive"] * 4)


@pytest.mark.parametrize("label", ["\u200bpositive", "positive\u200b ", "\ufeffpositive", " \u2060positive"])
def test_what_cannot_be_seen_around_a_label_is_no_part_of_it(tmp_path: Path, label: str) -> None:
    file = csv_file(tmp_path / "in.csv", [label, "negative", label, "negative"])
    labels = ["positive", "negative", "positive", "negative"]
    assert at_every_door(file) == dict.fromkeys(("finetune", "label", "audit"), labels)


def test_labels_in_a_message_are_told_apart(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", ['"0,0"', '"1,0"', "nega\u200btive", "."])
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(file,), classes=CLASSES))
    assert "the labels are '.', '0,0', '1,0', 'nega\\u200btive', and the classes are negative, positive" in str(
        raised.value
    )
    way = str(raised.value).partition("--label-map ")[2].strip("'").replace(".=CLASS", ".=negative")
    names = ("negative", "positive", "negative")
    for name in names:
        way = way.replace("CLASS", name, 1)
    gold = read_gold(GoldConfig(files=(file,), classes=CLASSES, options=ReadOptions(label_map=parse_label_map(way))))
    assert [gold.classes[label] for label in gold.labels] == ["negative", "positive", "negative", "negative"]


def test_a_column_with_the_name_of_a_class_says_one_for_it(tmp_path: Path) -> None:
    """One column of a one-hot table: 1 stands for ``negative``, which is the class of index 0."""
    file, columns = (
        csv_file(tmp_path / "in.csv", ["1", "0", "1", "0"], header="Negative"),
        ColumnNames(label="Negative"),
    )
    with pytest.raises(InputError, match="the class 'negative', and so 1 seems to be it: --label-map 0=positive,1=neg"):
        ingest(MemoryStorage(), IngestConfig(files=(file,), columns=columns), known=CLASSES)
    options = ReadOptions(label_map=parse_label_map("0=positive,1=negative"))
    gold = read_gold(GoldConfig(files=(file,), columns=columns, options=options, classes=CLASSES))
    assert [gold.classes[label] for label in gold.labels] == TRUTH
    file = csv_file(tmp_path / "in.csv", ["0", "1", "0", "1"], header="positive")
    gold = read_gold(GoldConfig(files=(file,), columns=ColumnNames(label="positive"), classes=CLASSES))
    assert [gold.classes[label] for label in gold.labels] == TRUTH
    with pytest.raises(InputError, match="write a column 'label' that names the class of each row"):
        read_gold(GoldConfig(files=(file,), columns=ColumnNames(label="positive"), classes=("a", "positive", "c")))


def test_names_beside_numbers_are_the_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in SetFit's data sets, where 0 need not be the model's first class."""
    numbers = ["1", "0", "1", "0"]
    lines = (f"r{row},{TEXTS[row]},{numbers[row]},{TRUTH[row]}\n" for row in range(4))
    (tmp_path / "in.csv").write_text("id,text,label,label_text\n" + "".join(lines))
    assert at_every_door(str(tmp_path / "in.csv")) == dict.fromkeys(("finetune", "label", "audit"), TRUTH)
    said = "the label is read from 'label_text', and not from 'label'; --label names another column"
    assert said in _notes(str(tmp_path / "in.csv"), caplog)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("text,body", "the text is read from 'text', and not from 'body'; --text names another column"),
        ("Text,text", "the text is read from 'text', and not from 'Text'; --text names another column"),
        ("comment,tweet", "the text is read from 'comment'; --text names another column"),
        ("text,Label,label", "the label is read from 'label', and not from 'Label'; --label names another column"),
        ("text,tweet", None),
        ("Review,stars", None),
    ],
)
def test_a_doubtful_choice_of_a_column_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: str, said: str | None
) -> None:
    width = names.count(",") + 1
    (tmp_path / "in.csv").write_text(f"{names}\n" + "".join(",".join(["negative"] * width) + "\n" for _ in range(3)))
    notes = _notes(str(tmp_path / "in.csv"), caplog)
    assert [note for note in notes if "is read from" in note] == ([] if said is None else [said])


def test_rows_of_named_files_that_come_twice_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("reviews.csv", "reviews (1).csv", "other.csv"):
        (tmp_path / name).write_text(
            "text\n" + ("other\n" if name == "other.csv" else "".join(f"{t}\n" for t in TEXTS))
        )
    caplog.set_level(logging.INFO)
    files = tuple(map(str, sorted(tmp_path.iterdir())))
    made = ingest(MemoryStorage(), IngestConfig(files=files), known=CLASSES)
    assert made.header.rows == 9
    notes = [record.getMessage() for record in caplog.records]
    first, again = f"{tmp_path}/reviews (1).csv", f"{tmp_path}/reviews.csv"
    assert notes == [f"{again}: its rows are those of {first}, so that all of them come twice"]


@pytest.mark.parametrize("other", ["b.csv", "b.jsonl"])
def test_gold_that_comes_twice_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, other: str) -> None:
    write_lines = {
        "b.csv": "text,label\nfine,positive\nfoul,negative\n",
        "b.jsonl": '{"text": "fine", "label": "positive"}\n{"text": "foul", "label": "negative"}\n',
        "c.csv": "text,label\nfine,negative\nfoul,positive\n",
        "d.csv": "text,label\n",
        "e.csv": "text,label\n",
    }
    first = tmp_path / "a.csv"
    first.write_text(write_lines["b.csv"])
    for name, content in write_lines.items():
        (tmp_path / name).write_text(content)
    caplog.set_level(logging.INFO)
    names = ("a.csv", other, "c.csv", "d.csv", "e.csv")
    read_gold(GoldConfig(files=tuple(str(tmp_path / name) for name in names)))
    notes = [record.getMessage() for record in caplog.records]
    assert notes == [f"{tmp_path / other}: its rows are those of {first}, so that all of them come twice"]


def test_files_without_rows_repeat_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, rows in (("a.csv", "fine\n"), ("b.csv", ""), ("c.csv", "")):
        (tmp_path / name).write_text("text\n" + rows)
    caplog.set_level(logging.INFO)
    ingest(MemoryStorage(), IngestConfig(files=(str(tmp_path),)), known=CLASSES)
    assert not caplog.records


@pytest.mark.parametrize(("one", "other"), [("rows.csv", "rows.csv.gz"), ("rows.json", "rows.jsonl")])
def test_a_folder_with_the_same_rows_in_two_forms_is_refused(tmp_path: Path, one: str, other: str) -> None:
    for name in (one, other):
        (tmp_path / name).write_text('[{"text": "x"}]')
    for given in (str(tmp_path), f"{tmp_path}/*"):
        with pytest.raises(
            InputError, match=f"{one} and .*{other} seem to be the same rows; name the one that is to be"
        ):
            expand([given])
    assert expand([f"{tmp_path}/{one}", f"{tmp_path}/{other}"]) == [f"{tmp_path}/{one}", f"{tmp_path}/{other}"]


def test_a_round_of_gold_says_how_its_files_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in.csv").write_text("id;Label;label\n" + "".join(f"r{n};x;{label}\n" for n, label in enumerate(TRUTH)))
    caplog.set_level(logging.INFO)
    assert _audited(str(tmp_path / "in.csv"), ReadOptions()) == TRUTH
    notes = [record.getMessage() for record in caplog.records if record.getMessage().startswith(f"{tmp_path}/in.csv")]
    assert notes == [
        f"{tmp_path}/in.csv: read with ';' between fields",
        f"{tmp_path}/in.csv: the label is read from 'label', and not from 'Label'; --label names another column",
    ]


def test_ids_are_found_though_a_program_padded_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("id,text\n1,a\n2,b\nr3,c\n4,d\n4.0,e\n")
    made = ingest(MemoryStorage(), IngestConfig(files=(str(texts),)), known=CLASSES)
    gold = tmp_path / "gold.csv"
    gold.write_text("id,label\n1.0,positive\n2 ,negative\nR3,positive\n4.0,positive\n5.0,positive\n")
    caplog.set_level(logging.INFO)
    added = add_gold(GoldRoundConfig(store=made.storage, inputs=(str(gold),)))
    assert added.reasons == [
        f"{gold} row 3: id 'R3' is not in the store; 'r3' is",
        f"{gold} row 5: id '5.0' is not in the store",
    ]
    found = {row["row"]: row["class"] for row in made.sql("SELECT row, class FROM gold").to_pylist()}
    assert found == {0: "positive", 1: "negative", 4: "positive"}
    assert f"{gold}: 2 ids found without the white space around, or the .0 behind" in caplog.text


def test_a_file_that_was_compressed_twice_has_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(gzip.compress(b"text\nx\n")))
    with pytest.raises(InputError, match="compressed twice; unpack it once") as raised:
        list(read_blocks(str(tmp_path / "in.csv.gz"), ColumnNames()))
    subprocess.run(str(raised.value).partition("with: ")[2], shell=True, check=True, cwd=tmp_path)
    (block,) = read_blocks(str(tmp_path / "once.csv.gz"), ColumnNames())
    assert block.text.to_pylist() == ["x"]


def test_the_index_of_pandas_may_be_the_id(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "in.csv", TRUTH)
    Path(file).write_text(Path(file).read_text().removeprefix("id"))
    with pytest.raises(InputError, match="the first column has no name: give it one, as with sed -E") as raised:
        _audited(file, ReadOptions())
    command = str(raised.value).partition("as with ")[2].partition("; or,")[0]
    subprocess.run(f"{command} > named.csv", shell=True, check=True, cwd=tmp_path)
    assert _audited(str(tmp_path / "named.csv"), ReadOptions()) == TRUTH
