"""The process that checks one store: a request comes in on stdin as JSON, one JSON array a line goes out on stdout.

``["reading", FILE]`` before each data file, ``["finding", {…}]``, at last ``["done", NUMBER OF FINDINGS]`` or
``["error", [KIND, TEXT]]``.
"""

import dataclasses
import json
import sys
from typing import Any

from store.errors import StoreError
from store.storage import open_storage
from store.verify.verify import verify


def _say(kind: str, value: Any) -> None:
    sys.stdout.write(json.dumps([kind, value]) + "\n")
    sys.stdout.flush()  # the parent must know the last message if this process is killed


def main() -> None:
    """Read the request, check the store."""
    request = json.load(sys.stdin)
    skip = set(request["skip"])

    def before(name: str) -> bool:
        if name in skip:
            return False
        _say("reading", name)
        return True

    found = 0
    try:
        for finding in verify(open_storage(request["location"]), before=before):
            _say("finding", dataclasses.asdict(finding))
            found += 1
    except (StoreError, OSError) as error:
        _say("error", [type(error).__name__, str(error)])
        return
    _say("done", found)


if __name__ == "__main__":
    main()
