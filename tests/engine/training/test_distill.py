"""`engine train` as a user runs it: selections, weights, several teachers, validation, and going on after a stop."""

import dataclasses
import hashlib
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from store_factory import add_corpus, add_labels, calibration_at, text_of, write_header

import engine
import store
from cli.main import run
from engine.errors import TrainingError
from engine.models.initialize import load_start
from engine.models.notes.gold_texts import GOLD_TEXTS, read_gold_texts, write_gold_texts
from engine.training.data.soft_gold import distilled_texts, learned_hashes
from engine.training.data.store_steps import SoftLabels, SoftSteps
from engine.training.distributed import Ranks
from engine.training.loop import LoopConfig
from engine.training.output.checkpoint import Checkpoints
from store.errors import StoreMissingError
from store.families.learned_texts import learned_texts
from store.families.text_hash import text_hash
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration

SHORT = LoopConfig(epochs=1, batch_size=32, learning_rate=1e-3)


class Stop(Exception):
    """As a kill would, but one that a test survives."""


def config(demo, out, **changes):
    place, student = demo.path("reviews.store"), demo.path("start-student")
    return engine.DistillConfig(**{"store": place, "student": student, "out": str(out), "loop": SHORT, **changes})


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in lines(out) if "loss" in line]


def weights(out: Path) -> dict:
    return load_file(out / "model.safetensors")


def hashes(place: str) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(place).rglob("*.arrow")}


def stopping_at(step: int):
    def tick(what: str, done: int, _total: int | None) -> None:
        if what.startswith("training") and done == step:
            raise Stop

    return tick


@pytest.fixture(scope="module")
def sure(demo) -> int:
    """Rows of a selection, as SQL counts them."""
    place = store.open(demo.path("reviews.store"))
    place.select("quite-sure", where="confidence > 0.9")
    return place.sql("SELECT count(*) FROM labels WHERE confidence > 0.9").column(0)[0].as_py()


def test_a_selection_trains_on_exactly_the_rows_that_sql_counts(demo, tmp_path, capsys, sure):
    before = hashes(demo.path("reviews.store"))
    arguments = ["train", demo.path("reviews.store"), "--student", demo.path("start-student"), "--epochs", "1"]
    assert run([*arguments, "--select", "quite-sure", "--out", str(tmp_path / "out")]) == 0
    assert 0 < sure < demo.rows
    assert json.loads(capsys.readouterr().out)["rows"] == sure
    assert sum(line["rows"] for line in lines(tmp_path / "out")) == sure
    assert hashes(demo.path("reviews.store")) == before
    stream = store.open(demo.path("reviews.store")).stream(labels="teacher", select="quite-sure")
    rows = np.concatenate([batch["row"] for batch in stream])
    answer = store.open(demo.path("reviews.store")).sql("SELECT row FROM labels WHERE confidence > 0.9 ORDER BY row")
    assert np.sort(rows).tolist() == answer.column("row").to_pylist()
    assert "on the selection 'quite-sure'" in (tmp_path / "out" / "README.md").read_text()


def test_a_selection_that_is_not_there_is_refused(demo, tmp_path):
    with pytest.raises(StoreMissingError, match="has no selection 'other'"):
        engine.train(config(demo, tmp_path / "out", select="other"))


def test_weights_of_one_change_nothing_and_others_do(demo, tmp_path):
    plain, even, uneven = (tmp_path / name for name in ("plain", "even", "uneven"))
    engine.train(config(demo, plain))
    engine.train(config(demo, even, weight="7"))
    engine.train(config(demo, uneven, weight="confidence * confidence"))
    assert losses(even) == pytest.approx(losses(plain), rel=1e-5)
    assert losses(uneven) != pytest.approx(losses(plain), rel=1e-3)
    kept = np.load(uneven / "weights.npy")
    assert kept.mean() == pytest.approx(1, abs=1e-4)


def test_rows_of_no_weight_are_not_learnt_from(demo, tmp_path, sure):
    out = tmp_path / "out"
    engine.train(config(demo, out, weight="CASE WHEN confidence > 0.9 THEN 1 ELSE 0 END"))
    kept = np.load(out / "weights.npy")
    assert (kept > 0).sum() == sure
    assert kept[kept > 0] == pytest.approx(demo.rows / sure, rel=1e-5)


