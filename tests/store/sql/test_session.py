"""SQL over a store: what the views show, and that nothing but a SELECT is answered."""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_factory import (
    CLASSES,
    REJECTED,
    add_corpus,
    add_labels,
    extras_of,
    flip_bit,
    label_of,
    make_store,
    random_logits,
    text_of,
    write_header,
)

import store
from store import Store
from store.errors import DamageError, QueryError, StoreMissingError
from store.families.text_hash import text_hash
from store.format.run_log import RunLog
from store.sql.session import Session, query
from store.sql.texts.statement import check_statement
from store.storage import LocalStorage, MemoryStorage

ROWS = 50
CORPUS = ["row", "id", "text", "label", "class", "n_chars", "text_hash", "shard", "stars", "Café"]
LABELS = [
    "row", "label_set", "shard", "prediction", "class", "confidence", "margin", "entropy", "n_tokens", "truncated",
    "failure", "logits",
]  # fmt: skip
REVIEWS = [
    "row", "id", "text", "gold", "gold_class", "gold_round", "gold_source", "n_chars", "text_hash", "shard",
    "label_set", "prediction", "class", "confidence", "margin", "entropy", "n_tokens", "truncated", "failure", "logits", "stars", "Café",
]  # fmt: skip
VIEWS = {
    "corpus": CORPUS,
    "labels": LABELS,
    "reviews": REVIEWS,
    "gold": ["row", "label", "class", "source", "round"],
    "rejects": ["file", "source_row", "id", "reason", "position", "lines"],
    "shards": ["family", "name", "shard", "rows", "bytes", "sha256", "seconds", "statistics", "computed"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store on disk with one label set."""
    place = tmp_path_factory.mktemp("sql") / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    return place


@pytest.fixture(scope="module")
def made(place: Path) -> Store:
    return store.open(place)


@pytest.fixture(scope="module")
def session(made: Store) -> Iterator[Session]:
    with Session(made) as session:
        yield session


def state_of(session: Session) -> list[Any]:
    """Every setting, variable, view, table, database and function of a connection."""
    tables = ("settings", "variables", "views", "tables", "databases", "schemas", "sequences", "types")
    ask_for = [f"SELECT * FROM duckdb_{name}() ORDER BY ALL" for name in tables]
    ask_for += ["SELECT DISTINCT function_name FROM duckdb_functions() ORDER BY 1"]
    return [session.connection.execute(sql).fetchall() for sql in ask_for]


def ask(made: Store, sql: str, **arguments: Any) -> list[Any]:
    """The result's rows; of one column, its values."""
    rows = [tuple(row.values()) for row in made.sql(sql, **arguments).to_pylist()]
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


# The views


@pytest.mark.parametrize(("view", "columns"), VIEWS.items())
def test_a_view_has_these_columns_and_no_others(made: Store, view: str, columns: list[str]) -> None:
    assert made.sql(f"SELECT * FROM {view}").column_names == columns


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_corpus_view_shows_what_was_written(made: Store, in_memory: bool) -> None:
    made = make_store(MemoryStorage(), rows=ROWS) if in_memory else made
    extras = {name: array.to_pylist() for name, array in extras_of(range(ROWS)).items()}
    assert made.sql("SELECT * FROM corpus ORDER BY row").to_pylist() == [
        {
            "row": row,
            "id": f"id-{row}",
            "text": text_of(row),
            "label": label_of(row),
            "class": None if label_of(row) is None else CLASSES[label_of(row) or 0],
            "n_chars": len(text_of(row)),
            "text_hash": text_hash(text_of(row)),
            "shard": next(shard for shard in range(3) if row < made.layout.range_of(shard)[1]),
            "stars": extras["stars"][row],
            "Café": extras["Café"][row],
        }
        for row in range(ROWS)
    ]


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_labels_view_shows_what_was_written(tmp_path: Path, in_memory: bool) -> None:
    made = write_header(MemoryStorage() if in_memory else LocalStorage(tmp_path), rows=ROWS)
    logits = add_labels(made, "bert", failed=[7])
    rows = made.sql("SELECT * FROM labels ORDER BY row").to_pylist()
    for row, entry in enumerate(rows):
        assert (entry["row"], entry["label_set"], entry["n_tokens"]) == (row, "bert", row % 7)
        assert entry["shard"] == next(shard for shard in range(3) if row < made.layout.range_of(shard)[1])
        assert entry["truncated"] == (row % 5 == 0)
        if row == 7:
            assert entry["failure"] == "non-finite logits"
            names = ("prediction", "class", "confidence", "margin", "entropy", "logits")
            assert [entry[name] for name in names] == [None] * 6
        else:
            assert entry["failure"] is None
            assert entry["prediction"] == logits[row].argmax()
            assert entry["class"] == CLASSES[logits[row].argmax()]
            assert entry["logits"] == logits[row].astype(np.float32).tolist()
    assert len(rows) == ROWS


def test_derived_columns_can_be_computed_again_from_the_logits(made: Store) -> None:
    worst = ask(
        made,
        """
        SELECT max(abs(confidence - exp(list_max(logits)) / list_sum([exp(x) for x in logits]))) FROM labels
        """,
    )
    assert worst[0] < 1e-5


@pytest.mark.parametrize(("rows", "shards"), [(50, 3), (7, 7), (3, 10), (100, 1), (17, 5)])
def test_the_shard_column_is_the_shard_that_holds_the_row(rows: int, shards: int) -> None:
    made = make_store(rows=rows, shards=shards)
    ranges = [made.layout.range_of(shard) for shard in range(shards)]
    expected = [shard for shard, (first, stop) in enumerate(ranges) for _ in range(first, stop)]
    for view in ("corpus", "labels", "reviews"):
        assert ask(made, f"SELECT shard FROM {view} ORDER BY row") == expected
    counted = dict(ask(made, "SELECT shard, count(*) FROM corpus GROUP BY ALL"))
    held = dict(ask(made, "SELECT shard, rows FROM shards WHERE family = 'corpus' AND rows > 0"))
    assert counted == held


def test_class_names_with_quotes_stay_themselves() -> None:
    classes = ["it's", 'say "no"', "a\\b; DROP VIEW corpus --", "{name} $1 ?", "🙂\nnew line"]
    made = make_store(classes=classes, rows=60)
    assert ask(made, "SELECT DISTINCT class FROM corpus WHERE class IS NOT NULL ORDER BY label") == classes
    predicted = ask(made, "SELECT class, gold_class FROM reviews ORDER BY row")
    logits = random_logits(60, 5)
    assert [class_ for class_, _ in predicted] == [classes[index] for index in logits.argmax(axis=1)]


def test_extra_columns_with_any_name_stay_themselves() -> None:
    names = ["select", 'with "quotes"', "a b", "Ünï", "source", "file"]
    made = write_header(rows=4, extras={name: pa.int64() for name in names})
    assert made.sql("SELECT * FROM corpus").column_names[-6:] == names


def test_reviews_join_every_row_with_its_labels(made: Store) -> None:
    rows = ask(made, "SELECT row, text, gold, gold_class, label_set, prediction FROM reviews ORDER BY row")
    logits = random_logits(ROWS)
    assert rows == [
        (
            row,
            text_of(row),
            label_of(row),
            None if label_of(row) is None else CLASSES[label_of(row) or 0],
            "bert",
            logits[row].argmax(),
        )
        for row in range(ROWS)
    ]


def test_without_a_label_set_labels_are_empty_and_reviews_say_what_to_do() -> None:
    made = make_store(labels=[])
    table = made.sql("SELECT * FROM labels")
    assert (table.num_rows, table.column_names) == (0, LABELS)
    with pytest.raises(QueryError, match="choose it with --labels. This store has: none yet"):
        made.sql("SELECT * FROM reviews")


def test_an_empty_labels_view_has_the_types_of_a_full_one(made: Store) -> None:
    assert make_store(labels=[]).sql("SELECT * FROM labels").schema == made.sql("SELECT * FROM labels").schema


def test_with_two_label_sets_labels_have_both_and_reviews_need_a_choice() -> None:
    made = make_store(labels=["roberta", "bert"])
    assert ask(made, "SELECT label_set, count(*) FROM labels GROUP BY 1 ORDER BY 1") == [("bert", 50), ("roberta", 50)]
    with pytest.raises(QueryError, match="choose it with --labels. This store has: bert, roberta"):
        made.sql("SELECT * FROM reviews")
    for name in ("bert", "roberta"):
        assert ask(made, "SELECT label_set, count(*) FROM reviews GROUP BY 1", labels=name) == [(name, 50)]
    agree = "SELECT count(*) FROM labels a JOIN labels b USING (row) WHERE a.label_set < b.label_set"
    assert ask(made, agree) == [50]


def test_a_label_set_that_is_not_there_is_refused(made: Store) -> None:
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'; it has: bert"):
        made.sql("SELECT 1", labels="gpt")


def test_an_unfinished_store_shows_what_is_committed() -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0, 1])
    add_labels(made, "bert", shards=[1, 2])
    assert ask(made, "SELECT row FROM corpus ORDER BY row") == list(range(33))
    assert ask(made, "SELECT row FROM labels ORDER BY row") == list(range(16, 50))
    assert ask(made, "SELECT row FROM reviews ORDER BY row") == list(range(16, 33))
    assert ask(made, "SELECT name, shard FROM shards ORDER BY ALL") == [
        ("bert", 1), ("bert", 2), ("corpus", 0), ("corpus", 1),
    ]  # fmt: skip


