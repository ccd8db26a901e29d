"""Programs of jq → the commands of messages, as a shell takes them."""

import json
import shlex
from functools import lru_cache

from engine.errors import InputError
from engine.inputs.encodings import UTF8
from engine.inputs.lines import find_encoding
from engine.inputs.paths.file_kinds import COMPRESSIONS
from engine.inputs.paths.shell_commands import command, other_than

LARGEST = (
    'to_entries | if length == 1 then .[0] | if .value >= 0.5 then .key else "not " + .key end else '
    "(map(.value) | max) as $most | map(select(.value == $most and $most > 0) | .key) | "
    "if length == 1 then .[0] else . end end"
)
"""A program: scores by class → the class of the largest, an array if they are several or none."""
LARGEST_PLACE = (
    'if type == "array" then max as $most | if map(select(. == $most)) | length == 1 then index($most) else . end '
    "else . end"
)
"""A program: an array of scores → the place of the largest, from 0; the array if it is that of several or none."""
NAMED = "[$names, .] | transpose | map(select(.[0] != null) | {(.[0] | tostring): .[1]}) | add"
"""A program: an array → an object, with the keys in ``$names``."""
ONE = "unique | if length == 1 then .[0] else . end"
"""A program: an array → its only element, also if it comes several times; the array if there are several or none."""


def jq(program: str, file: str) -> str:
    """A command that makes JSON Lines of a part of ``file``."""
    suffixes = file.lower().endswith(tuple(COMPRESSIONS))
    if suffixes or _encoding(file) != UTF8:
        return from_lines(f"jq -c {shlex.quote(program)}", file, "rows.jsonl")
    return f"jq -c {shlex.quote(program)} {shlex.quote(file)} > {other_than(file, 'rows.jsonl')}"


def from_lines(program: str, file: str, target: str) -> str:
    """A command that writes to ``target`` what a program makes of ``file``, read from the standard input."""
    return command(program, file, target, encoding=_encoding(file))


@lru_cache(maxsize=64)
def _encoding(file: str) -> str:
    """Of ``file``; a fault of every row asks for it."""
    try:
        return find_encoding(file)
    except (InputError, OSError):
        return UTF8


def members(*keys: str) -> str:
    """A member of an object, or one that is further down."""
    return "." + "".join(f"[{json.dumps(key)}]" for key in keys)


def within(program: str, *keys: str) -> str:
    """A member of what ``program`` gives; ``.[0]["name"]`` is understood by every jq, and ``.[0].["name"]`` is not."""
    return members(*keys) if program == "." else program + members(*keys).removeprefix(".")
