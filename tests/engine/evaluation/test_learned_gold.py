"""Gold that a teacher was trained on is not what its labels can be judged by."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from store_factory import NoWaitStorage, add_corpus, add_labels, make_store, text_of, write_header

import engine
from engine.errors import InputError
from engine.evaluation.gold_note import gold_note
from engine.evaluation.learned_gold import learned_gold, learned_texts
from engine.models.notes.gold_texts import GOLD_TEXTS, read_gold_texts, write_gold_texts
from store.copying.copy_store import copy_store
from store.errors import DamageError
from store.families.learned_texts import LEARNED_TEXTS, freeze_learned_texts
from store.families.text_hash import text_hash
from store.format.json_file import copy_name, to_json
from store.gold.add_round import Labelled, add_round
from store.storage import MemoryStorage
from store.storage.file_hash import sha256_of
from store.store import open_store
from store.verify.repair import restore_small_files
from store.verify.verify import verify

ROWS = 60


@pytest.fixture
def teacher(tmp_path):
    """A folder with weights, which learned the texts of rows 10 to 19, in other letter case."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    write_gold_texts(folder, [text_of(row).upper() for row in range(10, 20)])
    return folder


@pytest.fixture
def made(teacher):
    snapshot = write_header(rows=ROWS)
    add_corpus(snapshot, label=lambda _row, _classes: None)
    add_labels(
        snapshot, "bert", card={"model": str(teacher), "weights_sha256": sha256_of(teacher / "model.safetensors")}
    )
    add_labels(snapshot, "other", seed=1)
    return snapshot


def label(made, rows):
    rows = np.array(rows)
    return add_round(made, Labelled(rows=rows, labels=np.zeros(len(rows), np.int16), sources=["people"] * len(rows)))[0]


def test_texts_are_known_by_what_a_reader_would_call_the_same(teacher):
    assert sorted(read_gold_texts(teacher).tolist()) == sorted(text_hash(text_of(row)) for row in range(10, 20))


def test_a_model_that_learns_more_still_knows_what_its_start_learned(teacher, tmp_path):
    (tmp_path / "more").mkdir()
    write_gold_texts(tmp_path / "more", [text_of(3)], start=teacher)
    assert set(read_gold_texts(tmp_path / "more")) == {*read_gold_texts(teacher).tolist(), text_hash(text_of(3))}
    write_gold_texts(tmp_path / "more", [text_of(3)], start=tmp_path)
    assert read_gold_texts(tmp_path / "more").tolist() == [text_hash(text_of(3))]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"text_hashes": 3.5}', '{"text_hashes": [-1]}'])
def test_a_note_that_cannot_be_read_is_none(teacher, content):
    (teacher / GOLD_TEXTS).write_text(content)
    found = read_gold_texts(teacher)
    assert found is None or not len(found) or content == '{"text_hashes": 3.5}'


def test_gold_that_the_teacher_learned_is_counted_with_the_rounds_that_it_did_not(made, teacher):
    assert gold_note(made, "bert") is None
    first = label(made, range(8, 20))
    assert learned_gold(made, "bert", None).rows.tolist() == list(range(10, 20))
    said = gold_note(made, "bert")
    assert said.startswith(
        "10 of the 12 gold rows that count have texts that the teacher of 'bert' was trained on: it knows those labels, "
        "so that accuracy comes out too high. Draw a random sample of all rows: "
    )
    assert said.endswith(
        f"`engine eval {teacher} FILE` judges that teacher on labelled texts of your own that it has not seen."
    )
    second = label(made, range(30, 40))
    assert f" --round {second} counts other gold alone (10 rows). " in gold_note(made, "bert")
    assert f" --round {second} counts other gold alone (10 rows). " in gold_note(made, "bert", [first])
    assert gold_note(made, "bert", [second]) is None


def test_as_much_learned_gold_as_a_random_sample_has_is_no_fault_of_it(made):
    """The teacher learned 10 of the 60 rows."""
    sample = label(made, range(0, 60, 5))
    assert (learned_gold(made, "bert", [sample]).rows.tolist(), learned_gold(made, "bert", [sample]).gold) == (
        [10, 15],
        12,
    )
    said = gold_note(made, "bert")
    assert "2 of the 12 gold rows that count" in said
    assert "no more than a random sample may have: accuracy is that of the store's rows, and less on others" in said
    assert "--round" not in said
    assert "engine select" not in said


def test_what_the_teacher_learned_is_known_without_its_folder(made, teacher):
    label(made, range(10, 15))
    said, hashes = gold_note(made, "bert"), read_gold_texts(teacher)
    freeze_learned_texts(made.label_set("bert"), hashes)
    freeze_learned_texts(made.label_set("bert"), hashes[:1])  # the first one stays
    shutil.rmtree(teacher)
    assert learned_texts(made, "bert").tolist() == hashes.tolist()
    there, _, gone = said.partition(" `engine eval")
    assert (gold_note(made, "bert"), bool(gone)) == (there, True)  # no command with a folder that is not there
    assert learned_texts(made, "other") is None


@pytest.mark.parametrize("wrong", [{"text_hashes": [-1]}, {"text_hashes": ["1"]}, {"text_hashes": 1}, {"hashes": []}])
def test_a_note_beside_the_labels_that_is_no_such_note_is_damage(made, teacher, wrong):
    freeze_learned_texts(made.label_set("bert"), read_gold_texts(teacher))
    made.storage.put(f"labels/bert/{LEARNED_TEXTS}", to_json(wrong))
    with pytest.raises(DamageError, match=f"labels/bert/{LEARNED_TEXTS}"):
        learned_texts(made, "bert")