def test_a_file_that_no_record_names_is_not_shown() -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0])
    record = made.family("corpus").records()[0]
    made.storage.put("corpus/00001-0123456789abcdef.arrow", made.storage.read(f"corpus/{record.file}").to_pybytes())
    assert ask(made, "SELECT count(*) FROM corpus") == [16]


def test_a_new_store_has_every_view_but_reviews() -> None:
    made = write_header(rows=50)
    for view in ("corpus", "labels", "gold", "shards"):
        assert made.sql(f"SELECT * FROM {view}").num_rows == 0


def test_refused_rows_are_shown(made: Store) -> None:
    assert ask(made, "SELECT file, source_row, id, reason, position, lines FROM rejects") == REJECTED


def test_the_shards_view_shows_records_and_what_they_took() -> None:
    made = make_store(rows=50, encodings=["words-8-right"])
    log = RunLog(made.storage, {})
    log.shard_done("labels/bert", 1, 2.5)
    log.finish({})
    rows = made.sql("SELECT * FROM shards ORDER BY family, shard").to_pylist()
    assert len(rows) == 9
    for row in rows:
        path = row["name"] if row["family"] == "corpus" else f"{row['family']}/{row['name']}"
        record = made.family(path).records()[row["shard"]]
        assert (row["rows"], row["bytes"], row["sha256"]) == (record.rows, record.bytes, record.sha256)
        assert json.loads(row["statistics"]) == record.statistics
        assert row["seconds"] == (2.5 if (path, row["shard"]) == ("labels/bert", 1) else None)


