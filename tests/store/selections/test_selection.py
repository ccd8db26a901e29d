"""Selections: what is in them, that they are frozen, and that they are refused where they no longer hold."""

import contextlib
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from faults import Fault, FaultyStorage, Killed
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import (
    CLASSES,
    EXTRAS,
    NoWaitStorage,
    add_corpus,
    add_labels,
    change_bytes,
    flip_bit,
    make_store,
    random_logits,
    repair_labels,
    write_header,
)

import store
from store import Store
from store.errors import (
    DamageError,
    InvalidNameError,
    MismatchError,
    QueryError,
    StoreError,
    StoreExistsError,
    StoreMissingError,
)
from store.format.json_file import copy_name, from_json, to_json
from store.gold.fingerprint import fingerprints
from store.rows.row_set import RowSet
from store.selections.card import Origin, Proposed, select_command
from store.selections.select import SelectionRequest, select
from store.selections.selection import Selection, changed_source, class_counts, freeze_selection, read_card, selections
from store.sql.session import query
from store.storage import LocalStorage, MemoryStorage, Storage
from store.verify.verify import verify

ROWS = 150
STARS = {row: None if row % 6 == 5 else row % 5 + 1 for row in range(ROWS)}


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return NoWaitStorage(tmp_path / "a.store") if request.param == "local" else MemoryStorage()


@pytest.fixture
def made(storage: Storage) -> Store:
    """A finished store with one label set."""
    return make_store(storage, rows=ROWS)


@pytest.fixture(scope="module")
def kept() -> Store:
    """One that tests share: each uses names of its own."""
    return make_store(rows=ROWS)


def rows_of(selection: Selection) -> list[int]:
    numbers: list[int] = selection.rows.numbers().tolist()
    return numbers


def plain(snapshot: Store, name: str, rows: list[int]) -> Selection:
    """A selection that no SQL made."""
    chosen = RowSet.of(np.array(rows, np.int64), size=snapshot.header.rows)
    return Selection(name=name, rows=chosen, sources=fingerprints(snapshot, ["corpus"]))


CONDITIONS = {
    "stars = 3": [row for row in range(ROWS) if STARS[row] == 3],
    "stars > 2": [row for row in range(ROWS) if (STARS[row] or 0) > 2],
    "NOT (stars > 2)": [row for row in range(ROWS) if (STARS[row] or 9) <= 2],
    "stars IS NULL": [row for row in range(ROWS) if STARS[row] is None],
    "gold IS NOT NULL AND gold_class = 'neutral'": [row for row in range(ROWS) if row % 4 != 3 and row % 3 == 1],
    "row < 10 OR row >= 140": [*range(10), *range(140, ROWS)],
    "true": list(range(ROWS)),
    "false": [],
    "NULL": [],
    "text LIKE '%good good%' -- at least twice": [row for row in range(ROWS) if row % 5 >= 2],
    "/* a ( comment */ row = 7": [7],
    "id = 'id-3' OR id = '); --'": [3],
    "row IN (SELECT row FROM labels WHERE row % 50 = 0)": [0, 50, 100],
    "(row, 1) = (5, 1)": [5],
    "\"Café\" = 'café 1'": [row for row in range(ROWS) if row % 3 == 1],
    "row IN (WITH few AS (SELECT 9 AS row UNION SELECT 8) SELECT row FROM few)": [8, 9],
    "shard = 2": list(range(100, ROWS)),
}


@pytest.mark.parametrize("number", range(len(CONDITIONS)))
def test_a_condition_selects_its_rows(kept: Store, number: int) -> None:
    sql, expected = list(CONDITIONS.items())[number]
    selection = kept.select(f"condition-{number}", where=sql)
    assert rows_of(selection) == expected
    assert kept.selection(f"condition-{number}") == selection
    assert (selection.sql, selection.labels, selection.limit, selection.algebra) == (sql, "bert", None, {})
    assert kept.sql(f"SELECT count(*) FROM reviews WHERE ({sql}\n)").column(0).to_pylist() == [len(expected)]


