"""Values of a query's result → values that JSON has. Imports neither pyarrow nor duckdb."""

import math
from decimal import Decimal
from typing import Any


def json_value(value: Any) -> Any:
    """``value`` as JSON can say it.

    ===============================  ==================================================
    value                            becomes
    ===============================  ==================================================
    NaN and infinity                 None
    decimal (sums of integers, too)  int if it is whole, however large; else float
    bytes                            hexadecimal digits
    dict, list, tuple                dict or list of such values; keys are strings
    date, time, duration, any other  its text
    ===============================  ==================================================
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)
