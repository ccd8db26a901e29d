"""The threshold below which a model defers to another one, beside its weights, with what it was measured to give.

``cascade.json`` in the model's folder says of which weights it is, of both models: others have another threshold.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ModelError
from engine.models.files import unwritable
from store.storage.atomic_file import write_file

if TYPE_CHECKING:
    from engine.models.classifier import Classifier

CASCADE, _CARD = "cascade.json", "README.md"
_BEGIN, _END = "<!-- cascade -->", "<!-- end of cascade -->"


@dataclass(frozen=True, kw_only=True)
class CascadeCard:
    """A threshold, and what it gives on labelled rows that it was not chosen on.

    Attributes:
        threshold: rows of less confidence go to the second model.
        target: the accuracy that it was chosen for.
        temperature: of the first model, 1 without one: confidence is that of logits / temperature.
        accuracy: of both models together, on rows that the threshold was not chosen on.
        low: the least that it may be of all such rows, with 95 % (Wilson 1927).
        high: the most.
        deferred: share of these rows that go to the second model.
        rows: how many they are.
        alone: accuracy of the first model on them.
        second_alone: the same of the second.
        second: hub id or path of the second model.
        weights_sha256: of the first model.
        second_sha256: of the second.
    """

    threshold: float
    target: float
    temperature: float
    accuracy: float
    low: float
    high: float
    deferred: float
    rows: int
    alone: float
    second_alone: float
    second: str
    weights_sha256: str
    second_sha256: str


def save_cascade(model: "Classifier", card: CascadeCard) -> Path:
    """Write ``card`` into the folder of ``model``, and a paragraph into its model card; where it is.

    Raises:
        ModelError: the folder cannot be written.
    """
    place, readme = model.folder / CASCADE, model.folder / _CARD
    try:
        write_file(place, json.dumps(dataclasses.asdict(card), indent=1, ensure_ascii=False) + "\n")
        held = readme.read_text("utf-8") if readme.exists() else ""
        write_file(readme, with_paragraph(held, card))
    except OSError as error:
        raise unwritable(place, error.strerror) from error
    return place


def with_paragraph(readme: str, card: CascadeCard) -> str:
    """The model card ``readme`` with what ``card`` says, in the place of what an earlier one said."""
    before, begin, rest = readme.partition(_BEGIN)
    after = rest.partition(_END)[2] if begin else ""
    paragraph = (
        f"{_BEGIN}\n\n## Cascade\n\nRows of less confidence than {card.threshold:.4g} go to `{card.second}`: "
        f"{card.deferred:.1%} of rows. Together they are right on {card.accuracy:.2%} [{card.low:.2%}, "
        f"{card.high:.2%}] of {card.rows:,} labelled rows that the threshold was not chosen on; alone this model is "
        f"right on {card.alone:.2%} of them, and that one on {card.second_alone:.2%}.\n\n{_END}"
    )
    return f"{before.rstrip()}\n\n{paragraph}\n{after.lstrip()}".lstrip()


def read_cascade(model: "Classifier", second: "Classifier", *, temperature: float) -> CascadeCard:
    """The threshold below which ``model`` defers to ``second``.

    Args:
        model: the first model.
        second: the model that it defers to.
        temperature: that the first one's logits are divided by.

    Raises:
        ModelError: there is none, or one of other weights or another temperature.
    """
    place, way = model.folder / CASCADE, _way(model.source, second.source)
    card = held_cascade(model.folder, model.source, second=second.source)
    if (card.weights_sha256, card.second_sha256) != (model.weights_sha256(), second.weights_sha256()):
        raise ModelError(f"the threshold in {place} is of other weights, with {card.second} as the second; {way}")
    if abs(card.temperature - temperature) > 1e-4 * temperature:
        with_or_without = "with" if temperature == 1 else "without"
        raise ModelError(
            f"the threshold in {place} was chosen with another temperature; predict {with_or_without} "
            f"--calibrated, or {way}"
        )
    return card


def held_cascade(folder: Path, source: str, *, second: str) -> CascadeCard:
    """The threshold in the ``folder`` of the model ``source``, whatever weights and second model it is of.

    Raises:
        ModelError: there is none, or a damaged one; the way to one with the model ``second`` is said.
    """
    place, way = folder / CASCADE, _way(source, second)
    try:
        return CascadeCard(**json.loads(place.read_text("utf-8")))
    except FileNotFoundError:
        raise ModelError(f"{source} has no threshold of its own; {way}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{place} cannot be read ({error}); {way}") from error


def _way(source: str, second: str) -> str:
    return f"give --threshold, or choose one: `engine eval {source} LABELLED --defer-to {second} --target ACCURACY`"
