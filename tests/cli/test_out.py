"""--out: where a result goes must have a name, and what is there is not replaced without a word."""

from pathlib import Path

import pytest

from cli.main import run


@pytest.mark.parametrize(
    "arguments",
    [
        ["sql", "S", "SELECT 1", "--out", "-"],
        ["report", "S", "--out", "-"],
        ["select", "S", "--show", "a", "--out", "-"],
        ["export", "S", "--to", "parquet", "--out", "-"],
        ["train", "S", "--student", "m", "--out", "-"],
        ["finetune", "in.csv", "--model", "m", "--out", "-"],
        ["compare", "--labelled", "a.csv", "--teacher", "m", "--student", "m", "--out", "-"],
        ["demo", "--out", "-"],
    ],
)
def test_a_minus_is_no_file_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    assert "stdout" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
