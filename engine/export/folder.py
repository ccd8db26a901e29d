"""The folder of an export: it appears whole or not at all, and a run that was stopped goes on from what is there.

OUT.exporting/        while it is made, beside its place
  lock                held by the run that works here
  plan.json           what is exported; another run goes on only if it is asked for the same
  files/              becomes OUT, by one rename, once all is there
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.inputs.paths.file_kinds import EXPORT_CARD
from store.storage.atomic_file import remove_unfinished, replaced, sync, write_file
from store.storage.file_lock import is_at, lock

_PLAN, _LOCK, _FILES = "plan.json", "lock", "files"


class ExportFolder:
    """The folder while it is made.

    Args:
        work: where it is made.
        out: what it becomes.
    """

    def __init__(self, work: Path, out: Path) -> None:
        self._work, self._out = work, out
        self._files = work / _FILES

    def begin(self, identity: dict[str, Any]) -> None:
        """Keep what an earlier run of the same export has written, and nothing else."""
        plan = self._work / _PLAN
        if _read(plan) != identity:
            plan.unlink(missing_ok=True)
            shutil.rmtree(self._files, ignore_errors=True)
            self._files.mkdir()
            write_file(plan, json.dumps(identity))
        self._files.mkdir(exist_ok=True)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        for folder in (self._files, *(path for path in self._files.iterdir() if path.is_dir())):
            remove_unfinished(folder)

    def place(self, name: str) -> Path:
        """Where the file ``name`` is, or will be."""
        return self._files / name

    def write(self, name: str, write: Callable[[Path], None]) -> bool:
        """Let ``write`` make a file, whole or not at all; False if it is there."""
        place = self.place(name)
        if place.exists():
            return False
        place.parent.mkdir(exist_ok=True)
        with replaced(place) as temporary:
            write(temporary)
        return True

    def finish(self) -> None:
        """Put the folder into its place.

        Raises:
            InputError: something else came there meanwhile.
        """
        for folder in self._files.iterdir():
            if folder.is_dir():
                sync(folder)
        sync(self._files)
        try:
            os.rename(self._files, self._out)  # noqa: PTH104 - Path.rename says nothing of an empty folder
        except OSError as error:
            if not self._out.exists():
                raise
            raise InputError(f"{self._out} came into being meanwhile; {_way(self._out)}") from error
        sync(self._out.parent)


@contextlib.contextmanager
def export_folder(out: Path) -> Iterator[ExportFolder]:
    """The folder in which ``out`` is made, locked. It goes with the block, unless an error leaves work to go on from.

    Raises:
        InputError: another run makes the same folder, or it cannot be made.
    """
    with locked_work(out) as work:
        try:
            yield ExportFolder(work, out)
        except BaseException:
            if not (work / _PLAN).exists():  # nothing is done that another run could go on from
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work)


@contextlib.contextmanager
def locked_work(out: Path) -> Iterator[Path]:
    """``OUT.exporting``, beside ``out``, made if it does not exist and held by this run alone.

    Raises:
        InputError: another run has it, or it cannot be made.
    """
    work = out.with_name(f"{out.name}.exporting")
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / _LOCK).open("ab")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.filename}: {error.strerror}") from error
    with file:
        if not lock(file) or not is_at(file.fileno(), work / _LOCK):
            raise InputError(
                f"another run is making {out}: wait for it, or name another folder with --out. (If there is none, its "
                f"disk knows no locks; {work} is where it works)"
            )
        yield work


def card_of(out: Path) -> dict[str, Any] | None:
    """The card of an export that is whole; None if there is nothing at ``out``, or an empty folder.

    Raises:
        InputError: there is something else.
    """
    if not out.exists() and not out.is_symlink():
        return None
    if out.is_dir() and not any(out.iterdir()):
        return None
    card = _read(out / EXPORT_CARD)
    if card is None:
        raise InputError(f"{out} is there already, and no export; {_way(out)}")
    return card


def _way(out: Path) -> str:
    return f"name another folder with --out, or remove {out}"


def _read(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; None if there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
