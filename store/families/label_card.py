"""The card of a label set: what decides the bytes of its shards, frozen by the run that begins it."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from store.format.decode import decode
from store.format.family import CARD, Family


@dataclass(frozen=True, kw_only=True)
class LabelCard:
    """The card of a label set. A field is None if the version that wrote the card did not have it.

    Attributes:
        model: hub id or path of the model.
        revision: of the hub id.
        weights_sha256: hash of the model's weights.
        config_sha256: hash of its configuration.
        classes: names in the order of its outputs.
        encoding: name of the token family that its tokens belong to.
        encoding_sha256: fingerprint of that encoding.
        max_length: tokens a row.
        dtype: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        tokens_per_batch: the token budget.
        path: name of the backend that computes the logits.
        check_rows: rows of each shard that are computed again in fp32; 0 for none.
        centred_from: rows whose largest logit is so far from 0 are stored less that logit; None if no row is.
        device: ``cpu``, or the name of the GPU.
        threads: on a CPU, those of each worker.
        processor: the CPU of the run that began the label set; another one may continue it.
        versions: of the libraries, by name.
        others: fields of a backend or of a later version, by name; kept as they are.
    """

    model: str | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    config_sha256: str | None = None
    classes: list[str] | None = None
    encoding: str | None = None
    encoding_sha256: str | None = None
    max_length: int | None = None
    dtype: str | None = None
    tokens_per_batch: int | None = None
    path: str | None = None
    check_rows: int | None = None
    centred_from: float | None = None
    device: str | None = None
    threads: int | None = None
    processor: str | None = None
    versions: dict[str, str] | None = None
    others: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the inverse of `parse_label_card`. Fields that are None are left out, but for the revision."""
        own = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in own.items() if value is not None or name == "revision"} | self.others


_NAMES = [one.name for one in dataclasses.fields(LabelCard) if one.name != "others"]


def parse_label_card(value: dict[str, Any], *, place: str) -> LabelCard:
    """The card that the JSON object ``value`` holds.

    Args:
        value: parsed JSON.
        place: the file, for the message.

    Raises:
        DamageError: a field has another type; names the file and the field.
    """
    known = {name: one for name, one in value.items() if name in _NAMES}
    return decode(LabelCard, {**known, "others": {n: v for n, v in value.items() if n not in _NAMES}}, place=place)


def label_card(labels: Family) -> LabelCard | None:
    """The card of a label set; None if no run has begun it.

    Raises:
        DamageError: as `parse_label_card`.
    """
    value = labels.card()
    return None if value is None else parse_label_card(value, place=f"{labels.location}/{CARD}")
