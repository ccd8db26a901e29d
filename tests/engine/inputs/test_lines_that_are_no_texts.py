"""Text files whose lines carry ids, numbers, times or tags → a refusal with a way that works."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.delimited_files.dialect import delimiter_named, quote_named
from engine.inputs.formats import read_raw
from engine.inputs.options import UNSPLIT, ReadOptions

REVIEWS = ["The soup arrived cold, and late.", 'The "rich" ramen; hot.', "Loved it", "Best dentist | ever: 5 stars!"]
CLASSES = ("good", "bad")
IDS = ["h101", "h102", "h7", "h12"]


def texts_of(path: Path, options: ReadOptions) -> list[tuple[str, str | None]]:
    """The text and the id of each row."""
    rows = []
    for block in read_raw(str(path), ColumnNames(), options):
        ids = block.data[block.columns.id].to_pylist() if block.columns.id else [None] * block.rows
        for text, id_ in zip(block.data[block.columns.text].to_pylist(), ids, strict=True):
            rows.append((text.decode(), id_ and id_.decode()))
    return rows


def refusal(path: Path) -> str:
    with pytest.raises(InputError, match="or pass --delimiter none if a line is a text") as raised:
        texts_of(path, ReadOptions())
    return str(raised.value)


def followed(message: str, path: Path) -> list[tuple[str, str | None]]:
    """The rows after all that a message says was done."""
    if found := re.search(r": ((?:sed|python3|gzip|iconv) .*? > (\w+\.txt));", message):
        subprocess.run(found[1], shell=True, check=True, cwd=path.parent)
        path = path.with_name(found[2])
    flags = dict(re.findall(r"--(delimiter|quote|columns) '?([^ ;']+|;)'?", message.partition("; or pass")[0]))
    delimiter, quote, names = flags.get("delimiter"), flags.get("quote"), flags.get("columns")
    options = ReadOptions(
        delimiter=delimiter and delimiter_named(delimiter),
        quote=None if quote is None else quote_named(quote),
        names=tuple(names.split(",")) if names else None,
    )
    return texts_of(path, options)


@pytest.mark.parametrize(
    "form", ["{0}|{1}", "{1}|{0}", "{0}; {1}", "{0},{1}", "{1},{0}", "{0}: {1}", "{0}||{1}", "{1} ^ {0}", "{0} ~ {1}"]
)
def test_ids_in_lines_are_told_and_the_way_sets_them_apart(tmp_path: Path, form: str) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("".join(form.format(*row) + "\n" for row in zip(IDS, REVIEWS, strict=True)))
    message = refusal(path)
    assert "with what looks like an id (h101)" in message
    assert followed(message, path) == [*zip(REVIEWS, IDS, strict=True)]


def test_phrases_with_numbers_behind_a_bar_name_the_flags(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.txt"
    texts = ["a good film", "bad", "so-so, and long"]
    path.write_text("".join(f"{text}|{number}\n" for number, text in enumerate(texts)))
    message = refusal(path)
    assert "pass --delimiter '|' --quote none --columns text,id;" in message
    assert followed(message, path) == [(text, str(number)) for number, text in enumerate(texts)]


@pytest.mark.parametrize("form", ["{}. {}", "{}) {}", "({}) {}", "{} - {}"])
def test_numbered_lists_are_told_with_the_way_to_lose_their_numbers(tmp_path: Path, form: str) -> None:
    path = tmp_path / "texts.txt"  # the command writes another file than the one that it reads
    lines = [form.format(number, text) for number, text in enumerate(REVIEWS, start=9)]
    path.write_text("\n".join(lines))
    assert texts_of(path, ReadOptions()) == [(line, None) for line in lines]
    notes = next(read_raw(str(path), ColumnNames(), ReadOptions())).reading.notes
    (note,) = (note for note in notes if "its lines are numbered" in note)
    subprocess.run(note.partition("takes them away: ")[2], shell=True, check=True, cwd=tmp_path)
    assert texts_of(tmp_path / "new_texts.txt", ReadOptions()) == [(text, None) for text in REVIEWS]


def noted(path: Path, words: str) -> str:
    """The command of a note on a file."""
    notes = next(read_raw(str(path), ColumnNames(), ReadOptions())).reading.notes
    (note,) = (note for note in notes if words in note)
    return note.partition(words)[2]


@pytest.mark.parametrize("form", ["2024-03-0{} 10:22:31 INFO {}", "[2024-03-0{}T10:22:31.123Z] [ERROR] {}"])
def test_times_of_a_log_are_told_with_the_way_to_lose_them(tmp_path: Path, form: str) -> None:
    path = tmp_path / "app.txt"
    path.write_text("".join(form.format(*row) + "\n" for row in enumerate(REVIEWS, start=1)))
    subprocess.run(noted(path, "GNU sed takes them away: "), shell=True, check=True, cwd=tmp_path)
    assert texts_of(tmp_path / "texts.txt", ReadOptions()) == [(text, None) for text in REVIEWS]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_paragraphs_of_several_lines_are_told_with_the_way_to_join_them(tmp_path: Path, end: str) -> None:
    path = tmp_path / "reviews.txt"
    path.write_bytes((end * 2).join(f"{text}{end}And more." for text in REVIEWS).encode())
    way = noted(path, "to make a text of each paragraph: ").replace("python3", shlex.quote(sys.executable))
    subprocess.run(way, shell=True, check=True, cwd=tmp_path)
    assert texts_of(tmp_path / "texts.txt", ReadOptions()) == [(f"{text} And more.", None) for text in REVIEWS]


def test_blank_lines_between_single_lines_are_no_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("\n\n".join(REVIEWS))
    assert not any("paragraph" in note for note in next(read_raw(str(path), ColumnNames())).reading.notes)


def test_dicts_of_python_are_told_with_the_way_to_write_them_as_json(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("".join(f"{ {'text': text, 'label': 'bad'} }\n" for text in REVIEWS))
    with pytest.raises(InputError, match="dicts as Python prints them") as raised:
        texts_of(path, ReadOptions())
    way = str(raised.value).partition("with json.dumps: ")[2].replace("python ", f"{shlex.quote(sys.executable)} ", 1)
    subprocess.run(way, shell=True, check=True, cwd=tmp_path)
    (block,) = read_raw(str(tmp_path / "rows.jsonl"), ColumnNames())
    assert block.data["text"].to_pylist() == REVIEWS


def test_bars_without_space_in_all_lines_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("anna|The soup was cold|menu\nbob|Fine and cheap|door\ncarl|Never again, sorry|menu\n")
    message = refusal(path)
    assert "--delimiter '|' --quote none --columns column1,text,column3" in message
    assert [text for text, _ in followed(message, path)] == [
        "The soup was cold",
        "Fine and cheap",
        "Never again, sorry",
    ]


@pytest.mark.parametrize(
    ("begin", "other"), [("12/31/23, 9:15\u202fPM - Bob: ", ""), ("[31.12.23, 21:15:02] Anna B: ", "\u200e")]
)
def test_a_chat_loses_times_and_writers(tmp_path: Path, begin: str, other: str) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("".join(f"{other}{begin}{text}\n" for text in REVIEWS))
    message = refusal(path)
    assert "a chat that WhatsApp exported" in message
    assert made_of(message, tmp_path) == REVIEWS


def test_a_message_of_several_lines_is_one_and_a_notice_none(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    time = "12/03/2024, 09:1{} - "
    lines = ["Messages are encrypted. Nobody reads them.", "Ada: Oh: bad", "Ben: Mine was cold\n!\nand dear", "Ada: No"]
    path.write_text("".join(f"{time.format(number)}{line}\n" for number, line in enumerate(lines)))
    assert made_of(refusal(path), tmp_path) == ["Oh: bad", "Mine was cold\n!\nand dear", "No"]


def made_of(message: str, folder: Path) -> list[str]:
    found = re.search(r": (python3 -c .*? > rows\.jsonl);", message)
    assert found, message
    subprocess.run(found[1], shell=True, check=True, cwd=folder)
    return [json.loads(line)["text"] for line in (folder / "rows.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("mark", ["\t", " "])
def test_words_with_tags_become_sentences(tmp_path: Path, mark: str) -> None:
    rows = [
        ("-DOCSTART-", "O"),
        (),
        ("Anna", "B-PER"),
        ("liked", "O"),
        ("Rome", "B-LOC"),
        (),
        ("It", "O"),
        ("rained", "O"),
    ]
    path = tmp_path / "train.txt"
    path.write_text("".join(mark.join(row) + "\n" for row in rows))
    message = refusal(path)
    assert "as CoNLL has them" in message
    assert followed(message, path) == [("Anna liked Rome", None), ("It rained", None)]


@pytest.mark.parametrize(
    "lines",
    [
        ["In 2019, it was good.", "In 2020, it was bad.", "In 2021, it closed."],
        ["It cost 1,000", "It cost 12,345", "I paid 999,999"],
        ["Best hotels in Rome | Guide", "Cheap flights | Fly", "Where to eat | Eater"],
        ["We waited 20, then 30", "They charged 10, not 12", "I paid 5, he paid 7"],
        ["12:30 came late", "9:15 was early", "10:00 is fine"],
        ["1. great", "2. awful", "no number here"],
        ["2 stars", "3 stars", "5 stars"],
        ["Great 10/10", "Poor 3/10", "So-so 5/10"],
        ["Room 12: fine, 8 of 10", "Room 13: cold, 2 of 10", "Room 14: nice, 9 of 10"],
    ],
)
def test_prose_with_numbers_is_read(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(lines))
    assert texts_of(path, ReadOptions()) == [(line, None) for line in lines]
    path.write_text("1|a\n2|b\n3|c\n")
    assert len(texts_of(path, ReadOptions(delimiter=UNSPLIT))) == 3


def test_a_dump_of_a_database_is_written_as_csv_by_the_command(tmp_path: Path) -> None:
    path = tmp_path / "dump.txt"
    path.write_text(
        "".join(f"h{n}\t{t}\t{CLASSES[n % 2]}\n" for n, t in enumerate([*REVIEWS, "one\\\n\\ttwo\\\\", "x"]))
    )
    message = refusal(path)
    (command, names) = re.search(r"as CSV: (.*); and read that with --columns ([\w,]+); or", message).groups()
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    texts = [text for text, _ in texts_of(tmp_path / "rows.csv", ReadOptions(names=tuple(names.split(","))))]
    assert (names, texts) == ("column1,text,label", [*REVIEWS, "one\n\ttwo\\", "x"])
