"""``engine info``: what is in a store, and how far a label run is that goes on in another process."""

import csv
import io
import json
import os
import time

import numpy as np
import pytest
from store_factory import NoWaitStorage, add_corpus, add_labels, append_rows, make_store, write_header
from terminal import on_a_terminal

import store
from cli.commands.info import _listed
from cli.main import ERROR, OK, run
from store.format.run_log import RunLog
from store.gold.add_round import Labelled, add_round
from store.storage import LocalStorage
from store.summary import summarise


@pytest.fixture
def unfinished(tmp_path):
    """A store of which a label set lacks two of three shards."""
    made = write_header(NoWaitStorage(tmp_path / "s"), rows=50)
    add_corpus(made)
    add_labels(made, "bert", shards=[0])
    return made


def begin(made, rows=34, **about):
    log = RunLog(made.storage, {"label_set": "bert", "devices": ["cpu", "cpu"], **about})
    log.begin(rows)
    log.rows_done(10, 8.0)
    log.shard_done("labels/bert", 1, 2.0)
    log._flush()
    return log


def shown(made, capsys, *arguments):
    assert run(["info", made.location, *arguments]) == OK
    return capsys.readouterr().out


def test_a_run_that_goes_on_says_how_far_it_is(unfinished, capsys):
    log = begin(unfinished)
    (record,) = [one for line in shown(unfinished, capsys).splitlines() if (one := json.loads(line))["about"] == "run"]
    assert {
        name: record[name] for name in ("label_set", "state", "rows_done", "rows", "rows_per_second", "shards_done")
    } == {
        "label_set": "bert",
        "state": "running",
        "rows_done": 10,
        "rows": 34,
        "rows_per_second": 8.0,
        "shards_done": 1,
    }
    assert (record["seconds_left"], record["devices"]) == (3, ["cpu", "cpu"])
    table = shown(unfinished, capsys, "--format", "table")
    assert "10/34 (29%)" in table
    assert "2 × cpu" in table
    assert f"process {record['process']} on {record['machine']}, begun {record['started']}; it said so 0 s ago" in table
    log.finish({"rows": 34})


def test_a_run_that_was_killed_is_said_to_be_dead_with_the_way_on(unfinished, capsys):
    log = begin(unfinished)
    log._life.discard()  # what the kernel does when a process ends
    table = shown(unfinished, capsys, "--format", "table")
    assert "dead" in table
    way = f"engine label --store {unfinished.location} --teacher test/bert --name bert --devices cpu --no-keep-tokens"
    assert f"it was killed; its last note is 0 s old. `{way}` goes on" in table
    (row,) = summarise(unfinished)["runs"]
    assert (row["rows_per_second"], row["seconds_left"]) == (None, None)


def test_a_run_that_was_stopped_is_shown_until_its_label_set_is_finished(unfinished, capsys):
    begin(unfinished).finish({"stopped_by": "KeyboardInterrupt"})
    assert "it was stopped (KeyboardInterrupt)" in shown(unfinished, capsys, "--format", "table")
    add_labels(unfinished, "bert", shards=[1, 2])
    assert summarise(unfinished)["runs"] == []
    assert "label runs" not in shown(unfinished, capsys, "--format", "table")


def test_a_run_that_has_ended_counts_the_rows_that_it_committed_alone(unfinished, capsys):
    log = begin(unfinished)
    log.rows_done(30, 8.0)
    log._flush()
    assert summarise(unfinished)["runs"][0]["rows_done"] == 30
    log._life.discard()
    (row,) = summarise(unfinished)["runs"]
    assert (row["state"], row["rows_done"]) == ("dead", unfinished.layout.rows_of(1))
    assert "17/34 (50%)" in shown(unfinished, capsys, "--format", "table")


def test_a_part_that_is_done_names_the_others_and_what_was_appended_the_same_command(unfinished, capsys):
    begin(unfinished, worker=[0, 2]).finish({"rows": 34})
    assert summarise(unfinished)["runs"][0]["worker"] == "0/2"
    table = shown(unfinished, capsys, "--format", "table")
    assert "it did its part (0/2). For the shards that are missing, run the other parts, or all: `engine label" in table
    assert "16/50" in table  # of the rows of the label set
    add_labels(unfinished, "bert", shards=[1, 2])
    assert "label runs" not in shown(unfinished, capsys, "--format", "table")
    unfinished.storage.remove_dead(f"runs/{unfinished.storage.list('runs')[0]}")
    begin(unfinished, worker=None).finish({"rows": 34})
    grown = append_rows(unfinished, extras={})
    said = "it labelled all rows that there were; some were appended since. `engine label --store "
    assert said in shown(grown, capsys, "--format", "table")


def test_the_corpus_s_own_gold_is_round_0(tmp_path, capsys):
    made = make_store(NoWaitStorage(tmp_path / "s"))
    add_round(made, Labelled(rows=np.arange(4), labels=np.zeros(4, np.int16), sources=["me"] * 4))
    assert [(row["round"], row["rows"], row["sources"]) for row in summarise(made)["gold"]] == [
        (0, 38, ["corpus"]),
        (1, 4, ["me"]),
    ]
    assert "corpus" in shown(made, capsys, "--format", "table").partition("\ngold")[2]
    bare = write_header(NoWaitStorage(tmp_path / "bare"), rows=50)
    add_corpus(bare, label=lambda _row, _classes: None)
    assert summarise(bare)["gold"] == []


