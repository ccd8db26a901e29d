"""JSON in every layout that people have it in → the same rows, at every door."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.inputs.blocks import BLOCK_ROWS, Reason, in_detail
from engine.inputs.check_rows import Block, read_blocks
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.formats import read_raw
from engine.inputs.labels.annotations import read_annotations
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.options import ReadOptions

PLAIN = ColumnNames()
_CHAT = '{"label": 1, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which messages name")
ROWS = [{"id": 10 + number, "text": f"text ä {number}", "label": "ab"[number % 2]} for number in range(5)]
EXPECTED = [(str(row["id"]), row["text"], row["label"], None) for row in ROWS]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def blocks_of(path: Path, columns: ColumnNames = PLAIN) -> list[Block]:
    return list(read_blocks(str(path), columns))


def rows_of(path: Path, columns: ColumnNames = PLAIN) -> list[tuple[Any, Any, Any, Any]]:
    """(id, text, label, problem) of each row."""
    return [
        row
        for block in blocks_of(path, columns)
        for row in zip(
            block.id.to_pylist(), block.text.to_pylist(), block.label.to_pylist(), block.label_problems, strict=True
        )
    ]


def notes_of(path: Path, columns: ColumnNames = PLAIN) -> tuple[str, ...]:
    return list(read_raw(str(path), columns))[-1].reading.notes


# --- where the rows are


LAYOUTS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "an array": json.dumps(ROWS),
    "a pretty array": json.dumps(ROWS, indent=2),
    "an array with a row a line": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    "an array in the keys": json.dumps({"version": 1, "data": ROWS, "more": [1, {"a": 2}]}),
    "a pretty array in the keys": json.dumps({"meta": {"data": [1]}, "rows": ROWS}, indent=1),
    "a known key that comes last": json.dumps({"tags": ["x"], "none": [], "data": ROWS}),
    "the one array of objects": json.dumps({"tags": ["x"], "none": [], "reviews": ROWS, "total": 5}),
    "a known key before another": json.dumps({"schema": [{"name": "id"}], "items": ROWS}),
    "pandas' table": json.dumps({"schema": {"fields": [{"name": "id"}]}, "data": ROWS}),
    "objects one after the other": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "arrays one after the other": f"{json.dumps(ROWS[:2])}\n{json.dumps(ROWS[2:])}\n",
    "pages, each an object with an array": "\n".join(
        json.dumps({"data": rows}, indent=1) for rows in (ROWS[:2], ROWS[2:])
    ),
    "pages without a line end between": json.dumps({"n": 1, "data": ROWS[:2]}) + json.dumps({"data": ROWS[2:], "n": 2}),
    "a page without rows": json.dumps({"data": ROWS}) + '{"data": []} {"data": null}',
    "a JSON text sequence": "".join(f"\x1e{json.dumps(row)}\n" for row in ROWS),
    "a JSON text sequence over lines": "".join(f"\x1e{json.dumps(row, indent=1)}\n" for row in ROWS),
    "a byte order mark": "\ufeff" + json.dumps(ROWS),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_the_rows_are_found_wherever_they_are(tmp_path: Path, name: str, suffix: str) -> None:
    assert rows_of(write(tmp_path / f"in{suffix}", LAYOUTS[name])) == EXPECTED


@pytest.mark.parametrize("name", ["lines", "a pretty array", "an array in the keys", "the one array of objects"])
def test_all_doors_read_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "in.json", LAYOUTS[name])
    gold = read_gold(GoldConfig(files=(str(path),)))
    assert (gold.texts, gold.classes) == ([row["text"] for row in ROWS], ["a", "b"])
    assert gold.labels.tolist() == [0, 1, 0, 1, 0]
    found = list(read_annotations(str(path), LabelColumns()))
    assert [(one.id, one.label, one.problem) for one in found] == [(id_, label, None) for id_, _, label, _ in EXPECTED]


def test_what_was_chosen_is_said(tmp_path: Path) -> None:
    wrapped = write(tmp_path / "in.json", {"version": 1, "data": ROWS})
    assert notes_of(wrapped) == (f"{wrapped}: its rows are the objects in 'data'",)
    assert notes_of(write(tmp_path / "plain.json", ROWS)) == ()


@needs_jq
@pytest.mark.parametrize("other", ["\n".join(map(json.dumps, ROWS[2:])), json.dumps(ROWS[2:])])
def test_rows_behind_an_object_that_holds_rows_are_not_lost(tmp_path: Path, other: str) -> None:
    path = write(tmp_path / "in.json", json.dumps({"data": ROWS[:2]}, indent=1) + f"\n{other}")
    with pytest.raises(
        InputError, match=r"in\.json begins with an object that has its rows in 'data', and what begin"
    ) as raised:
        blocks_of(path)
    assert _rows_that(str(raised.value).partition("take all rows out: ")[2], tmp_path) == EXPECTED


def test_what_is_broken_behind_an_object_that_holds_rows_is_refused(tmp_path: Path) -> None:
    first = json.dumps({"data": ROWS}, indent=1)
    for more in ("x", '{"data": [', "]", "{ ["):
        with pytest.raises(InputError, match=r"in\.json cannot be read: it is not JSON from line (29|30) on"):
            blocks_of(write(tmp_path / "in.json", f"{first}\n{more}"))


@pytest.mark.parametrize("form", ["{}\n{}\n{}\n", "[{},{},{}]", '{{"data": [{},{},{}]}}'])
def test_a_row_with_a_key_twice_is_refused_if_its_values_differ(tmp_path: Path, form: str) -> None:
    rows = (
        '{"text": "a", "label": 1, "label": 0}',
        '{"text": "b", "text": "b"}',
        '{"text": "c", "x": {"y": 1, "y": 2}}',
    )
    problems = [
        problem and problem.partition("; ")[0]
        for *_, problem in rows_of(write(tmp_path / "in.json", form.format(*rows)))
    ]
    said = "the key {!r} comes twice, with different values"
    assert problems == [said.format("label"), None, said.format("y")]


def test_one_row_alone_is_a_row_also_if_it_holds_an_array_of_objects(tmp_path: Path) -> None:
    row = {"text": "Ann met Bob", "spans": [{"text": "Ann", "label": "P"}]}
    for name, content in (("a", json.dumps(row)), ("b", json.dumps(row, indent=1))):
        assert [row[1] for row in rows_of(write(tmp_path / f"{name}.json", content))] == ["Ann met Bob"]
    named = write(tmp_path / "c.json", {"words": "Ann met Bob", "spans": [{"text": "Ann"}]})
    assert [row[1] for row in rows_of(named, ColumnNames(text="words"))] == ["Ann met Bob"]


def test_rows_are_numbered_through_all_blocks_of_an_array(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", [{"text": f"t{number}"} for number in range(2 * BLOCK_ROWS + 3)])
    assert [block.first_row for block in blocks_of(path)] == [1, 1 + BLOCK_ROWS, 1 + 2 * BLOCK_ROWS]
    assert [row[0] for row in rows_of(path)] == [f"{path}:{row}" for row in range(1, 2 * BLOCK_ROWS + 4)]


def test_elements_that_are_no_objects_are_refused_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", [ROWS[0], "text", None, [ROWS[1]], ROWS[2]])
    assert [row[3] for row in rows_of(path)] == [
        None,
        "the element is a string and not a JSON object",
        "the element is null and not a JSON object",
        "the element is an array and not a JSON object",
        None,
    ]


def test_bytes_that_are_not_utf8_refuse_their_element_only(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(b'[{"text": "\xc3\xa9"}, \n{"text": "\xc3\xa9"}, \n{"text": "caf\xe9"}, {"text": "\\ud800"}]')
    assert [row[3] for row in rows_of(path)] == [
        None,
        None,
        "the object has invalid UTF-8",
        "text has a lone surrogate",
    ]


def test_an_array_that_is_broken_is_refused_with_its_line(tmp_path: Path) -> None:
    for content in ('[\n{"text": "a"},\n{"text": "b"\n', '{"data": [\n{"text": "a"},\n{"text" "b"}]}'):
        path = write(tmp_path / "in.json", content)
        with pytest.raises(InputError, match=r"in\.json cannot be read: it is not JSON from line [34] on"):
            blocks_of(path)


def test_what_json_says_of_a_place_is_not_doubled(tmp_path: Path) -> None:
    (_, found) = rows_of(write(tmp_path / "in.jsonl", '{"text": "whole"}\n{"text": "cut o'))
    assert in_detail(found[3]) == "the line is not JSON: Unterminated string at byte 9"
    with pytest.raises(InputError, match="Unterminated string$"):
        blocks_of(write(tmp_path / "in.json", '[{"text": "cut o'))


@pytest.mark.parametrize("bad", ['{"text": "x",', '{"text": "x", "a": ', '{"text":', '{"text": "x", "a": [', "{"])
def test_a_first_line_that_is_cut_off_is_one_refused_row(tmp_path: Path, bad: str) -> None:
    found = rows_of(write(tmp_path / "in.jsonl", f'{bad}\n{{"text": "good"}}\n{{"text": "too"}}\n'))
    assert [row[1] for row in found] == [None, "good", "too"]
    assert found[0][3].startswith("the line is not JSON: ")


def test_a_long_line_may_be_an_array_in_an_object_or_a_row_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("layout", "json_text", "objects"):
        monkeypatch.setattr(f"engine.inputs.json_files.{module}.LINE_BYTES", 400)
    monkeypatch.setattr("engine.inputs.lines.LINE_BYTES", 400)
    monkeypatch.setattr("engine.inputs.json_files.json_text._PIECE", 64)
    rows = ROWS * 10
    assert len(rows_of(write(tmp_path / "a.json", {"v": 1, "data": rows}))) == 50
    with pytest.raises(InputError, match="is a table by columns"):
        blocks_of(write(tmp_path / "b.json", {"text": {str(number): "some text" for number in range(99)}}))
    found = rows_of(write(tmp_path / "c.jsonl", f'{{"text": "{"x" * 900}"}}\n{{"text": "good"}}\n'))
    assert [row[1] for row in found] == [None, "good"]
    assert "the line is longer than" in found[0][3]
    with pytest.raises(InputError, match="is a JSON array of arrays and not of objects"):
        blocks_of(write(tmp_path / "d.json", [[1, "some text"]] * 99))


# --- what cannot be rows


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("content", "how", "rows"),
    [
        (
            {"id": {"0": 1, "1": 2}, "text": {"0": "a", "1": "b"}},
            'orient="columns"',
            [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}],
        ),
        ({"text": {"0": "a"}}, 'orient="columns"', [{"text": "a"}]),
        (
            {"text": {"x": "a", "y": None}, "label": {"x": "b", "y": 7}},
            'orient="columns"',
            [{"id": "x", "text": "a", "label": "b"}, {"id": "y", "text": None, "label": 7}],
        ),
        ({"columns": ["text"], "index": [0], "data": [["a"]]}, 'orient="split"', [{"text": "a"}]),
        (
            {"columns": ["text", "n"], "index": ["007", "x"], "data": [["a", 1], ["b", 2]]},
            'orient="split"',
            [{"id": "007", "text": "a", "n": 1}, {"id": "x", "text": "b", "n": 2}],
        ),
        (
            {"columns": ["id", "text"], "index": ["x"], "data": [["1", "a"]]},
            'orient="split"',
            [{"id": "1", "text": "a"}],
        ),
        (
            {"text": ["a", "b"], "label": [0, "it's"]},
            "a list for each",
            [{"text": "a", "label": 0}, {"text": "b", "label": "it's"}],
        ),
    ],
)
def test_a_table_by_columns_is_turned_by_the_command(
    tmp_path: Path, content: Any, how: str, rows: list[Any], indent: int | None
) -> None:
    path = write(tmp_path / "in.json", json.dumps(content, indent=indent))
    with pytest.raises(InputError) as raised:
        blocks_of(path)
    words, _, command = str(raised.value).partition(" and not by rows: turn it with ")
    assert words.startswith(f"{path} is a table by columns, ")
    assert words.endswith(f"{how},")
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path)
    assert [*map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["one text", "another"], "is a JSON array of strings and not of objects; jq -c '.[] | {text: .}' "),
        ([[3, 1], [4, 2]], "is a JSON array of arrays and not of objects; write one object a row"),
        (
            [["a", 1], ["b", 2]],
            "is a JSON array of arrays and not of objects: make rows of it: jq -c '.[] | {text: .[0]",
        ),
        ([1, 2], "is a JSON array of single values"),
        (
            {"response": {"docs": [{"text": "a"}], "n": 1}},
            "an array of objects in 'response', 'docs': take it out: jq -c",
        ),
        ({"images": [{"id": 1}], "marks": [{"id": 2}]}, "holds several arrays of objects, images, marks: take out"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_what_cannot_be_rows_is_refused_for_what_it_is(
    tmp_path: Path, content: Any, message: str, indent: int | None
) -> None:
    path = write(tmp_path / "in.json", json.dumps(content, indent=indent))
    with pytest.raises(InputError, match=re.escape(message)):
        blocks_of(path)


@pytest.mark.parametrize(
    ("content", "way"),
    [
        (
            '{"label": 1, "_source": {"text": "a"}}\n{"label": 2, "_source": {"text": "a"}}',
            """jq -c '.["_source"] + del(.["_source"])' """,
        ),
        ('[{"label": 0, "row": {"text": "a"}}]', """jq -c '.[] | .["row"] + del(.["row"])' """),
        (
            '{"type": "x", "features": [{"label": "x", "properties": {"text": "a"}}]}',
            """jq -c '.["features"][] | .["properties"] + del(.["properties"])' """,
        ),
        ('{"data": [{"text": "a", "label": 1}]}\n{"data": []}', """jq -c '.["data"][]' """),
        (
            f"{_CHAT}\n{_CHAT}\n",
            """jq -c '. + {text: ([.["messages"][] | select(.role == "user") | .content] | join("\\n")), answer: (""",
        ),
    ],
)
def test_a_text_that_is_further_down_is_refused_with_the_way_to_it(tmp_path: Path, content: str, way: str) -> None:
    path = write(tmp_path / "in.jsonl", content)
    with pytest.raises(InputError) as raised:
        blocks_of(path)
    _, _, said = str(raised.value).partition("The text is further down; take it out: ")
    assert said.startswith(way)
    assert said.endswith(f"{path} > rows.jsonl")
    if shutil.which("jq") is not None:
        assert {row[1] for row in _rows_that(said, tmp_path)} == {"a"}
        assert ("label" in (tmp_path / "rows.jsonl").read_text()) == ("label" in content)


