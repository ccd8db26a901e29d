"""A store and the user's choice → the targets of a distillation, which stay the same until its end.

Rounds of gold, calibrations and rows may be added to a store while a run is interrupted: a resumed run takes those with
which it was begun, and `TargetsSpec.identity` shows any other change.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingError
from engine.training.data.exported_tars import is_export
from engine.training.data.row_weights import frozen_weights, look_at_weight, weights_sha256
from engine.training.data.store_steps import SoftLabels
from engine.training.output.run_folder import RunFolder
from store import Store
from store.format.names import LABELS
from store.gold.calibration import Calibration, rows_calibrated, usable_calibration
from store.gold.fingerprint import appended_since, fingerprint, rows_then
from store.gold.held import OWN, chosen_rounds, has_gold, rounds_sha256, way_to_gold
from store.selections.selection import read_selection

if TYPE_CHECKING:
    from engine.training.distributed import Ranks

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TargetsChoice:
    """The user's choice of targets.

    Attributes:
        labels: names of complete label sets.
        select: name of a selection; all rows if None.
        weight: SQL expression over ``reviews``, the weight of a row; equal weights if None.
        gold_weight: share of the gold label in the loss of a row.
        rounds: of gold, 0 being the corpus's own; all if None.
        calibrated: whether logits are divided by the temperature of their label set.
    """

    labels: tuple[str, ...]
    select: str | None
    weight: str | None
    gold_weight: float
    rounds: tuple[int, ...] | None
    calibrated: bool


@dataclass(frozen=True, kw_only=True)
class TargetsSpec:
    """The targets of one distillation.

    Attributes:
        soft: label sets, selection, weights, rounds and temperatures.
        weight: the expression that gave the weights, or None.
        calibrations: that gave the temperatures, by label set; None if the logits are used as they are.
    """

    soft: SoftLabels
    weight: str | None
    calibrations: dict[str, Calibration] | None

    def identity(self, store: Store) -> dict[str, Any]:
        """Names and hashes that are equal if, and only if, the targets are; as JSON values, for ``run.json``."""
        soft = self.soft
        calibrated = None
        if self.calibrations is not None:
            calibrated = {
                name: {"number": each.number, "temperature": each.temperature}
                for name, each in self.calibrations.items()
            }
        return {
            "labels": {name: fingerprint(store, f"{LABELS}/{name}") for name in soft.labels},
            "select": None if soft.select is None else read_selection(store, soft.select).card.sha256,
            "weight": self.weight,
            "weight_sha256": None if soft.weights is None else weights_sha256(soft.weights),
            "gold": _gold_identity(store, soft.rounds),
            "calibrated": calibrated,
        }


def _gold_identity(store: Store, rounds: tuple[int, ...] | None) -> dict[str, Any] | None:
    """Rounds and their hash; None for no gold, and for that of the corpus alone, which never changes."""
    if rounds is None or rounds == (OWN,):
        return None
    return {"rounds": list(rounds), "sha256": rounds_sha256(store, rounds)}


def store_as_begun(store: Store, folder: RunFolder) -> Store:
    """``store``, as it was when the run in ``folder`` was begun: without rows that were appended since.

    If its label sets are not what they were for those rows either, it is the store as it is.
    """
    begun = {name.removeprefix("labels."): then for name, then in folder.settings.items() if name.startswith("labels.")}
    found = {rows_then(store, f"{LABELS}/{name}", then) for name, then in begun.items()}
    rows = found.pop() if len(found) == 1 else None
    if rows is None or (since := appended_since(store, rows)) is None:
        return store
    log.info(
        "the run in %s was begun before %s to %s, and goes on without what was; to learn from all rows, name a new "
        "folder with --out",
        folder.path,
        since,
        store.location,
    )
    return store.as_of(rows)


def look_at_targets(store: Store, choice: TargetsChoice, folder: RunFolder) -> dict[str, Any]:
    """Refuse targets that cannot be used, as far as that shows before weights are computed; their identity so far.

    Returns:
        Those of `TargetsSpec.identity` that are known, under the same names.

    Raises:
        TrainingError, StoreMissingError, QueryError: as `resolve_targets`.
    """
    rounds = _rounds(store, choice, folder)
    calibrations = _held_calibrations(store, choice.labels, folder) if choice.calibrated else None
    if choice.weight is not None and not folder.has_begun:
        look_at_weight(store, choice.weight, labels=choice.labels)
    temperatures = None if calibrations is None else tuple(each.temperature for each in calibrations.values())
    soft = SoftLabels(labels=choice.labels, select=choice.select, rounds=rounds, temperatures=temperatures)
    identity = TargetsSpec(soft=soft, weight=choice.weight, calibrations=calibrations).identity(store)
    return {name: value for name, value in identity.items() if name != "weight_sha256"}


def resolve_targets(store: Store, choice: TargetsChoice, folder: RunFolder, ranks: "Ranks") -> TargetsSpec:
    """The targets of the run in ``folder``: those with which it was begun, or new ones.

    Raises:
        TrainingError: weights, gold or rounds cannot be used.
        StoreMissingError: the selection or a calibration is missing.
        QueryError: the weight is not an expression over ``reviews``.
    """
    labels, weights = choice.labels, None
    if choice.weight is not None:
        weights = frozen_weights(folder, store, choice.weight, labels=labels, select=choice.select, ranks=ranks)
    rounds = _rounds(store, choice, folder)
    calibrations = _calibrations(store, labels, folder) if choice.calibrated else None
    soft = SoftLabels(
        labels=labels,
        select=choice.select,
        weights=weights,
        rounds=rounds,
        temperatures=None if calibrations is None else tuple(each.temperature for each in calibrations.values()),
    )
    return TargetsSpec(soft=soft, weight=choice.weight, calibrations=calibrations)


def _rounds(store: Store, choice: TargetsChoice, folder: RunFolder) -> tuple[int, ...] | None:
    """The rounds of gold that the run learns from; None if it uses no gold.

    Without a choice they are those with which the run was begun, and all rounds for a new run.

    Raises:
        TrainingError: the store has no gold, or rounds are named without a gold weight.
    """
    if not choice.gold_weight:
        if choice.rounds is not None:
            raise TrainingError("--round says which gold counts, and --gold-weight is 0; give it too")
        return None
    begun = folder.settings.get("gold.rounds", [OWN]) if folder.has_begun else None
    rounds = chosen_rounds(store, begun if choice.rounds is None else choice.rounds)
    if not has_gold(store, rounds):
        words = f"--gold-weight is {choice.gold_weight:g}, and no row of {store.location} has a gold label"
        of_tars = is_export(store.location)
        way = "add some to the store, and export it again" if of_tars else way_to_gold(store.location)
        raise TrainingError(f"{words}; {way}")
    return rounds


def _calibrations(store: Store, labels: tuple[str, ...], folder: RunFolder) -> dict[str, Calibration]:
    """As `_held_calibrations`; says so if rows were appended since they were made."""
    chosen = _held_calibrations(store, labels, folder)
    for name, each in chosen.items():
        rows = rows_calibrated(store, each)
        if rows is not None and (since := appended_since(store, rows)):
            log.info("calibration %d of %s was made before %s, and knows nothing of them", each.number, name, since)
    return chosen


def _held_calibrations(store: Store, labels: tuple[str, ...], folder: RunFolder) -> dict[str, Calibration]:
    """The calibration of each label set: the one with which the run was begun, or the latest."""
    begun = folder.settings
    return {name: usable_calibration(store, name, begun.get(f"calibrated.{name}.number")) for name in labels}
