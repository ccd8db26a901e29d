"""Text files with a header that is not known at once, and files of ids and labels → the right rows or the way to them."""

import re
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.delimited_files.dialect import delimiter_named, quote_named
from engine.inputs.formats import read_raw
from engine.inputs.options import ReadOptions

ROWS = [
    ("The soup arrived cold, and late.", "0"),
    ("Loved it", "1"),
    ("So-so, and dear", "0"),
    ("Warm beds, good food", "1"),
]
IDS = ["h101", "h102", "h7", "h12"]
LABELS = ["negative", "positive", "negative", "positive"]


@pytest.mark.parametrize("header", ["document\tlabel", "id\tdocument\tlabel", "document\tsentiment"])
def test_a_header_without_a_known_text_is_no_row(tmp_path: Path, header: str) -> None:
    path = tmp_path / "ratings.txt"
    number = "{n}\t" if header.startswith("id") else ""
    rows = [f"{number.format(n=n)}{text}\t{label}" for n, (text, label) in enumerate(ROWS)]
    path.write_text("\n".join([header, *rows]))
    with pytest.raises(InputError, match="name it with --text, for example --text document; or"):
        list(read_raw(str(path), ColumnNames()))
    (block,) = read_raw(str(path), ColumnNames(text="document"))
    assert block.data["document"].to_pylist() == [text.encode() for text, _ in ROWS]


@pytest.mark.parametrize(
    ("header", "names", "way"),
    [
        ("id,document", "id,text", "leave --columns out and pass --text document"),
        ("document,label", "text,label", "leave --columns out and pass --text document"),
        ("verbatim,polarity", "text,label", "leave --columns out and pass --text verbatim --label polarity"),
    ],
)
def test_names_for_a_file_with_a_header_are_refused(tmp_path: Path, header: str, names: str, way: str) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        f'{header}\n1,"{ROWS[0][0]}"\n2,Loved it\n' if header[0] == "i" else f"{header}\nLoved it,1\nCold,0\n"
    )
    with pytest.raises(InputError, match=re.escape(way)):
        list(read_raw(str(path), ColumnNames(), ReadOptions(names=tuple(names.split(",")))))


def test_a_label_called_as_a_column_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "asked.txt"
    path.write_text("question\tWhere is it\npraise\tgood\nmiss\tbad\npraise\tnice hotel\nmiss\tcold\nmiss\tdear")
    assert sum(block.rows for block in read_raw(str(path), ColumnNames())) == 6


def flags_of(message: str) -> ReadOptions:
    flags = {name: one or other for name, one, other in re.findall(r"--(\w+) (?:'([^']+)'|(\S+))", message)}
    return ReadOptions(
        delimiter=delimiter_named(flags["delimiter"]),
        quote=quote_named(flags["quote"]) if "quote" in flags else None,
        names=tuple(flags["columns"].split(",")),
    )


@pytest.mark.parametrize(
    ("form", "is_read"),
    [
        ("{0}\t{1}", True),
        ("__label__{1} {0}", True),
        ("{0} {1}", False),
        ("{0},{1}", False),
        ("{1}: {0}", False),
        ("{0}\tx\t{1}", False),
        ("{1};{0}", False),
    ],
)
def test_lines_of_ids_and_labels_are_read_at_once_or_as_advised(tmp_path: Path, form: str, is_read: bool) -> None:
    path = tmp_path / "gold.txt"
    path.write_text("".join(form.format(*row) + "\n" for row in zip(IDS, LABELS, strict=True)))
    options = ReadOptions()
    if not is_read:
        with pytest.raises(InputError, match="--columns") as raised:
            list(read_raw(str(path), LabelColumns()))
        assert "if a line is a text" not in str(raised.value)
        options = flags_of(str(raised.value))
    (block,) = read_raw(str(path), LabelColumns(), options)
    assert block.data["id"].to_pylist() == [id_.encode() for id_ in IDS]
    assert block.data["label"].to_pylist() == [label.encode() for label in LABELS]


def test_texts_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(text for text, _ in ROWS))
    with pytest.raises(InputError, match="write it as CSV with the header id,label$"):
        list(read_raw(str(path), LabelColumns()))