@needs_jq
def test_objects_of_a_list_keep_what_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", '{"data": [{"text": "a"}, {"text": "b"}]}\n{"data": [{"text": "c"}]}\n')
    with pytest.raises(InputError) as raised:
        blocks_of(path)
    assert [row[1] for row in _rows_that(str(raised.value).partition("out: ")[2], tmp_path)] == ["a", "b", "c"]


@needs_jq
@pytest.mark.parametrize(
    ("content", "texts", "labels"),
    [
        ('"a fine one"\n"bad"\n', ["a fine one", "bad"], [None, None]),
        ('["a fine one", 1]\n["bad", 0]\n', ["a fine one", "bad"], ["1", "0"]),
        ('["pos", "a fine one"]\n["neg", "bad"]\n', ["a fine one", "bad"], ["pos", "neg"]),
        ('[7, "a fine one", 1]\n[8, "bad", 0]\n', ["a fine one", "bad"], [None, None]),
    ],
)
def test_lines_of_strings_and_arrays_are_refused_with_the_way(
    tmp_path: Path, content: str, texts: list[str], labels: list[str | None]
) -> None:
    path = write(tmp_path / "in.jsonl", content)
    with pytest.raises(InputError, match="and not objects") as raised:
        blocks_of(path)
    found = _rows_that(str(raised.value)[str(raised.value).index("jq -c") :], tmp_path)
    assert [(row[1], row[2]) for row in found] == list(zip(texts, labels, strict=True))


