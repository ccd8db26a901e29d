"""The whole experiment on tiny models: goes on wherever it was stopped, adds, and refuses other settings."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny_models
from row_files import write
from safetensors.torch import load_file

import store
from engine.comparison.compare import compare
from engine.comparison.experiment import doing
from engine.comparison.experiment.choices import CompareConfig
from engine.errors import InputError, ModelError, TrainingError
from engine.training.loop import LoopConfig
from engine.training.loss import SoftLoss
from store.selections.selection import read_selection

QUICK = LoopConfig(epochs=1, batch_size=16, learning_rate=1e-3)
TIMED = ("training_seconds", "labelling_seconds", "identity")


def rows(count, *, seed, first, classes=("negative", "positive")):
    texts = tiny_models.texts(count, words=(5, 8), seed=seed)
    return [
        {"id": f"r{first + place}", "text": f"{text} {first + place}", "label": classes[place % len(classes)]}
        for place, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write(folder / "labelled.csv", rows(24, seed=0, first=0))
    write(folder / "extra.csv", rows(16, seed=1, first=100))
    write(folder / "test.csv", rows(30, seed=2, first=200))
    pool = rows(70, seed=3, first=300)
    (folder / "pool.txt").write_text("".join(f"{row['text']}\n" for row in pool))
    tiny_models.save(folder / "teacher", tiny_models.bert(hidden_size=32))
    tiny_models.save(folder / "student", tiny_models.bert(num_hidden_layers=1))
    return folder


def config(files: Path, out: Path, **given) -> CompareConfig:
    chosen = {
        "labelled": (str(files / "labelled.csv"),),
        "extra": (str(files / "extra.csv"),),
        "unlabelled": (str(files / "pool.txt"),),
        "test": (str(files / "test.csv"),),
        "teacher": str(files / "teacher"),
        "student": str(files / "student"),
        "out": str(out),
        "seeds": 1,
        "max_length": 32,
        "dtype": "fp32",
        "near": 0.0,
        **{f"recipe_{role}": QUICK for role in ("teacher", "direct", "distilled")},
    }
    return CompareConfig(**{**chosen, **given})


def kept(out: Path) -> dict:
    """Of every run its logits' bytes and its figures, but for those of time."""
    found = {}
    for card in sorted((out / "runs").glob("*.json")):
        if card.with_suffix(".npy").exists():
            figures = {name: value for name, value in json.loads(card.read_text()).items() if name not in TIMED}
            found[card.stem] = (card.with_suffix(".npy").read_bytes(), figures)
    return found


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """An experiment that nothing disturbed, with what it said."""
    out = tmp_path_factory.mktemp("whole") / "out"
    said = []
    comparison = compare(config(files, out, label_sizes=(8,), pool_sizes=(20,)), say=said.append)
    return out, comparison, said


def test_every_arm_is_trained_and_judged(whole):
    out, comparison, said = whole
    assert {(row.arm, row.labels, row.text_rows) for row in comparison.rows} == {
        ("teacher", 24, 0), ("distilled", 24, 70), ("distilled", 24, 20), ("self-distilled", 24, 70),
        ("direct", 24, 0), ("direct", 8, 0), ("direct+extra", 40, 0),
    }  # fmt: skip
    assert len(kept(out)) == 7
    assert said[0] == "making a store of 70 texts (step 1 of 11)"
    assert said[2] == "seed 0: labelling 70 texts with teacher-0 (step 3 of 11)"
    assert said[-1].endswith("(step 11 of 11)")


def test_a_page_shows_the_comparison(whole):
    out, comparison, _ = whole
    page = (out / "report.html").read_text("utf-8")
    assert comparison.as_html() in page
    assert "shared a machine" not in comparison.caption
    assert "7 trainings, judged on the same" in page


def test_what_was_kept_is_what_the_models_say(whole):
    out, _, _ = whole
    test = pq.read_table(out / "data" / "test.parquet").column("text").to_pylist()
    for name in ("teacher-0", "distilled-0", "direct+extra-0"):
        logits = np.load(out / "runs" / f"{name}.npy")
        assert logits.dtype == np.float16
        alone = tiny_models.logits_alone(out / "seed-0" / name, test, max_length=32)
        np.testing.assert_allclose(logits.astype(np.float32), alone, atol=2e-3)


