"""Arrays of bytes → strings. A row that cannot be used gets a reason, and null in its place."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.arrow_files.values import kept_bytes
from engine.inputs.blocks import Problems, Reason

SPREADSHEET_ERRORS = pa.array([
    "#NAME?", "#ERROR!", "#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "Loading...",
    "#WERT!", "#BEZUG!", "#NV", "#NOM?", "#VALEUR!", "#¡REF!", "#¡VALOR!", "#¿NOMBRE?",
])  # fmt: skip
_LONGEST_ERROR = 12  # bytes


def required_strings(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    """Bytes → strings, as a text or an id that each row has to have; null, with a reason, where it cannot be used."""
    refuse(array.is_null(), problems, f"{what} is null")
    return _usable(array, problems, what, limit=limit)


def _usable(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    """Bytes → strings. What is too long or not UTF-8 becomes null, with a reason, as has what says nothing."""
    strings = strings_of(shortened(array, problems, what, limit=limit), problems, what)
    refuse(pc.equal(pc.binary_length(strings), 0), problems, f"{what} is empty")
    refuse(pc.utf8_is_space(strings), problems, f"{what} is blank")
    if has_nul(strings):
        refuse(pc.match_substring(strings, "\0"), problems, f"{what} contains NUL")
    return strings


def refuse_errors(texts: pa.Array, problems: Problems) -> None:
    """Refuse texts, or parts of them, that a spreadsheet shows in the place of a value that it could not work out.

    Args:
        texts: large_binary.
        problems: of their rows.
    """
    is_short = pc.fill_null(pc.less_equal(pc.binary_length(texts), _LONGEST_ERROR), False)
    if not pc.any(is_short).as_py():
        return
    rows = pc.indices_nonzero(is_short)
    short = texts.take(rows)
    found = pc.is_in(short, SPREADSHEET_ERRORS.cast(pa.large_binary()))
    errors = short.filter(found).cast(pa.string())
    for row, text in zip(rows.filter(found).to_pylist(), errors.to_pylist(), strict=True):
        problems[row] = problems[row] or f"text is {text}, an error of the spreadsheet that it comes from"


def has_nul(strings: pa.Array) -> bool:
    """Whether a NUL may be in ``strings``; found out for all at once, which is much faster than for each."""
    _, offsets, data = strings.buffers()
    places = np.frombuffer(offsets, np.int32, len(strings) + 1, offset=4 * strings.offset)
    if data is None or places[0] == places[-1]:
        return False
    return not np.frombuffer(data, np.uint8)[places[0] : places[-1]].all()


def shortened(array: pa.Array, problems: Problems, what: str, *, limit: int) -> pa.Array:
    """Bytes; null, with a reason, where there are more than ``limit``."""
    too_long = pc.fill_null(pc.greater(pc.binary_length(array), limit), False)
    refused = refuse(too_long, problems, f"{what} is longer than {limit:,} bytes")
    return pc.if_else(too_long, None, array) if refused else array


def strings_of(array: pa.Array, problems: Problems, what: str) -> pa.Array:
    """Bytes → strings; what is neither UTF-8 nor CESU-8 becomes null, with a reason in ``problems``."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        values: list[str | None] = []
        for row, value in enumerate(array.to_pylist()):
            try:
                values.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError as error:
                values.append(_of_pairs(value))
                if values[-1] is None:
                    problems[row] = problems[row] or _encoding_problem(value, error, what)
        return pa.array(values, pa.string())


def _of_pairs(value: bytes) -> str | None:
    """What databases call UTF-8 and is CESU-8: a character of two surrogates; None if ``value`` is not that."""
    try:
        return value.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def _encoding_problem(value: bytes, error: UnicodeDecodeError, what: str) -> str:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return Reason(f"{what} has invalid UTF-8", position=error.start)
    return Reason(f"{what} has a lone surrogate", position=error.start)


def refuse(mask: pa.BooleanArray, problems: Problems, reason: str) -> bool:
    """Give ``reason`` to the rows of ``mask`` that have none; whether there are any."""
    if not pc.any(mask).as_py():
        return False
    for row in pc.indices_nonzero(mask).to_pylist():
        problems[row] = problems[row] or reason
    return True


def kept_strings(
    array: pa.Array, problems: Problems, notes: list[str], *, name: str, file: str, limit: int
) -> pa.Array:
    """A kept column; strings that are not UTF-8 get replacement characters, with a note."""
    array = kept_bytes(array, name=name, file=file)
    if not pa.types.is_large_binary(array.type):
        return array
    array = shortened(array, problems, repr(name), limit=limit)
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        notes.append(f"{file}: bytes of the column {name!r} that are no UTF-8 are kept as \ufffd")
        decoded = (None if value is None else value.decode("utf-8", "replace") for value in array.to_pylist())
        return pa.array(decoded, pa.string())
