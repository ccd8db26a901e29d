"""Text files: a row a line, a row a file, or lines that carry labels."""

import bz2
import csv
import gzip
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def refusal_of(path: Path) -> InputError:
    with pytest.raises(InputError, match="or pass --delimiter none if a line is a text") as raised:
        blocks_of(path)
    return raised.value


def follow(error: InputError, folder: Path) -> None:
    """Run the command that a message gives."""
    command = re.search(r"(?<=: )((?:sed|tr|iconv|xz|gzip|bzip2|python3) .* > \w+\.\w+);", str(error))
    assert command is not None, str(error)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(command[1], shell=True, check=True, cwd=folder, env=environment)


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
        (LabelColumns(), "it has lines of text, which do not show what is the id and what the label; write it as CSV"),
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
        ([f"{n % 2} {text}" for n, text in enumerate(many(30))], "GNU sed: sed -E 's"),
        ([f"{n % 2},{text}, and hot" for n, text in enumerate(many(30))], "GNU sed: sed -E 's"),
        ([f"{text}|so|{n % 2}" for n, text in enumerate(many(30))], "GNU sed: sed -E 's"),
        ([f"{('NUM:dist', 'DESC:def')[n % 2]} {text}" for n, text in enumerate(many(30))], "GNU sed: sed -E 's"),
        ([f"{('good', 'bad')[n % 2]}: {text}" for n, text in enumerate(many(30))], "': ' --columns label,text"),
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
        follow(raised.value, tmp_path)
        rows = rows_of(tmp_path / "labelled.txt")
        assert len({label for _, label in rows}) == 2
        assert len({text for text, _ in rows}) == 30


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"text": "a"}', '{"text": "b"}'], "every line looks like a JSON object; let its name end in .jsonl"),
        (["id,text,label", "0,fine,a", "1,bad, very,b"], "the header of a table (id,text,label); pass --delimiter ','"),
        (["text;label", "fine;a"], "the header of a table (text;label); pass --delimiter ';'"),
        (
            ["id,text", '1,"fine,', 'and good"', "2,bad"],
            "the header of a table (id,text), and what is below fits it; pass --delimiter ','",
        ),
        (
            ["id|message", "1|It was fine", "2|No idea", "3|Bad and loud"],
            "the header of a table (id|message), and what is below fits it; pass --delimiter '|'",
        ),
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
    assert rows_of(path) == [("x", None), *((line.lstrip("\ufeff").removesuffix("\r"), None) for line in lines)]


# --- ends of lines


@pytest.mark.parametrize("end", ["", "\r"])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_lines_of_an_old_mac_are_rows(tmp_path: Path, end: str, count: int) -> None:
    path = write(tmp_path / "in.txt", "\r".join(many(count)) + end)
    assert rows_of(path) == [(text, None) for text in many(count)]


def test_lines_of_an_old_mac_are_rows_through_pieces(tmp_path: Path) -> None:
    texts = [*many(60_000), "", "last"]
    path = write(tmp_path / "in.txt", "\r".join(texts))
    assert rows_of(path) == [(text, None) for text in texts]
    long = write(tmp_path / "long.txt", f"good\r{'x' * (LINE_BYTES + 5)}\rgood\r")
    assert rows_of(long) == [("good", None), "the line is longer than 16,777,216 bytes", ("good", None)]
    path = write(tmp_path / "labels.txt", "".join(f"__label__{n % 2} {text}\r" for n, text in enumerate(many(9))))
    assert rows_of(path) == [(text, str(n % 2)) for n, text in enumerate(many(9))]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a b\r\nc d\r\ne\rf\rg\r\n", 5),
        ("a\rb\rc\r\nd\r\n", 4),
        ("a\rb\rc\rd\ne\nf\n", 6),
        ("".join(f"{n}\r\n" for n in range(20)) + "part\rof a text\r\n", 21),
        ("x\na\rb\nc\rd\n", 3),
        ("a\r\r\nb\r\r\n", 2),
    ],
)
def test_a_return_ends_a_line_where_it_is_no_exception(tmp_path: Path, content: str, rows: int) -> None:
    path = write(tmp_path / "in.txt", content)
    assert len(rows_of(path)) == rows
    is_mixed = rows == len(re.split(r"\r\n|\r|\n", content)) - 1
    assert is_mixed == any(r"end in \r alone as well as in \n; if texts" in note for note in notes_of(path))


