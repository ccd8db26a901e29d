"""The last row of a delimited file → whether it is no data: the total of a spreadsheet, or a count of rows."""

from collections.abc import Sequence

from engine.inputs.delimited_files.rows import COUNT, COUNT_WORDS, Rows
from engine.inputs.delimited_files.shape import is_number

_TOTALS = frozenset(
    (
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "count",
        "average",
        "summe",
        "gesamt",
        "somme",
        "suma",
        "итого",
    )
)
_TOTAL_WORDS = "it looks like the total below the rows, and not like one; leave it out"


def refuse_footer(rows: Rows, texts: Sequence[int]) -> None:
    """Refuse the last of ``rows`` if it is such a row.

    Args:
        rows: some of a file, perhaps its last ones.
        texts: the places of what texts are made of; none if there are no texts.
    """
    fields = rows.fields[-1]
    if len(fields) > 1 and fields[0].strip().rstrip(":").lower() in _TOTALS:
        others = [fields[place] for place in texts if place]
        if others and all(not field.strip() or is_number(field) for field in others):
            rows.refuse_last(_TOTAL_WORDS)
    elif len(fields) == 1 and COUNT.fullmatch(fields[0].strip()):
        rows.refuse_last(COUNT_WORDS)
