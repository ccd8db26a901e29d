"""Delimited files of every dialect → rows, or a refusal that says what to do."""

import csv
import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock, Reason, in_detail
from engine.inputs.columns import ColumnNames
from engine.inputs.delimited_files.dialect import delimiter_named, quote_named
from engine.inputs.delimited_files.rows import SWALLOWED
from engine.inputs.formats import read_raw
from engine.inputs.lines import LINE_BYTES
from engine.inputs.options import Reading, ReadOptions

PLAIN = ColumnNames()
FOUND_OUT = ReadOptions()
REVIEWS = [
    "The soup arrived cold.",
    "The ramen was rich, and the staff kept smiling.",
    "Broken zipper; refund refused.",
    "Sturdy tent, survived two storms, very happy.",
]


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def blocks_of(path: Path, options: ReadOptions = FOUND_OUT, wanted: ColumnNames = PLAIN) -> list[RawBlock]:
    return list(read_raw(str(path), wanted, options))


def reading_of(path: Path, options: ReadOptions = FOUND_OUT, wanted: ColumnNames = PLAIN) -> Reading:
    return next(read_raw(str(path), wanted, options)).reading


def notes_of(path: Path, options: ReadOptions = FOUND_OUT) -> list[str]:
    return [note.removeprefix(f"{path}: ") for note in reading_of(path, options).notes]


def rows_of(path: Path, options: ReadOptions = FOUND_OUT, wanted: ColumnNames = PLAIN) -> list[tuple | str]:
    """The values of each row by the order of their columns in the file, or the reason why it is refused.

    Reads twice: with the options that were found out, the rows are the same.
    """
    blocks = blocks_of(path, options, wanted)
    rows = _rows(blocks)
    if blocks:
        assert _rows(blocks_of(path, blocks[0].reading.options, wanted)) == rows
    return rows


def _rows(blocks: list[RawBlock]) -> list[tuple | str]:
    rows: list[tuple | str] = []
    for block in blocks:
        assert block.first_row == len(rows) + 1
        names = sorted(block.data, key=lambda name: block.columns.places[name])
        columns = [[None if v is None else v.decode() for v in block.data[name].to_pylist()] for name in names]
        for problem, values in zip(block.problems, zip(*columns, strict=True), strict=True):
            assert problem is None or set(values) == {None}
            rows.append(values if problem is None else problem)
    return rows


def refused_rows(path: Path, options: ReadOptions = FOUND_OUT) -> list[tuple[Reason, int | None, int]]:
    """The reason, the first line and the number of lines of every refused row."""
    return [(row, row.first_line, row.lines) for row in rows_of(path, options) if isinstance(row, Reason)]


def followed(path: Path) -> Path:
    """The file that the command in the refusal of ``path`` makes."""
    with pytest.raises(InputError) as caught:
        blocks_of(path)
    command = str(caught.value).partition("GNU sed: ")[2]
    subprocess.run(command, shell=True, check=True, cwd=path.parent)
    return path.parent / command.rpartition("> ")[2]


def table(rows: list[tuple[str, ...]], delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in rows)


def reviews(count: int, delimiter: str = ",", end: str = "\n") -> str:
    """``id, text, label`` of rows without a comma or a quotation mark."""
    rows = [(str(n), f"The pie was fine on day {n}.", ("negative", "positive")[n % 2]) for n in range(count)]
    return table([("id", "text", "label"), *rows], delimiter, end)


# --- delimiters


@pytest.mark.parametrize(
    ("delimiter", "words"),
    [(",", None), (";", "';'"), ("\t", "a tab"), ("|", "'|'"), ("\x01", r"'\x01'")],
    ids=["comma", "semi", "tab", "bar", "control"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_the_delimiter_is_found_and_said(tmp_path: Path, delimiter: str, words: str | None, end: str) -> None:
    path = write(tmp_path / "in.csv", table([("id", "text"), ("1", "fine"), ("2", "bad, very bad")], delimiter, end))
    if delimiter == ",":
        path = write(path, path.read_bytes().decode().replace("bad, very", "bad very"))
    text = "bad very bad" if delimiter == "," else "bad, very bad"
    assert rows_of(path) == [("1", "fine"), ("2", text)]
    assert notes_of(path) == ([] if words is None else [f"read with {words} between fields"])
    assert reading_of(path).options == ReadOptions(
        delimiter=delimiter, quote="" if delimiter == "\t" else '"', encoding="utf-8", names=()
    )


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=; "])
def test_a_line_that_names_the_delimiter_is_no_header(tmp_path: Path, first: str) -> None:
    path = write(tmp_path / "in.csv", f"\ufeff{first}\r\n" + reviews(3, ";", "\r\n"))
    assert [row[0] for row in rows_of(path)] == ["0", "1", "2"]
    assert notes_of(path) == ["read with ';' between fields"]
    path = write(tmp_path / "comma.csv", 'sep=,\nid,text\n1,"a; b"\n')
    assert rows_of(path) == [("1", "a; b")]
    assert notes_of(path) == []


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_one_column_of_texts_stays_one(tmp_path: Path, mark: str) -> None:
    texts = [f"one{mark} two", f"three{mark} four{mark} five", "six"]
    quoted = "".join(f'"{text}"\n' for text in texts)
    assert rows_of(write(tmp_path / "in.csv", f"text\n{quoted}")) == [(text,) for text in texts]
    if mark != ",":
        assert rows_of(write(tmp_path / "in.csv", table([("text",), *((text,) for text in texts)]))) == [
            (text,) for text in texts
        ]


def test_a_header_that_only_contains_another_delimiter_is_told_with_the_way(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "text;stars\nfine;5\nbad\nworse\nso;so;so\n")
    with pytest.raises(InputError, match=re.escape("If ';' stands between the names, pass --delimiter ';'")):
        blocks_of(path)
    assert rows_of(path, ReadOptions(delimiter=";")) == [
        ("fine", "5"),
        "the row has 1 field and the header 2",
        "the row has 1 field and the header 2",
        "the row has 3 fields and the header 2",
    ]


def test_the_delimiter_that_the_user_says_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "text,a;label\nx,y;1\n")
    assert rows_of(path, ReadOptions(delimiter=";"), ColumnNames(text="text,a")) == [("x,y", "1")]
    assert notes_of(write(path, "text;label\nx;1\n"), ReadOptions(delimiter=";")) == []
    for delimiter in (";;", "\n", "\\"):
        with pytest.raises(InputError, match="it must be one character"):
            blocks_of(path, ReadOptions(delimiter=delimiter))
    with pytest.raises(InputError, match="--quote is ';'"):
        blocks_of(path, ReadOptions(delimiter=";", quote=";"))


def test_a_decimal_comma_does_not_make_a_comma_the_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'text;price, EUR\n"a";1,5\nb, c, d;2,5\nx;3\n')
    assert rows_of(path) == [("a", "1,5"), ("b, c, d", "2,5"), ("x", "3")]


