"""JSON that is refused → the command in the message, run as a user would, makes the right rows."""

import bz2
import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.labels.annotations import read_annotations
from engine.inputs.labels.labelled import GoldConfig, read_gold

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which messages name")
PLAIN = ColumnNames()
ROWS = [
    {"id": f"r{number}", "text": text, "label": label}
    for number, (text, label) in enumerate([("it's", "b"), ("y", "a")])
]
EXPECTED = [("r0", "it's", "b", None), ("r1", "y", "a", None)]


def rows_of(path: Path, columns: ColumnNames = PLAIN) -> list[tuple[Any, ...]]:
    """(id, text, label, problem) of each row."""
    return [
        row
        for block in read_blocks(str(path), columns)
        for row in zip(
            block.id.to_pylist(), block.text.to_pylist(), block.label.to_pylist(), block.label_problems, strict=True
        )
    ]


def run(message: str, folder: Path) -> Path:
    """Run the command in ``message``; the file that it wrote."""
    found = re.search(r"\b((?:(?:iconv|gzip|bzip2) .*)?(?:jq|sed|python|tr) .* > ((?:new_)?rows\.\w+))", message)
    assert found, message
    subprocess.run(found[1].replace("python", sys.executable, 1), shell=True, check=True, cwd=folder)
    return folder / found[2]


def refused(path: Path, columns: ColumnNames = PLAIN) -> str:
    with pytest.raises(InputError) as raised:
        rows_of(path, columns)
    return str(raised.value)


def pretty(*values: Any) -> str:
    return "".join(json.dumps(value, indent=1) + "\n" for value in values)


def line_of(value: Any) -> str:
    return json.dumps(value) + "\n"


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


NAMES = ["b", "a"]
SERVER = {
    "features": [
        {"name": "text", "type": {"dtype": "string", "_type": "Value"}},
        {"name": "label", "type": {"names": NAMES, "_type": "ClassLabel"}},
    ],
    "rows": [{"row_idx": 0, "row": row | {"label": NAMES.index(row["label"])}, "truncated_cells": []} for row in ROWS],
}
CELLS = [{"f": [{"v": row[name]} for name in ("id", "text", "label")]} for row in ROWS]
FIELDS = {"fields": [{"name": name} for name in ("id", "text", "label")]}


def argilla(row: dict[str, Any], *questions: str) -> dict[str, Any]:
    given = [{"value": row["label"], "status": "submitted"}, {"value": "no", "status": "draft"}]
    return {"id": row["id"], "fields": {"text": row["text"]}, "responses": dict.fromkeys(questions, given)}


def chat(row: dict[str, Any], key: str, names: tuple[str, ...], made: Any = str) -> dict[str, Any]:
    who, user, model, said = names
    turns = [(user, row["text"]), (model, row["label"])]
    return {"id": row["id"], key: [{who: "system", said: made("x")}, *({who: w, said: made(s)} for w, s in turns)]}


