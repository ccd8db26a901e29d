import json
import subprocess
import sys

import pytest
import tiny_models

TEXTS = ["good food", "the room was bad", "good"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.save(tmp_path_factory.mktemp("model") / "model")


def piped(model, data, *arguments):
    command = [sys.executable, "-m", "cli", "predict", model, "-", *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=120)


def test_stdin_to_stdout_whatever_is_in_it(model):
    first = piped(model, "\n".join(TEXTS).encode())
    assert first.returncode == 0, first.stderr
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    assert [row["id"] for row in rows] == ["stdin:1", "stdin:2", "stdin:3"]
    assert {row["class"] for row in rows} <= {"negative", "positive"}
    assert b"3 rows" in first.stderr
    lines = "\n".join(json.dumps({"id": number, "text": text}) for number, text in enumerate(TEXTS))
    second = piped(model, lines.encode(), "--format", "csv")
    assert second.stdout.splitlines()[0] == b"id,class,confidence,reason"
    assert [line.split(b",")[1].decode() for line in second.stdout.splitlines()[1:]] == [row["class"] for row in rows]
    table = "text\tid\n" + "".join(f"{text}\t{number}\n" for number, text in enumerate(TEXTS))
    third = piped(model, table.encode(), "--input-format", "tsv")
    assert [json.loads(line)["class"] for line in third.stdout.splitlines()] == [row["class"] for row in rows]
    quoted = 'id,text\n7,"good food,\nthe room was bad"\n'
    fourth = piped(model, quoted.encode())
    assert [json.loads(line)["id"] for line in fourth.stdout.splitlines()] == ["7"]
    assert b"stdin: read as csv; --input-format txt" in fourth.stderr
    assert b"engine-stdin" not in first.stderr + fourth.stderr


def test_what_cannot_be_read_from_stdin_is_called_stdin(model):
    done = piped(model, b'{"body_of_it": 1}\n')
    assert done.returncode == 1
    assert b"stdin" in done.stderr
    assert b"engine-stdin" not in done.stderr
    assert b"--input-format" in done.stderr
    assert done.stdout == b""


def test_a_minus_is_stdout_in_any_format(model, tmp_path, run_engine):
    (tmp_path / "rows.csv").write_text("id,text\n1,good\n")
    done = run_engine("predict", model, "rows.csv", "--out", "-", "--format", "csv", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "id,class,confidence,reason"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_exit_codes_and_the_summary(model, tmp_path, run_engine):
    (tmp_path / "rows.csv").write_text("id,text\n1,good\n2,\n")
    done = run_engine("predict", model, "rows.csv", "--out", "out.csv", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["out"], summary["rows"], summary["rejected"]) == ("out.csv", 2, 1)
    assert "rows.csv row 2" in done.stderr
    assert run_engine("predict", model, "rows.csv", "--out", "out.csv", "--threshold", "0.5").returncode == 2
    assert run_engine("predict", model, "rows.csv", "-", cwd=tmp_path).returncode == 1
    assert run_engine("predict", model, "rows.csv", "--out", "out.doc", cwd=tmp_path).returncode == 1


def test_a_reader_that_wants_no_more_ends_it_in_peace(model, tmp_path):
    (tmp_path / "rows.txt").write_text("good food\n" * 5000)
    command = f'"{sys.executable}" -m cli predict "{model}" rows.txt | head -2'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, timeout=120)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


def test_texts_that_were_cut_are_told_with_the_way_to_have_more_of_them_seen(model, tmp_path, run_engine):
    (tmp_path / "rows.csv").write_text("id,text\n" + "".join(f"{row},{'good ' * 30}\n" for row in range(9)))
    done = run_engine("predict", model, "rows.csv", "--out", "out.csv", "--max-length", "8", cwd=tmp_path)
    assert json.loads(done.stdout)["truncated"] == 9
    assert "9 of 9 texts (100%) have more than 8 tokens: the model saw a part of them." in done.stderr
    assert "give a larger --max-length, up to" in done.stderr


def test_that_an_earlier_file_is_replaced_is_said(model, tmp_path, run_engine):
    (tmp_path / "rows.csv").write_text("id,text\n1,good\n")
    first, second = (run_engine("predict", model, "rows.csv", "--out", "out.csv", cwd=tmp_path) for _ in range(2))
    said = "out.csv is there already, and is replaced when all rows are answered"
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert (said in first.stderr, said in second.stderr) == (False, True)


def test_a_column_that_may_be_the_id_is_named(model, tmp_path, run_engine):
    (tmp_path / "rows.csv").write_text("ticket_id,text\n17,good\n18,bad\n")
    assert "--id ticket_id reads the ids from there" in run_engine("predict", model, "rows.csv", cwd=tmp_path).stderr
    done = run_engine("predict", model, "rows.csv", "--id", "ticket_id", cwd=tmp_path)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["17", "18"]
    assert "--id" not in done.stderr
