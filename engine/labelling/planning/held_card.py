"""The card that a label set was begun with + what a run has → the refusal of a run that would give other bytes.

As far as that shows without the teacher in memory: its weights are compared by the hash of their files. No torch.
"""

from pathlib import Path
from typing import Any

from engine.models.files import is_adapter, weights_sha256
from store.errors import MismatchError
from store.families.label_card import LabelCard

OF_THE_TEACHER = "--teacher"


def check_weights(held: LabelCard, teacher: str, folder: Path, *, label_set: str) -> None:
    """Refuse a teacher of other weights than those that ``label_set`` was begun with.

    Args:
        held: the card of the label set; an empty one if no run has begun it.
        teacher: hub id or path.
        folder: where its files are. An adapter's base, which is hashed with it, is found when it is loaded.
        label_set: its name.

    Raises:
        MismatchError: it has others.
    """
    if held.weights_sha256 is None or is_adapter(folder):
        return
    if (now := weights_sha256(folder)) != held.weights_sha256:
        models = (held.model, teacher)
        raise other_setting(
            "weights_sha256", held.weights_sha256, now, OF_THE_TEACHER, models=models, label_set=label_set
        )


def other_setting(
    name: str, before: Any, now: Any, option: str, *, models: tuple[str | None, str | None], label_set: str
) -> MismatchError:
    """The refusal of a run whose setting ``name`` is another one.

    Args:
        name: of the setting, as in a card.
        before: the value that ``label_set`` was begun with.
        now: that of the run.
        option: that decides it.
        models: the teacher of the label set, and that of the run.
        label_set: its name.
    """
    return MismatchError(
        f"the label set {label_set!r} was begun with {name} {_short(name, before)} ({models[0]}), "
        f"and this run has {_short(name, now)} ({models[1]}). Change {option}, or give the new labels another --name"
    )


def _short(name: str, value: Any) -> str:
    """``value`` in words; of a hash the beginning."""
    return value[:16] if name.endswith("sha256") and isinstance(value, str) else str(value)
