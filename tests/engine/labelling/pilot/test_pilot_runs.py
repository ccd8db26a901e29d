"""Whole runs with a pilot: what is written, what is not, and what the forecast says of it."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_models

import engine
import store
from engine.errors import InputError, LabellingError
from engine.labelling.pilot import limit as limits
from engine.labelling.runners.in_process import InProcess
from store.errors import MismatchError
from store.format.run_log import read_runs
from store.summary import summarise

ROWS = 480
FIXED = engine.Choices(dtype="fp32", tokens_per_batch=512, max_length=32)


def files(folder):
    """Every file of a store but notes, with its bytes."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    named = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return {name: data for name, data in named.items() if not name.startswith(("runs/", "tmp/"))}


def everything(folder):
    return {str(path): path.read_bytes() if path.is_file() else None for path in Path(folder).rglob("*")}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A teacher, a file of short texts, of which every second has gold, and one of long texts, which have none."""
    folder = tmp_path_factory.mktemp("given")
    teacher = tiny_models.save(folder / "teacher")
    short, long = tiny_models.texts(ROWS // 2, words=(2, 4)), tiny_models.texts(ROWS // 2, words=(20, 40), seed=1)
    rows = [
        {"id": f"s{row}", "text": text, "label": ("negative", "positive", None, None)[row % 4]}
        for row, text in enumerate(short)
    ]
    (folder / "short.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "bad", "text": ""}]))
    (folder / "long.jsonl").write_text(
        "".join(json.dumps({"id": f"l{row}", "text": text, "label": None}) + "\n" for row, text in enumerate(long))
    )
    inputs = (str(folder / "short.jsonl"), str(folder / "long.jsonl"))
    return engine.LabelConfig(store="", teacher=teacher, inputs=inputs, shards=12, choices=FIXED, devices=("cpu",))


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    """A store that was labelled without a pilot."""
    place = tmp_path_factory.mktemp("whole") / "store"
    engine.label(replace(given, store=str(place)))
    return place


@pytest.mark.parametrize(("rows", "shards"), [(120, 3), (90, 0)])
def test_a_run_with_a_pilot_writes_the_same_bytes(given, whole, tmp_path, rows, shards):
    told = []
    place = tmp_path / "store"
    summary = engine.label(replace(given, store=str(place), pilot=rows), tell=told.append)
    assert files(place) == files(whole)
    assert (summary.rows_done, summary.shards_done) == (ROWS, 12)
    (made,) = told
    assert (made.pilot_rows, made.pilot_shards) == (rows, shards)
    assert (made.rows, made.shards) == (ROWS - 40 * shards, 12 - shards)
    (run,) = read_runs(store.open(place).storage)
    assert run["forecast"]["seconds"] == made.seconds
    if shards:
        first = [note["shard"] for note in run["shards"]][:shards]
        assert sorted(shard >= 6 for shard in first) in ([False, False, True], [False, True, True]), "of both files"
    (shown,) = summarise(store.open(place))["forecasts"]
    assert (shown["label_set"], shown["rows"]) == ("teacher", made.rows)
    assert 0 <= shown["took"] < 30


def test_a_pilot_says_in_a_sentence_what_it_forecasts(given, whole, tmp_path, caplog):
    place = shutil.copytree(whole, tmp_path / "store")
    with caplog.at_level(logging.INFO):
        engine.label(replace(given, store=str(place), inputs=(), name="again", pilot=120, worker=(0, 2)))
    assert "a pilot of 120 rows, in 3 shards that are kept, forecasts" in caplog.text
    assert "for the 120 rows that are left" in caplog.text


def test_a_dry_run_without_a_store_leaves_nothing_and_knows_what_the_store_will_be(given, whole, tmp_path):
    made = engine.forecast(replace(given, store=str(tmp_path / "store"), pilot=ROWS))
    assert list(tmp_path.iterdir()) == []
    assert (made.rows, made.shards, made.pilot_rows, made.name) == (ROWS, 12, ROWS, "teacher")
    labelled = store.open(whole)
    (truth,) = labelled.sql("SELECT sum(n_tokens)::DOUBLE AS tokens FROM labels").to_pylist()
    assert made.tokens == pytest.approx(truth["tokens"], rel=0.01)
    right = "SELECT avg((gold = prediction)::INT) AS share, count(*) AS n FROM reviews WHERE gold IS NOT NULL"
    (gold,) = labelled.sql(right, labels="teacher").to_pylist()
    assert (made.accuracy, made.gold_rows) == (pytest.approx(gold["share"], abs=1e-4), gold["n"])
    assert made.accuracy_low < gold["share"] < made.accuracy_high
    sizes = labelled.sql("SELECT sum(bytes)::DOUBLE AS size FROM shards").to_pylist()
    assert made.disk_bytes == pytest.approx(sizes[0]["size"], rel=0.5)  # small files are mostly frames
    assert made.seconds_low < made.seconds < made.seconds_high
    assert made.seconds_preparing > 0
    assert made.seconds == pytest.approx(made.seconds_preparing + made.seconds_labelling, abs=0.002)


def test_a_run_says_the_seconds_that_its_forecast_has(given, tmp_path):
    done = engine.label(replace(given, store=str(tmp_path / "s")))
    again = engine.label(replace(given, store=str(tmp_path / "s")))
    assert done.seconds_in_all > done.seconds > 0  # the model was loaded, and the inputs read
    assert again.seconds_in_all > again.seconds == 0


def test_rows_that_will_be_refused_are_not_forecast(given, tmp_path):
    twice = tmp_path / "twice.jsonl"
    twice.write_text("".join(json.dumps({"id": f"r{row % 60}", "text": "good food"}) + "\n" for row in range(90)))
    made = engine.forecast(replace(given, store=str(tmp_path / "s"), inputs=(str(twice),), shards=4))
    assert (made.rows, made.shards) == (60, 4)


def test_a_dry_run_on_a_store_writes_nothing_and_forecasts_what_is_missing(given, whole):
    before = everything(whole)
    request = replace(given, store=str(whole), inputs=(), shards=None, name="new", worker=(1, 4))
    made = engine.forecast(request)
    assert everything(whole) == before
    assert (made.rows, made.shards, made.part) == (120, 3, "1/4")
    assert (made.whole_rows, made.pilot_rows) == (ROWS, 120)
    assert made.whole_device_seconds > 2 * made.device_seconds
    assert made.disk_bytes < 120 * 60, "token ids are there"


def test_a_dry_run_forecasts_as_many_rows_as_are_asked_for_and_no_more_than_there_are(given, tmp_path):
    assert engine.forecast(replace(given, store=str(tmp_path / "s"), pilot=64)).pilot_rows == 64
    assert engine.forecast(replace(given, store=str(tmp_path / "s"))).pilot_rows == ROWS


def test_what_a_dry_run_cannot_forecast_is_said(given, whole, tmp_path):
    with pytest.raises(InputError, match="nothing is left to forecast"):
        engine.forecast(replace(given, store=str(whole), inputs=()))
    with pytest.raises(InputError, match="no store yet; name the files"):
        engine.forecast(replace(given, store=str(tmp_path / "none"), inputs=()))
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "m1", "text": "good food"}\n')
    with pytest.raises(InputError, match="name a --store that does not exist"):
        engine.forecast(replace(given, store=str(whole), inputs=(str(more),), append=True, shards=None))
    with pytest.raises(MismatchError, match="begun with max_length 32 .*this run has 16"):
        engine.forecast(replace(given, store=str(whole), inputs=(), choices=replace(FIXED, max_length=16)))


def test_a_run_that_is_hopeless_labels_nothing_and_another_length_is_tried_at_once(given, tmp_path):
    place = tmp_path / "store"
    hopeless = replace(given, store=str(place), max_hours=1e-6)
    with pytest.raises(
        LabellingError, match=r"the 480 rows that are left will take .*--max-hours is 1e-06.*Nothing was labelled"
    ):
        engine.label(hopeless)
    assert store.open(place).label_sets() == []
    assert (
        engine.label(replace(hopeless, max_hours=1, inputs=(), choices=replace(FIXED, max_length=16))).rows_done == ROWS
    )


def test_a_run_that_becomes_hopeless_keeps_its_shards_and_is_resumed_to_the_same_bytes(
    given, whole, tmp_path, monkeypatch
):
    place, clock = tmp_path / "store", Spring()
    monkeypatch.setattr(limits.TimeLimit.__init__, "__kwdefaults__", {"clock": clock})
    with pytest.raises(LabellingError, match=r"--max-hours is 2\. \d+% of the work was done"):
        engine.label(replace(given, store=str(place), max_hours=2, pilot=120), runner=Slow("cpu", clock))
    kept = store.open(place).label_set("teacher").records()
    assert 3 <= len(kept) < 12
    assert engine.label(replace(given, store=str(place), pilot=120)).shards_done == 12 - len(kept)
    assert files(place) == files(whole)


class Spring:
    """A clock that stands still unless it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


class Slow(InProcess):
    """Half an hour goes by after each shard."""

    def __init__(self, device, clock):
        super().__init__(device)
        object.__setattr__(self, "clock", clock)

    def run(self, job, shards, *, done, tick):
        def after(shard, report):
            self.clock.now += 1800
            done(shard, report)

        super().run(job, shards, done=after, tick=tick)


def test_a_pilot_on_a_finished_label_set_does_nothing(given, whole):
    before = files(whole)
    assert engine.label(replace(given, store=str(whole), inputs=(), pilot=5, max_hours=1)).rows_done == 0
    assert files(whole) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pilot": 0}, "--pilot is 0; it labels at least 1 row"), ({"max_hours": 0}, "--max-hours is 0; it must")],
)
def test_bad_numbers_are_refused(given, changes, message):
    with pytest.raises(LabellingError, match=message):
        replace(given, **changes)
