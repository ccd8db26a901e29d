"""``engine audit near-duplicates`` and ``engine label --mark-near-duplicates``: what a user sees of them."""

import csv
import io
import json
from pathlib import Path

import pytest

import engine
import store
from cli.main import run
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import ColumnNames
from store.errors import StoreMissingError
from store.storage import LocalStorage

WORDS = (
    "the food was good and the staff was friendly but we had to wait a long time for a table near the window".split()
)
TEXTS = [
    (" ".join(WORDS), "good"),
    ("something else altogether that nobody has said before in these words", "bad"),
    (" ".join([*WORDS, "again"]), "bad"),
    (" ".join(WORDS[1:]), None),
    ("another thing of which there is a single copy in the whole pile of texts", None),
    ("Another thing of which there is a single copy in the whole pile of texts!", None),
]


@pytest.fixture(params=[None, 0.8], ids=["plain", "marked"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store, without marks and with them: the answers are the same."""
    file = tmp_path / "texts.jsonl"
    rows = [{"id": f"r{row}", "text": text, "label": label} for row, (text, label) in enumerate(TEXTS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = IngestConfig(files=(str(file),), classes=("bad", "good"), shards=2, near_duplicates=request.param)
    ingest(LocalStorage(tmp_path / "one.store"), config)
    return str(tmp_path / "one.store")


@pytest.fixture
def test_file(tmp_path: Path) -> str:
    file = tmp_path / "test.csv"
    rows = [
        ["key", "text", "label"],
        ["t1", "nothing that was ever said", "good"],
        ["t2", " ".join([*WORDS, "x"]), "GOOD"],
    ]
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([*rows, ["t3", "", "bad"]])
    return str(file)


def test_groups_come_with_their_rows_and_their_gold(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place, "near-duplicates", "--format", "jsonl"]) == 0
    printed = capsys.readouterr()
    first, second = map(json.loads, printed.out.splitlines())
    assert first == {
        "row": 0, "id": "r0", "gold": "good", "others": 2, "least_similarity": 20 / 21, "classes": ["bad", "good"],
        "rows": [2, 3],
    }  # fmt: skip
    assert second == {
        "row": 4, "id": "r4", "gold": None, "others": 1, "least_similarity": 1.0, "classes": [], "rows": [5],
    }  # fmt: skip
    assert (
        f"3 of the 6 rows of {place} are nearly the same as an earlier one, in 2 groups; in 1 of these gold"
        in printed.err
    )
    assert "(similarity from 0.8)" in printed.err


def test_a_test_file_is_read_with_the_columns_of_the_store(tmp_path: Path, capsys) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text(
        "key,subject,body\n" + "".join(f"k{row},{text[:9]},{text[9:]}\n" for row, (text, _) in enumerate(TEXTS))
    )
    columns = ColumnNames(text="subject,body", id="key")
    ingest(LocalStorage(tmp_path / "s"), IngestConfig(files=(str(texts),), classes=("a", "b"), columns=columns))
    capsys.readouterr()
    assert run(["audit", str(tmp_path / "s"), "near-duplicates", "--against", str(texts), "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == len(TEXTS)
    assert f"as in {tmp_path / 's'}, the text is " in printed.err
    assert "'subject' and 'body'" in printed.err


def test_another_similarity_is_compared_anew(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", place, "near-duplicates", "--similarity", "1", "--format", "json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["row"], only["rows"]) == (4, [5])


def test_rows_that_are_like_a_test_row_come_with_it(
    place: str, test_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["audit", place, "near-duplicates", "--against", test_file, "--id", "key"]
    assert run([*line, "--format", "csv"]) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [(row["row"], row["id"], row["gold"]) for row in rows] == [
        ("0", "r0", "good"),
        ("2", "r2", "bad"),
        ("3", "r3", ""),
    ]
    assert {(row["test_file"], row["test_row"], row["test_id"], row["test_label"]) for row in rows} == {
        (test_file, "2", "t2", "good")
    }
    assert [float(row["similarity"]) for row in rows] == [21 / 22, 21 / 23, 20 / 22]
    assert f"not compared: 1 row of the test, such as {test_file} row 3: text is empty" in printed.err
    assert "3 of the 6 rows" in printed.err
    assert "are nearly the same as one of 1 of the 2 test rows; 1 have other gold" in printed.err


def test_a_table_has_the_first_and_says_how_many_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"one two three four {number // 2}\n" for number in range(60)) + "five six seven\n" * 10)
    ingest(LocalStorage(tmp_path / "s"), IngestConfig(files=(str(file),), classes=("a", "b")))
    line = ["audit", str(tmp_path / "s"), "near-duplicates", "--similarity", "0.9"]
    assert run([*line, "--format", "table"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 20 + 4
    assert '[61, 62, 63, 64, 65, "…"]' in printed.out
    assert "the table has the first 20 of 31; --format jsonl or csv gives all" in printed.err
    assert run([*line, "--format", "jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 31


def test_where_nothing_is_alike_the_answer_is_empty(place: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "other.txt"
    file.write_text("nothing of that kind\n")
    assert run(["audit", place, "near-duplicates", "--against", str(file), "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "row,id,gold,similarity,test_file,test_row,test_id,test_label\n"
    assert "0 of the 6 rows" in printed.err
    ingest(LocalStorage(tmp_path / "s"), IngestConfig(files=(str(file),), classes=("a", "b")))
    assert run(["audit", str(tmp_path / "s"), "near-duplicates", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "row,id,gold,others,least_similarity,classes,rows\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["near-duplicates", "accuracy"], "near-duplicates is asked alone"),
        (["near-duplicates", "--labels", "one"], "near-duplicates is asked alone"),
        (["near-duplicates", "--id", "key"], "needs --against FILE here"),
        (["near-duplicates", "--delimiter", ","], "needs --against FILE here"),
        (["accuracy", "--against", "f.csv"], "go with one question: engine audit STORE near-duplicates"),
        (["--similarity", "0.9"], "go with one question: engine audit STORE near-duplicates"),
        (["--calibrate", "--against", "f.csv"], "--calibrate asks no QUERY"),
        (["near-duplicates", "--trained-on", "f.csv"], "do not go with near-duplicates; see --against"),
        (["near-duplicates", "--source", "me"], "do not go with near-duplicates"),
        (["near-duplicates", "--list"], "do not go with near-duplicates"),
        (["near-duplicates", "--similarity", "0"], "Invalid value for '--similarity'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(place: str, more: list[str], said: str, capsys) -> None:
    assert run(["audit", place, *more]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_store_whose_texts_are_not_all_there_is_refused(place: str) -> None:
    storage = LocalStorage(place)
    for name in storage.list("corpus"):
        if name.startswith(("00001", "manifest")):
            storage.remove_dead(f"corpus/{name}")
    with pytest.raises(StoreMissingError, match="lacks 1 of 2 shards"):
        engine.near_duplicates(engine.NearDuplicatesConfig(store=place))


def test_label_marks_rows_and_a_selection_takes_one_of_each(demo, tmp_path: Path, capsys) -> None:
    file, made = tmp_path / "texts.jsonl", str(tmp_path / "made.store")
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text, _ in TEXTS))
    line = ["label", str(file), "--store", made, "--teacher", demo.path("teacher"), "--mark-near-duplicates", "0.8"]
    assert run(line) == 0
    assert run([*line[:-1], "0.9"]) == 1
    assert "has marks of near-duplicates from 0.8 on, and --mark-near-duplicates is 0.9" in capsys.readouterr().err
    assert run(["select", made, "once", "--where", "near_duplicate_of IS NULL"]) == 0
    assert store.open(made).selection("once").rows.numbers().tolist() == [0, 1, 4]
