"""Writers of one round of gold that are killed in turn, each in another call, in stores of their own.

Run as a script: the first argument is a folder of stores, ``0``, ``1`` and so on; the writer in the store N is killed in
its call N. Exit codes go out as JSON.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
from faults import Fault, FaultyStorage

import store
from store.gold.add_round import Labelled, add_round
from store.storage import LocalStorage


def round_of(rows: int) -> Labelled:
    numbers = np.arange(0, rows, 3)
    return Labelled(rows=numbers, labels=(numbers % 2).astype(np.int16), sources=["killed.csv"] * len(numbers))


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL did not come")


def main() -> None:
    codes = []
    for number in range(len(list(Path(sys.argv[1]).iterdir()))):
        if (writer := os.fork()) == 0:
            storage = FaultyStorage(LocalStorage(Path(sys.argv[1]) / str(number)), {number: Fault.KILL}, die=die)
            add_round(store.open(storage), round_of(50))
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main()
