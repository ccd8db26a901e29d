"""Files of answers → arrays of those whose row in the store is known; every other row of the files is refused.

Labels and scores are taken as they are: `engine.answers.judge` decides what they stand for.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.answers.columns import AnswerColumns, Roles, roles_of
from engine.answers.gathered import SHOWN_IDS, Codes, Gathered
from engine.answers.id_index import ABSENT
from engine.answers.refusals import by_reason
from engine.answers.scores.numbers import numbers_of
from engine.answers.scores.table import ScoreTable
from engine.answers.store_ids import StoreIds
from engine.errors import InputError
from engine.ingest.ahead import ahead
from engine.ingest.ids.near_ids import NOT_THERE, REJECTED, words_of_rejected
from engine.ingest.input_file import described, file_version
from engine.inputs.blocks import Problems, RawBlock, in_detail
from engine.inputs.formats import read_raw
from engine.inputs.labels.annotations import LabelRows, label_rows
from engine.inputs.labels.names.names_beside import NamesBeside
from engine.inputs.labels.refused import lack
from engine.inputs.messages import counted
from engine.inputs.options import ReadOptions
from engine.progress import Tick
from store.families.label_card import AnswersFile
from store.rows.row_set import RowNumbers

Numbers = npt.NDArray[np.int64]


class AnswerReader:
    """Reads files, one after the other.

    Args:
        ids: of the store.
        wanted: column names that the user gave, and the classes of the store.
        options: how the files are read.
        scores: takes the scores.
        tick: told how far it is.

    Attributes:
        gathered: what has been read.
    """

    def __init__(
        self, ids: StoreIds, wanted: AnswerColumns, options: ReadOptions, scores: ScoreTable, tick: Tick
    ) -> None:
        self._ids = ids
        self._wanted = wanted
        self._options = options
        self._tick = tick
        self.gathered = Gathered(scores=scores, beside=NamesBeside(wanted.classes))

    def read(self, file: str) -> None:
        """Read ``file``.

        Raises:
            InputError: it cannot be read, changes meanwhile, lacks a column, or holds scores where another has labels.
        """
        version = file_version(file)
        entry: AnswersFile = {"path": file, "size": 0, "sha256": "", "rows": 0, "columns": {}}
        self.gathered.files.append(entry)
        with described(file) as description:
            for raw in ahead(read_raw(file, self._wanted, self._options)):
                if raw.columns.id is None:
                    raise InputError(
                        f"{file}: text alone has no ids; give a file with a column of them and one of labels"
                    )
                roles = roles_of(raw.columns, self._wanted, file=file)
                if not entry["rows"]:
                    self._begin(entry, raw, roles)
                self._take_in(raw, roles, entry)
                self._tick("reading answers", self.gathered.rows, None)
            entry["size"], entry["sha256"] = description.result()
        version.check()

    def _begin(self, entry: AnswersFile, raw: RawBlock, roles: Roles) -> None:
        """Take down how a file is read, of which ``raw`` is the first block."""
        gathered, label = self.gathered, raw.columns.label
        entry["columns"] = roles.card
        label_map = raw.reading.options.label_map or self._options.label_map
        if options := dataclasses.replace(raw.reading.options, label_map=label_map).to_json():
            entry["options"] = options
        if label is not None:
            gathered.label_columns.add(label)
        if roles.declared is not None:
            gathered.shapes.declared.add(roles.declared)
        if gathered.has_scores not in (None, roles.scores is not None):
            first, other = ("scores", "labels") if gathered.has_scores else ("labels", "scores")
            raise InputError(
                f"{gathered.files[0]['path']} has {first} and {entry['path']} {other}: make two label sets, each with "
                "a --name, or choose the column of labels of all with --label"
            )
        gathered.has_scores = roles.scores is not None

    def _take_in(self, raw: RawBlock, roles: Roles, entry: AnswersFile) -> None:
        gathered, file = self.gathered, entry["path"]
        rows = label_rows(raw, file, self._options, gathered.beside, self._wanted.classes, apart=roles.apart)
        problems = rows.problems
        gathered.notes |= dict.fromkeys([*rows.notes, *roles.notes])
        gathered.not_labels |= rows.not_labels
        if not entry["rows"] and rows.other_ids:
            self._ids.check_others(rows)
        store_rows, padded = self._ids.rows(rows.id)
        gathered.padded += padded
        scores = confidence = None
        if roles.scores is None:
            _refuse_no_label(rows, problems)
            confidence = _confidence(rows, roles, problems)
        else:
            scores = _scores(rows, roles, self._wanted.classes, problems)
            fit = np.array([problem is None for problem in problems], np.bool_)
            places = np.flatnonzero(fit) + raw.first_row
            gathered.shapes.add(scores[fit], file=file, rows=places)
        annotators = self._annotators(rows, roles, problems, file)
        good = self._refuse(rows, store_rows, raw, file)
        gathered.found += len(good)
        gathered.add(numbers=gathered.rows + good, rows=store_rows[good])
        if annotators is not None:
            gathered.add(annotators=annotators[good])
        if scores is not None:
            gathered.scores.add(scores[good])
        else:
            gathered.add(labels=gathered.labels.take_in(rows.label, file=file)[good])
        if confidence is not None:
            gathered.add(confidence=confidence[good].astype(np.float32))
        gathered.rows += raw.rows
        entry["rows"] += raw.rows

    def _annotators(self, rows: LabelRows, roles: Roles, problems: Problems, file: str) -> Codes | None:
        if self._wanted.annotator is None:
            return None
        if roles.annotator is None:
            return np.full(len(problems), -1, np.int32)
        names = rows.extras[roles.annotator].cast(pa.string())
        for row in np.flatnonzero(names.is_null().to_numpy(zero_copy_only=False)).tolist():
            problems[row] = problems[row] or "annotator is null"
        return self.gathered.annotators.take_in(names, file=file)

    def _refuse(self, rows: LabelRows, store_rows: RowNumbers, raw: RawBlock, file: str) -> Numbers:
        """Refuse rows that have a problem or are not in the store; the places of the others."""
        gathered, problems = self.gathered, rows.problems

        def refuse(reason: str, at: Numbers, why: Callable[[int], str]) -> None:
            gathered.refusals.add(
                reason,
                gathered.rows + at,
                store_rows[at],
                detail=lambda one: f"{file} row {raw.first_row + int(at[one]):,}: {why(int(at[one]))}",
            )

        for reason, at in by_reason(problems).items():
            refuse(reason, at, lambda row: in_detail(problems[row] or ""))
        fit = np.array([problem is None for problem in problems], np.bool_)
        rejected = self._ids.rejected(rows.id, np.flatnonzero(fit & (store_rows == ABSENT)))
        refuse(f"id {REJECTED}", np.array([*rejected], np.int64), rejected.__getitem__)
        fit[[*rejected]] = False
        lost = np.flatnonzero(fit & (store_rows == ABSENT))
        gathered.lost_ids += rows.id.take(pa.array(lost[: SHOWN_IDS - len(gathered.lost_ids)])).to_pylist()
        refuse(f"id {NOT_THERE}", lost, lambda row: self._ids.why_not(rows.id[row].as_py()))
        return np.flatnonzero(fit & (store_rows != ABSENT))

    def notes(self) -> list[str]:
        """What a user has to know of how the files were read."""
        padded = self.gathered.padded
        words = f"{counted(padded, 'id')} found without the white space around, or the .0 behind"
        rejected = self.gathered.refusals.counts[f"id {REJECTED}"]
        others = [words_of_rejected(rejected, store=self._ids.store.location)] if rejected else []
        return [*self.gathered.notes, *([words] if padded else []), *others]


def _refuse_no_label(rows: LabelRows, problems: Problems) -> None:
    """A reason for each row without a label."""
    for row in np.flatnonzero(rows.label.is_null().to_numpy(zero_copy_only=False)).tolist():
        problems[row] = problems[row] or lack(None, rows.written[row].as_py())


def _confidence(rows: LabelRows, roles: Roles, problems: Problems) -> npt.NDArray[np.float64] | None:
    """(rows,) the probability of the named class; not a number where a row has none."""
    if roles.confidence is None:
        return None
    values = numbers_of(rows.extras[roles.confidence], problems, "confidence")
    for row in np.flatnonzero((values < 0) | (values > 1)).tolist():
        problems[row] = problems[row] or f"confidence is not from 0 to 1: {values[row]:.6g}"
    return values


def _scores(rows: LabelRows, roles: Roles, classes: Sequence[str], problems: Problems) -> npt.NDArray[np.float64]:
    """(rows, classes) the scores; not a number where a row has none."""
    assert roles.scores is not None, "there are labels instead"
    columns = [
        numbers_of(rows.extras[name], problems, f"the score of {class_!r}")
        for name, class_ in zip(roles.scores, classes, strict=True)
    ]
    scores = np.stack(columns, axis=1)
    lacking = np.isnan(scores)
    for row in np.flatnonzero(lacking.any(axis=1)).tolist():
        first = classes[int(lacking[row].argmax())]
        all_ = lacking[row].all()
        problems[row] = problems[row] or ("there are no scores" if all_ else f"the score of {first!r} is null")
    return scores
