"""Files of lines in every encoding → the same rows, or a refusal that says what the file looks like."""

import bz2
import gzip
import lzma
import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.inputs.blocks import RawBlock
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import read_raw
from engine.inputs.lines import find_encoding, lines_of, open_lines
from engine.inputs.options import ReadOptions

TEXTS = ["The soup arrived cold.", "Crème brûlée naïve", "Sturdy tent", "Café, déjà vu £5"]
CSV = "id,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(TEXTS))
JSONL = "".join(f'{{"text": "{text}"}}\n' for text in TEXTS)
TXT = "".join(f"{text}\n" for text in TEXTS)
OF_SUFFIX = {".csv": CSV, ".tsv": CSV.replace(",", "\t", 1).replace(',"', '\t"'), ".jsonl": JSONL, ".txt": TXT}


def blocks_of(path: Path, encoding: str | None = None) -> list[RawBlock]:
    return list(read_raw(str(path), ColumnNames(), ReadOptions(encoding=encoding)))


def texts_of(path: Path, encoding: str | None = None) -> list[str | None]:
    values = [value for block in blocks_of(path, encoding) for value in block.data["text"].to_pylist()]
    return [value if value is None or isinstance(value, str) else value.decode() for value in values]


def write(path: Path, content: str, encoding: str) -> Path:
    path.write_bytes(content.encode(encoding))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
@pytest.mark.parametrize(
    ("encoding", "mark", "found"),
    [
        ("utf-8", "", "utf-8"),
        ("utf-8", "\ufeff", "utf-8"),
        ("utf-16-le", "\ufeff", "utf-16-le"),
        ("utf-16-be", "\ufeff", "utf-16-be"),
        ("utf-16-le", "", "utf-16-le"),
        ("utf-16-be", "", "utf-16-be"),
        ("utf-32-le", "\ufeff", "utf-32-le"),
        ("utf-32-be", "\ufeff", "utf-32-be"),
    ],
)
def test_unicode_is_read_in_every_form(tmp_path: Path, suffix: str, encoding: str, mark: str, found: str) -> None:
    path = write(tmp_path / f"in{suffix}", mark + OF_SUFFIX[suffix].replace("\n", "\r\n"), encoding)
    assert texts_of(path) == TEXTS
    reading = blocks_of(path)[0].reading
    assert reading.options.encoding == found
    assert [note for note in reading.notes if "read as UTF" in note] == (
        [] if found == "utf-8" else [f"{path}: read as {encoding[:6].upper()}"]
    )
    assert texts_of(path, found) == TEXTS


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_json_lines_are_read_in_every_form(tmp_path: Path, encoding: str) -> None:
    assert texts_of(write(tmp_path / "in.jsonl", JSONL, encoding)) == TEXTS


@pytest.mark.parametrize(
    "text", ["Суп был холодный", "スープは冷たかった。\nラーメンは最高", "国破山河在,\n城春草木深"]
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_seen_in_other_scripts(tmp_path: Path, text: str, encoding: str) -> None:
    path = write(tmp_path / "in.txt", f"{text}\n" * 20, encoding)
    assert texts_of(path) == text.split("\n") * 20


def test_a_nul_here_and_there_does_not_make_utf_16(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", "fine\na\0\0b\nalso fine é\n" * 9, "utf-8")
    assert find_encoding(str(path)) == "utf-8"
    assert texts_of(path)[:3] == ["fine", "a\0\0b", "also fine é"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
def test_a_file_that_is_not_utf8_is_refused_as_a_whole_with_the_way(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"in{suffix}", OF_SUFFIX[suffix], "cp1252")
    with pytest.raises(InputError, match=r"is not UTF-8: it looks like Windows-1252 or Latin-1\. .*--encoding cp1252"):
        blocks_of(path)


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "CP1252", "windows-1252"])
def test_the_encoding_that_the_user_says_is_taken(tmp_path: Path, suffix: str, encoding: str) -> None:
    path = write(tmp_path / f"in{suffix}", OF_SUFFIX[suffix], encoding)
    assert texts_of(path, encoding) == TEXTS
    reading = blocks_of(path, encoding)[0].reading
    assert reading.options.encoding in ("cp1252", "iso8859-1")
    assert not any("read as" in note and encoding in note for note in reading.notes)


@pytest.mark.parametrize(
    ("text", "encoding"), [("Суп был холодный", "cp1251"), ("汤是冷的", "gb18030"), ("寒い", "shift_jis")]
)
def test_other_scripts_are_not_called_western(tmp_path: Path, text: str, encoding: str) -> None:
    path = write(tmp_path / "in.txt", f"{text}\n" * 5, encoding)
    with pytest.raises(InputError, match=rf"is not UTF-8: .*--encoding {encoding}[,;]"):
        blocks_of(path)
    assert texts_of(path, encoding) == [text] * 5


@pytest.mark.parametrize("name", ["nosuch", "base64", "rot13", "", "a\0b"])
def test_an_encoding_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="--encoding is .* no text encoding has that name"):
        blocks_of(write(tmp_path / "in.csv", CSV, "utf-8"), name)


