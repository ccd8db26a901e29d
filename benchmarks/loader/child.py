"""The process that is measured by `benchmarks.loader.run`: JSON on stdin, the answer as stdout's last line.

It runs with the interpreter that has the contender's packages, which need not have this project's: nothing of it is
imported but what is named in `benchmarks.loader.contenders`.
"""

import json
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.loader.contenders import CONTENDERS
from benchmarks.loader.data import Batch, Data, EpochCheck, load_data

_LEAST_SECONDS = 2.0


def versions(request: dict[str, Any]) -> dict[str, str]:
    """Of the packages that are installed here."""
    found = {}
    for name in request["packages"]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Write the data in the contender's own format."""
    import_module(CONTENDERS[request["contender"]].module).write(
        load_data(Path(request["data"])), Path(request["place"])
    )
    return {}


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of an epoch, after one whose every row is checked: the mean of as many as fill `_LEAST_SECONDS`."""
    module = import_module(CONTENDERS[request["contender"]].module)
    epoch = module.epochs(Path(request["place"]), request["form"], request["workers"])
    rows = checked(load_data(Path(request["data"])), epoch(0))
    given, count, seconds = 0, 0, 0.0
    started = time.perf_counter()
    while seconds < _LEAST_SECONDS:
        count += 1
        given += sum(len(batch.rows) for batch in epoch(count))
        seconds = time.perf_counter() - started
    if given != rows * count:
        raise ValueError(f"{count} epochs gave {given:,} rows, not {rows * count:,}")
    return {"seconds": seconds / count}


def checked(data: Data, batches: Iterable[Batch]) -> int:
    """Rows of a whole epoch.

    Raises:
        ValueError: it is not each row once with its token ids and its logits.
    """
    check = EpochCheck(data)
    for batch in batches:
        check.add(batch)
    check.finish()
    return len(data.lengths)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    answer = {"versions": versions, "write": write, "read": read}[given.pop("what")](given)
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
