"""Answers → the figures at the top of the page, each with a line of explanation."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from engine.report.answers import Answers
from engine.report.figures.figure import percent
from engine.report.names import short
from store.families.label_card import LabelCard, label_card
from store.format.label_command import new_labels
from store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure.

    Attributes:
        name: of the figure.
        value: as it is shown.
        note: the rows that it is computed from.
    """

    name: str
    value: str
    note: str


def make_tiles(snapshot: Snapshot, answers: Answers) -> list[Tile]:
    """Of the corpus, of the label set, and against gold, as far as they are there."""
    return [*_corpus(snapshot, answers), *_labels(snapshot, answers), *_gold(answers), *_sets(answers)]


def _corpus(snapshot: Snapshot, answers: Answers) -> list[Tile]:
    header, layout, counted = snapshot.header, snapshot.layout, answers.one("rows")
    there = counted["rows"]
    whole = "in the store" if there == layout.rows else f"of {layout.rows:,}; the corpus is not complete"
    refused = header.rejected
    note = f"{whole}, in {_count(layout.shards, 'shard')}" + (
        f"; {_count(refused, 'input row')} refused" if refused else ""
    )
    names = ", ".join(map(short, header.classes[:4])) + (", …" if len(header.classes) > 4 else "")
    return [
        Tile(name="Rows", value=f"{there:,}", note=note),
        Tile(name="Classes", value=f"{len(header.classes):,}", note=names),
        Tile(
            name="Copies",
            value=f"{counted['copies']:,}",
            note=f"{percent(counted['copies'] / max(1, there))}: texts of an earlier row, but for case and space",
        ),
    ]


def _labels(snapshot: Snapshot, answers: Answers) -> list[Tile]:
    if answers.labels is None:
        way = shlex.join(new_labels(snapshot.location))
        return [Tile(name="Labelled", value="0", note=f"no label set yet; `{way}` makes one")]
    labelled = answers.one("labelled")
    card = label_card(snapshot.label_set(answers.labels)) or LabelCard()
    tiles = [
        Tile(
            name="Label set",
            value=short(answers.labels),
            note=f"by {_model(card)}",
        )
    ]
    if not labelled:
        return [*tiles, Tile(name="Labelled", value="0", note="nothing is committed yet")]
    rows = snapshot.layout.rows
    missing = rows - labelled["rows"]
    note = f"{percent(labelled['labelled'] / max(1, rows))} of the rows" + (
        f"; {missing:,} are to come" if missing else ""
    )
    tiles += [
        Tile(name="Labelled", value=f"{labelled['labelled']:,}", note=note),
        Tile(name="Failed", value=f"{labelled['failed']:,}", note="rows whose label is null, with a reason"),
    ]
    if labelled["labelled"]:
        note = f"{percent(labelled['unsure'])} of the labels are below 60 %"
        tiles.append(Tile(name="Mean confidence", value=percent(labelled["mean_confidence"]), note=note))
    if labelled["labelled"] and card.answers is None:
        note = "texts longer than the model's maximum length"
        tiles.append(Tile(name="Truncated", value=percent(labelled["truncated"] / labelled["rows"]), note=note))
    return tiles


def _gold(answers: Answers) -> list[Tile]:
    right, scores = answers.one("accuracy"), answers.one("calibration")
    if not right or not scores:
        return []
    note = f"95 % interval {percent(right['low'])} – {percent(right['high'])}; {_count(right['rows'], 'gold row')}"
    return [
        Tile(name="Accuracy", value=percent(right["accuracy"]), note=note),
        Tile(
            name="Calibration error",
            value=percent(scores["expected_calibration_error"]),
            note=f"expected, 15 bins; log-loss {scores['log_loss']:.3f}, Brier score {scores['brier_score']:.3f}"
            + _calibrated(answers),
        ),
    ]


def _calibrated(answers: Answers) -> str:
    after = next((row for row in answers["calibrated"] if row["calibrated"]), None)
    if after is None:
        return ""
    error = percent(after["expected_calibration_error"])
    return f"; {error} at the temperature that was fitted to gold, {after['temperature']:.2f}"


def _sets(answers: Answers) -> list[Tile]:
    pairs = answers["agreement"]
    if not pairs:
        return []
    least = min(pairs, key=lambda row: row["share"])
    note = f"{short(least['label_set'])} and {short(least['other'])}" + (
        ", the least of all pairs" if len(pairs) > 1 else ""
    )
    return [Tile(name="Agreement", value=percent(least["share"]), note=note)]


def _model(card: LabelCard) -> str:
    """The hub id, or the last part of a path; of answers, the files that they are from."""
    if card.answers is not None:
        files = [Path(file["path"]).name for file in card.answers.files]
        more = f" and {_count(len(files) - 1, 'more file')}" if len(files) > 1 else ""
        return f"the answers in {short(files[0])}{more}"
    name = card.model or "an unknown model"
    return short(Path(name).name if Path(name).is_absolute() else name)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
