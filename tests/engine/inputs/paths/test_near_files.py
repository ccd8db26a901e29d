"""A path where no input file is: the files that may be meant."""

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.inputs.formats import expand
from engine.inputs.paths.near_files import near_files

FILES = ("tickets.csv", "empty.csv", "tickets.md", "data/reviews.jsonl.gz", "data/labels.csv", "parts/one.csv")
NEAR = {
    "tikets.csv": ["tickets.csv"],
    "Tickets.CSV": ["tickets.csv"],
    "tickets.tsv": ["tickets.csv"],
    "./tikets.csv": ["tickets.csv"],
    "dta/review.jsonl.gz": ["data/reviews.jsonl.gz"],
    "data/lables.csv": ["data/labels.csv"],
    "part": ["parts"],
    "tikets.md": ["tickets.csv"],  # the other is of no kind that is read
    "tikets*.csv": [],
    "nothing/like/it.csv": [],
    "zzz.parquet": [],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", NEAR)
def test_each_part_of_a_path_may_be_wrong(place: Path, path: str) -> None:
    words = " or ".join(map(repr, NEAR[path]))
    assert near_files(path) == (f" (did you mean {words}?)" if words else "")


def test_the_refusal_names_them(place: Path) -> None:
    with pytest.raises(InputError, match=r"^tikets.csv: there is no such file \(did you mean 'tickets.csv'\?\)$"):
        expand(["tikets.csv"])
    with pytest.raises(InputError, match=r"there is no such file \(did you mean '/.*/data/labels.csv'\?\)$"):
        expand([f"{place}/data/label.csv"])


def test_a_folder_that_cannot_be_listed_and_names_that_cannot_be_shown_are_passed_over(place: Path) -> None:
    (place / "tickets\x1b.csv").touch()
    assert near_files("tikets.csv") == " (did you mean 'tickets.csv'?)"
    assert near_files("tickets.csv/x.csv") == ""
