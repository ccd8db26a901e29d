"""What ``torchrun`` says of this process in environment variables. No torch."""

import logging
import os


def rank_count() -> int:
    """Processes that train together; 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def quiet_others() -> None:
    """Let only the first rank log progress."""
    if rank_count() > 1 and os.environ.get("RANK", "0") != "0":
        logging.getLogger("engine").setLevel(logging.WARNING)
