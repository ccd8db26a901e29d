"""Files of every format → checked rows."""

import codecs
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.arrow_files import arrow_sandbox
from engine.inputs.blocks import BLOCK_ROWS, in_detail
from engine.inputs.check_rows import MAX_TEXT_BYTES, Block, read_blocks
from engine.inputs.columns import MAX_COLUMNS, NO_COLUMN, ColumnNames
from engine.inputs.encodings import UTF8, guessed
from engine.inputs.formats import expand
from engine.inputs.lines import LINE_BYTES
from engine.inputs.text_files.line_ends import returns_end_lines
from engine.inputs.usable_strings import SPREADSHEET_ERRORS

PLAIN = ColumnNames()
ROWS = [("a", "first text"), ("b", "zweiter Text: ä"), ("c", "третий 🙂")]


def blocks_of(path: Path, columns: ColumnNames = PLAIN) -> list[Block]:
    return list(read_blocks(str(path), columns))


def rows_of(path: Path, columns: ColumnNames = PLAIN) -> list[tuple[str | None, str | None, str | None]]:
    """(id, text, problem) of every row; the text is None where there is a problem."""
    found = []
    expected_first = 1
    for block in blocks_of(path, columns):
        assert block.first_row == expected_first
        assert block.id.type == block.text.type == block.label.type == pa.string()
        assert len(block.id) == len(block.text) == len(block.label) == block.rows
        expected_first += block.rows
        for id_, text, problem in zip(block.id.to_pylist(), block.text.to_pylist(), block.label_problems, strict=True):
            assert problem or (id_ is not None and text is not None)
            found.append((id_, None if problem else text, problem and in_detail(problem)))
    return found


def texts_of(path: Path, columns: ColumnNames = PLAIN) -> list[str | None]:
    return [text for _, text, _ in rows_of(path, columns)]


def problems_of(path: Path, columns: ColumnNames = PLAIN) -> list[str | None]:
    return [problem for _, _, problem in rows_of(path, columns)]


def labels_of(path: Path) -> list[str | None]:
    return [label for block in blocks_of(path) for label in block.label.to_pylist()]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def write_arrow(path: Path, table: pa.Table, *, stream: bool = False, rows: int = 2) -> Path:
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def write_compressed(path: Path, content: bytes) -> Path:
    codec = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    if codec is None:
        return write(path, content)
    with pa.CompressedOutputStream(str(path), codec) as sink:
        sink.write(content)
    return path


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def table_of(texts: pa.Array) -> pa.Table:
    return pa.table({"id": [f"r{number}" for number in range(len(texts))], "text": texts})


# --- formats


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", "id,text\n" + "".join(f'{id_},"{text}"\n' for id_, text in ROWS)),
        (".tsv", "id\ttext\n" + "".join(f"{id_}\t{text}\n" for id_, text in ROWS)),
        (".TSV", "id\ttext\n" + "".join(f"{id_}\t{text}\n" for id_, text in ROWS)),
        (".tsv.CSV", "id,text\n" + "".join(f"{id_},{text}\n" for id_, text in ROWS)),
        (".jsonl", jsonl(*({"id": id_, "text": text} for id_, text in ROWS))),
        (".ndjson", jsonl(*({"text": text, "id": id_} for id_, text in ROWS))),
        (".json", jsonl(*({"id": id_, "text": text} for id_, text in ROWS))),
    ],
)
def test_every_line_format_gives_the_same_rows_compressed_or_not(
    tmp_path: Path, suffix: str, content: str, compression: str
) -> None:
    path = write_compressed(tmp_path / f"in{suffix}{compression}", content.encode())
    assert expand([str(path)]) == [str(path)]
    assert rows_of(path) == [(id_, text, None) for id_, text in ROWS]


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_plain_text_is_a_row_a_line_named_by_file_and_row(tmp_path: Path, compression: str) -> None:
    path = write_compressed(tmp_path / f"in.txt{compression}", b"one\r\n  two \nthree\r\r\nfour")
    assert rows_of(path) == [
        (f"{path}:1", "one", None),
        (f"{path}:2", "  two ", None),
        (f"{path}:3", "three\r", None),
        (f"{path}:4", "four", None),
    ]


