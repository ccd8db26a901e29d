"""Programs of jq → the commands of messages, as a shell takes them."""

import json
import shlex

LARGEST = (
    'to_entries | if length == 1 then .[0] | if .value >= 0.5 then .key else "not " + .key end else '
    "(map(.value) | max) as $most | map(select(.value == $most and $most > 0) | .key) | "
    "if length == 1 then .[0] else . end end"
)
"""A program: scores by class → the class of the largest, an array if they are several or none."""


def jq(program: str, file: str) -> str:
    """A command that makes JSON Lines of a part of ``file``."""
    return f"jq -c {shlex.quote(program)} {shlex.quote(file)} > rows.jsonl"


def members(*keys: str) -> str:
    """A member of an object, or one that is further down."""
    return "." + "".join(f"[{json.dumps(key)}]" for key in keys)


def within(program: str, *keys: str) -> str:
    """A member of what ``program`` gives; ``.[0]["name"]`` is understood by every jq, and ``.[0].["name"]`` is not."""
    return members(*keys) if program == "." else program + members(*keys).removeprefix(".")