def test_several_teachers_are_averaged(demo, tmp_path):
    place = str(tmp_path / "copy.store")
    shutil.copytree(demo.path("reviews.store"), place)
    engine.label(engine.LabelConfig(store=place, teacher=demo.path("direct-double"), name="second"))
    both = engine.train(config(demo, tmp_path / "both", store=place, labels=("teacher", "second")))
    alone = engine.train(config(demo, tmp_path / "alone", store=place, labels="teacher"))
    assert "the mean of the label sets teacher, second" in both.procedure
    assert both.epochs[0].loss != alone.epochs[0].loss
    twice = config(demo, tmp_path / "twice", store=place, labels=("teacher", "teacher"))
    with pytest.raises(TrainingError, match="names a label set twice"):
        engine.train(twice)


def test_gold_labels_are_mixed_in_where_there_are_some(demo, tmp_path):
    place = str(tmp_path / "gold.store")
    inputs = (demo.path("gold.parquet"),)
    engine.label(engine.LabelConfig(store=place, teacher=demo.path("teacher"), inputs=inputs))
    soft, mixed = (
        engine.train(config(demo, tmp_path / name, store=place, loss=engine.SoftLoss(gold_weight=share)))
        for name, share in (("soft", 0.0), ("mixed", 1.0))
    )
    hard = engine.finetune(
        engine.FinetuneConfig(
            gold=engine.GoldConfig(files=inputs),
            model=demo.path("start-student"),
            out=str(tmp_path / "hard"),
            loop=SHORT,
        )
    )
    assert mixed.epochs[0].loss == pytest.approx(hard.epochs[0].loss, rel=1e-5)
    assert mixed.epochs[0].loss != pytest.approx(soft.epochs[0].loss, rel=1e-3)


def test_rounds_of_gold_are_learnt_from_and_stay_the_same_in_a_run(demo, tmp_path):
    place = shutil.copytree(demo.path("reviews.store"), tmp_path / "rounds.store")
    made = store.open(place)
    gold = {"store": str(place), "loss": engine.SoftLoss(gold_weight=0.5)}
    with pytest.raises(TrainingError, match="`engine audit .*rounds.store --gold FILE` adds some"):
        engine.train(config(demo, tmp_path / "none", **gold))
    with pytest.raises(TrainingError, match="--gold-weight is 0; give it too"):
        engine.train(config(demo, tmp_path / "none", store=str(place), rounds=(0,)))

    def add(source, label, every):
        rows = np.arange(0, demo.rows, every)
        labels = np.full(len(rows), label, np.int16)
        return add_round(made, Labelled(rows=rows, labels=labels, sources=[source] * len(rows)))

    add("first", 0, every=2)
    whole = engine.train(config(demo, tmp_path / "whole", **gold))
    soft = engine.train(config(demo, tmp_path / "soft", store=str(place)))
    assert whole.epochs[0].loss != pytest.approx(soft.epochs[0].loss, rel=1e-3)
    stopped = tmp_path / "stopped"
    with pytest.raises(Stop):
        engine.train(config(demo, stopped, **gold), tick=stopping_at(20))
    add("second", 1, every=4)
    with pytest.raises(TrainingError, match=r"gold.rounds was \[0, 1\] and is \[0, 1, 2\]"):
        engine.train(config(demo, stopped, rounds=(0, 1, 2), **gold))
    resumed = engine.train(config(demo, stopped, **gold))
    learned = set(read_gold_texts(stopped))
    assert learned == set(made.sql("SELECT text_hash FROM corpus WHERE row % 2 = 0")["text_hash"].to_pylist())
    assert read_gold_texts(tmp_path / "soft") is None
    assert engine.train(config(demo, stopped, **gold)).evaluation is None  # it is done, and stays so
    assert resumed.epochs[0].loss == pytest.approx(whole.epochs[0].loss, rel=1e-6)
    other = engine.train(config(demo, tmp_path / "other", **gold))
    assert other.epochs[0].loss != pytest.approx(whole.epochs[0].loss, rel=1e-3)