@pytest.mark.parametrize(
    "type_",
    [
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_every_arrow_type_of_text_is_read(tmp_path: Path, type_: pa.DataType, suffix: str) -> None:
    values = ["one", None, "three", "one", ""]
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    array = pa.array(values, pa.string()).cast(plain)
    table = table_of(array.dictionary_encode().cast(type_) if pa.types.is_dictionary(type_) else array)
    path = tmp_path / f"in{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path, row_group_size=2)
    else:
        write_arrow(path, table.combine_chunks(), rows=5)
    assert rows_of(path) == [
        ("r0", "one", None),
        ("r1", None, "text is null"),
        ("r2", "three", None),
        ("r3", "one", None),
        ("r4", None, "text is empty"),
    ]


@pytest.mark.parametrize("type_", [pa.string_view(), pa.binary_view()], ids=str)
def test_arrow_views_are_read(tmp_path: Path, type_: pa.DataType) -> None:
    table = table_of(pa.array(["short", "much longer than twelve bytes"]).cast(type_))
    assert texts_of(write_arrow(tmp_path / "in.arrow", table)) == ["short", "much longer than twelve bytes"]


def test_run_end_encoded_text_is_read(tmp_path: Path) -> None:
    table = table_of(pc.run_end_encode(pa.array(["x", "x", "y"])))
    assert texts_of(write_arrow(tmp_path / "in.arrow", table, rows=3)) == ["x", "x", "y"]


def test_a_column_of_nulls_refuses_every_row(tmp_path: Path) -> None:
    pq.write_table(table_of(pa.nulls(3)), tmp_path / "in.parquet")
    assert problems_of(tmp_path / "in.parquet") == ["text is null"] * 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("suffix", [".arrow", ".feather", ".ipc"])
def test_arrow_files_and_streams_are_read_whatever_they_are_called(tmp_path: Path, stream: bool, suffix: str) -> None:
    table = table_of(pa.array([f"text {number}" for number in range(5)]))
    path = write_arrow(tmp_path / f"in{suffix}", table, stream=stream)
    assert texts_of(path) == [f"text {number}" for number in range(5)]


def test_rows_are_numbered_through_row_groups_and_blocks(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(2 * BLOCK_ROWS + 7)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", row_group_size=999)
    path = tmp_path / "in.parquet"
    assert rows_of(path) == [(f"{path}:{row}", text, None) for row, text in enumerate(texts, 1)]


def test_a_block_of_large_rows_is_cut_short(tmp_path: Path) -> None:
    large = "x" * 1_900_000
    path = write(tmp_path / "in.jsonl", "".join(json.dumps({"text": large, "i": i}) + "\n" for i in range(40)))
    blocks = blocks_of(path)
    assert len(blocks) > 1
    assert sum(block.rows for block in blocks) == 40
    pq.write_table(pa.table({"text": [large] * 40}), tmp_path / "in.parquet", use_dictionary=False)
    assert [block.rows for block in blocks_of(tmp_path / "in.parquet")] != [40]


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\n"])
@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson"])
def test_a_file_without_a_line_has_no_rows(tmp_path: Path, suffix: str, content: str) -> None:
    assert blocks_of(write(tmp_path / f"in{suffix}", content)) == []


# --- CSV


def test_csv_fields_keep_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'id,text\r\n1,"a, b ""c""\r\nd\ne"\r\n2,plain\r\n')
    assert rows_of(path) == [("1", 'a, b "c"\r\nd\ne', None), ("2", "plain", None)]


def test_a_byte_order_mark_is_no_part_of_a_name_or_text(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path / "in.csv", '\ufeff"text",id\nx,1\n')) == ["x"]
    assert texts_of(write(tmp_path / "in.jsonl", '\ufeff{"text": "x"}\n\ufeff{"text": "y"}\n')) == ["x", "y"]
    assert texts_of(write(tmp_path / "in.txt", "\ufeffx\n")) == ["x"]


def test_a_megabyte_in_a_csv_field_is_fine(tmp_path: Path) -> None:
    large = "word " * 200_000
    assert texts_of(write(tmp_path / "in.csv", f'id,text\n1,"{large}"\n2,next\n')) == [large, "next"]


def test_csv_rows_with_other_fields_than_the_header_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "id,text\n1,a\n2\n3,b,c\n\n4,d\n")
    assert rows_of(path) == [
        ("1", "a", None),
        (None, None, "the row has 1 field and the header 2 (line 3)"),
        (None, None, "the row has 3 fields and the header 2 (line 4)"),
        ("4", "d", None),
    ]


def test_an_unclosed_quote_refuses_its_row_only(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'id,text\n1,ok\n2,"open\n3,not swallowed\n4,nor this\n')
    assert rows_of(path) == [
        ("1", "ok", None),
        (None, None, "a quotation mark is never closed (line 3)"),
        ("3", "not swallowed", None),
        ("4", "nor this", None),
    ]


