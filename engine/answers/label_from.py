"""Files of answers by id → a label set of a store that exists, and what became of every row."""

import dataclasses
import logging
import shlex
from dataclasses import dataclass, field

import numpy as np

from engine.answers.card import check_is_of_answers, freeze_card
from engine.answers.columns import AnswerColumns
from engine.answers.gathered import SHOWN_IDS, Gathered
from engine.answers.id_index import IdIndex
from engine.answers.judge import Answers, judge
from engine.answers.read import AnswerReader
from engine.answers.scores.table import ScoreTable
from engine.answers.store_ids import StoreIds
from engine.answers.summary import AnswersSummary, answered_rows, make_card, summarise
from engine.answers.write import write_shards
from engine.errors import InputError
from engine.ingest.columns_before import columns_before
from engine.inputs.formats import expand
from engine.inputs.labels.refused import left_out_note
from engine.inputs.labels.several_files import read_together
from engine.inputs.messages import counted, merged, no_usable_row, several
from engine.inputs.options import FOUND_OUT, ReadOptions, check_on_bad_row
from engine.progress import Tick, silent
from store import Store
from store.format.header import a_model, is_store
from store.storage import Storage, open_storage
from store.store import open_store

HARD = 0.9
_LONGEST_ID = 60
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AnswersConfig:
    """A label set to be made from answers.

    Attributes:
        store: its location, or a `Storage`; it has a corpus.
        name: of the label set.
        inputs: paths and globs.
        columns: column names that the user gave, and what scores are. The classes are those of the store.
        options: how the files are read.
        hard: the probability of a label without a confidence; 0.9 if None.
        on_bad_row: ``reject`` or ``fail``.
    """

    store: str | Storage
    name: str
    inputs: tuple[str, ...]
    columns: AnswerColumns = field(default_factory=AnswerColumns)
    options: ReadOptions = FOUND_OUT
    hard: float | None = None
    on_bad_row: str = "reject"

    def __post_init__(self) -> None:
        check_on_bad_row(self.on_bad_row)
        if self.hard is not None and not 0 < self.hard < 1:
            raise InputError(f"--hard is {self.hard:g}; it is a probability, and must be below 1")


def label_from(config: AnswersConfig, *, tick: Tick = silent) -> AnswersSummary:
    """Make a label set from answers, or go on with it where an earlier run was stopped. No model is loaded.

    The same answers again change nothing but shards that are damaged, which are mended.

    Args:
        config: which answers, and how they are read.
        tick: told how far it is.

    Raises:
        InputError: no answer can be used, it is doubtful what they are, or a row is bad and ``on_bad_row`` is ``fail``.
        MismatchError: the label set was made from other answers, or by a teacher.
        StoreError: the store is not finished, or damaged.
    """
    store = _open(config)
    labels, classes = store.label_set(config.name), len(store.header.classes)
    check_is_of_answers(labels)
    hard = _hard(config, classes)
    store.storage.sweep()
    with ScoreTable(classes) as scores:
        gathered, answers = _read(config, store, scores, hard, tick)
        failures = gathered.refusals.failures(answered_rows(answers, store.layout.rows))
        card = make_card(store, gathered, answers, failures, hard=hard)
        freeze_card(labels, card)
        written = write_shards(store, labels, answers, failures, hard=hard, tick=tick)
    return summarise(store, config.name, card, written, gathered.refusals.reasons())


def _open(config: AnswersConfig) -> Store:
    """The store, which has a corpus.

    Raises:
        InputError: there is none.
    """
    storage = open_storage(config.store)
    if not is_store(storage):
        if model := a_model(storage):
            raise InputError(model)
        raise InputError(
            f"{storage.location} is no store yet, and answers are of rows that a store has; `engine label INPUT… "
            f"--store {shlex.quote(storage.location)} --teacher MODEL` makes one"
        )
    return open_store(storage)