def test_a_few_broken_rows_are_refused_alone(tmp_path: Path) -> None:
    good = ("plain\n" * 50 + "é\n").encode() * 40
    path = tmp_path / "in.txt"
    path.write_bytes(good + b"caf\xe9\n" * 3 + good)
    assert len(blocks_of(path)) > 0
    path.write_bytes(b"plain\n" * 100 + b"caf\xe9\n")
    assert sum(block.rows for block in blocks_of(path)) == 101


def test_the_way_out_of_the_refusal_works(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", TXT, "cp1252")
    values = [value for block in blocks_of(path, "utf-8") for value in block.data["text"].to_pylist()]
    assert values == [text.encode("cp1252") for text in TEXTS]


def test_a_file_that_stops_being_utf8_far_behind_is_refused_then(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"a plain line\n" * 200_000 + "naïve\n".encode("cp1252") * 5)
    with pytest.raises(InputError, match="is not UTF-8"):
        blocks_of(path)
    path.write_bytes("a naïve line\n".encode() * 200_000 + "naïve\n".encode("cp1252") * 5)
    assert sum(block.rows for block in blocks_of(path)) == 200_005


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) - 1, (1 << 20) + 1])
def test_a_character_over_the_edge_of_a_piece_is_whole(tmp_path: Path, size: int) -> None:
    text = "x" * (size - 1) + "語🙂é"
    assert texts_of(write(tmp_path / "in.txt", f"{text}\n{text}", "utf-8")) == [text, text]
    assert texts_of(write(tmp_path / "in.txt", f"{text}\n{text}", "utf-16")) == [text, text]


def test_what_means_nothing_in_an_encoding_refuses_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"text\ncaf\xe9\nbad \x81\nfine\n")
    values = blocks_of(path, "cp1252")[0].data["text"].to_pylist()
    assert [values[0].decode(), values[2].decode()] == ["café", "fine"]
    with pytest.raises(UnicodeDecodeError):
        values[1].decode()
    path.write_bytes("\ufefftext\nfine\n".encode("utf-16-le") + b"a\x00\x00\xd8b\x00\n\x00" + "end".encode("utf-16-le"))
    values = blocks_of(path)[0].data["text"].to_pylist()
    assert [values[0], values[2]] == [b"fine", b"end"]
    with pytest.raises(UnicodeDecodeError):
        values[1].decode()


def test_lines_come_as_utf8(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", "é\nü\n", "utf-16")
    assert list(lines_of(str(path))) == ["é\n".encode(), "ü\n".encode()]
    with open_lines(str(path)) as source:
        assert source.read(2) == "é".encode()


def test_padding_of_nuls_is_no_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"fine\nalso\n" + b"\0" * 500)
    assert texts_of(path)[:2] == ["fine", "also"]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04....", "is an Excel workbook or a zip archive and not text; save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "is an old Excel workbook and not text"),
        (b"PAR1....", "is a Parquet file; let its name end in .parquet"),
        (gzip.compress(b"text", mtime=0), "was compressed with gzip; let its name end in .gz"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "fetch that with: git lfs pull"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".txt", ".jsonl"])