LAYOUTS = {
    "pages over lines": pretty({"reviews": ROWS[:1]}, {"reviews": ROWS[1:]}),
    "objects over lines with the text further down": pretty(*({"_id": 0, "_source": row} for row in ROWS)),
    "an array below two keys": json.dumps({"hits": {"total": 2, "hits": [{"_id": 1, "_source": row} for row in ROWS]}}),
    "GraphQL": json.dumps({"data": {"reviews": {"edges": [{"node": row} for row in ROWS]}}}),
    "GraphQL without edges": pretty({"data": {"reviews": ROWS}}),
    "objects by id": json.dumps({row["id"]: without(row, "id") for row in ROWS}),
    "Hugging Face's server": pretty(SERVER),
    "BigQuery": json.dumps({"kind": "x", "schema": FIELDS, "rows": CELLS}),
    "polars": json.dumps({"columns": [{"name": name, "values": [row[name] for row in ROWS]} for name in ROWS[0]]}),
    "Google Sheets": json.dumps(
        {"range": "A1:C3", "values": [["id", "text", "label"], *([*row.values()] for row in ROWS)]}
    ),
    "an array of arrays with a header": json.dumps([["id", "text", "label"], *([*row.values()] for row in ROWS)]),
    "lines that are arrays, the first a header": "".join(
        json.dumps(line) + "\n" for line in [["id", "text", "label"], *([*row.values()] for row in ROWS)]
    ),
    "phpMyAdmin": json.dumps(
        [
            {"type": "header", "version": "5.2", "comment": "Export to JSON"},
            {"type": "database", "name": "hotel"},
            {"type": "table", "name": "reviews", "data": ROWS},
        ]
    ),
    "DynamoDB's export": "".join(
        json.dumps({"Item": {key: {"S": value} for key, value in row.items()} | {"x": {"NULL": True}}}) + "\n"
        for row in ROWS
    ),
    "DynamoDB's scan": json.dumps({"Items": [{key: {"S": value} for key, value in row.items()} for row in ROWS]}),
    "each value in an array, by R": json.dumps([{key: [value] for key, value in row.items()} for row in ROWS]),
    "cut into lines": "\r\n".join(
        json.dumps(ROWS)[at : at + 9].replace("\r\n", "") for at in range(0, len(json.dumps(ROWS)), 9)
    ),
    "the only row of an array, with its id beside it": "".join(
        json.dumps({"id": row["id"], "response": {"body": {"choices": [without(row, "id")]}}}) + "\n" for row in ROWS
    ),
    "objects by id below a key": json.dumps({"reviews": {row["id"]: without(row, "id") for row in ROWS}}),
    "objects by id below two keys, some with a key more": json.dumps(
        {"v": 1, "a": {"b": {row["id"]: without(row, "id") | {"x": 1} for row in ROWS[:1]} | {"k": ROWS[1]}}}
    ),
    "objects by id below other ids": json.dumps(
        {
            "hotels": {
                "h": {"stars": 3, "all": {row["id"]: without(row, "id") for row in ROWS}},
                "g": {"stars": 2, "all": {}},
            }
        }
    ),
    "objects by id, with the text further down": json.dumps(
        {"reviews": {row["id"]: {"by": "jo", "data": without(row, "id")} for row in ROWS}}
    ),
    "arrays of objects by id": json.dumps({"hotels": {f"h{row['id']}": {"reviews": [row]} for row in ROWS}}),
    "pages of objects by id over lines": pretty(
        {"reviews": {row["id"]: row for row in ROWS[:1]} | {"r1": ROWS[1]}}, {"reviews": {}}
    ),
    "lines that are strings of JSON": "".join(json.dumps(json.dumps(row)) + "\n" for row in ROWS),
    "Argilla": json.dumps([argilla(row, "sentiment") for row in ROWS]),
    "objects in strings": "".join(json.dumps({"n": 1, "data": json.dumps(row)}) + "\n" for row in ROWS),
    "ShareGPT": json.dumps([chat(row, "conversations", ("from", "human", "gpt", "value")) for row in ROWS]),
    "OpenAI's chats": "".join(
        json.dumps(chat(row, "messages", ("role", "user", "assistant", "content"))) + "\n" for row in ROWS
    ),
    "Gemini's chats": json.dumps(
        [chat(row, "contents", ("role", "user", "model", "parts"), lambda said: [{"text": said}]) for row in ROWS]
    ),
    "Potato": "".join(
        json.dumps(
            {
                "instance_id": row["id"],
                "displayed_text": row["text"],
                "label_annotations": {"q": {row["label"]: "true"}},
            }
        )
        + "\n"
        for row in ROWS
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_that_are_further_down_are_taken_out_by_the_command(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(LAYOUTS[name])
    assert rows_of(run(refused(path), tmp_path)) == EXPECTED
    with pytest.raises(InputError) as raised:
        list(read_annotations(str(path), LabelColumns()))
    found = read_annotations(str(run(str(raised.value), tmp_path)), LabelColumns())
    assert [(one.id, one.label, one.problem) for one in found] == [(id_, label, None) for id_, _, label, _ in EXPECTED]


LINES = [json.dumps(row) for row in ROWS]
TWICE = ['{"id": "x", ' + line[1:] for line in LINES]
SHELL = '{\n\t"_id" : ObjectId("x"),\n\t"id" : "%s", "at" : new Date(), "text" : "%s", "label" : "%s"\n}\n'
SHEET = {
    "cols": [{"id": "A", "label": "id"}, {"id": "text", "label": ""}, {"label": "label"}, {"label": "x"}],
    "rows": [{"c": [*({"v": value} for value in row.values()), None]} for row in ROWS],
}
WRAPPED = {
    "JSONP": f"/**/ typeof cb === 'function' && cb({json.dumps({'reviews': ROWS})});",
    "a sheet for charts": f"/*O_o*/\ngoogle.visualization.Query.setResponse({json.dumps({'table': SHEET})});",
    "what no browser runs": f")]}}',\n\n{json.dumps(ROWS)}",
    "a fence": f"```json\n{json.dumps(ROWS, indent=1)}\n```\n",
    "documents of MongoDB's shell": "".join(f"/* {n} */\n{SHELL % tuple(row.values())}" for n, row in enumerate(ROWS)),
    "an array of such": f"[\n{','.join(SHELL % tuple(row.values()) for row in ROWS)}]",
    "a bulk request": "".join(
        f"{json.dumps({'index': {'_id': row['id']}})}\n{json.dumps(without(row, 'id'))}\n" for row in ROWS
    ),
    "logs": "".join(f"2024-01-01 10:00:00,1 INFO {line}\n" for line in LINES),
    "events of a server": "".join(f"data: {line}\n\n" for line in LINES) + "data: [DONE]\n",
    "a comma behind the last": f"[{','.join(LINES)},\n]",
    "commas behind lines": ",\n".join([*LINES, ""]),
    "several objects a line": "".join(LINES) + '\n{"id": "r2", "text": "z", "label": "a"}',
    "a list that Python printed": repr(ROWS),
    "arrays of arrays of objects": json.dumps([ROWS[:1], ROWS[1:]]),
    "a key twice": "".join(f"{line}\n" for line in TWICE),
    "a key twice in an array": f"[{','.join(TWICE)}]",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_json_with_something_around_it_is_taken_out_by_the_commands(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(WRAPPED[name])
    for _ in range(3):
        try:
            with pytest.raises(InputError) as raised:
                read_gold(GoldConfig(files=(str(path),), on_bad_row="fail"))
        except pytest.fail.Exception:
            break
        path = run(str(raised.value).partition("; to keep the first")[0], tmp_path)
    assert rows_of(path)[:2] == EXPECTED


def test_of_a_key_that_comes_twice_the_first_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("".join(f'{line[:-1]}, "text": "no"}}\n' for line in LINES))
    _, _, way = rows_of(tmp_path / "in.jsonl")[0][3].partition("; to keep the first: ")
    assert rows_of(run(way, tmp_path)) == EXPECTED


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_compressed_file_is_unpacked_by_the_command(tmp_path: Path, suffix: str, encoding: str) -> None:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}[suffix]
    path = tmp_path / f"in.json{suffix}"
    path.write_bytes(pack(json.dumps({"d": {"reviews": ROWS}}).encode(encoding)))
    assert rows_of(run(refused(path), tmp_path)) == EXPECTED


def test_a_command_does_not_write_the_file_that_it_reads(tmp_path: Path) -> None:
    wrapped = [{"key": row["id"], "content": {"label": row["text"]}} for row in ROWS]
    (tmp_path / "in.json").write_text(json.dumps({"feed": {"entry": wrapped}}))
    columns = ColumnNames(text="content", id="key")
    made = run(refused(tmp_path / "in.json", columns), tmp_path)
    assert made.name == "rows.jsonl"
    problem = rows_of(made, columns)[0][3]
    assert [row[:2] for row in rows_of(run(problem, tmp_path), columns)] == [row[:2] for row in EXPECTED]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(PLAIN, [("a", "x", None), ("07", "y", None)]), (LabelColumns(), [("a", None, "x"), ("07", None, "y")])],
    ids=["texts", "labels"],
)
def test_values_by_their_ids_are_taken_out(tmp_path: Path, columns: ColumnNames, expected: Any) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"a": "x", "07": "y"}))
    made = run(refused(path, columns), tmp_path)
    found = [row[:3] for row in rows_of(made, columns)]
    assert [(id_, text if columns is PLAIN else None, label) for id_, text, label in found] == expected