def test_after_a_malformed_row_reading_goes_on_with_the_next_line(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", 'id,text\n1,"a"b\n2,fine\n3,"x"y\n4,good\n')
    found = rows_of(path)
    assert [text for _, text, _ in found] == [None, "fine", None, "good"]
    assert found[0][2].startswith("a quotation mark closes a field")
    assert found[2][2].startswith("a quotation mark closes a field")


def test_an_endless_csv_row_ends_at_the_limit_and_the_next_is_read(tmp_path: Path) -> None:
    filler = ("y" * 999_999 + "\n") * (LINE_BYTES // 1_000_000 + 1)
    path = write(tmp_path / "in.csv", f'id,text\n1,"open\n{filler}2,after\n')
    found = rows_of(path)
    assert found[0][2] is not None
    assert found[0][2].startswith("a quotation mark is n")
    assert found[-1] == ("2", "after", None)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_an_endless_line_is_one_refused_row(tmp_path: Path, suffix: str) -> None:
    good = {".txt": "good", ".jsonl": '{"text": "good"}', ".csv": "good"}[suffix]
    content = f"{'text' + chr(10) if suffix == '.csv' else ''}{good}\n{'x' * (2 * LINE_BYTES + 5)}\n{good}\n"
    found = rows_of(write_compressed(tmp_path / f"in{suffix}.zst", content.encode()))
    assert [text for _, text, _ in found] == ["good", None, "good"]
    assert "longer than" in found[1][2]


def test_empty_csv_fields_are_nulls(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "id,text,label\n1,a,\n,b,x\n3,,x\n")
    assert rows_of(path) == [("1", "a", None), (None, None, "id is null"), ("3", None, "text is empty")]
    assert labels_of(path) == [None, "x", "x"]


@pytest.mark.parametrize("content", [b'"open', b'"a"b,text\n'])
def test_a_csv_without_a_header_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"in\.csv: the first line is no CSV header"):
        blocks_of(write(tmp_path / "in.csv", content))


def test_bytes_that_are_not_utf8_refuse_their_row_only(tmp_path: Path) -> None:
    bad, surrogate = b"caf\xe9", b"x\xed\xa0\x80"
    csv_path = write(tmp_path / "in.csv", b"text\n" + bad + b"\nok\n" + surrogate + b"\n")
    txt_path = write(tmp_path / "in.txt", bad + b"\nok\n" + surrogate + b"\n")
    pq.write_table(pa.table({"text": pa.array([bad, b"ok", surrogate])}), tmp_path / "in.parquet")
    for path in (csv_path, txt_path, tmp_path / "in.parquet"):
        assert problems_of(path) == [
            "text has invalid UTF-8 at byte 3", None, "text has a lone surrogate at byte 1",
        ]  # fmt: skip
        assert texts_of(path)[1] == "ok"


def test_arrow_strings_that_are_not_utf8_refuse_their_row_only(tmp_path: Path) -> None:
    offsets, data = pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"\xffok")
    table = pa.table({"text": pa.StringArray.from_buffers(2, offsets, data)})
    path = write_arrow(tmp_path / "in.arrow", table)
    assert rows_of(path) == [(f"{path}:1", None, "text has invalid UTF-8 at byte 0"), (f"{path}:2", "ok", None)]


# --- JSON Lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "the line is not JSON"),
        ('{"text": "cut', "the line is not JSON"),
        ('{"text": "a"} {"text": "b"}', "the line is not JSON"),
        ('{"text": "n' + "\0" + '"}', "the line is not JSON"),
        ("[" * 100_000, "the line is nested too deeply"),
        ('{"text": "x", "a": ' + "[" * 100_000, "the line is nested too deeply"),
        ('["text", "a"]', "the line is an array and not a JSON object"),
        ("17", "the line is a number and not a JSON object"),
        ("1" * 5000, "the line is not JSON"),
        ('"text"', "the line is a string and not a JSON object"),
        ("null", "the line is null and not a JSON object"),
        ("true", "the line is true or false and not a JSON object"),
        ("{}", "text is null"),
        ('{"other": "x"}', "text is null"),
        ('{"text": null}', "text is null"),
        ('{"text": 5}', "text is a number and not a string"),
        ('{"text": 5.5}', "text is a number and not a string"),
        ('{"text": true}', "text is true or false and not a string"),
        ('{"text": ["x"]}', "text is an array and not a string"),
        ('{"text": {"a": "x"}}', "text is an object and not a string"),
        ('{"text": ""}', "text is empty"),
        ('{"text": "a\\u0000b"}', "text contains NUL"),
        ('{"text": "a\\ud800"}', "text has a lone surrogate at byte 1"),
        ('{"text": "x", "label": ["a", "b"]}', "it has 2 labels, and a text has one"),
        ('{"text": "x", "label": [["a"]]}', "label is an array and not a string"),
        ('{"text": "x", "label": {"name": "a"}}', "label is an object and not a string"),
        ('{"text": "x", "label": "\\ud800"}', "label has a lone surrogate at byte 0"),
        ('{"text": "x", "label": "a\\u0000"}', "label contains NUL"),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_bad_json_line_is_one_refused_row(tmp_path: Path, line: str, reason: str, first: bool) -> None:
    good = '{"text": "good", "label": "a"}'
    path = write(tmp_path / "in.jsonl", "\n".join([line, good] if first else [good, "", line, good]) + "\n")
    found = rows_of(path)
    bad = found.pop(0 if first else 1)
    assert bad[2] is not None
    assert bad[2].startswith(reason)
    assert [text for _, text, _ in found] == ["good"] * len(found)
    assert len(found) == (1 if first else 2)