def making(storage, *, rows=None):
    log = RunLog(storage, {"command": "label"})
    log.begin(rows)
    log.stage("checking rows", 1000, rows)
    log.rows_done(1200, 50.0)
    log._flush()
    return log


def test_a_store_that_is_being_made_is_said_to_be_so_by_every_reader(tmp_path, capsys):
    storage = NoWaitStorage(tmp_path / "s")
    assert run(["info", storage.location]) == ERROR
    assert "is not a store: it has no store.json" in capsys.readouterr().err
    log = making(storage)
    for command in (["info", storage.location], ["sql", storage.location, "SELECT 1"], ["audit", storage.location]):
        assert run(command) == ERROR
        said = capsys.readouterr().err
        assert f"is not a store yet: process {os.getpid()} on " in said
        assert "makes it (checking rows, 1,200 rows so far, 50 a second). Run this again when" in said
    log._life.discard()  # what the kernel does when a process ends
    assert run(["info", storage.location]) == ERROR
    assert "was killed while it made it. Run the same `engine label` again" in capsys.readouterr().err


def test_a_run_that_writes_the_corpus_says_how_far_it_is_and_its_end_what_is_there(tmp_path, capsys):
    made = write_header(NoWaitStorage(tmp_path / "s"), rows=50)
    log = making(made.storage, rows=2400)
    table = shown(made, capsys, "--format", "table")
    assert "corpus, checking rows: process" in table
    assert "1,200/2,400 (50%)" in table
    add_corpus(made, shards=[0])
    log._life.discard()
    (row,) = summarise(made)["runs"]
    assert (row["label_set"], row["stage"], row["state"], row["rows_done"]) == (None, "checking rows", "dead", 16)
    add_corpus(made, shards=[1, 2])
    assert summarise(made)["runs"] == []


def test_runs_side_by_side_are_all_shown_and_older_ones_of_the_same_labels_are_not(unfinished):
    begin(unfinished).finish({"stopped_by": "KeyboardInterrupt"})
    logs = [begin(unfinished, rows=rows) for rows in (17, 18)]
    assert sorted((row["state"], row["rows"]) for row in summarise(unfinished)["runs"]) == [
        ("running", 17),
        ("running", 18),
    ]
    for log in logs:
        log.finish({})


def test_a_run_that_hangs_is_said_to_be_silent(unfinished, capsys, monkeypatch):
    log, clock = begin(unfinished), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 300)
    assert "its process lives, and has written nothing for 5 min: it may hang" in shown(
        unfinished, capsys, "--format", "table"
    )
    log.finish({})


def test_notes_of_earlier_versions_are_no_open_runs(unfinished):
    log = RunLog(unfinished.storage, {"label_set": "bert"})
    log._content.pop("summary")
    unfinished.storage.put("runs/20200101T000000Z-0.json", b"")
    assert summarise(unfinished)["runs"] == []


def test_in_a_pipe_each_line_is_about_one_thing(tmp_path, capsys):
    made = make_store(NoWaitStorage(tmp_path / "s"), labels=["bert", "roberta"])
    records = [json.loads(line) for line in shown(made, capsys).splitlines()]
    assert [record["about"] for record in records] == ["store", "input", "family", "family", "family", "gold"]
    assert not [
        record
        for record in records
        for value in record.values()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    assert [record["family"] for record in records if record["about"] == "family"] == [
        "corpus",
        "labels/bert",
        "labels/roberta",
    ]
    (whole,) = json.loads(shown(made, capsys, "--format", "json"))
    assert whole == {**summarise(store.open(LocalStorage(tmp_path / "s"))), "store": made.location}
    rows = list(csv.DictReader(io.StringIO(shown(made, capsys, "--format", "csv"))))
    assert {"about": "family", "number": "2", "field": "rows", "value": "50"} in rows


def test_tables_fit_into_80_columns(tmp_path):
    made = make_store(NoWaitStorage(tmp_path / "s"), labels=["bert"])
    log = begin(made)
    code, said = on_a_terminal("info", made.location)
    log.finish({})
    lines = [line.rstrip() for line in said.splitlines()]
    assert code == OK
    assert max(len(line) for line in lines if not line.startswith("bert: process ")) <= 80
    assert any("labels/bert" in line and "3/3" in line and "finished" in line for line in lines)
    assert any(line.split()[:3] == ["bert", "running", "10/34"] and line.endswith("2 × cpu") for line in lines)


def test_many_inputs_are_not_all_shown(tmp_path, capsys):
    from cli.commands.info import _print_tables

    summary = summarise(make_store(NoWaitStorage(tmp_path / "s")))
    summary["inputs"] = [{**summary["inputs"][0], "path": f"{at}.csv"} for at in range(1_000)]
    _print_tables(summary, "table")
    said = capsys.readouterr().out
    assert "inputs, the first 20 of 1,000" in said
    assert said.count(".csv") == 20


def test_names_with_commas_are_quoted():
    assert _listed(["Rooms", "Food, drink"]) == 'Rooms, "Food, drink"'
