"""One label run: make the store where there is none, load the teacher, label every shard that is missing."""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

import torch

from engine.compute.attention import has_kernel
from engine.compute.device import find_device, find_devices, warn_if_crowded, worker_threads
from engine.compute.encoder import DTYPES
from engine.compute.packed_model import COMPILED
from engine.errors import InputError, LabellingError
from engine.ingest.ingest import IngestConfig, finish_corpus, ingest
from engine.inputs.columns import ColumnNames
from engine.labelling.card import Choices, find_path, freeze_card, make_card, settle
from engine.labelling.execute import execute
from engine.labelling.job import LabelJob, load_teacher
from engine.labelling.runners.base import Runner
from engine.labelling.runners.choose import choose_runner
from engine.labelling.summary import LabelSummary
from engine.labelling.token_budget import Conditions, choose_budget, estimated_tokens
from engine.models.classifier import Classifier
from engine.progress import Tick, silent
from store import Store
from store.errors import MismatchError
from store.format.header import is_store
from store.format.names import check_name
from store.snapshot import check_classes
from store.storage import Storage, open_storage
from store.store import open_store

# Compiling takes tens of seconds in each worker, and makes up for that only in a run of minutes.
_TOKENS_TO_COMPILE = 100_000_000


@dataclass(frozen=True, kw_only=True)
class LabelConfig:
    """A label run.

    Attributes:
        store: where the store is or will be; a path or a `Storage`.
        teacher: hub id or path of the classifier.
        revision: of the hub id.
        inputs: files of text; needed only while there is no corpus.
        columns: column names that the user gave.
        classes: class names in order, for the corpus or for a teacher without names.
        shards: how many; needed only while there is no corpus.
        name: of the label set; from the model where None.
        choices: maximum length, dtype, token budget and rows to check.
        devices: one for each worker, as in `engine.compute.device.find_devices`.
        worker: (i, n): label only the shards whose number leaves i when divided by n, for n runs side by side.
        keep_tokens: whether token ids are stored too.
        on_bad_row: ``reject`` or ``fail``.
    """

    store: str | Storage
    teacher: str
    revision: str | None = None
    inputs: tuple[str, ...] = ()
    columns: ColumnNames = field(default_factory=ColumnNames)
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    name: str | None = None
    choices: Choices = field(default_factory=Choices)
    devices: tuple[str, ...] = ("auto",)
    worker: tuple[int, int] | None = None
    keep_tokens: bool = True
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        if self.worker is not None and not 0 <= self.worker[0] < self.worker[1]:
            raise LabellingError(f"--worker is {self.worker[0]}/{self.worker[1]}; it must be from 0/n to n-1/n")


def label(config: LabelConfig, *, runner: Runner | None = None, tick: Tick = silent) -> LabelSummary:
    """Label a store with a teacher, from input files or from where an earlier run was stopped.

    Several runs may label the same store at the same time, on one machine or on many: a shard counts once.

    Args:
        config: what is labelled with what.
        runner: carries out the work; chosen by the devices if None. Its devices count, not those of ``config``.
        tick: called with rows done.

    Raises:
        EngineError, StoreError: something does not fit; nothing that was committed is changed.
        LabellingError: some shards could not be labelled; the others are.
    """
    storage = open_storage(config.store)
    if runner is None:
        shared = not isinstance(config.store, Storage)
        runner = choose_runner(find_devices(config.devices), shared_store=shared)
    store, job = _prepare(config, storage, runner.devices, tick)
    return execute(store, job, runner, worker=config.worker, tick=tick)


def _prepare(config: LabelConfig, storage: Storage, devices: tuple[str, ...], tick: Tick) -> tuple[Store, LabelJob]:
    name = config.name or default_name(config.teacher)
    held = _held_card(storage, name)
    revision = config.revision or (held.get("revision") if held.get("model") == config.teacher else None)
    model = load_teacher(config.teacher, revision=revision, classes=config.classes or held.get("classes"))
    store = _open_or_make(storage, config, model, tick)
    labels = store.label_set(name)
    check_classes(store, model.classes, whose=model.source)
    device = find_device(devices[0])
    threads = worker_threads(devices)
    settled = settle(
        labels.card(),
        config.choices,
        device,
        choose_budget=lambda dtype, max_length: choose_budget(
            store, model, device, Conditions(dtype=dtype, longest=max_length, threads=threads), tick=tick
        ),
    )
    path = find_path(model, settled, compiled=_compiles(labels.card(), store, device, settled.dtype))
    card = freeze_card(labels, make_card(model, settled, device, path=path, threads=threads), config.choices)
    warn_if_crowded(devices, card["threads"])
    job = LabelJob(
        store=config.store,
        label_set=name,
        teacher=config.teacher,
        revision=revision,
        card=card,
        keep_tokens=config.keep_tokens,
        model=model,
    )
    return store, job


def _compiles(held: dict[str, Any] | None, store: Store, device: torch.device, dtype: str | None) -> bool:
    """Whether the teacher's layers are compiled: as the card says, else on a GPU where there is much to label."""
    if held is not None:
        return held.get("path") == COMPILED
    return has_kernel(device, DTYPES[str(dtype)]) and estimated_tokens(store) >= _TOKENS_TO_COMPILE


def default_name(teacher: str) -> str:
    """A label set's name from the teacher's: the last part of its path, in the characters that a name may have."""
    last = teacher.rstrip("/").rsplit("/", 1)[-1].lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:64]
    return check_name(slug or "teacher", what="label set")


def _held_card(storage: Storage, name: str) -> dict[str, Any]:
    """What an earlier run of this label set froze; empty where there was none."""
    return (open_store(storage).label_set(name).card() if is_store(storage) else None) or {}


def _open_or_make(storage: Storage, config: LabelConfig, model: Classifier, tick: Tick) -> Store:
    if not is_store(storage):
        if not config.inputs:
            raise InputError(f"{storage.location} is no store yet; name the files of text to make it from")
        wanted = IngestConfig(
            files=config.inputs,
            columns=config.columns,
            classes=config.classes,
            shards=config.shards,
            on_bad_row=config.on_bad_row,
        )
        return ingest(storage, wanted, known=model.classes, tick=tick)
    store = open_store(storage)
    _check_same(store, config)
    return finish_corpus(storage, config.inputs, tick=tick)


def _check_same(store: Store, config: LabelConfig) -> None:
    """Refuse options that the store's header contradicts."""
    for what, given in dataclasses.asdict(config.columns).items():
        held = {entry["columns"].get(what) for entry in store.header.inputs if entry["rows"]}
        if given is not None and held and held != {given}:
            names = ", ".join(sorted(name or "none" for name in held))
            raise MismatchError(f"{store.location} was made from the {what} column {names}, and --{what} is {given}")
    if config.on_bad_row == "fail" and store.header.rejects["rows"]:
        raise MismatchError(
            f"{store.location} was made with {store.header.rejects['rows']:,} rows rejected, and --on-bad-row is fail; "
            "label into a new store"
        )
    if config.shards is not None and config.shards != store.header.shards:
        raise MismatchError(f"{store.location} has {store.header.shards} shards, and --shards is {config.shards}")
    if config.classes is not None and sorted(config.classes) != sorted(store.header.classes):
        raise MismatchError(
            f"{store.location} has the classes {', '.join(store.header.classes)}, and --classes is "
            f"{', '.join(config.classes)}"
        )