# --- quotation marks


def test_a_stray_mark_in_a_tsv_is_a_character(tmp_path: Path) -> None:
    rows = [(f"The pie was fine on day {n}.", "ab"[n % 2]) for n in range(40)]
    rows[5] = ('"' + rows[5][0], "b")
    rows[16] = (rows[16][0] + '"', "a")
    rows[20] = ('"Big Pie" was fine', "a")
    assert rows_of(write(tmp_path / "in.tsv", table([("sentence", "label"), *rows], "\t"))) == rows
    rows[16] = ("closed nowhere", "a")
    assert rows_of(write(tmp_path / "in.tsv", table([("sentence", "label"), *rows], "\t"))) == rows
    assert notes_of(tmp_path / "in.tsv") == []


@pytest.mark.parametrize(
    "rows",
    [
        [("a\tb", "x"), ("c", "y")],
        [('he said "no"', "x"), ("c", "y"), ('"so" it is', "z")],
        [("two\nlines", "x"), ("c", "y")],
        [("plain", "x"), ("more\r\nlines, \tand a tab", "y"), ('a "mark"', "z")],
    ],
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_tsv_that_shows_quotation_marks_around_fields_is_read_so(tmp_path: Path, rows: list, quoting: int) -> None:
    held = io.StringIO()
    csv.writer(held, delimiter="\t", quoting=quoting, lineterminator="\n").writerows([("text", "label"), *rows])
    path = write(tmp_path / "in.tsv", held.getvalue())
    assert rows_of(path) == rows
    assert notes_of(path) == ["read with quotation marks around fields"]


def test_a_spreadsheet_marks_fields_with_commas_between_tabs(tmp_path: Path) -> None:
    rows = [("The pie was fine.", "a"), ("Very, very fine", "b"), ('He said "no", twice', "a"), ("So", "b")]
    lines = ["\t".join('"' + v.replace('"', '""') + '"' if "," in v else v for v in row) for row in rows]
    content = "\r\n".join(["text\tlabel", *lines, ""])
    for path in (tmp_path / "in.tsv", tmp_path / "in.csv", tmp_path / "in.txt"):
        assert rows_of(write(path, content, "utf-16")) == rows
        assert notes_of(path)[-1] == "read with quotation marks around fields"


def test_apostrophes_around_fields_are_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "id,text\n1,'fine, really'\n2,'it''s bad, too'\n3,'so'\n")
    assert rows_of(path) == [("1", "fine, really"), ("2", "it's bad, too"), ("3", "so")]
    assert notes_of(path) == ["read with apostrophes around fields"]
    path = write(tmp_path / "in.csv", "id,text\n1,'tis fine\n2,it's bad\n3,so\n")
    assert rows_of(path) == [("1", "'tis fine"), ("2", "it's bad"), ("3", "so")]


def test_titles_in_marks_are_characters_of_a_tsv_where_others_have_none(tmp_path: Path) -> None:
    rows = [('"Wow"', "a"), ("fine", "b"), ('"Bad"', "a")]
    assert rows_of(write(tmp_path / "in.tsv", table([("text", "label"), *rows], "\t"))) == rows
    assert rows_of(tmp_path / "in.tsv", ReadOptions(quote='"')) == [("Wow", "a"), ("fine", "b"), ("Bad", "a")]


