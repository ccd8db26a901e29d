r"""Weka's ARFF → the command that writes it as CSV.

Its values may stand in either quotation mark, with a backslash before what would end them; ``?`` is no value.
"""

import shlex

from engine.inputs.lines import find_encoding
from engine.inputs.paths.shell_commands import command

_PROGRAM = (
    "import csv, re, sys; "
    r'head, body = re.split(r"(?im)^@data.*\n", sys.stdin.read(), maxsplit=1); '
    r'field = r"""\s*(?:\x27((?:[^\x27\\]|\\.)*)\x27|"((?:[^"\\]|\\.)*)"|([^,\s][^,]*?|))\s*(?:,|$)"""; '
    r'name = r"""(?im)^@attribute\s+(?:\x27([^\x27]+)\x27|"([^"]+)"|(\S+))"""; '
    r'plain = lambda s: re.sub(r"\\(.)", lambda m: dict(n="\n", t="\t", r="\r").get(m[1], m[1]), s); '
    r'lines = [line for line in body.split("\n") if line.strip() and line[0] != "%"]; '
    'names = ["".join(some) for some in re.findall(name, head)]; '
    'csv.writer(sys.stdout).writerows([names, *([plain(a or b) or ("" if c == "?" else c) for'
    " a, b, c in re.findall(field, line)][:len(names)] for line in lines)])"
)


def way_of_arff(file: str) -> str:
    """What is done with ``file``, and the command."""
    program = f"python3 -c {shlex.quote(_PROGRAM)}"
    return f"write its data as CSV: {command(program, file, 'rows.csv', encoding=find_encoding(file))}"
