"""Steps prepared in a thread of their own, ahead of the training."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.training.data.steps import Step

_AHEAD = 8


class _End:
    """What comes behind the last step: how the iterator ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(steps: Iterator[Step]) -> Iterator[Iterator[Step]]:
    """``steps``, made by a thread of its own while the ones before are computed.

    An error of the thread is raised where its step is taken. When the context ends, so does the thread.
    """
    made: queue.Queue[Step | _End] = queue.Queue(_AHEAD)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(steps, made, stop), name="steps", daemon=True)
    thread.start()
    try:
        yield _taken(made.get)
    finally:
        stop.set()
        while thread.is_alive():
            _drain(made)
            thread.join(0.01)


def _fill(steps: Iterator[Step], made: "queue.Queue[Step | _End]", stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for step in steps:
            made.put(step)
            if stop.is_set():
                return
    except BaseException as raised:  # noqa: BLE001 - raised again where the step is taken
        error = raised
    made.put(_End(error))


def _taken(get: Callable[[], "Step | _End"]) -> Iterator[Step]:
    while not isinstance(step := get(), _End):
        yield step
    if step.error is not None:
        raise step.error


def _drain(made: "queue.Queue[Step | _End]") -> None:
    while not made.empty():
        made.get_nowait()
