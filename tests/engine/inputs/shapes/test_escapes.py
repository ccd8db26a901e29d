r"""Texts with ``\n`` as two characters are read as they are, and a note has the command that makes line ends of them."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions

TEXTS = ["Good.\\n\\nGoing back.", "Bad,\\nand dear", "So-so\\tat best\\r\\nNo.", 'A "plain" one']
MEANT = ["Good.\n\nGoing back.", "Bad,\nand dear", "So-so\tat best\nNo.", 'A "plain" one']


def written(folder: Path, name: str) -> Path:
    path = folder / name
    rows = [{"label": n % 2 + 1, "text": text} for n, text in enumerate(TEXTS)]
    if name == "in.parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name == "in.jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        quoted = [row["text"].replace('"', '""') for row in rows]
        lines = (f'"{row["label"]}","{text}"\n' for row, text in zip(rows, quoted, strict=True))
        path.write_text(("label,text\n" if name == "in.csv" else "") + "".join(lines))
    return path


@pytest.mark.parametrize("name", ["in.csv", "yelp.csv", "in.jsonl", "in.parquet"])
def test_the_command_makes_line_ends_of_them(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    names = ("label", "text") if name == "yelp.csv" else None
    (block,) = read_blocks(str(path), ColumnNames(), ReadOptions(names=names))
    assert block.text.to_pylist() == TEXTS
    (note,) = [note for note in block.reading.notes if "a backslash and n (or t) stand in texts" in note]
    words, _, command = note.partition("if line ends (or tabs) are meant: ")
    assert words.startswith(f"{path}: ")
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path)
    (made,) = read_blocks(str(tmp_path / "rows.jsonl"), ColumnNames())
    assert (made.text.to_pylist(), made.label.to_pylist()) == (MEANT, ["1", "2", "1", "2"])
    assert made.reading.notes == ()


@pytest.mark.parametrize(
    "texts",
    [
        ["C:\\new\\table is a path", "\\nu is a letter", "d:\\temp\\notes", "plain"],
        ["one\\nOnly here", "and\\nThere", *["plain"] * 5],
    ],
)
def test_a_path_or_two_rows_are_no_reason_for_a_note(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    (block,) = read_blocks(str(path), ColumnNames())
    assert block.reading.notes == ()