# What is answered


ANSWERED = [
    "SELECT count(*) FROM corpus",
    "select 1;",
    " -- a comment\nSELECT 1 /* and another */ ; ",
    "(SELECT 1)",
    "WITH few AS (SELECT * FROM labels LIMIT 3) SELECT count(*) FROM few",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
    "VALUES (1, 'a'), (2, 'b')",
    "FROM corpus LIMIT 2",
    "FROM labels SELECT avg(confidence)",
    "TABLE gold",
    "SELECT 1 UNION SELECT 2",
    "DESCRIBE corpus",
    "DESCRIBE SELECT * FROM reviews",
    "SUMMARIZE labels",
    "SHOW TABLES",
    "SELECT 'COPY x TO y; DROP VIEW corpus', '(COPY'",
    'SELECT max("copy") FROM (SELECT 1 AS copy)',
    "EXPLAIN SELECT 1",
    "explain\tselect 1",
    "EXPLAIN FROM corpus",
    "EXPLAIN (SELECT 1)",
    "EXPLAIN WITH a AS (SELECT 1) SELECT * FROM a",
    "EXPLAIN ANALYZE SELECT count(*) FROM corpus",
    "EXPLAIN /* why */ ANALYZE -- so\n SELECT 1",
    "EXPLAIN ANALYZE (SELECT 1)",
    "EXPLAIN (FORMAT json) SELECT 1",
    "explain (Format JSON) select 1",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
    "EXPLAIN (FORMAT json, ANALYZE) SELECT 1",
    "/* ééé 🙂 */ EXPLAIN ANALYZE SELECT 'é', class FROM corpus",
]


@pytest.mark.parametrize("sql", ANSWERED)
def test_a_select_in_any_dress_is_answered(made: Store, sql: str) -> None:
    assert made.sql(sql).num_rows > 0 or "gold" in sql


def test_a_result_has_names_and_types(made: Store) -> None:
    table = made.sql("SELECT 1::BIGINT AS a, 'é' AS b, [1.5::FLOAT] AS c, NULL::BOOLEAN AS d")
    assert table.schema == pa.schema({"a": pa.int64(), "b": pa.string(), "c": pa.list_(pa.float32()), "d": pa.bool_()})
    assert table.to_pylist() == [{"a": 1, "b": "é", "c": [1.5], "d": None}]


# What is refused. PLACE stands for a folder that must stay empty, and TEXT for a file that must stay unread.

