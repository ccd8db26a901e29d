"""The user's files → the rows of the experiment: what is left out because the test has it, and what is refused."""

import json

import pyarrow.parquet as pq
import pytest
from row_files import write

from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.experiment.data.rows import prepare_rows, read_gold_rows, read_rows
from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import ReadOptions

LONG = "the room was clean and quiet but the staff at the desk never had a good word for us all week long"


def gold(*texts, first=0):
    return [
        {"id": f"g{first + place}", "text": text, "label": ("bad", "good")[place % 2]}
        for place, text in enumerate(texts)
    ]


def config(tmp_path, **given):
    files = {
        "labelled": write(tmp_path / "labelled.csv", gold("one", "two", " THE  test text ", "four")),
        "extra": write(tmp_path / "extra.jsonl", gold("five", "six", LONG.replace("clean", "dirty"), first=10)),
        "unlabelled": write(
            tmp_path / "pool.csv",
            [{"id": f"p{place}", "text": text} for place, text in enumerate(["a", "the test text", "b", LONG, "c"])],
        ),
        "test": write(tmp_path / "test.parquet", gold("other test", "the test text", LONG, first=20)),
    }
    chosen = {name: (str(file),) for name, file in files.items()}
    return CompareConfig(**{**chosen, "teacher": "t", "student": "s", "out": "o", **given})


def ids(file):
    return pq.read_table(file).column("id").to_pylist()


def test_rows_that_the_test_has_are_left_out_and_noted(tmp_path):
    folder = tmp_path / "data"
    rows = prepare_rows(config(tmp_path), folder, near=0.7)
    assert (rows.labels, rows.extra, rows.pool, rows.test) == (3, 2, 3, 3)
    assert rows.removed == {"labelled": {"equal": 1}, "extra": {"near": 1}, "unlabelled": {"equal": 2}}
    assert rows.removed_by_set() == {"labelled": 1, "extra": 1, "unlabelled": 2}
    assert ids(folder / "gold.parquet") == ["g0", "g1", "g3", "g10", "g11"]
    assert ids(folder / "pool.parquet") == ["p0", "p2", "p4"]
    assert ids(folder / "test.parquet") == ["g20", "g21", "g22"]
    removed = [json.loads(line) for line in (folder / "removed.jsonl").read_text().splitlines()]
    assert [(one["set"], one["id"], one["how"], one["test_id"]) for one in removed] == [
        ("labelled", "g2", "equal", "g21"),
        ("extra", "g12", "near", "g22"),
        ("unlabelled", "p1", "equal", "g21"),
        ("unlabelled", "p3", "equal", "g22"),
    ]
    assert 0.7 <= removed[1]["similarity"] < 1
    assert read_rows(folder) == rows
    read = read_gold_rows(folder / "gold.parquet", rows.classes)
    assert (read.texts[2], read.labels.tolist()) == ("four", [0, 1, 1, 0, 1])


def test_equal_rows_alone_are_left_out_where_near_ones_are_not_looked_for(tmp_path):
    rows = prepare_rows(config(tmp_path), tmp_path / "data", near=0)
    assert rows.removed == {"labelled": {"equal": 1}, "extra": {}, "unlabelled": {"equal": 2}}
    assert (rows.labels, rows.extra) == (3, 3)


def test_rows_are_not_there_before_all_are(tmp_path):
    assert read_rows(tmp_path) is None


def test_one_table_and_one_text_file_are_enough(tmp_path):
    table = write(
        tmp_path / "own.csv",
        [{"message": f"message {place}", "queue": ("billing", "bugs", "sales")[place % 3]} for place in range(30)],
    )
    (tmp_path / "own.txt").write_text("".join(f"an unlabelled message, number {place}\n" for place in range(7)))
    chosen = config(
        tmp_path,
        labelled=(str(table),),
        extra=(),
        test=(),
        unlabelled=(str(tmp_path / "own.txt"),),
        columns=ColumnNames(text="message", label="queue"),
    )
    rows = prepare_rows(chosen, tmp_path / "data", near=0.8)
    assert rows.classes == ["billing", "bugs", "sales"]
    assert (rows.labels, rows.extra, rows.test, rows.pool) == (10, 10, 10, 7)
    held = [
        pq.read_table(tmp_path / "data" / name).column("text").to_pylist() for name in ("gold.parquet", "test.parquet")
    ]
    assert sorted(held[0] + held[1]) == sorted(f"message {place}" for place in range(30))