@pytest.mark.parametrize("content", ["\ufeffa\nb\n\ufeffc\nd \ufeffe\n", "\ufeffa\r\ufeff\ufeffb\rc\rd \ufeffe\r"])
def test_a_byte_order_mark_before_a_line_is_not_of_its_text(tmp_path: Path, content: str) -> None:
    assert rows_of(write(tmp_path / "in.txt", content)) == [("a", None), ("b", None), ("c", None), ("d \ufeffe", None)]
    path = write(tmp_path / "labelled.txt", "".join(f"\ufeff__label__{n % 2} x\n" for n in range(4)))
    assert rows_of(path) == [("x", str(n % 2)) for n in range(4)]


@pytest.mark.parametrize("end", ["\n\x1a", "\r\n\x1a", "\x1a", "\n\x1a\r\n", "\r\n\x1a\x1a\x1a", "\r\x1a"])
def test_the_mark_of_dos_at_the_end_is_no_row(tmp_path: Path, end: str) -> None:
    line_end = "\r" if end == "\r\x1a" else "\r\n"
    path = write(tmp_path / "in.txt", f"a{line_end}\x1a{line_end}b \x1a c{end}")
    assert rows_of(path) == [("a", None), ("\x1a", None), ("b \x1a c", None)]
    assert rows_of(write(tmp_path / "in.txt", "\x1a")) == []
    assert rows_of(write(tmp_path / "in.txt", f"a b{end}"), ReadOptions(whole_files=True)) == [("a b", None)]


# --- labels in lines

CLASSES = ("positive", "negative")
SIGNED = ("+1", "-1")
TEXTS = [
    *REVIEWS,
    'They call it "fresh"; it is stale - or was.',
    "Never again: two | three hours",
    "Quick (and) gentle",
]


@pytest.mark.skipif(not HAS_GNU_SED, reason="the messages name GNU sed")
@pytest.mark.parametrize(
    ("form", "classes"),
    [
        ("{label} {text}", SIGNED),
        ("{label} {text}", ("4.5", "1")),
        ("{label} {text}", ("5/5", "1/5")),
        ("{label} {text}", ("★★★★★", "★☆☆☆☆")),
        ("{label} {text}", ("*****", "*")),
        ("{label} {text}", ("👍", "👎")),
        ("{label} {text}", CLASSES),
        ("{label} {text}", ("POS", "NEG")),
        ("{label} {text}", ("Positive", "Negative")),
        ("{label} {text}", ("good", "bad")),
        ("{label} {text}", ("TRUE", "FALSE")),
        ("{text} {label}", CLASSES),
        ("{text} {label}", SIGNED),
        ("{label}  {text}", ("joy", "anger")),
        ("{text}   {label}", ("joy", "anger")),
        ("{label} - {text}", CLASSES),
        ("{label} – {text}", CLASSES),
        ("{label} | {text}", CLASSES),
        ("{label}||{text}", ("so so", "fine")),
        ("{label} -> {text}", SIGNED),
        (r"{label}\t{text}", CLASSES),
        (r"{text}\t{label}", CLASSES),
        ("[{label}] {text}", ("POS", "NEG")),
        ("({label}): {text}", ("very bad", "fine")),
        ("{{{label}}}{text}", CLASSES),
        ("{text} ({label})", CLASSES),
        ("{text} [{label}]", ("1", "0")),
        ("{text} => {label}", CLASSES),
        ("{text} - {label}", CLASSES),
        ("{text} | {label}", CLASSES),
        ("{text} ||| {label}", CLASSES),
        ("{text}|||{label}", CLASSES),
        ("{text} ### {label}", ("1", "0")),
        ("{text}##{label}", ("1", "0")),
        ("{text}:: {label}", CLASSES),
        ("{text} ; {label}", CLASSES),
        ("{label} |w {text}", ("1", "-1")),
        ("{label} 0.5 tag |text {text}", ("1", "-1")),
    ],
)
def test_a_command_sets_labels_apart(tmp_path: Path, form: str, classes: tuple[str, str]) -> None:
    texts = [text.replace(" | ", " ") for text in TEXTS] if "|" in form else TEXTS
    rows = [(text, classes[n % 2]) for n, text in enumerate(texts)]
    lines = [form.format(text=text, label=label) for text, label in rows]
    for end in ("\n", "\r\n"):
        path = write(tmp_path / "in it.txt", "".join(line + end for line in lines))
        error = refusal_of(path)
        assert str(error).startswith(f"{path}: every line ")
        follow(error, tmp_path)
        assert rows_of(tmp_path / "labelled.txt") == rows
        assert rows_of(path, ReadOptions(delimiter=UNSPLIT)) == [(line, None) for line in lines]


