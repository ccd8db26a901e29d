import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
import transformers

from cli.main import COMMANDS, cli, run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
CLUSTERS = (ROOT / "engine" / "CLUSTERS.md").read_text()
ON_CLUSTERS = re.findall(r"(?<!`)engine label [^|`\n]*", CLUSTERS)
SHELL = [line for language, block in BLOCKS if not language for line in block.splitlines()]


def test_the_readme_starts_with_the_two_commands():
    assert SHELL[:2] == ["pip install -e . && engine demo", "pip install -e '.[dev]' && pytest"]


def test_ci_runs_exactly_the_second_command():
    lines = [line.replace(" --quiet", "") for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert SHELL[1] in lines


def test_every_command_is_in_the_readme_and_no_other():
    assert re.findall(r"^\| `engine (\w+)`", README, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("line", [*(line for line in SHELL if line.startswith("engine ")), *ON_CLUSTERS])
def test_the_readmes_command_lines_have_options_that_exist(line, monkeypatch):
    import click

    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    monkeypatch.setenv("JOB_COMPLETIONS", "8")

    _, name, *arguments = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    context = command.make_context(name, arguments)
    assert context.params


def test_the_readmes_query_runs(demo, capsys):
    (line,) = [line for line in SHELL if line.startswith("engine sql")]
    arguments = shlex.split(line.replace("reviews.store", demo.path("reviews.store")))[1:]
    assert run(arguments) == 0
    assert '"class": "positive"' in capsys.readouterr().out


def test_the_readmes_python_runs(demo, monkeypatch):
    monkeypatch.chdir(demo.folder)
    service, code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(service, names)
    assert len(names["answers"].classes) == 2
    exec(code, names)
    assert names["unsure"].num_rows <= 20
    assert names["logits"].shape[1] == 2


def test_the_tables_of_the_readme_and_of_the_paper_are_those_of_the_results():
    from benchmarks.tables import PAGES, fill

    for path, tables in PAGES:
        page = path.read_text()
        assert fill(page, tables) == page


QUEUES = {"billing": "good", "login": "bad", "delivery": "slow", "returns": "food", "other": "room"}
"""Each with a word that its tickets have."""


def test_the_way_from_a_csv_to_answers_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    truth = {name: tickets(name, count, random) for name, count in SIZES.items()}
    config = transformers.BertConfig(
        vocab_size=len(tiny_models.VOCABULARY),
        max_position_embeddings=64,
        initializer_range=0.1,
        hidden_size=32,
        intermediate_size=64,
        num_attention_heads=2,
        num_hidden_layers=6,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained("start")
    tiny_models.tokenizer().save_pretrained("start")
    section = README.split("## From your own CSV to answers")[1].split("\n## ")[0]
    lines = re.findall(r"^engine .*$", section, re.MULTILINE)
    assert len(lines) == 7
    for line in lines:
        if "--gold annotated.csv" in line:
            annotate(truth["tickets"])
        arguments = shlex.split(line.replace("sentence-transformers/all-MiniLM-L6-v2", "start"))[1:]
        more = (
            "--epochs 8 --learning-rate 0.002 --batch-size 16".split() if arguments[0] in ("finetune", "train") else []
        )
        assert run([*arguments, *more]) == 0, (line, capsys.readouterr().err)
    with Path("answers.csv").open(newline="") as file:
        answers = {row["id"]: row["class"] for row in csv.DictReader(file)}
    assert answers.keys() == truth["new"].keys()
    assert np.mean([answers[ticket] == queue for ticket, queue in truth["new"].items()]) > 0.9


SIZES = {"labelled": 200, "test": 60, "tickets": 600, "new": 40}


def tickets(name, count, random):
    """Write a file of tickets, with their queues if it is one of labels; their queues by number."""
    queues = random.choice(list(QUEUES), count)
    with Path(f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        is_labelled = name in ("labelled", "test")
        writer.writerow(["ticket", "message", *(["queue"] if is_labelled else [])])
        for number, queue in enumerate(queues):
            words = [*random.choice(["the", "was", "very", "staff", "pool", "and"], 5), QUEUES[queue]]
            random.shuffle(words)
            writer.writerow([f"{name}-{number}", " ".join(words), *([queue] if is_labelled else [])])
    return {f"{name}-{number}": str(queue) for number, queue in enumerate(queues)}


def annotate(truth):
    """What a person does with ``doubtful.csv``."""
    with Path("doubtful.csv").open(newline="") as file, Path("annotated.csv").open("w", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, [*reader.fieldnames, "label"])
        writer.writeheader()
        writer.writerows({**row, "label": truth[row["id"]]} for row in reader)