def _rows_that(command: str, folder: Path) -> list[tuple]:
    """The rows that a command of a message makes, run as a user would."""
    subprocess.run(command, shell=True, check=True, cwd=folder)
    return rows_of(folder / "rows.jsonl")


@pytest.mark.parametrize("content", [[], {"data": []}, {"n": 0, "rows": [], "tags": ["x"]}, "", " \n "])
def test_no_rows_are_none(tmp_path: Path, content: Any) -> None:
    assert blocks_of(write(tmp_path / "in.json", content)) == []


def test_lines_that_python_printed_are_called_so_with_the_way(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", "{'text': 'a', 'stars': 1.0}\n\n{'text': \"b's\", 'stars': None}\n")
    for columns in (PLAIN, ColumnNames(text="text", label="stars")):
        with pytest.raises(InputError, match="its lines are dicts as Python prints them and not JSON") as raised:
            read_gold(GoldConfig(files=(str(path),), columns=columns))
    command = str(raised.value).partition("json.dumps: ")[2]
    assert [row[1] for row in _rows_that(command.replace("python", sys.executable, 1), tmp_path)] == ["a", "b's"]


def test_a_line_among_others_that_python_printed_is_called_so(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", "{\"text\": \"a\"}\n{'text': 'b'}\n")
    said = "the line is a dict as Python prints it and not JSON; write it with json.dumps"
    assert [row[3] for row in rows_of(path)] == [None, said]


def test_reasons_are_equal_for_equal_faults_and_say_the_place_apart(tmp_path: Path) -> None:
    lines = ['{"text": "a"},', '{"text": "longer"},', '{"text" "a"}', '{"text": "ä", "b" 1}', '{"text": "c"}']
    problems = [row[3] for row in rows_of(write(tmp_path / "in.jsonl", "\n".join(lines)))]
    way = f"sed 's/,[[:space:]]*$//' < {tmp_path}/in.jsonl > rows.jsonl"
    assert problems == [
        *[f"the line is not JSON: a comma follows the object (take the commas off: {way})"] * 2,
        *["the line is not JSON: Expecting ':' delimiter"] * 2,
        None,
    ]
    assert [problem.position for problem in problems if isinstance(problem, Reason)] == [13, 18, 8, 19]


# --- labels


def test_labels_that_begin_late_are_labels(tmp_path: Path) -> None:
    rows = [{"text": "t"}] * (BLOCK_ROWS + 10) + [{"text": "t", "Label": "late"}]
    for content in ("\n".join(map(json.dumps, rows)), json.dumps(rows)):
        found = rows_of(write(tmp_path / "in.json", content))
        assert [row[2] for row in found] == [None] * (BLOCK_ROWS + 10) + ["late"]
        assert {row[3] for row in found} == {None}


def test_the_word_label_in_texts_and_below_other_keys_makes_no_column(tmp_path: Path) -> None:
    rows = [{"text": 'the "label": of', "meta": {"label": 1}}] * (BLOCK_ROWS + 10)
    (first, _) = blocks_of(write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows))))
    assert first.reading.columns.label is None
    assert list(first.extras) == ["meta"]


