"""How a training is asked for on the command line: what is taken, what is refused, and what is only then looked for."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cli.main import run
from cli.options.training import Interval, training_options, training_settings

TRAIN = ["train", "nowhere.store", "--student", "nothing", "--out"]
FINETUNE = ["finetune", "nothing.csv", "--model", "nothing", "--out"]


@click.command()
@click.option("--out", default="out")
@training_options(epochs=3, batch_size=16, learning_rate=1e-3)
def asked(**options):
    """Takes the options, and hands over what they say."""
    asked.settings = training_settings(**options)


def settings(*arguments):
    result = CliRunner().invoke(asked, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return asked.settings


@pytest.mark.parametrize(
    ("given", "steps", "seconds"),
    [
        ("500", 500, 600.0),
        ("1", 1, 600.0),
        (" 20 ", 20, 600.0),
        ("90s", None, 90.0),
        ("10m", None, 600.0),
        ("2h", None, 7200.0),
        ("1.5h", None, 5400.0),
        ("0.5s", None, 0.5),
    ],
)
def test_checkpoints_are_by_steps_or_by_time(given, steps, seconds):
    assert Interval().convert(given, None, None) == (steps, seconds)
    saving = settings("--checkpoint-every", given)["saving"]
    assert (saving.every_steps, saving.every_seconds) == (steps, seconds)


@pytest.mark.parametrize(
    "given", ["0", "-1", "1.5", "abc", "0s", "0.0m", "-10m", "10 m", "10M", "10min", "1e3", "m", "", "nan", "inf", "1,000"]
)  # fmt: skip
@pytest.mark.parametrize("command", [TRAIN, FINETUNE], ids=lambda command: command[0])
def test_what_is_neither_steps_nor_a_time_is_refused(command, given, tmp_path, capsys):
    assert run([*command, str(tmp_path / "out"), f"--checkpoint-every={given}"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "Invalid value for '--checkpoint-every'" in shown
    assert f"{given!r} is neither a number of steps, such as 500, nor a time, such as 90s, 10m or 2h" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_number_below_zero_is_refused_also_behind_a_space(tmp_path, capsys):
    assert run([*TRAIN, str(tmp_path / "out"), "--checkpoint-every", "-1"]) == 2
    assert "--checkpoint-every" in capsys.readouterr().err


def test_intervals_may_come_from_a_file(tmp_path):
    (tmp_path / "engine.toml").write_text("[train]\ncheckpoint-every = 0\n")
    assert run(["--config", str(tmp_path / "engine.toml"), *TRAIN, str(tmp_path / "out")]) == 2
    for value in ("500", '"90s"'):
        (tmp_path / "engine.toml").write_text(f"[train]\ncheckpoint-every = {value}\n")
        assert run(["--config", str(tmp_path / "engine.toml"), *TRAIN, str(tmp_path / "out")]) == 1


def test_the_defaults_are_those_of_the_library():
    made = settings()
    from engine import SavingConfig, ValidationConfig

    assert made["saving"] == SavingConfig()
    assert made["validation"] == ValidationConfig()
    assert (made["loop"].epochs, made["loop"].batch_size, made["loop"].learning_rate) == (3, 16, 1e-3)
    assert (made["out"], made["evaluation"], made["lost_seconds"]) == ("out", (), 45.0)


def test_all_options_arrive_in_their_place():
    given = (
        "--epochs 7 --batch-size 5 --learning-rate 0.5 --seed 9 --tokens-per-batch 99 --eval a.csv --eval b.csv "
        "--validation c.csv --validation d.csv --validate-every 11 --best-by log_loss --patience 4 "
        "--checkpoint-every 13 --keep 6 --report-to tensorboard --lost-after 3.5 --out place"
    )
    made = settings(*given.split())
    loop, saving, validation = made["loop"], made["saving"], made["validation"]
    assert (loop.epochs, loop.batch_size, loop.learning_rate, loop.seed, loop.tokens_per_batch) == (7, 5, 0.5, 9, 99)
    assert (saving.every_steps, saving.keep, saving.report_to) == (13, 6, "tensorboard")
    assert validation.inputs == ("c.csv", "d.csv")
    assert (validation.every, validation.by, validation.patience) == (11, "log_loss", 4)
    assert (made["out"], made["evaluation"], made["lost_seconds"]) == ("place", ("a.csv", "b.csv"), 3.5)


@pytest.mark.parametrize("arguments", [["--patience", "2"], ["--validate-every", "50"]])
@pytest.mark.parametrize("command", [TRAIN, FINETUNE], ids=lambda command: command[0])
def test_patience_needs_something_to_wait_for(command, arguments, tmp_path, capsys):
    assert run([*command, str(tmp_path / "out"), *arguments]) == 2
    assert "--patience, --validate-every and --best-by need --validation INPUT" in " ".join(
        capsys.readouterr().err.split()
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--patience", "0"], "--patience"),
        (["--validate-every", "0"], "--validate-every"),
        (["--best-by", "loss"], "--best-by"),
        (["--keep", "0"], "--keep"),
        (["--report-to", "wandb"], "--report-to"),
        (["--lost-after", "0"], "--lost-after"),
        (["--epochs", "0"], "--epochs"),
        (["--batch-size", "0"], "--batch-size"),
        (["--seed", "-1"], "--seed"),
        (["--loss", "huber"], "--loss"),
        (["--gold-weight", "1.5"], "--gold-weight"),
        (["--labels", "bert,,roberta"], "--labels"),
    ],
)
def test_values_that_make_no_training_are_usage_errors(arguments, named, tmp_path, capsys):
    assert run([*TRAIN, str(tmp_path / "out"), "--validation", "gold.csv", *arguments]) == 2
    assert f"'{named}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "0"], "--temperature is 0; it must be more than 0"),
        (["--temperature", "nan"], "--temperature is nan; it must be more than 0"),
        (["--loss", "mse", "--temperature", "2"], "--temperature is 2, and --loss mse has none; use --loss kl"),
        (["--learning-rate", "0"], "must all be positive"),
        (["--learning-rate", "-1"], "must all be positive"),
        (["--learning-rate", "nan"], "must all be positive"),
    ],
)
def test_settings_that_do_not_go_together_are_errors_before_anything_is_made(arguments, message, tmp_path, capsys):
    assert run([*TRAIN, str(tmp_path / "out"), *arguments]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_is_named_and_nothing_is_made(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run([*TRAIN, "out", "--checkpoint-every", "5"]) == 1
    assert "nowhere.store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_usage_error_loads_no_torch(tmp_path):
    code = f"import sys\nfrom cli.main import run\nassert run({[*TRAIN, 'out', '--checkpoint-every', 'abc']!r}) == 2\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path).returncode == 0
