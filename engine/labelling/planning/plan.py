"""A request, a store and a runner → a label run that can be carried out: the teacher, and what decides the bytes."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.compute.backends import backend_named
from engine.compute.device import find_device, warn_if_crowded, warn_if_emulated, warn_if_shared
from engine.ingest.known_inputs import GivenFiles
from engine.labelling.card import freeze_card, held_card, make_card
from engine.labelling.dtype_choice import pilot_texts
from engine.labelling.job import LabelJob
from engine.labelling.pilot.estimate import RowCost
from engine.labelling.planning.command import command_of
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import open_or_ingest
from engine.labelling.planning.corpus_notes import noted
from engine.labelling.planning.early_workers import begin_workers
from engine.labelling.planning.first_look import check_has_teacher, default_name, revision_of, saved_card
from engine.labelling.probe import Probe, check_choices
from engine.labelling.runners.base import Runner
from engine.labelling.runners.cluster.ray_actors import RayActors
from engine.labelling.token_budget import CorpusSize, corpus_size
from engine.models.classifier import Classifier, named, respelled
from engine.models.flops import model_flops
from engine.models.notes.gold_texts import read_gold_texts
from engine.models.teacher import TeacherSource, load_teacher
from engine.progress import Tick, silent
from store import Store
from store.families.label_card import LabelCard, label_card
from store.families.learned_texts import freeze_learned_texts
from store.format.header import is_store
from store.snapshot import check_classes
from store.storage import Storage

_LENGTH = 128.0


@dataclass(frozen=True, kw_only=True)
class LoadedTeacher:
    """The teacher of a run.

    Attributes:
        name: of the label set.
        source: where it is.
        model: the classifier, in fp32 on the CPU.
        held: the card of the run that began the label set; None if this one begins it.
    """

    name: str
    source: TeacherSource
    model: Classifier
    held: LabelCard | None


@dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """A run that a runner can carry out, once it is begun.

    Attributes:
        job: how shards are labelled. Its card is the frozen one, or the one that this run will freeze.
        probe: found the settings that the user left open.
        threads: on a CPU, those of each worker.
        cost: of a row, by its tokens.
        id_bytes: of a stored token id.
        is_begun: whether the label set was begun before.
    """

    job: LabelJob
    probe: Probe
    threads: int
    cost: RowCost
    id_bytes: int
    is_begun: bool

    def begin(self, store: Store, runner: Runner) -> LabelJob:
        """Write the label card, or check it against the one that exists; the job with the card that holds.

        Which texts the teacher learned is noted beside it: its folder may not be there when that is asked.

        Raises:
            MismatchError: another run began the label set meanwhile, with other settings.
        """
        labels, model = store.label_set(self.job.label_set), self.job.model
        card = freeze_card(labels, self.job.card, self.probe.choices)
        if model is not None and (learned := read_gold_texts(model.folder)) is not None:
            freeze_learned_texts(labels, learned)
        if card.dtype != self.job.card.dtype:  # a run that began at the same time chose it: this machine may lack it
            runner.call(dataclasses.replace(self.probe, held=card))
        warn_if_crowded(runner.devices, card.threads or self.threads)
        warn_if_shared(runner.devices)
        on_cpu = runner.devices[0] == "cpu" and not isinstance(runner, RayActors)  # whose processors are others
        if on_cpu and card.dtype is not None:
            remedy = "The label set keeps it; --dtype auto takes what is fastest, under another --name"
            warn_if_emulated(card.dtype, find_device(runner.devices[0]), remedy=remedy)
        return dataclasses.replace(self.job, card=card)


def load(config: LabelConfig, storage: Storage) -> LoadedTeacher:
    """The teacher of a run, into the memory of the CPU, because its hashes and classes are needed.

    The device is not: whatever depends on it is found out by the runner.

    Raises:
        ModelError, MismatchError: it cannot be loaded, or the label set was made from answers.
    """
    name = config.name or default_name(config.teacher)
    held = saved_card(storage, name)
    saved = held or LabelCard()
    check_has_teacher(saved, label_set=name, location=storage.location)
    source = _teacher_source(config, saved)
    model = load_teacher(source)
    if config.classes is not None and not is_store(storage):
        model = named(model, config.classes)
    return LoadedTeacher(name=name, source=source, model=model, held=held)


def plan_run(
    config: LabelConfig, storage: Storage, runner: Runner, *, given: GivenFiles | None, tick: Tick = silent
) -> tuple[Store, LabelPlan]:
    """Open the teacher and the store, or make it, and decide how it is labelled.

    Args:
        config: the request.
        storage: of the store.
        runner: that will label.
        given: as `engine.labelling.planning.corpus.given_to` found them.
        tick: told of progress.

    Raises:
        EngineError, StoreError: as `engine.labelling.label.label`.
    """
    teacher = load(config, storage)
    if config.on is None:
        check_choices(teacher.model, config.choices, runner)
    with noted(storage, tick, again=command_of(config, storage.location)) as both:
        store = open_or_ingest(storage, config, teacher.model, given, both)
    begin_workers(runner, store, config)
    return store, plan_on(store, config, teacher, runner, tick=tick)


def plan_on(
    store: Store, config: LabelConfig, teacher: LoadedTeacher, runner: Runner, *, tick: Tick = silent
) -> LabelPlan:
    """Decide how a store that has its corpus is labelled. Writes nothing.

    Raises:
        MismatchError: the teacher has other classes than the store, or the label set was begun with other settings.
    """
    model = respelled(teacher.model, store.header.classes)
    check_classes(store, model.classes, whose=model.source)
    held = label_card(store.label_set(teacher.name))
    corpus = corpus_size(store)
    if config.choices.dtype is None and held is None:
        corpus = dataclasses.replace(corpus, pilot=pilot_texts(store))
    teacher = dataclasses.replace(teacher, model=model, held=held)
    return plan_for(config, teacher, corpus, runner, store=store.storage.address or store.storage, tick=tick)


def plan_for(
    config: LabelConfig,
    teacher: LoadedTeacher,
    corpus: CorpusSize,
    runner: Runner,
    *,
    store: str | Storage,
    tick: Tick = silent,
) -> LabelPlan:
    """Find out what the user left open, and check it against what the label set was begun with. Writes nothing.

    Args:
        config: the request.
        teacher: whose classes are spelled as the store's are.
        corpus: how much there is to label; with texts to try dtypes on, if the dtype is open.
        runner: that will label.
        store: where the store is, or will be.
        tick: told of progress.

    Raises:
        MismatchError: the label set was begun with other settings.
    """
    model, held = teacher.model, teacher.held
    probe = _probe(config, teacher, corpus, runner, tick)
    settings, threads = runner.call(probe)
    card = make_card(model, settings, threads=threads)
    job = LabelJob(
        store=store,
        label_set=teacher.name,
        teacher=config.teacher,
        revision=teacher.source.revision,
        card=card if held is None else held_card(held, card, probe.choices, label_set=teacher.name),
        keep_tokens=config.keep_tokens,
        workers=len(runner.devices),
        model=model,
    )
    return LabelPlan(
        job=job,
        probe=probe,
        threads=threads,
        cost=flops_of(model, first_only=backend_named(settings.backend).first_only),
        id_bytes=2 if model.encoding(settings.max_length).vocab_size <= 1 << 16 else 4,
        is_begun=held is not None,
    )


def _probe(config: LabelConfig, teacher: LoadedTeacher, corpus: CorpusSize, runner: Runner, tick: Tick) -> Probe:
    return Probe(
        teacher=teacher.source,
        choices=config.choices,
        corpus=corpus,
        held=teacher.held,
        devices=runner.devices,
        model=teacher.model,
        tick=tick,
    )


def flops_of(model: Classifier, *, first_only: bool) -> RowCost:
    """Floating-point operations of a row, by its tokens: a constant, a part for each token, and one for each pair.

    Args:
        model: as it was loaded.
        first_only: as of `engine.models.flops.model_flops`.
    """
    lengths = [np.array([round(times * _LENGTH)]) for times in (0, 1, 2)]
    none, one, two = (model_flops(model.module, length, first_only=first_only) for length in lengths)
    square = (two - 2 * one + none) / (2 * _LENGTH**2)
    linear = (one - none) / _LENGTH - square * _LENGTH

    def cost(tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        many = tokens.astype(np.float64)
        return none + many * (linear + many * square)

    return cost


def _teacher_source(config: LabelConfig, saved: LabelCard) -> TeacherSource:
    """The teacher; revision and classes are from the saved card if the user does not give them."""
    classes = config.classes or (None if saved.classes is None else tuple(saved.classes))
    return TeacherSource(source=config.teacher, revision=revision_of(config, saved), classes=classes)
