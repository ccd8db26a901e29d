"""WebDataset tars as input files: rows, ids, labels and columns; what is refused, and with which way."""

import gzip
import io
import json
import logging
import pickle
import shlex
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import row_files
import webdataset

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.blocks import BLOCK_ROWS
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import NO_COLUMN, ColumnNames, LabelColumns
from engine.inputs.formats import expand, read_raw
from engine.inputs.options import ReadOptions
from engine.inputs.tar_files.rows import NO_TEXT
from store import Store
from store.storage import MemoryStorage

CLASSES = ("negative", "positive")
PLAIN = ColumnNames()
Sample = dict[str, Any]


def write_tar(path: Path, samples: Iterable[Sample]) -> Path:
    """A tar as webdataset writes it, compressed as its name says."""
    data = io.BytesIO()
    with webdataset.TarWriter(data, mtime=0) as tar:
        for sample in samples:
            tar.write(sample)
    packed = row_files._PACKED.get(".gz" if path.suffix == ".tgz" else path.suffix, bytes)
    path.write_bytes(packed(data.getvalue()))
    return path


def write_members(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """A tar with these members, in this order."""
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def rows_of(file: Path, columns: ColumnNames = PLAIN, **options: Any) -> list[dict[str, Any]]:
    """The rows of ``file``, with the reason of those that are refused."""
    rows = []
    for block in read_blocks(str(file), columns, ReadOptions(**options)):
        names = {"id": block.id, "text": block.text, "label": block.label, **block.extras}
        for number in range(block.rows):
            row = {name: array[number].as_py() for name, array in names.items()}
            rows.append(row | {"problem": block.problems[number], "row": block.first_row + number})
    return rows


def three(**members: Callable[[int], Any]) -> list[Sample]:
    return [{"__key__": f"{row:04d}", **{name: value(row) for name, value in members.items()}} for row in range(3)]


def labelled(*files: Path, **options: Any) -> Store:
    return ingest(MemoryStorage(), IngestConfig(files=tuple(map(str, files)), **options), known=CLASSES)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.zst", "a.tar.bz2", "a.tar.xz", "A.TAR"])
def test_texts_labels_and_json_are_columns(tmp_path: Path, name: str) -> None:
    samples = three(txt=lambda row: f"Näive text {row}\n", cls=lambda row: row % 2, json=lambda row: {"stars": row})
    found = rows_of(write_tar(tmp_path / name, samples))
    assert [(row["row"], row["id"], row["text"], row["label"], row["stars"]) for row in found] == [
        (row + 1, f"{row:04d}", f"Näive text {row}\n", str(row % 2), row) for row in range(3)
    ]
    assert not any(row["problem"] for row in found)


def test_text_is_a_member_too_and_endings_may_be_upper_case(tmp_path: Path) -> None:
    path = write_members(
        tmp_path / "a.tar", [(f"{n}.{end}", b"some text") for n in range(3) for end in ("TEXT", "Cls")]
    )
    assert [row["text"] for row in rows_of(path)] == ["some text"] * 3


def test_a_folder_a_glob_and_braces_are_read_in_order(tmp_path: Path) -> None:
    names = [f"{number:03d}.tar" for number in range(3)]
    for number, name in enumerate(names):
        write_tar(tmp_path / name, [{"__key__": f"{number}-{row}", "txt": f"text {row}"} for row in range(3)])
    (tmp_path / "_export.json").write_text("{}")
    expected = [str(tmp_path / name) for name in names]
    assert (
        expand([str(tmp_path)]) == expand([f"{tmp_path}/*.tar"]) == expand([f"{tmp_path}/{{000..002}}.tar"]) == expected
    )
    made = labelled(tmp_path)
    assert made.sql("SELECT id FROM corpus ORDER BY row").column("id").to_pylist() == [
        f"{number}-{row}" for number in range(3) for row in range(3)
    ]


def test_braces_name_the_file_that_is_missing_and_a_file_of_that_name_wins(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", three(txt=str))
    with pytest.raises(InputError, match=r"1\.tar: there is no such file"):
        expand([f"{tmp_path}/{{0..1}}.tar"])
    odd = write_tar(tmp_path / "{0..1}.tar", three(txt=str))
    assert expand([str(odd)]) == [str(odd)]
    with pytest.raises(InputError, match="stand for more than 1,000,000 paths"):
        expand([f"{tmp_path}/{{0..9999999999}}.tar"])
    with pytest.raises(InputError, match=r"\{0\.\.1\.tar: there is no such file"):
        expand([f"{tmp_path}/{{0..1.tar"])


def test_commands_are_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(InputError, match="commands are not run"):
        expand([f"pipe:touch {marker}"])
    assert not marker.exists()


# --- ids


def test_an_id_in_json_counts_more_than_the_key(tmp_path: Path) -> None:
    found = rows_of(write_tar(tmp_path / "a.tar", three(txt=str, json=lambda row: {"id": f"a/b.{row} c"})))
    assert [row["id"] for row in found] == ["a/b.0 c", "a/b.1 c", "a/b.2 c"]


def test_keys_that_begin_anew_in_each_tar_are_told_with_a_way(tmp_path: Path) -> None:
    files = [
        write_tar(tmp_path / f"{number}.tar", three(txt=lambda row, n=number: f"text {n} {row}")) for number in (1, 2)
    ]
    made = labelled(*files)
    assert made.sql("SELECT DISTINCT reason FROM rejects").column(0).to_pylist() == [
        "id is that of an earlier row; if ids begin anew in each file, pass --id none"
    ]
    made = labelled(*files, columns=ColumnNames(id=NO_COLUMN))
    assert made.layout.rows == 6


# --- labels


def test_names_of_classes_in_json_count_more_than_cls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    samples = three(txt=str, cls=lambda row: row % 2, json=lambda row: {"label": CLASSES[row % 2]})
    made = labelled(write_tar(tmp_path / "a.tar", samples))
    assert made.sql("SELECT class FROM corpus ORDER BY row").column(0).to_pylist() == [
        "negative",
        "positive",
        "negative",
    ]
    assert "the label is what .json says, and not .cls" in caplog.text


def test_a_label_that_begins_late_is_found(tmp_path: Path) -> None:
    samples = [{"__key__": f"{row}", "txt": f"text {row}"} for row in range(BLOCK_ROWS + 5)]
    samples[-1]["cls"] = 0
    made = labelled(write_tar(tmp_path / "a.tar", samples))
    found = made.sql("SELECT id, class FROM corpus WHERE label IS NOT NULL").to_pylist()
    assert found == [{"id": samples[-1]["__key__"], "class": "negative"}]


def test_a_tar_of_labels_alone_is_read_by_id(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", three(cls=lambda row: row % 2))
    found = list(read_raw(str(path), LabelColumns()))
    assert [block.columns.label for block in found] == ["label"]
    with pytest.raises(InputError, match="is no WebDataset of texts"):
        rows_of(path)


# --- members that are not read


def test_pickles_are_never_opened_and_other_members_are_left_out_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    bomb = pickle.dumps(Bomb())
    samples = three(txt=str, jpg=lambda _: b"\xff\xd8", pyd=lambda _: bomb)
    samples = [{**sample, "x.pkl": bomb, "pt": bomb} for sample in samples]
    caplog.set_level(logging.INFO)
    made = labelled(write_tar(tmp_path / "a.tar", samples))
    assert made.layout.rows == 3
    assert "members that are neither text, JSON nor a label are left out: .jpg" in caplog.text
    assert "members that may hold a program are left out, and never opened: .pt, .pyd, .x.pkl" in caplog.text
    assert not (tmp_path / "ran").exists()


def test_folders_and_files_without_an_ending_are_passed_over_and_links_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for kind, name in ((tarfile.DIRTYPE, "d"), (tarfile.SYMTYPE, "d/link")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name in ("README", "._2.txt", "./d/3.txt", "d/4.txt", "d/5.txt", "__meta__.txt"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"text"))
        info = tarfile.TarInfo("d/5.jpg")
        info.type, info.linkname = tarfile.LNKTYPE, "d/4.jpg"
        tar.addfile(info)
    assert [row["id"] for row in rows_of(path)] == ["d/3", "d/4", "d/5"]
    caplog.set_level(logging.INFO)
    assert labelled(path).layout.rows == 3
    assert "members that are neither text, JSON nor a label are left out: .jpg" in caplog.text


def test_a_label_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("0.txt", "0.cls", "1.txt", "2.txt"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"1"))
        info = tarfile.TarInfo("2.cls")
        info.type, info.linkname = tarfile.LNKTYPE, "0.cls"
        tar.addfile(info)
    with pytest.raises(InputError, match=r"member '2\.cls' is a hard link to '0\.cls'"):
        rows_of(path)


# --- rows that are refused


def test_samples_that_cannot_be_used_are_refused_one_by_one(tmp_path: Path) -> None:
    texts = [b"good", b"\xff", b"good", b"good", b"good", b" ", None]
    said = [b"{}", b"{}", b'{"a": 1,', b"[1]", b'{"a": 1, "a": 2}', b"{}", b"{}"]
    members = [
        (f"{row}.{end}", data)
        for row, both in enumerate(zip(said, texts, strict=True))
        for end, data in zip(("json", "txt"), both, strict=True)
        if data is not None
    ]
    found = [row["problem"] for row in rows_of(write_members(tmp_path / "a.tar", members))]
    assert found == [
        None,
        "its .txt has invalid UTF-8",
        "its .json is not JSON: Expecting property name enclosed in double quotes",
        "its .json is no object, so that it has no columns",
        "its .json: the key 'a' comes twice, with different values",
        "text is blank",
        NO_TEXT,
    ]


def test_members_that_do_not_stand_side_by_side_are_told(tmp_path: Path) -> None:
    members = [(f"{row}.{end}", b"1") for end in ("cls", "txt") for row in range(3)]
    found = rows_of(write_members(tmp_path / "a.tar", members))
    assert [row["problem"] is None for row in found] == [False] * 3 + [True] * 3
    assert "side by side" in str(found[0]["problem"])


def test_a_text_that_is_too_long_for_memory_is_refused_without_being_read(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [*three(txt=str), {"__key__": "long", "txt": "x" * ((16 << 20) + 1)}])
    assert [row["problem"] for row in rows_of(path)] == [None] * 3 + ["its .txt is longer than 16,777,216 bytes"]


def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.tar", [("0.txt", b"a"), ("0.txt", b"b")])
    with pytest.raises(InputError, match=r"a\.tar has the member 0\.txt twice; unpack it"):
        rows_of(path)


# --- archives that are no WebDataset


def archive(path: Path, files: dict[str, str]) -> Path:
    return write_members(path, [(name, text.encode()) for name, text in files.items()])


def test_a_tar_of_other_files_is_refused_with_a_command_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive(tmp_path / "my data.tar", {"rows.csv": "id,text\n1,good\n2,bad\n"})
    with pytest.raises(InputError, match=r"is no WebDataset of texts.*it has \.csv.*unpack it: ") as raised:
        rows_of(Path("my data.tar"))
    subprocess.run(str(raised.value).partition("unpack it: ")[2], shell=True, check=True)
    assert [row["text"] for file in expand(["my data"]) for row in rows_of(Path(file))] == ["good", "bad"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"train/pos/1.txt": "a", "train/neg/2.txt": "b", "test/pos/3.txt": "c"}, "files of text in 3 folders"),
        ({"reviews.txt": "one\ntwo\nthree\n"}, "few files of text"),
    ],
)
def test_packed_files_of_text_are_refused_unless_each_is_a_row(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    path = archive(tmp_path / "a.tar", files)
    with pytest.raises(InputError, match=f"{says} and nothing beside them. If each is a row, pass --whole-files"):
        rows_of(path)
    assert [row["id"] for row in rows_of(path, whole_files=True)] == [name.removesuffix(".txt") for name in files]


def test_a_flat_tar_of_texts_is_a_webdataset(tmp_path: Path) -> None:
    assert len(rows_of(write_tar(tmp_path / "a.tar", three(txt=str)))) == 3


def test_an_empty_tar_has_no_rows_and_one_without_samples_is_refused(tmp_path: Path) -> None:
    assert rows_of(archive(tmp_path / "empty.tar", {})) == []
    with pytest.raises(InputError, match="holds files and no samples of a WebDataset: README, .hidden; unpack it"):
        rows_of(archive(tmp_path / "a.tar", {"README": "x", ".hidden": "y"}))


def test_a_tar_whose_json_is_no_row_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", {"rows.json": '[{"text": "a"}]'})
    with pytest.raises(InputError, match="no usable sample of a WebDataset: its .json is no object"):
        rows_of(path)


@pytest.mark.parametrize("option", [{"delimiter": ";"}, {"encoding": "utf-16"}, {"names": ("text",)}])
def test_options_of_other_formats_are_refused(tmp_path: Path, option: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is tar, and --"):
        rows_of(write_tar(tmp_path / "a.tar", three(txt=str)), **option)


def test_a_column_of_json_can_be_the_text(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", three(json=lambda row: {"message": f"text {row}", "n": row}))
    assert [row["text"] for row in rows_of(path, ColumnNames(text="message"))] == ["text 0", "text 1", "text 2"]
    with pytest.raises(InputError, match=r"no column looks like the text \(columns: id, message, n\)"):
        rows_of(path)


def test_an_ingested_tar_can_be_read_again(tmp_path: Path) -> None:
    """The second pass, and a repair, read what the first one read."""
    samples = [
        {"__key__": f"{row}", "txt": f"text {row}" if row % 10 else "", "json": json.dumps({"n": row}).encode()}
        for row in range(BLOCK_ROWS + 100)
    ]
    made = labelled(write_tar(tmp_path / "a.tar.gz", samples), shards=3)
    assert made.sql("SELECT id FROM corpus ORDER BY row").column(0).to_pylist() == [
        f"{row}" for row in range(len(samples)) if row % 10
    ]
    assert made.sql("SELECT DISTINCT source_row FROM rejects ORDER BY 1 LIMIT 2").column(0).to_pylist() == [1, 11]


def test_a_name_that_says_gz_of_a_plain_tar_is_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", three(txt=str))
    path.rename(tmp_path / "a.tar.gz")
    with pytest.raises(InputError, match=r"a\.tar\.gz .*(damaged|cannot be read)"):
        rows_of(tmp_path / "a.tar.gz")
    (tmp_path / "b.tar").write_bytes(gzip.compress(b"x" * 2000))
    with pytest.raises(InputError, match=r"b\.tar is damaged or cut off, at byte \d+"):
        rows_of(tmp_path / "b.tar")


def test_shell_quoting_is_right(tmp_path: Path) -> None:
    path = archive(tmp_path / "a b.tar", {"x.csv": "a"})
    with pytest.raises(InputError) as raised:
        rows_of(path)
    assert shlex.split(str(raised.value).partition("unpack it: ")[2])[-4:] == ["-xf", str(path), "-C", "a b"]
