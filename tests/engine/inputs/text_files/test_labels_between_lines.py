"""Text files with labels in lines of their own → a refusal, and the command in it makes the right rows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.options import UNSPLIT, ReadOptions

ROWS = [
    ("Checked in late, and the desk was kind.", "positive"),
    ("# of beds: \\2, 'hard' & \"cold\"", "negative"),
    ("Très bon séjour 😊", "positive"),
    ("Loved it", "positive"),
    ("Wi-Fi dropped", "negative"),
]


def rows_of(path: Path, options: ReadOptions | None = None) -> list[tuple[str, str | None]]:
    """The text and the label of each row."""
    rows = []
    for block in read_raw(str(path), ColumnNames(), options or ReadOptions()):
        label = block.columns.label
        labels = block.data[label].to_pylist() if label else [None] * block.rows
        for text, value in zip(block.data[block.columns.text].to_pylist(), labels, strict=True):
            rows.append((text.decode(), value and value.decode()))
    return rows


def followed(path: Path, words: str) -> list[tuple[str, str | None]]:
    """The rows of the file that the command in the refusal writes."""
    with pytest.raises(InputError, match=words) as raised:
        rows_of(path)
    found = re.search(r"((?:iconv|LC_ALL=C awk) .* > (\w+\.txt)); or pass --delimiter none", str(raised.value))
    assert found, raised.value
    if shutil.which("awk") is None:
        pytest.skip("needs awk, which the message names")
    subprocess.run(found[1], shell=True, check=True, cwd=path.parent)
    return rows_of(path.with_name(found[2]))


@pytest.mark.parametrize("form", ["{0}\n{1}\n", "{1}\n{0}\n", "{0}\n{1}\n\n", "{0}\r\n {1} \r\n\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "labels", [{}, {"positive": "5 stars", "negative": "1 star"}, {"positive": "1", "negative": "0"}]
)
def test_texts_and_labels_in_turn_are_put_into_one_line(
    tmp_path: Path, form: str, encoding: str, labels: dict[str, str]
) -> None:
    path = tmp_path / "reviews.txt"
    rows = [(text, labels.get(label, label)) for text, label in ROWS]
    path.write_bytes("".join(form.format(*row) for row in rows).encode(encoding))
    assert followed(path, "every second line looks like a label") == rows


@pytest.mark.parametrize(
    "heading", ["# {}", "## {}", "## {} ##", "[{}]", "== {} ==", "--- {} ---", "{}:", "# {} reviews", "[{}]:"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_texts_below_headings_get_them_as_labels(tmp_path: Path, heading: str, end: str, encoding: str) -> None:
    path = tmp_path / "labelled.txt"  # the command writes another file than the one that it reads
    parts, rows = [], []
    for label in ("Positive", "other", "Negative"):
        texts = [text for text, of in ROWS if label.lower() in (of, "other")]
        parts += [heading.format(label), *texts, ""]
        rows += [(text, label + " reviews" * heading.endswith("reviews")) for text in texts]
    path.write_bytes(end.join(parts).encode(encoding))
    assert followed(path, "below headings that look like labels") == rows


@pytest.mark.parametrize(
    "lines",
    [
        ["# Introduction", "The city is old.", "It rains.", "# Good hotels", "There are none.", "# Food", "Fine."],
        ["Loved it", "positive", "So-so", "Hated it", "negative", "positive"],
        ["#positive vibes", "Great stay", "Loved it", "Best ever"],
        ["Why?", "No.", "When?", "Yes.", "Who?", "No.", "Where?", "Yes."],
        ["Great", "Good", "Bad", "Awful", "So-so", "Fine", "Lovely", "Poor"],
        ["Good:", "Pool", "Rooms:", "Small", "Food:", "Cold"],
        ["-----", "Great stay", "-----", "Loved it"],
    ],
)
def test_ordinary_lines_are_texts(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(lines))
    assert rows_of(path) == [(line, None) for line in lines]


def test_the_flag_takes_every_line_as_a_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("# positive\nLoved it\nGreat\n")
    assert rows_of(path, ReadOptions(delimiter=UNSPLIT))[0] == ("# positive", None)
