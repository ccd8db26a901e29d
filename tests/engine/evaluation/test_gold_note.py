"""What is wrong with estimates from gold, and a way out that leads to no other fault: each way is followed here."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from store_factory import NoWaitStorage, add_corpus, add_labels, make_store, text_of, write_header

import store
from cli.main import run
from engine.evaluation.gold_note import gold_note
from engine.models.notes.gold_texts import write_gold_texts
from store.gold.add_round import Labelled, add_round
from store.storage.file_hash import sha256_of

ROWS = 400


def label(made, rows, source="people"):
    rows = np.unique(rows)
    return add_round(made, Labelled(rows=rows, labels=np.zeros(len(rows), np.int16), sources=[source] * len(rows)))[0]


def proposed(made, name, method="margin", limit=20):
    return made.select(name, propose=method, limit=limit, labels="bert").rows.numbers()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made_in(folder, *, learned=(), rows=ROWS, own=lambda _row, _classes: None):
    """A store on disk with two label sets; the teacher of the first learned the texts of the rows ``learned``."""
    teacher = folder / "my teacher"
    teacher.mkdir()
    (teacher / "model.safetensors").write_bytes(b"weights")
    write_gold_texts(teacher, [text_of(row) for row in learned])
    made = write_header(NoWaitStorage(folder / "my reviews.store"), rows=rows)
    add_corpus(made, label=own)
    card = {"model": str(teacher), "weights_sha256": sha256_of(teacher / "model.safetensors")}
    add_labels(made, "bert", card=card)
    add_labels(made, "roberta", seed=1)
    return made


def follow(made, said):
    """Do what ``said`` tells, with people who find every row to be of the first class; the round that it names."""
    select, audit = (shlex.split(found) for found in re.findall("`(engine (?:select|audit) .*?)`", said))
    assert run(select[1:]) == 0
    file = select[select.index("--out") + 1]
    with Path(file).open(encoding="utf-8-sig", newline="") as read:
        rows = list(csv.DictReader(read))
    column = re.search(r"add a column called (\w+) to the file", said)[1]
    with Path(file).open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, [*rows[0], column])
        writer.writeheader()
        writer.writerows({**row, column: made.header.classes[0]} for row in rows)
    assert run(audit[1:]) == 0
    return int(re.search(r"--round (\d+) counts them alone", said)[1])


def test_hard_gold_leads_to_a_sample_that_is_not_accused(folder):
    made = made_in(folder)
    label(made, proposed(made, "hard"))
    said = gold_note(made, "bert")
    assert said.startswith("20 of the 20 gold rows that count were chosen for being hard")
    assert "--labels bert --order-by 'hash(row, 2)' --limit 500 --out check.csv" in said
    number = follow(made, said)
    assert gold_note(made, "bert", [number]) is None
    assert store.open(made.location).audit("accuracy", labels="bert", rounds=[number]).to_pylist()[0]["rows"] == ROWS
    assert f"--round {number} counts other gold alone ({ROWS} rows)." in gold_note(made, "bert", [1])


def test_gold_that_was_all_learned_leads_to_a_sample_that_is_not_accused(folder):
    made = made_in(folder, learned=range(40), rows=2_000, own=lambda row, _classes: 0 if row < 40 else None)
    said = gold_note(made, "bert")
    assert said.startswith("40 of the 40 gold rows that count have texts that the teacher of 'bert' was trained on")
    assert gold_note(made, "bert", [0]) == said
    assert "--round 0" not in said
    again = gold_note(made, "bert", [follow(made, said)])
    assert again is None or "no more than a random sample may have" in again


def test_a_round_without_one_fault_that_has_the_other_is_no_way_out(folder):
    made = made_in(folder, learned=range(40), own=lambda row, _classes: 0 if row < 40 else None)
    label(made, proposed(made, "hard"))
    said = gold_note(made, "bert")
    assert "40 of the 60 gold rows" in said
    assert "20 of the 60 gold rows" in said
    assert "--round 0" not in said
    assert "--round 1" not in said
    assert "adds their labels, and --round 2 counts them alone" in said
    assert "adds their labels, and --round 2 counts them alone" in gold_note(made, "bert", [0])
    assert "adds their labels, and --round 2 counts them alone" in gold_note(made, "bert", [1])


def test_hard_rows_that_the_teacher_learned_since_are_learned_ones_alone(folder):
    """It was trained on what was annotated, and is right on that, however hard it was."""
    made = made_in(folder, learned=range(ROWS))
    label(made, proposed(made, "hard"))
    said = gold_note(made, "bert")
    assert "chosen for being hard" not in said
    assert "20 of the 20 gold rows that count have texts" in said


def test_a_sample_is_never_the_one_before(folder):
    """A second teacher learned the first sample: the way out draws other rows."""
    made = made_in(folder, learned=range(900), rows=20_000, own=lambda row, _classes: 0 if row < 900 else None)
    first = follow(made, gold_note(made, "bert"))
    label(made, range(900), "again")
    (row,) = made.sql("SELECT count(*) AS n FROM gold WHERE round = 1").to_pylist()
    other = made.select("other", order_by=f"hash(row, {first + 2})", limit=500).rows.numbers()
    same = np.isin(other, made.sql(f"SELECT row FROM gold WHERE round = {first}")["row"].to_numpy()).sum()
    assert row["n"] == 500
    assert same < 40  # 12 by chance


def test_names_that_are_taken_are_not_proposed(folder):
    made = made_in(folder)
    label(made, proposed(made, "hard"))
    made.select("check", order_by="row", limit=3)
    assert "my reviews.store' check-2 --labels bert" in gold_note(made, "bert")


def test_rounds_that_are_usable_are_named_with_their_rows():
    made = make_store()
    own = made.sql("SELECT row FROM corpus WHERE label IS NOT NULL")["row"].to_pylist()
    hard = made.select("hard", propose="margin", limit=6).rows.numbers()
    assert not set(own) & set(hard.tolist())  # what has gold is not proposed
    label(made, hard)
    note = gold_note(made, "bert")
    assert note.startswith(f"6 of the {len(own) + 6} gold rows that count were chosen for being hard")
    assert note.endswith(f"--round 0 counts the corpus's own gold alone ({len(own)} rows).")
    assert gold_note(made, "bert", [0]) is None
    assert "6 of the 6 gold rows" in gold_note(made, "bert", [1])


def test_a_hard_round_that_later_ones_repeat_is_no_remedy(folder):
    made = made_in(folder)
    hard = proposed(made, "hard")
    label(made, hard, "first")
    label(made, hard, "again")
    assert "counts other" not in gold_note(made, "bert")
    label(made, proposed(made, "check", "random"))
    assert gold_note(made, "bert").endswith("--round 3 counts other gold alone (20 rows).")
    assert gold_note(made, "bert", [3]) is None


def test_rows_that_a_label_set_has_no_label_of_are_counted_neither_here_nor_in_the_table(folder):
    """The other label set has answers for some rows alone."""
    made = made_in(folder)
    hard = np.sort(proposed(made, "hard", limit=40))
    label(made, np.concatenate([hard, np.setdiff1d(np.arange(0, 400, 9), hard)]))
    add_labels(made, "gpt", seed=3, failed=hard[::2].tolist())
    (judged,) = made.audit("accuracy", labels="gpt").to_pylist()
    assert f"20 of the {judged['rows']} gold rows that count were chosen for being hard" in gold_note(made, "gpt")
    assert gold_note(made, "bert").startswith(f"40 of the {judged['rows'] + 20} gold rows")
