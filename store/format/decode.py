"""The value of a small JSON file → the record that it holds, each field with the type that its class declares.

JSON that is whole can still be wrong: written by another program, or by hand. It is damage, found where it is read.
What a class needs is found out once; a manifest has a record for each of a hundred thousand shards.
"""

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, NotRequired, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from store.errors import DamageError

Record = TypeVar("Record")
_Read = Callable[[Any], Any]

_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}
_MOST_SHOWN = 60  # characters
NOT_STORED = {"stored": False}
"""Metadata of a field of a dataclass that is not from its file."""


class WrongTypeError(ValueError):
    """A value is of another type than is declared.

    Args:
        problem: in words, as they follow the name of the field.
        field: where it is in the whole value, such as ``inputs[0].rows``; empty if it is the whole.
    """

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(f"{field or 'it'} {problem}")
        self.problem = problem
        self.field = field

    def inside(self, outer: str) -> "WrongTypeError":
        """The same, said of the value whose part ``outer`` this one is about."""
        joint = "." if self.field and not self.field.startswith(("[", ".")) else ""
        return WrongTypeError(self.problem, f"{outer}{joint}{self.field}")


def decode(kind: type[Record], value: object, *, place: str) -> Record:
    """The value of ``kind`` that the JSON object ``value`` is.

    Args:
        kind: as of `decoded`.
        value: parsed JSON.
        place: where it is from, for the message.

    Raises:
        DamageError: as `decoded`; names the field.
    """
    try:
        return decoded(kind, value)
    except ValueError as error:
        raise DamageError(f"{place} is damaged: {error}") from None


def decoded(kind: type[Record], value: object) -> Record:
    """The value of ``kind`` that the JSON object ``value`` is.

    Args:
        kind: a dataclass, or a TypedDict, whose fields are of types that JSON has: texts, numbers, lists, dicts, other
            dataclasses, unions of them, and ``Any``. A TypedDict may have other keys besides; a dataclass may not.
        value: parsed JSON.

    Raises:
        ValueError: ``value`` is no object, a field is missing, unknown or of another type, or the dataclass's
            ``__post_init__`` refuses it.
    """
    read: Callable[[Any], Record] = _reader(cast(Any, kind))
    return read(value)


@cache
def _reader(wanted: Any) -> _Read:
    """What checks a value against the type ``wanted`` and gives it as that type."""
    origin, parts = get_origin(wanted) or wanted, get_args(wanted)
    if wanted is Any:
        return lambda value: value
    if origin is NotRequired:
        return _reader(parts[0])
    if origin in (Union, types.UnionType):
        return _union(parts)
    if origin is list:
        return _list(_reader(parts[0]) if parts else None)
    if origin is dict:
        return _dict(_reader(parts[1]) if parts and parts[1] is not Any else None)
    if is_typeddict(origin):
        return _typed_dict(origin)
    return _dataclass(origin) if is_dataclass(origin) else _simple(origin)


def _simple(kind: Any) -> _Read:
    """A text, number, truth or null; a whole number is also a float, true is no number."""

    def read(value: Any) -> Any:
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise WrongTypeError(f"is {_shown(value)}, and must be {_in_words(kind)}")

    return read


def _list(inner: _Read | None) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise WrongTypeError(f"is {_shown(value)}, and must be a list")
        return value if inner is None else [_inside(f"[{at}]", inner, one) for at, one in enumerate(value)]

    return read


def _dict(inner: _Read | None) -> _Read:
    def read(value: Any) -> Any:
        _check_object(value)
        return value if inner is None else {key: _inside(f".{key}", inner, one) for key, one in value.items()}

    return read


def _inside(name: str, inner: _Read, value: Any) -> Any:
    try:
        return inner(value)
    except WrongTypeError as error:
        raise error.inside(name) from None


def _typed_dict(kind: Any) -> _Read:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
    needed = kind.__required_keys__

    def read(value: Any) -> Any:
        _check_object(value)
        _check_names(value, needed, value.keys())
        return value | {name: _inside(name, readers[name], value[name]) for name in readers if name in value}

    return read


def _dataclass(kind: Any) -> _Read:
    hints = get_type_hints(kind)
    stored = [one for one in fields(kind) if one.init and one.metadata.get("stored", True)]
    readers = {one.name: _reader(hints[one.name]) for one in stored}
    defaults = {one.name for one in stored if not (one.default is MISSING and one.default_factory is MISSING)}
    needed = readers.keys() - defaults
    names = tuple(readers)
    types_alone = tuple(_type_alone(hints[name]) for name in names)

    def read(value: Any) -> Any:
        _check_object(value)
        if tuple(map(type, value.values())) == types_alone and tuple(value) == names:
            return kind(**value)  # as it was written: nothing to look into
        if value.keys() != readers.keys():
            _check_names(value, needed, readers.keys())
        try:
            given = {name: readers[name](one) for name, one in value.items()}
        except WrongTypeError:
            given = {name: _inside(name, readers[name], one) for name, one in value.items()}  # this time, say where
        return kind(**given)

    return read


def _type_alone(wanted: Any) -> Any:
    """The type that a value must have and no more; None if there is more to check."""
    if get_origin(wanted) is dict and get_args(wanted)[1] is Any:
        return dict
    return wanted if wanted in (bool, int, float, str) else None


def _check_object(value: Any) -> None:
    if type(value) is not dict:
        raise WrongTypeError(f"is {_shown(value)}, and must be an object")


def _check_names(value: dict[str, Any], needed: Any, known: Any) -> None:
    if missing := sorted(needed - value.keys()):
        raise WrongTypeError(f"has no {', '.join(missing)}")
    if unknown := sorted(value.keys() - known):
        raise WrongTypeError(f"has {', '.join(map(_shown, unknown))}, which this version does not know")


def _union(kinds: tuple[Any, ...]) -> _Read:
    readers = [_reader(kind) for kind in kinds]
    shapes = [dict if is_dataclass(get_origin(kind) or kind) else get_origin(kind) or kind for kind in kinds]
    words = " or ".join(map(_in_words, shapes))

    def read(value: Any) -> Any:
        for shape, inner in zip(shapes, readers, strict=True):
            try:
                return inner(value)
            except WrongTypeError:
                if type(value) is shape:
                    raise  # of the right kind, and wrong inside
        raise WrongTypeError(f"is {_shown(value)}, and must be {words}")

    return read


def _in_words(kind: Any) -> str:
    return _IN_WORDS.get(kind, "a list" if kind is list else "an object")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."
