"""Rows that APIs, streams and databases write, with each value inside of its type → a jq program that makes plain rows.

Notion, Typeform, Google Analytics, Scale AI, Firestore, Neo4j and Debezium.
"""

from collections.abc import Callable
from typing import Any

from engine.inputs.json_files.jq_commands import ONE, members

_NOTION = (
    '{id} + (.properties | map_values(.[.type] | if type == "array" and all(.[]; has("plain_text")) then '
    f'map(.plain_text) | join("") elif type == "array" then map(.name? // .) | {ONE} '
    'elif type == "object" then (.name? // .string? // .start? // .) else . end))'
)
_TYPEFORM = (
    "{id: (.response_id // .token)} + ([.answers[]? | {(.field.ref // .field.id): (.[.type] | "
    'if type == "object" then (.label? // .labels? // .) else . end)}] | add)'
)
_VALUE = '(.value | if type == "object" then ([.[] | values] | first) else . end)'
_SCALE = (
    "{{id: .task_id, text: .params.attachment}} + (.response.annotations | with_entries({names}) | "
    f"map_values(.response | flatten | {ONE}))"
)
_FIRESTORE = frozenset(
    f"{kind}Value"
    for kind in ("string", "integer", "double", "boolean", "timestamp", "null", "map", "array", "reference", "geoPoint")
)
_OF_FIRESTORE = '{id: (.name | split("/") | last)} + (.fields | map_values(.[]))'
_AVRO = ("string", "int", "long", "float", "double", "boolean", "bytes")
_NODE = 'select(.type == "node") | {id} + .properties'


def program_of_api(row: dict[str, Any], may_be_row: Callable[[list[str]], bool]) -> str | None:
    """A program for a row that one of these programs wrote; None if none of them did.

    Args:
        row: one of a file.
        may_be_row: whether a row may have these keys.
    """
    match row:
        case {"properties": dict() as properties} if properties and all(map(_is_of_notion, properties.values())):
            return _NOTION
        case {"answers": [{"field": dict(), "type": str()}, *_]}:
            return _TYPEFORM
        case {"params": {"attachment": str()}, "response": {"annotations": dict() as given}}:
            return _SCALE.format(names='.key = "label"' if len(given) == 1 else ".")
        case {"name": str(), "fields": dict() as fields} if fields and all(
            isinstance(one, dict) and len(one) == 1 and _FIRESTORE.issuperset(one) for one in fields.values()
        ):
            return _OF_FIRESTORE
    return _of_entries(row, may_be_row)


def refusal_of_stream(row: dict[str, Any]) -> tuple[str, str] | None:
    """Rows that are read wrongly as they are: what they are, and a program for them; None if they are other ones."""
    match row:
        case {"op": str(), "after": dict() | None, "before": dict() | None}:
            return "its lines are changes of rows, as Debezium writes them: take the last state of each", _states(row)
        case {"payload": {"op": str(), "after": dict() | None, "before": dict() | None} as change}:
            way = _states(change, ".payload")
            return "its lines are changes of rows, as Debezium writes them: take the last state of each", way
        case {"type": "node", "id": _, "labels": list(), "properties": dict()}:
            return "its rows are nodes of Neo4j: take out their properties", _NODE
    if any(map(_is_of_avro, row.values())) and all(
        _is_of_avro(value) for value in row.values() if isinstance(value, dict)
    ):
        names = ", ".join(f'"{name}"' for name in _AVRO)
        program = f'map_values(if type == "object" and length == 1 and (keys[0] | IN({names})) then .[] else . end)'
        return "its values are inside of their types, as Avro writes them: take them out", program
    return None


def _states(change: dict[str, Any], begin: str = "") -> str:
    """The program that keeps the last state of each row, by its id, or by its first key; deleted rows are left out."""
    row = change["after"] or change["before"] or {}
    key = next((name for name in row if name.lower() in ("id", "_id")), next(iter(row), "id"))
    return (
        f"reduce (., inputs) as $line ({{}}; ($line{begin}) as $one | "
        f"(($one.after // $one.before // {{}}) | {members(key)} | tostring) as $id | if $one == null then . "
        'elif $one.op == "d" or $one.after == null then delpaths([[$id]]) else .[$id] = $one.after end) | .[]'
    )


def _of_entries(row: dict[str, Any], may_be_row: Callable[[list[str]], bool]) -> str | None:
    """A program for a row with a list of names and values: each becomes a column."""
    for key, value in row.items():
        if isinstance(value, list) and len(value) > 1 and all(isinstance(one, dict) for one in value):
            name = next((name for name in ("key", "name") if all(isinstance(one.get(name), str) for one in value)), "")
            names = [one[name] for one in value] if name and all("value" in one for one in value) else []
            if names and len({*names}) == len(names) and may_be_row(names):
                entries = f"[{members(key)}[]? | {{(.{name}): {_VALUE}}}] | add"
                return f". + ({entries}) | del({members(key)})"
    return None


def _is_of_notion(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in value


def _is_of_avro(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _AVRO
