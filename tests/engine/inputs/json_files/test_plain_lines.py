"""Lines that Arrow parses many at once → the same rows as one by one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inputs.check_rows import read_blocks
from engine.inputs.columns import ColumnNames
from engine.inputs.json_files import json_blocks
from engine.inputs.json_lines.plain_lines import PlainLines

ODD = [
    '{"text": "a", "text": "b"}', '{"text": "a", "text": "a"}', '{"text": "a"}\0', '{"text": "a"}\0{"text": "b"}',
    '{"text": "a"}{"text": "b"}', '{"text": "a"', '"x": 1}', '{"text": "\\ud800"}', '{"text": "\\u0000"}', "", "  ",
    '{"text": 5}', '{"text": null}', '{"text": ["a"]}', '{"text": "a", "n": 1.0}', '{"text": "a", "n": 1e3}',
    '{"text": "a", "n": 01}', '{"text": "a", "n": -0}', '{"text": "a", "n": 99999999999999999999}',
    '{"text": "a", "n": true}', '{"text": "a", "n": "1"}', '{"text": "a", "b": 1}', '{"text": "a", "late": 1}',
    '{"text": "a", "id": 7}', '{"text": "a",}', '{"text": "a"} ', ' {"text": "a"}', '{"text": "a\x01"}', "[]", "5",
    '{"text": "\xff"}', "\ufeff{}", '{"\\u0074ext": "a"}', '{"text": "a"}\r', '{"text": NaN}', "{'text': 'a'}",
]  # fmt: skip
ROWS = [json.dumps({"text": f"t{row}", "id": f"i{row}", "n": row, "b": bool(row % 2), "s": "x"}) for row in range(6)]


def read(file: Path) -> Any:
    """All that is known of the rows of ``file``, or why they cannot be read."""
    try:
        blocks = list(read_blocks(str(file), ColumnNames()))
    except InputError as error:
        return str(error)
    rows = [
        (*row, getattr(row[3], "position", None), *(str(extra[number]) for extra in block.extras.values()))
        for block in blocks
        for number, row in enumerate(
            zip(block.id.to_pylist(), block.text.to_pylist(), block.label.to_pylist(), block.problems, strict=True)
        )
    ]
    return rows, blocks[-1].reading if blocks else None


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.sampled_from(ODD + ROWS * 6), max_size=20), end=st.sampled_from(["", "\n", "\r\n"]))
def test_rows_are_the_same_as_one_by_one(tmp_path: Path, lines: list[str], end: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes("\n".join([*ROWS[:4], *lines]).encode("latin-1", "ignore") + end.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_blocks, "BLOCK_ROWS", 4)
        patch.setattr(json_blocks, "rows_at_once", lambda _: 8)
        found = read(file)
        patch.setattr(PlainLines, "table", lambda *_: None)
        assert found == read(file)


def test_plain_lines_are_parsed_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"t{row}", "n": row}) for row in range(6000)))
    tables, parse = [], PlainLines.table
    monkeypatch.setattr(PlainLines, "table", lambda self, lines: tables.append(parse(self, lines)) or tables[-1])
    rows, _ = read(file)
    assert [row[1] for row in rows] == [f"t{row}" for row in range(6000)]
    assert [table is None or len(table) for table in tables] == [True, 4096, 6000 - 1024 - 4096]
