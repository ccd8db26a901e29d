"""JSON as known programs write tables, by columns or with their names apart → why it is refused, and the jq command."""

import re
import shlex
from typing import Any

from engine.errors import InputError
from engine.inputs.json_files.jq_commands import LARGEST, jq

_SCRIPT = re.compile(rb"[A-Za-z_$][\w.$ \"'\[\]]*=\s*[\[{]")
_PYTHON = re.compile(rb"\{\s*u?'")
_NAMED = "[$names, .] | transpose | map({(.[0]): .[1]}) | add"
_HUGGING_FACE = (
    '([.features[] | select(.type._type == "ClassLabel") | {(.name): .type.names}] | add // {}) as $names | '
    '.rows[].row | with_entries(if $names[.key] != null and (.value | type) == "number" and .value >= 0 '
    "then .value = $names[.key][.value] else . end)"
)


def refuse_known(sample: dict[str, Any], file: str) -> None:
    """Refuse an object that Hugging Face's server, BigQuery or polars wrote.

    Raises:
        InputError: one of them did.
    """
    match sample:
        case {"features": [{"name": _, "type": _}, *_], "rows": [{"row": dict()}, *_]}:
            _refuse(file, "is what Hugging Face's server gives, with the names of classes apart", _HUGGING_FACE)
        case {"rows": [{"f": [{"v": _}, *_] as values}, *_]}:
            match sample.get("schema"):
                case {"fields": [{"name": _}, *_]}:
                    program = f"[.schema.fields[].name] as $names | .rows[].f | map(.v) | {_NAMED}"
                case _:
                    program = f".rows[].f | map(.v) | {{{named([value.get('v') for value in values])}}}"
            _refuse(file, "is what BigQuery's API gives, with the names of columns apart", program)
        case {"columns": [{"name": _, "values": list()}, *_]}:
            program = f"[.columns[].name] as $names | [.columns[].values] | transpose[] | {_NAMED}"
            _refuse(file, "is a table by columns, as polars writes it, and not by rows", program)


def refuse_tuples(first: Any, file: str) -> None:
    """Refuse an array of arrays of which ``first`` is the first.

    Raises:
        InputError: always, with the way to make objects of them if that is known.
    """
    match first:
        case [str(), {"cats": dict()}]:
            program = f".[] | {{text: .[0], label: (.[1].cats | {LARGEST})}}"
            _refuse(file, "is a JSON array of arrays and not of objects, training data of spaCy", program)
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
    name = shlex.quote(file)
    if _SCRIPT.match(first):
        way = f"sed -e '1s/^[^=]*= *//' -e '$s/;[[:space:]]*$//' {name} > rows.json"
        raise InputError(f"{file} is JavaScript and not JSON: take off what is before its value: {way}")
    if _PYTHON.match(first) and (second is None or _PYTHON.match(second)):
        code = (
            "import ast, json, sys; [print(json.dumps(ast.literal_eval(line))) for line in sys.stdin if line.strip()]"
        )
        raise InputError(
            f"{file}: its lines are dicts as Python prints them and not JSON; write them with json.dumps: "
            f"python -c {shlex.quote(code)} < {name} > rows.jsonl"
        )


def named(values: list[Any]) -> str:
    """Names for the elements of an array, in jq: the longest is the text, and one beside it the label."""
    text = max(range(len(values)), key=lambda place: len(str(values[place])))
    names = {text: "text", 1 - text: "label"} if len(values) == 2 else {text: "text"}
    return ", ".join(f"{names.get(place, f'column{place + 1}')}: .[{place}]" for place in range(len(values)))


def _refuse(file: str, what: str, program: str) -> None:
    raise InputError(f"{file} {what}: make rows of it: {jq(program, file)}")
