"""A JSON file of any layout → its objects, one by one. What is no object has a reason in its place."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from engine.inputs.blocks import Reason
from engine.inputs.json_files.json_text import JsonText, elements, keys
from engine.inputs.json_files.layout import Layout
from engine.inputs.lines import LINE_BYTES, lines_of, open_lines

_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = ("\n", "", "\r\n")
_raw_decode = json.JSONDecoder().raw_decode
_PYTHON = re.compile(r"\s*\{\s*u?'")
TOO_DEEP = Reason("the line is nested too deeply")


class JsonObject(NamedTuple):
    """An object of a JSON file.

    Attributes:
        values: by key; empty if there is a problem.
        problem: the reason why it cannot be used, or None.
        size: in bytes or characters, roughly.
    """

    values: dict[str, Any]
    problem: str | None
    size: int


def objects_of(file: str, layout: Layout, encoding: str | None = None) -> Iterator[JsonObject]:
    """The objects of ``file``.

    Raises:
        InputError: a file that is not of lines is not JSON.
    """
    if layout.is_lines:
        return (_of_line(line) for line in lines_of(file, encoding) if line is None or line.strip())
    return _of_values(file, layout.key, encoding)


def _of_line(line: bytes | None) -> JsonObject:
    if line is None:
        return JsonObject({}, Reason(f"the line is longer than {LINE_BYTES:,} bytes"), 0)
    try:
        text = line.removeprefix(_BOM).decode()
        value = _parse(text)
    except UnicodeDecodeError as error:
        return JsonObject({}, Reason("the line has invalid UTF-8", position=error.start), 0)
    except RecursionError:
        return JsonObject({}, TOO_DEEP, 0)
    except json.JSONDecodeError as error:
        return JsonObject({}, _not_json(text, error), 0)
    except ValueError as error:
        return JsonObject({}, Reason(f"the line is not JSON: {error}"), 0)
    return JsonObject(value, None, len(line)) if type(value) is dict else _of_value(value, "the line", len(line))


def _parse(text: str) -> Any:
    """As `json.loads`, which looks for white space and options first; that takes a third of its time."""
    if text.startswith("{"):
        value, end = _raw_decode(text)
        if text[end:] in _LINE_ENDS:
            return value
    return json.loads(text)


def _not_json(text: str, error: json.JSONDecodeError) -> Reason:
    if _PYTHON.match(text):
        return Reason("the line is a dict as Python prints it and not JSON; write it with json.dumps")
    position = len(text[: error.pos].encode("utf-8", "surrogatepass"))
    is_comma = error.msg == "Extra data" and text[error.pos :].strip() == ","
    why = "a comma follows the object" if is_comma else error.msg
    return Reason(f"the line is not JSON: {why}", position=position)


def _of_values(file: str, key: str | None, encoding: str | None) -> Iterator[JsonObject]:
    with open_lines(file, encoding) as source:
        text = JsonText(source, file)
        for value in _values(text) if key is None else _member(text, key):
            if text.is_spoilt:
                yield JsonObject({}, Reason("the object has invalid UTF-8"), text.size)
            else:
                yield _of_value(value, "the element", text.size)


def _values(text: JsonText) -> Iterator[Any]:
    """All values of the file, and the elements of those that are arrays."""
    while begin := text.peek():
        if begin == "[":
            yield from elements(text)
        else:
            yield text.value()


def _member(text: JsonText, wanted: str) -> Iterator[Any]:
    """The elements of the first array under the key ``wanted``."""
    for key in keys(text):
        if key == wanted and text.peek() == "[":
            yield from elements(text)
            return
        if text.peek() == "[":
            for _ in elements(text):
                pass
        else:
            text.value()


def _of_value(value: Any, what: str, size: int) -> JsonObject:
    if isinstance(value, dict):
        return JsonObject(value, None, size)
    return JsonObject({}, Reason(f"{what} is {kind_of_value(value)} and not a JSON object"), size)


def kind_of_value(value: Any) -> str:
    """What a value of JSON is, in words."""
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "null")
