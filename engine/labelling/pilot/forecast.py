"""The forecast of a label run, as it is printed, noted with the run, and shown by ``engine info``."""

from dataclasses import dataclass
from typing import Any

from engine.labelling.pilot.accuracy import Accuracy
from engine.labelling.pilot.estimate import Crew, Pace, Work, interval
from engine.units import duration, size


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left of a label run, as a pilot lets expect. Of all intervals, 95 %.

    Attributes:
        store: its location.
        name: of the label set.
        rows: that are to be labelled, those of a pilot whose shards are kept not among them.
        shards: of these.
        pilot_rows: that were labelled for the forecast.
        pilot_shards: shards that these are, which are kept; 0 if they are rows drawn from all, whose labels are not.
        seconds: until they are labelled, wall time of the run: what its summary calls ``seconds_in_all``.
        seconds_low: the least that it may be.
        seconds_high: the most.
        seconds_preparing: of these, those before a text is labelled: of reading the inputs, of loading the model and of
            trying what is fastest, as far as that is not done.
        seconds_labelling: the others: what the summary of the run calls ``seconds``.
        devices: how many compute side by side; all cores of a CPU are one.
        device_seconds: seconds that these are kept for, added up.
        rows_per_second: of labelling alone.
        tokens: of the rows, as the model sees them.
        padding: computed tokens for each real one.
        disk_bytes: that labels, token ids and, if the store is not there yet, texts will take.
        disk_free: bytes that are free there; None if that is not known.
        gold_rows: rows of the pilot that have gold.
        accuracy: of the teacher on all rows with gold; None without them.
        accuracy_low: the least that it may be.
        accuracy_high: the most.
        device: kind.
        dtype: of the computation.
        max_length: tokens a row.
        part: with ``--worker``, which part this is the forecast of, as 0/4; None for the whole.
        whole_rows: rows of all parts.
        whole_device_seconds: device-seconds of all parts.
    """

    store: str
    name: str
    rows: int
    shards: int
    pilot_rows: int
    pilot_shards: int
    seconds: float
    seconds_low: float
    seconds_high: float
    seconds_preparing: float
    seconds_labelling: float
    devices: int
    device_seconds: float
    rows_per_second: float | None
    tokens: int
    padding: float
    disk_bytes: int
    disk_free: int | None
    gold_rows: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    device: str
    dtype: str
    max_length: int
    part: str | None
    whole_rows: int
    whole_device_seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a forecast says of the run itself.

    Attributes:
        store: location of the store.
        name: of the label set.
        device: kind.
        dtype: of the computation.
        max_length: tokens a row.
        devices: how many compute side by side.
        crew: its workers.
        part: as of `Forecast`.
        share: of the characters of all parts that are this one's.
        whole_rows: rows of all parts; None if this is the whole.
        keeps_tokens: whether token ids are stored, and are not there yet.
        free: bytes of the disk; None if that is not known.
        preparing: seconds of what comes before, and bytes of a corpus that is not there yet.
    """

    store: str
    name: str
    device: str
    dtype: str
    max_length: int
    devices: int
    crew: Crew
    part: str | None = None
    share: float = 1.0
    whole_rows: int | None = None
    keeps_tokens: bool = True
    free: int | None = None
    preparing: tuple[float, int] = (0.0, 0)


TOKEN_ROW_BYTES = 12.2
"""Of a row of token ids, beside its ids: its number, an offset and two bits; the files' frames add a little."""


def forecast_of(
    run: Run,
    work: Work,
    pace: Pace,
    *,
    rows: int,
    pilot: tuple[int, int],
    accuracy: Accuracy | None,
) -> Forecast:
    """The forecast of ``run``.

    Args:
        run: what it is.
        work: that is left.
        pace: of the pilot.
        rows: that are left.
        pilot: its rows and its shards.
        accuracy: of the teacher.
    """
    seconds = work.seconds + pace.start + run.preparing[0]
    low, high = interval(seconds, work.relative)
    bytes_ = rows * pace.label_bytes + run.preparing[1]
    if run.keeps_tokens:
        bytes_ += rows * TOKEN_ROW_BYTES + work.tokens * pace.token_bytes
    return Forecast(
        store=run.store,
        name=run.name,
        rows=rows,
        shards=len(work.shards),
        pilot_rows=pilot[0],
        pilot_shards=pilot[1],
        seconds=round(seconds, 3),
        seconds_low=round(low, 3),
        seconds_high=round(high, 3),
        seconds_preparing=round(pace.start + run.preparing[0], 3),
        seconds_labelling=round(work.seconds, 3),
        devices=run.devices,
        device_seconds=round(seconds * run.devices, 3),
        rows_per_second=float(f"{rows / work.seconds:.4g}") if work.seconds else None,
        tokens=round(work.tokens),
        padding=round(pace.padding, 4),
        disk_bytes=round(bytes_),
        disk_free=run.free,
        gold_rows=0 if accuracy is None else accuracy.rows,
        **_accuracy(accuracy),
        **{name: getattr(run, name) for name in ("device", "dtype", "max_length", "part")},
        whole_rows=rows if run.whole_rows is None else run.whole_rows,
        whole_device_seconds=round(seconds * run.devices / run.share, 3),
    )


def _accuracy(found: Accuracy | None) -> dict[str, Any]:
    values = (None, None, None) if found is None else (found.share, found.low, found.high)
    names = ("accuracy", "accuracy_low", "accuracy_high")
    return {name: value and round(value, 4) for name, value in zip(names, values, strict=True)}


def sentence(forecast: Forecast) -> str:
    """The forecast in one sentence, for a log."""
    shards = f"in {forecast.pilot_shards} shards that are kept"
    kept = shards if forecast.pilot_shards else "drawn from all and not kept"
    likely = f"{duration(forecast.seconds_low)} to {duration(forecast.seconds_high)}"
    devices = f", {duration(forecast.device_seconds)} of device time" if forecast.devices > 1 else ""
    words = (
        f"a pilot of {forecast.pilot_rows:,} rows, {kept}, forecasts {duration(forecast.seconds)} ({likely}){devices} "
        f"for the {forecast.rows:,} rows that are left, and {size(forecast.disk_bytes)} on disk"
    )
    if forecast.accuracy is None:
        return words
    return (
        f"{words}; the teacher is right on {forecast.accuracy:.1%} ({forecast.accuracy_low:.1%} to "
        f"{forecast.accuracy_high:.1%}) of rows with gold"
    )


def as_note(forecast: Forecast) -> dict[str, Any]:
    """The forecast for the notes of its run."""
    return {name: value for name, value in vars(forecast).items() if name not in ("store", "name")}
