"""Several columns that are one text: their names as a user writes them, and their values put together."""

import csv
import functools
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

BETWEEN = "\n"
"""What stands between the values of two columns."""


def parts_of(name: str) -> tuple[str, ...]:
    """``"subject, body"`` → ``("subject", "body")``: one line of CSV, in which quotation marks keep a comma."""
    try:
        read = next(csv.reader([name], skipinitialspace=True), [])
    except csv.Error:  # a line end is in it
        return (name,)
    return tuple(part.strip() for part in read) if len(read) > 1 else (name,)


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """(rows,) large_binary arrays → one, with `BETWEEN` between values.

    A value that is null or empty is left out. Where all are null, so is the text.
    """
    between, empty = (pa.scalar(value, pa.large_binary()) for value in (BETWEEN.encode(), b""))
    first, *others = (pc.if_else(pc.equal(pc.binary_length(part), 0), None, part) for part in parts)
    nothing = functools.reduce(pc.and_, (part.is_null() for part in (first, *others)))
    # Arrow's kernel leaves out rows of nothing but null: there are fewer in what it gives.
    texts = pc.binary_join_element_wise(pc.if_else(nothing, empty, first), *others, between, null_handling="skip")
    return pc.if_else(functools.reduce(pc.and_, (part.is_null() for part in parts)), None, texts)
