"""The folder of an export: it appears whole or not at all, and a run that was stopped goes on from what is there.

OUT.exporting/        while it is made, beside its place; of one behind a URL see `engine.outputs.work`
  lock                held by the run that works here
  plan.json           what is exported; another run goes on only if it is asked for the same
  files/              becomes OUT, by one rename, once all is there; of `engine.export.remote_folder` see there
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.export.files import FileFacts, facts_of
from engine.inputs.paths.file_kinds import EXPORT_CARD
from engine.outputs.remote import Remote
from engine.outputs.work import locked_work
from store.storage.atomic_file import remove_unfinished, replaced, sync, write_file

PLAN, _FILES, _ENDING = "plan.json", "files", "exporting"


class ExportFolder:
    """A folder on this machine while it is made.

    Args:
        work: where it is made.
        out: what it becomes.
    """

    def __init__(self, work: Path, out: Path | Remote) -> None:
        self._out = out
        self._work, self._files = work, work / _FILES

    def begin(self, identity: dict[str, Any]) -> None:
        """Keep what an earlier run of the same export has written, and nothing else."""
        plan = self._work / PLAN
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

    def facts(self, name: str) -> FileFacts:
        """What the card says of the file ``name``, which is written."""
        return facts_of(self._files / name)

    def write(self, name: str, write: Callable[[Path], None]) -> bool:
        """Let ``write`` make a file, whole or not at all; False if it is there."""
        place = self._files / name
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
        assert isinstance(self._out, Path), "files are put behind a URL one by one"
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
def work_of_export(out: Path | Remote) -> Iterator[Path]:
    """The folder in which ``out`` is made, locked. It goes with the block, unless an error leaves work to go on from.

    Raises:
        InputError: another run makes the same folder, or it cannot be made.
    """
    with locked_work(out, _ENDING) as work:
        try:
            yield work
        except BaseException:
            if not (work / PLAN).exists():  # nothing is done that another run could go on from
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work)


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
        raise no_export(out)
    return card


def no_export(out: Path | Remote) -> InputError:
    """What is said where there is something else than an export."""
    return InputError(f"{out} is there already, and no export; {_way(out)}")


def _way(out: Path | Remote) -> str:
    return f"name another folder with --out, or remove {out}"


def _read(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; None if there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
