"""Memory that the C library keeps from batch to batch: on a CPU, fresh pages cost as much as what is put into them."""

import contextlib
import ctypes
import logging
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BYTES = 1 << 30
_log = logging.getLogger(__name__)


@cache
def keep_memory() -> None:
    """Let this process reuse freed blocks of up to a GiB, rather than hand them back to the kernel each time.

    Only glibc can; elsewhere nothing happens. It holds for the rest of the process.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    taken = [mallopt(parameter, _KEPT_BYTES) for parameter in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    if not all(taken):
        _log.debug("the C library does not keep large blocks")


def return_memory() -> None:
    """Hand freed blocks back to the kernel, if the C library is glibc: they may be too small for what is asked for."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
