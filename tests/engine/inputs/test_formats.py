"""Paths, globs and folders → files; columns that stand in a path; options that a format cannot obey."""

import gzip
import json
import logging
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand, read_raw
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.inputs.options import ReadOptions

PLAIN = ColumnNames()


def make(root: Path, *names: str, content: str = "text\nx\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            pq.write_table(pa.table({"text": [name]}), path)
        else:
            path.write_text(content)


def found(root: Path, *patterns: str) -> list[str]:
    """The files that are found below ``root``, by their paths in it."""
    return [str(Path(file).relative_to(root)) for file in expand([str(root / pattern) for pattern in patterns])]


# --- globs


def test_brackets_in_the_name_of_a_folder_that_exists_are_no_glob(tmp_path: Path) -> None:
    make(tmp_path, "data[2024]/a.csv", "data[2024]/[x]/b.csv", "data2/c.csv", "data2/d.csv")
    assert found(tmp_path, "data[2024]/*.csv") == ["data[2024]/a.csv"]
    assert found(tmp_path, "data[2024]/[x]/*.csv") == ["data[2024]/[x]/b.csv"]
    assert found(tmp_path, "data[2024]/**/*.csv") == ["data[2024]/[x]/b.csv", "data[2024]/a.csv"]
    assert found(tmp_path, "data[2]/[cd].csv") == ["data2/c.csv", "data2/d.csv"]
    make(tmp_path, "data[2]/z.csv")
    assert found(tmp_path, "data[2]/*.csv") == ["data[2]/z.csv"]
    assert found(tmp_path, "data[2]/[cd].csv") == ["data2/c.csv", "data2/d.csv"]


def test_a_glob_passes_over_what_programs_leave_beside_data(tmp_path: Path) -> None:
    make(tmp_path, "out/part-0.csv", "out/_SUCCESS", "out/part-0.csv.crc", "out/_committed_17")
    assert found(tmp_path, "out/*") == ["out/part-0.csv"]


def test_a_glob_passes_over_what_stands_beside_data_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path, "ds/a.json", "ds/id2label.json", "ds/README.md")
    caplog.set_level(logging.INFO)
    assert found(tmp_path, "ds/*") == ["ds/a.json"]
    assert "README.md, " in caplog.text
    assert "id2label.json: passed over, as files beside the data" in caplog.text
    assert found(tmp_path, "ds/id2*.json") == ["ds/id2label.json"]


def test_a_glob_gives_the_files_of_folders_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.csv", "a/b/y.csv", "c/z.csv")
    everything = ["a/b/y.csv", "a/x.csv", "c/z.csv"]
    assert found(tmp_path, "**") == found(tmp_path, "**/*") == everything
    assert sorted(found(tmp_path, "*")) == everything


