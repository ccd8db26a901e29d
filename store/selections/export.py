"""Selected rows → a file for annotators.

``.json`` is what Label Studio imports: tasks with ``data`` and, of a label set, ``predictions``. ``.jsonl``, ``.csv``
and ``.parquet`` have a row each. JSON says <, > and & by their numbers, so that nothing takes it for markup.

In CSV no cell begins as a formula does. Where a program cuts at semicolons, as the spreadsheets of many countries do,
quotes in the middle of its cells protect nothing: a cell can begin behind each semicolon or line break of a text. So
there, too, an apostrophe is put before the sign that a formula begins with. Ids, and the names of label sets and
classes, have it at their beginning alone, for they come back: inside they are safe only where the comma separates.
The file begins with a byte order mark: without one, spreadsheets take UTF-8 for the encoding of their country.
"""

import csv
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from store.selections.csv_safe import PREDICTED, STORE_ID, neutral_cell

if TYPE_CHECKING:
    from store.selections.export_rows import SelectedRows

ENDINGS = (".json", ".jsonl", ".csv", ".parquet")
_MARKUP = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_CUT = re.compile('(?<=[;\t\r\n])(?="*[=+@＝＋－＠-])')
_FOR_SPREADSHEETS = "utf-8-sig"
_COME_BACK = {"id", "label_set", "class"}

Row = dict[str, Any]


def write_annotator_file(rows: "SelectedRows", out: Path, *, ending: str | None = None) -> None:
    """Write ``rows`` into ``out``; whole or not at all. A file there is replaced.

    Args:
        rows: what to write.
        out: the file.
        ending: one of `ENDINGS`, which says the format; that of ``out`` if None.
    """
    writers: dict[str, Callable[[SelectedRows, Path], None]] = {
        ".json": _write_tasks,
        ".jsonl": _write_lines,
        ".csv": _write_csv,
        ".parquet": _write_parquet,
    }
    from store.storage.atomic_file import replaced  # here, because ENDINGS are in the help, which loads no pyarrow

    with replaced(out) as temporary:
        writers[ending or out.suffix](rows, temporary)


def labelling_configuration(classes: Sequence[str]) -> str:
    """What Label Studio is to show, so that its tasks and predictions fit: the text, and one choice of a class."""
    choices = "".join(f'<Choice value="{html.escape(name)}"/>' for name in classes)
    return (
        '<View><Text name="text" value="$text"/>'
        f'<Choices name="label" toName="text" choice="single">{choices}</Choices></View>'
    )


def _write_tasks(rows: "SelectedRows", out: Path) -> None:
    with out.open("w", encoding="utf-8") as file:
        before = "[\n"
        for row in _rows(rows):
            file.write(before + _json(_task(row)))
            before = ",\n"
        file.write("\n]\n" if before != "[\n" else "[]\n")


def _task(row: Row) -> Row:
    """One task, as Label Studio imports it (labelstud.io/guide/predictions)."""
    data = {name: value for name, value in row.items() if name not in PREDICTED}
    task: Row = {"data": {**data, STORE_ID: row["id"]}}
    if "label_set" in row:
        task["predictions"] = [] if row["class"] is None else [_prediction(row)]
    return task


def _prediction(row: Row) -> Row:
    chosen = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [row["class"]]}}
    return {"model_version": row["label_set"], "score": row["confidence"], "result": [chosen]}


def _write_lines(rows: "SelectedRows", out: Path) -> None:
    with out.open("w", encoding="utf-8") as file:
        file.writelines(f"{_json(row)}\n" for row in _rows(rows))


def _write_csv(rows: "SelectedRows", out: Path) -> None:
    with out.open("w", encoding=_FOR_SPREADSHEETS, newline="") as file:
        _write_cells(rows.schema.names, _rows(rows), file)


def _write_cells(names: Iterable[str], rows: Iterable[Row], file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_uncut(neutral_cell(name)) for name in names)
    writer.writerows([_cell(name, value) for name, value in row.items()] for row in rows)


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    return neutral_cell(value) if name in _COME_BACK else _uncut(neutral_cell(value))


def _uncut(cell: str) -> str:
    """``cell`` without a formula behind a sign at which a program may cut it."""
    return _CUT.sub("'", cell)


def _write_parquet(rows: "SelectedRows", out: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(out, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


def _rows(rows: "SelectedRows") -> Iterator[Row]:
    from store.selections.export_rows import as_rows

    return (row for batch in rows for row in as_rows(batch))


def _json(value: Row) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_MARKUP)
