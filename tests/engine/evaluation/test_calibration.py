"""Temperatures: their fit, the files that keep them, and what is refused."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_factory import (
    CLASSES,
    NoWaitStorage,
    add_corpus,
    add_labels,
    calibration_at,
    flip_bit,
    make_store,
    repair_labels,
    text_of,
    write_header,
)

import store
from cli.main import DAMAGED, ERROR, OK, USAGE, run
from engine.errors import InputError
from engine.evaluation.calibrate import CalibrateConfig, calibrate
from engine.evaluation.metrics import log_loss
from engine.evaluation.temperature import fit_temperature, fold_temperatures, probabilities, slope, standard_error
from store import Store
from store.errors import DamageError, MismatchError, StoreMissingError
from store.format.findings import Kind
from store.gold.add_round import Labelled, add_round
from store.gold.calibration import add_calibration, calibrations, parse_calibration, usable_calibration
from store.storage import MemoryStorage, Storage
from store.verify.repair import restore_small_files
from store.verify.verify import verify

ROWS = 900


def drawn(rows: int = ROWS, *, temperature: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and gold that is drawn from their softmax at a temperature."""
    chance = np.random.default_rng(seed)
    logits = (chance.normal(size=(rows, len(CLASSES))) * 4).astype(np.float16).astype(np.float64)
    p = probabilities(logits, temperature)
    return logits, (p.cumsum(axis=1) < chance.random((rows, 1))).sum(axis=1).clip(max=len(CLASSES) - 1)


def make(storage: Storage | None = None, *, rows: int = ROWS, gold_every: int = 1) -> Store:
    logits, gold = drawn(rows)
    made = write_header(storage or MemoryStorage(), rows=rows)
    add_corpus(made, text=text_of, label=lambda row, _: int(gold[row]) if row % gold_every == 0 else None)
    add_labels(made, "bert", logits=logits.astype(np.float16))
    made.corpus.seal()
    made.label_set("bert").seal()
    return made


# The fit


def test_the_temperature_has_the_least_log_loss() -> None:
    logits, gold = drawn()
    fitted = fit_temperature(logits, gold)
    near = np.geomspace(fitted / 2, fitted * 2, 2001)
    losses = [log_loss(gold, probabilities(logits, temperature)) for temperature in near]
    assert near[np.argmin(losses)] == pytest.approx(fitted, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0, 7.0])
def test_the_temperature_that_made_the_labels_is_found_again(temperature: float) -> None:
    logits, gold = drawn(20_000, temperature=temperature)
    fitted = fit_temperature(logits, gold)
    assert abs(fitted - temperature) < 4 * standard_error(logits, fitted) < 0.25 * temperature


def test_the_standard_error_is_the_spread_of_many_fits() -> None:
    fits = [fit_temperature(*drawn(1000, seed=seed)) for seed in range(100)]
    logits, _ = drawn(1000)
    assert np.std(fits) == pytest.approx(standard_error(logits, 2.0), rel=0.25)


def test_the_slope_is_that_of_the_log_loss() -> None:
    logits, gold = drawn()
    for inverse in (0.1, 0.5, 1.0, 3.0):
        above, below = (log_loss(gold, probabilities(logits, 1 / (inverse + step))) for step in (1e-5, -1e-5))
        assert slope(logits, gold, inverse) == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-7)


def test_a_fold_is_judged_by_a_temperature_that_it_did_not_fit() -> None:
    logits, gold = drawn()
    temperatures = fold_temperatures(logits, gold, folds=3)
    for temperature in np.unique(temperatures):
        others = temperatures != temperature
        assert fit_temperature(logits[others], gold[others]) == temperature
    assert len(np.unique(temperatures)) == 3


# What is kept


def test_a_calibration_says_how_it_came_about() -> None:
    made = make()
    found = calibrate(CalibrateConfig(store=made.storage))
    assert (found.label_set, found.number, found.rows, found.rounds, found.left_out) == ("bert", 1, ROWS, [0], 0)
    assert found.temperature == pytest.approx(2.0, abs=0.25)
    assert found.before["expected_calibration_error"] > 2 * found.after["expected_calibration_error"]
    assert found.before["log_loss"] > found.after["log_loss"]
    assert found.before["brier_score"] > found.after["brier_score"]
    assert found.before["log_loss"] == pytest.approx(made.audit("calibration").to_pylist()[0]["log_loss"], rel=1e-4)
    assert calibrations(made, "bert") == [found]
    assert usable_calibration(made, "bert") == found
    rows = made.sql("SELECT * FROM calibrations").to_pylist()
    assert rows == [{name: getattr(found, name) for name in rows[0]}]