def test_a_table_with_more_keys_than_pandas_writes_is_turned_without_a_change_of_its_values(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    rows = [[570306133677760513, "it's", "007"], [2, "y", "1"]]
    path.write_text(json.dumps({"columns": ["id", "text", "label"], "data": rows, "nrows": 2}))
    run(refused(path), tmp_path)
    found = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [[*row.values()] for row in found] == rows


@pytest.mark.parametrize("content", ['{"id": "a", "label": "x"}', '{"id": "a", "label": "x", "by": "jo"}'])
def test_one_label_is_a_row(tmp_path: Path, content: str) -> None:
    (tmp_path / "in.json").write_text(content)
    assert [one.label for one in read_annotations(str(tmp_path / "in.json"), LabelColumns())] == ["x"]


@pytest.mark.parametrize("dumps", [json.dumps, lambda tasks: "\n".join(map(json.dumps, tasks))])
def test_a_text_that_is_further_down_in_a_task_is_taken_out(tmp_path: Path, dumps: Any) -> None:
    (tmp_path / "in.json").write_text(dumps([{"data": {"said": [row]}, "annotations": []} for row in ROWS]))
    assert rows_of(run(refused(tmp_path / "in.json"), tmp_path)) == EXPECTED


def test_of_several_questions_each_is_a_column(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(argilla(row, "sentiment", "tone")) for row in ROWS))
    way = run(refused(tmp_path / "in.jsonl"), tmp_path)
    assert rows_of(way, ColumnNames(label="tone")) == EXPECTED


