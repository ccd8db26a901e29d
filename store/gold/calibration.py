"""Temperatures of a label set → side files beside its shards; and the latest one. Knows no SQL and fits nothing.

A card that is frozen never changes, so each calibration is a small file of its own, kept twice:
``labels/<label set>/calibration-N.json``, N from 1. The latest one holds.
"""

import dataclasses
import math
import re
import shlex
from dataclasses import dataclass
from typing import Any

from store.errors import DamageError, MismatchError, StoreExistsError, StoreMissingError
from store.format.decode import decode
from store.format.json_file import freeze, frozen
from store.format.names import GOLD, LABELS
from store.gold.fingerprint import fingerprint, rows_then
from store.snapshot import Snapshot
from store.storage import Storage

_NAME = re.compile(r"calibration-([1-9][0-9]*)(\.copy)?\.json")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """``labels/<label set>/calibration-N.json``.

    Attributes:
        label_set: whose logits are divided by the temperature.
        number: N.
        temperature: T: probabilities are the softmax of logits / T.
        standard_error: of T.
        rows: gold rows on which it was fitted.
        rounds: of gold; 0 is the corpus's own.
        left_out: gold rows that did not count, since the teacher was trained on their texts.
        sources: fingerprints of the label set and of ``gold`` at that time, by path.
        before: figures of these rows without the temperature.
        after: the same with temperatures fitted on other rows than those that they judge.
    """

    label_set: str
    number: int
    temperature: float
    standard_error: float
    rows: int
    rounds: list[int]
    left_out: int
    sources: dict[str, str]
    before: dict[str, float]
    after: dict[str, float]

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"number is {self.number}, and must be a whole number from 1")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}, and must be a finite number above 0")


def calibration_name(number: int) -> str:
    """File name of calibration ``number``, in the folder of its label set."""
    return f"calibration-{number}.json"


def numbers_begun(storage: Storage, path: str) -> list[int]:
    """Numbers of the calibrations of the label set at ``path`` that have a file or its copy; ascending."""
    matches = (_NAME.fullmatch(name) for name in storage.list(path))
    return sorted({int(match[1]) for match in matches if match})


def calibrations(snapshot: Snapshot, label_set: str) -> list[Calibration]:
    """All calibrations of a label set, the latest one last.

    Raises:
        DamageError: a file is damaged, and so is its copy.
    """
    path = snapshot.label_set(label_set).path
    names = (f"{path}/{calibration_name(number)}" for number in numbers_begun(snapshot.storage, path))
    values = (frozen(snapshot.storage, name) for name in names)
    return [parse_calibration(snapshot, label_set, value) for value in values if value is not None]


def usable_calibration(snapshot: Snapshot, label_set: str, number: int | None = None) -> Calibration:
    """A calibration whose label set is as it was. Rows that were appended since do not count.

    Args:
        snapshot: the store.
        label_set: whose.
        number: of the calibration; the latest one if None.

    Raises:
        StoreMissingError: there is none.
        MismatchError: the label set has changed since.
    """
    there = calibrations(snapshot, label_set)
    chosen = [one for one in there if number in (None, one.number)]
    if not chosen:
        which = "no calibration" if number is None else f"no calibration {number}"
        raise StoreMissingError(
            f"the label set {label_set!r} of {snapshot.location} has {which}; `{_command(snapshot, label_set)}` makes "
            "one from gold"
        )
    path = f"{LABELS}/{label_set}"
    was = chosen[-1].sources.get(path)
    if rows_then(snapshot, path, was) is None:
        now = fingerprint(snapshot, path)
        raise MismatchError(
            f"{snapshot.location}/{path} has changed since calibration {chosen[-1].number} was made: its fingerprint "
            f"was {str(was)[:16]} and is {now[:16]}; `{_command(snapshot, label_set)}` makes a new one"
        )
    return chosen[-1]


def _command(snapshot: Snapshot, label_set: str) -> str:
    return shlex.join(["engine", "audit", snapshot.location, "--calibrate", "--labels", label_set])


def rows_calibrated(snapshot: Snapshot, calibration: Calibration) -> int | None:
    """How many rows the store had when ``calibration`` was made; None if its label set has changed since."""
    path = f"{LABELS}/{calibration.label_set}"
    return rows_then(snapshot, path, calibration.sources.get(path))


def add_calibration(snapshot: Snapshot, calibration: Calibration) -> Calibration:
    """Write ``calibration`` under the next number, and return it. An equal one is not written again.

    Raises:
        StoreExistsError: another writer took the number.
        StoreMissingError: the label set has been removed.
    """
    there = calibrations(snapshot, calibration.label_set)
    if there and dataclasses.replace(there[-1], number=calibration.number) == calibration:
        return there[-1]
    made = dataclasses.replace(calibration, number=max([0, *(one.number for one in there)]) + 1)
    labels = snapshot.label_set(made.label_set)
    name = f"{labels.path}/{calibration_name(made.number)}"
    with labels.kept():
        held = parse_calibration(snapshot, made.label_set, freeze(snapshot.storage, name, dataclasses.asdict(made)))
    if held != made:
        raise StoreExistsError(f"{snapshot.location}/{name} was just written by another run; run the command again")
    return held


def sources_now(snapshot: Snapshot, label_set: str) -> dict[str, str]:
    """Fingerprints of the families from which a calibration is made."""
    return {path: fingerprint(snapshot, path) for path in (f"{LABELS}/{label_set}", GOLD)}


def parse_calibration(snapshot: Snapshot, label_set: str, value: dict[str, Any]) -> Calibration:
    """The calibration of ``label_set`` that ``value`` is.

    Raises:
        DamageError: it is none, or that of another label set.
    """
    place = f"{snapshot.location}/{LABELS}/{label_set}"
    calibration = decode(Calibration, value, place=f"a calibration in {place}")
    if calibration.label_set != label_set:
        raise DamageError(f"a calibration in {place} is that of {calibration.label_set!r}")
    return calibration


def calibration_of(name: str) -> str | None:
    """The name of the calibration that a file or its copy holds, as the first is called; None if it is neither."""
    match = _NAME.fullmatch(name)
    return calibration_name(int(match[1])) if match else None
