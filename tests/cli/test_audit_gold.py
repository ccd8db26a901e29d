"""``engine audit --gold``: labels by id in all formats, and the way there and back through annotators' tools."""

import copy
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from row_files import write
from store_factory import CLASSES, add_corpus, add_labels, label_of, make_store, write_header

import store
from cli.commands.audit.tables import for_people
from cli.main import run
from engine.ingest.gold_rounds import GoldRoundConfig, add_gold
from engine.inputs.columns import LabelColumns
from engine.inputs.labels.annotations import read_annotations
from store import Store
from store.storage import LocalStorage

ROWS = 50
LABELS = {"id-3": "positive", "id-10": "neutral", "id-11": "negative"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("gold") / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "a.store")


@pytest.fixture
def audit(place: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """``engine audit`` on the store: exit code, rows and notes."""

    def audited(*arguments: Any) -> tuple[int, list[dict[str, Any]], str]:
        capsys.readouterr()
        code = run(["audit", str(place), *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return audited


def rows_of(labels: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": id_, "label": label} for id_, label in labels.items()]


# Formats and columns


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.arrow"])
def test_every_format_is_read(place: Path, audit: Any, tmp_path: Path, name: str) -> None:
    code, (summary,), err = audit("--gold", write(tmp_path / name, rows_of(LABELS)))
    assert (code, err) == (0, "")
    expected = {"round": 1, "added": 3, "agreeing": 1, "contradicting": 0, "first": 2, "rejected": 0, "reasons": []}
    assert summary == {"store": str(place), **expected}
    rows = store.open(place).sql("SELECT row, class, source, round FROM gold WHERE round > 0").to_pylist()
    assert rows == [
        {"row": int(id_[3:]), "class": class_, "source": name, "round": 1} for id_, class_ in LABELS.items()
    ]


def test_classes_may_be_indices_and_columns_have_any_names(place: Path, audit: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv", [{"key": "id-3", "verdict": 2, "text": "x"}, {"key": "id-7", "verdict": 0, "text": ""}]
    )
    code, _, err = audit("--gold", file)
    assert (code, "no column looks like the id (columns: key, verdict, text); name it with --id" in err) == (1, True)
    code, _, err = audit("--gold", file, "--id", "key")
    assert (code, "no column looks like the label (columns: key, verdict, text); name it with --label" in err) == (
        1,
        True,
    )
    assert audit("--gold", file, "--id", "key", "--label", "verdict", "--source", "Ann & Bob")[0] == 0
    rows = store.open(place).sql("SELECT row, label, source FROM gold WHERE round > 0").to_pylist()
    assert rows == [{"row": 3, "label": 2, "source": "Ann & Bob"}, {"row": 7, "label": 0, "source": "Ann & Bob"}]


def test_several_files_are_one_round(place: Path, audit: Any, tmp_path: Path) -> None:
    one, two = (
        write(tmp_path / "one.csv", rows_of({"id-3": 0})),
        write(tmp_path / "two.jsonl", rows_of({"id-7": 1, "id-3": 0})),
    )
    assert audit("--gold", one, two)[:1] == (0,)
    rows = store.open(place).sql("SELECT row, source FROM gold WHERE round > 0").to_pylist()
    assert rows == [{"row": 3, "source": "one.csv"}, {"row": 7, "source": "two.jsonl"}]


# Rows that are refused, and labels that come again


def test_bad_rows_are_named_and_the_good_ones_are_added(place: Path, audit: Any, tmp_path: Path) -> None:
    rows = [
        *rows_of({"id-3": "positive", "nobody": "positive", "id-4": "great", "id-5": None, "": "neutral"}),
        *rows_of({"id-6": "neutral"}), *rows_of({"id-6": "negative"}), *rows_of({"id-3": "Positive"}),
    ]  # fmt: skip
    file = write(tmp_path / "a.csv", rows)
    code, _, err = audit("--gold", file, "--on-bad-row", "fail")
    assert (code, "row 2: id 'nobody' is not in the store; " in err) == (1, True)
    assert store.open(place).sql("FROM gold WHERE round > 0").num_rows == 0
    code, (summary,), err = audit("--gold", file)
    assert code == 3
    assert (summary["added"], summary["rejected"]) == (1, 6)
    assert "6 rows were rejected: see reasons\n" in err  # on stdout, and not twice
    assert "unknown label" not in err
    assert "Of 4 labelled ids of the files 3 are in the store: 'nobody' is not there, and an id of the store is" in err
    assert summary["reasons"] == [
        f"{file} row 2: id 'nobody' is not in the store",
        f"{file} row 3: unknown label 'great' (classes: negative, neutral, positive); if it is none: --label-map great=",
        f"{file} row 4: label is null",
        f"{file} row 5: id is null",
        f"{file} row 6: id 'id-6' has different labels: 'neutral' in {file} row 6 and 'negative' in {file} row 7",
        f"{file} row 7: id 'id-6' has different labels: 'neutral' in {file} row 6 and 'negative' in {file} row 7",
    ]
    assert store.open(place).sql("SELECT row FROM gold WHERE round > 0").column("row").to_pylist() == [3]


def test_labels_that_the_map_calls_none_are_left_out_and_not_refused(place: Path, audit: Any, tmp_path: Path) -> None:
    rows = rows_of({"id-3": "positive", "id-4": "other", "id-5": "other", "id-6": "great", "id-7": "great"})
    for name in ("a.csv", "a.jsonl"):
        code, (summary,), err = audit("--gold", write(tmp_path / name, rows), "--label-map", "other=", "--source", name)
        assert (code, summary["added"], summary["rejected"]) == (3, 1, 2)
        assert "2 rows left out: label is none, as --label-map says" in err
        (reason,) = summary["reasons"]
        assert reason.startswith(f"{tmp_path / name} row 4 and 1 more row: unknown label 'great' ")
        way = reason.partition("--label-map ")[2]
        assert way == "other=,great="
        code, (summary,), err = audit("--gold", str(tmp_path / name), "--label-map", way, "--on-bad-row", "fail")
        assert (code, summary["rejected"], summary["reasons"]) == (0, 0, [])


def test_ids_of_refused_rows_are_told_apart_from_unknown_ones(place: Path, audit: Any, tmp_path: Path) -> None:
    """The store refused a row of the id "a"."""
    file = write(tmp_path / "a.csv", rows_of({"id-3": "positive", "a": "positive", " a ": "negative", "b": "neutral"}))
    code, (summary,), err = audit("--gold", file)
    assert (code, summary["added"]) == (3, 1)
    assert summary["reasons"] == [
        f"{file} row 2: id 'a' is that of a rejected row: text is null",
        f"{file} row 3: id ' a ' is that of a rejected row: text is null",
        f"{file} row 4: id 'b' is not in the store",
    ]
    assert f'2 ids are those of rejected rows, whose texts the store does not have: `engine sql {place} "FROM' in err
    assert "Of 4 labelled ids of the files 1 is in the store: 'b' is not there" in err
    code, _, err = audit("--gold", write(tmp_path / "b.csv", rows_of({"a": "positive"})))
    assert (code, "1 id is that of a rejected row" in err, "not in the store" in err) == (1, True, False)


def test_nothing_usable_is_an_error_and_no_round(place: Path, audit: Any, tmp_path: Path) -> None:
    code, _, err = audit("--gold", write(tmp_path / "a.csv", rows_of({"x": "neutral"})))
    assert (code, "no usable row among 1; the first was refused" in err) == (1, True)
    (tmp_path / "b.txt").write_text("a text\n")
    assert "write it as CSV with the header id,label" in audit("--gold", tmp_path / "b.txt")[2]
    (tmp_path / "c.json").write_text("[{]")
    assert "c.json cannot be read" in audit("--gold", tmp_path / "c.json")[2]
    assert audit("--gold", tmp_path / "none.csv")[0] == 1
    assert store.open(place).storage.list("gold") == []


def test_the_same_labels_again_are_no_second_round(audit: Any, tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", rows_of(LABELS))
    assert audit("--gold", one)[1][0]["added"] == 3
    code, (summary,), err = audit("--gold", one)
    assert (code, summary["round"], summary["added"], summary["first"]) == (0, 1, 0, 2)
    assert "nothing was added: the same labels from the same sources are round 1 already" in err
    code, (summary,), err = audit("--gold", one, "--source", "again")
    assert (code, summary["round"], summary["added"], summary["agreeing"], err) == (0, 2, 3, 3, "")
    two = write(tmp_path / "b.csv", rows_of({"id-3": "neutral", "id-10": "neutral", "id-15": "negative"}))
    code, (summary,), _ = audit("--gold", two)
    assert (summary["round"], summary["agreeing"], summary["contradicting"], summary["first"]) == (3, 1, 1, 1)


def test_questions_count_the_rounds_that_are_asked(place: Path, audit: Any, tmp_path: Path) -> None:
    (before,) = audit("accuracy")[1]
    audit("--gold", write(tmp_path / "a.csv", rows_of(LABELS)))
    assert audit("accuracy", "--round", "0")[1] == [before]
    assert audit("accuracy", "--round", "1")[1][0]["rows"] == 3
    assert audit("accuracy")[1] == audit("accuracy", "--round", "0", "--round", "1")[1] != [before]
    assert audit("accuracy")[1] == audit("accuracy", "--round", "0..1")[1]
    code, _, err = audit("accuracy", "--round", "0..3")
    assert (code, "no gold round 2; it has: 0, 1" in err) == (1, True)
    code, _, err = audit("accuracy", "--round", "2")
    assert (code, "no gold round 2; it has: 0, 1 (0 is the corpus's own)" in err) == (1, True)
    assert audit("--round", "1")[0] == 0
    (row,) = [row for row in audit("slices", "--by", "gold_round", "--round", "1")[1] if row["slice"] == 1]
    assert (row["rows"], row["gold_rows"]) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--id", "key"], "say how --gold INPUT is read"),
        (["--source", "x"], "say how --gold INPUT is read"),
        (["--gold", "x.csv", "--round", "1"], "with --gold nothing is asked"),
        (["--gold", "x.csv", "--by", "shard"], "with --gold nothing is asked"),
        (["--by", "shard"], "engine audit STORE slices --by SQL"),
        (["slices", "estimates", "--by", "shard"], "engine audit STORE slices --by SQL"),
        (["accuracy", "--round", "-1"], "'-1' is neither a round, such as 2, nor a range of them, such as 0..2"),
        (["accuracy", "--round", "1..0"], "'1..0' runs backwards; write 0..1"),
    ],
)
def test_usage_errors_end_with_2(audit: Any, arguments: list[str], message: str) -> None:
    code, rows, err = audit(*arguments)
    assert (code, rows) == (2, [])
    assert message in err


def test_estimates_of_slices_are_asked_by_the_command_too(audit: Any) -> None:
    code, rows, _ = audit("estimates", "--by", "row % 2")
    assert code == 0
    assert {row["slice"] for row in rows} == {0, 1}
    code, _, err = audit("accuracy", "--by", "row % 2")
    assert code == 1
    assert "--by goes with slices and estimates" in err


def test_people_read_estimates_as_measures_with_their_bounds() -> None:
    numbers = {
        "gold_alone": 0.5,
        "gold_low": 0.25,
        "gold_high": 0.75,
        "labels_alone": 0.6,
        "estimate": 0.55,
        "low": None,
    }
    row = {"slice": "all", "label": None, "estimand": "accuracy", "gold_rows": 9, "other_rows": 90, **numbers}
    row |= {"high": 0.7, "narrower": 0.125}
    columns, (shown,) = for_people("estimates", list(row), [row])
    assert columns == list(shown)
    assert shown["measure"] == "accuracy"
    assert (shown["estimate"], shown["within 95 %"]) == ("55.0%", None)
    assert (shown["gold alone"], shown["gold alone, within 95 %"]) == ("50.0%", "25.0% to 75.0%")
    assert (shown["labels alone"], shown["narrower by"]) == ("60.0%", "12.5%")
    assert "slice" not in columns
    assert "label" not in columns
    assert for_people("estimates", list(row), [{**row, "slice": 3}])[1][0]["slice"] == 3
    assert for_people("accuracy", ["a"], [{"a": 1}]) == (["a"], [{"a": 1}])
    assert for_people("estimates", ["a"], []) == (["a"], [])


def test_a_source_must_be_a_name(audit: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", rows_of(LABELS))
    for source in (" ", "a\0b", "x" * 300):
        assert audit("--gold", file, "--source", source)[0] == 1


def test_expressions_that_are_none_are_refused_by_the_command_too(audit: Any) -> None:
    code, rows, err = audit("slices", "--by", "1; DROP VIEW reviews")
    assert (code, rows) == (1, [])
    assert "the expression '1; DROP VIEW reviews'" in err


def test_info_shows_rounds(place: Path, audit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit("--gold", write(tmp_path / "ann.csv", rows_of(LABELS)))
    capsys.readouterr()
    assert run(["info", str(place), "--format", "table"]) == 0
    shown = capsys.readouterr().out
    assert "ann.csv" in shown
    assert run(["info", str(place), "--format", "json"]) == 0
    rounds = json.loads(capsys.readouterr().out)[0]["gold"]
    assert [(one["round"], one["rows"]) for one in rounds] == [(0, 38), (1, 3)]


# There and back


def annotated(task: dict[str, Any], number: int, *labels: str, skipped: bool = False) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    chosen = {"id": "x", "from_name": "label", "to_name": "text", "type": "choices", "origin": "manual"}
    return {
        "id": number,
        "data": copy.deepcopy(task["data"]),
        "annotations": [
            {"id": number, "was_cancelled": skipped, "result": [{**chosen, "value": {"choices": [label]}}]}
            for label in labels
        ],
        "predictions": [],
        "drafts": [],
        "meta": {},
    }


def flat(task: dict[str, Any], number: int, label: str) -> dict[str, Any]:
    """The same as JSON-MIN and CSV have it: the number of the task is its ``id``."""
    return {**task["data"], "id": number, "label": label, "annotator": 1, "annotation_id": number, "lead_time": 1.5}


def selected(place: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["select", str(place), "next", "--order-by", "margin", "--limit", "9", "--out", str(out)]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["export.json", "min.json", "export.csv"])
def test_what_label_studio_exports_comes_back_as_gold(
    place: Path, audit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    notes = selected(place, tmp_path / "tasks.json", capsys)
    assert "9 rows" in notes
    assert '<Choice value="negative"/>' in notes
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    classes = [task["predictions"][0]["result"][0]["value"]["choices"][0] for task in tasks]
    given = [CLASSES[0] if class_ != CLASSES[0] and at < 3 else class_ for at, class_ in enumerate(classes)]
    make = annotated if name == "export.json" else flat
    exported = [make(task, 700 + at, label) for at, (task, label) in enumerate(zip(tasks, given, strict=True))]
    code, (summary,), _ = audit("--gold", write(tmp_path / name, exported))
    assert (code, summary["added"], summary["rejected"]) == (0, 9, 0)
    (accuracy,) = audit("accuracy", "--round", "1")[1]
    right = sum(ours == theirs for ours, theirs in zip(classes, given, strict=True))
    assert (accuracy["rows"], accuracy["correct"]) == (9, right)
    numbers = [task["data"]["row"] for task in tasks]
    stored = store.open(place).sql("SELECT row, class FROM gold WHERE round > 0 ORDER BY row").to_pylist()
    assert stored == [{"row": row, "class": class_} for row, class_ in zip(numbers, given, strict=True)]


def test_ids_and_classes_that_could_be_formulas_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ["=1+1", "-2", "+x", "@y", "plain", "'quoted", "\tz"]
    place = str(tmp_path / "b.store")
    made = evil_store(LocalStorage(place), ids)
    assert run(["select", place, "all", "--limit", "99", "--out", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not [row for row in rows if row["id"].startswith(("=", "-", "+", "@", "\t"))]
    back = write(tmp_path / "back.csv", [{**row, "label": row["class"]} for row in rows])
    assert run(["audit", place, "--gold", str(back)]) == 0
    answer = made.audit("accuracy", rounds=[1]).to_pylist()[0]
    assert (answer["rows"], answer["correct"]) == (len(ids), len(ids))
    assert run(["audit", place, "--gold", str(write(tmp_path / "raw.jsonl", rows_of(dict.fromkeys(ids, "-"))))]) == 0


def test_an_id_that_could_be_either_of_two_is_refused(tmp_path: Path) -> None:
    made = evil_store(LocalStorage(tmp_path / "b.store"), ["=a", "'=a", "x"])
    file = write(tmp_path / "back.csv", rows_of({"'=a": "-", "x": "-"}))
    added = add_gold(GoldRoundConfig(store=made.storage, inputs=(str(file),)))
    assert (added.added, added.reasons) == (
        1, [f"{file} row 1: id \"'=a\" could be \"'=a\" or '=a', and the store has both"],
    )  # fmt: skip


def evil_store(storage: LocalStorage, ids: list[str]) -> Store:
    """A store with these ids and a class that could be a formula."""
    from store.families.corpus import corpus_batch
    from store.format.names import CORPUS
    from store.format.shard import write_shard

    made = write_header(storage, rows=len(ids), shards=1, classes=["-", "=2", "c"])
    n = len(ids)
    batch = corpus_batch(
        first_row=0, ids=pa.array(ids), texts=pa.array(["t"] * n), labels=pa.nulls(n, pa.int16()), extras={}
    )
    write_shard(made.corpus, 0, 0, [batch], schema=made.schema(CORPUS), statistics={})
    add_labels(made, "bert")
    return made


# What Label Studio may say besides


def read(path: Path, task: Any, label: str | None = None) -> list[tuple[str | None, str | None, str | None]]:
    path.write_text(json.dumps(task if isinstance(task, list) else [task]))
    found = read_annotations(str(path), LabelColumns(label=label))
    return [(one.id, one.label, one.problem) for one in found]


def test_tasks_are_read_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    path, task = tmp_path / "a.json", {"data": {"id": 7, "text": "x"}}
    assert read(path, annotated(task, 1, "a")) == [("7", "a", None)]
    assert read(path, annotated(task, 1, "a", "b")) == [("7", "a", None), ("7", "b", None)]
    assert read(path, annotated(task, 1)) == [("7", None, "label is null")]
    assert read(path, annotated(task, 1, "a", skipped=True)) == [("7", None, "it was skipped: there is no label")]
    both = annotated(task, 1, "a", "b")
    both["annotations"][0]["was_cancelled"] = True
    assert read(path, both) == [("7", "b", None)]
    assert read(path, annotated({"data": {"id": None}}, 1, "a")) == [(None, None, "id is null")]
    two = annotated(task, 1, "a")
    two["annotations"][0]["result"][0]["value"]["choices"] = ["a", "b"]
    assert read(path, two) == [("7", None, "it has 2 labels, and a text has one")]
    other = annotated(task, 1, "a", "b")
    other["annotations"] = other["annotations"][:1]
    other["annotations"][0]["result"] += [{"from_name": "tone", "type": "choices", "value": {"choices": ["rude"]}}]
    assert read(path, other) == [("7", "a", None)]
    assert read(path, other, label="tone") == [("7", "rude", None)]
    other["annotations"][0]["result"][0]["from_name"] = "mood"
    assert "say with --label" in (read(path, other)[0][2] or "")
    assert (
        read(path, [annotated(task, 1, "a"), {"data": 3}])[1][2] == "it is not a task: it has no data or no annotations"
    )
    for broken in ([], [3], None, [{"value": {"choices": "a"}}], [{"value": 1}]):
        odd = annotated(task, 1, "a")
        odd["annotations"][0]["result"] = broken
        assert read(path, odd) == [("7", None, "label is null")]


def test_a_task_without_an_id_is_refused_and_where_none_has_one_the_file_is(
    place: Path, audit: Any, tmp_path: Path
) -> None:
    lost, either = {"data": {"text": "x"}}, {"data": {"uuid": "id-3", "doc_id": "id-3"}}
    tasks = [annotated(task, at, "neutral") for at, task in enumerate([lost, {"data": {"id": "id-3"}}, either])]
    file = write(tmp_path / "a.json", tasks)
    code, (summary,), _ = audit("--gold", file)
    assert (code, summary["added"], summary["reasons"]) == (
        3,
        1,
        [
            f"{file} row 1: the task's data: no column looks like the id (columns: text); name it with --id",
            f"{file} row 3: the task's data: uuid and doc_id could each be the id; choose with --id",
        ],
    )
    code, _, err = audit("--gold", file, "--on-bad-row", "fail")
    assert (code, "row 1: the task's data: no column" in err) == (1, True)
    good = write(tmp_path / "good.jsonl", rows_of({"id-7": "neutral"}))
    for named in ([], ["--id", "key"]):
        code, _, err = audit("--gold", write(tmp_path / "b.json", tasks[::2]), good, *named)
        assert (code, "b.json: no task has an id. Row 1: the task's data: " in err) == (1, True)
    assert store.open(place).sql("SELECT row FROM gold WHERE round > 0").column("row").to_pylist() == [3]


@pytest.mark.parametrize("text", ["[]", "\ufeff [\n ]\n"])
def test_an_empty_export_is_called_one(audit: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, "utf-8")
    code, _, err = audit("--gold", tmp_path / "a.json")
    assert (code, f"{tmp_path / 'a.json'} holds no annotated tasks" in err) == (1, True)


def test_annotators_who_disagree_on_a_text_are_both_refused(audit: Any, tmp_path: Path) -> None:
    tasks = [
        annotated({"data": {"id": "id-3"}}, 1, "neutral", "positive"),
        annotated({"data": {"id": "id-7"}}, 2, "neutral", "neutral"),
    ]
    code, (summary,), _ = audit("--gold", write(tmp_path / "a.json", tasks))
    assert (code, summary["added"], summary["rejected"]) == (3, 1, 2)


def test_out_is_for_one_selection_and_has_a_known_ending(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["select", str(place), "--list", "--out", "x.csv"]) == 2
    assert run(["select", str(place), "a", "--limit", "1", "--out", "x.xlsx"]) == 2
    assert "known endings are .json .jsonl .csv .parquet" in capsys.readouterr().err
    assert run(["select", str(place), "a", "--limit", "1", "--out", str(place / "none" / "x.csv")]) == 2
    assert f"{place / 'none'} is no folder; make it, or name another file" in capsys.readouterr().err
    assert store.open(place).selections() == []


def test_a_selection_that_is_there_is_written_too(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["select", str(place), "a", "--where", "stars = 3"]) == 0
    assert run(["select", str(place), "--show", "a", "--out", str(tmp_path / "a.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == store.open(place).selection("a").rows.numbers().tolist()
    assert "wrote" in capsys.readouterr().err
    assert {row["stars"] for row in rows} == {3}


def test_a_store_that_is_not_finished_takes_no_gold(tmp_path: Path) -> None:
    made = write_header(LocalStorage(tmp_path / "b.store"), rows=9)
    add_corpus(made, shards=[0])
    file = write(tmp_path / "a.csv", rows_of({"id-0": label_of(0)}))
    assert run(["audit", str(tmp_path / "b.store"), "--gold", str(file)]) == 1


def test_what_a_label_set_said_is_no_label_by_people(audit: Any, place: Path, tmp_path: Path) -> None:
    """Nobody has annotated the file yet: its classes are predictions."""
    file = tmp_path / "next.csv"
    assert run(["select", str(place), "next", "--order-by", "row", "--limit", "5", "--out", str(file)]) == 0
    said = (
        f"{file}: no column has labels by people: label_set, class, confidence, margin are what a label set said when"
    )
    for more in ([], ["--label", "class"], ["--label", "label_set"]):
        code, _, err = audit("--gold", file, *more)
        assert (code, said in err) == (1, True)
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    write(tmp_path / "done.csv", [{**row, "label": CLASSES[0]} for row in rows])
    code, (found,), _ = audit("--gold", tmp_path / "done.csv")
    assert (code, found["added"]) == (0, 5)
