"""A user's condition and order → the clauses WHERE and ORDER BY of a query, and the views that they read.

DuckDB's parser says whether each text is an expression, or a list of them, and nothing more. A text that is whole by
itself has balanced parentheses, so that it cannot end those that are put around it.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from store.errors import QueryError

_FORBIDDEN = ("group_expressions", "having", "qualify", "sample")
_HIDING = {"query", "query_table"}  # table functions that read what their argument says
_GOLD_COLUMNS = {"gold", "gold_class", "gold_round", "gold_source", "reviews"}  # the last one: a row as one value
_WHOLE_ROWS = {"STAR", "POSITIONAL_REFERENCE"}  # columns that are not named
_SHOWN = 100  # characters


def where_clause(condition: str | None) -> str:
    """WHERE and the condition in parentheses; nothing if it is None."""
    return "" if condition is None else f" WHERE ({_lines(condition)})"


def order_clause(order: str | None) -> str:
    """ORDER BY, and behind all else the number of the row."""
    return " ORDER BY row" if order is None else f" ORDER BY{_lines(order)}, row"


def _lines(text: str) -> str:
    """``text`` on lines of its own, so that a comment at its end ends there."""
    return f"\n{text}\n"


def views_read(condition: str | None, order: str | None, *, ask: Callable[[str], pa.Table]) -> set[str]:
    """Which of the views ``labels`` and ``gold`` the two texts read: in subqueries, and gold as columns of ``reviews``.

    Args:
        condition: the text behind WHERE.
        order: the text behind ORDER BY.
        ask: runs a SELECT; not called if both are None.

    Raises:
        QueryError: the condition is not one expression, or the order not a list of them.
    """
    asked = [
        (what, f"SELECT 1 {clause}{_lines(text)}", modifiers, text)
        for what, clause, modifiers, text in (
            ("the condition", "WHERE", [], condition),
            ("the order", "ORDER BY", ["ORDER_MODIFIER"], order),
        )
        if text is not None
    ]
    views: set[str] = set()
    for tree in _trees(asked, ask) if asked else ():
        views |= _views_in(tree)
    return views


def check_expression(text: str, *, ask: Callable[[str], pa.Table]) -> str:
    """``text`` in parentheses, if it is one expression that gives one value a row.

    Raises:
        QueryError: it is not an expression, or gives several columns or values.
    """
    (tree,) = _trees([("the expression", f"SELECT 1 WHERE{_lines(text)}", [], text)], ask)
    if "STAR" in _values(tree, "class") or "unnest" in _values(tree, "function_name"):
        raise QueryError(f"the expression {_shown(text)} gives several columns, or several values a row; name one")
    return f"({_lines(text)})"


def _trees(asked: list[tuple[str, str, list[str], str]], ask: Callable[[str], pa.Table]) -> Iterator[dict[str, Any]]:
    """The parse tree of each text; ``asked`` has its name, a SELECT with it, the clauses it may have and the text."""
    trees = ask(f"SELECT {', '.join(f'json_serialize_sql({_literal(sql)})' for _, sql, _, _ in asked)}")
    for (what, _, modifiers, text), (tree,) in zip(asked, trees.itercolumns(), strict=True):
        yield _parsed(tree.as_py(), modifiers, named=f"{what} {_shown(text)}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + " …")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parsed(tree: str, modifiers: list[str], *, named: str) -> dict[str, Any]:
    """The parse tree of a SELECT that has no clause but its condition, or its order.

    Raises:
        QueryError: it has other clauses, is not a SELECT, or there are several.
    """
    try:
        parsed = json.loads(tree)
    except RecursionError:
        raise QueryError(f"{named} is nested too deeply; write it flatter") from None
    if parsed["error"]:
        is_syntax = parsed["error_type"] == "parser"
        raise QueryError(f"{named}: {parsed['error_message'] if is_syntax else 'a part of it is no plain SELECT'}")
    node, *others = (statement["node"] for statement in parsed["statements"])
    found = [modifier["type"] for modifier in node["modifiers"]]
    if others or node["type"] != "SELECT_NODE" or found != modifiers or any(node[clause] for clause in _FORBIDDEN):
        raise QueryError(f"{named} holds more; give an SQL expression, without another clause or statement behind it")
    return dict(node)


def _views_in(tree: Any) -> set[str]:
    """Which of ``labels`` and ``gold`` a parse tree reads; both if that cannot be seen.

    The view ``shards`` shows both. Gold is also read by the gold columns of ``reviews`` and by whole rows of it.
    """
    tables = [name.lower().strip('"_') for name in _values(tree, "table_name")]
    if _HIDING & set(_values(tree, "function_name")) or "shards" in tables:
        return {"labels", "gold"}
    views = {view for view in ("labels", "gold") if any(table.startswith(view) for table in tables)}
    columns = {name.lower() for name in _values(tree, "column_names")}
    if "reviews" in tables or columns & _GOLD_COLUMNS or _WHOLE_ROWS & set(_values(tree, "class")):
        views.add("gold")
    return views


def _values(tree: Any, key: str) -> Iterator[str]:
    """Every string under ``key`` in ``tree``, or in a list there."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            held = node.get(key)
            yield from (value for value in (held if isinstance(held, list) else [held]) if isinstance(value, str))
            pending += node.values()
        elif isinstance(node, list):
            pending += node
