"""Text of JSON → values. A key that comes twice in one object, with different values, is a fault and not the last one.

To look for repeated keys makes parsing about a quarter slower, and `engine.inputs.json_files.objects` makes up for it.
"""

import json
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Any, cast


class RepeatedKeyError(ValueError):
    """A key comes twice in an object, with different values."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        _refuse_different(pairs)
    return values


def _refuse_different(pairs: list[tuple[str, Any]]) -> None:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen and repr(seen[key]) != repr(value):
            raise RepeatedKeyError(f"the key {key[:100]!r} comes twice, with different values")
        seen[key] = value


DECODER = json.JSONDecoder(object_pairs_hook=_object)
SCAN: Callable[[str, int], tuple[Any, int]] = make_scanner(cast(Any, DECODER))
"""What ``DECODER.raw_decode`` wraps: a text and the place of a value → the value and its end.

A `StopIteration` says that no value begins there.
"""
LAST_WINS = json.JSONDecoder()
"""For values that `DECODER` refuses: of a repeated key, the last value."""
