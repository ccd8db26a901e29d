"""JSON as known programs write tables, by columns or with their names apart → why it is refused, and the jq command."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.json_files.deeper_rows import has_text
from engine.inputs.json_files.jq_commands import LARGEST, NAMED, from_lines, jq
from engine.inputs.json_files.known_rows.tables import program_of_table

_SCRIPT = re.compile(rb"[A-Za-z_$][\w.$ \"'\[\]]*=\s*[\[{]")
_PYTHON = re.compile(rb"\{\s*u?'")
_HEADED = f".[0] as $names | .[1:][] | {NAMED}"
_HUGGING_FACE = (
    '([.features[] | select(.type._type == "ClassLabel") | {(.name): .type.names}] | add // {}) as $names | '
    '.rows[].row | with_entries(if $names[.key] != null and (.value | type) == "number" and .value >= 0 '
    "then .value = $names[.key][.value] else . end)"
)


def refuse_known(sample: dict[str, Any], file: str) -> None:
    """Refuse an object that Hugging Face's server, BigQuery, polars or Google Sheets wrote.

    Raises:
        InputError: one of them did.
    """
    match sample:
        case {"features": [{"name": _, "type": _}, *_], "rows": [{"row": dict()}, *_]}:
            _refuse(file, "is what Hugging Face's server gives, with the names of classes apart", _HUGGING_FACE)
        case {"rows": [{"f": [{"v": _}, *_] as values}, *_]}:
            match sample.get("schema"):
                case {"fields": [{"name": _}, *_]}:
                    program = f"[.schema.fields[].name] as $names | .rows[].f | map(.v) | {NAMED}"
                case _:
                    program = f".rows[].f | map(.v) | {{{named([value.get('v') for value in values])}}}"
            _refuse(file, "is what BigQuery's API gives, with the names of columns apart", program)
        case {"table": {"cols": [{"label": _}, *_], "rows": [{"c": _}, *_]}}:
            names = '[.table.cols[] | if .label == "" or .label == null then .id else .label end]'
            program = f"{names} as $names | .table.rows[].c | map(.v) | {NAMED}"
            _refuse(file, "is what a Google sheet gives to charts, with the names of columns apart", program)
        case {"columns": [{"name": _, "values": list()}, *_]}:
            program = f"[.columns[].name] as $names | [.columns[].values] | transpose[] | {NAMED}"
            _refuse(file, "is a table by columns, as polars writes it, and not by rows", program)
        case {"values": [[str(), *_] as header, [_, *_], *_]} if _is_header(header) or "range" in sample:
            _refuse(file, "is what Google Sheets gives, with the names of columns in a row", f".values | {_HEADED}")
        case {"assets": {"documents": [{"location": str(), "class": {"category": str()}}, *_]}}:
            raise InputError(f"{file} is a project of Azure that names the files of texts: read them: {_azure(file)}")
    if (of_table := program_of_table(sample)) is not None:
        _refuse(file, "is a table with the names of columns apart", of_table)


def _azure(file: str) -> str:
    """The command that reads the texts, which are somewhere beside ``file`` or below."""
    folder = json.dumps(str(Path(file).parent))
    code = (
        'import json, pathlib, sys; [print(json.dumps({"id": pathlib.Path(one["location"]).stem, "text": next(pathlib.'
        f'Path({folder}).rglob(one["location"])).read_text("utf-8-sig"), "label": one["class"]["category"]}})) '
        'for one in json.load(sys.stdin)["assets"]["documents"]]'
    )
    return from_lines(f"python -c {shlex.quote(code)}", file, "rows.jsonl")


def refuse_known_array(first: Any, file: str) -> None:
    """Refuse an array that phpMyAdmin wrote, by its ``first`` element.

    Raises:
        InputError: it did.
    """
    match first:
        case {"type": "header", "comment": str()}:
            program = '.[] | select(.type == "table") | .data[]'
            more = '; of several tables, one: select(.type == "table" and .name == "NAME")'
            _refuse(file, "is what phpMyAdmin exports, with the rows inside of tables", program, more)


def refuse_tuples(first: Any, file: str) -> None:
    """Refuse an array of arrays of which ``first`` is the first.

    Raises:
        InputError: always, with the way to make objects of them if that is known.
    """
    match first:
        case [str(), {"cats": dict()}]:
            program = f".[] | {{text: .[0], label: (.[1].cats | {LARGEST})}}"
            _refuse(file, "is a JSON array of arrays and not of objects, training data of spaCy", program)
        case [str(), *_] if _is_header(first):
            _refuse(file, "is a JSON array of arrays, with the names of columns in the first one", _HEADED)
        case [dict(), *_]:
            _refuse(file, "is a JSON array of arrays of objects", ".[][]")
        case [*values] if any(isinstance(value, str) for value in values):
            _refuse(file, "is a JSON array of arrays and not of objects", f".[] | {{{named(values)}}}")
    raise InputError(
        f"{file} is a JSON array of arrays and not of objects; write one object a row, as "
        'df.to_json(path, orient="records", lines=True)'
    )


def refuse_programs(first: bytes, second: bytes | None, file: str) -> None:
    """Refuse a file whose first lines are code of JavaScript, or dicts as Python prints them.

    Raises:
        InputError: they are.
    """
    if _SCRIPT.match(first):
        way = from_lines("sed -e '1s/^[^=]*= *//' -e '$s/;[[:space:]]*$//'", file, "rows.json")
        raise InputError(f"{file} is JavaScript and not JSON: take off what is before its value: {way}")
    if _PYTHON.match(first) and (second is None or _PYTHON.match(second)):
        code = (
            "import ast, json, sys; [print(json.dumps(ast.literal_eval(line))) for line in sys.stdin if line.strip()]"
        )
        raise InputError(
            f"{file}: its lines are dicts as Python prints them and not JSON; write them with json.dumps: "
            + from_lines(f"python -c {shlex.quote(code)}", file, "rows.jsonl")
        )


def named(values: list[Any]) -> str:
    """Names for the elements of an array, in jq: the longest is the text, and one beside it the label."""
    text = max(range(len(values)), key=lambda place: len(str(values[place])))
    names = {text: "text", 1 - text: "label"} if len(values) == 2 else {text: "text"}
    return ", ".join(f"{names.get(place, f'column{place + 1}')}: .[{place}]" for place in range(len(values)))


def lines_named(first: list[Any]) -> str:
    """As `named`, a program for lines that are arrays, of which the first may be a header."""
    return f". as $names | inputs | {NAMED}" if _is_header(first) else f"{{{named(first)}}}"


def _is_header(values: list[Any]) -> bool:
    """Whether an array holds names of columns, and one of them that of a text."""
    return all(isinstance(value, str) for value in values) and has_text(values, ColumnNames())


def _refuse(file: str, what: str, program: str, more: str = "") -> None:
    raise InputError(f"{file} {what}: make rows of it: {jq(program, file)}{more}")
