"""The name of a label column → the names that it gives to the numbers: ``label (0=positive, 1=negative)``."""

import re

_NUMBER, _NAME = r"(?<![\w.+-])[+-]?\d+(?![\w.])", r"[^\W\d][\w' -]*"
_CODES = (
    re.compile(rf"(?P<number>{_NUMBER})['\"]?\s*(?:=>?|:|->|→)\s*['\"]?(?P<name>{_NAME})"),
    re.compile(rf"(?P<name>{_NAME})['\"]?\s*(?:=>?|->|→)\s*(?P<number>{_NUMBER})"),
)


def names_in_name(column: str) -> tuple[str, ...]:
    """The names of 0, 1 and so on; empty if ``column`` does not name two or more, all of them from 0 on."""
    for codes in _CODES:
        found = [(int(code["number"]), code["name"].strip(" -'")) for code in codes.finditer(column)]
        numbers, names = [number for number, _ in found], [name for _, name in sorted(found)]
        if len(found) > 1 and sorted(numbers) == list(range(len(found))) and len(set(names)) == len(names):
            return tuple(names)
    return ()