def test_the_same_again_is_not_written_again() -> None:
    made = make()
    assert calibrate(CalibrateConfig(store=made.storage)) == calibrate(CalibrateConfig(store=made.storage))
    assert len(calibrations(made, "bert")) == 1


def test_the_latest_calibration_holds_and_the_others_stay() -> None:
    made = make()
    first = add_calibration(made, calibration_at(3.0, made=made))
    second = add_calibration(made, calibration_at(4.0, made=made))
    assert [one.number for one in calibrations(made, "bert")] == [1, 2]
    assert usable_calibration(made, "bert") == second
    assert usable_calibration(made, "bert", 1) == first
    with pytest.raises(StoreMissingError, match="no calibration 3"):
        usable_calibration(made, "bert", 3)


def test_another_label_set_has_its_own() -> None:
    made = make()
    add_labels(made, "roberta")
    add_calibration(made, calibration_at(3.0, made=made))
    with pytest.raises(StoreMissingError, match="'roberta' of .* has no calibration; `engine audit"):
        usable_calibration(made, "roberta")


def test_labels_that_changed_refuse_their_calibration(tmp_path: Path) -> None:
    made = make(NoWaitStorage(tmp_path / "a.store"))
    calibrate(CalibrateConfig(store=made.storage))
    repair_labels(made, "bert", shard=1, seed=5)
    with pytest.raises(MismatchError, match="has changed since calibration 1 was made"):
        usable_calibration(made, "bert")
    with pytest.raises(StoreMissingError, match="calibrated cannot be asked: .* has changed since calibration 1"):
        made.audit("calibrated")
    assert calibrate(CalibrateConfig(store=made.storage)).number == 2
    assert usable_calibration(made, "bert").number == 2


def test_rows_that_the_teacher_was_trained_on_do_not_count(tmp_path: Path) -> None:
    made = make()
    trained = tmp_path / "gold.parquet"
    texts = [f"  {text_of(row).upper()} " for row in range(300)]
    pq.write_table(pa.table({"text": texts, "label": ["negative"] * len(texts)}), trained)
    found = calibrate(CalibrateConfig(store=made.storage, trained_on=(str(trained),)))
    logits, gold = drawn()
    assert (found.rows, found.left_out) == (ROWS - 300, 300)
    assert found.temperature == pytest.approx(fit_temperature(logits[300:], gold[300:]))


def test_texts_that_it_was_trained_on_need_no_labels_and_ids(tmp_path: Path) -> None:
    trained = tmp_path / "gold.parquet"
    texts = [*(text_of(row) for row in range(100)), None]
    pq.write_table(pa.table({"body": texts, "id": ["the same"] * 101, "label": [None, *range(100)]}), trained)
    found = calibrate(CalibrateConfig(store=make().storage, trained_on=(str(trained),), text="body"))
    assert found.left_out == 100


def test_chosen_rounds_alone_count() -> None:
    made = make(gold_every=3)
    assert calibrate(CalibrateConfig(store=made.storage, rounds=(0,))).rows == ROWS // 3
    with pytest.raises(StoreMissingError, match="no gold round 1"):
        calibrate(CalibrateConfig(store=made.storage, rounds=(1,)))


# What is refused


def test_too_few_gold_rows_are_refused() -> None:
    with pytest.raises(InputError, match="30 gold rows count, and a temperature needs 50"):
        calibrate(CalibrateConfig(store=make(rows=60, gold_every=2).storage))


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        (np.argmax, "200 of 200 gold rows are predicted right, .* none is kept.*: `engine audit .* --gold FILE` adds"),
        (np.argmin, "say less than nothing .* look at `engine audit .* confusion --labels bert`"),
    ],
)
def test_rows_without_a_best_temperature_are_refused(gold: object, words: str) -> None:
    logits, _ = drawn(200)
    made = write_header(MemoryStorage(), rows=200)
    add_corpus(made, label=lambda row, _: int(gold(logits[row])))  # type: ignore[operator]
    add_labels(made, "bert", logits=logits.astype(np.float16))
    with pytest.raises(InputError, match=words):
        calibrate(CalibrateConfig(store=made.storage))
    assert calibrations(made, "bert") == []


def test_logits_that_do_not_differ_have_no_temperature() -> None:
    made = write_header(MemoryStorage(), rows=200)
    add_corpus(made, label=lambda row, classes: row % classes)
    add_labels(made, "bert", logits=np.ones((200, 3), np.float16))
    with pytest.raises(InputError, match="logits hardly differ"):
        calibrate(CalibrateConfig(store=made.storage))


# Damage


