"""Values of a result as JSON: one conversion for the commands and the report."""

import datetime
import json
import math
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from cli.output import write_rows
from store.sql.json_values import json_value

HUGE = 2**127 - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("é", "é"),
        (HUGE, HUGE),
        (1.5, 1.5),
        (math.nan, None),
        (-math.inf, None),
        (Decimal("1.5"), 1.5),
        (Decimal("2.00"), 2),
        (Decimal(HUGE), HUGE),
        (Decimal("1E+30"), 10**30),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (b"\x00\xff", "00ff"),
        (datetime.date(2020, 2, 29), "2020-02-29"),
        (datetime.datetime(2020, 2, 29, 1, 2, 3), "2020-02-29 01:02:03"),
        (datetime.time(1, 2, 3), "01:02:03"),
        (datetime.timedelta(days=1, seconds=2), "1 day, 0:00:02"),
        ({"a": [Decimal("1.5"), {"b": math.nan}], 3: (b"\x01", HUGE)}, {"a": [1.5, {"b": None}], "3": ["01", HUGE]}),
    ],
)
def test_a_value_becomes_this(value: Any, expected: Any) -> None:
    found = json_value(value)
    assert (found, type(found)) == (expected, type(expected))
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


SQL = f"""
    SELECT 1.5::DECIMAL(5, 2) AS a, {HUGE}::HUGEINT AS b, sum(range) AS c, [0.5::DECIMAL(3, 1), NULL] AS d,
           {{'x': 'nan'::FLOAT, 'y': [DATE '2020-01-01']}} AS e, MAP {{'k': 1}} AS f, '\\x01'::BLOB AS g,
           INTERVAL 3 DAYS AS h, TIMESTAMP '2020-01-01' AS i, TIME '10:00' AS j
    FROM range(4)
"""


def test_every_type_of_a_result_can_be_printed_and_reported(tmp_path: Any) -> None:
    """The command line and the report say the same of one result."""
    from engine.report.answers import _plain_rows

    with duckdb.connect() as connection:
        table = connection.sql(SQL).to_arrow_table()
    expected = {"a": 1.5, "b": HUGE, "c": 6, "d": [0.5, None], "e": {"x": None, "y": ["2020-01-01"]}, "f": [["k", 1]]}
    expected |= {"g": "01", "h": [0, 3, 0], "i": "2020-01-01 00:00:00", "j": "10:00:00"}
    with (tmp_path / "rows.jsonl").open("w") as file:
        write_rows(table.to_pylist(), "jsonl", file, columns=table.column_names)
    with pa.OSFile(str(tmp_path / "rows.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == expected
    assert _plain_rows(tmp_path / "rows.arrows") == [expected]
