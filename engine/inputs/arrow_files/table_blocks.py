"""Record batches of a table file → raw blocks, with what its types say of labels and numbers.

A label that is a list of one is that label. Decimals are numbers, written as text until it is known which.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.inputs.arrow_files.values import plain, value_type
from engine.inputs.arrow_files.ways import is_list, rewritten, single_label
from engine.inputs.blocks import BLOCK_ROWS, LabelFault, Problems, RawBlock, blocks_of_batches, labels_problem
from engine.inputs.kinds import Kind, whole_numbers
from engine.inputs.options import Reading

_LONGEST_TYPE = 100  # characters
_EXACT_DIGITS = 15  # which a double can hold of any decimal
_INSIGNIFICANT = r"^-?[0.]*|[.]|E.*$"


def table_blocks(
    batches: Iterable[pa.RecordBatch], reading: Reading, file: str, *, rows: int = BLOCK_ROWS
) -> Iterator[RawBlock]:
    """Batches with the columns of ``reading`` of ``file`` → raw blocks of up to ``rows`` rows."""
    for block in blocks_of_batches(batches, reading, rows=rows):
        label = block.data.get(reading.columns.label or "")
        if label is not None and pa.types.is_nested(value_type(label.type)):
            block = _with_single_labels(block, plain(label), file)
        decimals = [name for name in reading.columns.extras if _is_decimal(block.data.get(name))]
        yield _with_numbers(block, decimals) if decimals else block


def _is_decimal(array: pa.Array | None) -> bool:
    return array is not None and pa.types.is_decimal(value_type(array.type))


def _with_single_labels(block: RawBlock, label: pa.Array, file: str) -> RawBlock:
    """The block with the only element of each list as its label; an empty list is none, and a struct has a reason."""
    name, expression = str(block.columns.label), single_label(label.type)
    problems = list(block.problems)
    if is_list(label.type):
        way = f" ({rewritten(file, name, 'v.index(max(v)) if v and v.count(max(v)) == 1 else None')} does)"
        label = _only_elements(label, problems, way)
    if pa.types.is_nested(value_type(label.type)):
        way = f" ({rewritten(file, name, expression)} takes it out)" if expression else ""
        fault = LabelFault(f"label is {str(label.type)[:_LONGEST_TYPE]} and not a string{way}")
        there = label.is_valid().to_pylist()
        problems = [problem or (fault if is_there else None) for problem, is_there in zip(problems, there, strict=True)]
        label = pa.nulls(block.rows, pa.string())
    return dataclasses.replace(block, data=block.data | {name: label}, problems=problems)


def _only_elements(lists: pa.Array, problems: Problems, way: str) -> pa.Array:
    """The element of lists of one, or of several that are equal; null for others, which have a problem."""
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    is_single = counts == 1
    for row in np.flatnonzero(counts > 1).tolist():
        fault = labels_problem(lists[row].as_py(), way)
        problems[row] = problems[row] or fault
        is_single[row] = fault is None
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    return plain(pc.list_flatten(lists)).take(pa.array(starts, mask=~is_single))


def _with_numbers(block: RawBlock, decimals: list[str]) -> RawBlock:
    """The block with decimals as text, and what they are."""
    data, kinds = dict(block.data), dict(block.kinds)
    for name in decimals:
        values = plain(data[name])
        data[name] = values.cast(pa.string())
        kinds[name] = _decimal_kind(values, data[name])
    return dataclasses.replace(block, data=data, kinds=kinds)


def _decimal_kind(values: pa.Array, written: pa.Array) -> Kind:
    """Decimals without places behind the point are whole numbers, others double."""
    type_ = values.type
    declared = pa.int64() if type_.scale == 0 else pa.float64()
    if values.null_count == len(values):
        return Kind(type=pa.null(), declared=declared)
    if type_.scale:
        return Kind(type=declared, declared=declared, has_long=_longest(written) > _EXACT_DIGITS)
    wide = pa.decimal128 if type_.precision <= 38 else pa.decimal256  # decimal32 and decimal64 have no bounds
    return whole_numbers(values.cast(wide(type_.precision, 0)), declared=declared)


def _longest(decimals: pa.Array) -> int:
    """Most significant digits of a decimal in ``decimals``, as text."""
    digits = pc.utf8_rtrim(pc.replace_substring_regex(decimals, _INSIGNIFICANT, ""), characters="0")
    return int(pc.max(pc.utf8_length(digits)).as_py() or 0)
