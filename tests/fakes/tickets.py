"""Support tickets in a CSV file, with columns that no command knows by their names alone."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest
from tiny_models import WORDS

from cli.main import run

CLASSES = ("billing", "shipping", "praise")
BOTH = "the text is 'subject' and 'body', one below the other"


def tickets(path: Path, numbers: range, **more: Any) -> str:
    """Tickets with a subject, a body and a queue; the names of further columns, with the value in all rows."""
    chosen = random.Random(numbers.start)
    rows = [
        {
            "ticket_id": f"T{number}",
            "subject": " ".join(chosen.choices(WORDS, k=2)),
            "body": " ".join(chosen.choices(WORDS, k=6)),
            "queue": CLASSES[number % len(CLASSES)],
            **more,
        }
        for number in numbers
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def ran(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str]:
    """A command: its exit code, and what is on stderr."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    return code, capsys.readouterr().err
