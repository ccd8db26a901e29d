"""The worker, which labels on one device, and its process; `process` starts that with a connection's descriptor.

It takes a job and then shards from its parent, and ends at the first error: a CUDA error can make every later call in
its process fail. The process also ends as soon as its parent is gone.
"""

import os
import pickle
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from engine.labelling.runners.base import Job
from engine.labelling.runners.messages import Done, Message, Ready, Ticked, failed
from engine.labelling.runners.pipeline import Pipeline
from engine.models.loading.lean_imports import import_less

ORPHANED = 3
_TICK_SECONDS = 0.1


class Parent(ABC):
    """The process that hands shards to this worker, seen from here.

    Args:
        tick_seconds: between two reports of progress, at least.

    Attributes:
        inbox: its messages, pickled, as they come in.
    """

    def __init__(self, *, tick_seconds: float = _TICK_SECONDS) -> None:
        self.inbox: SimpleQueue[bytes] = SimpleQueue()
        self._tick_seconds = tick_seconds
        self._ticked = 0.0

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send it ``message``."""

    def receive(self) -> Any:
        """Wait for its next message."""
        return pickle.loads(self.inbox.get())

    def take(self, *, wait: bool) -> int | None:
        """The next shard; None if there are no more, or, without ``wait``, if it has sent none yet."""
        if not wait and self.inbox.empty():
            return None
        shard: int | None = self.receive()
        if shard is None:
            self.inbox.put(pickle.dumps(None))  # the next call gets None, too
        return shard

    def done(self, shard: int, report: Any) -> None:
        """Report a committed shard."""
        self.send(Done(shard, report))

    def tick(self, _what: str, rows: int, _total: int | None) -> None:
        """Report progress, but not more often than the parent needs it."""
        now = time.monotonic()
        if now - self._ticked >= self._tick_seconds:
            self._ticked = now
            self.send(Ticked(rows))


class _PipeParent(Parent):
    """The other end of the connection."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        super().__init__()
        self._connection = connection
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Run in a thread, so that the parent's death is noticed while the model is loaded or computes."""
        while True:
            try:
                self.inbox.put(self._connection.recv_bytes())
            except (EOFError, OSError):
                os._exit(ORPHANED)

    def send(self, message: Message) -> None:
        try:
            self._connection.send(message)
        except OSError:
            os._exit(ORPHANED)


def serve(parent: Parent) -> int:
    """Open the job and label shards until there are no more; the exit status. Job and device come first."""
    try:
        _label_all(parent, job=parent.receive(), device=parent.receive())
    except Exception as error:  # noqa: BLE001 - the parent decides what follows from any error
        parent.send(failed(error))
        return 1
    return 0


def _label_all(parent: Parent, *, job: Job, device: str) -> None:
    steps = job.open(device)
    parent.send(Ready())
    # A GPU computes by itself, so the last shard can be written meanwhile. On a CPU that gains nothing, and a kill
    # would lose that shard as well.
    behind = device.startswith("cuda")
    Pipeline(steps, ahead=True, behind=behind, tick=parent.tick, done=parent.done).run(parent)


def main() -> int:
    """Serve the parent at the descriptor that the command line names."""
    # A terminal sends Ctrl-C, and Slurm SIGUSR1, to all processes; whether to stop is the parent's decision. The parent
    # started this process with these signals blocked.
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM))
    import_less()
    return serve(_PipeParent(Connection(int(sys.argv[1]))))


if __name__ == "__main__":
    sys.exit(main())