def test_arms_share_one_corpus_and_its_tokens(whole):
    out, _, _ = whole
    made = store.open(out / "pool.store")
    assert sorted(made.label_sets()) == ["seed-0", "seed-0-self"]
    assert made.layout.rows == 70
    assert len(list((out / "pool.store" / "tokens").iterdir())) == 1
    assert not list(out.glob("seed-*/*/checkpoints"))


def test_run_again_it_does_nothing_and_says_the_same(whole, files):
    out, comparison, _ = whole
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file() and ".lock" not in file.name}
    said = []
    again = compare(config(files, out, label_sizes=(8,), pool_sizes=(20,)), say=said.append)
    assert said == []
    assert str(again) == str(comparison)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_stopped_again_and_again_it_ends_with_the_same_table(whole, files, tmp_path):
    """Stopped after more and more signs of progress, in whatever it is at, until it comes to its end."""
    out, _, _ = whole
    stops = 0

    def tick(what, done, total):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    for patience in range(1, 400):
        left = 3 + patience * 4
        try:
            compare(config(files, tmp_path / "out"), tick=tick)
        except KeyboardInterrupt:
            stops += 1
        else:
            break
    assert stops >= 3
    ended, undisturbed = kept(tmp_path / "out"), kept(out)
    assert ended == {name: one for name, one in undisturbed.items() if name not in ("direct-8-0", "distilled-20-0")}


