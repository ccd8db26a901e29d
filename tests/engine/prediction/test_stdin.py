"""The standard input → a file of the right kind, and words that call it stdin."""

import csv
import io
import json
import sys
from types import SimpleNamespace

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.options import FOUND_OUT, UNSPLIT, ReadOptions
from engine.prediction.stdin import source_of

TICKETS = [("7", "It crashes, always.\nI tried twice.\n\nHelp, soon"), ("8", 'good "food"'), ("9", "so, so\nbad")]
PROSE = [
    "good food, really",
    "the room was bad, loud, and dear",
    'he said "so, so", and left',
    "Great review, great content",
]
SAID = ReadOptions(names=("id", "text"))


def written(delimiter, names=("id", "text"), encoding="utf-8"):
    place = io.StringIO(newline="")
    csv.writer(place, delimiter=delimiter).writerows([*([names] if names else []), *TICKETS])
    return place.getvalue().encode(encoding)


def _plain(text):
    return text if isinstance(text, str) else text.decode()


@pytest.fixture
def texts_of(monkeypatch):
    """What is read from the standard input, and the notes on it."""

    def read(data, columns=ColumnNames(), options=FOUND_OUT, format_=None):  # noqa: B008 - frozen
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        with source_of(("-",), format_, columns, options) as source, source.named():
            (file,) = source.files
            blocks = list(read_raw(file, columns, options))
            texts = [_plain(text) for block in blocks for text in block.data[block.columns.text].to_pylist()]
            notes = [*source.notes, *(note for block in blocks for note in block.reading.notes)]
            return texts, [source.with_names(note) for note in notes]

    return read


@pytest.mark.parametrize(
    ("data", "columns", "options"),
    [
        (written(","), ColumnNames(), FOUND_OUT),
        (written(";"), ColumnNames(), FOUND_OUT),
        (written("\t"), ColumnNames(), FOUND_OUT),
        (written(";", encoding="utf-16"), ColumnNames(), FOUND_OUT),
        (b"sep=;\n" + written(";"), ColumnNames(), FOUND_OUT),
        (written(",", ("id", "news")), ColumnNames(text="news"), FOUND_OUT),
        (written(",", ()), ColumnNames(), SAID),
        (written("|", ()), ColumnNames(), ReadOptions(names=("id", "text"), delimiter="|")),
    ],
)
def test_a_table_is_read_as_one_whatever_stands_in_its_texts(texts_of, data, columns, options):
    texts, _ = texts_of(data, columns, options)
    assert texts == [text for _, text in TICKETS]


def test_what_was_found_out_is_said_of_stdin(texts_of):
    _, notes = texts_of(written(";"))
    assert notes[0] == "stdin: read as csv; --input-format txt makes a row of each line"
    assert notes[1] == "stdin: read with ';' between fields"
    _, notes = texts_of(b"good food\nbad room\n")
    assert notes == ["stdin: read as a row a line; --whole-files makes it one row"]


def test_a_table_whose_text_is_not_known_is_refused(texts_of):
    with pytest.raises(InputError, match="stdin: no column looks like the text .*--text message"):
        texts_of(written(",", ("id", "message")))
    with pytest.raises(InputError, match="stdin: there is no column 'body' for --text"):
        texts_of(written(","), ColumnNames(text="body"))


@pytest.mark.parametrize("columns", [ColumnNames(), ColumnNames(text="text"), ColumnNames(id="")])
@pytest.mark.parametrize("times", [1, 500])
def test_prose_with_commas_stays_text(texts_of, columns, times):
    assert texts_of("\n".join(PROSE * times).encode(), columns)[0] == PROSE * times
    assert texts_of("\n".join(PROSE[-1:] + PROSE[:1]).encode(), columns)[0] == [PROSE[-1], PROSE[0]]


def test_what_the_user_says_holds(texts_of):
    lines = written(",").decode().replace("\r", "").splitlines()
    assert texts_of(written(","), format_="txt", options=ReadOptions(delimiter=UNSPLIT))[0] == lines
    assert texts_of(written(","), options=ReadOptions(delimiter=UNSPLIT))[0] == lines
    assert len(texts_of(written(","), options=ReadOptions(whole_files=True))[0]) == 1
    brackets = b"[a] good;7\n[b] bad;8\n"
    assert texts_of(brackets, options=ReadOptions(delimiter=";", names=("text", "id")))[0] == ["[a] good", "[b] bad"]
    assert texts_of(json.dumps({"text": "a, b"}).encode())[0] == ["a, b"]
