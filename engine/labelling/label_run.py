"""One label run: make the store where there is none, load the teacher, label every shard that is missing."""

import dataclasses
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

import store
from engine.encoder import Encoder
from engine.errors import InputError, ModelError
from engine.ingest import IngestConfig, check_inputs, ingest, write_corpus
from engine.inputs.columns import ColumnNames
from engine.inputs.formats import expand
from engine.labelling.card import Choices, device_kind, freeze, make_card, settle
from engine.labelling.shard_labeller import Labeller, ShardReport, label_shard
from engine.model import Classifier, find_device, load_classifier, named
from engine.progress import Tick, silent
from store import Store
from store.contents import HEADER, check_classes
from store.errors import MismatchError
from store.runs import RunLog
from store.schema import check_name
from store.storage import Storage, storage_at


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
        choices: maximum length, dtype and token budget.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
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
    device: str = "auto"
    keep_tokens: bool = True
    on_bad_row: str = "reject"


@dataclass(frozen=True, kw_only=True)
class LabelSummary:
    """What a label run did.

    Attributes:
        store: its location.
        name: of the label set.
        rows: of the store.
        rejected: input rows that were refused when the store was made.
        failed: rows of the label set whose logits are null.
        shards_done: shards labelled by this run.
        shards: of the store.
        rows_done: rows labelled by this run.
        seconds: wall time of labelling, without loading the model or reading the inputs.
        rows_per_second: of this run; None where it labelled nothing.
        tokens_per_second: real tokens.
        padding: computed tokens for each real one.
        stages: share of the time in ``tokenise``, ``compute`` and ``write``.
        device: kind.
        dtype: of the computation.
    """

    store: str
    name: str
    rows: int
    rejected: int
    failed: int
    shards_done: int
    shards: int
    rows_done: int
    seconds: float
    rows_per_second: float | None
    tokens_per_second: float | None
    padding: float | None
    stages: dict[str, float]
    device: str
    dtype: str


def label(config: LabelConfig, *, tick: Tick = silent) -> LabelSummary:
    """Label a store with a teacher, from input files or from where an earlier run was stopped.

    Raises:
        EngineError, StoreError: something does not fit; nothing that was committed is changed.
    """
    storage = storage_at(config.store)
    device = find_device(config.device)
    name = config.name or default_name(config.teacher)
    model = _teacher(config, _held_classes(storage, name))
    made = _open_or_make(storage, config, model, tick)
    labels = made.label_set(name)
    permutation = check_classes(made, model.classes, whose=model.source)
    settled = settle(labels.card(), config.choices, device)
    encoding = model.encoding(settled.max_length)
    card = freeze(labels, make_card(model, encoding, settled, device))
    if device.type == "cpu":
        torch.set_num_threads(card["threads"])
    encoder = Encoder(model, device=device, dtype=card["dtype"], budget=card["tokens_per_batch"])
    labeller = Labeller(
        contents=made,
        labels=labels,
        encoder=encoder,
        encoding=encoding,
        permutation=permutation,
        keep_tokens=config.keep_tokens,
    )
    log = RunLog(storage, {"command": "label", "label_set": labels.name, "card": card})
    started = time.perf_counter()
    reports = list(_label_missing(labeller, log, tick))
    summary = _summarise(made, labeller, reports, time.perf_counter() - started, device_kind(device))
    log.finish(dataclasses.asdict(summary))
    return summary


def default_name(teacher: str) -> str:
    """A label set's name from the teacher's: the last part of its path, in the characters that a name may have."""
    last = teacher.rstrip("/").rsplit("/", 1)[-1].lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:64]
    return check_name(slug or "teacher", what="label set")


def _held_classes(storage: Storage, name: str) -> tuple[str, ...] | None:
    """The order of the outputs that an earlier run of this label set was told."""
    if HEADER not in storage.list(""):
        return None
    card = store.open(storage).label_set(name).card()
    return tuple(card["classes"]) if card is not None else None


def _teacher(config: LabelConfig, held: tuple[str, ...] | None) -> Classifier:
    model = load_classifier(config.teacher, revision=config.revision)
    if model.has_class_names:
        return model
    classes = config.classes or held
    if classes is None:
        raise ModelError(
            f"{config.teacher} calls its classes {', '.join(model.classes)}, which says nothing; "
            "name them in the order of its outputs with --classes"
        )
    return named(model, classes)


def _open_or_make(storage: Storage, config: LabelConfig, model: Classifier, tick: Tick) -> Store:
    if HEADER not in storage.list(""):
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
    made = store.open(storage)
    _check_same(made, config)
    if made.corpus.missing():
        files = expand(config.inputs) or [entry["path"] for entry in made.header.inputs]
        check_inputs(made, files)
        write_corpus(made, files, tick=tick)
    elif config.inputs:
        check_inputs(made, expand(config.inputs))
    return made


def _check_same(made: Store, config: LabelConfig) -> None:
    """Refuse options that the store's header contradicts."""
    if config.shards is not None and config.shards != made.header.shards:
        raise MismatchError(f"{made.location} has {made.header.shards} shards, and --shards is {config.shards}")
    if config.classes is not None and sorted(config.classes) != sorted(made.header.classes):
        raise MismatchError(
            f"{made.location} has the classes {', '.join(made.header.classes)}, and --classes is "
            f"{', '.join(config.classes)}"
        )


def _label_missing(labeller: Labeller, log: RunLog, tick: Tick) -> Iterator[ShardReport]:
    contents = labeller.contents
    missing = labeller.labels.missing()
    total = sum(stop - first for first, stop in map(contents.shard_range, missing))
    done = 0

    def tick_rows(_what: str, rows: int, _total: int | None) -> None:
        tick("labelling", done + rows, total)

    for shard in missing:
        report = label_shard(labeller, shard, tick=tick_rows)
        if report.committed:
            log.shard_done(labeller.labels.path, shard, report.seconds)
        done += report.rows
        yield report
    labeller.labels.seal()
    if labeller.keep_tokens:
        contents.tokens(labeller.encoding.name).seal()


def _summarise(
    made: Store, labeller: Labeller, reports: list[ShardReport], seconds: float, device: str
) -> LabelSummary:
    rows, tokens = sum(report.rows for report in reports), sum(report.tokens for report in reports)
    busy = sum(report.seconds for report in reports)
    stages: dict[str, Any] = {}
    for report in reports:
        for stage, spent in report.stages.items():
            stages[stage] = stages.get(stage, 0.0) + spent / busy
    return LabelSummary(
        store=made.location,
        name=labeller.labels.name,
        rows=made.header.rows,
        rejected=made.header.rejects["rows"],
        failed=sum(record.statistics["failed"] for record in labeller.labels.records().values()),
        shards_done=len(reports),
        shards=made.header.shards,
        rows_done=rows,
        seconds=round(seconds, 3),
        rows_per_second=round(rows / seconds, 1) if rows else None,
        tokens_per_second=round(tokens / seconds, 1) if rows else None,
        padding=round(sum(report.padded_tokens for report in reports) / tokens, 4) if tokens else None,
        stages={stage: round(share, 4) for stage, share in stages.items()},
        device=device,
        dtype=labeller.encoder.dtype,
    )
