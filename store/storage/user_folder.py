"""Where files that were fetched are kept: a folder of the user, which all stores and processes share."""

import os
import tempfile
from pathlib import Path

FOLDER = "ENGINE_CACHE"
"""Variable of the environment that names another one."""


def user_folder() -> Path:
    """The folder that the environment names, else one in the user's own cache folder. It need not exist."""
    if named := os.environ.get(FOLDER):
        return Path(named).expanduser()
    name = "softlabel-engine"
    if (named := os.environ.get("XDG_CACHE_HOME", "")).startswith("/"):
        return Path(named) / name
    try:
        return Path.home() / ".cache" / name
    except RuntimeError:  # a user of a container may have no home
        return Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
