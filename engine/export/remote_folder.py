"""The folder of an export behind a URL: each file is made on this machine, put, and removed here; the card is last.

A folder without its card is no export. Files of one that was killed are known by their bytes, which are the same each
time: none is ever written over. In ``files`` of the work folder, ``put.json`` says what was put, so that no file is
made twice.
"""

import dataclasses
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.export.files import FileFacts, facts_of
from engine.export.folder import ExportFolder, no_export
from engine.inputs.paths.file_kinds import EXPORT_CARD
from engine.outputs.remote import Remote
from store.storage.atomic_file import write_file

_PUT = "put.json"


class RemoteExportFolder(ExportFolder):
    """The folder while it is made.

    Args:
        work: on this machine.
        out: the place.
    """

    def __init__(self, work: Path, out: Remote) -> None:
        super().__init__(work, out)
        self._place = out
        self._put: dict[str, dict[str, Any]] = {}

    def begin(self, identity: dict[str, Any]) -> None:
        """Know what an earlier run of the same export has put, as far as it is still there."""
        super().begin(identity)
        try:
            put = json.loads((self._files / _PUT).read_bytes())
        except (OSError, ValueError):
            return
        there = self._place.sizes()
        self._put = {name: facts for name, facts in put.items() if there.get(name) == facts["bytes"]}

    def facts(self, name: str) -> FileFacts:
        """What the card says of the file ``name``, which was put."""
        return FileFacts(**self._put[name])

    def write(self, name: str, write: Callable[[Path], None]) -> bool:
        """Let ``write`` make a file, and put it, whole or not at all; False if it is there.

        Raises:
            InputError: another file is there under this name.
        """
        if name in self._put:
            return False
        super().write(name, write)
        made = self._files / name
        self._settle(made, name)
        self._put[name] = dataclasses.asdict(facts_of(made))
        write_file(self._files / _PUT, json.dumps(self._put))
        made.unlink()
        return True

    def _settle(self, made: Path, name: str) -> None:
        if self._place.size(name) is None:
            self._place.put(made, name)
        elif not self._place.holds(made, name):
            raise InputError(
                f"{self._place}/{name} is there already, and is another file; name another folder with --out, or "
                "remove that one"
            )

    def finish(self) -> None:
        """Nothing: the card is there, and with it the folder."""


def remote_card(out: Remote, names: Collection[str]) -> dict[str, Any] | None:
    """The card of an export that is whole; None if there is nothing, or what a run left that did not end.

    Args:
        out: the place.
        names: of the files that the export will have.

    Raises:
        InputError: there is something else.
    """
    there = out.sizes()
    if EXPORT_CARD in there:
        try:
            card = json.loads(b"".join(out.pieces(EXPORT_CARD)))
        except ValueError:
            raise no_export(out) from None
        if isinstance(card, dict):
            return card
    if out.size() is not None or EXPORT_CARD in there or there.keys() - set(names):
        raise no_export(out)
    return None