def test_cells_without_names_are_named_by_their_length(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"rows": [{"f": [{"v": "a longer text"}, {"v": "b"}]}]}))
    assert [row[1:3] for row in rows_of(run(refused(tmp_path / "in.json"), tmp_path))] == [("a longer text", "b")]


@pytest.mark.parametrize(
    ("cats", "label"),
    [
        ({"a": 0, "b": 1}, "b"),
        ({"a": 0.7, "b": 0.3}, "a"),
        ({"a": 1, "b": 1}, None),
        ({"a": 0, "b": 0}, None),
        ({"a": 1}, "a"),
        ({"a": 0}, "not a"),
    ],
)
def test_scores_by_class_are_the_class_of_the_largest(
    tmp_path: Path, cats: dict[str, float], label: str | None
) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps([["x", {"cats": cats}], ["y", {"cats": cats}]]))
    assert [row[1:3] for row in rows_of(run(refused(path), tmp_path))] == [("x", label), ("y", label)]


@pytest.mark.parametrize("name", ["window.YTD.tweets.part0", 'window.YTD["tweets"]', "var x"])
@pytest.mark.parametrize("end", ["", ";", ";\r\n"])
def test_what_a_script_writes_before_its_value_is_taken_off(tmp_path: Path, name: str, end: str) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(
        f"{name} = [\n{json.dumps({'tweet': ROWS[0]})},\n{json.dumps({'tweet': ROWS[1]})}\n]{end}".encode()
    )
    cut = run(refused(path), tmp_path)
    assert rows_of(run(refused(cut), tmp_path)) == EXPECTED


def test_the_only_object_of_a_row_is_taken_out_whatever_its_columns_are_called(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"tweet": {"id": n, "words": "x"}}) for n in range(2)))
    assert "(columns: id, words)" in refused(run(refused(tmp_path / "in.jsonl"), tmp_path))


def test_of_several_arrays_the_one_with_a_text_has_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"items": [{"sku": "a", "id": "x"}], "reviews": ROWS}))
    assert rows_of(path) == EXPECTED
    found = read_annotations(str(path), LabelColumns())
    assert [(one.id, one.label) for one in found] == [("r0", "b"), ("r1", "a")]


def test_a_file_of_labels_alone_needs_no_text(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"items": [without(row, "text") for row in ROWS], "more": [{"id": 1}]}))
    assert [(one.id, one.label) for one in read_annotations(str(path), LabelColumns())] == [("r0", "b"), ("r1", "a")]


