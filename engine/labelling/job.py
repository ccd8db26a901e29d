"""A label job, which any process can open: the teacher, the store and the card."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from engine.compute.device import find_device
from engine.compute.encoder import Encoder
from engine.compute.packed_model import COMPILED
from engine.errors import ModelError
from engine.labelling.card import check_card, find_path, make_card, settled_by
from engine.labelling.shard import Labeller
from engine.models.classifier import Classifier, load_classifier, named
from store import Store
from store.errors import StoreMissingError
from store.snapshot import check_classes
from store.storage import Storage
from store.store import open_store


def load_teacher(source: str, *, revision: str | None, classes: Sequence[str] | None) -> Classifier:
    """The classifier that labels.

    Args:
        source: hub id or path.
        revision: of the hub id.
        classes: names of its outputs, in their order; used where it has none of its own.

    Raises:
        ModelError: it cannot be loaded, or its outputs have no names.
    """
    model = load_classifier(source, revision=revision)
    if model.has_class_names:
        return model
    if classes is None:
        raise ModelError(
            f"{source} calls its classes {', '.join(model.classes)}, which says nothing; "
            "name them in the order of its outputs with --classes"
        )
    return named(model, classes)


@dataclass(frozen=True, kw_only=True)
class LabelJob:
    """Labels shards of a store with a teacher; a `engine.labelling.runners.base.Job`.

    Attributes:
        store: where the store is; it has a corpus.
        label_set: its name.
        teacher: hub id or path.
        revision: of the hub id.
        card: of the label set, as it is frozen: encoding, dtype, token budget, threads.
        keep_tokens: whether token ids are stored too.
        model: the teacher, if this process has loaded it and checked it against the card. It is not pickled.
    """

    store: str | Storage
    label_set: str
    teacher: str
    revision: str | None
    card: dict[str, Any]
    keep_tokens: bool
    model: Classifier | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}

    def open(self, device: str) -> Labeller:
        """Put the teacher on ``device``; load it first unless `model` is it.

        Raises:
            MismatchError: the teacher or the device is not that of the label set.
        """
        model, target = self.model or self._load_checked(device), find_device(device)
        if target.type == "cpu":
            torch.set_num_threads(self.card["threads"])
        else:
            torch.cuda.set_device(target)
        encoder = Encoder(
            model,
            device=target,
            dtype=self.card["dtype"],
            budget=self.card["tokens_per_batch"],
            path=self.card["path"],
            longest=self.card["max_length"],
        )
        if target.type == "cuda":
            encoder.warm_up()
        snapshot = open_store(self.store)
        return Labeller(
            snapshot=snapshot,
            labels=snapshot.label_set(self.label_set),
            encoder=encoder,
            encoding=model.encoding(self.card["max_length"]),
            permutation=check_classes(snapshot, model.classes, whose=model.source),
            keep_tokens=self.keep_tokens,
            check_rows=self.card["check_rows"],
            path=self.card["path"],
        )

    def _load_checked(self, device: str) -> Classifier:
        model = load_teacher(self.teacher, revision=self.revision, classes=self.card["classes"])
        settled = settled_by(self.card)
        path = find_path(model, settled, compiled=self.card["path"] == COMPILED)
        now = make_card(model, settled, find_device(device), path=path, threads=self.card["threads"])
        check_card(self.card, now, label_set=self.label_set)
        return model


def labeller_of(store: Store, label_set: str, *, teacher: str | None = None) -> Labeller:
    """The labeller of a label set that exists, as its card says.

    Args:
        store: the store.
        label_set: its name.
        teacher: where the teacher is now; from the card if None.

    Raises:
        ModelError: the teacher does not exist any more.
        MismatchError: it is another one.
    """
    card = store.label_set(label_set).card()
    if card is None:
        raise StoreMissingError(f"{store.location} has no label set {label_set!r}")
    job = LabelJob(
        store=store.storage,
        label_set=label_set,
        teacher=teacher or card["model"],
        revision=None if teacher else card["revision"],
        card=card,
        keep_tokens=False,
    )
    return job.open("cpu" if card["device"] == "cpu" else "cuda")
