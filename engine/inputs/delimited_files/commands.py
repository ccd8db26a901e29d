"""Commands that mend a delimited file → what a message says of them. Runs nothing."""

import re
import shlex

from engine.inputs.lines import find_encoding
from engine.inputs.paths.shell_commands import command

_PYTHON = "import csv, sys; csv.field_size_limit(1 << 30); "

_UNESCAPED = (  # escaped characters are put out of the way, in plane 15, until lines and fields are told apart
    'import csv, re, sys; e = dict(N="", n="\\n", t="\\t", r="\\r", b="\\b", f="\\f", v="\\v"); p = 983040; '
    r's = re.sub(r"\\([\0-\x7f])", lambda m: chr(p + ord(m[1])), sys.stdin.read()); '
    "back = lambda m: e.get(chr(ord(m[0]) - p), chr(ord(m[0]) - p)); csv.writer(sys.stdout).writerows("
    r'[re.sub("[\U000f0000-\U000f007f]", back, f) for f in line.split("\t")] for line in s.split("\n") if line)'
)


def unescaped(file: str) -> str:
    """Python that writes as CSV what a database dumped with tabs, and backslashes before line ends."""
    return _command(f"python3 -c {shlex.quote(_UNESCAPED)}", file, ".csv")


def sed(script: str, file: str, suffix: str = "") -> str:
    """GNU sed with ``script``, which writes a file of the same format, or one that ends in ``suffix``."""
    return f"GNU sed: {_command(f'sed {shlex.quote(script)}', file, suffix)}"


def python_csv(expression: str, file: str) -> str:
    """Python that writes as CSV the rows that ``expression`` gives."""
    program = f"{_PYTHON}csv.writer(sys.stdout).writerows({expression})"
    return _command(f"python3 -c {shlex.quote(program)}", file, ".csv")


def tail(line: int, file: str) -> str:
    """``tail``, which leaves out the lines before ``line``, a number from 1."""
    return _command(f"tail -n +{line}", file, "")


def for_sed(text: str) -> str:
    """``text`` in a basic regular expression."""
    return re.sub(r"([\\/.*^$\[])", r"\\\1", text).replace("\t", "\\t")


def _command(program: str, file: str, suffix: str) -> str:
    suffix = suffix or (".txt" if ".txt" in file else ".tsv" if ".tsv" in file else ".csv")
    return command(program, file, f"rows{suffix}", encoding=find_encoding(file))
