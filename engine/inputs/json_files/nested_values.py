"""Arrays and objects where a text, an id or a label should be → why they are none, and the jq command for it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from engine.inputs.blocks import LabelFault, Reason, labels_problem
from engine.inputs.json_files.jq_commands import LARGEST, LARGEST_PLACE, ONE, jq, members
from engine.inputs.json_files.known_rows.chats import user_of

_OF_MONGO = ("$oid", "$numberInt", "$numberLong", "$numberDouble")
_PLAIN = (
    "label",
    "classname",
    "class_name",
    "class-name",
    "class",
    "displayName",
    "name",
    "value",
    "text",
    "choice",
    *_OF_MONGO,
)
_TEXTS = (
    "text",
    "value",
    "content",
    "body",
    "raw",
    "plain",
    "plain_text",
    "full_text",
    "rendered",
    "original",
    "#text",
    "label",
    "name",
    "$t",
    "string",
)
_NAMES = ("sentiment", "category", "answer", "verdict", "score", "rating")  # of strings that are labels
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")
_LISTS = ("labels", "label", "classes", "choices", "values", "tags")
_LABELBOX = f"[.. | objects | .radio_answer | select(. != null) | .name] | {ONE}"
_KILI = (
    'if type == "array" then [.[] | select(.labelType != "PREDICTION" and .labelType != "AUTOSAVE") | .jsonResponse | '
    f'(if type == "string" then fromjson else . end)[]? | .categories[]?.name] | {ONE} else . end'
)
_SINGLE = (str, int, float)
_TRUE = (True, False, "true", "on", "1")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where values stand.

    Attributes:
        what: they are: a text, an id or a label.
        key: of their rows.
        rows: where the rows are, for jq; None if no command can be given.
        file: where it is.
        names: of the numbers of labels, an array in jq, where ``$row`` is a row; empty if they are not known.
    """

    what: str
    key: str
    rows: str | None
    file: str
    names: str = ""

    def way(self, program: str) -> str:
        """The end of a message: the command that puts the result of ``program`` in the place of each value."""
        if self.rows is None:
            return ""
        begin = ("" if self.rows == "." else f"{self.rows} | ") + ". as $row | " * ("$row" in program)
        return f" ({jq(f'{begin}{members(self.key)} |= ({program})', self.file)} takes it out)"


def kind_of_value(value: Any) -> str:
    """What a value of JSON is, in words."""
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "null")


def no_string(value: Any, place: Place) -> Reason:
    """Why a value that is no string cannot be used."""
    fault = LabelFault if place.what == "label" else Reason
    program = _program(value, place.what)
    way = place.way(program) if program else ""
    if place.what == "label" != place.key and not way:
        way = f"; it stands in {place.key!r}, and --label names another column"
    return fault(f"{place.what} is {kind_of_value(value)} and not a string{way}")


def _program(value: Any, what: str) -> str | None:
    """The jq program that takes a single value out of a nested one; None if it is not known."""
    if what == "text":
        return _text_program(value)
    match value:
        case dict() if key := _plain_key(value, _PLAIN):
            return f'if type == "object" then {members(key)} else . end'
        case dict() if what == "label" and (key := _named_key(value) or _list_key(value)):
            return f'if type == "object" then {members(key)} else . end'
        case dict() if what == "label" and '"radio_answer"' in json.dumps(value):
            return _LABELBOX
        case dict() if (
            what == "label" and len(value) > 1 and all(isinstance(one, int | float) for one in value.values())
        ):
            return f'if type == "object" then ({LARGEST}) else . end'
        case dict() if what == "label" and len(value) > 1 and all(isinstance(one, str) for one in value.values()):
            return f'if type == "object" then [.[]] | {ONE} else . end'
        case dict() if what == "label" and len(value) == 1:
            return _only_member(*value.items())
        case [{"jsonResponse": _}, *_] if what == "label":
            return _KILI
        case [dict() as first, *more] if key := _plain_key(first, _PLAIN):
            one = f"max_by(.score) | {members(key)}" if more and "score" in first else f"map({members(key)}) | {ONE}"
            return f'if type == "array" then {one} else . end'
    return None


def _only_member(member: tuple[str, Any]) -> str | None:
    """A program: an object with one member → the label in it, or the only key of an object there that is not false."""
    key, value = member
    begin = f'if type == "object" then {members(key)}'
    if isinstance(value, str):
        return f"{begin} else . end"
    if isinstance(value, dict) and (inner := _plain_key(value, _PLAIN)):
        return f'if type == "object" then {members(key, inner)} else . end'
    if isinstance(value, dict) and value and all(one in _TRUE or one == name for name, one in value.items()):
        keys = f'if type == "object" then [to_entries[] | select(.value) | .key] | {ONE} else . end'
        return f"{begin} | {keys} else . end"
    return None


def label_key(values: Any) -> str | None:
    """The key of an object that has its label; that of its only member if that is a string. None if it is not known."""
    if not isinstance(values, dict):
        return None
    only = next(iter(values)) if len(values) == 1 and isinstance(next(iter(values.values())), str) else None
    return next((key for key in (*_PLAIN, *_NAMES) if isinstance(values.get(key), str)), only)


def _text_program(value: Any) -> str | None:
    match value:
        case dict() if key := _plain_key(value, _TEXTS) or _language(value):
            return f'if type == "object" then {members(key)} else . end'
        case dict() if chat := next(((key, said) for key, one in value.items() if (said := user_of(one))), None):
            return f'if type == "object" then {members(chat[0])} | {chat[1]} else . end'
        case [*values] if all(isinstance(one, str) for one in values):
            return 'if type == "array" then join(" ") else . end'
        case [*values] if (said := user_of(values)) is not None:
            return f'if type == "array" then {said} else . end'
        case [*values] if all(isinstance(one, str) or (isinstance(one, dict) and "text" in one) for one in values):
            return 'if type == "array" then map(if type == "object" then .text else . end) | join("") else . end'
    return None


def _language(values: dict[str, Any]) -> str | None:
    """The key of an object that holds a text in some languages; None if it holds anything else."""
    if values and all(_LANGUAGE.fullmatch(key) and isinstance(one, str | None) for key, one in values.items()):
        return "en" if "en" in values else next(iter(values))
    return None


def _plain_key(values: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((key for key in names if isinstance(values.get(key), _SINGLE)), None)


def _named_key(values: dict[str, Any]) -> str | None:
    """The key of a string whose name says that it is a label."""
    return next((key for key in _NAMES if isinstance(values.get(key), str)), None)


def _list_key(values: dict[str, Any]) -> str | None:
    """The key of a list of strings."""
    lists = {key: value for key in _LISTS if isinstance(value := values.get(key), list)}
    return next((key for key, value in lists.items() if all(isinstance(one, str) for one in value)), None)


def label_of_array(values: list[Any], place: Place) -> tuple[Any, LabelFault | None]:
    """The only label of an array, also if it comes several times; or None and why there is none."""
    if all(isinstance(value, dict) and "score" in value for value in values):
        return values or None, None
    if all(isinstance(value, dict) for value in values) and _program(values, "label"):
        return None, LabelFault(no_string(values, place))
    largest = LARGEST_PLACE.replace("index($most)", f"{place.names}[index($most)]") if place.names else LARGEST_PLACE
    fault = labels_problem(values, place.way(largest)) if len(values) > 1 else None
    return (values[0], None) if fault is None else (None, fault)
