"""``engine label --dry-run``, ``--pilot`` and ``--max-hours``: what a user types, and what comes back."""

import json

import pytest
import tiny_models
from store_factory import NoWaitStorage, make_store

from cli.commands.label.forecast import in_words
from cli.main import ERROR, OK, USAGE, run
from engine.labelling.pilot.forecast import Forecast
from store.format.run_log import RunLog
from store.summary import summarise


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot")
    tiny_models.save(folder / "teacher")
    lines = (json.dumps({"id": f"r{row}", "text": text}) for row, text in enumerate(tiny_models.texts(120)))
    (folder / "in.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def label(folder, tmp_path, capsys):
    def labelled(*arguments):
        given = ["label", str(folder / "in.jsonl"), "--teacher", str(folder / "teacher"), "--dtype", "fp32"]
        code = run([*given, "--store", str(tmp_path / "s"), "--shards", "4", "--devices", "cpu", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return labelled


def test_a_dry_run_prints_the_forecast_and_writes_nothing(label, tmp_path):
    code, out, _ = label("--dry-run", "--pilot", "60")
    made = json.loads(out)
    assert (code, list(tmp_path.iterdir())) == (OK, [])
    assert set(made) == set(Forecast.__dataclass_fields__)
    assert {name: made[name] for name in ("rows", "shards", "pilot_rows", "pilot_shards", "devices", "accuracy")} == {
        "rows": 120, "shards": 4, "pilot_rows": 60, "pilot_shards": 0, "devices": 1, "accuracy": None,
    }  # fmt: skip
    assert 0 < made["seconds_low"] < made["seconds"] < made["seconds_high"]
    code, out, _ = label("--dry-run", "--format", "table")
    assert (code, "120 in 4 shards, " in out, "no gold" in out) == (OK, True, True)


def test_a_pilot_is_told_on_stderr_and_shown_by_info(label, tmp_path, capsys):
    code, out, err = label("--pilot", "30")
    assert code == OK
    assert json.loads(out)["rows_done"] == 120
    assert "a pilot of 30 rows, drawn from all and not kept, forecasts" in err
    assert run(["info", str(tmp_path / "s")]) == OK
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (shown,) = [record for record in records if record["about"] == "forecast"]
    assert (shown["label_set"], shown["rows"], shown["pilot_rows"]) == ("teacher", 120, 30)
    assert shown["took"] is not None
    assert run(["info", str(tmp_path / "s"), "--format", "table"]) == OK
    assert "forecasts" in capsys.readouterr().out


def test_a_run_that_takes_too_long_is_an_error_with_the_ways_out(label):
    code, out, err = label("--max-hours", "0.000001")
    assert (code, out) == (ERROR, "")
    assert "--max-hours is 1e-06. Nothing was labelled. Allow more, or make it shorter" in err


@pytest.mark.parametrize(
    "arguments",
    [["--pilot", "0"], ["--max-hours", "0"], ["--max-hours", "x"], ["--from", "a.csv", "--name", "a", "--pilot", "9"]],
)
def test_numbers_and_flags_that_make_no_sense_are_usage_errors(label, arguments):
    assert label(*arguments)[0] == USAGE


def test_a_forecast_of_a_part_in_words():
    made = Forecast(
        store="s", name="t", rows=1200, shards=1, pilot_rows=9, pilot_shards=0, seconds=7200, seconds_low=7000,
        seconds_high=7500, seconds_preparing=60, seconds_labelling=7140, devices=2, device_seconds=14_400,
        rows_per_second=0.17, tokens=9000, padding=1.05, disk_bytes=2_500_000, disk_free=3_000_000_000, gold_rows=5, accuracy=0.9, accuracy_low=0.8,
        accuracy_high=0.95, device="H100", dtype="fp16", max_length=64, part="0/4", whole_rows=4800,
        whole_device_seconds=57_600,
    )  # fmt: skip
    words = in_words(made)
    assert words["rows"] == "1,200 in 1 shard, 0.17 a second"
    assert words["time"] == "2 h (1.94 h to 2.08 h): 60 s before labelling, 1.98 h of labelling"
    assert words["disk"] == "2.5 MB of 3.0 GB free"
    assert words["accuracy"] == "90.0% (80.0% to 95.0%), 5 gold rows"
    assert words["part"] == "0/4; all parts: 16 h of device time for 4,800 rows"


def test_a_note_that_is_no_forecast_is_passed_over(tmp_path):
    made = make_store(NoWaitStorage(tmp_path / "s"))
    log = RunLog(made.storage, {"label_set": "bert", "devices": []})
    log.begin(5)
    log.forecast({"rows": "many"})
    log.finish({})
    assert summarise(made)["forecasts"] == []