def test_labels_select_as_sql_says(kept: Store) -> None:
    selection = kept.select("sure", where="confidence > 0.9 AND class <> 'neutral'")
    expected = kept.sql("SELECT row FROM reviews WHERE confidence > 0.9 AND class <> 'neutral' ORDER BY row")
    assert rows_of(selection) == expected.column("row").to_pylist()
    assert 0 < len(selection.rows) < ROWS
    counts = {row["class"]: row["selected"] for row in class_counts(kept, selection)}
    asked = kept.sql("SELECT class, count(*) AS n FROM reviews WHERE confidence > 0.9 AND prediction <> 1 GROUP BY 1")
    assert counts == {"neutral": 0, **{row["class"]: row["n"] for row in asked.to_pylist()}}


def test_a_row_whose_labelling_failed_has_no_confidence(storage: Storage) -> None:
    made = write_header(storage, rows=50)
    add_corpus(made)
    add_labels(made, "bert", failed=[3, 17, 49])
    assert set(range(50)) - set(rows_of(made.select("any", where="confidence <= 1"))) == {3, 17, 49}
    failed = made.select("failed", where="failure IS NOT NULL")
    assert rows_of(failed) == [3, 17, 49]
    assert class_counts(made, failed) == [
        *({"class": name, "selected": 0} for name in CLASSES),
        {"class": None, "selected": 3},
    ]


ORDERS: dict[str, Callable[[int], object]] = {
    "stars": lambda row: (STARS[row] or 9, row),
    "stars DESC": lambda row: (-STARS[row] if STARS[row] else 0, row),
    "stars DESC NULLS FIRST, row DESC": lambda row: (-(STARS[row] or 9), -row),
    "row % 7 -- the day": lambda row: (row % 7, row),
    "1": lambda row: row,
}


@pytest.mark.parametrize("limit", [1, 20, 26, 149, 150, 1_000])
@pytest.mark.parametrize("order", ORDERS)
def test_ties_are_broken_by_row_and_the_first_are_kept(kept: Store, order: str, limit: int) -> None:
    name = f"order-{list(ORDERS).index(order)}-{limit}"
    first = sorted(range(ROWS), key=ORDERS[order])  # type: ignore[arg-type]
    assert rows_of(kept.select(name, order_by=order, limit=limit)) == sorted(first[:limit])
    some = [row for row in first if row % 2]
    assert rows_of(kept.select(f"{name}-odd", where="row % 2 = 1", order_by=order, limit=limit)) == sorted(some[:limit])


def test_a_limit_without_an_order_keeps_the_first_rows(kept: Store) -> None:
    assert rows_of(kept.select("first", limit=5)) == [0, 1, 2, 3, 4]
    assert rows_of(kept.select("first-3s", where="stars = 3", limit=2)) == [2, 7]
    assert rows_of(kept.select("first-of-algebra", not_=("first",), limit=2)) == [5, 6]


numbers = st.frozensets(st.integers(0, ROWS - 1), max_size=ROWS)


@settings(max_examples=25, deadline=None)
@given(
    sets=st.lists(numbers, min_size=4, max_size=4),
    used=st.tuples(*[st.booleans()] * 4),
    where=st.booleans(),
    limit=st.none() | st.integers(1, ROWS),
    ordered=st.booleans(),
)
def test_algebra_is_that_of_pythons_sets(
    sets: list[frozenset[int]], used: tuple[bool, ...], where: bool, limit: int | None, ordered: bool
) -> None:
    made = make_store(rows=ROWS)
    for name, rows in zip("abcd", sets, strict=True):
        freeze_selection(made, plain(made, name, sorted(rows)))
    one, two, three, four = (chosen if use else None for chosen, use in zip(sets, used, strict=True))
    if not (where or limit or any(used)):
        return
    expected = set(range(ROWS))
    if where:
        expected = {row for row in expected if row % 3}
    elif three is not None and one is None and two is None:
        expected = set()
    expected = {row for row in expected if (one is None or row in one) and (two is None or row in two)}
    expected = (expected | (three or set())) - (four or set())
    ordering = ordered and limit is not None
    order = sorted(expected, key=(lambda row: (STARS[row] or 9, row)) if ordering else int)
    named = {
        "and": [name for name, use in zip("ab", used, strict=False) if use],
        "or": ["c"] * used[2],
        "not": ["d"] * used[3],
    }
    selection = made.select(
        "result",
        where="row % 3 > 0" if where else None,
        order_by="stars" if ordering else None,
        limit=limit,
        and_=named["and"],
        or_=named["or"],
        not_=named["not"],
    )
    assert rows_of(selection) == sorted(order[:limit])
    assert selection.algebra == {word: names for word, names in named.items() if names}


