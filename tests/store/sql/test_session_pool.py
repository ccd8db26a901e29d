"""Connections that `Store.sql` keeps: what a later query sees, and that they go when the store goes."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from store_factory import (
    REJECTED,
    add_corpus,
    add_labels,
    calibration_at,
    flip_bit,
    make_store,
    write_header,
)

from store import Store
from store.errors import DamageError, QueryError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration
from store.storage import LocalStorage

Opened = list[duckdb.DuckDBPyConnection]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The connections that were opened."""
    connections: Opened = []
    connect = duckdb.connect

    def counted(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        connections.append(connect(*args, **options))
        return connections[-1]

    monkeypatch.setattr(duckdb, "connect", counted)
    return connections


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made; empty at the end."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    gc.collect()
    assert list(place.iterdir()) == []


def is_open(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.execute("SELECT 1")
    except duckdb.ConnectionException:
        return False
    return True


def value(made: Store, sql: str, **choice: Any) -> Any:
    """The only value of a result."""
    (row,) = made.sql(sql, **choice).to_pylist()
    (found,) = row.values()
    return found


def test_queries_share_one_connection(opened: Opened) -> None:
    made = make_store()
    for number in range(20):
        assert value(made, f"SELECT count(*) + {number} FROM reviews") == 50 + number
    assert len(opened) == 1


def test_a_query_sees_what_was_committed_since_the_one_before(opened: Opened) -> None:
    made = write_header(rows=50)
    add_corpus(made, shards=[0])
    assert value(made, "SELECT count(*) FROM corpus") == 16
    add_corpus(made, shards=[1, 2])
    assert value(made, "SELECT count(*) FROM corpus") == 50
    assert (value(made, "SELECT count(*) FROM shards"), value(made, "SELECT count(*) FROM gold")) == (3, 38)
    add_round(made, Labelled(rows=np.array([3]), labels=np.array([1], np.int16), sources=["me"]))
    assert value(made, "SELECT count(*) FROM gold") == 39
    assert value(made, "SELECT count(*) FROM gold", rounds=[1]) == 1
    assert len(opened) == 2
    with pytest.raises(QueryError, match="This store has: none yet"):
        made.sql("FROM reviews")
    add_labels(made, "bert", shards=[1])
    assert value(made, "SELECT count(*) FROM reviews") == value(made, "SELECT count(*) FROM labels") == 17
    connections = len(opened)
    add_labels(made, "bert", shards=[0, 2])
    assert value(made, "SELECT count(*) FROM reviews") == value(made, "SELECT count(*) FROM labels") == 50
    assert value(made, "SELECT gold_source FROM reviews WHERE row = 3") == "me"
    assert value(made, "SELECT count(*) FROM calibrations") == 0
    add_calibration(made, calibration_at(3.0, made=made))
    add_calibration(made, calibration_at(4.0, made=made))
    assert value(made, "SELECT count(*) FROM calibrations") == 2
    assert len(opened) == connections
    add_labels(made, "roberta", seed=1)
    assert value(made, "SELECT count(DISTINCT label_set) FROM labels") == 2
    with pytest.raises(QueryError, match="This store has: bert, roberta"):
        made.sql("FROM reviews")
    assert value(made, "SELECT DISTINCT label_set FROM reviews", labels="roberta") == "roberta"


def test_a_later_round_of_gold_holds_in_the_next_query() -> None:
    made = make_store()
    sql = "SELECT gold FROM reviews WHERE row = 3"
    for label in (1, 2, 0):
        add_round(made, Labelled(rows=np.array([3]), labels=np.array([label], np.int16), sources=["me"]))
        assert value(made, sql) == label


def test_damage_and_its_repair_are_seen_between_queries(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"))
    path = next((tmp_path / "a.store" / "rejects").iterdir())
    whole = path.read_bytes()
    for sql, rows in (("SELECT count(*) FROM rejects", len(REJECTED)), ("SELECT count(*) FROM labels", 50)):
        assert value(made, sql) == rows
    path.write_bytes(whole[:-1])
    with pytest.raises(DamageError, match="rejects/"):
        made.sql("FROM rejects")
    path.write_bytes(whole)
    assert value(made, "SELECT count(*) FROM rejects") == len(REJECTED)
    flip_bit(made.storage, "labels/bert/manifest.json", 123)
    with pytest.raises(DamageError, match=r"labels/bert/manifest\.json"):
        made.sql("FROM labels")
    flip_bit(made.storage, "labels/bert/manifest.json", 123)
    assert value(made, "SELECT count(*) FROM labels") == 50


def test_a_choice_of_label_set_or_rounds_has_views_of_its_own(opened: Opened) -> None:
    made = make_store(labels=["bert", "roberta"])
    for _ in range(3):
        for name in ("bert", "roberta"):
            assert value(made, "SELECT DISTINCT label_set FROM reviews", labels=name) == name
        assert value(made, "SELECT count(gold) FROM reviews", labels="bert", rounds=[0]) == 38
    assert len(opened) == 3
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'"):
        made.sql("SELECT 1", labels="gpt")


@pytest.mark.usefixtures("folder")
def test_few_connections_stay_open(opened: Opened) -> None:
    made = make_store()
    for number in range(1, 8):
        add_round(made, Labelled(rows=np.array([number]), labels=np.array([1], np.int16), sources=["me"]))
        assert value(made, "SELECT count(*) FROM gold", rounds=[number]) == 1
    assert [is_open(connection) for connection in opened] == [False] * 3 + [True] * 4


def test_a_query_that_fails_closes_its_connection(opened: Opened, folder: Path) -> None:
    made = make_store()
    made.sql("SELECT 1")
    assert len(list(folder.iterdir())) == 1
    for sql in ("SELECT error('x')", "DROP VIEW corpus"):
        with pytest.raises(QueryError):
            made.sql(sql)
        assert not is_open(opened[-1])
        assert list(folder.iterdir()) == []
        assert value(made, "SELECT count(*) FROM corpus") == 50


def test_the_next_statement_is_checked_and_locked_like_the_first(tmp_path: Path) -> None:
    made = make_store()
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n1\n")
    for _ in range(2):
        assert value(made, "SELECT count(*) FROM corpus") == 50
        for sql in (
            "SET threads = 1",
            "CREATE TABLE t AS SELECT 1",
            f"FROM read_csv('{secret}')",
            "SELECT 1; SELECT 2",
        ):
            with pytest.raises(QueryError):
                made.sql(sql)


def test_connections_and_folders_go_with_the_store(opened: Opened, folder: Path) -> None:
    made = make_store()
    for view in ("corpus", "labels", "reviews", "gold", "rejects", "shards", "calibrations"):
        made.sql(f"FROM {view}")
    assert len(list(folder.iterdir())) == 1
    assert oct(next(folder.iterdir()).stat().st_mode)[-3:] == "700"
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    assert not is_open(opened[0])
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_copies_have_connections_of_their_own(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"))
    assert value(made, "SELECT count(*) FROM reviews") == 50
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), made.memoised()):
        assert value(other, "SELECT count(*) FROM reviews") == 50
        del other
        gc.collect()
    assert value(made, "SELECT count(*) FROM reviews") == 50


@pytest.mark.usefixtures("folder")
def test_threads_ask_at_the_same_time(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"), labels=["bert", "roberta"])

    def ask(number: int) -> tuple[int, str]:
        name = ("bert", "roberta")[number % 2]
        (row,) = made.sql(f"SELECT count(*) + {number} AS n, max(label_set) FROM reviews", labels=name).to_pylist()
        return tuple(row.values())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(80)))
    assert answers == [(50 + number, ("bert", "roberta")[number % 2]) for number in range(80)]


PROGRAMS = {
    "at exit": "",
    "in a fork": """
        child = os.fork()
        if child == 0:
            assert made.sql("SELECT count(*) AS n FROM reviews").to_pylist() == [{"n": 50}]
            del made
            gc.collect()
            sys.exit(7)  # with everything that Python does at its end
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert made.sql("SELECT count(*) AS n FROM reviews").to_pylist() == [{"n": 50}]
    """,
    "in a fork that does not ask": """
        child = os.fork()
        if child == 0:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(os.listdir(tempfile.gettempdir())) <= 1
        assert made.sql("SELECT count(*) AS n FROM reviews").to_pylist() == [{"n": 50}]
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_left_when_a_process_ends(tmp_path: Path, name: str) -> None:
    make_store(LocalStorage(tmp_path / "a.store"))
    (tmp_path / "temporary").mkdir()
    program = f"""
        import gc, os, sys, tempfile, store
        made = store.open({str(tmp_path / "a.store")!r})
        assert made.sql("SELECT count(*) AS n FROM reviews").to_pylist() == [{{"n": 50}}]
    """
    program = textwrap.dedent(program) + textwrap.dedent(PROGRAMS[name])
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", program]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "temporary").iterdir()) == []
