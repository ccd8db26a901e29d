"""What files for annotators and the files that come back from them agree on: the name of the id, and cells.

A spreadsheet runs a cell that begins as a formula does; what `neutral_cell` gives it only shows. Pure text.
"""

STORE_ID = "engine_id"
"""A second column of ids: where Label Studio writes CSV or JSON-MIN, ``id`` is the number of its task."""
PREDICTED = ("label_set", "class", "confidence", "margin")
"""Columns of what a label set says of a row."""
_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutral_cell(text: str) -> str:
    """``text`` as a cell that a spreadsheet shows and does not run: an apostrophe before it (OWASP, CSV injection).

    Only what begins, behind any apostrophes, with a sign that can begin a formula is changed. So `plain_cell` can undo
    it.
    """
    return f"'{text}" if text.lstrip("'").startswith(_RUN) else text


def plain_cell(cell: str) -> str | None:
    """The text of which `neutral_cell` made ``cell``; None if it made ``cell`` of none."""
    return cell[1:] if cell.startswith("'") and neutral_cell(cell[1:]) == cell else None
