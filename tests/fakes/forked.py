"""``engine`` commands in children of a fork server that has torch in memory already: they start in no time.

A child is a process of its own in every respect that matters to a test: it can be killed, stopped and waited for, and
it has its own environment, standard output and error.
"""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from multiprocessing import forkserver
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = (
    "cli.main",
    "cli.commands.label.command",
    "cli.commands.train",
    "engine.labelling.execute",
    "engine.labelling.planning.plan",
    "engine.training.tasks.soft",
    "engine.evaluation.judge",
    "transformers.models.bert.modeling_bert",
)
_CONTEXT.set_forkserver_preload([*_PRELOADED])


class Forked:
    """A running command.

    Attributes:
        pid: of the process.
        out: file of its standard output.
        err: file of its standard error.
    """

    def __init__(self, arguments: list[str], **environment: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="forked-"))
        self.out, self.err = folder / "out", folder / "err"
        self._process = _CONTEXT.Process(target=_run, args=(arguments, environment, str(self.out), str(self.err)))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; its output."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "it took too long"
        return self.out.read_text(), self.err.read_text()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        """Wait for the end; its exit code."""
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, signal.SIGKILL)
            self._process.join()


def start_server() -> None:
    """Start the server now: a test that counts the children of its process does not count it."""
    forkserver.ensure_running()


def start_ranks(arguments: list[str], ranks: int) -> list[Forked]:
    """``arguments`` as ``ranks`` processes that train together, as torchrun starts them."""
    if ranks == 1:
        return [Forked(arguments)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    return [Forked(arguments, RANK=str(rank), **place) for rank in range(ranks)]


def wait_until(condition, seconds=90.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.005)


def _run(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    for number, name in ((1, out), (2, err)):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
    os.environ.update(environment)
    sys.argv = ["engine", *arguments]
    from cli.main import main

    main()
