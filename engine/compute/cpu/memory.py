"""Memory that is kept from batch to batch on a CPU: by the C library, and by the caches of prepared products.

Fresh pages cost as much as what is put into them, so freed blocks are kept. A prepared product is of use to batches of
the same number of tokens alone, so few of those are.
"""

import contextlib
import ctypes
import logging
import os
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BYTES = 1 << 30
_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Environment variables with the number of prepared products that oneDNN keeps, and torch's cache in front of it."""
_PREPARED = "256"  # of some ten numbers of tokens, which is what batches are filled up to
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


def keep_few_products() -> None:
    """Bound the caches of prepared products, unless the user did. It must come before the first product.

    By default each keeps 1,024, of one or two MB for each number of tokens: as many as half a GB in a long run.
    """
    for name in _CACHES:
        os.environ.setdefault(name, _PREPARED)


def return_memory() -> None:
    """Hand freed blocks back to the kernel, if the C library is glibc: they may be too small for what is asked for."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
