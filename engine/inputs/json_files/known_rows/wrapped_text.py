"""Lines that hold JSON and something around it → why they are refused, and the command that takes the JSON out.

Scripts of web services, answers of language models, logs, bulk requests and shells of databases write such files.
"""

import json
import re
import shlex
from typing import Any

from engine.errors import InputError
from engine.inputs.json_files.jq_commands import from_lines, jq

_CALL = re.compile(rb"(?:/\*.*?\*/)?\s*;?\s*(?:typeof [^&]*&&\s*)?[A-Za-z_$][\w.$]*\(\s*[\[{]")
_COMMENT = re.compile(rb"/\*.*\*/|//.*")
_NO_SCRIPT = re.compile(rb"\)\]\}'|while ?\(1\);|for ?\(;;\);|throw 1;|&&&START&&&")  # Google's, Facebook's, GitLab's
_FENCE = re.compile(rb"`{3,}|~{3,}")
_SHELL_KEY = re.compile(r"\{\s*[A-Za-z_$][\w$]*\s*:")
_CONSTRUCTOR = re.compile(r"(new )?[A-Z]\w+\(")
_LAST_COMMA = re.compile(r",\s*[\]}]")
_SHOWN, _LONG_ACTION = 100, 1000
_NO_COMMAS = "sed 's/,[[:space:]]*$//'"
_BEFORE = re.compile(rb"[^{\[\"'<]+(?=\{)")
_ACTIONS = ("index", "create", "update", "delete")
_OUTERMOST = 'import re, sys; print(re.search(r"(?s)[\\[{].*[\\]}]", sys.stdin.read())[0])'
_TIDY = (  # strings stay as they are
    r'import re, sys; print(re.sub(r"""(?s)("(?:\\.|[^"\\])*")|/\*.*?\*/|//[^\n]*|,(?=\s*[\]}])|'
    r'(?:new )?\b[A-Z]\w+\(\s*("[^"]*"|[-\d.]+)?[^)]*\)""", '
    r'lambda found: found[1] or found[2] or "null" * found[0][0].isalpha(), sys.stdin.read()))'
)
_DICTS = "import ast, json, sys; print(json.dumps(ast.literal_eval(sys.stdin.read())))"
_OF_KEY = 'capture("^(?<id>[^\\t]*)\\t(?<row>.*)$") | {id} + (.row | fromjson)'
_OF_ACTION = '. as $action | input | ($action[] | {_id} | with_entries(select(.value) | .key = "id")) + .'


def refuse_wrapped_text(first: bytes, second: bytes | None, file: str) -> None:
    """Refuse a file by its first two lines that are not blank, if JSON is in it with something around it.

    Raises:
        InputError: it is.
    """
    call = second if second is not None and _COMMENT.fullmatch(first) else first
    if _CALL.match(call):
        _refuse(
            file, "is a call of a function in JavaScript, and not JSON: take out what is in its brackets", _OUTERMOST
        )
    if _NO_SCRIPT.match(first):
        _refuse(file, "begins with what keeps a browser from running it, and not with JSON: take that off", _OUTERMOST)
    if _FENCE.match(first):
        _refuse(file, "has a fence of Markdown around its JSON: take that off", _OUTERMOST)
    if _COMMENT.fullmatch(first):
        _refuse(file, "has comments, and is not JSON: take them off", _TIDY)
    if second is not None:
        _refuse_bulk(_object(first) if len(first) < _LONG_ACTION else None, file)
        _refuse_logs(first, second, file)


def way_of_fault(text: str, at: int, file: str, *, is_line: bool) -> str:
    """What to do about text that is not JSON, for the end of a message; empty if it is not known.

    Args:
        text: that was read.
        at: the place of the fault.
        file: where it is.
        is_line: each line of the file is read by itself.
    """
    found, before = text[at : at + _SHOWN], text[max(0, at - _SHOWN) : at].rstrip()
    if is_line and found.strip() == ",":
        return f"take the commas off: {from_lines(_NO_COMMAS, file, 'rows.jsonl')}"
    if is_line and before.endswith("}") and found.startswith("{"):
        return f"several objects are in the line: {jq('.', file)}"
    if _CONSTRUCTOR.match(found):
        return f"take the values out of {found.partition('(')[0]}(…) and others like it: {_python(_TIDY, file)}"
    if found.startswith(("//", "/*")):
        return f"take the comments off: {_python(_TIDY, file)}"
    if (found[:1] in ("]", "}") and before[-1:] in (",", "")) or _LAST_COMMA.match(found):
        return f"take off the comma behind the last element: {_python(_TIDY, file)}"
    if not is_line and found.startswith(("'", "True", "False", "None")):
        return f"if Python printed it: {_python(_DICTS, file)}"
    if _SHELL_KEY.match(before[-1:] + found):
        return "its keys have no quotation marks; in the shell of MongoDB, print(EJSON.stringify(document)) writes JSON"
    return ""


def refuse_doubled(text: str, at: int, file: str) -> None:
    r"""Refuse a file of lines of which one, ``text``, ends early at a quotation mark behind two backslashes.

    So COPY of PostgreSQL writes JSON. Other lines can be read, and have ``\n`` in the place of the end of a line.

    Raises:
        InputError: ``at`` is such a place.
    """
    if text[:at].rstrip().endswith('\\\\"'):
        way = from_lines(r"sed 's/\\\\/\\/g'", file, "rows.jsonl")
        raise InputError(f"{file}: its backslashes are doubled, as COPY of PostgreSQL writes them: take one off: {way}")


def _refuse_bulk(first: Any, file: str) -> None:
    """Refuse requests of Elasticsearch in bulk: a line that says what to do, and one with the row."""
    action, value = next(iter(first.items())) if isinstance(first, dict) and len(first) == 1 else ("", None)
    if action in _ACTIONS and isinstance(value, dict) and all(key.startswith(("_", "routing")) for key in value):
        raise InputError(
            f"{file} is a bulk request of Elasticsearch, where each second line is a row: take them out, with their "
            f"ids: {jq(_OF_ACTION, file)}"
        )


def _refuse_logs(first: bytes, second: bytes, file: str) -> None:
    """Refuse lines with something before the object, as a time."""
    for line in (first, second):
        if not (before := _BEFORE.match(line)) or not isinstance(_object(line[before.end() :]), dict):
            return
    if all(re.match(rb"[^\t{]+\t\{", line) for line in (first, second)):
        program = shlex.quote(_OF_KEY)
        way = from_lines(f"jq -cR {program}", file, "rows.jsonl")
        raise InputError(f"{file}: a key and a tab stand before the JSON in each line: take the key for an id: {way}")
    way = from_lines("sed -n 's/^[^{]*{/{/p'", file, "rows.jsonl")
    raise InputError(f"{file}: something stands before the JSON in each line: take it off: {way}")


def _object(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _refuse(file: str, what: str, code: str) -> None:
    raise InputError(f"{file} {what}: {_python(code, file)}")


def _python(code: str, file: str) -> str:
    return from_lines(f"python -c {shlex.quote(code)}", file, "rows.json")
