"""An iterator of steps → the same steps, prepared in a thread while earlier ones are computed."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.training.data.steps import Step

_AHEAD = 8


class _End:
    """Marks the end of the steps; ``error`` is what ended them early, if anything did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(steps: Iterator[Step]) -> Iterator[Iterator[Step]]:
    """``steps``, taken by a thread that stays at most `_AHEAD` steps in front.

    An error in ``steps`` is raised where the failed step would have come. The thread ends with the context.
    """
    ready: queue.Queue[Step | _End] = queue.Queue(_AHEAD)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(steps, ready, stop), name="steps", daemon=True)
    thread.start()
    try:
        yield _until_end(ready.get)
    finally:
        stop.set()
        while thread.is_alive():
            _drain(ready)
            thread.join(0.01)


def _fill(steps: Iterator[Step], ready: "queue.Queue[Step | _End]", stop: threading.Event) -> None:
    """The thread: put ``steps`` into the queue until they end or ``stop`` is set."""
    error: BaseException | None = None
    try:
        for step in steps:
            ready.put(step)
            if stop.is_set():
                return
    except BaseException as raised:  # noqa: BLE001 - raised again where the step is taken
        error = raised
    ready.put(_End(error))


def _until_end(get: Callable[[], "Step | _End"]) -> Iterator[Step]:
    while not isinstance(step := get(), _End):
        yield step
    if step.error is not None:
        raise step.error


def _drain(ready: "queue.Queue[Step | _End]") -> None:
    """Make room, so that a thread that waits in ``put`` can end."""
    while not ready.empty():
        ready.get_nowait()
