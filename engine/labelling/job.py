"""A label job, which any process can open: the store, the teacher and the card."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from engine.compute.backends import backend_named
from engine.compute.cpu.memory import return_memory
from engine.compute.device import find_device, worker_processes
from engine.compute.encoder import Encoder
from engine.labelling.card import Settings, check_card, make_card, settings_of
from engine.labelling.pilot.sample_job import OpenModel
from engine.labelling.planning.choices import Choices
from engine.labelling.planning.first_look import check_has_teacher
from engine.labelling.probe import probe_model
from engine.labelling.shard import Labeller
from engine.labelling.token_budget import CorpusSize
from engine.models.classifier import Classifier
from engine.models.teacher import TeacherSource, load_teacher
from store import Store
from store.errors import MismatchError, StoreMissingError
from store.families.label_card import LabelCard, label_card
from store.format.run_log import check_run_is_here
from store.snapshot import check_classes
from store.storage import Storage, open_storage
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class LabelJob:
    """Labels shards of a store with a teacher; a `engine.labelling.runners.base.Job`.

    Attributes:
        store: where the store is; it has a corpus.
        label_set: its name.
        teacher: hub id or path.
        revision: of the hub id.
        card: of the label set, as it is frozen.
        keep_tokens: whether token ids are stored too.
        workers: that share the cores of a machine.
        run_log: of the run, which the store must have; None if that does not matter.
        model: the teacher, if this process has loaded it and checked it against the card. It is not pickled.
    """

    store: str | Storage
    label_set: str
    teacher: str
    revision: str | None
    card: LabelCard
    keep_tokens: bool
    workers: int = 1
    run_log: str | None = None
    model: Classifier | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}

    def of_run(self, run_log: str) -> "LabelJob":
        """The job of one run."""
        return replace(self, run_log=run_log)

    def open(self, device: str) -> Labeller:
        """Put the teacher on ``device``; load it first unless `model` is it.

        Raises:
            MismatchError: the teacher or the device is not the one that the label set was begun with, or its card is
                of an earlier version; or the store is not the one of the run.
        """
        if self.run_log is not None:
            check_run_is_here(open_storage(self.store), self.run_log)
        opened, snapshot = self.open_model(device), open_store(self.store)
        return Labeller(
            snapshot=snapshot,
            labels=snapshot.label_set(self.label_set),
            encoder=opened.encoder,
            encoding=opened.encoding,
            permutation=check_classes(snapshot, opened.classes, whose=self.teacher),
            keep_tokens=self.keep_tokens,
            check_rows=opened.check_rows,
            path=self.card.path,
            centred_from=opened.centred_from,
        )

    def open_model(self, device: str) -> OpenModel:
        """As `open`, without the store.

        Raises:
            MismatchError: as `open`.
        """
        settings = settings_of(self.card, label_set=self.label_set)
        model, target = self.model or self._load_checked(device), find_device(device)
        return OpenModel(
            encoder=worker_encoder(model, target, settings, threads=self._threads, workers=self.workers),
            encoding=model.encoding(settings.max_length),
            classes=model.classes,
            centred_from=self.card.centred_from,
            check_rows=settings.check_rows,
        )

    def _load_checked(self, device: str) -> Classifier:
        classes = None if self.card.classes is None else tuple(self.card.classes)
        model = load_teacher(TeacherSource(source=self.teacher, revision=self.revision, classes=classes))
        settings = probe_model(model, Choices(), find_device(device), CorpusSize(tokens=0), held=self.card)
        check_card(self.card, make_card(model, settings, threads=self._threads), label_set=self.label_set)
        return model

    @property
    def _threads(self) -> int:
        """CPU threads of a worker, as the card says; as torch has them if it does not."""
        return self.card.threads or torch.get_num_threads()


def worker_encoder(
    model: Classifier, device: torch.device, settings: Settings, *, threads: int, workers: int
) -> Encoder:
    """The encoder of one worker.

    Args:
        model: its module is moved and cast.
        device: that computes.
        settings: how.
        threads: on a CPU, those of each process.
        workers: that share the cores of this machine.
    """
    if device.type == "cpu":
        return_memory()  # of the probes
        torch.set_num_threads(threads)
    else:
        torch.cuda.set_device(device)
    encoder = Encoder(
        model,
        device=device,
        dtype=settings.dtype,
        budget=settings.tokens_per_batch,
        backend=backend_named(settings.backend),
        longest=settings.max_length,
        processes=worker_processes(threads=threads, workers=workers),
    )
    if device.type == "cuda":
        encoder.warm_up()
    return encoder


def labeller_of(store: Store, label_set: str, *, teacher: str | None = None) -> Labeller:
    """The labeller of a label set that exists, as its card says.

    Args:
        store: the store.
        label_set: its name.
        teacher: where the teacher is now; from the card if None.

    Raises:
        ModelError: the teacher cannot be loaded.
        MismatchError: it is another one, or the card is of an earlier version and does not say how it computed; or the
            label set was made from answers.
    """
    card = label_card(store.label_set(label_set))
    if card is None:
        raise StoreMissingError(f"{store.location} has no label set {label_set!r}")
    check_has_teacher(card, label_set=label_set, location=store.location)
    source = teacher or card.model
    if source is None:
        raise MismatchError(f"the card of the label set {label_set!r} names no model; name its teacher with --teacher")
    job = LabelJob(
        store=store.storage,
        label_set=label_set,
        teacher=source,
        revision=None if teacher else card.revision,
        card=card,
        keep_tokens=False,
    )
    return job.open("cpu" if card.device == "cpu" else "cuda")