def test_a_csv_without_quoting_is_read_so_where_the_user_says_it(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'text|label\n"open|a\n5" disk|b\n')
    assert rows_of(path, ReadOptions(quote="")) == [('"open', "a"), ('5" disk', "b")]
    path = write(tmp_path / "in.csv", "text,label\n'a, b',x\n'it''s',y\n")
    assert rows_of(path, ReadOptions(quote="'")) == [("a, b", "x"), ("it's", "y")]


def test_backslashes_before_marks_are_seen_and_others_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.csv",
        'id,text\n0,"They said \\"fine\\", ok"\n1,plain\n2,"C:\\new, \\\\n\\t"\n3,"over\n\\"two\\",\nlines"\n',
    )
    assert rows_of(path) == [
        ("0", 'They said "fine", ok'),
        ("1", "plain"),
        ("2", "C:\\new, \\n\\t"),
        ("3", 'over\n"two",\nlines'),
    ]
    assert notes_of(path) == ["read with a backslash before quotation marks inside of fields"]
    assert reading_of(path).options.quote == '\\"'


def test_a_backslash_at_the_end_of_a_field_is_no_escape_where_marks_are_doubled(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'id,text\n0,"C:\\"\n1,"a ""b"""\n2,"x, \\"\n')
    assert rows_of(path) == [("0", "C:\\"), ("1", 'a "b"'), ("2", "x, \\")]
    assert notes_of(path) == []


def test_backslashes_of_a_dump_are_told(tmp_path: Path) -> None:
    content = "id\ttext\n0\tFine\\nand good\n1\tIt\\'s bad\n"
    path = write(tmp_path / "in.tsv", content)
    assert rows_of(path) == [("0", r"Fine\nand good"), ("1", r"It\'s bad")]
    assert [note[:35] for note in notes_of(path)] == ["backslashes are taken as they are; "]
    assert not notes_of(path, ReadOptions(quote=""))
    assert not notes_of(write(tmp_path / "in.tsv", "id\ttext\n0\tFine :\\\n1\tBad\n"))
    assert not notes_of(write(tmp_path / "in.csv", content.replace("\t", ",")))


def test_words_for_no_text_are_null(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "id,text\n0,Fine\n1,\\N\n2,NA\n")
    assert rows_of(path) == [("0", "Fine"), ("1", None), ("2", "NA")]
    quoted = '"id","text"\n"0","Fine"\n"1",NA\n"2","Bad"\n"3","Well, ""so""."\n'
    assert rows_of(write(path, quoted))[1] == ("1", None)
    assert rows_of(write(path, quoted.replace(",NA", ',"NA"')))[1] == ("1", "NA")
    assert rows_of(write(path, quoted.replace('"Bad"', "Bad")))[1] == ("1", "NA")


def test_values_in_formulas_are_read_without(tmp_path: Path) -> None:
    content = 'id,text,label\n"=""007""","=""Fine, and """"good"""".""",x\n"=""8""",,"=""y"""\n'
    path = write(tmp_path / "in.csv", content)
    assert rows_of(path) == [("007", 'Fine, and "good".', "x"), ("8", "", '="y"')]
    assert notes_of(path) == ['read without the =" and " around values']
    assert rows_of(write(path, 'text,label\n"=""a""",x\nb,y\n')) == [('="a"', "x"), ("b", "y")]


def test_white_space_behind_a_delimiter(tmp_path: Path) -> None:
    quoted = 'id, text, label\n0, "a, b", x\n1, "c", y\n'
    path = write(tmp_path / "in.csv", quoted)
    assert rows_of(path) == [("0", "a, b", "x"), ("1", "c", "y")]
    assert notes_of(path) == ["read without the white space behind ','"]
    assert reading_of(path).options.delimiter == ", "
    assert list(blocks_of(path)[0].data) == ["text", "id", "label"]
    path = write(tmp_path / "in.csv", 'id, text, label\n0, plain, x\n1," kept, here", y\n')
    assert rows_of(path) == [("0", "plain", "x"), ("1", " kept, here", "y")]
    assert rows_of(write(tmp_path / "in.csv", "id,text\n0, plain\n1,x\n")) == [("0", " plain"), ("1", "x")]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("tab", "\t"),
        (r"\t", "\t"),
        ("Semicolon", ";"),
        ("pipe", "|"),
        ("none", ""),
        (r"\x01", "\x01"),
        ("^", "^"),
        (", ", ", "),
    ],
)
def test_delimiters_can_be_said_in_words(said: str, kept: str) -> None:
    assert delimiter_named(said) == kept


def test_quotation_marks_can_be_said_in_words() -> None:
    assert [quote_named(said) for said in ("none", '"', "'", r"\"")] == ["", '"', "'", '\\"']


# --- rows that a mark swallows


def test_a_field_that_takes_in_whole_rows_is_one_refused_row_with_its_lines(tmp_path: Path) -> None:
    lines = reviews(20).splitlines()
    lines[6] = lines[6].replace("The", '"The')
    lines[16] = lines[16].replace("day 15.", 'day 15."')
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    rows = rows_of(path)
    assert refused_rows(path) == [(SWALLOWED, 7, 11)]
    assert [row[0] for row in rows if isinstance(row, tuple)] == [str(n) for n in (*range(5), *range(16, 20))]
    assert in_detail(rows[5]) == f"{SWALLOWED} (lines 7 to 17)"


