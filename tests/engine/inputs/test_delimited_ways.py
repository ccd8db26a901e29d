"""Delimited files that are not read as they are → a refusal, of which the command or the flag works when followed."""

import bz2
import csv
import gzip
import io
import re
import subprocess
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.formats import read_raw
from engine.inputs.options import ReadOptions

ROWS = [
    ("h101", "The soup arrived cold.", "bad"),
    ("h102", "The ramen was rich, and hot.", "good"),
    ("h103", 'They call it "fine", I do not.', "bad"),
    ("h104", "Best dentist;\never, 5 stars", "good"),
]
HEADER = ("id", "text", "label")
LINES = [(id_, text.replace("\n", " "), label) for id_, text, label in ROWS]


def table(rows: list[tuple[str, ...]], delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue()


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    data = content.encode(encoding)
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix)
    path.write_bytes(pack(data) if pack else data)
    return path


def rows_of(path: Path, options: ReadOptions | None = None) -> list[tuple | str]:
    """Id, text and label of each row, or why it is refused."""
    rows: list[tuple | str] = []
    for block in read_raw(str(path), ColumnNames(), options or ReadOptions()):
        columns = [block.data[name].to_pylist() for name in HEADER]
        for problem, *values in zip(block.problems, *columns, strict=True):
            rows.append(problem or tuple(value.decode() for value in values))
    return rows


def refusal(path: Path, words: str, options: ReadOptions | None = None) -> str:
    with pytest.raises(InputError, match=words) as raised:
        rows_of(path, options)
    return str(raised.value)


def followed(message: str, path: Path) -> Path:
    """The file that the command of a message makes."""
    command = re.search(r"(?:with|GNU sed): ((?:sed|tail|python3|gzip|bzip2|iconv) .* > (\S+))$", message)
    assert command is not None, message
    subprocess.run(command[1], shell=True, check=True, cwd=path.parent)
    assert command[2] != path.name
    return path.with_name(command[2])