def test_sources_are_what_was_read_and_what_the_named_ones_were_made_from(storage: Storage) -> None:
    made = make_store(storage, rows=20, labels=["bert", "roberta"])
    cases: dict[str, tuple[dict[str, object], set[str]]] = {
        "texts": ({"where": "n_chars > 3"}, {"corpus"}),
        "first": ({"limit": 3}, {"corpus"}),
        "one": ({"where": "confidence > 0", "labels": "roberta"}, {"corpus", "labels/roberta"}),
        "both": ({"where": "row IN (FROM labels SELECT row)"}, {"corpus", "labels/bert", "labels/roberta"}),
        "quoted": ({"where": 'row IN (SELECT row FROM main."LABELS")'}, {"corpus", "labels/bert", "labels/roberta"}),
        "inner": ({"where": "row IN (SELECT row FROM _labels_0)"}, {"corpus", "labels/bert", "labels/roberta"}),
        "word": ({"where": "text <> 'labels and gold'", "labels": "bert"}, {"corpus", "labels/bert"}),
        "column": ({"where": 'reviews."Gold" IS NULL', "labels": "bert"}, {"corpus", "gold", "labels/bert"}),
        "star": ({"where": "COLUMNS('^id$') <> ''", "labels": "bert"}, {"corpus", "gold", "labels/bert"}),
        "whole": ({"where": "reviews::VARCHAR LIKE '%1%'", "labels": "bert"}, {"corpus", "gold", "labels/bert"}),
        "subquery": (
            {"where": "row IN (SELECT r.row FROM reviews r WHERE struct_extract(r, 'gold') = 1)", "labels": "bert"},
            {"corpus", "gold", "labels/bert"},
        ),
        "gold": ({"where": "row NOT IN (SELECT row FROM gold)"}, {"corpus", "gold"}),
        "order": (
            {"order_by": "(SELECT count(*) FROM labels l WHERE l.row = corpus.row)", "limit": 2},
            {"corpus", "labels/bert", "labels/roberta"},
        ),
        "hidden": (
            {"where": "row IN (SELECT row FROM query('FROM lab' || 'els'))"},
            {"corpus", "gold", "labels/bert", "labels/roberta"},
        ),
        "joined": ({"or_": ["texts", "one"]}, {"corpus", "labels/roberta"}),
        "nested": (
            {"not_": ["joined"], "where": "prediction = 0", "labels": "bert"},
            {"corpus", "labels/bert", "labels/roberta"},
        ),
    }
    for name, (wanted, sources) in cases.items():
        selection = made.select(name, **wanted)
        assert set(selection.sources) == sources, name
        assert selection.sources == fingerprints(made, sources)
    assert made.selections() == selections(made) == sorted(cases)


MORE = [
    "true) OR (true",
    "1) UNION SELECT (1",
    "true) UNION ALL SELECT row FROM reviews WHERE (true",
    "true) -- ",
    "true) /*",
    "true /* ",
    "true UNION SELECT 5",
    "(SELECT true) UNION (SELECT false)",
    "true; SELECT 1",
    "true;",
    "true; DROP VIEW corpus",
    "row GROUP BY 1",
    "true HAVING true",
    "true QUALIFY true",
    "true LIMIT 3",
    "true OFFSET 3",
    "true ORDER BY row LIMIT 3",
    "true WINDOW w AS (PARTITION BY row)",
    "true USING SAMPLE 10%",
    "SELECT true",
    "true FROM corpus",
    "true, false",
    "'true",
    '"row',
    "$$true",
    "",
    "-- nothing",
    ")",
    "(",
    "row = ?",
    "row = $1",
    "true\0) OR (true",
    "row IN (COPY corpus TO 'x')",
    "count(*) > 1",
    "row_number() OVER () < 3",
    "'good'",
    "nothing > 3",
    "1" + " + 1" * 900,
]