LEGIT = [
    "Great product, loved it.\nBut, well, expensive",
    "One,\ntwo,\nthree,\nfour",
    "A list:\n1, first\n2, second\n3, third\n",
    "\n\nstarts late, ends late\n\n",
    'He said ""no"",\nand, then, left',
    "1,000 people\n2,000 people,\nno label",
    "Dear all,\nthe pie, positive,\nwas fine, negative",
]


@pytest.mark.parametrize("text", LEGIT)
@pytest.mark.parametrize("header", ["id,text,label", "text,label", "id,text", "text,id", "label,text"])
@pytest.mark.parametrize("count", [2, 30])
def test_a_review_of_several_lines_with_commas_is_one_row(tmp_path: Path, text: str, header: str, count: int) -> None:
    def line(number: int, text: str) -> str:
        values = {"id": str(number), "text": text, "label": ("negative", "positive")[number % 2]}
        return ",".join(values[name] for name in header.split(",")) + "\n"

    lines = [line(number, f"The pie was fine on day {number}.") for number in range(count)]
    lines.insert(1, line(7, f'"{text}"'))
    path = write(tmp_path / "in.csv", header + "\n" + "".join(lines))
    place = header.split(",").index("text")
    assert [row[place] for row in rows_of(path)][1] == text.replace('""', '"')
    assert len(rows_of(path)) == count + 1


def test_a_mark_that_is_never_closed_loses_its_row_only(tmp_path: Path) -> None:
    lines = reviews(5000).splitlines()
    lines[100] = lines[100].replace("The", '"The')
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    assert refused_rows(path) == [("a quotation mark is never closed", 101, 1)]
    assert [row[0] for row in rows_of(path) if isinstance(row, tuple)] == [str(n) for n in range(5000) if n != 99]


def test_the_lines_of_a_broken_review_are_no_rows(tmp_path: Path) -> None:
    lines = reviews(30).splitlines()
    lines[10:11] = ['9,"He said "wow" and', "left, sad, and", 'came, back, again",positive', '9b,"and"x,positive']
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    assert refused_rows(path) == [
        ("a quotation mark closes a field, and more text follows it; inside a field it has to be doubled", 11, 4)
    ]
    assert len(rows_of(path)) == 30


def test_a_broken_row_before_one_of_several_lines(tmp_path: Path) -> None:
    lines = reviews(30).splitlines()
    lines[10:12] = ['9,"open" it,positive', '10,"two,\nlines",negative']
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    assert [(first, count) for _, first, count in refused_rows(path)] == [(11, 1)]
    assert rows_of(path)[10] == ("10", "two,\nlines", "negative")


def test_a_row_of_too_many_characters_is_left_and_the_next_is_read(tmp_path: Path) -> None:
    filler = ("y" * 999_999 + "\n") * (LINE_BYTES // 1_000_000 + 2)
    path = write(tmp_path / "in.csv", f'id,text\n1,"open\n{filler}2,after\n')
    assert blocks_of(path)[0].problems == ["a quotation mark is not closed within 16,777,216 characters", None]
    assert blocks_of(path)[0].problems[0].lines == LINE_BYTES // 1_000_000 + 3


def test_rows_are_numbered_through_blocks_and_pieces(tmp_path: Path) -> None:
    count = 40_000
    path = write(tmp_path / "in.csv", reviews(count))
    assert path.stat().st_size > 1 << 20
    rows = rows_of(path)
    assert [row[0] for row in rows] == [str(number) for number in range(count)]
    assert {block.rows for block in blocks_of(path)} <= {BLOCK_ROWS, count % BLOCK_ROWS}


def test_a_block_of_large_rows_is_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "text\n" + ("x" * 1_900_000 + "\n") * 40)
    blocks = blocks_of(path)
    assert len(blocks) > 1
    assert sum(block.rows for block in blocks) == 40


# --- ragged rows


def test_a_delimiter_at_the_end_of_each_line_is_no_field(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'label,text\r\nx,"a, b",\r\ny,c,\r\n')
    assert rows_of(path) == [("x", "a, b"), ("y", "c")]
    path = write(tmp_path / "in.csv", 'label,text,\r\nx,"a, b",\r\ny,c,\r\n')
    assert rows_of(path) == [("x", "a, b"), ("y", "c")]


def test_empty_fields_that_are_left_out_at_the_end_are_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "label,text,notes,agent\nx,a,,\ny,b,n,z\nx,c\ny,d,m\n")
    assert rows_of(path) == [
        ("x", "a", None, None),
        ("y", "b", "n", "z"),
        ("x", "c", None, None),
        ("y", "d", "m", None),
    ]


def test_lines_of_a_text_without_marks_are_not_rows_with_fields_left_out(tmp_path: Path) -> None:
    lines = reviews(20).splitlines()
    lines[5:6] = ["4,The pie was", "cold and, well,negative"]
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    assert [row for row in rows_of(path) if isinstance(row, str)] == [
        "the row has 2 fields and the header 3",
        "the row before it is broken, and this one may be the rest of it",
    ]
    assert len(rows_of(path)) == 21


