"""A tar file, compressed or not → its members, one after the other; what is damaged or cut off is refused.

Python's ``tarfile`` takes a damaged header behind the first one for the end of the archive, and so does every program
on top of it: rows would be lost without a word. So the mark that ends a tar has to be there, and nothing behind it.
No member is ever unpacked to disk, and none is run.
"""

import shlex
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import InputError
from engine.inputs.lines import LINE_BYTES, open_bytes
from engine.inputs.paths.commands_by_ending import folder_for
from engine.inputs.paths.file_kinds import is_packed

_BLOCK = 512  # bytes: of a header, and what sizes are rounded up to
_PIECE = 1 << 20
_MOST = LINE_BYTES + (1 << 16)  # bytes: of the headers of a member together, or of its data


class Member(NamedTuple):
    """A file in a tar.

    Attributes:
        name: its path there, without a ``./`` before it.
        size: in bytes.
        data: its bytes; None if they are not wanted, or more than `LINE_BYTES`.
    """

    name: str
    size: int
    data: bytes | None


def members_of(file: str, wants: Callable[[str], bool]) -> Iterator[Member]:
    """The files of the tar ``file``, in its order; all but its folders.

    Args:
        file: its path.
        wants: whether the bytes of a member of this name are wanted; others are passed over.

    Raises:
        InputError: it is no tar, damaged, cut off, or several tars one behind the other; or a member whose bytes are
            wanted has none of its own, as links have.
    """
    last = ""
    with _opened(file) as source:
        try:
            with tarfile.open(fileobj=source, mode="r:") as tar:  # type: ignore[call-overload]
                while (found := tar.next()) is not None:
                    tar.members.clear()  # it would keep them all
                    name = found.name.removeprefix("./")
                    is_wanted = not found.isdir() and wants(name)
                    if is_wanted and not found.isreg():
                        raise _without_bytes(file, name, found)
                    source.begin_member()
                    if not found.isdir():
                        yield Member(name, found.size, _data(tar, found) if is_wanted else None)
                    source.begin_member()
                    last = name
                _check_end(source, file, last)
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, RecursionError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise _damaged(file, source.place - len(source.last), last, str(error)) from error


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    """The bytes of ``member``, or None if they are too many for a row."""
    if member.size > LINE_BYTES:
        return None
    content = tar.extractfile(member)
    return None if content is None else content.read()


class _Source:
    """The bytes of a tar, read forwards.

    Headers that go before a member, and its data, are each refused where they have more bytes than a row may: tarfile
    reads the former at once, of any size.

    Attributes:
        place: how many bytes were read or passed over.
        last: what was read last.
    """

    def __init__(self, raw: Any, *, can_seek: bool) -> None:
        self._raw, self._can_seek = raw, can_seek
        self._left = _MOST
        self.place, self.last = 0, b""

    def begin_member(self) -> None:
        """What is read from now on are the headers, or the data, of another member."""
        self._left = _MOST

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end.

        Raises:
            ValueError: they are too many for a member.
        """
        if size > self._left:
            raise ValueError(f"a header there has more than {LINE_BYTES:,} bytes")
        self._left -= size
        return self._take(size)

    def _take(self, size: int) -> bytes:
        self.last = self._raw.read(size)
        self.place += len(self.last)
        return self.last

    def tell(self) -> int:
        """How many bytes come before what is read next."""
        return self.place

    def seek(self, place: int) -> None:
        """Go on to ``place``."""
        if self._can_seek:
            self.place = self._raw.seek(place)
        while self.place < place and self._take(min(_PIECE, place - self.place)):
            pass

    def rest(self) -> Iterator[bytes]:
        """What comes to the end of the file, piece by piece."""
        while piece := self._take(_PIECE):
            yield piece


@contextmanager
def _opened(file: str) -> Iterator[_Source]:
    packed = is_packed(file)
    with open_bytes(file) if packed else Path(file).open("rb") as raw:
        yield _Source(raw, can_seek=not packed)


def _check_end(source: _Source, file: str, last: str) -> None:
    """Refuse a tar that does not end as one does.

    Raises:
        InputError: it does not.
    """
    if source.last != bytes(_BLOCK):
        what = "what comes there is no header" if source.last else "it ends there, without the mark that ends a tar"
        raise _damaged(file, source.place - len(source.last), last, what)
    end = source.place
    for piece in source.rest():
        if piece.strip(b"\0"):
            raise InputError(
                f"{file} goes on behind the mark that ends a tar (byte {end:,}), as tars do that were put one behind "
                f"the other; a reader would see the first one alone. {_unpacked(file, '-i ')}, and pack it anew"
            )


def _damaged(file: str, place: int, last: str, why: str) -> InputError:
    behind = f" behind the member {last!r}" if last else ""
    return InputError(f"{file} is damaged or cut off{behind}, at byte {place:,}: {why}. Fetch it or write it again")


def _without_bytes(file: str, name: str, member: tarfile.TarInfo) -> InputError:
    anew = "and pack it anew with tar --dereference --hard-dereference"
    if member.issym() or member.islnk():
        what = f"a {'symbolic' if member.issym() else 'hard'} link to {member.linkname!r}, without bytes of its own"
    else:
        what, anew = "a device, a pipe or of a kind that is not known, and no file", f"remove it there, {anew}"
    return InputError(f"{file}: its member {name!r} is {what}; {_unpacked(file)}, {anew}")


def _unpacked(file: str, flags: str = "") -> str:
    folder = shlex.quote(folder_for(file))
    return f"unpack it: mkdir -p {folder} && tar {flags}-xf {shlex.quote(file)} -C {folder}"


def way_to_unpack(file: str) -> str:
    """A command that unpacks the tar ``file`` into a folder of its own."""
    return _unpacked(file)
