"""What decides the bytes of a label set: frozen by its first run, obeyed and checked by every other."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from engine.compute.device import device_kind
from engine.compute.encoder import default_dtype
from engine.compute.packed_model import COMPILED, FUSED, choose_path
from engine.models.classifier import Classifier
from store.errors import MismatchError
from store.format.family import Family

CHECK_ROWS = 8
_USE = ("_name_or_path", "transformers_version", "id2label", "label2id", "dtype", "torch_dtype", "architectures")
_IDENTITY = {
    "weights_sha256": "--teacher",
    "config_sha256": "--teacher",
    "revision": "--revision",
    "classes": "--teacher",
    "max_length": "--max-length",
    "encoding_sha256": "--max-length or the tokenizer",
    "dtype": "--dtype",
    "tokens_per_batch": "--tokens-per-batch",
    "path": "back the versions of torch and transformers, or the machine",
    "check_rows": "--check-rows",
    "device": "--devices",
}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user chose; None where the card, or else the device, decides.

    Attributes:
        max_length: tokens a row.
        dtype: ``fp32``, ``fp16`` or ``bf16``.
        tokens_per_batch: the token budget.
        check_rows: rows of each shard that are computed again in fp32; 0 for none.
    """

    max_length: int | None = None
    dtype: str | None = None
    tokens_per_batch: int | None = None
    check_rows: int | None = None


def settle(
    held: dict[str, Any] | None,
    choices: Choices,
    device: torch.device,
    *,
    choose_budget: Callable[[str, int | None], int],
) -> Choices:
    """Fill in what the user left open: from the card of an earlier run, else by the device.

    Args:
        held: the card.
        choices: of the user.
        device: one of those that label.
        choose_budget: gives the token budget for a dtype and a maximum length.
    """
    held = held or {}
    dtype = choices.dtype or held.get("dtype") or default_dtype(device)
    max_length = choices.max_length or held.get("max_length")
    return Choices(
        max_length=max_length,
        dtype=dtype,
        tokens_per_batch=choices.tokens_per_batch or held.get("tokens_per_batch") or choose_budget(dtype, max_length),
        check_rows=next(rows for rows in (choices.check_rows, held.get("check_rows"), CHECK_ROWS) if rows is not None),
    )


def settled_by(card: dict[str, Any]) -> Choices:
    """What a card holds the next run to."""
    return Choices(**{choice.name: card.get(choice.name) for choice in dataclasses.fields(Choices)})


def find_path(model: Classifier, settled: Choices, *, compiled: bool) -> str:
    """How the teacher computes; see `engine.compute.packed_model.choose_path`.

    Args:
        model: the teacher, in fp32 on the CPU.
        settled: what `settle` gave.
        compiled: whether its layers are compiled where they are ours.
    """
    path = choose_path(model.module, longest=model.encoding(settled.max_length).max_length)
    return COMPILED if compiled and path == FUSED else path


def make_card(model: Classifier, settled: Choices, device: torch.device, *, path: str, threads: int) -> dict[str, Any]:
    """The card of a label set.

    Args:
        model: the teacher.
        settled: what `settle` gave.
        device: one of those that label.
        path: what `find_path` gave.
        threads: on a CPU, those of each worker.
    """
    encoding = model.encoding(settled.max_length)
    return {
        "model": model.source,
        "revision": model.revision,
        "weights_sha256": model.weights_sha256(),
        "config_sha256": config_sha256(model),
        "classes": model.classes,
        "encoding": encoding.name,
        "encoding_sha256": encoding.fingerprint,
        "max_length": encoding.max_length,
        "dtype": settled.dtype,
        "tokens_per_batch": settled.tokens_per_batch,
        "path": path,
        "check_rows": settled.check_rows,
        "device": device_kind(device),
        "threads": threads,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }


def config_sha256(model: Classifier) -> str:
    """Hash of the model's configuration, without what use changes."""
    config = {name: value for name, value in model.module.config.to_dict().items() if name not in _USE}
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def freeze_card(labels: Family, card: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """Write ``card`` as that of ``labels``, or check it against the one there; the card that holds.

    Runs that begin together may measure other budgets, and find another number of tokens worth compiling for: what
    ``choices`` leaves open is as the first one froze it.

    Raises:
        MismatchError: the label set was begun with something else.
    """
    held = labels.freeze_card(card)
    adopted = dict(card)
    if choices.tokens_per_batch is None:
        adopted["tokens_per_batch"] = held.get("tokens_per_batch")
    if {card["path"], held.get("path")} == {COMPILED, FUSED}:
        adopted["path"] = held["path"]
    check_card(held, adopted, label_set=labels.name)
    return held


def check_card(held: dict[str, Any], card: dict[str, Any], *, label_set: str) -> None:
    """Refuse ``card`` where it would give other bytes than ``held``, with which ``label_set`` was begun.

    Raises:
        MismatchError: it would.
    """
    for field, option in _IDENTITY.items():
        if field == "revision" and None in (held.get(field), card[field]):
            continue  # a path, or a hub's default branch: the hash of the weights says whether it is the same model
        if held.get(field) != card[field]:
            raise MismatchError(
                f"the label set {label_set!r} was begun with {field} {_short(held.get(field))} ({held.get('model')}), "
                f"and this run has {_short(card[field])} ({card['model']}). Change {option}, or give the new labels "
                "another --name"
            )


def _short(value: Any) -> str:
    return value[:16] if isinstance(value, str) else str(value)
