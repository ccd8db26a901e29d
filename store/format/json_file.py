"""The small files of a store: JSON that says of itself whether it is whole and undamaged.

The last key of every file is ``check``: the SHA-256 of all bytes before it. A file that does not end as such a file
ends is *torn*: its writer was killed inside a creation that was not atomic, and it counts as not there yet. What
cannot be made again from other files (the header and the cards) is kept twice, under `copy_name` too.
"""

import hashlib
import json
from typing import Any

from store.errors import DamageError, StoreMissingError
from store.storage.base import Storage

_BEFORE, _AFTER = b',\n "check": "', b'"\n}\n'
_TRAILER = len(_BEFORE) + 64 + len(_AFTER)
_REMEDY = "`engine verify STORE --repair` says what can be restored"


def to_json(value: dict[str, Any]) -> bytes:
    """Readable JSON with its check; the same bytes for the same value. ``value`` has at least one key."""
    # A lone surrogate, as in a file name that is not UTF-8, becomes its JSON escape.
    body = json.dumps(value, ensure_ascii=False, indent=1)[:-2].encode(errors="backslashreplace")
    return body + _BEFORE + hashlib.sha256(body).hexdigest().encode() + _AFTER


def is_torn(data: bytes) -> bool:
    """Whether ``data`` is the beginning of a small file and not all of it.

    What ends as an object does and has no check is no beginning, but the work of another program.
    """
    check = data.rfind(_BEFORE)
    return not data.endswith(b"\n}\n") and (check < 0 or len(data) - check < _TRAILER)


def parse_json(data: bytes, place: str) -> dict[str, Any]:
    """The value of a small file; the inverse of `to_json`.

    Raises:
        DamageError: its check is not that of its bytes.
    """
    body, trailer = data[:-_TRAILER], data[-_TRAILER:]
    if trailer != _BEFORE + hashlib.sha256(body).hexdigest().encode() + _AFTER:
        what = "is cut short" if is_torn(data) else "is damaged: its bytes are not those of its check"
        raise DamageError(f"{place} {what}; {_REMEDY}")
    try:
        value = json.loads(body + b"}")
    except ValueError as error:
        raise DamageError(f"{place} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise DamageError(f"{place} is damaged: it is no JSON object")
    return value


def from_json(storage: Storage, name: str) -> dict[str, Any]:
    """The value of the small file ``name``.

    Raises:
        StoreMissingError: there is no such file.
        DamageError: it is damaged or torn.
    """
    return parse_json(storage.read(name).to_pybytes(), f"{storage.location}/{name}")


def copy_name(name: str) -> str:
    """Where the second copy of ``name`` is: ``card.json`` → ``card.copy.json``."""
    return name.removesuffix(".json") + ".copy.json"


def freeze(storage: Storage, name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Create ``name`` and its copy once, for good; the value that holds, which is that of whoever was first.

    Raises:
        DamageError: the file that is there is damaged.
    """
    if not is_there(storage, name):
        create(storage, name, to_json(frozen(storage, name) or value))
    with storage.kept(name.rpartition("/")[0]):  # a copy whose first file is removed meanwhile must not be made
        held = from_json(storage, name)
        if not is_there(storage, copy_name(name)):
            create(storage, copy_name(name), to_json(held))
    return held


def frozen(storage: Storage, name: str) -> dict[str, Any] | None:
    """What `freeze` wrote under ``name``, or its copy where that is lost; None before it.

    Raises:
        DamageError: the file that is there is damaged.
    """
    there = next((one for one in (name, copy_name(name)) if is_there(storage, one)), None)
    return from_json(storage, there) if there is not None else None


def create(storage: Storage, name: str, data: bytes) -> bool:
    """Create a small file, once; False if it is there already.

    What is torn after `Storage.put_if_absent` has waited for its writer was never there: its writer is dead.
    """
    if storage.put_if_absent(name, data):
        return True
    if is_there(storage, name):
        return False
    storage.put(name, data)
    return bool(storage.read(name).to_pybytes() == data)  # another writer may have done the same just now


def is_there(storage: Storage, name: str) -> bool:
    """Whether ``name`` has been created, whole or damaged but not torn."""
    try:
        buffer = storage.read(name)
    except StoreMissingError:
        return False
    return not is_torn(buffer.slice(max(0, buffer.size - 4 * _TRAILER)).to_pybytes())


Value = dict[str, Any]


def read_small(storage: Storage, name: str) -> tuple[Value | None, str]:
    """The value of the small file ``name``, or None and what is wrong with it."""
    try:
        return from_json(storage, name), ""
    except StoreMissingError:
        return None, "is missing"
    except DamageError:
        torn = is_torn(storage.read(name).to_pybytes())
        return None, "is cut short" if torn else "its bytes are not those of its check"
    except PermissionError:
        raise
    except OSError as error:
        return None, f"cannot be read: {error.strerror or error}"