def test_json_bytes_that_are_not_utf8_refuse_their_line_only(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", b'{"text": "\xc3\xa9"}\n{"text": "caf\xe9"}\n{"text": "end"}')
    assert [text for _, text, _ in rows_of(path)] == ["é", None, "end"]
    assert problems_of(path)[1] == "the line has invalid UTF-8 at byte 13"


def test_nesting_of_any_depth_beside_the_text_never_ends_the_run(tmp_path: Path) -> None:
    depths = [*range(1, 1200), 50_000]
    lines = ['{"text": "x", "extra": ' + "[" * depth + "]" * depth + "}" for depth in depths]
    found = [row[1:] for row in rows_of(write(tmp_path / "in.jsonl", "\n".join(lines)))]
    fine = found.count(("x", None))
    assert fine > 100
    assert found == [("x", None)] * fine + [(None, "the line is nested too deeply")] * (len(depths) - fine)


def test_many_bad_lines_at_the_beginning_do_not_hide_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", "junk\n" * (2 * BLOCK_ROWS) + jsonl({"text": "good", "id": "i"}))
    found = rows_of(path)
    assert len(found) == 2 * BLOCK_ROWS + 1
    assert found[-1] == ("i", "good", None)


def test_an_id_that_comes_late_is_not_lost_silently(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl(*[{"text": "t"}] * BLOCK_ROWS, {"text": "t", "id": "late"}))
    late = "'id' is not among the keys of the first rows; pass --id none, or name it with --id"
    assert problems_of(path)[-1] == late
    assert set(problems_of(path, ColumnNames(id=NO_COLUMN))) == {None}
    assert set(problems_of(path)[:-1]) == {None}


def test_a_late_column_is_found_by_the_name_that_the_user_gives(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl(*[{"text": "t"}] * BLOCK_ROWS, {"text": "t", "label": "late"}))
    blocks = blocks_of(path, ColumnNames(label="label"))
    assert [label for block in blocks for label in block.label.to_pylist()] == [None] * BLOCK_ROWS + ["late"]


def test_json_values_beside_the_text_are_kept_as_they_are_written(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.jsonl", '{"text": "x", "id": 7, "n": 1.5, "s": "é", "l": [1, "ü"], "b": true, "z": null}'
    )
    (block,) = blocks_of(path)
    assert block.id.to_pylist() == ["7"]
    extras = {name: array.to_pylist() for name, array in block.extras.items()}
    assert extras == {"n": ["1.5"], "s": ["é"], "l": ['[1, "ü"]'], "b": [True], "z": [None]}


def test_keys_that_no_store_can_name_are_not_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", '{"text": "x", "\\ud800": 1, "": 2, "a\\u0000": 3, "fine": 4}\n')
    (block,) = blocks_of(path)
    assert list(block.extras) == ["fine"]
    assert block.problems == [None]


# --- texts


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u00a0", "\u2003\u3000", "\u2028\u2029", "\x1c\x85", "\u1680\u202f"])
def test_white_space_of_every_kind_is_blank(tmp_path: Path, blank: str) -> None:
    pq.write_table(pa.table({"text": [blank, f"{blank}x{blank}"]}), tmp_path / "in.parquet")
    assert [row[1:] for row in rows_of(tmp_path / "in.parquet")] == [
        (None, "text is blank"),
        (f"{blank}x{blank}", None),
    ]


def test_blank_means_what_python_means_by_it(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(1, 0x3100) if not 0xD800 <= code < 0xE000]
    pq.write_table(pa.table({"text": characters}), tmp_path / "in.parquet")
    assert [problem is not None for problem in problems_of(tmp_path / "in.parquet")] == [
        not character.strip() for character in characters
    ]


def test_texts_are_refused_above_the_limit_and_not_below(tmp_path: Path) -> None:
    sizes = [MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1, 1_000_000]
    pq.write_table(pa.table({"text": ["x" * size for size in sizes]}), tmp_path / "in.parquet")
    path = write(tmp_path / "in.csv", "text\n" + "".join("x" * size + "\n" for size in sizes))
    for name in (tmp_path / "in.parquet", path):
        assert problems_of(name) == [None, "text is longer than 2,000,000 bytes", None]
        assert [len(text) for text in texts_of(name) if text] == [MAX_TEXT_BYTES, 1_000_000]


def test_the_limit_counts_bytes_and_not_characters(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "ä" * (MAX_TEXT_BYTES // 2) + "\n" + "ä" * (MAX_TEXT_BYTES // 2) + "b\n")
    assert problems_of(path) == [None, "text is longer than 2,000,000 bytes"]


def test_a_kept_value_that_is_too_long_refuses_its_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "note": ["n" * (MAX_TEXT_BYTES + 1), "n"]}), tmp_path / "in.parquet")
    assert problems_of(tmp_path / "in.parquet") == ["'note' is longer than 2,000,000 bytes", None]


