"""Rows that are appended → the columns that are kept of them, with the types that their store has for these."""

import logging

import pyarrow as pa

from engine.errors import InputError
from engine.ingest.ingest import FirstPass
from engine.inputs.kinds import Kind, merge_extras
from engine.inputs.messages import listed
from store import Store

_log = logging.getLogger(__name__)


def kept_columns(store: Store, read: FirstPass) -> dict[str, str]:
    """Kept columns of the rows that were ``read``, with the types that the store has for them: name → type.

    Raises:
        InputError: a column has values of another type, or differs from one of the store in the case of its name.
    """
    held, found = store.header.kept, merge_extras(read.validated.extras)
    spelled = {name.lower(): name for name in held}
    where = listed(entry["path"] for entry in read.validated.inputs)
    for name, kind in found.items():
        twin = spelled.get(name.lower(), name)
        if twin != name:
            raise InputError(
                f"{where}: the column {name!r} is {twin!r} in {store.location}; rename it, or leave it out"
            )
        if name in held and not _fits(kind, pa.type_for_alias(held[name])):
            raise InputError(
                f"{where}: the column {name!r} has values of type {kind.stored}, and {store.location} keeps it as "
                f"{held[name]}: mend them, or rename the column or leave it out"
            )
    made = store.header.segments[-1].made
    if absent := [name for name in held if name not in found and name not in made]:
        _log.info("%s: columns of the store that are not there are null: %s", where, listed(absent))
    if added := [name for name in found if name not in held]:
        _log.info("%s: columns that are new are null in the rows before: %s", where, listed(added))
    kept = {name: alias for name, alias in held.items() if name in found}
    return kept | {name: str(found[name].stored) for name in added}


def _fits(kind: Kind, type_: pa.DataType) -> bool:
    """Whether values of ``kind`` can be kept as ``type_`` without a loss that a store would not have made itself."""
    if pa.types.is_null(kind.type) or type_ in (kind.stored, pa.string()):
        return True
    if type_ == pa.float64():
        return kind.stored in (pa.int64(), pa.uint64())
    return type_ == pa.uint64() and kind.stored == pa.int64() and kind.low >= 0
