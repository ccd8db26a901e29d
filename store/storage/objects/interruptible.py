"""A call that may wait for minutes → its result, unless a signal comes: the client of an object store hears none."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from store.storage.base import Result


def interruptible(call: Callable[[], Result]) -> Result:
    """What ``call`` gives. In the main thread, which alone gets signals, an interrupt ends the wait, not the call."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # a pool would be waited for at the end of the process
    return done.result()