@pytest.fixture
def calibrated(tmp_path: Path) -> Store:
    made = make(NoWaitStorage(tmp_path / "a.store"))
    for temperature in (2.0, 3.0):
        add_calibration(made, calibration_at(temperature, made=made))
    assert list(verify(made.storage)) == []
    return made


def place(made: Store) -> Path:
    return Path(made.location) / "labels" / "bert"


@pytest.mark.parametrize("name", ["calibration-1.json", "calibration-2.copy.json"])
@pytest.mark.parametrize("damage", ["flip", "lose", "cut"])
def test_damage_is_found_and_mended_from_the_other_copy(calibrated: Store, name: str, damage: str) -> None:
    file = place(calibrated) / name
    before = file.read_bytes()
    if damage == "flip":
        flip_bit(calibrated.storage, f"labels/bert/{name}", 8 * 30)
    elif damage == "lose":
        file.unlink()
    else:
        file.write_bytes(before[:40])
    findings = list(verify(calibrated.storage))
    assert [finding.file for finding in findings] == [f"labels/bert/{name}"]
    assert restore_small_files(calibrated, findings) == [f"labels/bert/{name}"]
    assert file.read_bytes() == before
    assert list(verify(calibrated.storage)) == []


def test_another_calibrations_file_is_damage(calibrated: Store) -> None:
    shutil.copy(place(calibrated) / "calibration-1.json", place(calibrated) / "calibration-2.json")
    assert [(one.kind, one.file) for one in verify(calibrated.storage)] == [
        (Kind.DAMAGED, "labels/bert/calibration-2.json")
    ]
    assert run(["verify", calibrated.location]) == DAMAGED


def test_a_damaged_calibration_is_not_used(calibrated: Store) -> None:
    for name in ("calibration-2.json", "calibration-2.copy.json"):
        flip_bit(calibrated.storage, f"labels/bert/{name}", 8 * 30)
    with pytest.raises(DamageError):
        usable_calibration(calibrated, "bert")
    with pytest.raises(DamageError):
        calibrated.sql("SELECT * FROM calibrations")


def test_a_value_that_is_no_calibration_says_what_is_wrong(calibrated: Store) -> None:
    for change in ({"temperature": 0.0}, {"temperature": "2"}, {"number": 0}, {"sources": 1}):
        value = {**dataclasses.asdict(usable_calibration(calibrated, "bert")), **change}
        with pytest.raises(DamageError, match=f"damaged: .*{next(iter(change))}"):
            parse_calibration(calibrated, "bert", value)


# The command


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make(NoWaitStorage(tmp_path / "a.store"))
    assert run(["audit", made.location, "--calibrate", "--format", "json"]) == OK
    (found,) = json.loads(capsys.readouterr().out)
    assert found["temperature"] == usable_calibration(store.open(made.location), "bert").temperature
    assert found["before"]["log_loss"] > found["after"]["log_loss"]
    assert run(["audit", made.location, "calibrated", "--format", "json"]) == OK
    before, after = json.loads(capsys.readouterr().out)
    assert after["temperature"] == found["temperature"]
    assert after["log_loss"] < before["log_loss"]


def test_the_command_shows_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make(NoWaitStorage(tmp_path / "a.store"))
    assert run(["audit", made.location, "--calibrate", "--format", "table"]) == OK
    shown = capsys.readouterr().out
    assert "temperature" in shown
    assert "expected_calibration_error" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["accuracy", "--calibrate"],
        ["accuracy", "--trained-on", "gold.parquet"],
        ["--calibrate", "--gold", "gold.parquet"],
        ["--calibrate", "--list"],
        ["--calibrate", "--by", "shard"],
        ["--calibrate", "--source", "me"],
        ["--text", "body"],
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_store(NoWaitStorage(tmp_path / "a.store"))
    assert run(["audit", made.location, *arguments]) == USAGE
    assert "--calibrate" in capsys.readouterr().err


def test_calibrated_without_a_temperature_names_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_store(NoWaitStorage(tmp_path / "a.store"))
    assert run(["audit", made.location, "calibrated"]) == ERROR
    assert "`engine audit" in capsys.readouterr().err


def test_gold_that_was_chosen_for_being_hard_is_said_not_to_be_of_all_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(NoWaitStorage(tmp_path / "a.store"), gold_every=2)
    hard = made.select("next", propose="margin", limit=60).rows.numbers()
    add_round(made, Labelled(rows=hard, labels=drawn()[1][hard].astype(np.int16), sources=["me"] * 60))
    assert run(["audit", made.location, "--calibrate"]) == OK
    assert "60 of the 510 gold rows that count were chosen for being hard" in capsys.readouterr().err
    assert run(["audit", made.location, "--calibrate", "--round", "0"]) == OK
    assert capsys.readouterr().err == ""
