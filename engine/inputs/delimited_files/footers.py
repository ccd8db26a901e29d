"""The last row of a delimited file → whether it is no data: the total of a spreadsheet, or a count of rows."""

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


def refuse_footer(rows: Rows, text: int | None) -> None:
    """Refuse the last of ``rows`` if it is such a row.

    Args:
        rows: some of a file, perhaps its last ones.
        text: the place of the texts; None if there are none.
    """
    fields = rows.fields[-1]
    if len(fields) > 1 and fields[0].strip().rstrip(":").lower() in _TOTALS:
        if text and (not fields[text].strip() or is_number(fields[text])):
            rows.refuse_last(_TOTAL_WORDS)
    elif len(fields) == 1 and COUNT.fullmatch(fields[0].strip()):
        rows.refuse_last(COUNT_WORDS)