@pytest.mark.parametrize(
    "above",
    [
        "Guest reviews 2024\nExported by jo, 04/03/2024\n\n",
        "Report:,Reviews\nDate:,2024-03-04\n\n",
        "Report:,Reviews\n",
        "Report generated 04/03/2024, 09:12\n",
        "# a\nReport,x\n",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_preamble_with_commas_is_passed_over_and_told(tmp_path: Path, above: str, end: str) -> None:
    path = write(tmp_path / "in.csv", above.replace("\n", end) + table([HEADER, *ROWS], end=end))
    assert rows_of(path) == [(*row[:1], row[1], row[2]) for row in ROWS]
    notes = next(read_raw(str(path), ColumnNames(), ReadOptions())).reading.notes
    assert any("read without what stands around the header" in note for note in notes)
    assert next(read_raw(str(path), LabelColumns(), ReadOptions())).rows == len(ROWS)


@pytest.mark.parametrize("above", ["Review,,Annotation\n", "Text,,\n", "Review,,\nof 2024,,by ann\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_of_groups_above_the_header_are_passed_over(tmp_path: Path, above: str, end: str) -> None:
    path = write(tmp_path / "rows.csv", above.replace("\n", end) + table([HEADER, *ROWS], end=end))
    assert rows_of(path) == ROWS


def test_the_name_of_a_group_is_no_column(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "Review,,Annotation\n" + table([HEADER, *ROWS]))
    with pytest.raises(InputError, match=r"Annotation.*id, text, label"):
        list(read_raw(str(path), ColumnNames(label="Annotation"), ReadOptions()))


@pytest.mark.parametrize("name", ["", "id"])
def test_a_first_row_of_words_below_an_empty_name_is_a_row(tmp_path: Path, name: str) -> None:
    rows = [("text", "Loved it", "good"), ("cold", "Hated it", "bad"), ("warm", "Ate it", "good")]
    path = write(tmp_path / "rows.csv", table([(name, "text", "label"), *rows]))
    blocks = list(read_raw(str(path), ColumnNames(), ReadOptions()))
    assert [block.rows for block in blocks] == [3]


@pytest.mark.parametrize("name", ["rows.csv", "in.csv", "in.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("delimiter", "above"), [(";", "Reviews\nBy: jo; at 9, 2024\n\n"), (",", "a,b,c\n"), ("|", "x\n")]
)
def test_a_preamble_that_is_not_plain_is_cut_off(
    tmp_path: Path, name: str, encoding: str, delimiter: str, above: str
) -> None:
    path = write(tmp_path / name, above + table([HEADER, *LINES], delimiter), encoding)
    message = refusal(path, rf"line {above.count(chr(10)) + 1} looks like its header")
    assert rows_of(followed(message, path)) == LINES


def test_data_without_a_header_is_no_preamble(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "good,fine pie\nbad,cold pie\ntext,label\nbad,old pie\nbad,new pie\n" * 2)
    refusal(path, "its first line looks like data and not like a header")


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_lines_that_are_quoted_as_a_whole_are_undone(tmp_path: Path, delimiter: str) -> None:
    inner = table([HEADER, *ROWS], delimiter).replace("\never", " ever").splitlines()
    path = write(tmp_path / "in.csv", table([(line,) for line in inner], delimiter, "\r\n"))
    options = None if delimiter == "," else ReadOptions(delimiter=delimiter)
    assert '"' in path.read_text()
    if all(line.startswith('"') for line in path.read_text().splitlines()):
        assert rows_of(followed(refusal(path, "its lines are quoted as a whole", options), path)) == LINES


def test_one_column_without_a_header_names_the_flag(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "Loved it\n" + table([(text,) for _, text, _ in ROWS]))
    message = refusal(path, r"if its first line is data, name the columns, for example --columns text$")
    assert "name it with --text" in message
    texts = [
        text.decode()
        for block in read_raw(str(path), ColumnNames(), ReadOptions(names=("text",)))
        for text in block.data["text"].to_pylist()
    ]
    assert texts == ["Loved it", *(text for _, text, _ in ROWS)]


def test_names_that_come_twice_are_a_header(tmp_path: Path) -> None:
    header = ("Summary", "Issue key", "Labels", "Labels", "Description")
    rows = [("Soup", f"KEY-{n}", "a", "b", "a text of several plain words") for n in range(5)]
    path = write(tmp_path / "in.csv", table([header, *rows]))
    with pytest.raises(InputError, match="no column looks like the id .* name it with --id$"):
        next(read_raw(str(path), LabelColumns(), ReadOptions()))


@pytest.mark.parametrize(("first", "second"), [("\t", ","), (",", ";"), (";", ","), (",", "\t"), ("|", ",")])
def test_a_header_of_another_delimiter_is_written_as_the_rows(tmp_path: Path, first: str, second: str) -> None:
    path = write(tmp_path / "in.csv", first.join(HEADER) + "\n" + table(LINES, second))
    for options in (None, ReadOptions(delimiter=first), ReadOptions(delimiter=second)):
        message = refusal(path, "its header has .* between names", options)
        made = followed(message, path)
        assert rows_of(made) == LINES


@pytest.mark.parametrize("form", ['{0} ,"{1}" ,{2}\n', '{0} , "{1}" , {2}\n', '"{0}" ,"{1}"\t,"{2}" \n'])
def test_white_space_behind_quotation_marks_is_taken_away(tmp_path: Path, form: str) -> None:
    rows = "".join(form.format(id_, text.replace('"', '""'), label) for id_, text, label in LINES)
    path = write(tmp_path / "in.csv", "id,text,label\n" + rows)
    message = refusal(path, "white space stands between quotation marks and ','")
    assert rows_of(followed(message, path)) == LINES


@pytest.mark.parametrize("wanted", [ColumnNames(), LabelColumns()])
def test_a_text_that_goes_on_behind_the_sample_is_one_field(tmp_path: Path, wanted: ColumnNames) -> None:
    rows = [*ROWS, ("h105", "word, word\n" * 120_000, "bad"), ("h106", "The end", "good")]
    path = write(tmp_path / "in.csv", table([HEADER, *rows]))
    (block,) = read_raw(str(path), wanted, ReadOptions())
    assert block.problems == [None] * 6
    assert block.data["id"].to_pylist() == [row[0].encode() for row in rows]


@pytest.mark.parametrize("last", ["Total,8,\n", "Grand Total:,,8\n", "Sum,2.5,\n", "итого,8,"])
def test_a_total_below_the_rows_is_no_text(tmp_path: Path, last: str) -> None:
    path = write(tmp_path / "in.csv", table([HEADER, *ROWS]) + last)
    (block,) = read_raw(str(path), ColumnNames(), ReadOptions())
    assert block.problems == [None] * 4 + ["it looks like the total below the rows, and not like one; leave it out"]


@pytest.mark.parametrize("last", ["(4 rows)", "(1 row affected)", "4 rows selected."])
def test_a_count_of_rows_below_a_column_is_no_text(tmp_path: Path, last: str) -> None:
    path = write(tmp_path / "in.csv", table([("text",), *((text,) for _, text, _ in ROWS)]) + last)
    (block,) = read_raw(str(path), ColumnNames(), ReadOptions())
    assert block.problems[:4] == [None] * 4
    assert "it looks like the number of rows" in str(block.problems[4])


@pytest.mark.parametrize("last", [("Total", "a mess", "bad"), ("h9", "8", "bad"), ("Sum", "It adds up", "good")])
def test_an_ordinary_last_row_is_read(tmp_path: Path, last: tuple[str, ...]) -> None:
    path = write(tmp_path / "in.csv", table([HEADER, *ROWS, last]))
    assert rows_of(path)[-1] == last


@pytest.mark.parametrize("form", ["{0},“{1}”,{2}", "“{0}”,“{1}”,“{2}”", "{0},„{1}“,{2}", "{0},”{1}”,{2}"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_typographic_marks_around_texts_with_commas_are_made_straight(tmp_path: Path, form: str, end: str) -> None:
    path = write(tmp_path / "in.csv", f"id,text,label{end}" + "".join(form.format(*row) + end for row in LINES))
    message = refusal(path, "typographic quotation marks stand around fields")
    assert rows_of(followed(message, path)) == LINES


def test_typographic_marks_of_texts_stay(tmp_path: Path) -> None:
    rows = [("1", "“Warm staff”", "good"), ("2", "“Cold soup”, he said", "bad"), ("3", "„Na ja“", "bad")]
    path = write(tmp_path / "in.csv", table([HEADER, *rows]))
    assert rows_of(path) == rows


@pytest.mark.parametrize(
    ("name", "delimiter", "text"),
    [
        ("r.csv", ",", 'cold, "damp"\nand late'),
        ("r.csv", ";", "a; b"),
        ("r.csv", ",", "a, b"),
        ("r.tsv", "\t", "a\tb\nc"),
    ],
)
def test_backslashes_before_delimiters_are_told_and_the_command_reads_them(
    tmp_path: Path, name: str, delimiter: str, text: str
) -> None:
    path = tmp_path / name
    rows = [(text, "no"), ("so-so", "no"), (f"{text}!", "yes"), ("fine", "yes")]
    with path.open("w", newline="") as target:
        writer = csv.writer(target, delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
        writer.writerows([("text", "label"), *rows])
    with pytest.raises(InputError, match="a backslash (stands )?before") as raised:
        list(read_raw(str(path), ColumnNames()))
    found = re.search(r": (python3 .* > (\w+\.csv))", str(raised.value))
    assert found
    subprocess.run(found[1], shell=True, check=True, cwd=tmp_path)
    (block,) = read_raw(str(tmp_path / found[2]), ColumnNames())
    assert [value.decode() for value in block.data["text"].to_pylist()] == [text for text, _ in rows]


def test_questions_of_a_form_are_named_as_the_header_that_they_are(tmp_path: Path) -> None:
    path, question = tmp_path / "form.csv", "How was your stay? Tell us, in your own words."
    path.write_text(f'#,"{question}",Start Date (UTC)\n8h,"Loved it, all",2024\n8i,So-so as always,2024\n')
    refusal(path, re.escape(f"name it with --text, as --text '{question}'; or, if its first line is data"))
    (block,) = read_raw(str(path), ColumnNames(text=question))
    assert block.rows == 2


def test_numbers_of_ids_that_come_again_are_not_named_as_labels(tmp_path: Path) -> None:
    path = tmp_path / "tweets.csv"
    labels = ["Good", "Bad", "Other"]
    path.write_text("".join(f"{2401 + n // 3},Game,{labels[n % 3]},tweet number {n}\n" for n in range(8)))
    refusal(path, "--columns column1,column2,label,text")