@pytest.mark.skipif(not HAS_GNU_SED, reason="the messages name GNU sed")
@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("in.txt.gz", gzip.compress),
        ("in.txt.bz2", bz2.compress),
        ("in.txt.xz", lzma.compress),
        ("in.txt", lambda data: data.decode().encode("utf-16")),
        ("in.txt", lambda data: data.decode().encode("utf-16-be")),
        ("in.txt", lambda data: data.replace(b"\n", b"\r")),
        ("in.txt.gz", lambda data: gzip.compress(data.decode().replace("\n", "\r").encode("utf-16"))),
    ],
)
def test_the_command_reads_what_the_engine_reads(tmp_path: Path, name: str, packed: Callable[[bytes], bytes]) -> None:
    rows = [(text, SIGNED[n % 2]) for n, text in enumerate(TEXTS)]
    path = write(tmp_path / name, packed("".join(f"{label} {text}\n" for text, label in rows).encode()))
    try:
        follow(refusal_of(path), tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("a program is missing")
    assert rows_of(tmp_path / "labelled.txt") == rows


@pytest.mark.parametrize("form", ["{label} - {text}", "[{label}] {text}", "{text} => {label}"])
def test_the_lines_of_one_class_carry_labels_as_well(tmp_path: Path, form: str) -> None:
    lines = [form.format(text=text, label="positive") for text in TEXTS]
    assert "looks like a label (positive)" in str(refusal_of(write(tmp_path / "in.txt", "\n".join(lines))))


@pytest.mark.parametrize(
    ("rows", "way"),
    [
        ([("The soup was cold, and nobody cared.", "negative"), ("Warm staff", "positive")] * 2, ", text,label"),
        ([("negative", "The soup was cold, and nobody cared."), ("positive", "Warm")] * 2, ", label,text"),
        ([(f"r{n}", "The soup, cold", CLASSES[n % 2]) for n in range(4)], ", column1,text,label"),
        ([('He said "so"; twice', "0"), ("Warm staff", "1")] * 2, "; text,label"),
    ],
)
def test_fields_in_quotation_marks_are_read_as_advised(tmp_path: Path, rows: list[tuple[str, ...]], way: str) -> None:
    delimiter, names = way.split()
    with (tmp_path / "in.txt").open("w", newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows(rows)
    assert f"pass --delimiter '{delimiter}' --columns {names}" in str(refusal_of(tmp_path / "in.txt"))
    columns = tuple(names.split(","))
    pairs = [(row[columns.index("text")], row[columns.index("label")]) for row in rows]
    assert rows_of(tmp_path / "in.txt", ReadOptions(delimiter=delimiter, names=columns)) == pairs


def test_features_of_several_namespaces_have_no_command(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "".join(f"{n % 2} |w good food |x long\n" for n in range(4)))
    assert "Vowpal Wabbit; write them as CSV with the columns label,text" in str(refusal_of(path))


@pytest.mark.parametrize(
    "lines",
    [
        ["Good food.", "Bad service.", "Good wine.", "Bad music."],
        ["good food", "bad service", "good wine", "bad music"],
        ["GOOD FOOD", "BAD SERVICE", "GOOD WINE", "BAD MUSIC"],
        ["Positive experience overall", "Negative attitude of staff"] * 2,
        ["Great Value", "Good Product", "Great Phone", "Good Case"],
        ["I went once.", "I liked it.", "I hated it - really.", "We left."],
        ["* one", "** two", "* three", "** four"],
        ["- one", "- two", "- three", "- four"],
        ["The taste was good", "The smell was bad", "The wine was good", "All was bad"],
        ["3 times I went.", "I went 3 times", "2 of us came", "It cost 5"],
        ["1. one", "2. two", "3. three", "4. four"],
        ["## one", "### two", "## three", "### four"],
        ["@user go", "@user stay", "@other go", "@other stay"],
        ["(sic) one", "two (so they say)", "three", "(four)"],
        ["insert into slot", "values of (mine)"],
        ["(1 of 2) fine", "(2 of 2) bad"],
        ["Warm staff!"],
        ["positive"],
        ['"Warm staff!"'],
        ["text"],
        ["A title", "-------", "A text below"],
        ["review", "review", "another"],
    ],
)
def test_ordinary_lines_are_texts(tmp_path: Path, lines: list[str]) -> None:
    assert rows_of(write(tmp_path / "in.txt", "\n".join(lines))) == [(line, None) for line in lines]


# --- one column


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize(("name", "delimiter"), [("text", ","), ("Review", ","), ("text", "\t")])
def test_a_column_with_its_name_is_read(tmp_path: Path, quoting: Any, name: str, delimiter: str) -> None:
    texts = [*TEXTS, "of two\nlines"] if delimiter == "," else TEXTS
    with (tmp_path / "in.txt").open("w", newline="") as out:
        csv.writer(out, quoting=quoting, delimiter=delimiter).writerows([[name], *([text] for text in texts)])
    assert rows_of(tmp_path / "in.txt") == [(text, None) for text in texts]
    marks = "and without the quotation marks around texts; --delimiter none keeps all as it is"
    assert notes_of(tmp_path / "in.txt") == [f"read as a column whose name is its first line, {marks}"]
    assert rows_of(tmp_path / "in.txt", ReadOptions(delimiter=UNSPLIT))[1][0] in (texts[0], f'"{texts[0]}"')


def test_a_column_without_quotation_marks_is_read(tmp_path: Path) -> None:
    lines = ["text", "The soup was cold, and nobody cared.", '"Go," she said', '"Fine"', 'They call it "fresh"']
    path = write(tmp_path / "in.txt", "\n".join(lines))
    assert rows_of(path) == [(line, None) for line in lines[1:]]
    assert notes_of(path) == ["read as a column whose name is its first line; --delimiter none keeps all as it is"]


@pytest.mark.parametrize(("mark", "inside"), [('"', '""'), ('"', '\\"')])
def test_lines_in_quotation_marks_are_read_without(tmp_path: Path, mark: str, inside: str) -> None:
    lines = [mark + text.replace(mark, inside) + mark for text in TEXTS]
    path = write(tmp_path / "in.txt", "\n".join(lines))
    assert rows_of(path) == [(text, None) for text in TEXTS]
    assert notes_of(path) == ["read without the quotation marks around each line; --delimiter none keeps all as it is"]
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT)) == [(line, None) for line in lines]