@pytest.mark.parametrize("sql", MORE)
def test_what_is_more_or_less_than_an_expression_is_refused(kept: Store, sql: str) -> None:
    for given_ in ({"where": sql}, {"where": sql, "limit": 3}, {"where": sql, "and_": ("condition-0",)}):
        if "and_" in given_:
            kept.select("condition-0", where="stars = 3")
        with pytest.raises(QueryError):
            kept.select("refused", **given_)
    assert "refused" not in kept.selections()


@pytest.mark.parametrize(
    "order",
    [
        "row LIMIT 1",
        "row OFFSET 3",
        "row, row LIMIT 1 --",
        "row UNION SELECT 1",
        "row FETCH FIRST 1 ROWS ONLY",
        "row) OR (row",
        "row; SELECT 1",
        "row;",
        "row /*",
        "ALL",
        "",
        "row,",
        "nothing",
        "2",
    ],
)
def test_an_order_that_is_more_or_less_than_expressions_is_refused(kept: Store, order: str) -> None:
    kept.select("condition-0", where="stars = 3")
    for given_ in ({}, {"where": "true"}, {"not_": ("condition-0",)}):
        with pytest.raises(QueryError):
            kept.select("refused", order_by=order, limit=3, **given_)
    assert "refused" not in kept.selections()


def test_what_is_refused_is_shown_with_the_reason(kept: Store) -> None:
    with pytest.raises(QueryError, match=r"the condition 'true\) OR \(true': syntax error at or near \"\)\""):
        kept.select("refused", where="true) OR (true")
    with pytest.raises(QueryError, match="the order 'row LIMIT 1' holds more; give an SQL expression, without another"):
        kept.select("refused", order_by="row LIMIT 1", limit=3)
    with pytest.raises(QueryError, match=r"the condition '1 \+ 1.* …' is nested too deeply; write it flatter"):
        kept.select("refused", where="1" + " + 1" * 900)
    with pytest.raises(QueryError, match='Referenced column "nothing" not found'):
        kept.select("refused", where="nothing")
    with pytest.raises(QueryError, match="which rows"):
        kept.select("refused")
    with pytest.raises(QueryError, match="--limit is 0"):
        kept.select("refused", limit=0)
    with pytest.raises(QueryError, match="give --limit too"):
        kept.select("refused", order_by="row")


def test_a_long_list_is_no_deep_one(kept: Store) -> None:
    some = [row for row in range(ROWS) if row % 2]
    assert rows_of(kept.select("long", where=" OR ".join(f"row = {row}" for row in some * 20))) == some


def test_where_there_are_several_label_sets_one_is_chosen(storage: Storage) -> None:
    made = make_store(storage, rows=20, labels=["bert", "roberta"])
    with pytest.raises(QueryError, match="choose it with --labels. This store has: bert, roberta"):
        made.select("sure", where="confidence > 0.9")
    with pytest.raises(StoreMissingError, match="has no label set 'gpt'; it has: bert, roberta"):
        made.select("sure", where="confidence > 0.9", labels="gpt")
    chosen = made.select("sure", where="confidence > 0.9", labels="roberta")
    confident = made.sql("SELECT row FROM labels WHERE label_set = 'roberta' AND confidence > 0.9 ORDER BY row")
    assert rows_of(chosen) == confident.column("row").to_pylist()


def test_a_store_without_labels_has_selections_of_texts(storage: Storage) -> None:
    made = write_header(storage, rows=20, extras=EXTRAS)
    add_corpus(made)
    assert rows_of(made.select("threes", where="stars = 3")) == [2, 7, 12]
    assert class_counts(made, made.selection("threes")) == []
    with pytest.raises(QueryError, match="This store has: none yet"):
        made.select("sure", where="confidence > 0.9")


