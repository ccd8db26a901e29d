"""JSON that APIs, streams and databases write → the command in the message makes a row of each text."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.inputs.columns import LabelColumns
from engine.inputs.labels.annotations import read_annotations
from engine.inputs.labels.labelled import GoldConfig, read_gold

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which messages name")
ROWS = [{"id": "r0", "text": "it's fine", "label": "b"}, {"id": "r1", "text": "not so", "label": "a"}]
TABLE = [[*row.values()] for row in ROWS]
NAMES = ("id", "text", "label")


def lines(*values: Any) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


def notion(text: str, label: str) -> dict[str, Any]:
    title = {"type": "title", "title": [{"type": "text", "text": {"content": text}, "plain_text": text}]}
    return {"text": title, "label": {"type": "select", "select": {"name": label, "color": "red"}}}


def typed(answer: str, ref: str) -> dict[str, Any]:
    value = {"text": answer} if ref == "text" else {"choice": {"label": answer}}
    return {"field": {"ref": ref, "id": "x"}, "type": next(iter(value)), **value}


def params(row: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"string_value": row[name]}} for name in NAMES]


FILES = {
    "Elasticsearch": json.dumps({"columns": [{"name": name, "type": "text"} for name in NAMES], "rows": TABLE}),
    "CKAN": json.dumps({"fields": [{"id": name, "type": "text"} for name in NAMES], "records": TABLE}),
    "Snowflake": json.dumps(
        {"meta": {"partitionInfo": [{"n": 2}], "rowType": [{"name": name.upper()} for name in NAMES]}, "data": TABLE}
    ),
    "Chroma": json.dumps(
        {
            "ids": ["r0", "r1"],
            "documents": [row["text"] for row in ROWS],
            "metadatas": [{"label": row["label"]} for row in ROWS],
        }
    ),
    "Debezium": lines(
        {"op": "c", "before": None, "after": {**ROWS[0], "label": "a"}},
        *({"op": "c", "before": None, "after": row} for row in (ROWS[1], {**ROWS[0], "id": "gone"})),
        {"op": "u", "before": None, "after": ROWS[0]},
        {"op": "d", "before": {"id": "gone"}, "after": None},
    ),
    "Avro": lines(*({"id": row["id"], **{name: {"string": row[name]} for name in NAMES[1:]}} for row in ROWS)),
    "Firestore": json.dumps(
        {
            "documents": [
                {"name": f"projects/{row['id']}", "fields": {name: {"stringValue": row[name]} for name in NAMES[1:]}}
                for row in ROWS
            ]
        }
    ),
    "Neo4j": lines(*({"type": "node", "id": "7", "labels": ["Review"], "properties": row} for row in ROWS)),
    "Notion": json.dumps(
        {"results": [{"id": row["id"], "properties": notion(row["text"], row["label"])} for row in ROWS]}
    ),
    "Typeform": json.dumps(
        {"items": [{"token": row["id"], "answers": [typed(row[ref], ref) for ref in NAMES[1:]]} for row in ROWS]}
    ),
    "Analytics": lines(*({"event_name": "x", "event_params": params(row)} for row in ROWS)),
    "Scale": json.dumps(
        {
            "docs": [
                {
                    "task_id": row["id"],
                    "params": {"attachment": row["text"]},
                    "response": {"annotations": {"mood": {"response": [[row["label"]]]}}},
                }
                for row in ROWS
            ]
        }
    ),
    "Labelbox": lines(
        *(
            {
                "data_row": {"id": "x", "external_id": row["id"], "row_data": row["text"]},
                "projects": {
                    "p": {
                        "labels": [
                            {
                                "annotations": {
                                    "classifications": [{"name": "mood", "radio_answer": {"name": row["label"]}}]
                                }
                            }
                            for _ in range(2)
                        ]
                    }
                },
            }
            for row in ROWS
        )
    ),
    "Singer": lines({"type": "SCHEMA", "schema": {}}, *({"type": "RECORD", "record": row} for row in ROWS)),
    "Kafka": "".join(f"{row['id']}\t{json.dumps({name: row[name] for name in NAMES[1:]})}\n" for row in ROWS),
    "YouTube": json.dumps(
        {
            "items": [
                {
                    "id": row["id"],
                    "label": row["label"],
                    "snippet": {"top": {"snippet": {"textDisplay": "an it&#39;s", "textOriginal": row["text"]}}},
                }
                for row in ROWS
            ]
        }
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_command_makes_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / "in.json").write_text(FILES[name])
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(tmp_path / "in.json"),), classes=("a", "b")))
    found = re.search(r"\bjq -cR? .* > (rows\.jsonl)", str(raised.value))
    assert found, raised.value
    subprocess.run(found[0], shell=True, check=True, cwd=tmp_path)
    made = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [tuple({key.lower(): value for key, value in row.items()}[key] for key in NAMES) for row in made] == [
        tuple(row.values()) for row in ROWS
    ]


def test_rows_of_vertex_have_a_text_and_a_label(tmp_path: Path) -> None:
    rows = [{"textContent": row["text"], "classificationAnnotation": {"displayName": row["label"]}} for row in ROWS]
    (tmp_path / "in.jsonl").write_text(lines(*rows))
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(tmp_path / "in.jsonl"),), classes=("a", "b")))
    subprocess.run(str(raised.value).partition("take it out: ")[2], shell=True, check=True, cwd=tmp_path)
    gold = read_gold(GoldConfig(files=(str(tmp_path / "rows.jsonl"),), classes=("a", "b")))
    assert (gold.texts, gold.labels.tolist()) == ([row["text"] for row in ROWS], [1, 0])


BATCHES = {
    "OpenAI": [
        {"custom_id": row["id"], "response": {"body": {"choices": [{"message": {"content": row["label"]}}]}}}
        for row in ROWS
    ],
    "Anthropic": [
        {"custom_id": "r9", "result": {"type": "errored", "error": {"type": "overloaded"}}},
        *(
            {"custom_id": row["id"], "result": {"message": {"content": [{"type": "text", "text": row["label"]}]}}}
            for row in ROWS
        ),
    ],
}


@pytest.mark.parametrize("name", BATCHES)
def test_answers_of_a_batch_are_labels_and_no_texts(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(lines(*BATCHES[name]))
    with pytest.raises(InputError, match="answers to the requests of a batch, and their texts are in another file"):
        read_gold(GoldConfig(files=(str(path),), classes=("a", "b")))
    with pytest.raises(InputError) as raised:
        list(read_annotations(str(path), LabelColumns()))
    subprocess.run(str(raised.value).partition("take it out: ")[2], shell=True, check=True, cwd=tmp_path)
    found = list(read_annotations(str(tmp_path / "rows.jsonl"), LabelColumns()))
    assert [(one.id, one.label) for one in found if one.problem is None] == [("r0", "b"), ("r1", "a")]
    assert [one.id for one in found if one.problem] == (["r9"] if name == "Anthropic" else [])


def test_texts_in_files_that_azure_names_are_read(tmp_path: Path) -> None:
    documents = [{"location": f"{row['id']}.txt", "class": {"category": row["label"]}} for row in ROWS]
    (tmp_path / "p.json").write_text(json.dumps({"assets": {"classes": [{"category": "a"}], "documents": documents}}))
    for row in ROWS:
        (tmp_path / f"{row['id']}.txt").write_text(row["text"])
    with pytest.raises(InputError) as raised:
        read_gold(GoldConfig(files=(str(tmp_path / "p.json"),)))
    program = str(raised.value)[str(raised.value).index("python -c") :].replace("python", sys.executable, 1)
    subprocess.run(program, shell=True, check=True, cwd=tmp_path)
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == ROWS