# --- tables of other programs

TABLE = [("id", "text", "label"), *((f"r{n}", text, str(n % 2)) for n, text in enumerate(REVIEWS))]


def drawn(form: str, rule: str, *, around: str = "", end: str = "") -> str:
    lines = [form.format(*row) for row in TABLE]
    return "\n".join([*([around] if around else []), lines[0], rule, *lines[1:], *([around] if around else []), end])


@pytest.mark.skipif(not HAS_GNU_SED, reason="the messages name GNU sed")
@pytest.mark.parametrize(
    ("content", "says", "target"),
    [
        (drawn(" {0:<3}| {1:<30} | {2}", "----+--------+-----", end="(4 rows)\n"), "as psql prints it", "table.tsv"),
        (drawn("| {0} | {1:<30} | {2} |", "+--+----+--+", around="+--+----+--+"), "as mysql prints it", "table.tsv"),
        (drawn("| {0} | {1} | {2} |", "|---|:---|--:|"), "a table of Markdown", "table.tsv"),
        (drawn("{0} | {1} | {2}", "---|---|---"), "a table of Markdown", "table.tsv"),
        ("\n".join(f"{a:>3}  {b:<30} {c:>6}" for a, b, c in TABLE), "have a fixed width", "table.csv"),
    ],
)
def test_drawn_tables_are_read_as_advised(tmp_path: Path, content: str, says: str, target: str) -> None:
    error = refusal_of(write(tmp_path / "in.txt", content))
    assert says in str(error)
    if target == "table.csv":
        pytest.importorskip("pandas")
    follow(error, tmp_path)
    assert rows_of(tmp_path / target) == [row[1:] for row in TABLE[1:]]