def test_a_family_that_is_not_finished_is_refused_by_name(storage: Storage) -> None:
    made = make_store(storage, rows=30)
    add_labels(made, "begun", shards=[0, 2])
    for wanted in ({"where": "true", "labels": "begun"}, {"where": "row IN (SELECT row FROM labels)"}):
        with pytest.raises(
            StoreMissingError, match=r"labels/begun lacks 1 of 3 shards \(the first is 1\); `engine label"
        ):
            made.select("early", **wanted)
    assert len(made.select("texts", where="n_chars > 0").rows) == 30
    half = write_header(rows=30)
    add_corpus(half, shards=[0])
    with pytest.raises(StoreMissingError, match=r"corpus lacks 2 of 3 shards"):
        half.select("early", where="true")
    assert (half.selections(), "early" in made.selections()) == ([], False)


def test_bits_and_card_are_as_the_format_says(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "a.store"), rows=130)
    made.select("some", where="row IN (0, 9, 64, 129)", order_by="row", limit=10)
    folder = tmp_path / "a.store" / "selections"
    card = json.loads((folder / "some.json").read_bytes())
    data = (folder / card["file"]).read_bytes()
    assert [row for row in range(8 * len(data)) if data[row // 8] >> row % 8 & 1] == [0, 9, 64, 129]
    assert len(data) == card["bytes"] == 24
    del card["check"]
    records = {path: made.family(path).records().values() for path in ("corpus", "labels/bert")}
    assert card == {
        "name": "some",
        "sql": "row IN (0, 9, 64, 129)",
        "order_by": "row",
        "limit": 10,
        "labels": "bert",
        "algebra": {},
        "sources": {
            path: hashlib.sha256("".join(one.sha256 for one in found).encode()).hexdigest()
            for path, found in records.items()
        },
        "rows": 130,
        "selected": 4,
        "file": f"some-{hashlib.sha256(data).hexdigest()[:16]}.bits",
        "bytes": 24,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    assert (folder / "some.json").read_bytes() == (folder / "some.copy.json").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == sorted(["some.json", "some.copy.json", card["file"]])


@pytest.mark.parametrize("rows", [1, 63, 64, 65])
def test_stores_of_any_size_have_selections(rows: int) -> None:
    made = make_store(rows=rows, shards=1)
    assert rows_of(made.select("all", where="true")) == list(range(rows))
    assert rows_of(made.select("none", not_=("all",))) == []


def test_the_same_store_elsewhere_gives_the_same_selection(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "a.store"), rows=ROWS)
    elsewhere = store.open(shutil.copytree(tmp_path / "a.store", tmp_path / "elsewhere" / "b.store"))
    wanted = {"where": "confidence > 0.7", "order_by": "margin", "limit": 20}
    one, other = (snapshot.select("near", **wanted) for snapshot in (made, elsewhere))
    assert one == other
    assert one.card == other.card
    shutil.rmtree(tmp_path / "elsewhere")
    moved = store.open(shutil.copytree(tmp_path / "a.store", tmp_path / "elsewhere" / "c.store"))
    assert moved.selection("near") == one


def test_freezing_equal_rows_again_changes_nothing_and_other_rows_are_refused(made: Store) -> None:
    first = made.select("threes", where="stars = 3")
    before = {name: made.storage.read(f"selections/{name}").to_pybytes() for name in made.storage.list("selections")}
    again = made.select("threes", where="3 = stars")
    assert (again, again.sql) == (first, "stars = 3")
    with pytest.raises(
        StoreExistsError, match=r"has a selection 'threes' of 25 rows, and this one has 1 rows and is anoth"
    ):
        made.select("threes", where="row = 1")
    now = {name: made.storage.read(f"selections/{name}").to_pybytes() for name in made.storage.list("selections")}
    assert now == before


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "a" * 65, ".a", "é", "x.copy"])
def test_a_name_that_cannot_be_one_is_refused(kept: Store, name: str) -> None:
    with pytest.raises(InvalidNameError, match="selection "):
        kept.select(name, limit=3)
    with pytest.raises(InvalidNameError, match="selection "):
        kept.selection(name)


