import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import tiny_models

import engine
from engine.errors import InputError, ModelError
from engine.labelling.runners.in_process import InProcess
from engine.prediction import spool
from engine.prediction.job import PredictJob
from engine.prediction.output import Answers, answered_rows
from engine.prediction.work_folder import Part, WorkFolder
from store.families.labels import softmax
from store.storage.atomic_file import is_unfinished


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.save(tmp_path_factory.mktemp("model") / "model", tiny_models.bert(3), names=("a", "b", "c"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another model, whose classes have another order."""
    bert = tiny_models.spread(tiny_models.bert(3), seed=5)
    return tiny_models.save(tmp_path_factory.mktemp("other") / "other", bert, names=("c", "a", "b"))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(spool, "CHUNK_ROWS", 16)


def written(tmp_path, rows, name="rows.csv"):
    with (tmp_path / name).open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *rows])
    return str(tmp_path / name)


def predict(model, *inputs, out, **choices):
    return engine.predict(engine.PredictConfig(model=model, inputs=inputs, out=str(out), **choices))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def table_of(out):
    return pq.read_table(out).to_pylist()


@pytest.mark.usefixtures("small_chunks")
def test_answers_are_those_of_transformers_in_the_order_of_the_input(tmp_path, model):
    texts = tiny_models.texts(50)
    rows = written(tmp_path, [[f"n{number % 7}", text] for number, text in enumerate(texts)])
    summary = predict(model, rows, out=tmp_path / "out.parquet", probabilities=True)
    answers = table_of(tmp_path / "out.parquet")
    wanted = softmax(tiny_models.logits_alone(model, texts))
    assert [row["id"] for row in answers] == [f"n{number % 7}" for number in range(50)]  # also if ids come twice
    assert [row["class"] for row in answers] == ["abc"[number] for number in wanted.argmax(axis=1)]
    assert [row["confidence"] for row in answers] == pytest.approx(wanted.max(axis=1), abs=1e-5)
    found = [[row[f"probability_{name}"] for name in "abc"] for row in answers]
    assert np.array(found) == pytest.approx(wanted, abs=1e-5)
    assert {row["reason"] for row in answers} == {None}
    assert (summary.rows, summary.rejected, summary.failed, summary.computed) == (50, 0, 0, 50)
    assert sum(summary.classes.values()) == 50
    assert summary.checked >= 4
    assert names_in(tmp_path) == ["out.parquet", "rows.csv"]


@pytest.mark.usefixtures("small_chunks")
def test_refused_rows_stand_in_their_places_with_the_reason(tmp_path, model):
    rows = [[str(number), "good food"] for number in range(40)]
    rows[0][1] = rows[20][1] = rows[39][1] = ""
    summary = predict(model, written(tmp_path, rows), out=tmp_path / "out.parquet")
    answers = table_of(tmp_path / "out.parquet")
    refused = [number for number, row in enumerate(answers) if row["reason"]]
    assert refused == [0, 20, 39]
    assert all(answers[number]["class"] is answers[number]["confidence"] is None for number in refused)
    assert all(row["class"] for number, row in enumerate(answers) if number not in refused)
    assert (summary.rows, summary.rejected) == (40, 3)
    assert "row 1:" in summary.reasons[0]


def test_a_bad_row_stops_where_that_is_asked_for(tmp_path, model):
    rows = written(tmp_path, [["1", "good"], ["2", ""]])
    with pytest.raises(InputError, match="row 2"):
        predict(model, rows, out=tmp_path / "out.csv", on_bad_row="fail")
    assert names_in(tmp_path) == ["rows.csv"]


def test_csv_and_json_lines_have_what_parquet_has(tmp_path, model):
    rows = written(tmp_path, [["1,5", "good"], ["2", ""], ["3", "bad\nfood"]])
    for ending in ("parquet", "csv", "jsonl"):
        predict(model, rows, out=tmp_path / f"out.{ending}", probabilities=True)
    parquet = table_of(tmp_path / "out.parquet")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{**row, **_singles(row)} for row in parquet] == [{**row, **_singles(row)} for row in lines]
    with (tmp_path / "out.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["id"] for row in read] == ["1,5", "2", "3"]
    assert [np.float32(row["confidence"] or "nan") for row in read] == pytest.approx(
        [np.float32("nan") if row["confidence"] is None else row["confidence"] for row in parquet], nan_ok=True, abs=0
    )
    assert read[1]["reason"] == parquet[1]["reason"]
    assert read[1]["class"] == ""


def _singles(row):
    return {name: np.float32(value) for name, value in row.items() if isinstance(value, float)}


def test_no_row_and_no_format_and_no_folder(tmp_path, model):
    rows = written(tmp_path, [["1", "good"]])
    with pytest.raises(InputError, match=r"end it in \.parquet"):
        predict(model, rows, out=tmp_path / "out.txt")
    with pytest.raises(InputError, match="is no folder; make it, or name another file"):
        predict(model, rows, out=tmp_path / "no" / "out.csv")
    with pytest.raises(InputError, match="is one of the inputs"):
        predict(model, rows, out=rows)
    with pytest.raises(InputError, match="is a folder"):
        predict(model, rows, out=tmp_path)
    with pytest.raises(InputError, match="no row"):
        predict(model, written(tmp_path, [], name="empty.csv"), out=tmp_path / "out.csv")
    assert names_in(tmp_path) == ["empty.csv", "rows.csv"]


def test_labels_beside_the_texts_are_not_looked_at(tmp_path, model):
    rows = [{"text": "good", "label": {"odd": [1]}}, {"text": "bad", "label": None}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    summary = predict(model, str(tmp_path / "rows.jsonl"), out=tmp_path / "out.csv")
    assert (summary.rows, summary.rejected) == (2, 0)


@pytest.mark.usefixtures("small_chunks")
def test_a_run_that_was_stopped_goes_on(tmp_path, model):
    rows = written(tmp_path, [[str(number), text] for number, text in enumerate(tiny_models.texts(80))])
    whole = predict(model, rows, out=tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        _stopped_after(3, model, rows, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    summary = predict(model, rows, out=tmp_path / "out.parquet")
    assert (summary.rows, summary.computed, whole.computed) == (80, 32, 80)
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def _stopped_after(chunks, model, rows, out, **choices):
    class Stopping(InProcess):
        def run(self, job, shards, *, done, tick):
            def stopping(shard, report):
                done(shard, report)
                if shard == chunks - 1:
                    raise KeyboardInterrupt

            super().run(job, shards, done=stopping, tick=tick)

    config = engine.PredictConfig(model=model, inputs=(rows,), out=str(out), **choices)
    engine.predict(config, runner=Stopping("cpu"))


@pytest.mark.usefixtures("small_chunks")
def test_a_run_of_other_inputs_or_choices_begins_anew(tmp_path, model, other):
    lines = [[str(number), text] for number, text in enumerate(tiny_models.texts(40))]
    rows = written(tmp_path, lines)
    for change in ("input", "model", "length"):
        with pytest.raises(KeyboardInterrupt):
            _stopped_after(1, model, rows, tmp_path / "out.parquet")
        if change == "input":
            time.sleep(0.01)
            written(tmp_path, lines[::-1])
        choices = engine.Choices(max_length=8) if change == "length" else engine.Choices()
        one = other if change == "model" else model
        summary = predict(one, rows, out=tmp_path / "out.parquet", choices=choices)
        assert summary.computed == 40, change
        predict(one, rows, out=tmp_path / "fresh.parquet", choices=choices)
        assert table_of(tmp_path / "out.parquet") == table_of(tmp_path / "fresh.parquet"), change


@pytest.mark.usefixtures("small_chunks")
def test_unsure_rows_are_left_to_the_second_model(tmp_path, model, other):
    texts = tiny_models.texts(50)
    rows = written(tmp_path, [[str(number), text] for number, text in enumerate(texts)])
    first = softmax(tiny_models.logits_alone(model, texts))
    second = softmax(tiny_models.logits_alone(other, texts))[:, [1, 2, 0]]
    threshold = float(np.median(first.max(axis=1)))
    cascade = engine.Cascade(model=other, threshold=threshold)
    summary = predict(model, rows, out=tmp_path / "out.parquet", cascade=cascade)
    answers = table_of(tmp_path / "out.parquet")
    unsure = np.array([row["deferred"] for row in answers])
    assert unsure.tolist() == (np.float32(first.max(axis=1)) < threshold).tolist()
    wanted = np.where(unsure[:, None], second, first)
    assert [row["class"] for row in answers] == ["abc"[number] for number in wanted.argmax(axis=1)]
    assert [row["confidence"] for row in answers] == pytest.approx(wanted.max(axis=1), abs=1e-5)
    assert summary.cascade["rows"] == unsure.sum()
    assert summary.cascade["share"] == round(unsure.mean(), 5)


@pytest.mark.parametrize(
    ("threshold", "said"),
    [(1.0, "below the threshold 1, so that {other}"), (1e-3, "above the threshold 0.001, so that {model}")],
)
def test_a_threshold_that_parts_no_rows_is_said(tmp_path, model, other, caplog, threshold, said):
    rows = written(tmp_path, [[str(number), text] for number, text in enumerate(tiny_models.texts(8))])
    predict(model, rows, out=tmp_path / "out.csv", cascade=engine.Cascade(model=other, threshold=threshold))
    said = said.format(model=model, other=other)
    assert f"the confidence of {model} in every row is {said} answered all 8 rows. `engine eval {model} " in caplog.text


def test_a_second_model_of_other_classes_is_refused(tmp_path, model):
    wrong = tiny_models.save(tmp_path / "wrong", tiny_models.bert(3), names=("a", "b", "d"))
    cascade = engine.Cascade(model=wrong, threshold=0.5)
    with pytest.raises(ModelError, match="name a model with the same ones"):
        predict(model, written(tmp_path, [["1", "good"]]), out=tmp_path / "out.csv", cascade=cascade)
    with pytest.raises(InputError, match="--threshold is 0"):
        engine.Cascade(model=wrong, threshold=0)


@pytest.mark.usefixtures("small_chunks")
def test_two_workers_give_the_rows_of_one(tmp_path, model):
    rows = written(tmp_path, [[str(number), text] for number, text in enumerate(tiny_models.texts(60))])
    predict(model, rows, out=tmp_path / "one.parquet")
    summary = predict(model, rows, out=tmp_path / "two.parquet", devices=("cpu", "cpu"))
    assert summary.devices == ["cpu", "cpu"]
    assert table_of(tmp_path / "two.parquet") == table_of(tmp_path / "one.parquet")


def test_a_model_that_changes_meanwhile_is_refused(tmp_path, model):
    job = PredictJob(
        folder=None, stage="model", model_name=model, revision=None, weights_sha256="0" * 64, settings=None,
        threads=1, workers=1,
    )  # fmt: skip
    with pytest.raises(ModelError, match="changed while it was used"):
        job.open("cpu")


def test_a_second_run_for_the_same_output_is_refused(tmp_path, model):
    rows, out = written(tmp_path, [["1", "good"]]), tmp_path / "out.csv"

    class Nosy(InProcess):
        def run(self, job, shards, *, done, tick):
            with pytest.raises(InputError, match="another run is making"):
                predict(model, rows, out=out)
            super().run(job, shards, done=done, tick=tick)

    engine.predict(engine.PredictConfig(model=model, inputs=(rows,), out=str(out)), runner=Nosy("cpu"))
    assert len(out.read_text().splitlines()) == 2


def test_a_row_without_finite_logits_has_that_as_its_reason(tmp_path):
    folder = WorkFolder(tmp_path)
    reasons = pa.array([None, "text is empty", None], pa.string())
    folder.write_texts(0, pa.table([["1", "2", "3"], ["x", None, "y"], reasons], names=["id", "text", "reason"]))
    logits = np.array([[np.nan, 1], [0, 2]], np.float32)
    part = Part(rows=np.array([0, 2]), logits=logits, truncated=np.array([True, False]))
    folder.write_part("model", 0, part)
    [found] = answered_rows(folder, 1, Answers(classes=["a", "b"], probabilities=True))
    assert found.table["reason"].to_pylist() == ["non-finite logits", "text is empty", None]
    assert found.table["class"].to_pylist() == [None, None, "b"]
    assert found.table["probability_a"].to_pylist()[:2] == [None, None]
    assert (found.truncated, found.deferred) == (1, 0)
    other = Part(rows=np.array([0, 2]), logits=-logits, truncated=np.array([True, False]))
    folder.write_part("deferred", 0, other)
    answers = Answers(classes=["a", "b"], deferred=True, deferred_order=(0, 1))
    [found] = answered_rows(folder, 1, answers)
    assert found.table["class"].to_pylist() == [None, None, "a"]
    assert found.table["deferred"].to_pylist() == [None, None, True]


@pytest.mark.usefixtures("small_chunks")
def test_killed_at_any_time_and_run_again_it_gives_the_same_file(tmp_path, model):
    rows = written(tmp_path, [[str(number), text] for number, text in enumerate(tiny_models.texts(160))])
    predict(model, rows, out=tmp_path / "whole.csv")
    out, killed = tmp_path / "out.csv", 0
    code = (
        "import sys, engine; from engine.prediction import spool; spool.CHUNK_ROWS = 16;"
        "engine.load(sys.argv[1]); print('loaded', flush=True);"
        "engine.predict(engine.PredictConfig(model=sys.argv[1], inputs=(sys.argv[2],), out=sys.argv[3]))"
    )
    for wait in (0.0, 0.02, 0.05, 0.1, 0.2):
        run = subprocess.Popen([sys.executable, "-c", code, model, rows, str(out)], stdout=subprocess.PIPE)
        run.stdout.readline()
        time.sleep(wait)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        killed += not out.exists()
    predict(model, rows, out=out)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert killed
    assert [name for name in names_in(tmp_path) if not is_unfinished(name)] == ["out.csv", "rows.csv", "whole.csv"]


def test_a_large_text_begins_a_chunk_of_its_own(tmp_path, model, monkeypatch):
    monkeypatch.setattr(spool, "CHUNK_BYTES", 1000)
    rows = written(tmp_path, [[str(number), "good " * 100] for number in range(9)])
    seen = []

    class Seeing(InProcess):
        def run(self, job, shards, *, done, tick):
            seen.extend(job.folder.plan().chunks)
            super().run(job, shards, done=done, tick=tick)

    config = engine.PredictConfig(model=model, inputs=(rows,), out=str(tmp_path / "out.parquet"))
    engine.predict(config, runner=Seeing("cpu"))
    assert sum(seen) == 9
    assert [row["id"] for row in table_of(tmp_path / "out.parquet")] == [str(number) for number in range(9)]


def test_rows_that_are_all_refused_are_written_like_any_other(tmp_path, model):
    summary = predict(model, written(tmp_path, [["1", ""], ["2", ""]]), out=tmp_path / "out.csv")
    assert (summary.rows, summary.rejected, summary.computed) == (2, 2, 0)
    assert pa.csv.read_csv(tmp_path / "out.csv").num_rows == 2
    assert Path(tmp_path / "out.csv").read_text().count("\n") == 3
