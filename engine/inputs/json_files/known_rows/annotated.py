"""Rows that annotation tools and batches of language models write → a jq program that makes plain rows of them."""

from typing import Any

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
_ANSWER_OF_ANTHROPIC = (
    '{id: .custom_id, label: ([.result.message.content[]? | select(.type == "text") | .text] | join(""))}'
)
_LABELBOX = (
    "{{id: (.data_row.external_id // .data_row.global_key // .data_row.id), text: .data_row.row_data}} + "
    "([.projects[].labels[].annotations.classifications[] | {{key: {name}, value: "
    f"(.radio_answer.name? // ([.checklist_answers[]?.name] | {ONE}))}}}}] | "
    f"group_by(.key) | map({{{{key: .[0].key, value: (map(.value) | {ONE})}}}}) | from_entries)"
)
_VERTEX = "{text: .textContent, label: .classificationAnnotation.displayName}"


def program_of_row(row: dict[str, Any]) -> str | None:
    """A program for a row of a chat, an annotation tool or a batch of a language model; None if it is none of them."""
    match row:
        case {"fields": dict(), "responses": dict() as responses}:
            return _ARGILLA.format(names=_names(responses))
        case {"label_annotations": dict() as given} if "displayed_text" in row or "instance_id" in row:
            return _POTATO.format(names=_names(given))
        case {"options": [dict(), *_], "accept": list(), "text": _}:
            return _PRODIGY
        case {"custom_id": _, "response": {"body": {"choices": [{"message": {"content": str()}}, *_]}}}:
            return _ANSWER
        case {"custom_id": _, "result": {"message": {"content": [*_]}}}:
            return _ANSWER_OF_ANTHROPIC
        case {"data_row": {"row_data": str()}, "projects": dict() as projects}:
            names = {*map(_name_of_labelbox, _classifications(projects))}
            return _LABELBOX.format(name='"label"' if len(names) == 1 else ".name")
        case {"textContent": str(), "classificationAnnotation": {"displayName": str()}}:
            return _VERTEX
    return chat_of(row)


def is_answer(row: dict[str, Any]) -> bool:
    """Whether a row is the answer to a request of a batch, of OpenAI or Anthropic; its text is in another file."""
    return "custom_id" in row and any(isinstance(row.get(key), dict) for key in ("response", "result"))


def _classifications(projects: dict[str, Any]) -> list[Any]:
    """What annotators chose, by Labelbox's ``projects`` of a row."""
    labels = [label for project in projects.values() for label in project.get("labels") or []]
    return [one for label in labels for one in (label.get("annotations") or {}).get("classifications") or []]


def _name_of_labelbox(classification: dict[str, Any]) -> str:
    return str(classification.get("name"))


def _names(labels: dict[str, Any]) -> str:
    """The only one of ``labels`` is called so."""
    return '.key = "label"' if len(labels) == 1 else "."