@pytest.mark.parametrize("bad", ["", " ", None, "x" * 4097, "a\0b"])
def test_rows_without_a_usable_id_are_refused(tmp_path: Path, bad: str | None) -> None:
    pq.write_table(pa.table({"id": ["a", bad], "text": ["x", "y"]}), tmp_path / "in.parquet")
    first, second = problems_of(tmp_path / "in.parquet")
    assert first is None
    assert second is not None
    assert second.startswith("id ")


def test_the_first_reason_of_a_row_is_the_one_given(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl({"text": "", "id": None}, {"text": "a", "id": "b"}))
    assert problems_of(path) == ["text is empty", None]


# --- labels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["pos", None, ""]), ["pos", None, None]),
        (pa.array([0, 1, None], pa.int8()), ["0", "1", None]),
        (pa.array([0.0, 1.0, float("nan")]), ["0", "1", None]),
        (pa.array([1.0, None, 2.0], pa.float32()), ["1", None, "2"]),
        (pa.array([1.0, float("nan"), 1.5]), ["1", None, "1.5"]),
        (pa.array(np.array([1, 2, 3], np.float16)), ["1", "2", "3"]),
        (pa.array([1.0, None, 2.0]).dictionary_encode(), ["1", None, "2"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([b"a", b"b", None]), ["a", "b", None]),
        (pa.nulls(3), [None] * 3),
    ],
    ids=str,
)
def test_labels_of_every_type_are_read_as_they_are_written(tmp_path: Path, values: pa.Array, expected: list) -> None:
    table = pa.table({"text": ["x", "y", "z"], "label": values})
    assert labels_of(write_arrow(tmp_path / "in.arrow", table, rows=3)) == expected


def test_json_labels_that_are_whole_are_integers(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.jsonl", "".join(f'{{"text": "t", "label": {v}}}\n' for v in ("1.0", "2", "NaN", "1.5", "null"))
    )
    assert labels_of(path) == ["1", "2", None, "1.5", None]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_label_that_is_not_utf8_refuses_its_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        write(path, "text,label\né,a\ny,".encode() + b"\xff\n")
    else:
        pq.write_table(pa.table({"text": ["x", "y"], "label": pa.array([b"a", b"\xff"])}), path)
    assert problems_of(path) == [None, "label has invalid UTF-8 at byte 0"]


# --- columns


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ({"stars": ["x"]}, PLAIN, "no column looks like the text (columns: stars); name it with --text"),
        ({"review": ["x"], "body": ["y"]}, PLAIN, "review and body could each be the text; choose with --text"),
        (
            {"text": ["x"], "uuid": ["1"], "doc_id": ["2"]},
            PLAIN,
            "uuid and doc_id could each be the id; choose with --id",
        ),
        ({"text": ["x"], "LABEL": ["1"], "labels": ["2"]}, PLAIN, "LABEL and labels could each be the label"),
        ({"text": ["x"]}, ColumnNames(text="body"), "there is no column 'body' for --text (columns: text)"),
        ({"text": ["x"]}, ColumnNames(id="key"), "there is no column 'key' for --id"),
        ({"text": ["x"]}, ColumnNames(label="gold"), "there is no column 'gold' for --label"),
        ({"text": [1, 2]}, PLAIN, "the column 'text' is int64 and not text; name another with --text"),
        ({"text": [["x"]]}, PLAIN, "the column 'text' is list<element: string> and not text"),
        ({"text": ["x"], "id": [["x"]]}, PLAIN, "the column 'id' is list<element: string> and cannot be read as text"),
    ],
)
def test_columns_that_are_missing_ambiguous_or_no_text_are_refused_by_name(
    tmp_path: Path, table: dict, columns: ColumnNames, message: str
) -> None:
    pq.write_table(pa.table(table), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=re.escape(f"in.parquet: {message}")):
        blocks_of(tmp_path / "in.parquet", columns)


