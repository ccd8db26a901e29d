"""The settings that decide the bytes of a label set: frozen by its first run, obeyed and checked by every other."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version

from engine.compute.backends import BACKENDS, backend_named
from engine.compute.cpu.processor import processor_name
from engine.labelling.planning.choices import Choices
from engine.labelling.planning.held_card import OF_THE_TEACHER, other_setting
from engine.labelling.stored_logits import CENTRED_FROM
from engine.models.classifier import Classifier
from store.errors import MismatchError
from store.families.label_card import LabelCard, parse_label_card
from store.format.family import Family
from store.format.names import CARD

CHECK_ROWS = 8
_USE = ("_name_or_path", "transformers_version", "id2label", "label2id", "dtype", "torch_dtype", "architectures")
_VERSIONS = "back the version of this engine, torch or transformers, or the machine"
_IDENTITY = {
    "weights_sha256": OF_THE_TEACHER,
    "config_sha256": OF_THE_TEACHER,
    "revision": "--revision",
    "classes": OF_THE_TEACHER,
    "max_length": "--max-length",
    "encoding_sha256": "--max-length or the tokenizer",
    "dtype": "--dtype",
    "tokens_per_batch": "--tokens-per-batch",
    "path": _VERSIONS,
    "check_rows": "--check-rows",
    "device": "--devices",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the shards of a label set are computed. Can be pickled.

    Attributes:
        max_length: tokens a row.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        tokens_per_batch: the token budget.
        check_rows: rows of each shard that are computed again in fp32; 0 for none.
        backend: name of the backend.
        device: ``cpu``, or the name of the GPU.
    """

    max_length: int
    dtype: str
    tokens_per_batch: int
    check_rows: int
    backend: str
    device: str


def settings_of(card: LabelCard, *, label_set: str) -> Settings:
    """The settings of a card.

    Raises:
        MismatchError: it lacks some: an earlier version began the label set.
    """
    values = {one.name: getattr(card, one.name) for one in dataclasses.fields(Settings) if one.name != "backend"}
    values["path"] = card.path
    if missing := [name for name, value in values.items() if value is None]:
        raise MismatchError(_too_old(label_set, missing))
    backend = values.pop("path")
    return Settings(**values, backend=backend)


def make_card(model: Classifier, settings: Settings, *, threads: int) -> LabelCard:
    """The card of a label set.

    Args:
        model: the teacher.
        settings: as `engine.labelling.probe` found them.
        threads: on a CPU, those of each worker.
    """
    encoding = model.encoding(settings.max_length)
    value = {
        "model": model.source,
        "revision": model.revision,
        "weights_sha256": model.weights_sha256(),
        "config_sha256": config_sha256(model),
        "classes": model.classes,
        "encoding": encoding.name,
        "encoding_sha256": encoding.fingerprint,
        "max_length": encoding.max_length,
        "dtype": settings.dtype,
        "tokens_per_batch": settings.tokens_per_batch,
        **backend_named(settings.backend).card_fields(),
        "check_rows": settings.check_rows,
        "centred_from": CENTRED_FROM,
        "device": settings.device,
        "threads": threads,
        "processor": processor_name() if settings.device == "cpu" else None,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
    return parse_label_card(value, place="the new card")


def config_sha256(model: Classifier) -> str:
    """Hash of the model's configuration, without the parts that change by use."""
    config = {name: value for name, value in model.module.config.to_dict().items() if name not in _USE}
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def freeze_card(labels: Family, card: LabelCard, choices: Choices) -> LabelCard:
    """Write ``card`` as that of ``labels``, or check it against the existing one; returns the card that holds.

    Runs that begin together may measure other budgets, choose another dtype, and another backend of the same
    arithmetic: choices that the user left open are as the first run froze them.

    Raises:
        MismatchError: the label set was begun with other settings.
        DamageError: its card is damaged.
    """
    held = parse_label_card(labels.freeze_card(card.to_dict()), place=f"{labels.location}/{CARD}")
    return held_card(held, card, choices, label_set=labels.name)


def held_card(held: LabelCard, card: LabelCard, choices: Choices, *, label_set: str) -> LabelCard:
    """Check ``card`` against ``held``, with which ``label_set`` was begun; as `freeze_card`, but writes nothing.

    Raises:
        MismatchError: the label set was begun with other settings.
    """
    adopted = card
    if choices.tokens_per_batch is None:
        adopted = dataclasses.replace(adopted, tokens_per_batch=held.tokens_per_batch)
    if choices.dtype is None and choices.backend is None and card.dtype != held.dtype:
        adopted = dataclasses.replace(adopted, dtype=held.dtype, path=held.path, others=held.others)
    elif choices.backend is None and _can_replace(card.path, held.path):
        adopted = dataclasses.replace(adopted, path=held.path, others=held.others)
    check_card(held, adopted, label_set=label_set)
    return held


def _can_replace(path: str | None, held: str | None) -> bool:
    """Whether a run whose backend is ``path`` may compute with that of the card, ``held``, another one."""
    return path != held and path in BACKENDS and held in BACKENDS and BACKENDS[path].can_replace(BACKENDS[held])


def check_card(held: LabelCard, card: LabelCard, *, label_set: str) -> None:
    """Refuse ``card`` if it would give other bytes than ``held``, with which ``label_set`` was begun.

    Raises:
        MismatchError: it would.
    """
    models = (held.model, card.model)
    for name, option in _IDENTITY.items():
        before, now = getattr(held, name), getattr(card, name)
        if name == "revision" and None in (before, now):
            continue  # a path, or a hub's default branch: the hash of the weights says whether it is the same model
        if name == "path" and before is None:
            raise MismatchError(_too_old(label_set, [name]))
        if before != now:
            raise other_setting(name, before, now, option, models=models, label_set=label_set)
    for name, now in card.others.items():  # of the backend
        if (before := held.others.get(name)) != now:
            raise other_setting(name, before, now, _VERSIONS, models=models, label_set=label_set)


def _too_old(label_set: str, missing: list[str]) -> str:
    return (
        f"the label set {label_set!r} was begun by an earlier version, and its card has no {', '.join(missing)}: it "
        "can be read, but not continued. Give the new labels another --name"
    )
