"""Commands apart from this process → what each says, and which of the heavy libraries it has imported."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

_CHILD = """
import contextlib, io, json, sys
from cli.main import run
said = []
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()) as out:
        code = run(arguments)
    loaded = sorted({"torch", "transformers"} & sys.modules.keys())
    said.append([code, out.getvalue(), errors.getvalue(), loaded])
    if loaded:
        break
print(json.dumps(said))
"""


class Said(NamedTuple):
    """What a command came to.

    Attributes:
        code: its exit code.
        out: on stdout.
        err: on stderr.
        loaded: ``torch``, ``transformers`` or both, if it imported them.
    """

    code: int
    out: str
    err: str
    loaded: list[str]


def run_apart(commands: Sequence[Sequence[str]]) -> list[Said]:
    """Run them one after the other; each finds nothing heavy imported, and so whoever follows one that does is apart."""
    said: list[Said] = []
    while left := [list(arguments) for arguments in commands[len(said) :]]:
        child = [sys.executable, "-c", _CHILD]
        done = subprocess.run(child, input=json.dumps(left), capture_output=True, text=True, check=True)
        said += [Said(*one) for one in json.loads(done.stdout)]
    return said
