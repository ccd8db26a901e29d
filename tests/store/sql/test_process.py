"""SQL in a process of its own: what it gives, what it may use, and that it ends."""

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from store_factory import flip_bit, make_store

import store
from store import Store
from store.errors import DamageError, QueryError, QueryTimeoutError
from store.sql.process import Child, Limits, Query, run_all_in_child, run_in_child
from store.storage import LocalStorage

ROWS = 50
LATE = "SELECT CASE WHEN range < 2999999 THEN range ELSE error('too late') END AS n FROM range(3000000)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store on disk with one label set."""
    place = tmp_path_factory.mktemp("sql") / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    return place


@pytest.fixture(scope="module")
def made(place: Path) -> Store:
    return store.open(place)


def child(place: Path, sql: str, result: Path, *, labels: str | None = None, **limits: Any) -> pa.Table:
    run_in_child(str(place), sql, result, labels=labels, limits=Limits(**limits))
    with pa.memory_map(str(result)) as source:
        return pa.ipc.open_stream(source).read_all()


def queries(folder: Path, *asked: str) -> list[Query]:
    return [Query(sql=sql, result=folder / f"{number}.arrows") for number, sql in enumerate(asked)]


def test_one_child_answers_several_queries(made: Store, place: Path, tmp_path: Path) -> None:
    asked = queries(tmp_path, *(f"SELECT {number} AS n, count(*) AS rows FROM reviews" for number in range(3)))
    run_all_in_child(str(place), asked)
    for query in asked:
        assert pa.ipc.open_stream(query.result.read_bytes()).read_all().equals(made.sql(query.sql))


def test_the_time_limit_is_that_of_all_queries_and_its_error_names_the_late_one(place: Path, tmp_path: Path) -> None:
    asked = queries(tmp_path, "SELECT 1", ENDLESS[0], "SELECT 2")
    with pytest.raises(QueryTimeoutError, match="^the query ran past its limit of 6 s, which all 3 queries share, and"):
        run_all_in_child(str(place), asked, limits=Limits(timeout=6))
    assert [query.result.exists() for query in asked] == [True, False, False]
    named = [dataclasses.replace(query, name=f"q{number}", result=tmp_path / "b") for number, query in enumerate(asked)]
    with pytest.raises(
        QueryTimeoutError, match="^the question q1 ran past its limit of 1 s and was ended; see --timeout"
    ):
        run_all_in_child(str(place), named[1:2], limits=Limits(timeout=1))


@pytest.mark.parametrize(
    ("sql", "message"),
    [("DROP VIEW labels", "^only SELECT is allowed"), (LATE, "too late"), ("FROM no", "no does not")],
)
def test_queries_before_one_that_fails_have_their_results(place: Path, tmp_path: Path, sql: str, message: str) -> None:
    asked = queries(tmp_path, "SELECT 1 AS a", sql, "SELECT 2 AS a")
    with pytest.raises(QueryError, match=message):
        run_all_in_child(str(place), asked)
    assert pa.ipc.open_stream(asked[0].result.read_bytes()).read_all().to_pylist() == [{"a": 1}]
    assert not asked[1].result.exists()
    assert not asked[2].result.exists()


def test_a_child_that_is_asked_nothing_is_ended_and_leaves_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = time.monotonic()
    with Child(str(place)), pytest.raises(ZeroDivisionError):
        raise ZeroDivisionError
    assert time.monotonic() - started < 5
    assert list(tmp_path.iterdir()) == []


def test_the_time_limit_begins_with_the_queries(place: Path, tmp_path: Path) -> None:
    """A parent may take longer to prepare them than they may take."""
    with Child(str(place), limits=Limits(timeout=2)) as child:
        time.sleep(3.5)
        child.run(queries(tmp_path, "SELECT 1"))
    assert (tmp_path / "0.arrows").exists()


def test_the_parent_needs_neither_pyarrow_nor_duckdb_to_start_a_child() -> None:
    program = "import sys, store.sql.process; print({'pyarrow', 'duckdb', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


ENDLESS = [
    "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE a.range + b.range = c.range * 2",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT (i + 1) % 7 FROM n) SELECT max(i) FROM n",
    "SELECT sum(range) FROM range(1000000000000)",
    "SELECT length(regexp_replace(repeat('ab', 200000000) || range, '(a|b|ab)*(x|y)?', 'bb', 'g')) FROM range(2)",
    "SELECT sum(length(repeat('x', 100000000) || range)) FROM range(1000000)",
]


