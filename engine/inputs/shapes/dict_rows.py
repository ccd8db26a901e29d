"""The command that makes JSON Lines of the rows of a delimited file, each a dict in Python. Runs nothing."""

import json
import shlex

from engine.errors import InputError
from engine.inputs.delimited_files.find_dialect import find_dialect
from engine.inputs.delimited_files.tape import decoded, lines_in
from engine.inputs.lines import find_encoding, open_lines
from engine.inputs.options import FOUND_OUT
from engine.inputs.paths.shell_commands import command

_BEGIN = "import csv, json, sys; csv.field_size_limit(1 << 30); "


def dict_rows(statements: str, file: str) -> str | None:
    """The command that runs ``statements``, in which ``{rows}`` are the rows; None if its encoding has to be said."""
    try:
        said = statements.replace("{rows}", f"csv.DictReader(sys.stdin{_dialect(file)})")
        program = f"python -c {shlex.quote(_BEGIN + said)}"
        return command(program, file, "rows.jsonl", encoding=find_encoding(file))
    except (InputError, OSError):
        return None


def _dialect(file: str) -> str:
    """Arguments of `csv.DictReader`, each after a comma."""
    with open_lines(file) as source:
        data = source.peek()
    lines = lines_in(decoded(data, old_mac=b"\r" in data and b"\n" not in data))
    dialect = find_dialect(lines, FOUND_OUT, likely="\t" if ".tsv" in file.lower() else ",")
    said = "" if dialect.delimiter == "," else f", delimiter={json.dumps(dialect.delimiter)}"
    if not dialect.quote:
        return f"{said}, quoting=3"
    return said if dialect.quote == '"' else f"{said}, quotechar={json.dumps(dialect.quote)}"
