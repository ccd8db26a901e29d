"""JSON that is refused → the command in the message, run as a user would, makes the right rows."""

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
    found = re.search(r"((?:jq|sed|python) .* > (rows\.\w+))", message)
    assert found, message
    subprocess.run(found[1].replace("python", sys.executable, 1), shell=True, check=True, cwd=folder)
    return folder / found[2]


def refused(path: Path, columns: ColumnNames = PLAIN) -> str:
    with pytest.raises(InputError) as raised:
        rows_of(path, columns)
    return str(raised.value)


def pretty(*values: Any) -> str:
    return "".join(json.dumps(value, indent=1) + "\n" for value in values)


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
    "Argilla": json.dumps([argilla(row, "sentiment") for row in ROWS]),
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
    [(["a", "b c"], "a b c"), ({"value": "x"}, "x"), ({"text": "x", "lang": "en"}, "x")],
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