def test_plain_names_are_found_in_any_case_and_the_exact_one_wins(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", "Review_ID,Review,LABEL,other\n1,x,a,o\n")
    (block,) = blocks_of(path)
    assert block.columns == ColumnNames(text="Review", id="Review_ID", label="LABEL")
    assert list(block.extras) == ["other"]
    (block,) = blocks_of(write(tmp_path / "b.csv", "content,text\n1,x\n"))
    assert block.text.to_pylist() == ["x"]


def test_a_header_that_is_not_utf8_is_refused_in_words_that_can_be_printed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column looks like the text \(columns: caf\\udce9\)") as raised:
        blocks_of(write(tmp_path / "in.csv", b"caf\xe9\nx\n"))
    str(raised.value).encode()


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(MAX_COLUMNS))
    with pytest.raises(InputError, match=r"in\.csv: more than 4,096 columns"):
        blocks_of(write(tmp_path / "in.csv", f"text,{names}\n"))
    rows = ({"text": "x", **{f"{row}-{key}": 1 for key in range(100)}} for row in range(60))
    with pytest.raises(InputError, match=r"in\.jsonl: more than 4,096 columns"):
        blocks_of(write(tmp_path / "in.jsonl", jsonl(*rows)))


def test_columns_that_cannot_be_kept_are_left_out_and_others_keep_their_type(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": ["x"],
            "vector": [[1.0]],
            "interval": pa.array([pa.MonthDayNano([1, 2, 3])]),
            "int8": pa.array([3], pa.int8()),
            "uint64": pa.array([2**64 - 1], pa.uint64()),
            "half": pa.array(np.array([1.5], np.float16)),
            "flag": [True],
            "nothing": pa.nulls(1),
            "bytes": [b"\xffz"],
            "fixed": pa.array([b"ab"], pa.binary(2)),
            "uuid_": pa.array([b"\xff" * 16], pa.uuid()),
            "moment": pa.array([0], pa.timestamp("s")),
            "word": pa.array(["w"]).dictionary_encode(),
        }
    )
    path = write_arrow(tmp_path / "in.arrow", table)
    (block,) = blocks_of(path)
    vectors, garbled = block.reading.notes
    assert "left out: 'vector' (list<item: double>), 'interval' (month_day_nano_interval), 'fixed' (fixed" in vectors
    assert garbled == f"{path}: bytes of the column 'bytes' that are no UTF-8 are kept as \ufffd"
    kept = {name: (str(array.type), array.to_pylist()[0]) for name, array in block.extras.items()}
    assert kept == {
        "int8": ("int64", 3),
        "uint64": ("uint64", 2**64 - 1),
        "half": ("double", 1.5),
        "flag": ("bool", True),
        "nothing": ("string", None),
        "bytes": ("string", "\ufffdz"),
        "uuid_": ("string", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        "moment": ("string", "1970-01-01 00:00:00"),
        "word": ("string", "w"),
    }


# --- damaged files


@pytest.mark.parametrize("name", ["in.parquet", "in.arrow", "stream.arrow", "in.csv.gz", "in.txt.gz", "in.jsonl.zst"])
@pytest.mark.parametrize("damage", ["cut", "junk"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    table = table_of(pa.array([f"text {number * 7919 % 1000}" for number in range(3000)]))
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    elif name.endswith(".arrow"):
        write_arrow(path, table, stream=name.startswith("stream"), rows=1000)
    else:
        write_compressed(path, ("text\n" + '{"text": "x"}\n' * 3000).encode())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\xffjunk" * 100)
    with pytest.raises(InputError, match=re.escape(f"{path} cannot be read: ")):
        blocks_of(path)


OFFSETS = np.array([0, 3, 7, 10, 11, 12], np.int32).tobytes()
INDICES = np.array([0, 1, 0, 1, 1], np.int32).tobytes()
ROWS_IN_METADATA = (5).to_bytes(8, "little")
LIES = {
    "an offset far outside": (OFFSETS, np.array([0, 2**30, 7, 10, 11, 12], np.int32).tobytes()),
    "a negative offset": (OFFSETS, np.array([0, -(2**31), 7, 10, 11, 12], np.int32).tobytes()),
    "a last offset far outside": (OFFSETS, np.array([0, 3, 7, 10, 11, 2**31 - 1], np.int32).tobytes()),
    "a trillion rows": (ROWS_IN_METADATA, (2**40).to_bytes(8, "little")),
    "more rows than there can be": (ROWS_IN_METADATA, (2**62).to_bytes(8, "little")),
    "a negative number of rows": (ROWS_IN_METADATA, (-5).to_bytes(8, "little", signed=True)),
    "an index outside its dictionary": (INDICES, np.array([0, 2**30, 0, 1, 1], np.int32).tobytes()),
    "a negative index": (INDICES, np.array([0, -7, 0, 1, 1], np.int32).tobytes()),
}


def write_lie(folder: Path, lie: str, *, stream: bool) -> Path:
    """An Arrow file that says of itself what is not so."""
    old, new = LIES[lie]
    plain = pa.array(["abc", "defg", "hij", "x", "y"])
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1, 1], pa.int32()), ["ab", "cd"])
    path = write_arrow(
        folder / "in.arrow", pa.table({"text": words if old == INDICES else plain}), stream=stream, rows=9
    )
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("lie", LIES)
def test_an_arrow_file_that_lies_is_refused_and_does_not_end_the_process(
    tmp_path: Path, lie: str, stream: bool
) -> None:
    path = write_lie(tmp_path, lie, stream=stream)
    with pytest.raises(InputError, match=re.escape(f"{path} cannot be read: ") + ".*Write it again, or as Parquet"):
        blocks_of(path)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGKILL])