# --- values that are no strings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[{"label": "A", "score": 0.9}], [{"label": "B", "score": 0.8}]], ["A", "B"]),
        ([[{"label": "A", "score": 0.2}, {"label": "B", "score": 0.8}]], ["B"]),
        ([{"$numberInt": "0"}, {"$numberInt": "1"}], ["0", "1"]),
        ([{"name": "a", "id": 3}, "b", None], ["a", "b", None]),
        ([{"choice": "a"}], ["a"]),
        ([[{"labelType": "DEFAULT", "jsonResponse": {"JOB_0": {"categories": [{"name": "a"}]}}}], []], ["a", None]),
        ([{"q": {"a": "true"}}, {"q": {"b": 1}}], ["a", "b"]),
        ([{"q": "a"}], ["a"]),
        ([{"q": {"label": "a"}}], ["a"]),
        ([{"ann": "a", "bea": "a"}], ["a"]),
        ([[{"by": "ann", "label": "a"}, {"by": "bea", "label": "a"}]], ["a"]),
        ([[{"classname": "a", "annotated_by": ["jo"]}], [{"classname": "b"}, {"classname": "b"}]], ["a", "b"]),
        ([{"labels": ["a"], "note": ""}, None, {"labels": []}], ["a", None, None]),
        ([{"p": {"labels": [{"classifications": [{"name": "q", "radio_answer": {"name": "a"}}]}]}}], ["a"]),
        ([[0.1, 0.9], [0.7, 0.3], []], ["1", "0", None]),
        ([{"a": 0.0, "b": 1.0}], ["b"]),
        ([[0, 1], [1, 0]], ["1", "0"]),
        ([[True, False]], ["0"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("layout", ["lines", "array", "object", "over lines"])
def test_labels_that_are_no_strings_are_taken_out(tmp_path: Path, values: Any, expected: Any, layout: str) -> None:
    path = tmp_path / "in.json"
    rows = [{"text": "t", "stars": value} for value in values]
    path.write_text(
        {
            "lines": "\n".join(map(json.dumps, rows)),
            "array": json.dumps(rows),
            "object": json.dumps({"x": 1, "data": rows}),
            "over lines": pretty(*rows, {"text": "t", "stars": expected[0]}),
        }[layout]
    )
    columns = ColumnNames(label="stars")
    problem = rows_of(path, columns)[0][3]
    made = run(problem, tmp_path)
    found = rows_of(made, columns)
    assert [row[2] for row in found[: len(values)]] == expected
    assert {row[3] for row in found} == {None}


def test_the_refusal_of_gold_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row | {"label": {"name": row["label"]}}) + "\n" for row in ROWS))
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(path),)))
    assert rows_of(run(str(raised.value), tmp_path)) == EXPECTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (["a", "b c"], "a b c"),
        ({"value": "x"}, "x"),
        ({"text": "x", "lang": "en"}, "x"),
        ({"fr": "y", "en": "x"}, "x"),
        ({"lang": "en", "raw": "x"}, "x"),
        ([{"role": "system", "content": "y"}, {"role": "user", "content": "x"}], "x"),
        (["a ", {"type": "bold", "text": "b"}], "a b"),
    ],
    ids=repr,
)
def test_texts_that_are_no_strings_are_taken_out(tmp_path: Path, text: Any, expected: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps([{"text": text}, {"text": "plain"}]))
    made = run(rows_of(path)[0][3], tmp_path)
    assert [row[1] for row in rows_of(made)] == [expected, "plain"]


def test_ids_of_mongo_are_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"_id": {"$oid": "65a"}, "text": "t"}\n')
    made = run(rows_of(path, ColumnNames(id="_id"))[0][3], tmp_path)
    assert [row[0] for row in rows_of(made, ColumnNames(id="_id"))] == ["65a"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (["a", "a"], ("a", None)),
        ([3, 3, 3], ("3", None)),
        (["a", "b"], (None, "it has 2 labels, and a text has one")),
        ([1, 1], (None, "it has 2 labels, and a text has one")),
    ],
    ids=repr,
)
def test_a_label_that_comes_several_times_is_one(tmp_path: Path, label: Any, expected: Any) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "t", "label": label}))
    assert [row[2:] for row in rows_of(tmp_path / "in.jsonl")] == [expected]


def test_a_label_that_annotators_accepted_or_rejected_becomes_two_classes(tmp_path: Path) -> None:
    answers = ["accept", "reject", "ignore"]
    lines = [{"id": answer, "text": answer, "label": "GOOD", "answer": answer} for answer in answers]
    (tmp_path / "in.jsonl").write_text("".join(map(line_of, lines)))
    with pytest.raises(InputError, match="the only label is 'GOOD'") as raised:
        read_gold(GoldConfig(files=(str(tmp_path / "in.jsonl"),), classes=("bad", "good")))
    made = run(str(raised.value).partition("; if they have no class")[0], tmp_path)
    assert [row[2] for row in rows_of(made)] == ["GOOD", "bad", None]
    two = [{"text": "x", "label": "a", "answer": "reject"}, {"text": "y", "label": "b", "answer": "accept"}]
    (tmp_path / "in.jsonl").write_text("".join(map(line_of, [*two, {"text": "z", "label": "a"}])))
    gold = read_gold(GoldConfig(files=(str(tmp_path / "in.jsonl"),)))
    assert (len(gold.texts), gold.reasons[0].partition(": ")[2][:15]) == (2, "it was rejected")


def test_doubled_backslashes_are_taken_off(tmp_path: Path) -> None:
    rows = [{"id": "r0", "text": "two\nlines", "label": "a"}, {"id": "r1", "text": 'a "b" \\ c', "label": "b"}]
    (tmp_path / "in.jsonl").write_text("".join(map(line_of, rows)).replace("\\", "\\\\"))
    made = run(refused(tmp_path / "in.jsonl"), tmp_path)
    assert [row[1] for row in rows_of(made)] == [row["text"] for row in rows]
