"""What a label run is asked to do, as the user says it."""

from dataclasses import dataclass, field

from engine.errors import InputError, LabellingError
from engine.ingest.near_duplicates.index import check_threshold
from engine.ingest.near_duplicates.marking import MARKING
from engine.inputs.columns import ColumnNames
from engine.inputs.options import FOUND_OUT, ReadOptions
from engine.labelling.planning.choices import Choices
from store.storage import Storage


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
        on: a cluster that carries out the work: ``ray``, or ``ray://HOST:PORT``; None for this machine.
        workers: of the cluster; None for as many as it has devices.
        worker: (i, n): label only the shards whose number leaves i when divided by n, for n runs side by side.
        keep_tokens: whether token ids are stored too.
        on_bad_row: ``reject`` or ``fail``.
        near_duplicates: the similarity, as 0.8, from which rows of the inputs are marked as nearly the same as an
            earlier row, in the columns ``near_duplicate_of`` and ``near_duplicate_similarity``; None for no such
            columns. Rows that are appended to marked ones are marked likewise.
        pilot: rows that are labelled first, to forecast what the others will take; None for no pilot, unless there is a
            limit of time.
        max_hours: the run ends, with an error, as soon as it is plain that it will take longer; None for no limit.
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
    on: str | None = None
    workers: int | None = None
    worker: tuple[int, int] | None = None
    keep_tokens: bool = True
    on_bad_row: str = "reject"
    near_duplicates: float | None = None
    pilot: int | None = None
    max_hours: float | None = None

    def __post_init__(self) -> None:
        if self.append and not self.inputs:
            raise InputError("--append adds the rows of input files to a store; name the files")
        if self.workers is not None and (self.on is None or self.workers < 1):
            raise LabellingError("--workers says how many workers a cluster has, at least 1, and needs --on")
        if self.worker is not None and not 0 <= self.worker[0] < self.worker[1]:
            raise LabellingError(f"--worker is {self.worker[0]}/{self.worker[1]}; it must be from 0/n to n-1/n")
        if self.near_duplicates is not None:
            check_threshold(self.near_duplicates, named=MARKING)
        if self.pilot is not None and self.pilot < 1:
            raise LabellingError(f"--pilot is {self.pilot}; it labels at least 1 row")
        if self.max_hours is not None and not self.max_hours > 0:
            raise LabellingError(f"--max-hours is {self.max_hours:g}; it must be more than 0")
