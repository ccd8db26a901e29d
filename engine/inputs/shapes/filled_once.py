"""First labels of a file → whether each stands only in the first row of its group, as merged cells leave it."""

import json

import pyarrow as pa

from engine.inputs.columns import Columns
from engine.inputs.shapes.dict_rows import rows_of_any

_FEWEST, _SHARE = 2, 0.5


def filled_once_note(labels: pa.Array, columns: Columns, file: str) -> str | None:
    """A note that most ``labels``, the first of ``file``, are empty, and each of the others stands there once.

    Args:
        labels: strings; null where a row has none.
        columns: of the file.
        file: its path.
    """
    filled = len(labels) - labels.null_count
    if not _FEWEST <= filled <= _SHARE * len(labels) or not labels[0].is_valid:
        return None
    if len(labels.drop_null().unique()) < filled:
        return None
    key = json.dumps(columns.label)
    made = f"{{**row, {key}: last.append(row[{key}] or last[-1]) or last[-1]}}"
    way = rows_of_any(f'last = [""]; [print(json.dumps({made}, default=str)) for row in {{rows}}]', file, columns.said)
    words = f"{file}: {labels.null_count:,} of {len(labels):,} labels are empty, and each other label stands there once"
    return f"{words}; if it is meant for the rows below it as well: {way}" if way else words