def test_a_comma_in_a_text_before_an_empty_field_is_no_delimiter_at_the_end(tmp_path: Path) -> None:
    rows = [f"r{n},Fine on day {n}," for n in range(12)]
    rows[3] = "r3,Cold, and nobody cared.,"
    found = rows_of(write(tmp_path / "in.csv", "\n".join(["id,text,annotator", *rows]) + "\n"))
    assert found.pop(3) == "the row has 4 fields and the header 3"
    assert found == [(f"r{n}", f"Fine on day {n}", None) for n in range(12) if n != 3]


def test_a_delimiter_behind_a_label_of_the_file_is_no_field(tmp_path: Path) -> None:
    rows = [f"r{n},Fine on day {n},{('good', 'bad')[n % 2]}" for n in range(12)]
    rows[3] += ","
    found = rows_of(write(tmp_path / "in.csv", "\n".join(["id,text,label", *rows]) + "\n"))
    assert found[3] == ("r3", "Fine on day 3", "bad")


def test_rows_that_leave_out_the_last_field_are_read_and_those_with_a_comma_in_the_text_are_not(tmp_path: Path) -> None:
    rows = [f"r{n},Fine on day {n},en" for n in range(8)]
    rows[3], rows[5] = "r3,Cold, and nobody cared.,en", "r5,Fine,fr,web"
    found = rows_of(write(tmp_path / "in.csv", "\n".join(["id,text,lang,source", *rows]) + "\n"))
    assert found.pop(3).startswith("it has more fields than most rows")
    assert found.pop(4) == ("r5", "Fine", "fr", "web")
    assert found == [(f"r{n}", f"Fine on day {n}", "en", None) for n in range(8) if n not in (3, 5)]


def test_a_second_line_without_marks_and_the_row_before_it_are_refused(tmp_path: Path) -> None:
    lines = [f"r{n},Fine on day {n}" for n in range(2000)]
    lines[1500] += "\nThen, we left"
    found = rows_of(write(tmp_path / "in.csv", "id,text\n" + "\n".join(lines) + "\n"))
    assert "looks like the rest of this row" in found.pop(1500)
    assert "looks like the second line of the row above" in found.pop(1500)
    assert found == [tuple(line.split(",")) for n, line in enumerate(lines) if n != 1500]


def test_a_text_that_begins_with_a_space_is_a_row_where_its_id_is_like_others(tmp_path: Path) -> None:
    rows = [(f"r{n}", f"Fine on day {n}") for n in range(20)]
    rows[7] = ("r7", " we left")
    assert rows_of(write(tmp_path / "in.csv", "id,text\n" + table(rows))) == rows
    rows = [("ann", "Fine"), ("bob", " we left"), *[(f"r{n}", " Fine") for n in range(20)]]
    assert rows_of(write(tmp_path / "in.csv", "id,text\n" + table(rows))) == rows


def test_other_ragged_rows_are_refused_in_words_that_group(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "id,text\n1,a\n2,b,c\n   \n3,d,e\n4,f\n")
    assert rows_of(path) == [
        ("1", "a"),
        "the row has 3 fields and the header 2",
        "the row has 3 fields and the header 2",
        ("4", "f"),
    ]
    assert [(first, count) for _, first, count in refused_rows(path)] == [(3, 1), (5, 1)]


# --- headers


NO_HEADER = '"1","The soup arrived cold. They said ""never""."\n"2","The ramen was rich."\n"1","Bad."\n"2","Fine."\n'


def test_a_first_line_of_data_is_told_with_names_for_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", NO_HEADER)
    with pytest.raises(InputError, match=r"train\.csv: its first line looks like data.* --columns label,text$"):
        blocks_of(path)
    assert rows_of(path, ReadOptions(names=("label", "text"))) == [
        ("1", 'The soup arrived cold. They said "never".'),
        ("2", "The ramen was rich."),
        ("1", "Bad."),
        ("2", "Fine."),
    ]
    assert reading_of(path, ReadOptions(names=("label", "text"))).options.names == ("label", "text")


def test_names_are_proposed_for_every_column(tmp_path: Path) -> None:
    rows = [("04"[n % 2], str(14678 + n), "Mon Apr 06", "NO_QUERY", f"user{n}", f"@bob the pie {n}") for n in range(12)]
    path = write(tmp_path / "tweets.csv", table(rows))
    with pytest.raises(InputError, match="--columns label,column2,column3,column4,column5,text$"):
        blocks_of(path)
    rows = [(f"The pie was fine on day {n}.", ("ham", "spam")[n % 2]) for n in range(6)]
    with pytest.raises(InputError, match="--columns text,label$"):
        blocks_of(write(tmp_path / "ham.csv", table(rows)))


@pytest.mark.parametrize("header", ["What did you like about it?,stars", "review,comment,stars", "sentence_a,b"])
def test_a_header_of_other_names_is_not_taken_for_data(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "in.csv", f"{header}\nThe pie was fine.,5,9\n")
    with pytest.raises(InputError, match="--text"):
        blocks_of(path)


def test_the_number_of_names_is_that_of_the_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", NO_HEADER)
    with pytest.raises(
        InputError, match="--columns names 3 columns and the rows have 2 fields.* --columns label,text$"
    ):
        blocks_of(path, ReadOptions(names=("label", "title", "text")))
    with pytest.raises(InputError, match=r"its first line is a header \(Label,text\); leave --columns out"):
        blocks_of(write(path, "Label,text\n1,x\n"), ReadOptions(names=("label", "text")))