def test_keys_that_come_late_are_told(tmp_path: Path) -> None:
    rows = [{"text": "t"}] * BLOCK_ROWS + [{"text": "t", "stars": 5, "who": "x"}, {"text": "t", "more": 5}]
    path = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
    late = f"{path}: keys that none of the first 1,024 rows has are left out, as 'stars', 'who', 'more'"
    assert notes_of(path) == (late,)


@pytest.mark.parametrize(
    ("written", "label", "problem"),
    [
        ('["a"]', "a", None),
        ("[7]", "7", None),
        ("[]", None, None),
        ('{"choices": ["a"]}', "a", None),
        ("2.0", "2", None),
        ("NaN", None, None),
        ("true", "true", None),
        ('["a", "b"]', None, "it has 2 labels, and a text has one"),
        ('{"choices": ["a", "b", "c"]}', None, "it has 3 labels, and a text has one"),
        ('[["a"]]', None, "label is an array and not a string"),
        ('{"a": 1}', None, "label is an object and not a string"),
    ],
)
def test_an_array_of_one_label_is_that_label(
    tmp_path: Path, written: str, label: str | None, problem: str | None
) -> None:
    path = write(tmp_path / "in.jsonl", f'{{"text": "t", "label": {written}}}\n')
    assert [row[2:] for row in rows_of(path)] == [(label, problem)]