@pytest.mark.parametrize("name", ["a", "copy", "a.copy.b", "a-0123456789abcdef", "a.json", "a.bits", "0"])
def test_names_do_not_run_into_each_other(made: Store, name: str) -> None:
    made.select("a-b", limit=1)
    made.select(name, limit=4)
    assert made.selections() == sorted(["a-b", name])
    assert [len(made.selection(one).rows) for one in ("a-b", name)] == [1, 4]
    assert list(verify(made.storage)) == []


def test_a_selection_that_is_not_there_is_named_with_those_that_are(made: Store) -> None:
    assert made.selections() == []
    with pytest.raises(StoreMissingError, match="has no selection 'x'; it has: none"):
        made.selection("x")
    made.select("b", limit=1)
    made.select("a", limit=2)
    for wanted in ({"and_": ("x",)}, {"or_": ("a", "x")}, {"not_": ("x",)}):
        with pytest.raises(StoreMissingError, match="has no selection 'x'; it has: a, b"):
            made.select("c", **wanted)


def test_a_selection_is_refused_once_its_labels_have_changed(made: Store) -> None:
    add_labels(made, "other", seed=3)
    made.select("sure", where="confidence > 0.5", labels="bert")
    texts = made.select("texts", where="n_chars > 20")
    then = made.selection("sure").sources["labels/bert"]
    repair_labels(made, "bert", shard=1, seed=99)
    now = fingerprints(made, ["labels/bert"])["labels/bert"]
    message = (
        f"'sure' of .* was made from labels/bert when its fingerprint was {then[:16]}, and it is {now[:16]} now; "
        "select again under another name"
    )
    with pytest.raises(MismatchError, match=message):
        made.selection("sure")
    with pytest.raises(MismatchError, match="labels/bert"):
        made.select("more", or_=("sure",))
    assert made.selection("texts") == texts
    card = read_card(made, "sure")
    with pytest.raises(MismatchError, match="labels/bert"):
        freeze_selection(made, Selection(name="sure", rows=rows_of_card(made, card.file)))
    assert made.select("sure-again", where="confidence > 0.5", labels="bert").sources["labels/bert"] == now


def rows_of_card(made: Store, file: str) -> RowSet:
    words = np.frombuffer(made.storage.read(f"selections/{file}"), "<u8").astype(np.uint64)
    return RowSet(size=made.header.rows, words=words)


def test_labels_that_change_while_rows_are_selected_are_noticed(made: Store) -> None:
    def ask(sql: str, labels: str | None) -> object:
        if sql.startswith("SELECT row"):
            repair_labels(made, "bert", shard=1, seed=99)
        return query(made, sql, labels=labels)

    with pytest.raises(MismatchError, match="was made from labels/bert when its .* now; select again$"):
        select(made, "sure", SelectionRequest(where="confidence > 0.5"), ask=ask)
    assert made.selections() == []


def test_labels_that_are_gone_are_named(made: Store) -> None:
    add_labels(made, "other")
    made.select("sure", where="confidence > 0.5", labels="other")
    made.storage.remove_dead("labels/other/00001.json")
    with pytest.raises(MismatchError, match=r"made from labels/other, and .*labels/other lacks 1 of 3 shards"):
        made.selection("sure")
    add_labels(made, "other")
    assert made.selection("sure").sql == "confidence > 0.5"


def test_damaged_bits_are_seen_and_the_same_selection_writes_them_again(made: Store) -> None:
    selection = made.select("threes", where="stars = 3")
    file = f"selections/{selection.card.file}"
    whole = made.storage.read(file).to_pybytes()
    for number in range(0, 8 * len(whole), 37):
        flip_bit(made.storage, file, number)
        with pytest.raises(
            DamageError, match="threes-.* has the sha256 .*`engine select .* threes --where 'stars = 3'.*` writes"
        ):
            made.selection("threes")
        assert made.select("threes", where="stars = 3") == selection
        assert made.storage.read(file).to_pybytes() == whole
    for data in (whole[:-1], whole + b"\0", b""):
        made.storage.put(file, data)
        with pytest.raises(DamageError, match="bytes, and its record says 24"):
            made.selection("threes")
    made.storage.remove_dead(file)
    with pytest.raises(DamageError, match="is missing"):
        made.selection("threes")
    assert made.select("threes", where="stars = 3") == selection
    assert made.selection("threes") == selection