@pytest.mark.parametrize("name", [LEARNED_TEXTS, copy_name(LEARNED_TEXTS)])
@pytest.mark.parametrize("data", [None, b"{}", to_json({"text_hashes": [-1]})])
def test_a_damaged_note_beside_the_labels_is_found_and_mended(tmp_path, name, data):
    made = make_store(NoWaitStorage(tmp_path), rows=ROWS)
    freeze_learned_texts(made.label_set("bert"), np.array([3, 2**64 - 1], np.uint64))
    assert list(verify(made.storage)) == []
    place = tmp_path / "labels" / "bert" / name
    whole = place.read_bytes()
    place.unlink() if data is None else place.write_bytes(data)
    assert [found.file for found in verify(made.storage)] == [f"labels/bert/{name}"]
    assert restore_small_files(made, list(verify(made.storage))) == [f"labels/bert/{name}"]
    assert place.read_bytes() == whole


def test_a_copy_of_a_store_knows_what_the_teacher_learned(made, teacher):
    freeze_learned_texts(made.label_set("bert"), read_gold_texts(teacher))
    target = MemoryStorage()
    copy_store(made, target)
    assert learned_texts(open_store(target), "bert").tolist() == read_gold_texts(teacher).tolist()
    shutil.rmtree(teacher)
    assert list(verify(target)) == []
    assert learned_texts(open_store(target), "other") is None


def test_other_label_sets_are_not_accused(made):
    label(made, range(10, 20))
    assert gold_note(made, "other") is None
    assert "'bert'" in gold_note(made, "other", compared=["bert"])
    assert gold_note(made, "bert", knows_learned=True) is None


def test_other_weights_in_the_folder_are_another_model(made, teacher):
    assert learned_texts(made, "bert") is not None
    (teacher / "model.safetensors").write_bytes(b"others")
    label(made, range(10, 20))
    assert learned_texts(made, "bert") is None
    assert gold_note(made, "bert") is None


def test_the_corpus_s_own_gold_counts_too(teacher):
    snapshot = write_header(rows=ROWS)
    add_corpus(snapshot, label=lambda row, _classes: 0 if 8 <= row < 20 else None)
    add_labels(
        snapshot, "bert", card={"model": str(teacher), "weights_sha256": sha256_of(teacher / "model.safetensors")}
    )
    assert "10 of the 12 gold rows" in gold_note(snapshot, "bert")
    later = label(snapshot, range(40, 50))
    assert f"--round {later} counts other gold alone" in gold_note(snapshot, "bert")


def test_gold_of_rows_that_the_label_set_did_not_label_is_not_counted(teacher):
    snapshot = write_header(rows=ROWS)
    add_corpus(snapshot, label=lambda _row, _classes: None)
    card = {"model": str(teacher), "weights_sha256": sha256_of(teacher / "model.safetensors")}
    add_labels(snapshot, "bert", card=card, shards=[0, 1], failed=[10, 11])  # of rows 0 to 39
    label(snapshot, range(10, 60))
    (judged,) = snapshot.audit("accuracy", labels="bert").to_pylist()
    assert judged["rows"] == 28
    assert "8 of the 28 gold rows that count" in gold_note(snapshot, "bert")


def test_calibration_leaves_out_what_the_teacher_learned(made):
    rows = np.arange(ROWS)
    predicted = made.sql("SELECT logits FROM labels WHERE label_set = 'bert' ORDER BY row")["logits"].to_pylist()
    predicted = np.array(predicted).argmax(axis=1)
    labels = np.where(rows % 4 == 0, (predicted + 1) % len(made.header.classes), predicted).astype(np.int16)
    add_round(made, Labelled(rows=rows, labels=labels, sources=["people"] * ROWS))
    config = engine.CalibrateConfig(store=made.storage, labels="bert")
    found = engine.calibrate(config)
    assert (found.rows, found.left_out) == (ROWS - 10, 10)
    with pytest.raises(InputError, match="without 10 rows that its teacher was trained on: 0 gold rows count"):
        engine.calibrate(dataclasses.replace(config, rounds=(label(made, range(10, 20)),)))


def test_fine_tuning_notes_its_texts_and_audit_tells(demo, run_engine, tmp_path):
    """The whole way: a teacher that learned rows of the store itself."""
    pool = demo.path("unlabelled.parquet")
    gold = tmp_path / "gold.csv"
    rows = json.loads(
        run_engine("sql", demo.path("reviews.store"), "SELECT id, text FROM corpus LIMIT 40", "--format", "json").stdout
    )
    lines = [f'{row["id"]},"{row["text"]}",{("negative", "positive")[number % 2]}' for number, row in enumerate(rows)]
    gold.write_text("\n".join(["id,text,label", *lines]) + "\n")
    teacher, place = str(tmp_path / "learned"), str(tmp_path / "store")
    made = run_engine(
        "finetune", str(gold), "--model", demo.path("teacher"), "--out", teacher, "--epochs", "1", "--max-length", "32"
    )
    assert made.returncode == 0, made.stderr
    assert set(read_gold_texts(tmp_path / "learned")) >= {text_hash(row["text"]) for row in rows}
    done = run_engine("label", pool, "--store", place, "--teacher", teacher, "--name", "learned", "--shards", "2")
    assert done.returncode == 0, done.stderr
    assert run_engine("audit", place, "--gold", str(gold)).returncode == 0
    judged = run_engine("eval", teacher, str(gold), "--against", demo.path("teacher"))
    assert f"40 of the 40 rows have texts that {teacher} was trained on: it knows those labels" in judged.stderr
    shutil.move(teacher, tmp_path / "elsewhere")
    told = run_engine("audit", place, "accuracy", "--labels", "learned")
    assert "40 of the 40 gold rows that count have texts that the teacher of 'learned' was trained on" in told.stderr