def test_a_label_that_was_judged_away_is_not_called_null(tmp_path: Path) -> None:
    rows = [{"id": 1, "label": "a", "answer": "accept"}, {"id": 2, "label": "a", "answer": "reject"}, {"id": 3}]
    path = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
    problems = [one.problem for one in read_annotations(str(path), LabelColumns())]
    assert problems == [None, "it was rejected, skipped or discarded: there is no label", "label is null"]


# --- Label Studio


def task(text: str, *labels: str, control: str = "sentiment", **more: Any) -> dict[str, Any]:
    """A task that each of ``labels`` is an annotation of."""
    results = [
        [{"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": [label]}}]
        for label in labels
    ]
    annotations = [{"id": number, "was_cancelled": False, "result": result} for number, result in enumerate(results)]
    return {"id": 100, "data": {"text": text, "id": f"i-{text}"}, "annotations": annotations, "predictions": [], **more}


@pytest.mark.parametrize("dumps", [json.dumps, lambda tasks: "\n".join(map(json.dumps, tasks))])
def test_tasks_are_rows_with_what_was_chosen_as_their_label(tmp_path: Path, dumps: Any) -> None:
    tasks = [task("x", "a"), task("y", "b", "b"), task("z"), task("w", "a", "b")]
    path = write(tmp_path / "in.json", dumps(tasks))
    assert rows_of(path) == [
        ("i-x", "x", "a", None),
        ("i-y", "y", "b", None),
        ("i-z", "z", None, None),
        ("i-w", "w", None, "it has 2 labels, and a text has one"),
    ]
    assert notes_of(path) == (f"{path}: the labels are what annotators chose in 'sentiment'",)
    assert rows_of(path, ColumnNames(label="sentiment")) == rows_of(path)
    gold = read_gold(GoldConfig(files=(str(path),)))
    assert (gold.texts, gold.classes, gold.rejected) == (["x", "y"], ["a", "b"], 2)
    found = [(one.row, one.id, one.label, one.problem) for one in read_annotations(str(path), LabelColumns())]
    assert found == [
        (1, "i-x", "a", None),
        (2, "i-y", "b", None),
        (2, "i-y", "b", None),
        (3, "i-z", None, "label is null"),
        (4, "i-w", "a", None),
        (4, "i-w", "b", None),
    ]


