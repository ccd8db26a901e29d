"""Samples of a tar → rows: the text, the label, the id and the columns that its JSON has.

A text is the member ``.txt`` or ``.text``, a label ``.cls``, and the keys of ``.json`` are columns beside them. The id
is the key of the sample, unless the JSON has an id, and so does a label of the JSON count more than ``.cls``: that is a
number, and this one may be the name of the class.
"""

import json
from typing import Any

from engine.inputs.blocks import Reason
from engine.inputs.json_files.decoding import DECODER, RepeatedKeyError
from engine.inputs.json_files.objects import JsonObject
from engine.inputs.lines import LINE_BYTES
from engine.inputs.tar_files.samples import JSON, LABEL, READ, TEXTS, Sample

NO_TEXT = Reason(
    "the sample has neither .txt nor .text; members of one sample have to stand side by side in the tar, as they do "
    "after tar --sort=name"
)


def row_of(sample: Sample) -> JsonObject:
    """The row of ``sample``, with the reason why it cannot be used, if so."""
    members = sample.members
    try:
        said = _object(members[JSON]) if JSON in members else {}
        values: dict[str, Any] = {"id": sample.key}
        if (text := text_member(sample)) is not None:
            values["text"] = _text(members[text], text)
        if members.get(LABEL) is not None:
            values["label"] = _text(members[LABEL], LABEL).strip()
    except _FaultError as error:
        return JsonObject({}, error.reason, 0)
    over = {name: value for name, value in said.items() if name != "text" or "text" not in values}
    size = sum(len(data) for data in members.values() if data is not None)
    return JsonObject(values | over, None, size)


def text_member(sample: Sample) -> str | None:
    """The ending of the member that is the text of ``sample``; None if it has none."""
    return next((name for name in TEXTS if name in sample.members), None)


def unread(sample: Sample) -> list[str]:
    """The endings of those members of ``sample`` that are not read."""
    return [name for name in sample.members if name not in READ]


class _FaultError(Exception):
    """A member that cannot be used.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def _text(data: bytes | None, ending: str) -> str:
    if data is None:
        raise _FaultError(Reason(f"its .{ending} is longer than {LINE_BYTES:,} bytes"))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _FaultError(Reason(f"its .{ending} has invalid UTF-8", position=error.start)) from None


def _object(data: bytes | None) -> dict[str, Any]:
    text = _text(data, JSON)
    try:
        value = DECODER.decode(text)
    except RecursionError:
        raise _FaultError(Reason("its .json is nested too deeply")) from None
    except json.JSONDecodeError as error:
        position = len(text[: error.pos].encode("utf-8", "surrogatepass"))
        raise _FaultError(Reason(f"its .json is not JSON: {error.msg}", position=position)) from None
    except RepeatedKeyError as error:
        raise _FaultError(Reason(f"its .json: {error}")) from None
    except ValueError as error:
        raise _FaultError(Reason(f"its .json is not JSON: {error}")) from None
    if not isinstance(value, dict):
        raise _FaultError(Reason("its .json is no object, so that it has no columns"))
    return value