CHANGES = [
    "COPY corpus TO 'PLACE/x.csv'",
    "COPY (SELECT 1) TO 'PLACE/x.parquet' (FORMAT parquet)",
    "COPY corpus FROM 'TEXT'",
    "COPY FROM DATABASE memory TO other",
    "WITH x AS (COPY (SELECT 1) TO 'PLACE/x.csv') SELECT 1",
    "with x as materialized(/* ( */copy (SELECT 1) TO 'PLACE/x.csv') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO (current_setting('temp_directory') || '/x.csv')) SELECT 1",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO (current_setting('temp_directory') || '/x.csv')) SELECT 1",
    "FROM query('WITH x AS (COPY (SELECT 1) TO (current_setting(''temp_directory'') || ''/x.csv'')) SELECT 1')",
    "EXPORT DATABASE 'PLACE/x'",
    "IMPORT DATABASE 'PLACE'",
    "ATTACH 'PLACE/x.db' AS x",
    "ATTACH ':memory:' AS x",
    "DETACH memory",
    "USE memory",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE OR REPLACE VIEW corpus AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW corpus AS SELECT 1",
    "CREATE MACRO m(a) AS a",
    "CREATE SEQUENCE s",
    "CREATE SCHEMA s",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE SECRET (TYPE s3)",
    "DROP VIEW corpus",
    "DROP VIEW IF EXISTS corpus CASCADE",
    "ALTER VIEW corpus RENAME TO other",
    "COMMENT ON VIEW corpus IS 'x'",
    "INSERT INTO corpus VALUES (1)",
    "UPDATE corpus SET text = ''",
    "DELETE FROM corpus",
    "TRUNCATE corpus",
    "MERGE INTO corpus USING labels ON corpus.row = labels.row WHEN MATCHED THEN DELETE",
    "WITH x AS (DELETE FROM corpus RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO corpus VALUES (1) RETURNING *) SELECT * FROM x",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD 'PLACE/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "SET threads = 1",
    "SET enable_external_access = true",
    "SET SESSION schema = 'main'",
    "SET VARIABLE x = 1",
    "RESET threads",
    "RESET VARIABLE x",
    "PRAGMA enable_profiling",
    "PRAGMA version",
    "PRAGMA threads = 1",
    "CALL pragma_version()",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN",
    "BEGIN TRANSACTION",
    "COMMIT",
    "ROLLBACK",
    "ABORT",
    "CALL enable_logging()",
    "PRAGMA table_info('corpus')",
    "PRAGMA database_list",
    "SET GLOBAL threads TO 1",
    "SET TIME ZONE 'UTC'",
    "RESET GLOBAL threads",
    "ALTER DATABASE memory SET x TO 1",
    "CREATE INDEX i ON corpus(row)",
    "CREATE FUNCTION f() AS 1",
    "EXECUTE p(1)",
    "DO $$ x $$",
    "\ufeffDROP VIEW corpus",
    "DROP\u00a0VIEW corpus",
    "ＤＲＯＰ VIEW corpus",
    "/*/* nested */ DROP VIEW corpus",
    "--\rDROP VIEW corpus",
    "/* */ -- \n COPY corpus TO 'PLACE/x.csv'",
    "FROM (DELETE FROM corpus RETURNING *)",
    "SELECT * FROM (COPY (SELECT 1) TO 'PLACE/x.csv')",
    "SELECT (COPY (SELECT 1) TO 'PLACE/x.csv')",
    "SELECT * FROM (PRAGMA version)",
    "WITH a AS (SELECT 1), x AS NOT MATERIALIZED (COPY (SELECT 1) TO 'PLACE/x.csv') SELECT 1",
    "WITH a AS (WITH x AS (COPY (SELECT 1) TO 'PLACE/x.csv') SELECT 1) SELECT * FROM a",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO 'PLACE/x.csv') SELECT 1)",
    "WITH x AS (ATTACH ':memory:' AS y) SELECT 1",
    "WITH x AS (SET VARIABLE a = 1) SELECT 1",
    "WITH x AS (CALL pragma_version()) SELECT 1",
    "WITH x AS (CREATE TABLE t (a INT)) SELECT 1",
]
EXPLAINED_CHANGES = [
    "EXPLAIN COPY corpus TO 'PLACE/x.csv'",
    "EXPLAIN ANALYZE COPY corpus TO 'PLACE/x.csv'",
    "explain analyze copy corpus to 'PLACE/x.csv'",
    "eXpLaIn\n\tAnAlYzE\nCoPy corpus tO 'PLACE/x.csv'",
    "EXPLAIN /* a */ ANALYZE /* SELECT 1 */ COPY corpus TO 'PLACE/x.csv'",
    "EXPLAIN -- SELECT 1\nANALYZE -- SELECT 1\nCOPY corpus TO 'PLACE/x.csv'",
    "/* SELECT 1 */ EXPLAIN ANALYZE COPY (SELECT 1) TO 'PLACE/x.csv'",
    "EXPLAIN (ANALYZE) COPY corpus TO 'PLACE/x.csv'",
    "EXPLAIN (ANALYZE, FORMAT json) COPY corpus TO 'PLACE/x.csv'",
    "EXPLAIN (FORMAT json, ANALYZE) COPY corpus TO 'PLACE/x.csv'",
    "explain(format json , analyze)copy corpus to 'PLACE/x.csv'",
    "EXPLAIN CREATE TABLE t AS SELECT 1",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "EXPLAIN ANALYZE CREATE OR REPLACE TEMP VIEW corpus AS SELECT 1",
    "EXPLAIN ANALYZE INSERT INTO corpus SELECT * FROM corpus",
    "EXPLAIN ANALYZE DELETE FROM corpus",
    "EXPLAIN ANALYZE ATTACH ':memory:' AS x",
    "EXPLAIN ANALYZE SET VARIABLE x = 1",
    "; EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "EXPLAIN ANALYZE SELECT 1; DROP VIEW corpus",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "EXPLAIN (",
    "EXPLAIN (FORMAT",
    "EXPLAIN EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE EXECUTE p",
    "EXPLAIN ANALYZE CALL pragma_version()",
    "EXPLAIN ANALYZE PRAGMA version",
    "EXPLAIN ANALYZE LOAD httpfs",
    "EXPLAIN ANALYZE INSTALL httpfs",
    "EXPLAIN ANALYZE CHECKPOINT",
    "EXPLAIN ANALYZE EXPORT DATABASE 'PLACE/x'",
    "EXPLAIN ANALYZE DROP VIEW corpus",
    "EXPLAIN ANALYZE RESET threads",
    "EXPLAIN ANALYZE PREPARE p AS SELECT 1",
]
# duckdb counts bytes where Python counts characters: with enough characters of several bytes in front, one who mixes
# them up looks for the explained statement too far behind, and finds a SELECT there.
EXPLAINED_CHANGES += [
    f"/*{'é' * count}*/ EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1" for count in (1, 10, 23, 24, 25, 26, 27, 40)
]
SEVERAL = [
    "",
    " ",
    ";",
    "-- nothing but a comment",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW corpus",
    "SELECT 1;; COPY (SELECT 1) TO 'PLACE/x.csv'",
    "SELECT 1 \0; COPY (SELECT 1) TO 'PLACE/x.csv'",
    "SELECT 1 -- ;\n; SET VARIABLE x = 1",
    "SELECT 1 --\n;DROP VIEW corpus",
    "SELECT 1;\u2028DROP VIEW corpus",
    "SELECT $$x$$; DROP VIEW corpus",
    "SELEC 1",
    "SELECT * FROM nothing",
    "SELECT nothing FROM corpus",
]
OUTSIDE = [
    "SELECT * FROM read_text('TEXT')",
    "SELECT * FROM read_blob('TEXT')",
    "SELECT * FROM read_csv('TEXT')",
    "SELECT * FROM read_json('TEXT')",
    "SELECT * FROM read_parquet('TEXT')",
    "SELECT * FROM sniff_csv('TEXT')",
    "SELECT * FROM parquet_metadata('TEXT')",
    "SELECT * FROM glob('PLACE/../*')",
    "SELECT * FROM 'TEXT'",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "SELECT * FROM query('CREATE TABLE t AS SELECT 1')",
    "SELECT * FROM query('SELECT * FROM read_text(''TEXT'')')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM enable_profiling()",
    "DESCRIBE SELECT * FROM read_text('TEXT')",
    "SUMMARIZE SELECT * FROM read_csv('TEXT')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('TEXT')",
    'SELECT * FROM "TEXT"',
    'SELECT * FROM "/etc/passwd"',
    'TABLE "TEXT"',
    "DESCRIBE 'TEXT'",
    "SUMMARIZE 'TEXT'",
    "PIVOT 'TEXT' ON secret",
    "UNPIVOT 'TEXT' ON secret",
    "SELECT * FROM read_csv_auto('TEXT')",
    "SELECT * FROM read_ndjson('TEXT')",
    "SELECT * FROM read_duckdb('TEXT')",
    "SELECT * FROM parquet_scan('TEXT')",
    "SELECT * FROM parquet_schema('TEXT')",
    "SELECT * FROM read_text(['TEXT'])",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT list_transform([1], lambda x: getenv('HOME'))",
    "SELECT pg_read_file('TEXT')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('TEXT')",
    "SELECT load_extension('x')",
    "SELECT shell('ls')",
    "SELECT * FROM query_table('TEXT')",
    "SELECT * FROM query_table(['corpus', 'TEXT'])",
    "SELECT * FROM query('FROM ''TEXT''')",
    "SELECT * FROM query('SET threads = 1')",
    "SELECT * FROM query('SELECT 1; DROP VIEW corpus')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''PLACE/x.csv''')",
    "SELECT * FROM query('EXPLAIN ANALYZE COPY (SELECT 1) TO ''PLACE/x.csv''')",
    "FROM query($$ FROM query($q$ WITH x AS (COPY (SELECT 1) TO 'PLACE/x.csv') SELECT 1 $q$) $$)",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM ''TEXT'''))",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('WITH x AS (COPY (SELECT 1) TO ''PLACE/x.csv'') FROM x'))",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM sql_auto_complete('SEL')",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM arrow_scan_dumb(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM set_log_level('debug')",
    "SELECT nextval('s')",
    "SELECT 1 INTO t",
]
# What looks like it, and tells or changes nothing that matters.
HARMLESS = [
    "SELECT write_log('x')",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM checkpoint()",
    "SELECT current_setting('threads')",
    "SELECT getvariable('x')",
    "SHOW VARIABLES",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM pragma_table_info('corpus')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "FROM query('SELECT 1')",
]


@pytest.mark.parametrize("sql", [*CHANGES, *EXPLAINED_CHANGES, *SEVERAL, *OUTSIDE])
def test_all_else_is_refused_and_leaves_no_file(made: Store, tmp_path: Path, sql: str) -> None:
    text, folder = tmp_path / "secret.csv", tmp_path / "out"
    text.write_text("secret\n1\n")
    folder.mkdir()
    with pytest.raises(QueryError) as caught:
        made.sql(sql.replace("PLACE", str(folder)).replace("TEXT", str(text)))
    assert str(caught.value)
    assert list(folder.iterdir()) == []
    assert set(tmp_path.iterdir()) == {folder, text}


@pytest.mark.parametrize("sql", [*HARMLESS, *CHANGES, *EXPLAINED_CHANGES, *SEVERAL, *OUTSIDE])
def test_no_statement_touches_a_setting_a_variable_or_a_view(session: Session, tmp_path: Path, sql: str) -> None:
    before = state_of(session)
    sql = sql.replace("PLACE", str(tmp_path)).replace("TEXT", str(tmp_path / "secret.csv"))
    if sql in HARMLESS:
        session.reader(sql).read_all()
    else:
        with pytest.raises(QueryError):
            session.reader(sql).read_all()
    assert state_of(session) == before
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def unlocked() -> Iterator[duckdb.DuckDBPyConnection]:
    """One connection for all statements, each of which must leave it as it was."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE VIEW corpus AS SELECT 1 AS row, '' AS text")
        yield connection


def run_checked(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    check_statement(connection, sql)
    connection.sql(sql)


@pytest.mark.parametrize("sql", [*CHANGES, *EXPLAINED_CHANGES])
def test_a_change_is_refused_before_it_is_run(unlocked: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str) -> None:
    """A connection that is not locked stays as it is, too."""
    with pytest.raises((QueryError, duckdb.Error)):
        run_checked(unlocked, sql.replace("PLACE", str(tmp_path)))
    assert unlocked.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == [("corpus",)]
    assert unlocked.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
    assert unlocked.execute("SELECT count(*) FROM duckdb_variables()").fetchall() == [(0,)]
    assert list(tmp_path.iterdir()) == []


def test_the_refusal_names_what_it_was(made: Store) -> None:
    with pytest.raises(QueryError, match="only SELECT is allowed here, and this is DROP; a store is never changed by"):
        made.sql("DROP VIEW corpus")
    with pytest.raises(QueryError, match="this is EXPLAIN COPY;"):
        made.sql("EXPLAIN ANALYZE COPY corpus TO 'x'")
    with pytest.raises(QueryError, match="one SELECT is allowed, and this is 2 statements"):
        made.sql("SELECT 1; SELECT 2")
    with pytest.raises(QueryError, match="one SELECT is allowed, and this is 0 statements"):
        made.sql("")


def test_variables_of_python_are_not_tables(made: Store) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(QueryError, match="secret does not exist"):
        made.sql("SELECT * FROM secret")
    with Session(made) as session, pytest.raises(QueryError, match="secret does not exist"):
        session.reader("FROM secret")
    assert secret.num_rows == 1


LOCKED = [
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET memory_limit = '100GB'",
    "SET temp_directory = 'PLACE'",
    "SET python_enable_replacements = true",
    "LOAD icu_of_somebody",
    "INSTALL httpfs",
    "COPY corpus TO 'PLACE/x.csv'",
    "EXPLAIN ANALYZE COPY corpus TO 'PLACE/x.csv'",
    "EXPORT DATABASE 'PLACE/x'",
    "ATTACH 'PLACE/x.db' AS x",
    "SELECT * FROM read_text('TEXT')",
]


@pytest.mark.parametrize("sql", LOCKED)
def test_the_connection_itself_is_locked_too(made: Store, tmp_path: Path, sql: str) -> None:
    text = tmp_path / "secret.csv"
    text.write_text("secret\n1\n")
    with Session(made) as session, pytest.raises(duckdb.Error):
        session.connection.execute(sql.replace("PLACE", str(tmp_path)).replace("TEXT", str(text))).fetchall()
    assert list(tmp_path.iterdir()) == [text]


PIECES = st.sampled_from(
    ["EXPLAIN", "ANALYZE", "SELECT", "1", "CREATE", "TABLE", "t", "AS", "(", ")", "FORMAT", "json", ",", ";", "VIEW",
     "OR", "REPLACE", "TEMP", "/*", "*/", "--", "\n", "é", "🙂", "'", '"', "$$", "\u00a0", "COPY", "WITH", "FROM", "DROP",
     "SET", "VARIABLE", "=", "/*é*/", "/*🙂🙂🙂🙂*/"]
)  # fmt: skip


BEGINNINGS = [
    [],
    ["SELECT", "1"],
    ["EXPLAIN", "ANALYZE", "SELECT", "1"],
    ["WITH", "t", "AS", "(", "SELECT", "1", ")", "FROM", "t"],
]
EVIL = ["/*", "é" * 25, "*/", "EXPLAIN", "ANALYZE", "CREATE", "TABLE", "t", "AS", "SELECT", "1"]
COUNTS = """
    SELECT count(*) FROM duckdb_tables() UNION ALL SELECT count(*) FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT count(*) FROM duckdb_variables()
"""


def test_whatever_passes_the_check_changes_nothing() -> None:
    ran: list[str] = []

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(pieces=st.builds(list.__add__, st.sampled_from(BEGINNINGS), st.lists(PIECES, max_size=14)))
    @example(pieces=EVIL)
    @example(pieces=["SELECT", "1"])
    @example(pieces=["EXPLAIN", "SELECT", "1"])
    @example(pieces=["EXPLAIN", "ANALYZE", "SELECT", "1"])
    @example(pieces=["WITH", "t", "AS", "(", "SELECT", "1", ")", "FROM", "t"])
    def check(pieces: list[str]) -> None:
        sql = " ".join(pieces)
        with contextlib.suppress(QueryError, duckdb.Error):
            run_checked(connection, sql)
            ran.append(sql)
        assert connection.execute(COUNTS).fetchall() == [(0,)] * 3

    with duckdb.connect(":memory:") as connection:
        check()
    assert {"SELECT 1", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1"} <= set(ran)
    assert len(set(ran)) > 20  # a check that refuses everything but the examples does not pass


# Failures


def test_a_query_that_fails_is_a_query_error_with_the_reason(made: Store) -> None:
    with pytest.raises(QueryError, match="Could not convert string"):
        made.sql("SELECT text::INT FROM corpus")


LATE = "SELECT CASE WHEN range < 2999999 THEN range ELSE error('too late') END AS n FROM range(3000000)"


def test_a_query_that_fails_after_its_first_rows_is_a_query_error_too(made: Store) -> None:
    with pytest.raises(QueryError, match="too late"):
        made.sql(LATE)


@pytest.mark.parametrize("view", ["labels", "reviews"])
@pytest.mark.parametrize("damage", [b"no Arrow file", None])
def test_a_damaged_shard_is_named_where_a_query_reads_it(view: str, damage: bytes | None) -> None:
    made = make_store(rows=50)
    record = made.family("labels/bert").records()[1]
    name = f"labels/bert/{record.file}"
    made.storage.put(name, damage or bytes(record.bytes))
    with pytest.raises(DamageError, match=re.escape(name)) as caught:
        made.sql(f"SELECT avg(confidence) FROM {view}")
    assert "Traceback" not in str(caught.value)
    assert ask(made, "SELECT count(*) FROM corpus") == [50]


@pytest.mark.parametrize("damage", [None, b"", b"no Arrow file"])
def test_a_damaged_file_of_refused_rows_is_named(tmp_path: Path, damage: bytes | None) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"), rows=50)
    path = next((tmp_path / "a.store" / "rejects").iterdir())
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(DamageError, match=rf"rejects/{path.name} .*--repair"):
        made.sql("SELECT count(*) FROM rejects")
    assert ask(made, "SELECT count(*) FROM corpus") == [50]


def test_a_damaged_record_is_named_where_a_query_reads_it(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"), rows=50)
    flip_bit(made.storage, "labels/bert/manifest.json", 123)
    for sql in ("SELECT avg(confidence) FROM labels", "SELECT count(*) FROM shards", "FROM reviews"):
        with pytest.raises(DamageError, match=r"labels/bert/manifest\.json") as caught:
            made.sql(sql)
        assert "Traceback" not in str(caught.value)


def test_a_query_leaves_no_temporary_folder(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    query(made, "SELECT 1")
    with pytest.raises(QueryError):
        query(made, "SELECT error('x')")
    assert list(tmp_path.iterdir()) == []


def test_a_query_sees_what_is_committed_when_it_is_asked() -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0])
    before = query(made, "SELECT count(*) AS n FROM corpus").to_pylist()
    add_corpus(made, shards=[1, 2])
    after = query(made, "SELECT count(*) AS n FROM corpus").to_pylist()
    assert (before, after) == ([{"n": 16}], [{"n": 50}])


def test_importing_store_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("torch", "transformers", "duckdb", "pyarrow")
    program = f"import store, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_and_streaming_load_neither_torch_nor_duckdb(place: Path, tmp_path: Path) -> None:
    program = f"""
        import store, sys
        for batch in store.open({str(place)!r}).stream(labels="bert"):
            print(len(batch["row"]), [name for name in ("torch", "transformers", "duckdb") if name in sys.modules])
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == f"{ROWS} []"


REMEDIES = {
    "SELECT class FROM corpus JOIN labels USING (row)": "the view reviews has both, as gold_class and class.",
    "SELECT row FROM corpus, labels": "Views go together by it: FROM corpus JOIN labels USING (row).",
    "SELECT confidense FROM labels": "Near names: confidence in labels.",
    "SELECT clas FROM corpus, labels": "Near names: class in corpus, gold and labels.",
    "SELECT c.confidence FROM corpus c": "The column confidence is in labels.",
    'SELECT * FROM corpus WHERE class = "positive"': "write a text in single quotes, as class = 'positive'.",
    "SELECT * FROM labels WHERE label_set = bert": "write a text in single quotes, as label_set = 'bert'.",
    'SELECT * FROM corpus WHERE text = "it\'s"': "A text is written in single quotes, as 'it''s'. The views have",
    "SELECT gold_class FROM corpus": "The view reviews joins one label set: choose it with --labels.",
    "SELECT * FROM label": "corpus, gold, rejects, shards, calibrations and labels. Did you mean labels?",
    "SELECT * FROM nothing": "The views of a store are corpus, gold, rejects, shards, calibrations and labels.",
    "SELECT * FROM roberta": "its rows are in the view labels: FROM labels WHERE label_set = 'roberta'.",
    "SELECT * FROM 'reviews.csv'": "A query reads no files, only what the store has",
}


@pytest.fixture(scope="module")
def with_two() -> Store:
    return make_store(rows=20, labels=["bert", "roberta"])


@pytest.mark.parametrize("sql", REMEDIES)
def test_a_wrong_name_is_told_with_what_to_write(with_two: Store, sql: str) -> None:
    with pytest.raises(QueryError) as refused:
        with_two.sql(sql)
    assert REMEDIES[sql] in str(refused.value)
    assert "pg_views" not in str(refused.value)


def test_what_has_no_better_remedy_stays_as_duckdb_says_it(made: Store) -> None:
    for sql, said in (
        ("SELECT id, count(*) FROM corpus", "Either add it to the GROUP BY list"),
        ("SELECT label_set FROM labels a JOIN labels b USING (row)", "Ambiguous reference"),
        ("SELECT nothing(text) FROM corpus", "Did you mean"),
    ):
        with pytest.raises(QueryError, match=said):
            made.sql(sql)


def test_remedies_of_a_query_with_a_label_set_name_the_view_that_joins_it(made: Store) -> None:
    with pytest.raises(QueryError, match="The column gold_class is in reviews"):
        made.sql("SELECT gold_class FROM corpus", labels="bert")