def _hard(config: AnswersConfig, classes: int) -> float:
    """The probability of a label without a confidence.

    Raises:
        InputError: another class would be as likely.
    """
    hard = HARD if config.hard is None else config.hard
    if hard * classes <= 1:
        raise InputError(
            f"--hard is {hard:g}; of {classes:,} classes the named one must be likelier than the others: give more "
            f"than 1/{classes:,}"
        )
    return hard


def _read(config: AnswersConfig, store: Store, scores: ScoreTable, hard: float, tick: Tick) -> tuple[Gathered, Answers]:
    """Read and judge the answers, and say what is to be known of them.

    Raises:
        InputError: as `label_from`.
    """
    files = expand(config.inputs)
    columns = dataclasses.replace(config.columns, classes=tuple(store.header.classes), before=columns_before(store))
    index = IdIndex.of_store(store, tick=tick)
    reader = AnswerReader(StoreIds(store, index), columns, config.options, scores, tick)
    with read_together(files, with_texts=False):
        for file in files:
            reader.read(file)
    gathered = reader.gathered
    _check_usable(gathered, gathered.found, store, index)
    _check_flags(config, gathered)
    mapped = config.options.label_map or ()
    answers = judge(gathered, index, store.header.classes, kind=columns.scores, mapped=mapped)
    doubts = _doubts(answers, len(columns.classes), hard)
    notes = [*merged(reader.notes(), files), *answers.notes, *doubts, *left_out_note(gathered.refusals.left_out)]
    for note in notes:
        _log.info("%s", note)
    if gathered.refusals.total and config.on_bad_row == "fail":
        raise InputError(f"{several(gathered.refusals.reasons())}. Mend or drop the row, or pass --on-bad-row=reject")
    _check_usable(gathered, len(answers.rows), store, index)
    return gathered, answers


def _check_usable(gathered: Gathered, usable: int, store: Store, index: IdIndex) -> None:
    """Refuse files of which no row can be used.

    Raises:
        InputError: they are such; if no id is in the store, it shows some of both.
    """
    if usable:
        return
    refusals = gathered.refusals
    words = no_usable_row([file["path"] for file in gathered.files], refusals.total, refusals.reasons())
    if not gathered.found and gathered.lost_ids:
        theirs, ours = (
            ", ".join(repr(id_[:_LONGEST_ID]) for id_ in ids) for ids in (gathered.lost_ids, index.first(SHOWN_IDS))
        )
        words += (
            f". Ids of the files are {theirs}, and those of the store {ours}: choose the column of ids with --id, or "
            f"have the texts answered with the ids of the store, which `engine sql {shlex.quote(store.location)} "
            '"SELECT id, text FROM corpus" --out texts.csv` writes'
        )
    raise InputError(words)


def _check_flags(config: AnswersConfig, gathered: Gathered) -> None:
    """Refuse flags that do not go with what the files hold.

    Raises:
        InputError: there is one.
    """
    if gathered.has_scores and config.hard is not None:
        raise InputError(
            "--hard is the probability of a bare label, and the files have a score for each class: leave it out, or "
            "name the column of labels with --label"
        )
    if gathered.has_scores and config.options.label_map:
        raise InputError(
            "--label-map says which class a label is, and the files have a score for each class: leave it out, or name "
            "the column of labels with --label"
        )
    if not gathered.has_scores and config.columns.scores is not None:
        columns = " and ".join(sorted(map(repr, gathered.label_columns)))
        raise InputError(
            f"--scores says what the scores of the classes are, and labels are read, from {columns}: leave it out, or "
            "give a column for each class, called as the class is"
        )


def _doubts(answers: Answers, classes: int, hard: float) -> list[str]:
    """What confidences say that a user may not have meant."""
    if answers.confidence is None:
        return []
    bare, low = np.isnan(answers.confidence), answers.confidence * classes < 1
    notes = []
    if bare.any():
        notes.append(
            f"{counted(int(bare.sum()), 'answer')} without a confidence: the named class gets {hard:g} (--hard)"
        )
    if low.any():
        notes.append(
            f"{counted(int(low.sum()), 'answer')} with a confidence below 1/{classes:,}: another class than the named "
            "one is then the likelier one, and the prediction"
        )
    return notes