def test_a_file_whose_check_dies_is_refused_with_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, new_child: None
) -> None:
    path = write_arrow(tmp_path / "in.arrow", table_of(pa.array(["a"])))
    (tmp_path / "pyarrow.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(
        InputError, match=rf"in\.arrow cannot be read: a process that read it died of it \({number.name}\)"
    ):
        blocks_of(path)


def test_bits_that_are_flipped_anywhere_give_rows_or_an_input_error(tmp_path: Path) -> None:
    """Of flips like these in a file without a check, one in twelve ended a process."""
    texts = pa.array([f"a text that is long enough {number}" for number in range(50)])
    table = pa.table({"text": texts, "id": texts.dictionary_encode(), "view": texts.cast(pa.string_view())})
    data = write_arrow(tmp_path / "whole.arrow", table, rows=25).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(15):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[rng.integers(8, len(damaged), 4)] ^= np.uint8(1) << rng.integers(0, 8, 4).astype(np.uint8)
        (tmp_path / f"{number}.arrow").write_bytes(damaged.tobytes())
        try:
            rows_of(tmp_path / f"{number}.arrow")
        except InputError:
            refused += 1
    assert 0 < refused < 15


def test_a_file_is_checked_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    problem = arrow_sandbox._Checker.problem
    monkeypatch.setattr(
        arrow_sandbox._Checker, "problem", lambda checker, file: checked.append(file) or problem(checker, file)
    )
    path = write_arrow(tmp_path / "in.arrow", table_of(pa.array(["a"])))
    assert texts_of(path) == texts_of(path, ColumnNames(text="text", id="id")) == ["a"]
    assert checked == [str(path)]
    write_arrow(path, table_of(pa.array(["a", "b"])))
    assert texts_of(path) == ["a", "b"]
    assert checked == [str(path)] * 2


@pytest.fixture
def new_child() -> Iterator[None]:
    """Files are checked by a child that is started in the test, and ends with it."""
    arrow_sandbox.end_checker()
    yield
    arrow_sandbox.end_checker()


def test_one_child_checks_many_files_until_one_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_child: None
) -> None:
    children = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: children.append(start(*a, **k)) or children[-1])
    paths = [write_arrow(tmp_path / f"{number}.arrow", table_of(pa.array(["a"]))) for number in range(4)]
    assert [texts_of(path) for path in paths[:2]] == [["a"]] * 2
    assert [child.poll() for child in children] == [None]
    with pytest.raises(InputError, match="cannot be read"):
        blocks_of(write_lie(tmp_path, next(iter(LIES)), stream=False))
    assert [child.returncode for child in children] == [0]
    assert texts_of(paths[2]) == ["a"]
    assert len(children) == 2
    children[1].stdin.close()
    children[1].wait()  # as one that had nothing to do for long
    children[1].stdin = open(os.devnull, "w")  # noqa: PTH123, SIM115 - what is written to it is lost
    assert texts_of(paths[3]) == ["a"]
    assert len(children) == 3


def test_the_check_loads_no_torch_and_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_child: None
) -> None:
    for name in ("engine.py", "json.py", "torch.py"):
        write(tmp_path / name, "raise RuntimeError('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert texts_of(write_arrow(Path("in.arrow"), table_of(pa.array(["a"])))) == ["a"]


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"ARROW1\0\0" * 9, b"\xff" * 80, b"\0" * 80, b"PAR1" * 9])
@pytest.mark.parametrize("name", ["in.parquet", "in.arrow"])
def test_a_file_that_is_not_of_its_binary_format_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=rf"{re.escape(name)} (cannot be read|is )"):
        blocks_of(write(tmp_path / name, content))