@pytest.mark.skipif(not HAS_GNU_SED, reason="the messages name GNU sed")
def test_trees_and_tuples_are_read_as_advised(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.txt", "(3 (2 Warm) (2 (2 staff) (2 !)))\n(1 (2 Cold) (1 soup))\n(2 (2 So) (2 so))\n(1 No)\n"
    )
    follow(refusal_of(path), tmp_path)
    assert rows_of(tmp_path / "labelled.txt", ReadOptions(delimiter="\t", names=("label", "text"))) == [
        ("Warm staff !", "3"),
        ("Cold soup", "1"),
        ("So so", "2"),
        ("No", "1"),
    ]
    rows = [(text, n % 2) for n, text in enumerate([*TEXTS, "it's, a \\d"])]
    for end in ("\n", ",\n"):
        path = write(tmp_path / "in.txt", "".join(f"{row!r}{end}" for row in rows))
        follow(refusal_of(path), tmp_path)
        assert rows_of(tmp_path / "table.csv") == [(text, str(label)) for text, label in rows]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("+1 1:0.5 7:1\n-1 3:1e-5 9:1\n", "as libsvm has them"),
        ("INSERT INTO reviews VALUES ('r0', 'cold', 'a');\nINSERT INTO reviews VALUES ('r1', 'it', 'b');\n", "SQL"),
        ("-- dump\nCREATE TABLE x (a text);\nINSERT INTO `x` (`a`) VALUES\n('cold'),\n('warm');\n", "SQL"),
        ("{\\rtf1\\ansi\nWarm staff!\\par\n}\n", "it is RTF"),
        ("{\\rtf1 Warm}", "it is RTF"),
    ],
)
def test_what_holds_no_lines_of_text_is_refused(tmp_path: Path, content: str, says: str) -> None:
    assert says in str(refusal_of(write(tmp_path / "in.txt", content)))


# --- what looks like another format


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"text": "x"}, {"text": "y"}]', "let its name end in .json;"),
        ('[\n  {"text": "x"}\n]\n', "let its name end in .json;"),
        ('{\n  "text": "x"\n}\n', "let its name end in .json;"),
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


def test_a_file_of_labels_is_no_file_of_texts(tmp_path: Path) -> None:
    """As TweetEval keeps its labels beside its texts."""
    texts = many(30)
    write(tmp_path / "texts.txt", "\n".join(texts) + "\n")
    path = write(tmp_path / "labels.txt", "\n".join(str(number % 2) for number in range(30)) + "\n")
    with pytest.raises(InputError, match="every line is a number, as in a file of labels") as raised:
        blocks_of(path)
    command = str(raised.value).partition("as with: ")[2].partition(";")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert rows_of(tmp_path / "labelled.txt") == [(text, str(number % 2)) for number, text in enumerate(texts)]
