import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_models
from store_factory import CLASSES, label_of, make_store, text_of

import engine
import store
from cli.main import run
from engine.errors import InputError
from engine.training.data.stored_gold import StoredGold
from store.errors import StoreMissingError
from store.gold.add_round import Labelled, add_round


def with_rounds():
    made = make_store()
    for number, rows in enumerate(([1, 7, 8], [8, 40]), start=1):
        numbers = np.array(rows)
        labels = np.array([(label_of(row, len(CLASSES)) or 0) + number for row in rows]) % len(CLASSES)
        add_round(
            store.open(made.storage),
            Labelled(rows=numbers, labels=labels.astype(np.int16), sources=["people"] * len(rows)),
        )
    return store.open(made.storage)


def truth(made, rounds):
    """What each row's label is, by the view of SQL."""
    asked = made.sql("SELECT row, text, gold FROM reviews WHERE gold IS NOT NULL ORDER BY row", rounds=rounds)
    return asked["text"].to_pylist(), asked["gold"].to_pylist()


@pytest.mark.parametrize("rounds", [None, (0,), (1,), (2,), (0, 1), (1, 2)])
def test_the_latest_label_of_the_rounds_holds(rounds):
    made = with_rounds()
    gold = StoredGold(store=made.storage, rounds=rounds).read()
    assert (gold.texts, gold.labels.tolist()) == truth(made, rounds)
    assert gold.classes == list(CLASSES)
    assert gold.labels.dtype == np.int64


def test_a_part_is_drawn_by_its_seed():
    made = with_rounds()
    whole = StoredGold(store=made.storage).read()
    some = StoredGold(store=made.storage, limit=5, seed=3).read()
    assert len(some.texts) == 5
    assert set(zip(some.texts, some.labels, strict=True)) <= set(zip(whole.texts, whole.labels, strict=True))
    assert some.texts != StoredGold(store=made.storage, limit=5, seed=4).read().texts


def test_no_gold_and_no_such_round():
    made = with_rounds()
    with pytest.raises(StoreMissingError, match="no gold round 3"):
        StoredGold(store=made.storage, rounds=(3,)).read()


def test_a_store_without_gold_says_how_to_add_some(tmp_path):
    model = tiny_models.save(tmp_path / "model")
    pq.write_table(pa.table({"text": tiny_models.texts(6)}), tmp_path / "rows.parquet")
    engine.label(engine.LabelConfig(store=str(tmp_path / "s"), teacher=model, inputs=(str(tmp_path / "rows.parquet"),)))
    with pytest.raises(InputError, match=r"has no gold; `engine audit .* --gold FILE` adds some by id"):
        StoredGold(store=str(tmp_path / "s")).read()


def test_the_command_learns_from_rounds_as_from_a_file_of_the_same_rows(tmp_path, capsys):
    model = tiny_models.save(tmp_path / "model")
    texts = tiny_models.texts(24)
    labels = [["negative", "positive"][number % 2] for number in range(24)]
    rows = {"id": [str(number) for number in range(24)], "text": texts, "label": [*labels[:12], *[None] * 12]}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    place = str(tmp_path / "s")
    engine.label(engine.LabelConfig(store=place, teacher=model, inputs=(str(tmp_path / "rows.parquet"),)))
    pq.write_table(pa.table({"id": rows["id"][12:], "label": labels[12:]}), tmp_path / "more.parquet")
    assert run(["audit", place, "--gold", str(tmp_path / "more.parquet")]) == 0
    pq.write_table(pa.table({**rows, "label": labels}), tmp_path / "all.parquet")
    more = ["--model", model, "--epochs", "1", "--format", "json"]
    capsys.readouterr()
    losses = []
    for source in (
        ["--from-store", place, "--round", "0..1"],
        [str(tmp_path / "all.parquet")],
        ["--from-store", place, "--round", "0"],
    ):
        assert run(["finetune", *source, *more, "--out", str(tmp_path / f"out{len(losses)}")]) == 0
        printed = json.loads(capsys.readouterr().out)[0]
        losses.append((printed["rows"], printed["loss"]))
    assert losses[0] == losses[1]
    assert losses[2][0] == 12
    for wrong in (["finetune", *more, "--out", "x"], ["finetune", "f", "--from-store", place, *more, "--out", "x"]):
        assert run(wrong) == 2
    assert run(["finetune", "--from-store", place, "--round", "1..0", *more, "--out", "x"]) == 2
    assert run(["finetune", "f", "--round", "0", *more, "--out", "x"]) == 2


def test_texts_are_those_of_their_rows():
    made = make_store()
    gold = StoredGold(store=made.storage).read()
    rows = [row for row in range(50) if label_of(row, len(CLASSES)) is not None]
    assert gold.texts == [text_of(row) for row in rows]
