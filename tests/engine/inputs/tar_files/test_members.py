"""Damaged tars: wherever one is cut or a header is changed, that is told, and no row is lost without a word."""

import contextlib
import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.inputs.lines import LINE_BYTES
from engine.inputs.tar_files import members
from engine.inputs.tar_files.members import members_of

SIZES = [0, 1, 511, 512, 513, 3000]
NAMES = [f"{number:03d}.txt" for number in range(len(SIZES))]


def tar_bytes(format_: int = tarfile.USTAR_FORMAT) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=format_) as tar:
        for name, size in zip(NAMES, SIZES, strict=True):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(name.encode() * (size // 7 + 1)))
    return data.getvalue()


WHOLE = tar_bytes()
END = sum(512 + -(-size // 512) * 512 for size in SIZES)  # of the last member: then come two blocks of zeros


def names(path: Path) -> list[str]:
    return [member.name for member in members_of(str(path), lambda _: True)]


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_and_their_bytes(tmp_path: Path, format_: int) -> None:
    (tmp_path / "a.tar").write_bytes(tar_bytes(format_))
    found = list(members_of(str(tmp_path / "a.tar"), lambda name: name != NAMES[1]))
    assert [(one.name, one.size) for one in found] == list(zip(NAMES, SIZES, strict=True))
    assert found[1].data is None
    assert found[5].data == (NAMES[5].encode() * 500)[:3000]


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_that_is_cut_anywhere_is_refused(tmp_path: Path, packed: bool) -> None:
    """Python's tarfile takes many of these for whole."""
    silent, path = 0, tmp_path / ("a.tar.gz" if packed else "a.tar")
    for size in sorted({*range(1, END + 512, 101), *range(512, END + 1, 512)}):
        path.write_bytes(gzip.compress(WHOLE[:size], 0) if packed else WHOLE[:size])
        with pytest.raises(InputError, match=r"is damaged or cut off.*, at byte [\d,]+: .*Fetch it or write it again"):
            names(path)
        with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(WHOLE[:size])) as tar:
            silent += len(tar.getnames()) < len(NAMES)
    assert silent > 5
    path.write_bytes(gzip.compress(WHOLE[: END + 512], 0) if packed else WHOLE[: END + 512])
    assert names(path) == NAMES


def test_a_packed_tar_that_is_cut_is_refused(tmp_path: Path) -> None:
    data = gzip.compress(WHOLE)
    for size in range(0, len(data) - 8, 37):
        (tmp_path / "a.tar.gz").write_bytes(data[:size])
        with pytest.raises(InputError):
            names(tmp_path / "a.tar.gz")


def test_a_changed_header_is_refused_with_the_member_before_it(tmp_path: Path) -> None:
    """A flipped bit of a name or a size makes the checksum of its header wrong, wherever it stands."""
    starts = np.cumsum([0, *(512 + -(-size // 512) * 512 for size in SIZES[:-1])]).tolist()
    for number, start in enumerate(starts):
        for place in (0, 130, 150, 200):
            data = bytearray(WHOLE)
            data[start + place] ^= 1
            (tmp_path / "a.tar").write_bytes(data)
            behind = rf" behind the member '{NAMES[number - 1]}'" if number else ""
            with pytest.raises(InputError, match=rf"is damaged or cut off{behind}, at byte {start:,}"):
                names(tmp_path / "a.tar")


def test_tars_one_behind_the_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE + WHOLE)
    with pytest.raises(
        InputError, match=r"goes on behind the mark .* see the first one alone\. unpack it: .* tar -i -xf"
    ):
        names(tmp_path / "a.tar")


def test_zeros_behind_the_end_are_none_of_its_faults(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE + bytes(1 << 21))
    assert names(tmp_path / "a.tar") == NAMES


@pytest.mark.parametrize("content", [b"", b"text, and no tar\n" * 100, bytes(511), b"\x00" * 513 + b"x"])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tar (is damaged or cut off|goes on behind)"):
        names(tmp_path / "a.tar")


def test_many_members_take_no_memory(tmp_path: Path) -> None:
    """What was read is not held: tarfile would keep every header."""
    import tracemalloc

    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(3000):
            tar.addfile(tarfile.TarInfo(f"{number}.txt"))
    tracemalloc.start()
    assert sum(1 for _ in members_of(str(tmp_path / "a.tar"), lambda _: True)) == 3000
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_of_any_size_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    """tarfile reads it at once; packed, it takes little room."""
    import tracemalloc

    size = 100 << 20
    with gzip.open(tmp_path / "a.tgz", "wb", compresslevel=1) as packed:
        packed.write(header(tarfile.REGTYPE, 0, "a.txt") + header(kind, size))
        for _ in range(size >> 20):
            packed.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"behind the member 'a.txt', at byte 512: a header .* more than 16,777,216"):
        names(tmp_path / "a.tgz")
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_headers_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sparse file there may be any number, and one header may announce the next."""
    monkeypatch.setattr(members, "_MOST", 1 << 20)
    sparse = bytearray(header(tarfile.GNUTYPE_SPARSE, 0, "a.txt"))
    sparse[482] = 1
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 256 + sum(sparse[156:]))
    more = b"0" * 504 + b"\1" + bytes(7)
    (tmp_path / "a.tar").write_bytes(bytes(sparse) + more * 3_000)
    with pytest.raises(InputError, match=r"is damaged .* a header there has more than 16,777,216 bytes"):
        names(tmp_path / "a.tar")
    (tmp_path / "b.tar").write_bytes((header(tarfile.GNUTYPE_LONGNAME, 2) + b"x".ljust(512, b"\0")) * 2_000)
    with pytest.raises(InputError, match=r"b\.tar is damaged"):
        names(tmp_path / "b.tar")


def test_a_member_as_long_as_a_row_may_be_is_read_and_longer_ones_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, size in (("ä.txt", LINE_BYTES), ("b.txt", LINE_BYTES + 1), ("c.txt", 40 << 20), ("d.txt", 3)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(bytes(size)))
    found = [(one.name, one.data and len(one.data)) for one in members_of(str(tmp_path / "a.tar"), lambda _: True)]
    assert found == [("ä.txt", LINE_BYTES), ("b.txt", None), ("c.txt", None), ("d.txt", 3)]


@pytest.mark.parametrize("is_hard", [True, False])
def test_a_link_that_would_be_a_row_is_refused_with_a_way_that_works(tmp_path: Path, is_hard: bool) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("good")
    link = tmp_path / "files" / "b.txt"
    link.hardlink_to(tmp_path / "files" / "a.txt") if is_hard else link.symlink_to("a.txt")
    pack = ["tar", "--sort=name", "-C", str(tmp_path / "files"), "-cf", str(tmp_path / "a.tar")]
    subprocess.run([*pack, "a.txt", "b.txt"], check=True)
    with pytest.raises(
        InputError, match=f"member 'b.txt' is a {'hard' if is_hard else 'symbolic'} link to 'a.txt'"
    ) as e:
        names(tmp_path / "a.tar")
    way = str(e.value).rpartition("unpack it: ")[2]
    unpack, _, flags = way.partition(", and pack it anew with tar ")
    subprocess.run(["bash", "-c", unpack], check=True, cwd=tmp_path)
    folder = unpack.rpartition(" -C ")[2]
    subprocess.run(["bash", "-c", f"tar {flags} --sort=name -C {folder} -cf b.tar ."], check=True, cwd=tmp_path)
    found = [(one.name, one.data) for one in members_of(str(tmp_path / "b.tar"), lambda _: True)]
    assert found == [("a.txt", b"good"), ("b.txt", b"good")]


def test_what_is_no_file_is_refused_where_it_would_be_read_and_named_elsewhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for kind, name in ((tarfile.DIRTYPE, "d.txt"), (tarfile.FIFOTYPE, "0.txt"), (tarfile.SYMTYPE, "0.jpg")):
            info = tarfile.TarInfo(name)
            info.type = kind
            tar.addfile(info)
    assert [one[:2] for one in members_of(str(tmp_path / "a.tar"), lambda _: False)] == [("0.txt", 0), ("0.jpg", 0)]
    with pytest.raises(
        InputError, match=r"member '0\.txt' is a device, .*; unpack it: .*, remove it there, and pack it"
    ):
        names(tmp_path / "a.tar")
