"""The value of a small JSON file → the record that it holds, each field with the type that its dataclass declares.

JSON that is whole can still be wrong: written by another program, or by hand. It is damage, found where it is read.
"""

import types
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from store.errors import DamageError

Record = TypeVar("Record")

_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}


def decode(kind: type[Record], value: object, *, place: str) -> Record:
    """The dataclass ``kind`` with the fields of the JSON object ``value``.

    Args:
        kind: a dataclass whose fields are of types that JSON has: texts, numbers, lists, dicts, other dataclasses,
            unions of them, and ``Any``. A ValueError of its ``__post_init__`` is damage, too.
        value: parsed JSON.
        place: where it is from, for the message.

    Raises:
        DamageError: ``value`` is no object, or a field is missing, unknown or of another type; names the field.
    """
    if not isinstance(value, dict):
        raise DamageError(f"{place} is damaged: it is not an object")
    hints = get_type_hints(kind)
    known: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
    _check_names(value, known, place=place)
    given = {name: _decoded(hints[name], one, place=f"{place}: {name}") for name, one in value.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise DamageError(f"{place} is damaged: {error}") from None


def _check_names(value: dict[str, Any], known: Iterable[Field[Any]], *, place: str) -> None:
    needed = {one.name for one in known if one.init and one.default is MISSING and one.default_factory is MISSING}
    if missing := sorted(needed - set(value)):
        raise DamageError(f"{place} is damaged: it has no {', '.join(missing)}")
    if unknown := sorted(set(value) - {one.name for one in known if one.init}):
        raise DamageError(
            f"{place} is damaged: it has {', '.join(map(repr, unknown))}, which this version does not know"
        )


def _decoded(wanted: Any, value: Any, *, place: str) -> Any:
    """``value`` as the type ``wanted``; a whole number is also a float, true is no number."""
    if wanted is Any:
        return value
    origin, parts = get_origin(wanted) or wanted, get_args(wanted)
    if origin in (Union, types.UnionType):
        return _one_of(parts, value, place=place)
    if origin is list and isinstance(value, list):
        return [_decoded(parts[0], one, place=f"{place}[{at}]") for at, one in enumerate(value)] if parts else value
    if origin is dict and isinstance(value, dict):
        return {k: _decoded(parts[1], one, place=f"{place}.{k}") for k, one in value.items()} if parts else value
    if hasattr(origin, "__dataclass_fields__"):
        return decode(origin, value, place=place)
    if origin is float and type(value) is int:
        return float(value)
    if type(value) is not origin:
        raise DamageError(f"{place} is damaged: it is {_shown(value)}, and must be {_in_words(origin)}")
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, *, place: str) -> Any:
    for kind in kinds:
        try:
            return _decoded(kind, value, place=place)
        except DamageError as error:
            if not _is_same_shape(kind, value):
                continue
            raise error from None  # of the right kind, and wrong inside: say where
    words = " or ".join(_in_words(get_origin(kind) or kind) for kind in kinds)
    raise DamageError(f"{place} is damaged: it is {_shown(value)}, and must be {words}")


def _is_same_shape(kind: Any, value: Any) -> bool:
    origin = get_origin(kind) or kind
    return (isinstance(value, list) and origin is list) or (
        isinstance(value, dict) and (origin is dict or hasattr(origin, "__dataclass_fields__"))
    )


def _in_words(kind: Any) -> str:
    return _IN_WORDS.get(kind, "a list" if kind is list else "an object")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
