"""The calibrations of a label set → everything that is wrong with them."""

from collections.abc import Iterator
from functools import partial

from store.errors import DamageError
from store.format.findings import Finding
from store.format.json_file import Value
from store.gold.calibration import calibration_name, numbers_begun, parse_calibration
from store.snapshot import Snapshot
from store.verify.copies import check_twice


def check_calibrations(snapshot: Snapshot, path: str) -> Iterator[Finding]:
    """Everything that is wrong with the calibrations of the label set at ``path``: files and copies."""
    label_set = path.rsplit("/", 1)[-1]
    for number in numbers_begun(snapshot.storage, path):
        is_right = partial(_is_right, snapshot, label_set, number)
        yield from check_twice(snapshot.storage, calibration_name(number), path, is_right)


def _is_right(snapshot: Snapshot, label_set: str, number: int, value: Value) -> bool:
    try:
        return parse_calibration(snapshot, label_set, value).number == number
    except DamageError:
        return False
