"""Commands that mend a delimited file → what a message says of them. Runs nothing."""

import re
import shlex

from engine.inputs.lines import find_encoding
from engine.inputs.paths.shell_commands import command

_PYTHON = "import csv, sys; csv.field_size_limit(1 << 30); "


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
