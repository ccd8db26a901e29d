r"""First texts of a file → whether ``\n`` stands in them as two characters, in the place of a line end.

Yelp's own download has it, and whatever was escaped once more on its way.
"""

import json
import re
from collections.abc import Sequence

from engine.inputs.columns import NO_COLUMN
from engine.inputs.options import Reading
from engine.inputs.shapes.dict_rows import rows_of_any

_FEWEST, _SHARE = 3, 0.05
_ESCAPE = re.compile(r"\\r?\\?n(?![a-z])|\\n(?=[A-Z\\])|(?<=[.!?,])\\n|\\t(?![a-z])")
_MEANT = {"\\r\\n": "\n", "\\n": "\n", "\\t": "\t"}


def escapes_note(texts: Sequence[str | None], reading: Reading, file: str) -> str | None:
    """A note that texts seem to have escaped line ends, which are read as they are, with the command that mends them.

    Args:
        texts: the first ones.
        reading: how the file is read; a user who says that it has no quotation marks needs no such note.
        file: its path.
    """
    some = [text for text in texts if text]
    found = [text for text in some if _ESCAPE.search(text)]
    if len(found) < max(_FEWEST, _SHARE * len(some)) or reading.options.quote == NO_COLUMN:
        return None
    cell = "row[key]"
    for escape, meant in _MEANT.items():
        cell += f".replace({json.dumps(escape)}, {json.dumps(meant)})"
    row = f"{{**row, key: {cell} if row[key] else row[key]}}"
    key = f"for key in {json.dumps(reading.columns.texts)}"
    way = rows_of_any(f"[print(json.dumps({row}, default=str)) for row in {{rows}} {key}]", file, reading.columns.said)
    words = f"{file}: a backslash and n (or t) stand in texts, and are read as they are"
    return f"{words}; if line ends (or tabs) are meant: {way}" if way else words
