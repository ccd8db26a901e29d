"""An option that would have no effect is refused, with what would give it one."""

import pytest

from cli.main import USAGE, run

READ = "how input files are read, and none is: leave {} out, or name a file with {}"
FINETUNE = ["finetune", "--from-store", "s", "--model", "m", "--out", "o"]
TRAIN = ["train", "s", "--student", "m", "--out", "o"]
EXPORT = ["export", "m", "--to", "onnx", "--out", "o"]
JUDGED = "--eval or --validation"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--text", "body"], "--text says"),
        (["--id", "none"], "--id says"),
        (["--label", "queue"], "--label says"),
        (["--label-map", "1=a"], "--label-map says"),
        (["--delimiter", ";"], "--delimiter says"),
        (["--whole-files"], "--whole-files says"),
        (["--encoding", "cp1252", "--text", "body"], "--encoding, --text say"),
    ],
)
@pytest.mark.parametrize(
    ("command", "way"), [(FINETUNE, JUDGED), (TRAIN, JUDGED), (EXPORT, "--check")], ids=["finetune", "train", "export"]
)
def test_how_files_are_read_needs_files(capsys, command, way, flags, named):
    assert run([*command, *flags]) == USAGE
    message = " ".join(capsys.readouterr().err.split())
    assert f"{named} {READ.format('it' if 'says' in named else 'them', way)}" in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*FINETUNE, "--mlm", "t.txt", "--text", "body"], "--text says how input files are read"),
        (["finetune", "g.csv", "--model", "m", "--out", "o", "--mlm-text", "body"], "--mlm-text needs --mlm INPUT"),
        (["finetune", "g.csv", "--model", "m", "--out", "o", "--mlm-epochs", "2"], "--mlm-epochs needs --mlm INPUT"),
        ([*FINETUNE, "--no-label"], "--no-label says how input files are read"),
        ([*FINETUNE, "--on-bad-row", "fail"], "--on-bad-row says how input files are read"),
        ([*EXPORT, "--limit", "9"], "--limit is of the rows of --check"),
        (["audit", "s", "--on-bad-row", "fail"], "--on-bad-row says how files are read, and needs --gold"),
        (["sql", "s", "SELECT 1", "--out", "a.csv", "--format", "json"], "--format is of rows that are printed"),
    ],
)
def test_other_options_without_effect(capsys, arguments, says):
    assert run(arguments) == USAGE
    assert says in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("judged", ["--eval", "--validation"])
@pytest.mark.parametrize("command", [FINETUNE, TRAIN], ids=["finetune", "train"])
def test_with_a_file_they_are_taken(capsys, monkeypatch, tmp_path, command, judged):
    monkeypatch.chdir(tmp_path)
    assert run([*command, "--text", "body", judged, "gone.csv"]) == 1
    assert "how input files are read" not in capsys.readouterr().err