def test_a_child_writes_the_same_result(made: Store, place: Path, tmp_path: Path) -> None:
    sql = "SELECT row, class, logits, text FROM reviews ORDER BY row"
    assert child(place, sql, tmp_path / "result").equals(made.sql(sql))


def test_a_child_gets_the_label_set(tmp_path: Path) -> None:
    make_store(LocalStorage(tmp_path / "a.store"), labels=["bert", "roberta"])
    sql = "SELECT DISTINCT label_set FROM reviews"
    table = child(tmp_path / "a.store", sql, tmp_path / "result", labels="roberta", memory="1GB", timeout=60)
    assert table.to_pylist() == [{"label_set": "roberta"}]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP VIEW corpus", "only SELECT is allowed here"),
        ("SELECT é FROM corpus", 'Referenced column "é" not found'),
        (LATE, "too late"),
    ],
)
def test_a_child_says_why_it_refused_or_failed(place: Path, tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        run_in_child(str(place), sql, tmp_path / "result")
    assert "Traceback" not in str(caught.value)
    assert "died" not in str(caught.value)


def test_a_child_that_finds_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="is not a store"):
        run_in_child(str(tmp_path), "SELECT 1", tmp_path / "result")


@pytest.mark.parametrize("memory", ["lots", "", "-1", "4", "80%", "1e3GB", "4 apples", "none"])
def test_a_limit_of_memory_that_is_no_size_is_refused(memory: str) -> None:
    with pytest.raises(QueryError, match="must be a size such as 500MB, 4GB or 2GiB"):
        Limits(memory=memory)


def test_limits_that_no_query_can_keep_are_refused() -> None:
    with pytest.raises(QueryError, match="--memory is 1MB; it must be at least 10MB and at most 1000TB"):
        Limits(memory="1MB")
    with pytest.raises(QueryError, match="--memory is 9999TB; it must be at least 10MB and at most 1000TB"):
        Limits(memory="9999TB")
    for timeout in (float("inf"), 1e300):
        with pytest.raises(QueryError, match=r"--timeout is .*; it is in seconds, more than 0 and at most 2,592,000"):
            Limits(timeout=timeout)
    for timeout in (0, -1, float("nan")):
        with pytest.raises(QueryError, match="it is in seconds, more than 0 and at most"):
            Limits(timeout=timeout)


@pytest.mark.parametrize(
    ("memory", "size"), [("100MB", 10**8), ("1.5gb", 15 * 10**8), ("2 GiB", 2**31), ("512mib", 2**29), ("1TB", 10**12)]
)
def test_sizes_are_what_duckdb_takes_them_for(memory: str, size: int) -> None:
    assert Limits(memory=memory).memory_bytes == size
    with duckdb.connect(config={"memory_limit": memory}) as connection:
        shown = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    with duckdb.connect(config={"memory_limit": f"{size}B"}) as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == shown


def test_a_query_that_is_larger_than_its_memory_spills(place: Path, tmp_path: Path) -> None:
    sql = "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY hash(range), repeat('x', 50)) n FROM range(1500000))"
    assert child(place, sql, tmp_path / "result", memory="100MB").to_pylist() == [{"n": 1_500_000}]


def test_a_query_that_needs_more_memory_than_it_may_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="(?i)memory"):
        child(place, "SELECT list(range) AS l FROM range(20000000)", tmp_path / "result", memory="50MB")