@pytest.mark.parametrize("name", ["a.csv.GZ", "a.CSV.bz2", "a.jsonl.XZ", "a.txt.ZST", "A.PARQUET", "b.Json"])
def test_endings_are_known_in_any_letter_case(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert found(tmp_path, name) == [name]


# --- folders


def test_a_folder_is_its_files_by_name_in_all_its_folders(tmp_path: Path) -> None:
    make(tmp_path, "d/b.csv", "d/a/z.csv.gz", "d/c/a.tsv", "d/_SUCCESS", "d/.b.csv.crc", "d/.hidden/x.csv")
    make(tmp_path, "d/README.md", "d/README.txt", "d/_temporary/y.csv", "d/a/.x.csv.swp", "d/LICENSE")
    for name in ("d", "d/"):
        assert found(tmp_path, name) == ["d/a/z.csv.gz", "d/b.csv", "d/c/a.tsv"]


def test_a_folder_of_links_is_followed_and_a_ring_is_not(tmp_path: Path) -> None:
    make(tmp_path, "d/a.csv", "elsewhere/b.csv")
    (tmp_path / "d/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d/ring").symlink_to(tmp_path / "d")
    assert found(tmp_path, "d") == ["d/a.csv", "d/link/b.csv"]


@pytest.mark.parametrize(
    ("names", "message", "glob"),
    [
        ((), "is an empty folder", None),
        (("a.docx",), "has no file of a known kind; known are .parquet", None),
        (("a.parquet", "b.parquet", "c.csv"), "2 Parquet (a.parquet), 1 delimited (c.csv)", "**/*.parquet"),
        (("x/a.csv", "b.csv", "part-0"), "1 without an ending (part-0)", "**/*.csv"),
        (("a.csv", "a.xlsx"), "1 delimited (a.csv), 1 .xlsx (a.xlsx)", "**/*.csv"),
        (("train-0.parquet", "test-0.parquet"), "holds the splits test, train: give one", "**/train*.parquet"),
        (("train.csv", "validation.csv"), "holds the splits train, validation", "**/validation*.csv"),
        (("train/a.txt", "test/a.txt"), "holds the splits test, train", "train"),
        (("train/a.txt", "test/a.txt"), "or all of them as", "**/*.txt"),
        (("data/train-0.parquet", "data/test-0.parquet"), "holds the splits test, train", "**/test*.parquet"),
        (
            ("imdb-train.arrow", "imdb-unsupervised.arrow"),
            "holds the splits train, unsupervised",
            "**/imdb-train*.arrow",
        ),
        (("v1/en/train/a.csv", "v1/en/dev/a.csv"), "holds the splits dev, train", "v1/en/dev"),
        (("split=train/a.csv", "split=test/a.csv"), "holds the splits test, train", "split=test"),
        (("data_split=train/a.csv", "data_split=val/a.csv"), "holds the splits train, val", "data_split=train"),
        (("train.csv", "holdout.csv"), "holds the splits holdout, train", "**/holdout*.csv"),
        (("my_training.csv", "my_testing.csv"), "holds the splits test, train", "**/my_testing*.csv"),
        (("trainset.csv", "held-out.csv"), "holds the splits held-out, train", "**/held-out*.csv"),
        (("train1.csv", "test1.csv"), "holds the splits test, train", "**/test1*.csv"),
        (("Reviews test.csv", "Reviews train.csv"), "holds the splits test, train", "**/*.csv"),
    ],
)
def test_a_folder_that_is_not_one_data_set_is_refused_with_globs_that_work(
    tmp_path: Path, names: tuple[str, ...], message: str, glob: str | None
) -> None:
    (tmp_path / "d").mkdir()
    make(tmp_path / "d", *names)
    with pytest.raises(InputError, match=re.escape(message)) as raised:
        found(tmp_path, "d")
    if glob is None:
        return
    root = re.escape(str(tmp_path))
    ways = re.findall(rf"'{root}/(d/[^']+)'|{root}/(d/[^', ]+)", str(raised.value))
    assert ways
    for quoted, plain in ways:
        assert found(tmp_path, quoted or plain)


def test_files_of_one_split_are_a_data_set(tmp_path: Path) -> None:
    make(tmp_path, "d/train-0.parquet", "d/train-1.parquet", "e/training.csv", "e/testimonials.csv")
    assert found(tmp_path, "d") == ["d/train-0.parquet", "d/train-1.parquet"]
    assert found(tmp_path, "e") == ["e/testimonials.csv", "e/training.csv"]
    make(tmp_path, "f/topic=train/a.csv", "f/topic=test/a.csv", "g/train1.csv", "g/train_2.csv", "g/training.csv")
    assert found(tmp_path, "f") == ["f/topic=test/a.csv", "f/topic=train/a.csv"]
    assert found(tmp_path, "g") == ["g/train1.csv", "g/train_2.csv", "g/training.csv"]


@pytest.mark.parametrize(
    ("beside", "name"),
    [("_delta_log/0.json", "Delta Lake"), (".hoodie/x.json", "Hudi"), ("metadata/v1.metadata.json", "Iceberg")],
)
def test_a_table_that_is_more_than_its_files_is_refused(tmp_path: Path, beside: str, name: str) -> None:
    make(tmp_path, "d/part-0.parquet", f"d/{beside}")
    with pytest.raises(InputError, match=f"d is a {name} table"):
        found(tmp_path, "d")


# --- folders that Hugging Face's save_to_disk makes


def save_to_disk(folder: Path, files: dict[str, list[str]], **state: Any) -> None:
    folder.mkdir(parents=True)
    for name, texts in files.items():
        table = pa.table({"text": texts})
        with pa.ipc.new_stream(str(folder / name), table.schema) as writer:
            writer.write_table(table)
    data_files = [{"filename": name} for name in files]
    (folder / "state.json").write_text(json.dumps({"_data_files": data_files, "_fingerprint": "x", **state}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))


def test_a_saved_data_set_is_its_files_in_the_order_of_its_state(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "saved", {"data-1.arrow": ["first"], "data-0.arrow": ["second"]})
    (tmp_path / "saved/cache-123.arrow").write_bytes(b"of another step")
    assert found(tmp_path, "saved") == ["saved/data-1.arrow", "saved/data-0.arrow"]
    assert found(tmp_path, "") == found(tmp_path, "saved")
    texts = [text for file in expand([str(tmp_path / "saved")]) for b in read_blocks(file, PLAIN) for text in b.text]
    assert [text.as_py() for text in texts] == ["first", "second"]


def test_splits_of_a_saved_data_set_are_refused_with_their_paths(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_to_disk(tmp_path / "saved" / split, {"data-0.arrow": [split]})
    (tmp_path / "saved/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    message = f"give one of {tmp_path}/saved/train, {tmp_path}/saved/test"
    with pytest.raises(InputError, match=re.escape(message)):
        found(tmp_path, "saved")
    assert found(tmp_path, "saved/train") == ["saved/train/data-0.arrow"]


def test_a_saved_data_set_that_cannot_be_read_in_order_is_refused(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "a", {"data-0.arrow": ["x"]}, _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(InputError, match=r"call flatten_indices\(\) and save it again"):
        found(tmp_path, "a")
    save_to_disk(tmp_path / "b", {})
    with pytest.raises(InputError, match="names no files of a data set"):
        found(tmp_path, "b")
    (tmp_path / "b/state.json").write_text("{")
    with pytest.raises(InputError, match=r"b/state\.json cannot be read"):
        found(tmp_path, "b")


def test_what_map_keeps_of_a_data_set_is_passed_over_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caches = ("c/cache-1b2c3d4e5f.arrow", "c/cache-1b2c3d4e5f607182_00001_of_00002.arrow")
    make(tmp_path, "c/imdb-train.arrow", "c/dataset_info.json", "c/cache-me.arrow", *caches)
    caplog.set_level(logging.INFO)
    for pattern in ("c", "c/*.arrow"):
        caplog.clear()
        assert found(tmp_path, pattern) == ["c/cache-me.arrow", "c/imdb-train.arrow"]
        (said,) = [record.getMessage() for record in caplog.records]
        assert said == (
            f"{tmp_path}/{caches[0]}, {tmp_path}/{caches[1]}: passed over, as what map or filter made of the data set "
            "beside it"
        )
    assert found(tmp_path, caches[0]) == [caches[0]]
    assert found(tmp_path, "c/cache-[0-9]*.arrow") == sorted(caches)


# --- columns that stand in the path


def test_columns_of_the_path_are_numbers_if_they_look_so(tmp_path: Path) -> None:
    for label, year, month in (("neg", "2023", "01"), ("pos", "__HIVE_DEFAULT_PARTITION__", "10")):
        make(tmp_path, f"label={label}/year={year}/month={month}/a.parquet")
    blocks = [block for file in expand([str(tmp_path)]) for block in read_blocks(file, PLAIN)]
    assert [block.label.to_pylist() for block in blocks] == [["neg"], ["pos"]]
    assert [block.extras["year"].to_pylist() for block in blocks] == [["2023"], [None]]
    kinds = {name: blocks[0].kinds[name] | blocks[1].kinds[name] for name in ("year", "month")}
    assert {name: str(kind.stored) for name, kind in kinds.items()} == {"year": "int64", "month": "string"}


# --- files


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert list(read_raw(str(tmp_path / name), PLAIN)) == []


@pytest.mark.parametrize(
    ("name", "options", "flag"),
    [
        ("a.parquet", {"delimiter": ";"}, "--delimiter"),
        ("a.json", {"quote": "'"}, "--quote"),
        ("a.parquet", {"encoding": "latin-1"}, "--encoding"),
        ("a.arrow", {"names": ("text",)}, "--columns"),
        ("a.csv", {"whole_files": True}, "--whole-files"),
        ("a.csv", {"delimiter": ""}, "--delimiter none"),
        ("a.jsonl", {"delimiter": ""}, "--delimiter none"),
    ],
)
def test_an_option_that_a_format_cannot_obey_is_refused(
    tmp_path: Path, name: str, options: dict[str, Any], flag: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=f"{re.escape(name)} is .*, and {flag} is for"):
        list(read_raw(str(tmp_path / name), PLAIN, ReadOptions(**options)))


def test_json_of_another_encoding_is_read_where_it_is_named(tmp_path: Path) -> None:
    rows = [{"text": "größer"}, {"text": "schön"}]
    for content in (json.dumps(rows, ensure_ascii=False), "\n".join(json.dumps(r, ensure_ascii=False) for r in rows)):
        (tmp_path / "a.json").write_text(content, "latin-1")
        (block,) = read_raw(str(tmp_path / "a.json"), PLAIN, ReadOptions(encoding="latin-1"))
        assert block.data["text"].to_pylist() == ["größer", "schön"]
        assert block.reading.options == ReadOptions(encoding="iso8859-1")


# What a file is, and what its name says


@pytest.mark.parametrize("name", ["in.parquet", "in.feather"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n", "git lfs pull"),
        (b"", "is empty; leave it out"),
        (b"id,text\n1,x\n", "let its name end as its format does"),
        (b"\x1f\x8b\x08\x00", "let its name end in .gz"),
    ],
)
def test_a_table_file_that_is_none_is_named_for_what_it_is(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)):
        list(read_raw(str(tmp_path / name), ColumnNames()))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_file_that_only_its_name_calls_compressed_is_said_to_be_none(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.csv{suffix}"
    path.write_bytes(b"id,text\n1,x\n")
    with pytest.raises(InputError, match=re.escape(f"{path} is not compressed; let its name end in .csv")):
        list(read_raw(str(path), ColumnNames()))


def test_a_damaged_file_has_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"id,text\n1,x\n")[:-9])
    with pytest.raises(InputError, match="cannot be read: .*fetch it or write it again"):
        list(read_raw(str(tmp_path / "in.csv.gz"), ColumnNames()))


def test_a_header_without_a_text_may_be_data(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("r2,fine soup,good\nr3,cold soup,bad\n")
    with pytest.raises(InputError, match="name it with --text; or, if its first line is data, .*--columns column1"):
        list(read_raw(str(tmp_path / "in.csv"), ColumnNames()))


# --- what a path says beside the columns of a file


@pytest.mark.parametrize("labels", [["1", "1"], ["1.0", None], [1, 1], [1.0, None], [None, None]])
def test_a_column_may_repeat_what_the_path_says_or_say_nothing(tmp_path: Path, labels: list[Any]) -> None:
    path = tmp_path / "label=1" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"text": ["x", "y"], "label": labels}), path)
    (block,) = read_blocks(str(path), PLAIN)
    assert block.label.to_pylist() == ["1", "1"]