def test_a_file_of_another_kind_is_told(tmp_path: Path, start: bytes, words: str, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_bytes(start)
    with pytest.raises(InputError, match=f"in{suffix} .*{words}"):
        blocks_of(path)


# --- compression


PACKED = {
    ".gz": gzip.compress,
    ".GZ": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".Xz": lzma.compress,
    ".zst": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
}


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_read_in_any_case_of_their_names(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.csv{suffix}"
    path.write_bytes(PACKED[suffix](CSV.encode()))
    with open_lines(str(path)) as source:
        assert source.read().decode() == CSV


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "junk"])
def test_damaged_packed_files_fail_as_files_do(tmp_path: Path, suffix: str, damage: str) -> None:
    content = PACKED[suffix](bytes(range(256)) * 500)
    path = tmp_path / f"in.csv{suffix}"
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\xffjunk" * 100)
    with pytest.raises((OSError, EOFError)), open_lines(str(path), "latin-1") as source:
        source.read()


@pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd")
def test_a_window_that_the_library_does_not_read_is_told_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"text\n" + b"x\n" * 10)
    with (tmp_path / "in.csv").open("rb") as source, (tmp_path / "in.csv.zst").open("wb") as sink:
        subprocess.run(["zstd", "--long=31", "--ultra"], stdin=source, stdout=sink, check=True)
    with pytest.raises(InputError, match="zstd -d --long=31"):
        blocks_of(tmp_path / "in.csv.zst")


def test_the_window_is_read_from_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "in.txt.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00" + bytes([(28 - 10) << 3]) + b"\0" * 9)
    with pytest.raises(InputError, match=r"window larger than 128 MiB .*zstd -d --long=31 .*in\.txt\.zst"):
        blocks_of(path)


POLISH = (
    "Zupa by\u0142a zimna, \u017ale.\n\u015awietna obs\u0142uga\n\u017b\u00f3\u0142ty ser\nSzybko i \u0142agodnie\n"
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (POLISH.encode("cp1250"), "name its encoding, for example --encoding cp1250"),
        (
            "d\u016fm\ntrh\nm\u00edt\n\u010das\n".encode("cp1250"),
            "--encoding cp1252, or with cp1250 if it is Polish, Czech",
        ),
        ("\u3053\u306e\n".encode("iso2022_jp"), "Read it with --encoding iso2022_jp"),
    ],
)
def test_windows_1252_is_not_the_only_other_encoding(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "in.txt").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)):
        blocks_of(tmp_path / "in.txt")


@pytest.mark.parametrize(
    "text",
    [
        "Caf\u00e9 tr\u00e8s d\u00e9j\u00e0",
        "Sch\u00f6ne \u00c4pfel, hei\u00df",
        "Sm\u00e5kakor\n\u00d6verl\u00e4gset k\u00f6tt",
    ],
)
@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("cp850", "MS-DOS. Read it with --encoding cp850"),
        ("mac_roman", "Macintosh. Read it with --encoding mac_roman;"),
        ("cp1252", "Windows-1252 or Latin-1. Read it with --encoding cp1252"),
    ],
)
def test_older_encodings_of_western_europe_are_known_by_their_letters(
    tmp_path: Path, text: str, encoding: str, says: str
) -> None:
    path = write(tmp_path / "in.txt", f"{text}\n", encoding)
    with pytest.raises(InputError, match=re.escape(says)):
        blocks_of(path)
    assert texts_of(path, encoding) == text.splitlines()


def test_letters_that_are_of_no_western_language_are_not_called_western(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name its encoding"):
        blocks_of(write(tmp_path / "in.txt", POLISH, "cp852"))
    path = write(tmp_path / "in.txt", "sm\u00e5 kakor\n", "mac_roman")
    with pytest.raises(InputError, match="--encoding cp850 or mac_roman"):
        blocks_of(path)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("\uc88b\uc544\uc694 ok", "iso2022_kr"), ("\u5473\u9053\u5f88\u597d", "hz"), ("\u3053\u306e", "iso2022_jp")],
)
def test_encodings_of_seven_bits_are_told_and_read_where_named(tmp_path: Path, text: str, encoding: str) -> None:
    path = write(tmp_path / "in.csv", f"text\n{text}\n{text} 2\n", encoding)
    with pytest.raises(InputError, match=f"--encoding {encoding};"):
        blocks_of(path)
    assert texts_of(path, encoding) == [text, f"{text} 2"]


def test_tildes_and_braces_are_no_encoding(tmp_path: Path) -> None:
    content = "~{name} is ~{not} here\nbut ~{ a b }~ is\n"
    assert texts_of(write(tmp_path / "in.txt", content, "utf-8")) == content.splitlines()


