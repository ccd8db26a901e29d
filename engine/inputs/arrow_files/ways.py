"""Columns of lists and structs where single values are needed → the command of Python that takes the values out."""

import json
import shlex
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.columns import NO_COLUMN, ColumnNames, find_columns

_PLAIN = ("label", "classname", "class_name", "class", "name", "value", "text", "choice")
_LARGEST = "max(s, key=s.get) if len(s) > 1 and list(s.values()).count(max(s.values())) == 1 else None"
"""Of Python: scores by class, more than one, in ``s`` → the class of the largest, None if that is not one."""
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def is_list(type_: pa.DataType) -> bool:
    """Whether values of this type are lists."""
    return any(is_one(type_) for is_one in _LISTS)


def single_text(type_: pa.DataType) -> str | None:
    """How Python makes a text of a value ``v`` of this type; None if that is not known."""
    if is_list(type_) and _is_string(type_.value_type):
        return '" ".join(one for one in v if one is not None)'
    key = _key(type_, ("text", "value", "content", "body", "review", "comment", "sentence"))
    return None if key is None else f"v[{key}]"


def single_label(type_: pa.DataType) -> str | None:
    """How Python makes a label of a value ``v`` of this type; None if that is not known."""
    if is_list(type_):
        key = _key(type_.value_type, _PLAIN)
        if key is None or _field(type_.value_type, "score") is None:
            return None if key is None else f"v[0][{key}] if len(v) == 1 else None"
        return f'max(v, key=lambda one: one["score"])[{key}] if v else None'
    key = _key(type_, _PLAIN)
    if key is not None:
        return f"v[{key}]"
    if not _are_scores(type_):
        return None
    scores = "dict(v)" if pa.types.is_map(type_) else "v"
    return f"(lambda s: {_LARGEST})({{k: p for k, p in {scores}.items() if p is not None}})"


def _are_scores(type_: pa.DataType) -> bool:
    """Whether values of this type may hold a score for each of several classes."""
    if pa.types.is_map(type_):
        return _is_string(type_.key_type) and _is_number(type_.item_type)
    return pa.types.is_struct(type_) and type_.num_fields > 1 and all(_is_number(field.type) for field in type_)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_))


def text_in_struct(schema: pa.Schema, wanted: ColumnNames, file: str) -> str | None:
    """The command that takes a text out of a struct, or of a list of structs; None if there is none."""
    for field in schema:
        type_ = field.type.value_type if is_list(field.type) else field.type
        if not pa.types.is_struct(type_):
            continue
        try:
            names = [inner.name for inner in type_]
            found = find_columns(
                names, ColumnNames(text=wanted.text, id=NO_COLUMN, label=NO_COLUMN, before=wanted.before), file=""
            )
        except InputError:
            continue
        if is_list(field.type):
            return _exploded(file, field.name)
        if not found.joined:
            return rewritten(file, field.name, f"v[{json.dumps(found.text)}]", new=found.text)
    return None


def rewritten(file: str, column: str, expression: str, *, new: str | None = None) -> str:
    """The command that writes ``file`` again with other values of a column.

    Args:
        file: where it is.
        column: its name.
        expression: of Python, for a value ``v`` that is not None.
        new: the name of the column that is put behind the others; that of ``column``, which it takes the place of, if
            None.
    """
    name = json.dumps(column)
    values = f"pa.array([None if v is None else {expression} for v in t[{name}].to_pylist()])"
    place = f"t.set_column(t.schema.get_field_index({name}), {name}, {values})"
    put = place if new is None else f"t.append_column({json.dumps(new)}, {values})"
    read = read_by_python(file)
    code = f'import pyarrow as pa, pyarrow.parquet as pq; t = {read}; pq.write_table({put}, "rows.parquet")'
    return f"python -c {shlex.quote(code)}"


def _exploded(file: str, column: str) -> str:
    """The command that writes a row for each element of the lists of structs in ``column``."""
    cell = f"row.pop({json.dumps(column)})"
    rows = f"[{{**row, **one}} for row in {read_by_python(file)}.to_pylist() for one in {cell} or [] if one]"
    code = f'import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.Table.from_pylist({rows}), "rows.parquet")'
    return f"python -c {shlex.quote(code)}"


@lru_cache(maxsize=64)
def read_by_python(file: str) -> str:
    """How Python reads a Parquet or Arrow file, without columns that stand in its path."""
    path = json.dumps(file)
    with Path(file).open("rb") as source:
        begin = source.read(6)
    if begin.startswith(b"PAR1"):
        return f"pq.ParquetFile({path}).read()"
    return f"pa.ipc.open_{'file' if begin == b'ARROW1' else 'stream'}({path}).read_all()"


def refuse_first_feather(file: str) -> None:
    """Refuse a Feather file of version 1, which is no Arrow file.

    Raises:
        InputError: it is one.
    """
    with Path(file).open("rb") as source:
        if source.read(4) != b"FEA1":
            return
    code = f'import pyarrow.feather as f; f.write_feather(f.read_table({json.dumps(file)}), "rows.feather")'
    raise InputError(
        f"{file} is a Feather file of version 1, which is no longer read: write it again: python -c {shlex.quote(code)}"
    )


def _key(type_: pa.DataType, names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that is a field of single values in a struct, as Python writes it."""
    for name in names:
        field = _field(type_, name)
        if field is not None and not pa.types.is_nested(field):
            return json.dumps(name)
    return None


def _field(type_: pa.DataType, name: str) -> pa.DataType | None:
    if not pa.types.is_struct(type_):
        return None
    return next((field.type for field in type_ if field.name == name), None)


def _is_string(type_: pa.DataType) -> bool:
    return type_ in (pa.string(), pa.large_string(), pa.string_view())
