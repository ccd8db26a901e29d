"""Rows that annotation tools and batches of language models write → a jq program that makes plain rows of them."""

from typing import Any

from engine.inputs.columns import ColumnNames, LabelColumns
from engine.inputs.json_files.jq_commands import ONE
from engine.inputs.json_files.known_rows.chats import chat_of

_ARGILLA = (
    '. + .fields + (.responses | with_entries({names}) | map_values([.[]? | select(.status == "submitted") | .value] '
    "| unique | if length == 1 then .[0] else . end)) | del(.fields, .responses, .suggestions, .metadata)"
)
_POTATO = (
    "{{id: (.instance_id // .id), text: (.displayed_text // .text)}} + (.label_annotations | with_entries({names}) | "
    'map_values(if type == "object" then [to_entries[] | select(.value) | '
    f'if .key | test("^(scale|text_box)") then .value else .key end] | {ONE} else . end))'
)
_PRODIGY = '((.meta? // {}) | with_entries(select(.key == "id"))) + . + {label: .accept} | del(.options, .accept)'
_ANSWER = "{id: .custom_id, label: .response.body.choices[0].message.content}"


def program_of_row(row: dict[str, Any], wanted: ColumnNames) -> str | None:
    """A program for a row of a chat, Argilla, Potato, Prodigy or OpenAI's batches; None if it is none of them.

    Args:
        row: the first of a file.
        wanted: column names that the user gave; some rows have only a label.
    """
    match row:
        case {"fields": dict(), "responses": dict() as responses}:
            return _ARGILLA.format(names=_names(responses))
        case {"label_annotations": dict() as given} if "displayed_text" in row or "instance_id" in row:
            return _POTATO.format(names=_names(given))
        case {"options": [dict(), *_], "accept": list(), "text": _}:
            return _PRODIGY
        case {"custom_id": _, "response": {"body": {"choices": [{"message": {"content": str()}}, *_]}}} if isinstance(
            wanted, LabelColumns
        ):
            return _ANSWER
    return chat_of(row)


def _names(labels: dict[str, Any]) -> str:
    """The only one of ``labels`` is called so."""
    return '.key = "label"' if len(labels) == 1 else "."
