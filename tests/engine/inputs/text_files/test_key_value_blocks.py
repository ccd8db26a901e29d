"""Text files of blocks of keys and values → a refusal, and the command in it makes a row of each block."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.formats import read_raw

ROWS = [("Loved it: all of it", "positive"), ('Mould, and "cold" http://a.b', "negative"), ("Très bon 😊", "positive")]
SNAP = "product/productId: B{n}\nreview/score: {label}\nreview/text: {text}\n\n"


def refusal(path: Path, wanted: ColumnNames | None = None) -> str:
    with pytest.raises(InputError, match="blocks of key: value") as raised:
        list(read_raw(str(path), wanted or ColumnNames()))
    return str(raised.value)


@pytest.mark.parametrize(
    ("form", "lines", "flags"),
    [
        (SNAP, "1 and 5", "--text review/text --label review/score"),
        ("Title: {n}\nReview: {text}\n---\n", "1 and 4", "--text Review"),
        ("Review: {text}\nSentiment: {label}\n\n", "1 and 4", "--text Review --label Sentiment"),
        ("<Author>u{n}\n<Content>{text}\n<Overall>{label}\n", "1 and 4", "--text Content --label Overall"),
        ("Review {n}:\n{text}\nRating: {label}\n\n", "1 and 5", "--text Review --label Rating"),
        ("-[ RECORD {n} ]+---\nreview | {text}\nlabel  | {label}\n", "2 and 5", "--text review --label label"),
        ("review\t{text}\nsentiment\t{label}\n\n", "1 and 4", "--text review --label sentiment"),
    ],
)
def test_blocks_are_told_with_the_columns_that_they_make(tmp_path: Path, form: str, lines: str, flags: str) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("".join(form.format(n=n, text=text, label=label) for n, (text, label) in enumerate(ROWS * 2)))
    message = refusal(path)
    assert f"at the lines {lines} " in message
    assert message.endswith(f"then read rows.jsonl with {flags}; or pass --delimiter none if a line is a text")


def test_the_command_makes_a_row_of_each_block(tmp_path: Path) -> None:
    path = tmp_path / "reviews.txt"
    form = "Review: {0}\r\nand more\r\n\r\nNote: {1}\r\n---\r\n"
    path.write_bytes("".join(form.format(*row) for row in ROWS).encode("utf-16"))
    found = re.search(r": (iconv .* > rows\.jsonl); then", refusal(path))
    assert found
    subprocess.run(found[1], shell=True, check=True, cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == [{"Review": f"{text}\nand more", "Note": label} for text, label in ROWS]


def test_blocks_of_labels_name_the_ids(tmp_path: Path) -> None:
    path = tmp_path / "gold.txt"
    path.write_text("".join(f"id: {number}\nlabel: {label}\n" for number, (_, label) in enumerate(ROWS)))
    assert refusal(path, LabelColumns()).endswith("with --id id --label label")


def test_a_colon_here_and_there_is_prose(tmp_path: Path) -> None:
    path = tmp_path / "reviews.txt"
    lines = [
        "Note: great hotel",
        "We came late",
        "Tip: ask for a room",
        "Note: no lift",
        "Loved it",
        "Note: pool closed",
    ]
    path.write_text("\n".join([*lines, "Review: cold", "Tip: bring cash", "Tip: a late one"]))
    assert sum(block.rows for block in read_raw(str(path), ColumnNames())) == 9


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        ('<doc id="{n}">\n{text} & <b>so</b>\n</doc>\n', ("id", "text")),
        ("<review>\n  <text>{text} & <b>so</b></text>\n  <label>{n}</label>\n</review>\n", ("label", "text")),
    ],
)
def test_elements_of_xml_without_a_root_are_rows(tmp_path: Path, form: str, keys: tuple[str, str]) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("".join(form.format(n=n, text=text) for n, (text, _) in enumerate(ROWS)))
    with pytest.raises(InputError, match="elements of XML") as raised:
        list(read_raw(str(path), ColumnNames()))
    command = str(raised.value).partition("To make each a row: ")[2].partition("; or pass")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == [{keys[0]: str(n), keys[1]: f"{text} & <b>so</b>"} for n, (text, _) in enumerate(ROWS)]