def test_labels_of_tasks_have_the_names_that_the_user_gives_them(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", [task("x", "1"), task("y", "2"), task("z", "3")])
    options = ReadOptions(label_map=(("1", "bad"), ("3", "")))
    found = [(one.label, one.problem) for one in read_annotations(str(path), LabelColumns(), options)]
    assert found == [("bad", None), ("2", None), (None, "label is none, as --label-map says")]


def test_old_completions_ratings_and_numbers_are_labels_and_skipped_ones_are_not(tmp_path: Path) -> None:
    old = task("x", "a")
    old["completions"] = old.pop("annotations")
    rated, counted, skipped = task("y", "a"), task("z", "a"), task("w", "a")
    rated["annotations"][0]["result"][0] |= {"type": "rating", "value": {"rating": 4}}
    counted["annotations"][0]["result"][0] |= {"type": "number", "value": {"number": 3}}
    skipped["annotations"][0]["was_cancelled"] = True
    path = write(tmp_path / "in.json", [old, rated, counted, skipped])
    assert [row[1:3] for row in rows_of(path)] == [("x", "a"), ("y", "4"), ("z", "3"), ("w", None)]
    found = [(one.label, one.problem) for one in read_annotations(str(path), LabelColumns())]
    assert found == [("a", None), ("4", None), ("3", None), (None, "it was skipped: there is no label")]


def test_tasks_that_nobody_annotated_yet_are_texts(tmp_path: Path) -> None:
    for number, tasks in enumerate(([{"data": {"text": "x"}}], [{"id": 1, "data": {"text": "x"}, "predictions": []}])):
        assert [row[1:] for row in rows_of(write(tmp_path / f"{number}.json", tasks))] == [("x", None, None)]


def test_of_two_controls_the_label_is_to_be_named(tmp_path: Path) -> None:
    both = task("x", "a")
    both["annotations"][0]["result"] += task("x", "rude", control="tone")["annotations"][0]["result"]
    path = write(tmp_path / "in.json", [both])
    with pytest.raises(InputError, match="'sentiment' and 'tone' are chosen; say with --label which one is the label"):
        blocks_of(path)
    (block,) = blocks_of(path, ColumnNames(label="tone"))
    assert (block.label.to_pylist(), block.extras["sentiment"].to_pylist()) == (["rude"], ["a"])


@pytest.mark.parametrize("control", ["text", "id"])
def test_a_control_that_is_called_as_a_column_of_the_data_does_not_take_its_place(tmp_path: Path, control: str) -> None:
    path = write(tmp_path / "in.json", [task("x", "a", control=control), task("y", "b", control=control)])
    expected = [("i-x", "x", "a", None), ("i-y", "y", "b", None)]
    assert rows_of(path) == rows_of(path, ColumnNames(label=control)) == expected
    (block,) = blocks_of(path)
    assert rows_of(path, block.columns) == expected
    found = list(read_annotations(str(path), LabelColumns()))
    assert [(one.id, one.label) for one in found] == [("i-x", "a"), ("i-y", "b")]


def test_a_first_choice_after_many_tasks_is_a_label(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", [task(f"{number}") for number in range(BLOCK_ROWS + 5)] + [task("x", "late")])
    assert rows_of(path)[-1] == ("i-x", "x", "late", None)


def test_what_is_no_task_among_tasks_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in.json", [task("x", "a"), {"data": 3}, {"text": "y"}])
    assert [row[3] for row in rows_of(path)] == [None, *["it is not a task: it has no data or no annotations"] * 2]


# --- types


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ([1, 2, None], "int64"),
        ([1, -(2**63), 2**63 - 1], "int64"),
        ([1, 2**63, 2**64 - 1], "uint64"),
        ([-1, 2**63], "double"),
        ([0, 2**64], "double"),
        ([10**400], "double"),
        ([1, 2.5], "double"),
        ([1.5, float("inf"), float("nan")], "double"),
        ([True, False, None], "bool"),
        ([True, 1], "string"),
        (["1", 1], "string"),
        (["a", None], "string"),
        ([None, None], "string"),
        ([[1], [2]], "string"),
        ([{"a": 1}, 3], "string"),
    ],
    ids=repr,
)
def test_the_kind_of_a_column_is_that_of_its_values(tmp_path: Path, values: list[Any], stored: str) -> None:
    path = write(tmp_path / "in.jsonl", "\n".join(json.dumps({"text": "t", "x": value}) for value in values))
    (block,) = blocks_of(path)
    assert str(block.kinds["x"].stored) == stored
    assert block.problems == [None] * len(values)
    assert block.extras["x"].type in (pa.string(), pa.int64(), pa.bool_())


@needs_jq
def test_a_command_never_takes_another_value_for_a_key_of_the_row(tmp_path: Path) -> None:
    """As of Zendesk's tickets, whose rating has an id of its own."""
    rows = [{"id": number, "rating": {"id": 9 - number, "text": f"t{number}"}} for number in range(3)]
    path = write(tmp_path / "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError) as raised:
        blocks_of(path)
    found = _rows_that(str(raised.value).partition("take it out: ")[2], tmp_path)
    assert [(row[0], row[1]) for row in found] == [("0", "t0"), ("1", "t1"), ("2", "t2")]
