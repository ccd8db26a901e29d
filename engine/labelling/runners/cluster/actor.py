"""The worker on a node of a Ray cluster: the loop of `engine.labelling.runners.worker` behind a mailbox. No torch.

Ray calls its methods from outside, in threads: `work` runs as long as the worker does, `put` brings it messages and
`news` takes those that it sends; `warm` and `call` come before. No row of text and no logits pass through: those go
between the node and the store.
"""

import importlib
import os
import pickle
import threading
import time
from collections import deque
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.labelling.runners.messages import Begun, Message, failed
from engine.labelling.runners.worker import Parent, serve
from engine.models.loading.lean_imports import import_less
from store.errors import MismatchError

THREADS = 4
"""Of an actor: one works, one waits for what it sends, and the others take what comes in."""
_LABELLING = ("engine.labelling.job", "engine.labelling.probe")
"""Modules that every job needs."""
_TICK_SECONDS = 1.0
_PACKAGES = ("softlabel-engine", "torch", "transformers", "tokenizers", "numpy", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Home:
    """Where the run was started, which its workers must match.

    Attributes:
        folder: that relative paths begin at.
        versions: of packages, by name.
    """

    folder: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Home":
        """That of this process."""
        return cls(folder=str(Path.cwd()), versions={name: version(name) for name in _PACKAGES})

    def enter(self, where: str) -> None:
        """Make this process, at ``where``, like the one where the run was started.

        Raises:
            MismatchError: it has other versions, which may give other bits.
        """
        here = Home.here().versions
        wrong = [f"{name} {here[name]} and not {mine}" for name, mine in self.versions.items() if here[name] != mine]
        if wrong:
            raise MismatchError(
                f"{where} has {', '.join(wrong)}, which this run was started with. Install the same versions on every "
                "node"
            )
        if Path(self.folder).is_dir():
            os.chdir(self.folder)


class Mailbox(Parent):
    """The actor: a worker, and the way to its driver.

    Args:
        home: of the driver.
    """

    def __init__(self, home: Home) -> None:
        super().__init__(tick_seconds=_TICK_SECONDS)
        self._home = home
        self._came: dict[int, bytes] = {}
        self._next = 0
        self._coming = threading.Lock()
        self._sent = deque[Message]()
        self._first = 0  # number of the first of them
        self._sent_one = threading.Condition()

    def warm(self) -> None:
        """Import what labelling needs, before there is a job: the process is ours alone."""
        import_less()
        for name in _LABELLING:
            importlib.import_module(name)

    def call(self, task: bytes, device: str) -> bytes:
        """Run a pickled task; its result, pickled.

        Raises:
            MismatchError: this node has other versions than the driver.
        """
        self._home.enter("a node")
        result: Any = pickle.loads(task)(device)
        return pickle.dumps(result)

    def work(self, job: bytes, device: str) -> None:
        """Label shards until there are no more.

        Args:
            job: pickled.
            device: ``cpu`` or ``cuda``: the one that Ray shows this process.
        """
        node, address = place()
        where = f"{device} of node {address} ({node[:8]})"
        self.send(Begun(where, node))
        try:
            self._home.enter(where)
        except MismatchError as error:
            self.send(failed(error))
            return
        self.inbox.put(job)
        self.inbox.put(pickle.dumps(device))
        serve(self)

    def put(self, number: int, message: bytes) -> None:
        """Bring the worker a pickled message. Ray may call in another order than the driver did.

        Args:
            number: of the message, from 0.
            message: pickled.
        """
        with self._coming:
            self._came[number] = message
            while self._next in self._came:
                self.inbox.put(self._came.pop(self._next))
                self._next += 1

    def news(self, seen: int, seconds: float) -> list[Message]:
        """What the worker has sent after its first ``seen`` messages, so that an answer that is lost is given again.

        Args:
            seen: messages that the driver has.
            seconds: to wait for another one, at most.
        """
        deadline = time.monotonic() + seconds
        with self._sent_one:
            while self._first < seen:
                self._sent.popleft()
                self._first += 1
            while not self._sent and (left := deadline - time.monotonic()) > 0:
                self._sent_one.wait(left)
            return list(self._sent)

    def send(self, message: Message) -> None:
        """Keep ``message`` until the driver has it."""
        with self._sent_one:
            self._sent.append(message)
            self._sent_one.notify()


def place() -> tuple[str, str]:
    """Id and address of the node on which this process of Ray runs."""
    import ray

    found: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return ray.get_runtime_context().get_node_id(), found
