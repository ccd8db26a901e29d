"""A JSON file of any layout → its objects, one by one. What is no object has a reason in its place."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from engine.errors import InputError
from engine.inputs.blocks import Reason
from engine.inputs.json_files.decoding import DECODER, SCAN, RepeatedKeyError
from engine.inputs.json_files.jq_commands import from_lines, jq, members
from engine.inputs.json_files.json_text import JsonText, elements, keys
from engine.inputs.json_files.known_rows.wrapped_text import refuse_doubled, way_of_fault
from engine.inputs.json_files.layout import Layout
from engine.inputs.json_files.nested_values import kind_of_value
from engine.inputs.lines import LINE_BYTES, lines_of, open_lines

_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = ("\n", "", "\r\n")
_RECORD = b"\x1e"  # before each object of a JSON text sequence (RFC 7464)
_new = tuple.__new__
_PYTHON = re.compile(r"\s*\{\s*u?'")
_KEEP_FIRST = (
    "python -c 'import json, sys; [print(json.dumps(json.loads(line, object_pairs_hook=lambda pairs: "
    "dict(pairs[::-1])))) for line in sys.stdin if line.strip()]'"
)
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
        return objects_of_lines(lines_of(file, encoding), file)
    return _of_values(file, layout, encoding)


def objects_of_lines(lines: Iterable[bytes | None], file: str) -> Iterator[JsonObject]:
    """The objects of ``lines``, of which those that are too long are None. An empty line is no object."""
    return (_of_line(line, file) for line in lines if line is None or line.strip())


def _of_line(line: bytes | None, file: str) -> JsonObject:
    """A line as an object. The common one is parsed without what `json.loads` does besides, and others once more."""
    if line is None:
        return JsonObject({}, Reason(f"the line is longer than {LINE_BYTES:,} bytes"), 0)
    try:
        text = line.decode()
        value, end = SCAN(text, 0)
        if type(value) is dict and text[end:] in _LINE_ENDS:
            return _new(JsonObject, (value, None, len(line)))
    except (ValueError, StopIteration, RecursionError):
        pass
    return _of_odd_line(line, file)


def _of_odd_line(line: bytes, file: str) -> JsonObject:
    text = ""
    try:
        text = line.removeprefix(_BOM).removeprefix(_RECORD).decode()
        value = DECODER.decode(text)
    except UnicodeDecodeError as error:
        return JsonObject({}, Reason("the line has invalid UTF-8", position=error.start), 0)
    except RecursionError:
        return JsonObject({}, TOO_DEEP, 0)
    except json.JSONDecodeError as error:
        return JsonObject({}, _not_json(text, error, file), 0)
    except RepeatedKeyError as error:
        return JsonObject({}, _repeated(str(error), ".", file), 0)
    except ValueError as error:
        return JsonObject({}, Reason(f"the line is not JSON: {error}"), 0)
    return _of_value(value, "the line", len(line))


def _not_json(text: str, error: json.JSONDecodeError, file: str) -> Reason:
    if _PYTHON.match(text):
        return Reason("the line is a dict as Python prints it and not JSON; write it with json.dumps")
    refuse_doubled(text, error.pos, file)
    position = len(text[: error.pos].encode("utf-8", "surrogatepass"))
    is_comma = error.msg == "Extra data" and text[error.pos :].strip() == ","
    why = "a comma follows the object" if is_comma else error.msg.removesuffix(" starting at")
    way = way_of_fault(text, error.pos, file, is_line=True)
    return Reason(f"the line is not JSON: {why}{way and f' ({way})'}", position=position)


def _repeated(fault: str, rows: str, file: str) -> Reason:
    """Why an object is refused in which a key comes twice, and how one of its values is kept."""
    way = f"to keep the last: {jq(rows, file)}"
    if rows == ".":
        way += f"; to keep the first: {from_lines(_KEEP_FIRST, file, 'rows.jsonl')}"
    return Reason(f"{fault}; {way}")


def _of_values(file: str, layout: Layout, encoding: str | None) -> Iterator[JsonObject]:
    with open_lines(file, encoding) as source:
        text = JsonText(source, file)
        for value in _values(text) if layout.key is None else _members(text, layout.key, file):
            if text.fault is not None:
                yield JsonObject({}, _repeated(text.fault, layout.rows_in_jq, file), text.size)
            elif text.is_spoilt:
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


def _members(text: JsonText, wanted: str, file: str) -> Iterator[Any]:
    """The elements of the arrays under the key ``wanted``, of one object behind the other, such as pages of an API.

    Raises:
        InputError: something else is among the objects.
    """
    while begin := text.peek():
        line, is_page = text.line, False
        if begin == "{":
            for key in keys(text):
                is_page = is_page or (key == wanted and text.peek() in "[n")  # null is a page without rows
                if key == wanted and text.peek() == "[":
                    yield from elements(text)
                else:
                    _pass_over(text)
        elif begin != "[":
            text.value()
        if not is_page:
            rows = members(wanted)
            program = f'if type == "array" then .[] elif ({rows} | type) == "array" then {rows}[] else . end'
            raise InputError(
                f"{file} begins with an object that has its rows in {wanted!r}, and what begins in line {line:,} is "
                f"none: take all rows out: {jq(program, file)}"
            )


def _pass_over(text: JsonText) -> None:
    """Read the next value, of an array one element after the other."""
    if text.peek() != "[":
        text.value()
        return
    for _ in elements(text):
        pass


def _of_value(value: Any, what: str, size: int) -> JsonObject:
    if isinstance(value, dict):
        return JsonObject(value, None, size)
    return JsonObject({}, Reason(f"{what} is {kind_of_value(value)} and not a JSON object"), size)