def test_a_student_knows_what_its_start_learned_and_labels_say_so(demo, tmp_path):
    """Without a gold weight, too; and a store that it labels tells, wherever the student is by then."""
    start = Path(shutil.copytree(demo.path("start-student"), tmp_path / "start"))
    assert not (start / GOLD_TEXTS).exists()
    write_gold_texts(start, ["one", "two"])
    engine.train(config(demo, tmp_path / "out", student=str(start)))
    assert read_gold_texts(tmp_path / "out").tolist() == read_gold_texts(start).tolist()
    place = str(tmp_path / "labelled.store")
    inputs = (demo.path("gold.parquet"),)
    engine.label(engine.LabelConfig(store=place, teacher=str(tmp_path / "out"), inputs=inputs, name="student"))
    engine.label(engine.LabelConfig(store=place, teacher=demo.path("start-student"), name="fresh"))
    shutil.rmtree(tmp_path / "out")
    sets = {name: learned_texts(store.open(place).label_set(name)) for name in ("student", "fresh")}
    assert sets["student"].tolist() == read_gold_texts(start).tolist()
    assert sets["fresh"] is None


def test_gold_is_learned_of_the_rows_that_count_alone():
    """Not of those that a selection leaves out, that lack a label, or that weigh nothing."""
    made = write_header(rows=60, shards=3)
    add_corpus(made, label=lambda row, _classes: 0 if row % 2 else None)
    add_labels(made, "bert", failed=(1, 3))
    made.select("some", where="row < 50")
    weights = np.ones(60, np.float32)
    weights[5] = 0
    chosen = SoftLabels(labels=("bert",), select="some", weights=weights, rounds=(0,))
    assert sorted(learned_hashes(made, chosen)) == sorted(text_hash(text_of(row)) for row in range(7, 50, 2))
    assert len(learned_hashes(made, dataclasses.replace(chosen, rounds=None))) == 0
    hashes = np.array([text_hash(text_of(row)) for row in range(60)], np.uint64)
    is_distilled = [row < 50 and row not in (1, 3, 5) for row in range(60)]
    assert distilled_texts(made, chosen, hashes).tolist() == is_distilled


def test_mse_learns_too(demo, tmp_path):
    loop = dataclasses.replace(SHORT, epochs=3)
    trained = engine.train(config(demo, tmp_path / "out", loss=engine.SoftLoss(kind="mse"), loop=loop))
    assert trained.epochs[-1].loss < 0.8 * trained.epochs[0].loss


def test_a_configuration_alone_makes_a_student_with_the_teachers_tokenizer(demo, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "config.json").write_text((Path(demo.path("start-student")) / "config.json").read_text())
    trained = engine.train(config(demo, tmp_path / "out", student=str(tmp_path / "config.json")))
    assert trained.rows == demo.rows
    assert "are read from the store" in caplog.text
    assert (tmp_path / "out" / "tokenizer.json").exists()