@pytest.mark.parametrize(
    ("folder", "column", "value"),
    [("label=1", "label", "0"), ("year=2023", " year", "2022"), ("label=1", "label", "x")],
)
def test_a_column_that_contradicts_the_path_is_refused_with_its_row(
    tmp_path: Path, folder: str, column: str, value: str
) -> None:
    name, _, said = folder.partition("=")
    make(tmp_path, f"{folder}/a.csv", content=f"text,{column}\nx,{said}\ny,{value}\n")
    words = f"a.csv row 2: the column {name!r} is {value!r}, and the file's path says {said!r}; rename the folder"
    with pytest.raises(InputError, match=re.escape(words)):
        list(read_blocks(str(tmp_path / folder / "a.csv"), PLAIN))


def test_the_folder_of_a_text_may_be_its_label(tmp_path: Path) -> None:
    make(tmp_path, "aclImdb/pos/1.txt", "aclImdb/pos/2.txt", "aclImdb/neg/1.txt", content="fine\nand long\n")
    config = GoldConfig(files=(str(tmp_path / "aclImdb"),), options=ReadOptions(whole_files=True))
    with pytest.raises(InputError, match="it has texts and no labels: .* a folder that names it, as label=positive/"):
        read_gold(config)
    for name in ("pos", "neg"):
        (tmp_path / "aclImdb" / name).rename(tmp_path / "aclImdb" / f"label={name}")
    gold = read_gold(config)
    assert [gold.classes[label] for label in gold.labels] == ["neg", "pos", "pos"]
    assert gold.texts == ["fine\nand long"] * 3
