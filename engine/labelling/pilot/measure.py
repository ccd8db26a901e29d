"""What labelling a pilot took → its pace: of parts whose labels are not kept, or of shards that are."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.labelling.pilot.estimate import Pace, RowCost
from engine.labelling.pilot.mix.mix import Numbers
from engine.labelling.pilot.sample_job import PartReport
from engine.labelling.summary import ShardReport


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What one part of a pilot took.

    Attributes:
        cost: of its rows, in the unit of `engine.labelling.pilot.estimate.RowCost`.
        compute_seconds: of computing.
        prepare_seconds: of reading and tokenising.
        write_seconds: of writing.
        characters: of its texts.
        rows: how many.
    """

    cost: float
    compute_seconds: float
    prepare_seconds: float
    write_seconds: float
    characters: int
    rows: int


def pace_of_parts(reports: Sequence[PartReport], characters: Sequence[Numbers], cost: RowCost, *, start: float) -> Pace:
    """The pace of a sample.

    Args:
        reports: of its parts.
        characters: (rows,) of each part, by its number.
        cost: of a row.
        start: seconds until the first worker had loaded the model.
    """
    timed = [
        Timed(
            cost=float(cost(report.tokens.astype(np.int64)).sum()),
            compute_seconds=report.compute_seconds,
            prepare_seconds=report.prepare_seconds,
            write_seconds=report.write_seconds,
            characters=int(characters[report.part].sum()),
            rows=len(report.tokens),
        )
        for report in reports
    ]
    rows = sum(one.rows for one in timed)
    return pace_of(
        timed,
        check=_ratio(sum(report.check_seconds for report in reports), sum(report.checked for report in reports)),
        start=start + max(report.warm_seconds for report in reports),
        padding=_ratio(sum(report.padded_tokens for report in reports), sum(int(r.tokens.sum()) for r in reports)),
        label_bytes=sum(report.label_bytes for report in reports) / rows,
        token_bytes=reports[0].token_bytes,
    )


def pace_of_shards(
    reports: Sequence[ShardReport],
    costs: Sequence[float],
    characters: Sequence[int],
    *,
    label_bytes: float,
    id_bytes: int,
) -> Pace:
    """The pace of whole shards.

    What else than computing takes its time in a shard is its check. The first one of a worker takes longer, since it
    loads the model once more: the median is of the others.

    Args:
        reports: of the shards.
        costs: of their rows, of each.
        characters: of their texts, of each.
        label_bytes: of a row in the label set.
        id_bytes: of a token id.
    """
    timed = [
        Timed(
            cost=cost,
            compute_seconds=report.busy_seconds or report.stages["compute"],
            prepare_seconds=report.stages["tokenise"],
            write_seconds=report.stages["write"],
            characters=letters,
            rows=report.rows,
        )
        for report, cost, letters in zip(reports, costs, characters, strict=True)
    ]
    checks = [
        max(0.0, report.stages["compute"] - report.busy_seconds) / report.check.rows
        for report in reports
        if report.check is not None and report.busy_seconds
    ]
    padding = _ratio(sum(report.padded_tokens for report in reports), sum(report.tokens for report in reports))
    return pace_of(
        timed, check=statistics.median(checks or [0.0]), padding=padding, label_bytes=label_bytes, token_bytes=id_bytes
    )


def pace_of(
    timed: Sequence[Timed],
    *,
    check: float = 0.0,
    start: float = 0.0,
    padding: float = 1.0,
    label_bytes: float = 0.0,
    token_bytes: float = 0.0,
) -> Pace:
    """The pace of all parts together, at least one; the rest as `Pace` has it."""
    paces = [one.compute_seconds / one.cost for one in timed if one.cost > 0 and one.compute_seconds > 0]
    logs = np.log(paces)
    return Pace(
        compute=_ratio(sum(one.compute_seconds for one in timed), sum(one.cost for one in timed)),
        prepare=_usual([one.prepare_seconds for one in timed], [one.characters for one in timed]),
        write=_usual([one.write_seconds for one in timed], [one.rows for one in timed]),
        check=check,
        spread=float(logs.std(ddof=1)) if len(paces) > 1 else 0.0,
        parts=len(timed),
        start=start,
        padding=max(1.0, padding),
        label_bytes=label_bytes,
        token_bytes=token_bytes,
    )


def _usual(seconds: Sequence[float], counts: Sequence[float]) -> float:
    """The median part's seconds for one: a worker's first part takes longer, since it tries tokenizers."""
    return statistics.median([_ratio(*pair) for pair in zip(seconds, counts, strict=True)])


def _ratio(amount: float, count: float) -> float:
    return amount / count if count else 0.0