@pytest.mark.parametrize("sql", ENDLESS)
def test_an_endless_query_is_ended_and_leaves_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"the query ran past its limit of 1\.5 s and was ended; see --timeout"):
        child(place, sql, tmp_path / "result", timeout=1.5)
    assert time.monotonic() - started < 20
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_child_that_dies_is_a_query_error_with_its_last_words(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of Python that ends the process, found before the real one."""
    (tmp_path / "duckdb.py").write_text(
        textwrap.dedent("""
            import os, sys
            sys.stderr.write("last words")
            sys.stderr.flush()
            os._exit(9)
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(QueryError, match="the query's process died with 9: last words. See --memory"):
        run_in_child(str(place), "SELECT 1", tmp_path / "result")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, r"was killed, as a system does that is out of memory; give it less than --memory 2GB"),
        (signal.SIGSEGV, r"died of signal 11: it said nothing. See --memory \(2GB\), or simplify"),
        (signal.SIGALRM, r"ran past its limit of 30 s and was ended; see --timeout"),
        (signal.SIGXCPU, r"ran past its limit of 30 s and was ended; see --timeout"),
    ],
)
def test_a_child_that_is_killed_is_a_query_error_with_the_remedy(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, message: str
) -> None:
    (tmp_path / "duckdb.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(QueryError, match=message) as caught:
        child(place, "SELECT 1", tmp_path / "result", timeout=30, memory="2GB")
    assert isinstance(caught.value, QueryTimeoutError) == (number in (signal.SIGALRM, signal.SIGXCPU))


@pytest.mark.parametrize("sql", ENDLESS[:3])
def test_a_child_whose_parent_is_gone_ends_by_itself(place: Path, tmp_path: Path, sql: str) -> None:
    request = {"address": str(place), "temporary": "", "labels": None, "rounds": None}
    limits = {"timeout": 1, "memory": "1GB", "disk": 10**9}
    command = [sys.executable, "-P", "-m", "store.sql.child"]
    given = json.dumps({**request, "limits": limits}) + "\n" + json.dumps([(sql, str(tmp_path / "result"))]) + "\n"
    done = subprocess.run(command, input=given, text=True, capture_output=True, timeout=120)
    assert done.returncode in (-signal.SIGALRM, -signal.SIGXCPU)


def test_a_child_sets_the_limits_of_its_process() -> None:
    program = """
        import resource, signal
        from store.sql.child import limit, start_clock
        from store.sql.process import Limits
        limits = Limits(timeout=100, memory="1GB", disk=12345)
        limit(limits)
        start_clock(limits)
        names = ("CORE", "FSIZE", "DATA", "AS")
        print(*(resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names), limits.data_bytes)
        print(resource.getrlimit(resource.RLIMIT_CPU)[0], round(signal.getitimer(signal.ITIMER_REAL)[0]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    core, files, data, address, expected, cpu, real = map(int, done.stdout.split())
    assert (core, data, real) == (0, expected, 101)
    assert 12345 <= files < 10**8
    assert data >= 2 * 10**9
    assert address == resource.getrlimit(resource.RLIMIT_AS)[1]
    assert cpu >= 101 * (os.cpu_count() or 1)


def test_memory_that_duckdb_does_not_count_is_limited_too(place: Path, tmp_path: Path) -> None:
    """One string of 3 GB is two blocks of 4 GB, whatever DuckDB's own limit says."""
    with pytest.raises(QueryError, match="(?i)memory"):
        child(place, "SELECT length(repeat('x', 3000000000)) AS n", tmp_path / "result", memory="100MB")


def test_a_result_that_is_larger_than_it_may_be_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"the result is larger than 1,000,000 bytes; select fewer rows or columns"):
        child(place, "SELECT repeat('x', 1000) AS x FROM range(80000)", tmp_path / "result", disk=1_000_000)


def test_a_query_that_would_spill_more_than_it_may_is_refused(place: Path, tmp_path: Path) -> None:
    sql = "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY hash(range), repeat('x', 50)) n FROM range(1500000))"
    with pytest.raises(QueryError, match="max_temp_directory_size"):
        child(place, sql, tmp_path / "result", memory="100MB", disk=2_000_000)


def test_a_working_directory_full_of_modules_does_not_confuse_the_child(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("store.py", "duckdb.py", "json.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert child(place, "SELECT 1 AS a", tmp_path / "result").to_pylist() == [{"a": 1}]


def test_a_relative_place_is_found_by_the_child(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.parent)
    assert child(Path(place.name), "SELECT count(*) AS n FROM corpus", tmp_path / "r").to_pylist() == [{"n": ROWS}]


def test_damage_that_a_child_finds_is_damage(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"))
    flip_bit(made.storage, "labels/bert/manifest.json", 123)
    with pytest.raises(DamageError, match=r"labels/bert/manifest\.json"):
        child(tmp_path / "a.store", "FROM labels", tmp_path / "result")