def test_bits_that_contradict_their_card_are_seen() -> None:
    """Whoever wrote both is wrong: bits behind the last row, or another count."""
    made = make_store(rows=70)
    full = RowSet(size=70, words=np.array([3, 1 << 10], np.uint64))
    with pytest.raises(DamageError, match="holds 3 of 70 rows, and its card says 3"):
        freeze_selection(made, Selection(name="behind", rows=full))
    selection = made.select("two", limit=2)
    change_bytes(made.storage, "selections/two.json", b'"selected": 2', b'"selected": 3')
    with pytest.raises(DamageError, match="its bytes are not those of its check"):
        made.selection("two")
    assert selection.card.selected == 2


def test_a_torn_card_was_never_there(made: Store) -> None:
    selection = made.select("threes", where="stars = 3")
    card = made.storage.read("selections/threes.json").to_pybytes()
    for length in (0, 1, len(card) // 2, len(card) - 1):
        made.storage.remove_dead("selections/threes.copy.json")
        made.storage.put("selections/threes.json", card[:length])
        assert made.selections() == []
        with pytest.raises(StoreMissingError, match="has no selection 'threes'; it has: none"):
            made.selection("threes")
        assert made.select("threes", where="stars = 3") == selection
        assert made.storage.read("selections/threes.json").to_pybytes() == card
        assert made.storage.read("selections/threes.copy.json").to_pybytes() == card


def test_a_card_that_is_lost_is_read_from_its_copy_and_comes_back(made: Store) -> None:
    selection = made.select("threes", where="stars = 3")
    for name in ("selections/threes.json", copy_name("selections/threes.json")):
        made.storage.remove_dead(name)
        assert made.selections() == ["threes"]
        assert made.selection("threes") == selection
        assert made.select("threes", where="3 = stars") == selection
        assert list(verify(made.storage)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "file is "),
        ({"rows": 200}, "which is not one bit for each"),
        ({"rows": "10"}, "rows is .10., and must be a whole number"),
        ({"selected": ROWS + 1}, "it selects 151 of 150 rows"),
        ({"file": "../../x.bits"}, "file is '../../x.bits', and must be"),
        ({"sources": {"../labels": "0" * 64}}, "must be families|sources(.corpus)? is "),
        ({"sources": {"labels/../x": "0" * 64}}, "must be families|sources(.corpus)? is "),
        ({"sources": {"corpus": 1}}, "must be families|sources(.corpus)? is "),
        ({"sources": ["corpus"]}, "must be families|sources(.corpus)? is "),
        ({"more": 1}, "more"),
    ],
)
def test_a_card_that_is_whole_and_none_is_damage(made: Store, change: dict[str, object], message: str) -> None:
    made.select("threes", where="stars = 3")
    value = from_json(made.storage, "selections/threes.json")
    made.storage.put("selections/threes.json", to_json({**value, **change}))
    with pytest.raises(DamageError, match=message):
        made.selection("threes")


def test_a_card_of_another_selection_or_store_is_damage(made: Store) -> None:
    made.select("one", limit=1)
    made.select("two", limit=2)
    made.storage.put("selections/one.json", made.storage.read("selections/two.json").to_pybytes())
    with pytest.raises(DamageError, match=r"one\.json is the card of 'two', in a store of 150 rows"):
        made.selection("one")
    larger = make_store(rows=ROWS + 1)
    larger.storage.put("selections/two.json", made.storage.read("selections/two.json").to_pybytes())
    with pytest.raises(DamageError, match=r"two\.json is the card of 'two', in a store of 150 rows"):
        larger.selection("two")


