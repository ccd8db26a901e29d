"""Text files: a row a line, a row a file, or lines that carry labels."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, RawBlock
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.formats import read_raw
from engine.inputs.lines import LINE_BYTES
from engine.inputs.options import FASTTEXT, UNSPLIT, ReadOptions

PLAIN = ColumnNames()
FOUND_OUT = ReadOptions()
HAS_GNU_SED = b"GNU" in subprocess.run(["sed", "--version"], capture_output=True, check=False).stdout
REVIEWS = ["The soup arrived cold.", "The ramen was rich, and hot.", "Broken zipper on day one.", "Best dentist ever!"]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def blocks_of(path: Path, options: ReadOptions = FOUND_OUT, wanted: ColumnNames = PLAIN) -> list[RawBlock]:
    return list(read_raw(str(path), wanted, options))


def rows_of(path: Path, options: ReadOptions = FOUND_OUT, wanted: ColumnNames = PLAIN) -> list[tuple | str]:
    """(text, label) of each row, or the reason why it is refused. Read again with what was found out, they are equal."""
    blocks = blocks_of(path, options, wanted)
    rows = _rows(blocks)
    if blocks:
        assert _rows(blocks_of(path, blocks[0].reading.options, wanted)) == rows
    return rows


def _rows(blocks: list[RawBlock]) -> list[tuple | str]:
    rows: list[tuple | str] = []
    for block in blocks:
        assert block.first_row == len(rows) + 1
        texts = block.data[block.columns.text].to_pylist()
        labels = block.data[block.columns.label].to_pylist() if block.columns.label else [None] * block.rows
        for problem, *pair in zip(block.problems, texts, labels, strict=True):
            rows.append(problem or tuple(None if value is None else value.decode() for value in pair))
    return rows


def notes_of(path: Path, options: ReadOptions = FOUND_OUT) -> list[str]:
    return [note.removeprefix(f"{path}: ") for note in blocks_of(path, options)[0].reading.notes]


def many(count: int) -> list[str]:
    return [f"The pie was fine on day {n}." for n in range(count)]


# --- a row a line


def test_a_line_is_a_row_whatever_is_in_it(tmp_path: Path) -> None:
    lines = ['"open', "a, b; c", "", "  ", "x\ty", "\r", "three\r", "\x0b\u2028é", "end"]
    path = write(tmp_path / "in.txt", "\r\n".join(lines))
    assert rows_of(path) == [(line, None) for line in lines]
    assert blocks_of(path)[0].reading.options == ReadOptions(delimiter=UNSPLIT, quote="", encoding="utf-8", names=())


def test_blocks_are_whole_through_pieces(tmp_path: Path) -> None:
    texts = many(60_000)
    path = write(tmp_path / "in.txt", "\n".join(texts))
    assert path.stat().st_size > 1 << 20
    assert rows_of(path) == [(text, None) for text in texts]
    assert max(block.rows for block in blocks_of(path)) == BLOCK_ROWS


def test_a_line_that_is_too_long_is_one_refused_row(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", f"good\n{'x' * (LINE_BYTES + 5)}\ngood\n{'y' * (2 * LINE_BYTES)}")
    too_long = "the line is longer than 16,777,216 bytes"
    assert rows_of(path) == [("good", None), too_long, ("good", None), too_long]


@pytest.mark.parametrize("content", ["", "\ufeff"])
@pytest.mark.parametrize("whole", [False, True])
def test_an_empty_file_has_no_rows(tmp_path: Path, content: str, whole: bool) -> None:
    assert blocks_of(write(tmp_path / "in.txt", content), ReadOptions(whole_files=whole)) == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ColumnNames(text="nosuch"), "there is no column 'nosuch' for --text (columns: text)"),
        (ColumnNames(id="nosuch"), "there is no column 'nosuch' for --id (columns: text)"),
        (ColumnNames(label="nosuch"), "there is no column 'nosuch' for --label (columns: text)"),
        (LabelColumns(), "no column looks like the id (columns: text); name it with --id"),
    ],
)
def test_columns_that_a_text_file_does_not_have_are_refused(tmp_path: Path, wanted: ColumnNames, message: str) -> None:
    path = write(tmp_path / "in.txt", "one\ntwo\n")
    for options in (FOUND_OUT, ReadOptions(whole_files=True)):
        with pytest.raises(InputError, match=re.escape(message)):
            blocks_of(path, options, wanted)
    assert rows_of(path, FOUND_OUT, ColumnNames(text="text", id=NO_COLUMN, label=NO_COLUMN)) == [
        ("one", None),
        ("two", None),
    ]


def test_columns_that_stand_in_the_path_are_there(tmp_path: Path) -> None:
    (tmp_path / "label=good").mkdir()
    block = blocks_of(write(tmp_path / "label=good" / "in.txt", "one\n"))[0]
    assert (block.columns.label, block.data["label"].to_pylist()) == ("label", ["good"])


# --- a row a file


def test_a_whole_file_is_one_row(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "\nfirst line\n\n__label__x second\tline\r\n")
    assert rows_of(path, ReadOptions(whole_files=True)) == [("first line\n\n__label__x second\tline", None)]
    assert blocks_of(path, ReadOptions(whole_files=True))[0].reading.options.whole_files
    assert notes_of(path, ReadOptions(whole_files=True)) == []
    path = write(tmp_path / "large.txt", "x\n" * (LINE_BYTES // 2 + 9))
    assert rows_of(path, ReadOptions(whole_files=True)) == ["the file is longer than 16,777,216 bytes"]


def test_files_of_a_few_lines_are_told_how_they_are_one_row(tmp_path: Path) -> None:
    note = "read as a row a line; --whole-files makes it one row"
    assert notes_of(write(tmp_path / "in.txt", "first\n\nsecond\n")) == [note]
    assert notes_of(write(tmp_path / "in.txt", "only one\n")) == []
    assert notes_of(write(tmp_path / "in.txt", "\n".join(many(100)))) == []


# --- labels of fastText


def test_labels_of_fasttext_are_apart_from_the_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.txt",
        "__label__2 The soup arrived cold.\n"
        "__label__1   The ramen was rich.  \r\n"
        "Broken zipper.\t__label__very-bad\n"
        "in the __label__1 midst\n"
        "__label__2 , Fast\n"
        "no label at all\n"
        "__label__a __label__b both\n"
        "__label__1\n"
        "my__label__1 is part of a word\n",
    )
    assert rows_of(path) == [
        ("The soup arrived cold.", "2"),
        ("The ramen was rich.", "1"),
        ("Broken zipper.", "very-bad"),
        ("in the midst", "1"),
        (", Fast", "2"),
        ("no label at all", None),
        "it has 2 labels, and a text has one",
        ("", "1"),
        ("my__label__1 is part of a word", None),
    ]
    assert notes_of(path) == ["read with the labels that its lines carry (__label__…)"]
    assert blocks_of(path)[0].reading.options.delimiter == FASTTEXT
    assert rows_of(path, FOUND_OUT, ColumnNames(label=NO_COLUMN))[0] == ("The soup arrived cold.", None)


def test_a_label_among_lines_without_is_refused(tmp_path: Path) -> None:
    texts = many(100)
    texts[70] = "__label__1 The soup arrived cold."
    path = write(tmp_path / "in.txt", "\n".join(texts))
    assert [row for row in rows_of(path) if isinstance(row, str)] == [
        "the line begins with __label__, and most lines do not; --delimiter __label__ reads such labels"
    ]
    assert rows_of(path, ReadOptions(delimiter=FASTTEXT))[70] == ("The soup arrived cold.", "1")
    texts = [*many(60_000), *(f"__label__1 {text}" for text in many(3))]
    path = write(tmp_path / "late.txt", "\n".join(texts))
    assert [isinstance(row, str) for row in rows_of(path)] == [False] * 60_000 + [True] * 3


# --- tables


@pytest.mark.parametrize("labels", [("0", "1"), ("ham", "spam"), ("very bad", "good")])
@pytest.mark.parametrize("first", [False, True])
def test_a_label_and_a_tab_in_every_line_are_read(tmp_path: Path, labels: tuple[str, str], first: bool) -> None:
    rows = [(text, labels[n % 2]) for n, text in enumerate(['"Open', *many(20)])]
    lines = [f"{label}\t{text}" if first else f"{text}\t{label}" for text, label in rows]
    path = write(tmp_path / "in.txt", "\n".join([*lines, ""]))
    assert rows_of(path) == rows
    names = ("label", "text") if first else ("text", "label")
    assert notes_of(path) == [f"read as {names[0]} and {names[1]} with a tab between them"]
    assert blocks_of(path)[0].reading.options.names == names
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT))[1] == (lines[1], None)


def test_a_few_lines_with_another_number_of_tabs_do_not_hide_the_labels(tmp_path: Path) -> None:
    lines = [f"{text}\t{n % 2}" for n, text in enumerate(many(60))]
    lines[7] = "no tab"
    path = write(tmp_path / "in.txt", "\n".join(lines))
    assert rows_of(path)[6:9] == [
        ("The pie was fine on day 6.", "0"),
        "the row has 1 field and the header 2",
        "the row before it is broken, and this one may be the rest of it",
    ]
    assert rows_of(path)[9] == ("The pie was fine on day 9.", "1")


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([f"{text}\t{text[::-1]}" for text in REVIEWS], "text,label"),
        ([f"{n}\t{text}\t{n % 2}" for n, text in enumerate(many(12))], "column1,text,label"),
        (["one text\t1"], "text,label"),
        (["1\tone text", "0\tanother"], "label,text"),
    ],
)
def test_other_tables_are_refused_with_the_way(tmp_path: Path, lines: list[str], names: str) -> None:
    path = write(tmp_path / "in.txt", "\n".join(lines))
    with pytest.raises(InputError, match=f"--delimiter tab --columns {names}; or pass --delimiter none if a line is"):
        blocks_of(path)
    found = ReadOptions(delimiter="\t", names=tuple(names.split(",")))
    assert len(rows_of(path, found)) == len(lines)
    assert all(isinstance(row, tuple) for row in rows_of(path, found))
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT)) == [(line, None) for line in lines]


def test_a_table_with_a_header_is_read_by_it(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "text\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(REVIEWS)))
    assert rows_of(path) == [(text, str(n % 2)) for n, text in enumerate(REVIEWS)]
    assert notes_of(path) == ["read with a tab between fields, and its first line as their names"]


@pytest.mark.parametrize(
    ("lines", "way"),
    [
        (
            [f"{text};{('joy', 'sadness', 'love')[n % 3]}" for n, text in enumerate(many(30))],
            "';' --columns text,label",
        ),
        ([f"{text}@{('neutral', 'positive')[n % 2]}" for n, text in enumerate(many(30))], "'@' --columns text,label"),
        ([f"{n % 4}|{text}" for n, text in enumerate(many(30))], "'|' --columns label,text"),
        ([f"{n % 2} {text}" for n, text in enumerate(many(30))], "sed 's/ /\\t/' "),
        ([f"{n % 2},{text}, and hot" for n, text in enumerate(many(30))], "sed 's/,/\\t/' "),
        ([f"{text}|so|{n % 2}" for n, text in enumerate(many(30))], "sed 's/\\(.*\\)|/\\1\\t/' "),
        ([f"{('NUM:dist', 'DESC:def')[n % 2]} {text}" for n, text in enumerate(many(30))], "sed 's/ /\\t/' "),
        ([f"{('good', 'bad')[n % 2]}: {text}" for n, text in enumerate(many(30))], "':' --columns label,text"),
    ],
)
def test_other_labels_in_lines_are_refused_with_the_way(tmp_path: Path, lines: list[str], way: str) -> None:
    path = write(tmp_path / "in.txt", "\n".join(lines))
    with pytest.raises(InputError, match=re.escape(way) + ".*; or pass --delimiter none if a line is a text") as raised:
        blocks_of(path)
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT)) == [(line, None) for line in lines]
    if "--columns" in way:
        mark, _, names = way.partition(" --columns ")
        rows = rows_of(path, ReadOptions(delimiter=mark.strip("'"), names=tuple(names.split(","))))
        assert len({label for _, label in rows}) in (2, 3, 4)
    elif HAS_GNU_SED:
        subprocess.run(str(raised.value).partition("sed: ")[2].partition(";")[0], shell=True, check=True, cwd=tmp_path)
        rows = rows_of(tmp_path / "labelled.txt")
        assert len({label for _, label in rows}) == 2
        assert len({text for text, _ in rows}) == 30


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"text": "a"}', '{"text": "b"}'], "every line looks like a JSON object; let its name end in .jsonl"),
        (["id,text,label", "0,fine,a", "1,bad, very,b"], "the header of a table (id,text,label); pass --delimiter ','"),
        (["text;label", "fine;a"], "the header of a table (text;label); pass --delimiter ';'"),
    ],
)
def test_lines_of_other_formats_are_refused_with_the_way(tmp_path: Path, lines: list[str], words: str) -> None:
    path = write(tmp_path / "in.txt", "\n".join(lines))
    with pytest.raises(InputError, match=re.escape(words)):
        blocks_of(path)
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT)) == [(line, None) for line in lines]


def test_prose_is_no_table(tmp_path: Path) -> None:
    lines = [
        f"Well, I {word} it; truly, {word}. 5 of 10" for word in ("like", "hate", "eat", "see", "want", "buy") * 20
    ]
    lines = [f"{n} times {line}" for n, line in enumerate(lines)]
    assert rows_of(write(tmp_path / "in.txt", "\n".join(lines))) == [(line, None) for line in lines]


def test_a_tab_here_and_there_is_a_character(tmp_path: Path) -> None:
    lines = ["one\ttab", "none", "two\t\ttabs", *many(20)]
    assert rows_of(write(tmp_path / "in.txt", "\n".join(lines))) == [(line, None) for line in lines]


def test_a_text_file_is_delimited_where_the_user_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "text;label\na, b;x\n")
    assert rows_of(path, ReadOptions(delimiter=";")) == [("a, b", "x")]
    path = write(tmp_path / "in.txt", "x\ta, b\ny\tc\n")
    assert rows_of(path, ReadOptions(names=("label", "text"))) == [("a, b", "x"), ("c", "y")]
    with pytest.raises(InputError, match="pass --delimiter as well"):
        blocks_of(path, ReadOptions(quote='"'))


@settings(deadline=None, max_examples=150)
@given(lines=st.lists(st.text(alphabet="ab \"',;\\_\r\x0b\u2028é\ufeff", max_size=12), min_size=1, max_size=12))
def test_lines_without_tabs_come_back_as_they_are(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("any") / "in.txt", "x\n" + "\n".join(lines) + "\n")
    assert rows_of(path) == [("x", None), *((line.removesuffix("\r"), None) for line in lines)]


# --- what looks like another format


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"text": "x"}, {"text": "y"}]', "let its name end in .json,"),
        ('[\n  {"text": "x"}\n]\n', "let its name end in .json,"),
        ('{\n  "text": "x"\n}\n', "let its name end in .json,"),
        ("<?xml version='1.0'?>\n<text>x</text>\n", "XML"),
        ("<!DOCTYPE html>\n<p>x\n", "HTML"),
        ('"a";"b"\n"x; y";"z"\n', "--delimiter ';'"),
        ('"a" "b"\n"1" "x y" "z"\n', "--delimiter ' '"),
        ('"text","label"\n"x, y",0\n', "--delimiter ','"),
        ("".join(f"r{n}\x01A long text {n}\x01{n % 2}\n" for n in range(4)), "--columns column1,text,label"),
    ],
)
def test_lines_of_another_format_are_no_texts(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "in.txt").write_text(content)
    with pytest.raises(InputError, match=re.escape(says)):
        blocks_of(tmp_path / "in.txt")
    assert rows_of(tmp_path / "in.txt", ReadOptions(delimiter=UNSPLIT))[0] == (content.splitlines()[0], None)


@pytest.mark.parametrize(
    "lines", [['"Go," she said', '"Stay" is a word'], ["[sic] he wrote", "x"], ["{x} is a set", "y"], ["<3 it", "z"]]
)
def test_prose_is_prose(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "in.txt").write_text("\n".join(lines))
    assert rows_of(tmp_path / "in.txt") == [(line, None) for line in lines]


def test_a_line_that_only_python_calls_blank_is_blank(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"\x1c")
    assert rows_of(tmp_path / "in.txt") == [("\x1c", None)]