def test_a_delimiter_of_labelled_files_is_none_of_unlabelled_parquet(tmp_path):
    table = tmp_path / "own.csv"
    table.write_text("message;queue\n" + "".join(f"message {n};{'ab'[n % 2]}\n" for n in range(30)))
    pool = write(tmp_path / "own.parquet", [{"message": f"an unlabelled message, number {n}"} for n in range(7)])
    chosen = config(
        tmp_path,
        labelled=(str(table),),
        extra=(),
        test=(),
        unlabelled=(str(pool),),
        columns=ColumnNames(text="message", label="queue"),
        options=ReadOptions(delimiter=";"),
    )
    assert prepare_rows(chosen, tmp_path / "data", near=0.8).pool == 7


def test_without_files_of_extra_rows_the_user_says_how_many_are_not(tmp_path):
    rows = prepare_rows(config(tmp_path, extra=(), labels=2), tmp_path / "data", near=0)
    assert (rows.labels, rows.extra) == (2, 1)


def test_bad_rows_are_counted_with_their_reasons_or_stop_it(tmp_path):
    pool = write(tmp_path / "bad.csv", [{"id": "a", "text": "x"}, {"id": "b", "text": ""}, {"id": "a", "text": "y"}])
    (tmp_path / "few.csv").write_text("id,text,label\n1,one,good\n2,two,\n3,three,bad\n")
    chosen = config(tmp_path, unlabelled=(str(pool),))
    chosen = CompareConfig(**{**vars(chosen), "labelled": (str(tmp_path / "few.csv"),)})
    rows = prepare_rows(chosen, tmp_path / "data", near=0)
    assert (rows.pool, rows.labels, rows.rejected) == (1, 2, 3)
    assert [reason.rsplit("/", 1)[-1].split(":")[0] for reason in rows.reasons] == [
        "few.csv row 2", "bad.csv row 2", "bad.csv row 3",
    ]  # fmt: skip
    strict = {**vars(chosen), "labelled": (str(tmp_path / "extra.jsonl"),), "extra": (), "on_bad_row": "fail"}
    with pytest.raises(InputError, match=r"bad.csv row 2: .*Mend the row or pass --on-bad-row=reject"):
        prepare_rows(CompareConfig(**strict), tmp_path / "strict", near=0)


def test_ids_may_be_the_same_in_files_for_different_uses(tmp_path):
    """As tables that are numbered from 1 have them, and a class may be in the extra file alone."""
    tables = {
        "labelled": [("1", "one", "bad"), ("2", "two", "good"), ("3", "three", "bad")],
        "extra": [("1", "four", "so so"), ("2", "five", "good")],
        "test": [("1", "six", "bad"), ("2", "seven", "so so")],
    }
    names = ("id", "text", "label")
    given = {
        use: (str(write(tmp_path / f"{use}-same.csv", [dict(zip(names, row, strict=True)) for row in rows])),)
        for use, rows in tables.items()
    }
    pool = write(tmp_path / "pool-same.csv", [{"id": "1", "text": "x"}, {"id": "2", "text": "y"}])
    chosen = config(tmp_path, **given, unlabelled=(str(pool),), on_bad_row="fail")
    rows = prepare_rows(chosen, tmp_path / "data", near=0)
    assert rows.classes == ["bad", "good", "so so"]
    assert (rows.labels, rows.extra, rows.test, rows.pool, rows.rejected) == (3, 2, 2, 2, 0)
    assert ids(tmp_path / "data" / "gold.parquet") == ["1", "2", "3", "1", "2"]


def test_an_id_that_is_twice_in_one_set_is_still_refused(tmp_path):
    labelled = write(tmp_path / "twice.csv", [*gold("one", "two"), *gold("three", "four", first=1)])
    rows = prepare_rows(config(tmp_path, labelled=(str(labelled),)), tmp_path / "data", near=0)
    assert (rows.labels, rows.rejected) == (3, 1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"labels": 9}, "--label-count is 9, and 6 labelled rows are left beside the test"),
        ({"seeds": 0}, "--seeds is 0; each number must be at least 1"),
        ({"label_sizes": (4, 0)}, "--label-sizes is 4,0"),
        ({"max_hours": 0}, "--max-hours is 0; it must be more than 0"),
        ({"near": 1.5}, "--near-duplicates is 1.5"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, given, says):
    with pytest.raises(InputError, match=says):
        prepare_rows(config(tmp_path, **given), tmp_path / "data", near=0)


def test_labelled_rows_that_are_all_in_the_test_are_refused(tmp_path):
    labelled = write(tmp_path / "all.csv", gold("The test text", "other test"))
    with pytest.raises(InputError, match="every row of --labelled is a test row, too; give others"):
        prepare_rows(config(tmp_path, labelled=(str(labelled),)), tmp_path / "data", near=0)


def test_a_pool_that_is_all_in_the_test_is_refused(tmp_path):
    pool = write(tmp_path / "all.csv", [{"id": "a", "text": "The test text"}])
    with pytest.raises(InputError, match="no row is left that is not also a test row"):
        prepare_rows(config(tmp_path, unlabelled=(str(pool),)), tmp_path / "data", near=0)
