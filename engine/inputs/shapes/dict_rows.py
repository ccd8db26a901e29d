"""The command that makes JSON Lines of the rows of a file, each a dict in Python. Runs nothing."""

import json
import shlex
from collections.abc import Sequence

from engine.errors import InputError
from engine.inputs.arrow_files.ways import read_by_python
from engine.inputs.delimited_files.find_dialect import find_dialect
from engine.inputs.delimited_files.tape import decoded, lines_in
from engine.inputs.lines import find_encoding, open_lines
from engine.inputs.options import FOUND_OUT
from engine.inputs.paths.file_kinds import ARROW, DELIMITED, JSON, PARQUET, kind_of_file
from engine.inputs.paths.shell_commands import command

_LINES = "map(json.loads, filter(str.strip, sys.stdin))"
_BOTH = "import json, sys; "
_BEGIN = "import csv, json, sys; csv.field_size_limit(1 << 30); "


def dict_rows(statements: str, file: str, names: Sequence[str] = ()) -> str | None:
    """The command that runs ``statements``, in which ``{rows}`` are the rows; None if its encoding has to be said.

    Args:
        statements: of Python.
        file: a delimited one.
        names: of its columns, if it has no header.
    """
    try:
        header = f", fieldnames={json.dumps(names)}" if names else ""
        said = statements.replace("{rows}", f"csv.DictReader(sys.stdin{header}{_dialect(file)})")
        program = f"python -c {shlex.quote(_BEGIN + said)}"
        return command(program, file, "rows.jsonl", encoding=find_encoding(file))
    except (InputError, OSError):
        return None


def rows_of_any(statements: str, file: str, names: Sequence[str] = ()) -> str | None:
    """As `dict_rows`, of a file of JSON, Parquet or Arrow as well; None of one that has no such rows.

    What the ``statements`` write with `json.dumps` of a table of Arrow may be a time, so they say ``default=str``.
    """
    kind = kind_of_file(file)
    if kind == DELIMITED:
        return dict_rows(statements, file, names)
    if kind in (PARQUET, ARROW):
        code = f"import json, pyarrow as pa, pyarrow.parquet as pq; {statements}"
        code = code.replace("{rows}", f"{read_by_python(file)}.to_pylist()")
        return f"python -c {shlex.quote(code)} > rows.jsonl"
    if kind != JSON:
        return None
    try:
        with open_lines(file) as source:
            data = source.peek().lstrip()
        if not (is_array := data.startswith(b"[")):
            json.loads(data.partition(b"\n")[0])
        said = statements.replace("{rows}", "json.load(sys.stdin)" if is_array else _LINES)
        return command(f"python -c {shlex.quote(_BOTH + said)}", file, "rows.jsonl", encoding=find_encoding(file))
    except (InputError, OSError, ValueError, RecursionError):
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
