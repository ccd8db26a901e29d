"""Processes that begin a whole run at the same moment, in one folder; or that append to the store there.

Run as a script: a request comes in on stdin as JSON, ``{"files": […], "rounds": [[FOLDER, [KILL_AT, …]], …]}``, with an
entry for each writer, the number of the call in which it is killed or null; the exit codes of each round go out. With
``"more": [[FILE, …], …]`` each writer appends files of its own instead.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from faults import Fault, FaultyStorage
from whole_run import append_more, whole_run

from store.storage import LocalStorage, Storage


def main() -> None:
    request = json.load(sys.stdin)
    files, more = tuple(request["files"]), [tuple(own) for own in request.get("more", [])]
    codes = [race(folder, files, kills, more[: len(kills)]) for folder, kills in request["rounds"]]
    sys.stdout.write(json.dumps(codes))


def race(
    folder: str, files: tuple[str, ...], kills: Sequence[int | None], more: Sequence[tuple[str, ...]] = ()
) -> list[int]:
    """Exit codes of the writers. Each is a fork of this process, which has loaded everything and run nothing."""
    gate, opened = os.pipe()
    writers = []
    for number, kill_at in enumerate(kills):
        if (writer := os.fork()) == 0:
            write(folder, files, kill_at, gate, more[number] if more else ())
        writers.append(writer)
    os.write(opened, b"!" * len(writers))
    codes = [os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) for writer in writers]
    os.close(gate)
    os.close(opened)
    return codes


def write(folder: str, files: tuple[str, ...], kill_at: int | None, gate: int, more: tuple[str, ...]) -> NoReturn:
    storage: Storage = LocalStorage(folder)
    if kill_at is not None:
        storage = FaultyStorage(storage, {kill_at: Fault.KILL}, die=die)
    code = 1
    try:
        os.read(gate, 1)
        if more:
            append_more(storage, more, shards=1)
        else:
            whole_run(storage, files)
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may get out of the fork
        traceback.print_exc()
    finally:
        os._exit(code)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL did not come")


if __name__ == "__main__":
    main()
