"""A store and folders of trainings → one HTML page, written whole or not at all."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from engine.evaluation.gold_note import gold_note
from engine.notebook import html_pairs
from engine.outputs.file import OutputFile, output_file
from engine.progress import Tick, silent
from engine.report.answers import Answers, ask
from engine.report.figures.charts import unchecked
from engine.report.figures.figure import Section
from engine.report.figures.gold import gold_figures
from engine.report.figures.label_sets import set_figures
from engine.report.figures.labels import label_figures
from engine.report.figures.shards import shard_figures
from engine.report.figures.training import run_figures
from engine.report.names import visible
from engine.report.page import Page, write_page
from engine.report.runs import TrainingRun, read_runs
from engine.report.tables import make_tables
from engine.report.tiles import make_tiles
from store.sql.process import Limits
from store.store import Store, open_store

_MOST_CHOICES = 100  # as many classes have rows of their own in the answers


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What to show, and where.

    Attributes:
        store: its path.
        out: the file, or its URL; an earlier one is replaced.
        labels: the label set, if there are several.
        rounds: of gold that count, 0 being the corpus's own; all where None.
        runs: folders of trainings.
        limits: what the questions may use.
    """

    store: str
    out: str
    labels: str | None = None
    rounds: tuple[int, ...] | None = None
    runs: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(timeout=300))


@dataclass(frozen=True, kw_only=True)
class Report:
    """The page that was written.

    Attributes:
        out: the file.
        bytes: of it.
        labels: the label set; None if the store has none yet.
        figures: names of the questions that have a plot.
        tables: names of those that have a table of rows.
        runs: trainings that are compared.
        seconds: that it took.
        lacking: questions that the store cannot answer, and why.
        note: why estimates from gold are not those of all rows; None if nothing is known to be wrong with them.
    """

    out: str
    bytes: int
    labels: str | None
    figures: list[str]
    tables: list[str]
    runs: int
    seconds: float
    lacking: dict[str, str]
    note: str | None

    def _repr_html_(self) -> str:
        return html_pairs(f"Report {self.out}", {**vars(self), "out": None})


def make_report(config: ReportConfig, *, tick: Tick = silent) -> Report:
    """Ask the store, read the trainings, write the page.

    Raises:
        engine.errors.InputError: nothing can be written at the place.
        engine.errors.TrainingError: a folder is none of a training, or is damaged.
        store.errors.StoreError: the store has no such label set, is damaged, or a question failed.
    """
    started, out = time.perf_counter(), output_file(config.out)
    out.check()
    runs = read_runs(config.runs)
    snapshot = open_store(config.store).memoised()
    tick("asking the store", 0, None)
    answers = ask(snapshot, labels=config.labels, rounds=config.rounds, limits=config.limits)
    note = None if answers.labels is None else gold_note(snapshot, answers.labels, config.rounds)
    tick("drawing the page", 0, None)
    with unchecked():
        page = _page(snapshot, answers, runs, rounds=config.rounds, note=note)
    written = _write(out, write_page(page))
    return Report(
        out=str(out),
        bytes=written,
        labels=answers.labels,
        figures=[figure.name for section in page.sections for figure in section.figures],
        tables=[table.name for table in page.tables],
        runs=len(runs),
        seconds=round(time.perf_counter() - started, 1),
        lacking=page.lacking,
        note=note,
    )


def _page(
    snapshot: Store, answers: Answers, runs: list[TrainingRun], *, rounds: tuple[int, ...] | None, note: str | None
) -> Page:
    name = Path(snapshot.location).name
    most = sorted(answers["classes"], key=lambda row: -row["rows"])[:_MOST_CHOICES]
    choices = sorted(row["prediction"] for row in most) or list(range(len(answers.classes)))[:_MOST_CHOICES]
    whose = f"The labels of {answers.labels}" if answers.labels else "No labels yet"
    whose += "" if rounds is None else f", gold of round {', '.join(map(str, rounds))} alone"
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return Page(
        title=visible(name),
        subtitle=f"{whose}, {when}",
        tiles=make_tiles(snapshot, answers),
        sections=_sections(answers, runs),
        runs=runs,
        tables=make_tables(answers),
        lacking=answers.lacking,
        classes=answers.names,
        choices=choices,
        note=note,
        footer=f"Made by engine {version('softlabel-engine')} from {visible(snapshot.location)}. Figures are those of "
        "`engine audit`; this file is complete and asks no server.",
    )


def _sections(answers: Answers, runs: list[TrainingRun]) -> list[Section]:
    """Those that have figures, or runs."""
    sections = [
        Section(name="gold", title="Against gold", figures=gold_figures(answers)),
        Section(name="labels", title="The labels", figures=label_figures(answers)),
        Section(name="shards", title="From shard to shard", figures=shard_figures(answers)),
        Section(name="sets", title="Between label sets", figures=set_figures(answers)),
        Section(name="training", title="Training", figures=run_figures(runs)),
    ]
    return [section for section in sections if section.figures or (runs and section.name == "training")]


def _write(out: OutputFile, html: str) -> int:
    """Write ``html`` into ``out``, whole or not at all; its bytes."""
    with out.made() as path:
        return path.write_bytes(html.encode())