def test_signs_behind_words_are_windows_1252(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes("20 m\u00b3\n\u00bfQu\u00e9?\nn\u00ba 1\n".encode("cp1252"))
    with pytest.raises(InputError, match="it looks like Windows-1252"):
        blocks_of(tmp_path / "in.txt")


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("koi8-r", "koi8-r"), ("cp866", "cp866"), ("iso8859-5", "iso8859-5"), ("cp1251", None)],
)
@pytest.mark.parametrize(
    "texts",
    [
        ["Отлично, вернёмся", "Ужасно", "Грязно и шумно, 2 из 10", "Хорошо"],
        ["Много добро обслужване", "ще дойдем пак", "Лошо", "Твърде шумно"],
    ],
)
def test_cyrillic_that_is_not_utf8_names_its_encoding(
    tmp_path: Path, texts: list[str], encoding: str, named: str | None
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(("text\n" + "\n".join(texts)).encode(encoding))
    with pytest.raises(InputError, match="is not UTF-8") as raised:
        list(read_raw(str(path), ColumnNames(), ReadOptions()))
    found = re.search(r"Read it with --encoding ([\w-]+)", str(raised.value))
    assert (found and found[1]) == named
    assert encoding in str(raised.value)
    read = list(read_raw(str(path), ColumnNames(), ReadOptions(encoding=encoding, delimiter="\t")))
    assert [text.decode() for block in read for text in block.data["text"].to_pylist()] == texts


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("מלון מצוין, נחזור שוב", "cp1255"),
        ("الفندق جميل جدا وسوف نعود", "cp1256"),
        ("الفندق جميل جدا وسوف نعود", "iso8859-6"),
        ("ห้องสะอาดมาก พนักงานดี", "cp874"),
        ("Πολύ καλό ξενοδοχείο", "cp1253"),
        ("房间很干净,服务员非常热情", "gb18030"),
        ("部屋は狭いが清潔でした", "shift_jis"),
        ("部屋は狭いが清潔でした", "euc_jp"),
        ("방이 깨끗하고 직원이", "euc_kr"),
    ],
)
def test_other_letters_are_not_taken_for_cyrillic(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(("text\n" + f"{text}\n" * 4).encode(encoding))
    with pytest.raises(InputError, match="is not UTF-8") as raised:
        list(read_raw(str(path), ColumnNames(), ReadOptions()))
    assert "Russian" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "encoding", "says"),
    [
        ("방이 깨끗하고 조용했어요, 2박", "euc-kr", "Korean. Read it with --encoding cp949;"),
        ("房间很干净，服务也不错。", "gb18030", "Read it with --encoding gb18030;"),
        ("房間很乾淨，服務也不錯。", "big5", "Read it with --encoding big5;"),
        ("部屋はとても綺麗でした。", "shift_jis", "Japanese. Read it with --encoding shift_jis;"),
        ("部屋はとても綺麗でした。", "euc_jp", "Japanese. Read it with --encoding euc_jp;"),
        ("Отлично, вернёмся", "cp1251", "for example --encoding cp1251,"),
        ("Το δωμάτιο ήταν καθαρό", "cp1253", "for example --encoding cp1253,"),
        ("החדר היה נקי מאוד", "cp1255", "for example --encoding cp1255,"),
        ("الغرفة نظيفة جدا", "cp1256", "for example --encoding cp1256,"),
        ("ห้องสะอาดมาก", "cp874", "for example --encoding cp874,"),
        ("Şehir iğrenç, temizdi", "cp1254", "for example --encoding cp1254,"),
    ],
)
def test_an_encoding_with_the_letters_of_a_language_is_named_first(
    tmp_path: Path, text: str, encoding: str, says: str
) -> None:
    path = write(tmp_path / "in.txt", f"{text}\n{text} 2\n", encoding)
    with pytest.raises(InputError, match=re.escape(says)):
        blocks_of(path)


def test_a_character_of_two_surrogates_as_databases_write_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes("text\nbon \ud83d\ude0a!\ncut \ud83d\n".encode("utf-8", "surrogatepass"))
    (block,) = read_blocks(str(path), ColumnNames())
    assert (block.text.to_pylist(), block.problems) == (["bon 😊!", None], [None, "text has a lone surrogate"])