def test_another_seed_and_size_only_add(whole, files, tmp_path):
    shutil.copytree(whole[0], tmp_path / "out")
    before, seen = kept(tmp_path / "out"), []
    comparison = compare(config(files, tmp_path / "out", seeds=2, label_sizes=(12,)), after_seed=seen.append)
    after = kept(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    assert sorted(set(after) - set(before)) == [
        "direct+extra-1", "direct-1", "direct-12-0", "direct-12-1", "distilled-1", "self-distilled-1", "teacher-1",
    ]  # fmt: skip
    assert [row.seeds for row in comparison.rows if row.arm == "teacher"] == [2]
    assert len(seen) == 1, "the table after the first seed"
    assert after["direct-1"][0] != after["direct-0"][0]


def test_other_data_or_settings_are_refused_with_both_values(whole, files, tmp_path):
    out, _, _ = whole
    with pytest.raises(TrainingError, match=r"max_length was 32 and is 16.*name a new folder with --out"):
        compare(config(files, out, max_length=16))
    with pytest.raises(TrainingError, match=r"direct\.epochs was 1 and is 2"):
        compare(config(files, out, recipe_direct=dataclasses.replace(QUICK, epochs=2)))
    other = write(tmp_path / "test.csv", rows(31, seed=2, first=200))
    with pytest.raises(TrainingError, match=r"test_sha256 was '[0-9a-f]{64}' and is '[0-9a-f]{64}'"):
        compare(config(files, out, test=(str(other),)))
    moved = tmp_path / "moved"
    shutil.copytree(files, moved)
    compare(config(moved, out))


def test_what_was_left_open_stays_as_it_was_decided(files, tmp_path, monkeypatch):
    module = "engine.comparison.experiment.settled"
    monkeypatch.setattr(f"{module}.THRESHOLD", 0.7)
    monkeypatch.setattr(f"{module}.has_bf16", lambda: False)
    opened = {"near": None, "dtype": None, "max_length": None, "max_hours": 1e-9}
    with pytest.raises(TrainingError, match="no model is trained yet"):
        compare(config(files, tmp_path / "out", **opened))
    settings = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [settings[name] for name in ("near", "dtype", "label_dtype", "max_length")] == [0.7, "fp32", "fp32", 64]
    monkeypatch.setattr(f"{module}.THRESHOLD", 0.8)
    monkeypatch.setattr(f"{module}.has_bf16", lambda: True)
    with pytest.raises(TrainingError, match="no model is trained yet"):
        compare(config(files, tmp_path / "out", **opened))
    with pytest.raises(TrainingError, match=r"near was 0\.7 and is 0\.8"):
        compare(config(files, tmp_path / "out", **{**opened, "near": 0.8}))


class EnoughError(Exception):
    """Ends an experiment of which the test has seen enough."""


def until(words):
    """Ends an experiment when a step with ``words`` begins."""

    def say(text):
        if words in text:
            raise EnoughError

    return say


def test_with_a_gold_weight_students_learn_from_the_gold_of_their_seed_too(files, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(EnoughError):
        compare(config(files, out, loss=SoftLoss(gold_weight=0.5)), say=until("direct"))
    made = store.open(out / "pool.store")
    assert made.layout.rows == 24 + 16 + 70
    assert json.loads((out / "seed-0" / "distilled-0" / "training.json").read_text())["rows"] == 24 + 70
    gold = made.sql("SELECT text, class FROM corpus WHERE label IS NOT NULL").to_pylist()
    assert {(row["text"], row["class"]) for row in gold} == {
        (row["text"], row["label"]) for row in [*rows(24, seed=0, first=0), *rows(16, seed=1, first=100)]
    }
    learned = pq.read_table(out / "seed-0" / "labelled-24.parquet").column("text").to_pylist()
    selected = read_selection(made, "seed-0-70").rows.numbers()
    texts = made.sql("SELECT text FROM corpus ORDER BY row").column("text").to_pylist()
    assert {texts[row] for row in selected if row < 40} == set(learned)


def test_ids_that_files_share_are_no_reason_to_leave_rows_out(files, tmp_path):
    """Numbered from 1 in every file; each seed draws its rows from both files of labelled ones."""
    for name, seed, count in (("labelled", 0, 24), ("extra", 1, 16), ("test", 2, 30)):
        write(tmp_path / f"{name}.csv", [{**row, "id": str(place)} for place, row in enumerate(
            rows(count, seed=seed, first=100 * seed)
        )])  # fmt: skip
    given = {name: (str(tmp_path / f"{name}.csv"),) for name in ("labelled", "extra", "test")}
    out = tmp_path / "out"
    with pytest.raises(EnoughError):
        compare(config(files, out, **given, on_bad_row="fail"), say=until("labelling"))
    learned = pq.read_table(out / "seed-0" / "labelled-24.parquet")
    assert json.loads((out / "seed-0" / "teacher-0" / "training.json").read_text())["rows"] == 24
    assert len(set(learned.column("id").to_pylist())) == 24


def test_what_was_removed_is_made_again_if_a_step_needs_it_and_else_not(whole, files, tmp_path):
    out, said = tmp_path / "out", []
    shutil.copytree(whole[0], out)
    shutil.rmtree(out / "pool.store")
    shutil.rmtree(out / "seed-0")
    compare(config(files, out), say=said.append)
    assert said == []
    (out / "runs" / "distilled-0.json").unlink()
    compare(config(files, out), say=said.append)
    assert [one.partition(" (")[0] for one in said] == [
        "making a store of 70 texts", "seed 0: teacher on 24 labels", "seed 0: labelling 70 texts with teacher-0",
        "seed 0: distilled on 24 labels and 70 texts",
    ]  # fmt: skip
    assert kept(out) == kept(whole[0])


def test_a_damaged_run_is_named_with_the_way_out(whole, files, tmp_path):
    shutil.copytree(whole[0], tmp_path / "out")
    logits = tmp_path / "out" / "runs" / "direct-0.npy"
    data = bytearray(logits.read_bytes())
    data[-1] ^= 1
    logits.write_bytes(bytes(data))
    with pytest.raises(
        TrainingError, match=r"direct-0.json is damaged .*; remove .*direct-0.json, and run the same"
    ) as said:
        compare(config(files, tmp_path / "out"))
    (tmp_path / "out" / "runs" / "direct-0.json").unlink()
    assert str(said.value).endswith("command again")
    compare(config(files, tmp_path / "out"))
    assert kept(tmp_path / "out") == kept(whole[0])


def test_an_arm_may_have_more_seeds_than_others(whole, files, tmp_path):
    out, said = tmp_path / "out", []
    shutil.copytree(whole[0], out)
    comparison = compare(config(files, out, seeds=2, arms=("direct",), label_sizes=(8,)), say=said.append)
    assert said == ["seed 1: direct on 24 labels (step 3 of 4)", "seed 1: direct on 8 labels (step 4 of 4)"]
    assert {(row.arm, row.labels): row.seeds for row in comparison.rows if not row.text_rows} == {
        ("teacher", 24): 1, ("direct", 24): 2, ("direct", 8): 2, ("direct+extra", 40): 1,
    }  # fmt: skip
    assert {one.seeds for one in comparison.contrasts} == {(0,)}  # those that both arms have
    again = compare(config(files, out, label_sizes=(8,)))  # fewer seeds are asked for than are there
    assert [row.seeds for row in again.rows if row.arm == "direct"] == [2, 2]
    before = kept(whole[0])
    assert {name: run for name, run in kept(out).items() if name in before} == before


def test_some_arms_first_and_the_others_later_are_the_whole(whole, files, tmp_path):
    out, said = tmp_path / "out", []
    sizes = {"label_sizes": (8,), "pool_sizes": (20,)}
    compare(config(files, out, arms=("teacher", "direct+extra"), **sizes), say=said.append)
    assert [one.partition(" on ")[0] for one in said] == ["seed 0: teacher", "seed 0: direct+extra"]
    assert not (out / "pool.store").exists()
    compare(config(files, out, **sizes))
    assert kept(out) == kept(whole[0])


def test_an_arm_that_there_is_not_is_refused(files, tmp_path):
    words = "--arms has 'student'; the arms are teacher, distilled, self-distilled, direct, direct.extra"
    with pytest.raises(InputError, match=words):
        config(files, tmp_path / "out", arms=("student",))


@pytest.mark.parametrize("name", ["runs/speed.json", "spans/direct-0.json"])
def test_a_damaged_note_is_named_and_made_again_or_done_without(whole, files, tmp_path, name):
    out = tmp_path / "out"
    shutil.copytree(whole[0], out)
    (out / name).write_text((out / name).read_text()[:5])
    with pytest.raises(TrainingError, match=rf"{name} is damaged .*; remove it, and run the same command again$"):
        compare(config(files, out))
    (out / name).unlink()
    compare(config(files, out))
    assert kept(out) == kept(whole[0])


def test_damaged_seconds_of_a_labelling_are_named_and_counted_again(whole, files, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole[0], out)
    (out / "runs" / "distilled-0.json").unlink()
    note = out / "runs" / "labelled-seed-0.json"
    note.write_text("{")
    with pytest.raises(TrainingError, match=r"labelled-seed-0.json is damaged .*; remove it, and run the same"):
        compare(config(files, out))
    note.unlink()
    compare(config(files, out))
    assert kept(out) == kept(whole[0])


@pytest.mark.parametrize("name", ["gold.parquet", "pool.parquet", "test.parquet", "rows.json"])
def test_damaged_rows_are_written_again_and_nothing_is_trained_again(whole, files, tmp_path, name):
    out, said = tmp_path / "out", []
    shutil.copytree(whole[0], out)
    data = bytearray((out / "data" / name).read_bytes())
    data[len(data) // 2] ^= 1 if name != "rows.json" else 0x80
    (out / "data" / name).write_bytes(bytes(data))
    with pytest.raises(TrainingError, match=rf"{name} is damaged .*; remove the folder .*data, and run the same"):
        compare(config(files, out))
    shutil.rmtree(out / "data")
    compare(config(files, out), say=said.append)
    assert said == []
    assert kept(out) == kept(whole[0])


def test_what_was_refused_at_the_beginning_may_be_mended_in_the_same_folder(files, tmp_path):
    with pytest.raises(InputError, match="--label-count is 99, and 40 labelled rows are left beside the test"):
        compare(config(files, tmp_path / "out", labels=99))
    assert not (tmp_path / "out" / "comparison.json").exists()
    with pytest.raises(EnoughError):
        compare(config(files, tmp_path / "out", labels=9, near=0), say=until("teacher"))
    assert json.loads((tmp_path / "out" / "data" / "rows.json").read_text())["labels"] == 9


@pytest.mark.parametrize("moment", ["write_file", "Path.rename", "sync"])
def test_killed_while_the_settings_are_written_it_begins_again(files, tmp_path, monkeypatch, moment):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"engine.comparison.experiment.folder.{moment}", dies)
        with pytest.raises(KeyboardInterrupt):
            compare(config(files, tmp_path / "out"))
    with pytest.raises(EnoughError):
        compare(config(files, tmp_path / "out"), say=until("teacher"))


def test_models_that_cannot_be_used_are_refused_before_anything_is_written(files, tmp_path):
    with pytest.raises(ModelError, match="takes 64 tokens at most, and --max-length is 128"):
        compare(config(files, tmp_path / "out", max_length=128))
    assert not (tmp_path / "out" / "comparison.json").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty, and no experiment was begun in it"):
        compare(config(files, tmp_path / "full"))


def first_layer(folder: Path, of: int) -> np.ndarray:
    """A weight of the layer ``of`` of a model."""
    weights = load_file(next(folder.glob("*.safetensors")))
    return weights[f"bert.encoder.layer.{of}.attention.self.query.weight"].numpy()


def test_students_may_begin_with_layers_of_their_own_teachers(files, tmp_path, monkeypatch):
    """Those that learn from gold alone begin with the same layers of what the teacher began with."""
    started = {}
    train = doing.train
    monkeypatch.setattr(
        doing,
        "train",
        lambda chosen, **more: started.update({Path(chosen.out).name: chosen.student}) or train(chosen, **more),
    )
    still = LoopConfig(epochs=1, batch_size=16, learning_rate=1e-9)  # so that weights stay as they begin
    out = tmp_path / "out"
    chosen = config(files, out, student="#layers=1", recipe_direct=still, recipe_distilled=still)
    comparison = compare(chosen)
    assert "begins with layers of its own teacher" in comparison.caption
    models = {row.arm: row.model for row in comparison.rows}
    assert (models["distilled"], models["self-distilled"]) == ("teacher#layers=1", "direct")
    assert models["direct"].endswith("/teacher#layers=1")
    of_seed = out / "seed-0"
    assert started == {
        "distilled-0": f"{of_seed / 'teacher-0'}#layers=1",
        "self-distilled-0": str(of_seed / "direct-0"),
    }
    same = {"rtol": 0, "atol": 1e-6}
    np.testing.assert_allclose(first_layer(of_seed / "distilled-0", 0), first_layer(of_seed / "teacher-0", 1), **same)
    np.testing.assert_allclose(first_layer(of_seed / "direct-0", 0), first_layer(files / "teacher", 1), **same)
    assert not np.allclose(first_layer(of_seed / "teacher-0", 1), first_layer(files / "teacher", 1), **same)
    with pytest.raises(TrainingError, match="student_sha256"):
        compare(dataclasses.replace(chosen, student=f"{files / 'teacher'}#layers=1"))


def test_a_teacher_that_was_removed_is_trained_again_for_a_student_that_begins_as_it(files, tmp_path):
    out = tmp_path / "out"
    chosen = config(files, out, student="#layers=0")
    compare(chosen)
    before = kept(out)
    (out / "runs" / "distilled-0.json").unlink()
    shutil.rmtree(out / "seed-0" / "distilled-0")
    shutil.rmtree(out / "seed-0" / "teacher-0")
    compare(chosen)
    assert kept(out) == before


def test_layers_of_a_teacher_that_is_some_layers_are_refused(files, tmp_path):
    with pytest.raises(InputError, match="--layers 0 are of --teacher, and that is some layers itself .*--student"):
        config(files, tmp_path / "out", teacher=f"{files / 'teacher'}#layers=0,1", student="#layers=0")
    with pytest.raises(InputError, match="that is a configuration without weights .*--student"):
        config(files, tmp_path / "out", teacher="config.json", student="#layers=0")
    odd = tmp_path / "my#model"
    shutil.copytree(files / "teacher", odd)
    assert config(files, tmp_path / "out", teacher=str(odd), student="#layers=0").student_start == f"{odd}#layers=0"