def test_a_label_that_is_also_a_plain_name_makes_no_header(tmp_path: Path) -> None:
    rows = [(("comment", "question")[n % 2], f"The pie was fine on day {n}.") for n in range(12)]
    path = write(tmp_path / "in.csv", table(rows))
    with pytest.raises(InputError, match="looks like data.* --columns label,text$"):
        blocks_of(path)
    assert rows_of(path, ReadOptions(names=("label", "text"))) == rows
    path = write(
        tmp_path / "in.csv", "id,comment\n" + table([(str(n), f"Fine {n}") for n in range(30)]) + "30,comment\n"
    )
    assert rows_of(path)[-1] == ("30", "comment")


def test_a_header_that_comes_again_is_no_row(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", reviews(5) + "\ufeff" + reviews(3) + reviews(2))
    assert [row if isinstance(row, str) else row[0] for row in rows_of(path)] == [
        *"01234",
        "the row repeats the header",
        *"012",
        "the row repeats the header",
        *"01",
    ]


def test_a_second_header_of_another_order_stops_the_file_at_its_row(tmp_path: Path) -> None:
    content = 'id,text,source\n0,"a, b",web\n1,source,web\nid,source,text\n2,app,c\n'
    with pytest.raises(
        InputError, match=r"in\.csv row 3: it is a header .* \(id,source,text\).*; split the file before"
    ):
        blocks_of(write(tmp_path / "in.csv", content))
    with pytest.raises(InputError, match=r"row 3,001: "):
        blocks_of(write(tmp_path / "in.csv", "id,text\n" + "1,fine\n" * 3000 + "text,id\nfine,1\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_in_the_midst_is_no_part_of_a_text(tmp_path: Path, end: str) -> None:
    part = "\ufeff" + table([('"Fine, and good"', "x"), ("Bad \ufeff", "y")], end=end)
    path = write(tmp_path / "in.csv", f"\ufefftext,label{end}{part}{part}")
    assert rows_of(path) == [("Fine, and good", "x"), ("Bad \ufeff", "y")] * 2
    path = write(tmp_path / "in.csv", f"\ufefftext,label{end}{part}\ufefftext,label{end}{part}")
    assert rows_of(path)[2] == "the row repeats the header"


def test_rows_with_a_field_more_than_the_header_names_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", '"text","label"\n"1","The soup arrived cold.","a"\n"2","It was rich.","b"\n')
    for options in (FOUND_OUT, ReadOptions(names=("n", "text", "label"))):
        with pytest.raises(
            InputError, match="its header has 2 names and each row 3 fields; give the first field a name"
        ):
            blocks_of(path, options)
    assert rows_of(followed(path)) == [("1", "The soup arrived cold.", "a"), ("2", "It was rich.", "b")]
    path = write(tmp_path / "in.csv", "text,label\n1,2,Cold soup,a\n3,4,It was rich,b\n")
    with pytest.raises(
        InputError, match="write a name for each field into it, for example column1,column2,text,column4$"
    ):
        blocks_of(path)


@pytest.mark.parametrize("mark", ["::", "~|~", "^|^", "$#"])
def test_a_delimiter_of_several_characters_is_made_a_tab(tmp_path: Path, mark: str) -> None:
    rows = [(str(n), text, "ab"[n % 2]) for n, text in enumerate(REVIEWS)]
    path = write(tmp_path / "in.csv", table([("id", "text", "label"), *rows], mark))
    assert rows_of(followed(path)) == rows


def test_marks_that_stand_before_white_space_are_told_with_the_way(tmp_path: Path) -> None:
    rows = [(f'"{n}"', f'"{text}"', '"a"') for n, text in enumerate(REVIEWS)]
    path = write(tmp_path / "in.csv", table([('"id"', '"text"', '"label"'), *rows], " , "))
    assert rows_of(followed(path)) == [(str(n), text, "a") for n, text in enumerate(REVIEWS)]


def test_typographic_marks_around_fields_are_told_with_the_way(tmp_path: Path) -> None:
    rows = [f'“{n}”,“It is "so", they say: {text}”\n' for n, text in enumerate(REVIEWS)]
    path = write(tmp_path / "in.csv", "“id”,“text”\n" + "".join(rows))
    assert rows_of(followed(path)) == [(str(n), f'It is "so", they say: {text}') for n, text in enumerate(REVIEWS)]


def test_apostrophes_around_fields_where_texts_have_other_marks_are_read_or_name_the_option(tmp_path: Path) -> None:
    first = ("0", f'it\'s "so", {REVIEWS[0]}')
    for mark, inside in (("\\'", "\\'"), ("'", "''")):
        rows = "".join(f"'{n}','it{inside}s \"so\", {text}'\n" for n, text in enumerate(REVIEWS))
        path = write(tmp_path / "in.csv", f"'id','text'\n{rows}")
        assert rows_of(path, ReadOptions(quote=mark))[0] == first
        if inside == "''":
            assert rows_of(path)[0] == first
        else:
            with pytest.raises(InputError, match=re.escape(f'pass --quote "{mark}"')):
                blocks_of(path)


def test_apostrophes_around_the_fields_that_need_them_show_by_doubled_ones(tmp_path: Path) -> None:
    """As `csv` writes them with ``quotechar="'"``."""
    texts = ["it's late", 'said "no", twice', "plain", "don't; can't", "two\nlines", "'quoted' words"]
    rows = "".join(
        f"{n},{quoted if set(text) & set(marks) else text}\n"
        for marks in ["',\n"]
        for n, text in enumerate(texts)
        for quoted in ["'" + text.replace("'", "''") + "'"]
    )
    path = write(tmp_path / "in.csv", f"id,text\n{rows}")
    assert rows_of(path) == [(str(n), text) for n, text in enumerate(texts)]
    titles = ["'quoted' words", "'Tis late", "'so' it's", "plain"]  # of texts that begin so, none is doubled
    path = write(tmp_path / "other.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(titles)))
    assert rows_of(path) == [(str(n), text) for n, text in enumerate(titles)]


def test_columns_are_not_proposed_where_the_first_line_is_plainly_a_header(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.csv",
        table([("nr", "Reisebericht", "land_code")] + [(str(n), REVIEWS[0], "de") for n in range(5)]),
    )
    with pytest.raises(InputError, match="name it with --text, for example --text Reisebericht$"):
        blocks_of(path)
    path = write(tmp_path / "in.csv", table([("good", "fine pie", "9")] + [("bad", f"pie {n}", "") for n in range(5)]))
    with pytest.raises(InputError, match="--columns"):
        blocks_of(path)


def test_one_column_of_texts_with_commas_names_the_way(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "text\nfine, really\nbad\n")
    words = "the row has 2 fields and the header 1; pass --delimiter tab if ',' may stand in a text"
    assert rows_of(path) == [words, ("bad",)]
    assert rows_of(path, ReadOptions(delimiter="\t")) == [("fine, really",), ("bad",)]


@pytest.mark.parametrize("above", ["# exported 2024-02-02\n", "Customer feedback export,,\n,,\n", "# a\n#b, c\n"])
def test_what_stands_above_a_header_is_passed_over_and_told(tmp_path: Path, above: str) -> None:
    path = write(tmp_path / "in.csv", above + reviews(12))
    assert [row[0] for row in rows_of(path)] == [str(number) for number in range(12)]
    assert notes_of(path) == ["read without what stands around the header"]


@pytest.mark.parametrize("under", ["--|----|-----\n", "|---|:--|\n", "---+------\n"])
def test_a_line_under_a_header_is_no_row(tmp_path: Path, under: str) -> None:
    names, rows = reviews(5, "|").split("\n", 1)
    path = write(tmp_path / "in.csv", f"{names}\n{under}{rows}")
    assert [row[0] for row in rows_of(path)] == list("01234")
    assert notes_of(path)[-1] == "read without what stands around the header"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"text": "x", "label": 1}\n' * 3, "looks like JSON; let its name end in .jsonl"),
        ('[{"text": "x"}]', "looks like JSON"),
        ("<!DOCTYPE html>\n<p>text</p>\n", "looks like HTML or XML and not like a header"),
        ("id^text^label\n0^fine^a\n", "If '^' stands between the names, pass --delimiter '^'"),
        ('"id" ,"text"\n"1" ,"fine"\n', "the first line is no CSV header: .* before white space and ','"),
    ],
)
def test_a_first_line_of_another_kind_is_told(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("^", r"\^")):
        blocks_of(write(tmp_path / "in.csv", content))


def test_names_without_white_space_empty_and_repeated_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", " label ,text,,,tag,tag\nx,a,,,t,u\ny,b,,,t,u\n")
    block = blocks_of(path)[0]
    assert (block.columns.text, block.columns.label, block.columns.extras) == ("text", "label", ())
    assert rows_of(path) == [("x", "a"), ("y", "b")]


@pytest.mark.parametrize("content", ["", "\ufeff", "\n", "\r\n \r\n"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_an_empty_file_has_no_rows(tmp_path: Path, content: str, suffix: str) -> None:
    assert blocks_of(write(tmp_path / f"in{suffix}", content)) == []


def test_flags_of_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--whole-files is for text and tar files"):
        blocks_of(write(tmp_path / "in.csv", "text\nx\n"), ReadOptions(whole_files=True))


# --- any rows at all

prose = st.text(alphabet="abc ,;|\t\"'\n\r.é語🙂\x0b\u2028\x85", max_size=15).map(lambda text: f"T{text}T")


@settings(deadline=None, max_examples=200)
@example(texts=["TT"] * 7 + ["T\rT"], delimiter="\t", quoting=csv.QUOTE_MINIMAL, end="\r\n")
@example(texts=["TT"] * 5 + ["T\nT"] * 3, delimiter="\t", quoting=csv.QUOTE_MINIMAL, end="\n")
@example(texts=["TT"] * 5 + ["T\nT"] * 3, delimiter="\t", quoting=csv.QUOTE_ALL, end="\n")
@example(texts=["TT"] * 7 + ["T\t\n\tT"], delimiter="\t", quoting=csv.QUOTE_ALL, end="\n")
@given(
    texts=st.lists(prose, min_size=8, max_size=20),
    delimiter=st.sampled_from(",;|\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], delimiter: str, quoting: int, end: str
) -> None:
    # In so small a file, lines of such a text cannot be told from rows without quotation marks.
    odd = any("\t" in text and "\n" in text for text in texts)
    assume(not odd or delimiter != "\t" or quoting != csv.QUOTE_MINIMAL)
    rows = [(str(number), text, "xy"[number % 2]) for number, text in enumerate(texts)]
    held = io.StringIO(newline="")
    csv.writer(held, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(
        [("id", "text", "label"), *rows]
    )
    path = write(tmp_path_factory.mktemp("any") / "in.csv", held.getvalue())
    assert rows_of(path) == rows


@settings(deadline=None, max_examples=100)
@given(
    texts=st.lists(st.text(alphabet='ab "\\,\n', max_size=12).map(lambda text: f"T{text}T"), min_size=8, max_size=20)
)
def test_what_a_csv_writer_escapes_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    rows = [(str(number), text, "xy"[number % 2]) for number, text in enumerate(texts)]
    held = io.StringIO(newline="")
    writer = csv.writer(held, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text", "label"), *rows])
    path = write(tmp_path_factory.mktemp("any") / "in.csv", held.getvalue())
    assert rows_of(path, ReadOptions(quote='\\"')) == rows


@settings(deadline=None, max_examples=200)
@example(texts=["a"] * 19 + ['",'])
@example(texts=["a"] * 19 + ['""'])
@example(texts=["a"] * 18 + ['"', " "])
@given(texts=st.lists(st.text(alphabet="ab \"'\\,;|.", min_size=1, max_size=12), min_size=1, max_size=20))
def test_any_marks_in_a_tsv_of_single_lines_are_characters(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rows = [(str(number), f"{text}.", "xy"[number % 2]) for number, text in enumerate(texts)]
    path = write(tmp_path_factory.mktemp("any") / "in.tsv", table([("id", "text", "label"), *rows], "\t"))
    assert rows_of(path) == rows


# --- columns without a name


@pytest.mark.parametrize("header", ["label,text,,", "label,text,"])
def test_a_text_that_runs_over_into_a_column_without_a_name_is_refused(tmp_path: Path, header: str) -> None:
    """As Kaggle's file of SMS has them."""
    end = "," * (header.count(",") - 1)
    lines = [header, f"bad,Cold soup{end}", f"good,Win a prize,tonight yes{end[1:]}", *[f"good,Lovely{end}"] * 4]
    rows = rows_of(write(tmp_path / "in.csv", "\n".join(lines) + "\n"))
    assert [row for row in rows if isinstance(row, tuple)] == [("bad", "Cold soup"), *[("good", "Lovely")] * 4]
    assert "a value in a column without a name" in str(rows[1])


def test_columns_without_a_name_that_have_values_are_said_to_be_left_out(tmp_path: Path) -> None:
    lines = ["text,label,", *(f"text {row},good,{row}" for row in range(9))]
    path = write(tmp_path / "in.csv", "\n".join(lines) + "\n")
    assert len(rows_of(path)) == 9
    assert f"{path}: columns without a name have values, and are left out" in blocks_of(path)[0].reading.notes
    index = write(tmp_path / "index.csv", ",text,label\n0,x,good\n1,y,bad\n")
    assert blocks_of(index)[0].reading.notes == ()


@pytest.mark.parametrize(
    ("names", "example"),
    [
        ("HITId,Input.text,Approve", ", for example --text Input.text"),
        ("id,Your comment?", ", for example --text 'Your comment?'"),
        ("one,two", ", for example --text two"),
        ("Input.text,Output.text", ", for example --text Output.text"),
    ],
)
def test_a_column_that_may_be_the_text_is_an_example(tmp_path: Path, names: str, example: str) -> None:
    width = names.count(",")
    rows = "".join(",".join([f"{n}", *["A text of some words"] * width]) + "\n" for n in range(3))
    with pytest.raises(InputError, match="no column looks like the text") as raised:
        rows_of(write(tmp_path / "in.csv", f"{names}\n{rows}"))
    assert (", for example --text" in str(raised.value)) == bool(example)
    assert example in str(raised.value)


@pytest.mark.parametrize("name", ["", '""'])
@pytest.mark.parametrize(
    ("index", "is_told"), [(("3", "8", "13"), True), (("0", "1", "2"), False), (("1", "2", "3"), False)]
)
def test_an_index_without_a_name_is_told_unless_it_numbers_the_rows(
    tmp_path: Path, name: str, index: tuple[str, ...], is_told: bool
) -> None:
    path = write(tmp_path / "in.csv", f"{name},text,label\n" + "".join(f"{n},A text,x\n" for n in index))
    told = [note for note in notes_of(path) if "the first column has no name and is left out" in note]
    assert bool(told) == is_told
    if told:
        subprocess.run(told[0].partition("give it one: ")[2], shell=True, check=True, cwd=tmp_path)
        assert rows_of(tmp_path / "rows.csv") == [(number, "A text", "x") for number in index]
        assert blocks_of(tmp_path / "rows.csv")[0].columns.extras == ("index",)