@pytest.mark.parametrize("step", [1, 63, 90, *(pytest.param(step, marks=pytest.mark.slow) for step in (20, 62, 64))])
def test_a_run_that_goes_on_is_the_run_that_was_not_stopped(demo, tmp_path, step):
    """The student has dropout, and the evaluation comes from the weights of the last step."""
    loop, saving = dataclasses.replace(SHORT, epochs=2), engine.SavingConfig(every_steps=10)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    engine.train(config(demo, whole, loop=loop, saving=saving))
    with pytest.raises(Stop):
        engine.train(config(demo, stopped, loop=loop, saving=saving), tick=stopping_at(step))
    trained = engine.train(config(demo, stopped, loop=loop, saving=saving))
    assert losses(stopped) == losses(whole)
    assert (stopped / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert [epoch.rows for epoch in trained.epochs] == [demo.rows, demo.rows]
    assert trained.steps == 126


def test_a_run_that_is_done_is_not_done_again(demo, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first = engine.train(config(demo, tmp_path / "out", evaluation=(demo.path("test.parquet"),)))
    before = (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns
    again = engine.train(config(demo, tmp_path / "out", evaluation=(demo.path("test.parquet"),)))
    assert again == first
    assert (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns == before
    assert "is done already" in caplog.text


def test_rows_to_judge_by_may_have_other_columns_and_labels(demo, tmp_path):
    rows = pq.read_table(demo.path("test.parquet"))
    queues = [{"negative": "N", "positive": "P"}[label] for label in rows["label"].to_pylist()]
    pq.write_table(
        pa.table({"remark": ["-"] * len(queues), "message": rows["text"], "queue": queues}), tmp_path / "t.parquet"
    )
    named = {
        "columns": engine.ColumnNames(text="message", label="queue"),
        "options": engine.ReadOptions(label_map=(("N", "negative"), ("P", "positive"))),
    }
    file = (str(tmp_path / "t.parquet"),)
    validation = engine.ValidationConfig(inputs=file)
    trained = engine.train(config(demo, tmp_path / "out", evaluation=file, validation=validation, **named))
    usual = engine.evaluate(engine.EvalConfig(model=str(tmp_path / "out"), inputs=(demo.path("test.parquet"),)))
    assert trained.evaluation.rows == usual.rows == len(queues)
    assert trained.evaluation.accuracy == usual.accuracy


def test_a_run_goes_on_only_with_the_settings_that_it_was_begun_with(demo, tmp_path):
    with pytest.raises(Stop):
        engine.train(config(demo, tmp_path / "out"), tick=stopping_at(3))
    other = dataclasses.replace(SHORT, learning_rate=5e-4, epochs=2)
    with pytest.raises(TrainingError, match=r"loop.epochs was 1 and is 2; loop.learning_rate was 0.001 and is 0.0005"):
        engine.train(config(demo, tmp_path / "out", loop=other))
    with pytest.raises(TrainingError, match=r"loss.temperature was 1.0 and is 2.0"):
        engine.train(config(demo, tmp_path / "out", loss=engine.SoftLoss(temperature=2.0)))


def test_a_run_that_holds_the_folder_keeps_others_out(demo, tmp_path):
    def meddle(what: str, done: int, _total: int | None) -> None:
        if what.startswith("training") and done == 2:
            with pytest.raises(TrainingError, match="another run is active in"):
                engine.train(config(demo, tmp_path / "out"))

    assert engine.train(config(demo, tmp_path / "out"), tick=meddle).rows == demo.rows


def test_the_best_state_is_the_result(demo, tmp_path):
    """A learning rate that is far too high at the end of a long training makes it worse; the best state stays."""
    held_out = (demo.path("test.parquet"),)
    validation = engine.ValidationConfig(inputs=held_out, every=20, by="log_loss")
    loop = dataclasses.replace(SHORT, epochs=2, learning_rate=0.2)
    trained = engine.train(config(demo, tmp_path / "out", loop=loop, validation=validation, evaluation=held_out))
    judged = {line["step"]: line for line in lines(tmp_path / "out") if "validation_log_loss" in line}
    best = min(judged, key=lambda step: judged[step]["validation_log_loss"])
    assert list(judged) == [20, 40, 60, 80, 100, 120, 126]
    assert trained.best.step == best
    assert trained.evaluation.log_loss == pytest.approx(judged[best]["validation_log_loss"], abs=1e-4)
    assert best in Checkpoints(tmp_path / "out" / "checkpoints", keep=2).steps()


def test_patience_ends_a_training(demo, tmp_path):
    validation = engine.ValidationConfig(inputs=(demo.path("test.parquet"),), every=5, patience=2, by="log_loss")
    loop = dataclasses.replace(SHORT, epochs=20, learning_rate=0.2)
    trained = engine.train(config(demo, tmp_path / "out", loop=loop, validation=validation))
    assert trained.steps == trained.best.step + 10 < 20 * 63


def test_validation_and_early_stop_survive_a_stop(demo, tmp_path):
    validation = engine.ValidationConfig(inputs=(demo.path("test.parquet"),), every=5, patience=4)
    loop, saving = dataclasses.replace(SHORT, epochs=2, learning_rate=0.02), engine.SavingConfig(every_steps=3)
    options = {"loop": loop, "saving": saving, "validation": validation}
    whole = engine.train(config(demo, tmp_path / "whole", **options))
    for step in (4, 11, 19):
        with pytest.raises(Stop):
            engine.train(config(demo, tmp_path / "chained", **options), tick=stopping_at(step))
    chained = engine.train(config(demo, tmp_path / "chained", **options))
    assert (chained.steps, chained.best) == (whole.steps, whole.best)
    assert all(
        torch.equal(tensor, weights(tmp_path / "whole")[name]) for name, tensor in weights(tmp_path / "chained").items()
    )
    without_speed = [
        [{key: value for key, value in line.items() if key != "rows_per_second"} for line in lines(tmp_path / name)]
        for name in ("whole", "chained")
    ]
    assert without_speed[0] == without_speed[1]


def test_a_damaged_checkpoint_costs_the_steps_behind_the_one_before(demo, tmp_path, caplog):
    saving = engine.SavingConfig(every_steps=10)
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    engine.train(config(demo, whole, saving=saving))
    with pytest.raises(Stop):
        engine.train(config(demo, damaged, saving=saving), tick=stopping_at(45))
    file = damaged / "checkpoints" / "00000040" / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    engine.train(config(demo, damaged, saving=saving))
    assert "is damaged and is passed over" in caplog.text
    assert losses(damaged) == losses(whole)
    assert (damaged / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.fixture
def calibrated(demo, tmp_path) -> store.Store:
    """A copy of the demo's store with a temperature."""
    shutil.copytree(demo.path("reviews.store"), tmp_path / "a.store")
    made = store.open(tmp_path / "a.store")
    add_calibration(made, calibration_at(2.5, label_set="teacher", made=made))
    return made


def test_calibrated_logits_are_divided_by_their_temperature(demo, calibrated):
    student = load_start(demo.path("start-student"), classes=calibrated.header.classes)
    steps = {
        temperatures: SoftSteps(
            calibrated,
            SoftLabels(labels=("teacher",), temperatures=temperatures),
            student.encoding(64),
            batch_size=32,
            seed=0,
            ranks=Ranks(rank=0, count=1, device=torch.device("cpu")),
        )
        for temperatures in (None, (2.5,))
    }
    plain, divided = (next(iter(one.epoch(0, 0))).targets["logits"] for one in steps.values())
    np.testing.assert_allclose(divided, plain / 2.5, rtol=1e-6)


def test_a_student_of_calibrated_labels_learns_something_else(demo, calibrated, tmp_path, capsys):
    place, student = calibrated.location, demo.path("start-student")
    for name, more in (("plain", []), ("calibrated", ["--calibrated"])):
        out = str(tmp_path / name)
        assert run(["train", place, "--student", student, "--out", out, "--epochs", "1", *more]) == 0
        capsys.readouterr()
    assert losses(tmp_path / "plain") != losses(tmp_path / "calibrated")
    assert "calibrated by its temperature" in (tmp_path / "calibrated" / "README.md").read_text()


def test_a_run_goes_on_with_the_temperature_that_it_was_begun_with(demo, calibrated, tmp_path):
    every = engine.SavingConfig(every_steps=1)
    asked = config(demo, tmp_path / "stopped", store=calibrated.location, calibrated=True, saving=every)
    with pytest.raises(Stop):
        engine.train(asked, tick=stopping_at(20))
    whole = dataclasses.replace(asked, out=str(tmp_path / "whole"))
    engine.train(whole)
    add_calibration(calibrated, calibration_at(0.5, label_set="teacher", made=calibrated))
    engine.train(asked)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    with pytest.raises(TrainingError, match="calibrated.teacher.temperature was 2.5 and is None"):
        engine.train(dataclasses.replace(asked, calibrated=False))


def test_calibrated_without_a_temperature_names_the_command(demo, tmp_path):
    with pytest.raises(StoreMissingError, match="has no calibration; `engine audit"):
        engine.train(config(demo, tmp_path / "out", calibrated=True))


@pytest.mark.parametrize("is_stored", [True, False])
def test_texts_that_are_cut_are_counted_and_told_where_the_store_knows_it(demo, tmp_path, caplog, is_stored):
    caplog.set_level(logging.INFO)
    place = str(tmp_path / "a.store")
    choices = engine.Choices(max_length=8)
    inputs = (demo.path("unlabelled.parquet"),)
    labels = engine.label(
        engine.LabelConfig(
            store=place, teacher=demo.path("teacher"), inputs=inputs, choices=choices, keep_tokens=is_stored
        )
    )
    caplog.clear()
    trained = engine.train(config(demo, tmp_path / "out", store=place))
    assert trained.truncated == (labels.truncated if is_stored else None)
    assert ("give a larger --max-length" in caplog.text) == is_stored
