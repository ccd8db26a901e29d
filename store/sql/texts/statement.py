"""The text of a query → whether it is one SELECT, or EXPLAIN of one."""

from itertools import pairwise

import duckdb

from store.errors import QueryError


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse all but one SELECT or EXPLAIN of one. Nothing is run.

    Raises:
        QueryError: it is something else, or cannot be parsed.
    """
    kinds = _statement_kinds(connection, sql)
    if len(kinds) != 1:
        raise QueryError(f"one SELECT is allowed, and this is {len(kinds)} statements")
    if kinds[0] == "EXPLAIN":
        kinds = _explained_kinds(connection, sql)
    if kinds != ["SELECT"]:
        raise QueryError(f"only SELECT is allowed here, and this is {' '.join(kinds)}; a store is never changed by SQL")
    if any(word == b"(" and inner == b"COPY" for (_, word), (_, inner) in pairwise(_words(sql))):
        raise QueryError("only SELECT is allowed here, and this is WITH … AS (COPY …); a store is never changed by SQL")


def _statement_kinds(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    try:
        return [statement.type.name for statement in connection.extract_statements(sql)]
    except (duckdb.Error, ValueError) as error:  # a ValueError: a kind that duckdb's Python side has no name for
        raise QueryError(str(error)) from None


def _explained_kinds(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Kinds of the statements behind EXPLAIN: duckdb itself says EXPLAIN of EXPLAIN ANALYZE COPY, too."""
    starts, words = zip(*_words(sql), strict=True)
    begin = 2 if words[1] == b"ANALYZE" else 1
    if words[begin] == b"(" and words[begin + 1] in (b"ANALYZE", b"FORMAT"):
        begin = words.index(b")", begin) + 1
    inner = _statement_kinds(connection, sql.encode()[starts[begin] :].decode())
    return inner if inner == ["SELECT"] else ["EXPLAIN", *inner]


def _words(sql: str) -> list[tuple[int, bytes]]:
    """Words and signs in capitals, each with its place in bytes, without comments."""
    text = sql.encode()
    tokens = duckdb.tokenize(sql)
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    return [
        (start, text[start:end].strip().upper())
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind != duckdb.token_type.comment
    ]
