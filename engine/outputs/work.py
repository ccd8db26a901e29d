"""The folder in which a long output is made: beside its place, or, if that is behind a URL, on this machine.

A run that was killed goes on from what is there, so it has one name for one output. It is locked while a run works in
it, and goes when the output is in its place.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.outputs.remote import Remote
from store.storage.file_lock import is_at, lock
from store.storage.user_folder import FOLDER, user_folder

LOCK = "lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LETTERS = 60  # of the last part of a URL, in the name of a folder


def work_path(out: Path | Remote, ending: str) -> Path:
    """Where ``out`` is made: ``OUT.ENDING``; of a URL ``NAME-HASH.ENDING`` in the cache folder of the user."""
    if isinstance(out, Path):
        return out.with_name(f"{out.name}.{ending}")
    digits = hashlib.sha256(out.name.encode()).hexdigest()[:16]
    last = out.name.rpartition("/")[2][:_LETTERS]
    return user_folder() / "outputs" / f"{last}-{digits}.{ending}"


def where_work_lies(out: Path | Remote) -> str:
    """What a message adds of the folder of `work_path`, if the user would not look for it there."""
    return "" if isinstance(out, Path) else f" ({FOLDER} names another folder than {user_folder()})"


@contextlib.contextmanager
def locked_work(out: Path | Remote, ending: str) -> Iterator[Path]:
    """The folder of `work_path`, made if it does not exist and held by this run alone.

    Raises:
        InputError: another run has it, or it cannot be made.
    """
    work = work_path(out, ending)
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / LOCK).open("ab")
    except OSError as error:
        where = where_work_lies(out)
        raise InputError(f"{out} cannot be written: {error.filename}: {error.strerror}{where}") from error
    with file:
        if not lock(file) or not is_at(file.fileno(), work / LOCK):
            raise InputError(
                f"another run is making {out}: wait for it, or name another place with --out. (If there is none, its "
                f"disk knows no locks; {work} is where it works)"
            )
        with contextlib.nullcontext() if isinstance(out, Path) else room(out, work, variable=FOLDER):
            yield work


@contextlib.contextmanager
def room(out: Remote, folder: Path, *, variable: str) -> Iterator[None]:
    """Say of a full disk that ``out`` is made there, in ``folder``, which the environment's ``variable`` decides.

    Raises:
        EngineError: it is full.
    """
    try:
        yield
    except OSError as error:
        is_there = error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(folder)
        if error.errno not in _FULL or not is_there:
            raise
        raise EngineError(
            f"{folder}: {error.strerror}. {out} is made there before it is put; make space, or name another folder by "
            f"{variable}, and run the same command again"
        ) from error
