"""What ``torchrun`` says of this process in environment variables. No torch."""

import logging
import os


def rank_count() -> int:
    """Processes that train together; 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def quiet_others() -> None:
    """Let only the first rank log progress."""
    if rank_count() > 1:
        quiet_unless_first(int(os.environ.get("RANK", "0")))


def quiet_unless_first(rank: int) -> None:
    """Let this process, which has this rank, log no progress unless it is the first."""
    if rank:
        logging.getLogger("engine").setLevel(logging.WARNING)