@pytest.mark.parametrize("rows", [[3, 4], None])
def test_of_several_at_once_one_is_first_and_equal_ones_agree(made: Store, rows: list[int] | None) -> None:
    """Equal rows, or other ones each."""
    count = 8
    for turn in range(5):
        gate = threading.Barrier(count)

        def freeze(number: int, turn: int = turn, gate: threading.Barrier = gate) -> Selection | StoreError:
            snapshot = store.open(made.storage)
            chosen = plain(snapshot, f"race-{turn}", rows or [number])
            gate.wait()
            try:
                return freeze_selection(snapshot, chosen)
            except StoreError as error:
                return error

        with ThreadPoolExecutor(count) as pool:
            ended = list(pool.map(freeze, range(count)))
        frozen = [one for one in ended if isinstance(one, Selection)]
        assert len(frozen) == (count if rows else 1)
        assert all(isinstance(one, Selection | StoreExistsError) for one in ended)
        assert set(map(str, map(rows_of, frozen))) == {str(rows_of(made.selection(f"race-{turn}")))}
    assert [finding for finding in verify(made.storage) if finding.is_damage] == []


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.FAIL, Fault.LATE])
def test_whatever_fails_a_selection_is_whole_or_not_there(fault: Fault, again: bool) -> None:
    made = make_store(rows=70)
    counted = FaultyStorage(made.storage)
    freeze_selection(store.open(counted), plain(made, "counted", [1]))
    for number in range(len(counted.calls)):
        name, rows = f"n-{number}", [number % 70, 69]
        faulty = FaultyStorage(made.storage, {number: fault})
        with contextlib.suppress(Killed, OSError, StoreError):
            freeze_selection(store.open(faulty), plain(made, name, rows))
        if name in made.selections():
            assert rows_of(made.selection(name)) == sorted(set(rows))
        assert [finding for finding in verify(made.storage) if finding.is_damage] == []
        if again:
            assert rows_of(freeze_selection(made, plain(made, name, rows))) == sorted(set(rows))
    if again:
        assert list(verify(made.storage)) == []


def test_the_selections_of_a_store_on_disk_need_no_duckdb(tmp_path: Path) -> None:
    made = make_store(NoWaitStorage(tmp_path / "a.store"), rows=20)
    made.select("few", limit=3)
    script = (
        "import sys, store\nassert not {'duckdb', 'pyarrow', 'numpy'} & set(sys.modules)\n"
        f"print(store.open({str(tmp_path / 'a.store')!r}).selection('few').rows.numbers().tolist())\n"
        "assert not {'duckdb', 'torch', 'store.sql.session', 'store.stream'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 1, 2]\n"


def test_nothing_changes_where_nothing_was_read() -> None:
    made = make_store(rows=20)
    assert changed_source(made, {}) is None
    assert changed_source(made, fingerprints(made, ["corpus", "labels/bert", "gold"])) is None
    assert changed_source(made, {"corpus": "0" * 64}) is not None
    assert random_logits(1).shape == (1, 3)


def test_a_store_on_a_disk_keeps_nothing_temporary(tmp_path: Path) -> None:
    made = make_store(LocalStorage(tmp_path / "a.store"), rows=20)
    made.select("few", limit=3)
    assert made.storage.list("tmp") == []


def test_the_command_of_a_selection_says_all_that_made_it() -> None:
    proposed = Proposed(method="random", seed=3, rounds=[0])
    origin = Origin(
        name="a",
        sql="text = 'it''s'",
        limit=5,
        labels="bert",
        proposed=proposed,
        algebra={"and": ["b", "c"], "not": ["d"]},
    )
    words = shlex.split(select_command("my store", origin))
    assert words == [
        "engine", "select", "my store", "a", "--where", "text = 'it''s'", "--propose", "random", "--seed", "3", "--limit", "5",
        "--labels", "bert", "--and", "b", "--and", "c", "--not", "d",
    ]  # fmt: skip
    compared = Proposed(method="disagreement", label_sets=["x", "y"], rounds=[])
    assert select_command("s", Origin(name="a", proposed=compared, order_by="row"), name="e").endswith(
        " e --order-by row --propose disagreement --labels x,y"
    )