# --- which files


def test_globs_are_sorted_and_stand_where_they_were_given(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "z.csv", "sub/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, "x\n")
    found = expand([f"{tmp_path}/z.csv", f"{tmp_path}/**/*.txt"])
    assert found == [f"{tmp_path}/{name}" for name in ("z.csv", "a.txt", "b.txt", "sub/c.txt")]


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    path = write(tmp_path / "part[1].txt", "x\n")
    assert expand([str(path)]) == [str(path)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", "there is no such file"),
        ("*.csv", "there is no such file"),
        ("x" * 5000 + ".csv", "there is no such file"),
        ("null\0.csv", "there is no such file"),
        ("broken.txt", "there is no such file"),
        ("folder", "is an empty folder"),
        ("data.xlsx", "known are .parquet .pq"),
        ("data", "known are .parquet .pq"),
        ("data.parquet.gz", "known are .parquet .pq"),
    ],
)
def test_what_is_no_input_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    for made in ("data.xlsx", "data", "data.parquet.gz"):
        write(tmp_path / made, b"x")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match=re.escape(message)):
        expand([f"{tmp_path}/{name}"])


def test_a_name_that_is_not_utf8_is_refused_in_words_that_can_be_printed(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_bytes(b"x\n")
    with pytest.raises(InputError, match="its name is not UTF-8") as raised:
        expand([f"{tmp_path}/*.txt"])
    str(raised.value).encode()


def test_one_file_twice_is_refused_under_any_name(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "x\n")
    (tmp_path / "link.txt").symlink_to(path)
    for again in (f"{tmp_path}/in.txt", f"{tmp_path}/./in.txt", f"{tmp_path}/in.*", f"{tmp_path}/link.txt"):
        with pytest.raises(InputError, match="is given twice"):
            expand([str(path), again])


# --- any text at all

any_text = st.text(max_size=12) | st.binary(max_size=12).map(lambda b: b.decode("utf-8", "surrogateescape"))


def fit(text: str) -> bool:
    """The promise, said once more: valid Unicode that is not blank, has no NUL and is no error of a spreadsheet."""
    if text in SPREADSHEET_ERRORS.to_pylist():
        return False
    return not re.search("[\ud800-\udfff]", text) and text.strip() != "" and "\0" not in text


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(any_text | st.characters(categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=8))
def test_any_text_comes_back_as_it_was_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    as_bytes = [text.encode("utf-8", "surrogatepass") for text in texts]
    pq.write_table(pa.table({"text": pa.array(as_bytes, pa.binary())}), folder / "in.parquet")
    write(folder / "ascii.jsonl", jsonl(*({"text": text} for text in texts)))
    for name in ("in.parquet", "ascii.jsonl"):
        assert texts_of(folder / name) == [text if fit(text) else None for text in texts]


@settings(deadline=None, max_examples=100)
@given(values=st.lists(st.binary(max_size=12), min_size=1, max_size=8))
def test_any_bytes_come_back_as_they_were_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, values: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "in.parquet"
    pq.write_table(pa.table({"text": pa.array(values, pa.binary())}), path)
    decoded = [value.decode("utf-8", "surrogateescape") for value in values]
    assert texts_of(path) == [text if fit(text) else None for text in decoded]


@settings(deadline=None, max_examples=150)
@example(content=b"\0\1\n\0")  # UTF-16, as it seems
@given(content=st.binary(max_size=80) | st.text(alphabet='a",\r\n\t{}[]:\\0', max_size=80).map(str.encode))
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt", ".parquet", ".csv.gz", ".txt.zst"])
def test_any_content_gives_rows_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / f"in{suffix}"
    path.write_bytes((b"text\n" if suffix in (".csv", ".tsv") else b"") + content)
    try:
        found = rows_of(path)
    except InputError as error:
        assert path.name in str(error)  # noqa: PT017 - whether it raises is not the promise
        return
    assert all(problem or fit(text) for _, text, problem in found)
    if suffix == ".txt" and not content.startswith(b'"') and guessed(content) == UTF8:
        content = content.removeprefix(codecs.BOM_UTF8)
        ends = rb"\r\n|\r|\n" if returns_end_lines(content) else rb"\n"
        lines = re.split(ends, re.sub(rb"\x1a+(\r\n|\r|\n)?\Z", b"", content))
        assert len(found) == len(lines) - (lines[-1] == b"")
