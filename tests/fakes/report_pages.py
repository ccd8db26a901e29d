"""Reports for tests: a store on disk and folders of trainings, made without a model, and what is in a page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from store_factory import NoWaitStorage, add_corpus, add_labels, write_header

from engine.report.report import Report, ReportConfig, make_report
from store import Store


def build(
    place: Path, *, labels: tuple[str, ...] = ("bert",), corpus: dict[str, Any] | None = None, **header: Any
) -> Store:
    """A store at ``place``; ``corpus`` and ``header`` as in `store_factory`."""
    made = write_header(NoWaitStorage(place), **{"rows": 60, **header})
    add_corpus(made, **(corpus or {}))
    for seed, name in enumerate(labels):
        add_labels(made, name, seed=seed)
    return made


def report_of(place: Path, **config: Any) -> tuple[Report, str]:
    """The report of the store at ``place``, and its HTML."""
    out = place.with_suffix(".html")
    report = make_report(ReportConfig(store=str(place), out=str(out), **config))
    return report, out.read_text("utf-8")


def data_of(html: str) -> dict[str, Any]:
    """What the page knows."""
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    data: dict[str, Any] = json.loads(block)
    data["figures"] = {figure["name"]: figure for figure in data["figures"]}
    data["tables"] = {table["name"]: table for table in data["tables"]}
    return data


class Elements(HTMLParser):
    """Tags with their attributes, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def write_run(folder: Path, *, accuracy: float | None = 0.9, done: bool = True, steps: int = 30) -> str:
    """A folder of a training that took ``steps`` steps."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    lines = [{"step": step, "epoch": 1 + step // 10, "loss": 1 / step, "rows": 8} for step in range(1, steps + 1)]
    lines += [{"step": steps, "epoch": 3, "validation_accuracy": 0.875, "validation_log_loss": 0.25}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    judged = {"parameters": 2_500_000, "accuracy": accuracy, "macro_f1": 0.8, "rows_per_second": 1234.5}
    training = {
        "start": f"/models/start-{folder.name}",
        "procedure": "fine-tuned on gold labels",
        "rows": 240,
        "seconds": 12.5,
        "steps": steps,
        "evaluation": None if accuracy is None else judged,
    }
    if done:
        (folder / "training.json").write_text(json.dumps(training))
    return str(folder)
