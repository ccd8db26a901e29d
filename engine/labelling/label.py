"""One label run: make the store if it does not exist, load the teacher, label every shard that is missing."""

import dataclasses
import re
from dataclasses import dataclass, field

from engine.compute.device import find_devices, restored_threads, warn_if_crowded
from engine.errors import InputError, LabellingError
from engine.ingest.append import append, finish_corpus, given_files
from engine.ingest.ingest import IngestConfig, ingest
from engine.ingest.known_inputs import GivenFiles, refuse_new
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.labelling.card import Choices, check_has_teacher, freeze_card, make_card
from engine.labelling.dtype_choice import pilot_texts
from engine.labelling.execute import execute
from engine.labelling.job import LabelJob
from engine.labelling.probe import Probe
from engine.labelling.runners.base import Runner
from engine.labelling.runners.choose import choose_runner
from engine.labelling.summary import LabelSummary
from engine.labelling.token_budget import CorpusSize, corpus_size
from engine.models.classifier import Classifier, named, respelled
from engine.models.teacher import TeacherSource, load_teacher
from engine.progress import Tick, silent
from store import Store
from store.errors import MismatchError
from store.families.label_card import LabelCard, label_card
from store.format.family import Family
from store.format.header import is_store
from store.format.names import check_name
from store.snapshot import check_classes
from store.storage import Storage, open_storage
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class LabelConfig:
    """A label run.

    Attributes:
        store: where the store is or will be; a path or a `Storage`.
        teacher: hub id or path of the classifier.
        revision: of the hub id.
        inputs: files of text; needed only while there is no corpus, and to append rows to it.
        columns: column names that the user gave.
        options: how the input files are read.
        classes: class names in order, for the corpus or for a teacher without names.
        shards: how many, of the rows that are read; needed only then.
        append: whether the rows of files that the store does not have are appended to it.
        name: of the label set; if None, from the model.
        choices: maximum length, dtype, token budget, rows to check and backend.
        devices: one for each worker, as in `engine.compute.device.find_devices`; unused if `label` gets a runner.
        worker: (i, n): label only the shards whose number leaves i when divided by n, for n runs side by side.
        keep_tokens: whether token ids are stored too.
        on_bad_row: ``reject`` or ``fail``.
    """

    store: str | Storage
    teacher: str
    revision: str | None = None
    inputs: tuple[str, ...] = ()
    columns: ColumnNames = field(default_factory=ColumnNames)
    options: ReadOptions = FOUND_OUT
    classes: tuple[str, ...] | None = None
    shards: int | None = None
    append: bool = False
    name: str | None = None
    choices: Choices = field(default_factory=Choices)
    devices: tuple[str, ...] = ("auto",)
    worker: tuple[int, int] | None = None
    keep_tokens: bool = True
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        if self.append and not self.inputs:
            raise InputError("--append adds the rows of input files to a store; name the files")
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
        NewFilesError: the store does not have some of the inputs, and they are not to be appended.
        EngineError, StoreError: something does not fit; nothing that was committed is changed.
        LabellingError: some shards could not be labelled; the others are.
    """
    storage = open_storage(config.store)
    if runner is None:
        runner = choose_runner(find_devices(config.devices), shared_store=storage.address is not None)
    with restored_threads():
        plan = plan_run(config, storage, runner, tick=tick)
        return execute(plan.store, plan.job, runner, worker=config.worker, tick=tick)


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """A run that a runner can carry out.

    Attributes:
        store: with its corpus, and with the label set begun.
        job: how its shards are labelled.
    """

    store: Store
    job: LabelJob


def plan_run(config: LabelConfig, storage: Storage, runner: Runner, *, tick: Tick = silent) -> LabelPlan:
    """Open the teacher and the store, or make it, and freeze the label card.

    The teacher is loaded here, into the memory of the CPU, because its hashes and classes are needed. The device is
    not: whatever depends on it is found out by the runner.

    Raises:
        EngineError, StoreError: as `label`.
    """
    given = _given(config, storage)
    name = config.name or default_name(config.teacher)
    saved = _saved_card(storage, name) or LabelCard()
    check_has_teacher(saved, label_set=name)
    teacher = _teacher_source(config, saved)
    model = load_teacher(teacher)
    if config.classes is not None and not is_store(storage):
        model = named(model, config.classes)
    store = _open_or_ingest(storage, config, model, given, tick)
    model = respelled(model, store.header.classes)
    check_classes(store, model.classes, whose=model.source)
    labels = store.label_set(name)
    held = label_card(labels)
    probe = Probe(
        teacher=teacher,
        choices=config.choices,
        corpus=_corpus_size(store, config.choices, held),
        held=held,
        devices=runner.devices,
        model=model,
        tick=tick,
    )
    card = _resolve_card(labels, probe, model, runner)
    job = LabelJob(
        store=storage.address or storage,
        label_set=name,
        teacher=config.teacher,
        revision=teacher.revision,
        card=card,
        keep_tokens=config.keep_tokens,
        workers=len(runner.devices),
        model=model,
    )
    return LabelPlan(store=store, job=job)


def _resolve_card(labels: Family, probe: Probe, model: Classifier, runner: Runner) -> LabelCard:
    """Find out what the user left open, and write the label card or check it against the one that exists."""
    settings, threads = runner.call(probe)
    card = freeze_card(labels, make_card(model, settings, threads=threads), probe.choices)
    if card.dtype != settings.dtype:  # a run that began at the same time chose it: this machine may not have it
        runner.call(dataclasses.replace(probe, held=card))
    warn_if_crowded(runner.devices, card.threads or threads)
    return card


def _corpus_size(store: Store, choices: Choices, held: LabelCard | None) -> CorpusSize:
    """The size of the corpus; with texts to try dtypes on if the dtype is open."""
    size = corpus_size(store)
    is_open = choices.dtype is None and held is None
    return dataclasses.replace(size, pilot=pilot_texts(store)) if is_open else size


def _teacher_source(config: LabelConfig, saved: LabelCard) -> TeacherSource:
    """The teacher; revision and classes are from the saved card if the user does not give them."""
    revision = config.revision or (saved.revision if saved.model == config.teacher else None)
    classes = config.classes or (None if saved.classes is None else tuple(saved.classes))
    return TeacherSource(source=config.teacher, revision=revision, classes=classes)


def default_name(teacher: str) -> str:
    """A label set's name from the teacher's: the last part of its path, in the characters that a name may have."""
    last = teacher.rstrip("/").rsplit("/", 1)[-1].lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:64]
    return check_name(slug or "teacher", what="label set")


def _saved_card(storage: Storage, name: str) -> LabelCard | None:
    """The card that an earlier run of this label set froze; None if this is the first."""
    return label_card(open_store(storage).label_set(name)) if is_store(storage) else None


def _given(config: LabelConfig, storage: Storage) -> GivenFiles | None:
    """Which inputs the store has; None if there is no store. Before anything is loaded: it may refuse them."""
    if not is_store(storage):
        return None
    store = open_store(storage)
    given = given_files(store, config.inputs)
    _check_same(store, config, given)
    if given.new and not config.append:
        refuse_new(store, given.new, is_finished=not store.memoised().corpus.missing())
    return given


def _open_or_ingest(
    storage: Storage, config: LabelConfig, model: Classifier, given: GivenFiles | None, tick: Tick
) -> Store:
    """The store with its corpus: made, finished, or with rows appended. ``given`` is None if there was no store."""
    request = IngestConfig(
        files=config.inputs,
        columns=config.columns,
        options=config.options,
        classes=config.classes,
        shards=config.shards,
        on_bad_row=config.on_bad_row,
    )
    if given is None and (given := _given(config, storage)) is None:
        if not config.inputs:
            raise InputError(f"{storage.location} is no store yet; name the files of text to make it from")
        return ingest(storage, request, known=model.classes, tick=tick)
    if config.append and config.inputs:
        return append(storage, request, given=given, tick=tick)
    return finish_corpus(storage, config.inputs, given=given, tick=tick)


def _check_same(store: Store, config: LabelConfig, given: GivenFiles) -> None:
    """Refuse options that the store contradicts: the segments that have some of the inputs, or all if none is named."""
    concerned = [one for one in store.header.segments if not config.inputs or one.segment in given.segments]
    for what, asked in dataclasses.asdict(config.columns).items():
        held = [{entry["columns"].get(what) or NO_COLUMN for entry in one.inputs if entry["rows"]} for one in concerned]
        if asked is not None and any(held) and {asked} not in held:
            names = ", ".join(sorted({name or "none" for one in held for name in one}))
            raise MismatchError(f"{store.location} was made from the {what} column {names}, and --{what} is {asked}")
    rejected = sum(one.rejects["rows"] for one in concerned)
    if config.on_bad_row == "fail" and rejected:
        words = f"{store.location} was made with {rejected:,} rows rejected, and --on-bad-row is fail"
        raise MismatchError(f"{words}; label into a new store")
    shards = {one.shards for one in concerned} | {store.layout.shards}
    if config.shards is not None and not given.new and config.shards not in shards:
        raise MismatchError(f"{store.location} has {store.layout.shards} shards, and --shards is {config.shards}")
    if config.classes is not None and sorted(config.classes) != sorted(store.header.classes):
        raise MismatchError(
            f"{store.location} has the classes {', '.join(store.header.classes)}, and --classes is "
            f"{', '.join(config.classes)}"
        )
