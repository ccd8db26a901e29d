"""First texts of a file → whether they are what a program printed of its values, and the command that mends them.

A list, a dict or bytes of Python written into a table, or a struct of Athena; and UTF-8 that was read as Latin-1.
"""

import ast
import json
import re
import shlex
import warnings
from collections.abc import Callable, Sequence

from engine.errors import InputError
from engine.inputs.columns import Columns
from engine.inputs.json_files.jq_commands import from_lines
from engine.inputs.paths.file_kinds import ARROW, DELIMITED, JSON, PARQUET, kind_of_file
from engine.inputs.shapes.dict_rows import rows_of_any

LOOKED_AT = 200
_NEARLY, _FEWEST = 0.9, 2
_STRUCT = re.compile(r"(?s)\{\w+=.*\}")
_KEYS = re.compile(r"(?:^\{|, )([^\W\d]\w*)=")
_MENDED = (  # in Python: what was UTF-8 before it was read as Latin-1 or Windows-1252
    'import re, sys; d = {bytes([b]).decode("cp1252", "ignore") or chr(b): b for b in range(128, 256)}; '
    'd.update((chr(b), b) for b in range(128, 256)); c = "".join(k for k, b in d.items() if b < 192); '
    r'mend = lambda s: re.sub(f"[\xc2-\xdf][{c}]|[\xe0-\xef][{c}]{{2}}|[\xf0-\xf4][{c}]{{3}}", '
    'lambda m: bytes(d[k] for k in m[0]).decode("utf-8", "ignore"), s); '
)


def check_literals(texts: Sequence[str | None], column: str, columns: Columns, file: str) -> None:
    """Refuse texts that nearly all are what a program printed of a value.

    Args:
        texts: the first ones of ``file``.
        column: that they stand in.
        columns: of the file.
        file: its path.

    Raises:
        InputError: they are.
    """
    some = [text.strip() for text in texts[:LOOKED_AT] if text]
    printed = [text for text in some if text[:1] in "[{" or text[:2] in ("b'", 'b"')]
    if len(printed) < max(_FEWEST, _NEARLY * len(some)):
        return
    for find, words in ((_of_values, "as Python prints them"), (_of_structs, "as Athena or Hive prints a struct")):
        if (found := find(printed, column)) and len(printed) - found[1] < 1 + (1 - _NEARLY) * len(printed):
            way = rows_of_any(found[0], file, columns.said)
            raise InputError(
                f"{file}: the column {column!r} holds values {words}, and not texts ({printed[0][:60]})"
                + (f"; make texts of them: {way}" if way else "; write the texts that are in them")
            )


def _of_values(texts: Sequence[str], column: str) -> tuple[str, int] | None:
    """What makes texts of values of Python, and how many are such."""
    values = [_value(text) for text in texts]
    cell, key = f"row[{json.dumps(column)}]", json.dumps(column)
    whole = 'str.strip({cell} or "")'
    kinds: dict[Callable[[object], bool], str] = {
        lambda value: isinstance(value, bytes): (
            f'ast.literal_eval({whole}).decode() if {whole}[:2] in ("b\\x27", "b\\x22") else {{cell}}'
        ),
        _is_list: f'" ".join(map(str, ast.literal_eval({whole}))) if {whole}[:1] == "[" else {{cell}}',
    }
    for is_one, expression in kinds.items():
        if count := sum(map(is_one, values)):
            made = f"{{**row, {key}: {expression.format(cell=cell)}}}"
            return f"import ast; [print(json.dumps({made}, default=str)) for row in {{rows}}]", count
    if count := sum(isinstance(value, dict) and len(value) > 0 for value in values):
        made = f'{{**ast.literal_eval(row.pop({key}) or "{{}}"), **row}}'
        return f"import ast; [print(json.dumps({made}, default=str)) for row in {{rows}}]", count
    return None


def _is_list(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(one, str) for one in value)


def _value(text: str) -> object:
    """What Python reads in ``text``; None if that is nothing."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of backslashes that escape nothing
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _of_structs(texts: Sequence[str], column: str) -> tuple[str, int] | None:
    """What makes columns of structs as ``{text=Loved it, label=good}``, and how many are such."""
    some = [text for text in texts if _STRUCT.fullmatch(text)]
    if not some:
        return None
    keys = [key for key in _KEYS.findall(some[0]) if all(f"{key}=" in text for text in some)]
    either = "|".join(keys)
    pattern = json.dumps(rf"(?s)(?:^\{{|, )({either})=(.*?)(?=, (?:{either})=|\}}$)")
    made = f"{{**dict(re.findall({pattern}, row.pop({json.dumps(column)}))), **row}}"
    return f"import re; [print(json.dumps({made}, default=str)) for row in {{rows}}]", len(some) if keys else 0


def mojibake_note(texts: Sequence[str | None], file: str, *, encoding: str | None) -> str | None:
    """A note that texts are UTF-8 that was read as Latin-1 or Windows-1252, as in what Facebook gives out.

    Args:
        texts: the first ones.
        file: its path.
        encoding: that the file was read with; None if it has none.

    Raises:
        InputError: it was read so here, since the user said so.
    """
    others = [text for text in texts[:LOOKED_AT] if text and not text.isascii()]
    found = [text for text in others if _mended(text)]
    if not found or len(found) < _NEARLY * len(others):
        return None
    if encoding is not None and not encoding.lower().startswith("utf"):
        raise InputError(
            f"{file}: it is UTF-8, and not {encoding} ({_shown(found[0])}). --encoding is of all files of a command: "
            f"convert those that are {encoding}, as with `iconv -f {encoding} -t utf-8 OTHER > NEW`, and leave it out"
        )
    words = f"texts seem to be UTF-8 that was read as another encoding ({_shown(found[0])})"
    way = _way(file)
    return f"{file}: {words}" + (f"; to mend that: {way}" if way else "")


def _mended(text: str) -> bool:
    """Whether all letters of ``text`` that are not ASCII are bytes of UTF-8."""
    for encoding in ("latin-1", "cp1252"):
        try:
            return len(text.encode(encoding).decode()) < len(text)
        except UnicodeError:
            continue
    return False


def _shown(text: str) -> str:
    place = next(place for place, letter in enumerate(text) if not letter.isascii())
    return text[max(0, place - 20) : place + 20]


def _way(file: str) -> str | None:
    kind, name = kind_of_file(file), file.lower()
    if kind == JSON:
        rows = f"{_MENDED}[print(mend(json.dumps(row, ensure_ascii=False))) for row in {{rows}}]"
        return rows_of_any(rows, file)
    if kind in (PARQUET, ARROW):
        return None
    program = f"{_MENDED}sys.stdout.write(mend(sys.stdin.read()))"
    target = "rows" + (".csv" if kind == DELIMITED and ".tsv" not in name else ".tsv" if kind == DELIMITED else ".txt")
    return from_lines(f"python -c {shlex.quote(program)}", file, target)
