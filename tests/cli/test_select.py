"""``engine select``: what it freezes and prints, and its exit codes."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from store_factory import add_labels, flip_bit, make_store, repair_labels

import store
from cli.main import run
from store.selections.methods import DEFAULT_METHOD
from store.storage import LocalStorage

ROWS = 50
THREES = [row for row in range(ROWS) if row % 5 == 2 and row % 6 != 5]

Ran = tuple[int, list[dict[str, Any]], str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("select") / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> str:
    """A store with gold and one label set, of this test alone."""
    return str(shutil.copytree(whole, tmp_path / "a.store"))


@pytest.fixture
def select(place: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """``engine select`` on it: exit code, rows and notes."""

    def selected(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(["select", place, *arguments])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return selected


def test_a_selection_is_frozen_and_summed_up(place: str, select: Any) -> None:
    code, (row,), err = select("threes", "--where", "stars = 3")
    made = store.open(place)
    selection = made.selection("threes")
    assert (code, err) == (0, "")
    assert row == {"name": "threes", "selected": len(THREES), "of": ROWS, "sha256": selection.card.sha256[:16]}
    assert selection.rows.numbers().tolist() == THREES
    assert selection == make_store(rows=ROWS).select(
        "threes", where="stars = 3"
    )  # a child gives what this process does
    assert select("threes", "--where", "stars = 3") == (0, [row], "")


def test_a_selection_of_nothing_says_how_it_is_taken_away(place: str, select: Any, capsys) -> None:
    code, (row,), err = select("none", "--where", "stars = 99")
    assert (code, row["selected"]) == (0, 0)
    (command,) = re.findall("`(engine remove .*)` takes it away", err)
    assert run([*shlex.split(command)[1:], "--yes"]) == 0
    assert select("none", "--where", "stars = 3")[0] == 0


def test_order_limit_and_algebra(place: str, select: Any) -> None:
    made = store.open(place)
    assert select("threes", "--where", "stars = 3")[0] == 0
    assert select("near", "--order-by", "margin -- the least", "--limit", "7", "--labels", "bert")[0] == 0
    nearest = made.sql("SELECT row FROM reviews ORDER BY margin, row LIMIT 7").column("row").to_pylist()
    assert made.selection("near").rows.numbers().tolist() == sorted(nearest)
    assert select("both", "--or", "threes", "--or", "near")[0] == 0
    assert set(made.selection("both").rows.numbers().tolist()) == set(THREES) | set(nearest)
    code, (row,), _ = select(
        "rest", "--where", "row > 3", "--and", "both", "--not", "threes", "--order-by", "margin DESC", "--limit", "2"
    )
    order = [row for row in reversed(nearest) if row > 3 and row not in THREES]
    assert (code, row["selected"]) == (0, 2)
    assert made.selection("rest").rows.numbers().tolist() == sorted(order[:2])
    assert made.selection("rest").algebra == {"and": ["both"], "not": ["threes"]}


def test_the_list_says_what_still_holds(place: str, select: Any) -> None:
    assert select("--list") == (0, [], "")
    assert select("threes", "--where", "stars = 3")[0] == 0
    assert select("first", "--limit", "2")[0] == 0
    rows = [
        {"name": "first", "selected": 2, "of": ROWS, "sql": None, "proposed": None, "sources_ok": True},
        {
            "name": "threes",
            "selected": len(THREES),
            "of": ROWS,
            "sql": "stars = 3",
            "proposed": None,
            "sources_ok": True,
        },
    ]
    assert select("--list") == (0, rows, "")
    repair_labels(store.open(place), "bert", shard=1, seed=9)
    rows[1]["sources_ok"] = False
    assert select("--list") == (0, rows, "")
    code, _, err = select("--show", "threes")
    assert (code, "was made from labels/bert when its fingerprint was" in err) == (1, True)
    code, _, err = select("more", "--or", "threes")
    assert (code, "select again under another name" in err) == (1, True)
    (command,) = re.findall("`engine (.*)`", err)
    assert run(shlex.split(command)) == 0  # pasted, it works
    assert store.open(place).selection("threes-2").card.selected == len(THREES)


def test_rows_are_proposed_and_written(place: str, select: Any, tmp_path: Path) -> None:
    out = tmp_path / "next.csv"
    code, (row,), err = select("next", "--propose", "margin", "--limit", "5", "--out", str(out))
    made = store.open(place)
    asked = made.sql("SELECT row, id FROM reviews WHERE gold IS NULL ORDER BY margin, row LIMIT 5").to_pylist()
    assert (code, row["selected"]) == (0, 5)
    assert err == (
        f"wrote {out}: 5 rows\npeople add a column called label, with the class of each row (negative, neutral, "
        f"positive); `engine audit {place} --gold FILE` adds their labels as a round of gold\n"
    )
    assert made.selection("next") == make_store(rows=ROWS).select("next", propose="margin", limit=5)
    with out.open(newline="") as file:
        assert [one["id"] for one in csv.DictReader(file)] == [
            one["id"] for one in sorted(asked, key=lambda one: one["row"])
        ]
    assert select("default", "--limit", "5", "--propose")[0] == 0
    assert made.selection("default").proposed.method == DEFAULT_METHOD
    assert select("some", "--propose", "random", "--seed", "4", "--limit", "3")[0] == 0
    proposed = {"method": "random", "seed": 4, "label_sets": [], "rounds": [0]}
    assert select("--show", "some")[1][0]["proposed"] == proposed
    assert [one["proposed"] for one in select("--list")[1]] == [DEFAULT_METHOD, "margin", "random"]


def test_a_proposal_of_fewer_rows_says_so(place: str, select: Any) -> None:
    code, (row,), err = select("all", "--propose", "random", "--limit", "60")
    made = store.open(place)
    assert (code, row["selected"]) == (
        0,
        made.sql("SELECT count(*) FROM corpus WHERE label IS NULL").column(0)[0].as_py(),
    )
    assert f"no more than these {row['selected']} rows could be proposed: the others have gold" in err
    code, _, err = select("gold", "--propose", "--where", "gold IS NOT NULL", "--limit", "3")
    assert (code, "has nothing to propose: each of the 38 rows to choose from has gold" in err) == (1, True)


def test_label_sets_that_disagree_propose_rows(place: str, select: Any, tmp_path: Path) -> None:
    code, _, err = select("next", "--propose", "disagreement", "--limit", "5")
    assert (code, "compares label sets, and" in err) == (1, True)
    made = store.open(place)
    add_labels(made, "gpt", seed=1)
    add_labels(made, "roberta", seed=2)
    out = tmp_path / "next.parquet"
    assert select("next", "--propose", "disagreement", "--limit", "5", "--out", str(out))[0] == 0
    assert set(pq.read_table(out).column("label_set").to_pylist()) == {"bert"}
    named = ("--labels", "roberta,gpt")
    out = tmp_path / "two.parquet"
    assert select("two", "--propose", "disagreement", "--limit", "5", *named, "--out", str(out))[0] == 0
    assert set(pq.read_table(out).column("label_set").to_pylist()) == {"roberta"}
    assert made.selection("two").proposed.label_sets == ["roberta", "gpt"]
    assert made.selection("next").proposed.label_sets == ["bert", "gpt", "roberta"]
    for wrong in (("a", "--where", "true", *named), ("--show", "two", *named)):
        code, _, err = select(*wrong)
        assert (code, "--labels names several label sets" in err) == (2, True)


@pytest.mark.parametrize("format_", ["table", "markdown"])
def test_tables_are_for_people(place: str, capsys: pytest.CaptureFixture[str], format_: str) -> None:
    assert run(["select", place, "threes", "--where", "stars = 3", "--format", format_]) == 0
    assert run(["select", place, "--list", "--format", format_]) == 0
    assert run(["select", place, "--show", "threes", "--format", format_]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("threes", "stars = 3", "sources_ok", "true", "positive", "labels/bert"))


def test_show_gives_the_card_and_rows_a_class(place: str, select: Any) -> None:
    assert select("threes", "--where", "stars = 3")[0] == 0
    code, (row,), _ = select("--show", "threes")
    classes = row.pop("classes")
    card = json.loads((Path(place) / "selections" / "threes.json").read_text())
    del card["check"]
    assert (code, row) == (0, card)
    made = store.open(place)
    asked = made.sql(
        "SELECT class, count(*) AS selected FROM reviews WHERE stars = 3 GROUP BY class ORDER BY min(prediction)"
    )
    assert [one for one in classes if one["selected"]] == asked.to_pylist()
    assert select("all", "--limit", "1000")[0] == 0
    assert select("--show", "all")[1][0]["classes"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the NAME of a new selection, or --list, or --show NAME"),
        (["a", "--list"], "give the NAME of a new selection, or --list, or --show NAME"),
        (["a", "--show", "b"], "give the NAME of a new selection, or --list, or --show NAME"),
        (["a"], "which rows? Give a condition (--where)"),
        (["a", "--order-by", "row"], "give --limit too"),
        (["a", "--limit", "0"], "0 is not in the range"),
        (
            ["a", "--propose", "best", "--limit", "1"],
            "'best' is not one of 'margin', 'diverse', 'disagreement', 'random'",
        ),
        (["a", "--propose", "margin"], "give --limit too: how many to propose"),
        (["a", "--propose", "margin", "--limit", "1", "--order-by", "row"], "both say which rows come first"),
        (["a", "--propose", "margin", "--limit", "1", "--seed", "1"], "--seed is of --propose random"),
        (["a", "--limit", "1", "--timeout", "0"], "is not in the range"),
        (["a", "--limit", "1", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_usage_errors_end_with_2(select: Any, arguments: list[str], message: str) -> None:
    code, rows, err = select(*arguments)
    assert (code, rows) == (2, [])
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A", "--limit", "1"], "selection 'A': a name is 1 to 64 of"),
        (["a", "--where", "true) OR (true"], "syntax error at or near"),
        (["a", "--where", "true; DROP VIEW corpus"], "a part of it is no plain SELECT"),
        (["a", "--where", "true LIMIT 3"], "holds more; give an SQL expression"),
        (["a", "--where", "row IN (PIVOT labels ON class USING count(*))"], "a part of it is no plain SELECT"),
        (["a", "--where", "nothing"], 'Referenced column "nothing" not found'),
        (["a", "--where", "row IN (SELECT unnest(content) FROM read_text('/etc/passwd'))"], "disabled"),
        (["a", "--where", "true", "--labels", "gpt"], "has no label set 'gpt'; it has: bert"),
        (["a", "--and", "b"], "has no selection 'b'; it has: none"),
        (["--show", "b"], "has no selection 'b'; it has: none"),
        (["a", "--where", "true", "--memory", "lots"], "--memory is 'lots'"),
        (["a", "--where", "row < (SELECT sum(range) FROM range(1000000000000))", "--timeout", "1"], "its limit of 1 s"),
    ],
)
def test_errors_end_with_1_and_freeze_nothing(place: str, select: Any, arguments: list[str], message: str) -> None:
    code, rows, err = select(*arguments)
    assert (code, rows) == (1, [])
    assert message in err
    assert "Traceback" not in err
    assert select("--list") == (0, [], "")


def test_predictions_that_cannot_be_written_freeze_nothing(place: str, select: Any, tmp_path: Path) -> None:
    add_labels(store.open(place), "roberta", seed=1)
    for named, message in (
        ([], "2 label sets: bert, roberta; choose one with --labels"),
        (["--labels", "gpt"], "'gpt'"),
    ):
        code, rows, err = select("a", "--limit", "3", "--out", str(tmp_path / "a.csv"), *named)
        assert (code, rows, message in err) == (1, [], True)
    assert select("--list") == (0, [], "")
    assert select("a", "--limit", "3", "--out", str(tmp_path / "a.csv"), "--labels", "roberta")[0] == 0


def test_a_file_in_which_somebody_has_worked_is_not_replaced(select: Any, tmp_path: Path) -> None:
    out = tmp_path / "next.csv"
    wanted = ("next", "--propose", "margin", "--limit", "5", "--out", str(out))
    assert select(*wanted)[0] == 0
    written = out.read_bytes()
    assert select(*wanted)[0] == 0  # the same file once more
    assert out.read_bytes() == written
    out.write_bytes(labelled := written.replace(b"\n", b",positive\n"))
    code, _, err = select(*wanted)
    assert (code, "next.csv is there already, and has something else in it, perhaps somebody's labels" in err) == (
        1,
        True,
    )
    assert out.read_bytes() == labelled
    other = str(tmp_path / "other.csv")
    assert "--show next --out OTHER" in err
    assert select("--show", "next", "--out", other)[0] == 0
    assert Path(other).read_bytes() == written


def test_who_draws_at_random_is_told_that_rows_with_gold_are_left_out(select: Any) -> None:
    code, _, err = select("some", "--propose", "random", "--limit", "3")
    assert (code, "rows that have gold are left out: for an estimate of all rows" in err) == (0, True)
    assert "left out" not in select("all", "--order-by", "hash(row)", "--limit", "3")[2]


def test_other_rows_under_a_name_that_is_taken_are_refused(select: Any) -> None:
    assert select("a", "--limit", "3")[0] == 0
    code, _, err = select("a", "--limit", "4")
    assert code == 1
    assert "has a selection 'a' of 3 rows, and this one has 4 rows and is another; use another name" in err


def test_no_store_is_1_and_damage_is_4(place: str, select: Any, tmp_path: Path) -> None:
    assert run(["select", str(tmp_path / "none"), "--list"]) == 1
    assert select("threes", "--where", "stars = 3")[0] == 0
    made = store.open(place)
    flip_bit(made.storage, f"selections/{made.selection('threes').card.file}", 12)
    code, _, err = select("--show", "threes")
    assert (code, err.startswith("damage: ")) == (4, True)
    assert select("threes", "--where", "stars = 3")[0] == 0
    assert select("--show", "threes")[0] == 0
    flip_bit(made.storage, "selections/threes.json", 99)
    assert select("--list")[0] == 4


def test_an_unfinished_label_set_is_refused_by_name(place: str, select: Any) -> None:
    add_labels(store.open(place), "begun", shards=[0])
    code, _, err = select("early", "--where", "true", "--labels", "begun")
    assert (code, "labels/begun lacks 2 of 3 shards (the first is 1); `engine label --store " in err) == (1, True)


def test_the_command_loads_neither_torch_nor_duckdb(place: str) -> None:
    script = (
        f"import sys\nfrom cli.main import run\nassert run(['select', {place!r}, 'a', '--where', 'stars = 3']) == 0\n"
    )
    script += "sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & {"torch", "transformers", "duckdb", "webdataset"}
