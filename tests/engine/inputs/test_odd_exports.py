"""Exports of known programs with rows that are no data, or columns that come several times: read, or refused with a way."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.options import ReadOptions

CLASSES = ("negative", "positive")
ROWS = [
    ("The kettle leaks, and the lid won't close.", "negative"),
    ('My daughter said "best birthday ever".', "positive"),
    ("Battery died after two days", "negative"),
    ("First line of praise.\nSecond line: still happy.", "positive"),
    ("Wobbly legs, missing screws and a torn manual", "negative"),
    ("Arrived early. Packed well. 10/10!", "positive"),
]


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def gold_of(path: Path, options: ReadOptions | None = None, **columns: str) -> list[tuple[str, str]]:
    config = GoldConfig(
        files=(str(path),),
        classes=CLASSES,
        columns=ColumnNames(**columns),
        options=options or ReadOptions(),
        on_bad_row="fail",
    )
    gold = read_gold(config)
    return [(text, CLASSES[label]) for text, label in zip(gold.texts, gold.labels, strict=True)]


def refused(path: Path, **columns: str) -> str:
    with pytest.raises(InputError) as raised:
        gold_of(path, **columns)
    return str(raised.value)


def test_rows_of_qualtrics_that_describe_columns_are_no_data_and_no_reason_to_refuse(tmp_path: Path) -> None:
    """Its second row repeats names as ``Progress``, and the names of questions do not say which is the text."""
    path = tmp_path / "in.csv"
    lines = [
        "StartDate,Progress,Q1,Q2",
        'Start Date,Progress,"In your own words, how was it?",And overall?',
        ",".join(quoted(f'{{"ImportId":"{name}"}}') for name in ("startDate", "progress", "QID1_TEXT", "QID2")),
        *(f"2024-03-01,100,{quoted(text)},{label}" for text, label in ROWS),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert "name it with --text, for example --text Q1" in refused(path)
    assert refused(path, text="Q1").endswith("name it with --label, for example --label Q2")
    assert gold_of(path, text="Q1", label="Q2") == ROWS


@pytest.mark.parametrize(
    "below", ["discrete\tstring\nclass\tmeta", "d\ts\nclass\t", "negative positive\tstring\nclass\tmeta"]
)
def test_types_and_roles_of_orange_are_no_data(tmp_path: Path, below: str) -> None:
    path = tmp_path / "in.tsv"
    rows = [(text, label) for text, label in ROWS if '"' not in text and "\n" not in text]
    path.write_text("sentiment\ttext\n" + below + "\n" + "".join(f"{label}\t{text}\n" for text, label in rows))
    if below.startswith("negative"):  # one type in two is not known
        path.write_text(path.read_text().replace("sentiment\t", "n\tsentiment\t", 1).replace("\n", "\n", 1))
        body = path.read_text().split("\n")
        lines = [body[0], "continuous\t" + body[1], "\t" + body[2], *(f"1\t{line}" for line in body[3:] if line)]
        path.write_text("\n".join(lines) + "\n")
    assert gold_of(path, label="sentiment") == rows


def test_columns_that_come_several_times_are_no_text_and_no_label(tmp_path: Path) -> None:
    """As in what Jira exports, with a column for each comment and each of its labels."""
    path = tmp_path / "in.csv"
    lines = ["Summary,Labels,Labels,Description,Custom field (Sentiment),Comment,Comment"]
    lines += [f"Feedback #{n},,web,{quoted(text)},{label},4 Mar;u1;seen,{n}" for n, (text, label) in enumerate(ROWS)]
    path.write_text("\n".join(lines) + "\n")
    assert "for example --text Description" in refused(path)
    assert refused(path, text="Description").endswith("for example --label 'Custom field (Sentiment)'")
    assert gold_of(path, text="Description", label="Custom field (Sentiment)") == ROWS
    path.write_text("text,text\na,b\n")
    assert "two columns are named 'text', and it is the text; rename one, or name another with --text" in refused(path)


def test_a_table_below_lines_with_a_hash_is_read_by_the_command(tmp_path: Path) -> None:
    """As Anki exports notes to plain text."""
    path = tmp_path / "in.txt"
    lines = [f"{quoted(text) if set(text) & set(chr(34) + chr(10)) else text}\t{label}\tkettle" for text, label in ROWS]
    path.write_text("#separator:tab\n#html:false\n#tags column:3\n" + "\n".join(lines) + "\n")
    message = refused(path)
    found = re.search(r"above a table\. Take them away: (.*), and read that with --columns (\S+);", message)
    assert found, message
    subprocess.run(found[1], shell=True, check=True, cwd=tmp_path)
    assert gold_of(tmp_path / "rows.tsv", ReadOptions(names=tuple(found[2].split(",")))) == ROWS
    path.write_text("# a title\nsome text\nother text\n# and more\nthe end of it\n")
    (block,) = read_blocks(str(path), ColumnNames())
    assert block.rows == 5


def test_escapes_of_mysql_are_undone_by_the_command(tmp_path: Path) -> None:
    path = tmp_path / "in.tsv"
    rows = [(text.replace("and", "and\n"), label) for text, label in ROWS]
    escaped = ((text.replace("\\", "\\\\").replace("\n", "\\n"), label) for text, label in rows)
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in escaped))
    (block,) = read_blocks(str(path), ColumnNames())
    (note,) = [note for note in block.reading.notes if "let Python write it as CSV: " in note]
    command = note.partition("as CSV: ")[2].partition("; --quote none")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert gold_of(tmp_path / "rows.csv") == rows


@pytest.mark.parametrize("header", [True, False])
def test_classes_with_reasons_behind_them_are_taken_out_by_the_command(tmp_path: Path, header: bool) -> None:
    path = tmp_path / "in.csv"
    before, between = ("**", "** - ") if header else ("", ", ")
    lines = [f"{quoted(text)},{quoted(f'{before}{label}{between}as it says {text[:9]}')}" for text, label in ROWS]
    path.write_text("\n".join(["text,label"] * header + lines) + "\n")
    names = None if header else ("text", "label")
    with pytest.raises(InputError, match="If the class stands first in them, write it alone: ") as raised:
        gold_of(path, ReadOptions(names=names))
    subprocess.run(str(raised.value).partition("write it alone: ")[2], shell=True, check=True, cwd=tmp_path)
    assert gold_of(tmp_path / "rows.jsonl") == ROWS


def test_files_of_numbers_and_of_names_have_a_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{quoted(t)},{CLASSES.index(k)}\n" for t, k in ROWS[:3]))
    (tmp_path / "b.csv").write_text("text,label\n" + "".join(f"{quoted(text)},{label}\n" for text, label in ROWS[3:]))
    message = refused(tmp_path)
    assert "if it is an index counted from 0: --label-map 0=negative,1=positive" in message
    assert gold_of(tmp_path, ReadOptions(label_map=(("0", "negative"), ("1", "positive")))) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("header", ["text\tlabel", "Ticket\tMessage\tSentiment"])
def test_a_text_file_of_a_spreadsheet_with_line_ends_in_its_cells_is_a_table(
    tmp_path: Path, encoding: str, header: str
) -> None:
    path = tmp_path / "in.txt"
    first = "7\t" if header.startswith("Ticket") else ""
    marked = [quoted(text) if set(text) & set('"\n') else text for text, _ in ROWS]
    lines = [f"{first}{text}\t{label}" for text, (_, label) in zip(marked, ROWS, strict=True)]
    path.write_bytes("\r\n".join([header, *lines, ""]).encode(encoding))
    if first:
        assert "name it with --text, for example --text Message" in refused(path)
        assert gold_of(path, text="Message", label="Sentiment") == ROWS
    else:
        assert gold_of(path) == ROWS


def test_row_names_of_r_and_backslashes_in_its_fields(tmp_path: Path) -> None:
    """As ``write.table`` writes them by itself: spaces between fields, and a header that is one name short."""
    path = tmp_path / "in.txt"
    rows = [(text.replace("\n", " "), label) for text, label in ROWS]
    escaped = [(text.replace('"', '\\"'), label) for text, label in rows]
    lines = (f'"{n}" "{text}" {len(text)} "{label}"' for n, (text, label) in enumerate(escaped, start=1))
    path.write_text("\n".join(['"text" "n" "label"', *lines]) + "\n")
    assert "pass --delimiter ' ' to read it as one" in refused(path)
    with pytest.raises(InputError, match="its header has 3 names and each row 4 fields") as raised:
        gold_of(path, ReadOptions(delimiter=" "))
    command = str(raised.value).partition("With GNU sed: ")[2]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert gold_of(tmp_path / "rows.txt", ReadOptions(delimiter=" ")) == rows


def test_a_remark_beside_a_text_is_not_taken_for_it(tmp_path: Path) -> None:
    """As in the tickets of Zendesk, whose ratings have comments."""
    path = tmp_path / "in.json"
    tickets = [
        {
            "id": n,
            "subject": f"Ticket {n}",
            "description": text,
            "satisfaction_rating": {"score": label, "id": n, "comment": "Thanks, you were kind" if n % 2 else None},
        }
        for n, (text, label) in enumerate(ROWS)
    ]
    path.write_text(json.dumps({"tickets": tickets}))
    assert refused(path).endswith("name it with --text, for example --text description")
    assert refused(path, text="description").endswith("for example --label satisfaction_rating")
    found = re.search(r"\((jq .*) takes it out\)", refused(path, text="description", label="satisfaction_rating"))
    assert found
    if shutil.which("jq") is None:
        pytest.skip("needs jq, which the message names")
    subprocess.run(found[1], shell=True, check=True, cwd=tmp_path)
    assert gold_of(tmp_path / "rows.jsonl", text="description", label="satisfaction_rating") == ROWS
