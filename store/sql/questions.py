"""The named quality questions: one file of SQL each in ``store/sql/queries``, plain enough to be copied.

A file's first comment is the question's help; ``-- Needs:`` below it lists its preconditions. A question
takes no parameter but the label set that the view ``reviews`` joins and the rounds of gold that it shows; and where a
file has `BY`, an expression that stands there instead. Nothing here runs SQL: `store.store.Store.audit`
does in the caller's process, and the command line in one of its own.
"""

import dataclasses
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

from store.errors import MismatchError, QueryError, StoreMissingError
from store.families.label_card import label_card
from store.format.label_command import label_command, new_labels
from store.gold.calibration import usable_calibration
from store.gold.held import chosen_rounds, has_gold, way_to_gold
from store.snapshot import Snapshot
from store.sql.texts.conditions import check_expression
from store.storage.near_paths import near_names

OVERVIEW = ("failures", "classes", "length", "agreement", "accuracy", "calibration")
"""The questions that are asked if none is named: quick ones with small answers."""

BY = re.compile(r"^( +).+ AS slice,(?=  -- by)", re.MULTILINE)
"""The line of a file that groups by an expression over ``reviews``: another one may take its place."""

_READS_GOLD = re.compile(r"^ *[^- ].*\bgold\b", re.MULTILINE)
_BY_CHARACTERS = "(2 ^ floor(log2(greatest(n_chars, 1))))::INT"
_FEW = ["labels", "tokens", "two label sets", "gold", "calibration", "texts"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One file of SQL.

    Attributes:
        name: of the file, without its ending.
        help: one line.
        needs: some of ``labels`` (one label set, with rows), ``tokens`` (a model counted them), ``two label sets``,
            ``gold``, ``calibration``, and ``texts``, which every store has but which take longer to read.
        sql: the file.
    """

    name: str
    help: str
    needs: tuple[str, ...]
    sql: str

    @property
    def judges(self) -> bool:
        """Whether it says from the rows that have gold how good the labels of all rows are; some show single rows."""
        return "texts" not in self.needs and _READS_GOLD.search(self.sql) is not None


@cache
def questions() -> dict[str, Question]:
    """All of them by name: those that need least come first."""
    return read_questions("store.sql")


def read_questions(package: str) -> dict[str, Question]:
    """The questions in the folder ``queries`` of a package, by name."""
    read = [_parse(file.name, file.read_text("utf-8")) for file in files(package).joinpath("queries").iterdir()]
    return {one.name: one for one in sorted(read, key=lambda one: (sorted(map(_FEW.index, one.needs)), one.name))}


def _parse(file: str, sql: str) -> Question:
    help_, second, *_ = sql.splitlines()
    needs = second.removeprefix("-- Needs: ").split(", ") if second.startswith("-- Needs: ") else []
    return Question(name=file.removesuffix(".sql"), help=help_.removeprefix("-- "), needs=tuple(needs), sql=sql)


def question(name: str) -> Question:
    """The question ``name``.

    Raises:
        QueryError: it does not exist; the message names similar ones.
    """
    if name not in questions():
        near = near_names(name, questions(), cutoff=0.5) or list(questions())
        raise QueryError(f"there is no question {name!r}; did you mean {' or '.join(near)}?")
    return questions()[name]


def ready(snapshot: Snapshot, name: str, *, labels: str | None = None, rounds: Sequence[int] | None = None) -> Question:
    """The question ``name``, which can be asked of this store.

    Args:
        snapshot: the store.
        name: of the question.
        labels: the label set; needed if there are several.
        rounds: the rounds of gold that count, 0 being the corpus's own; all where None.

    Raises:
        QueryError: there is no such question.
        StoreMissingError: the store lacks something that it needs.
    """
    asked = question(name)
    if lack := lacking(snapshot.memoised(), asked, labels=labels, rounds=rounds):
        raise StoreMissingError(f"{name} cannot be asked: {lack}")
    return asked


def sliced(asked: Question, by: str, *, ask: Callable[[str], pa.Table]) -> Question:
    """``asked``, by another expression over the columns of ``reviews``.

    Args:
        asked: a question that has `BY`.
        by: the expression.
        ask: runs a SELECT.

    Raises:
        QueryError: the question has no place for it, or it is not one expression.
    """
    if not BY.search(asked.sql):
        able = " and ".join(one.name for one in questions().values() if BY.search(one.sql))
        raise QueryError(f"{asked.name} groups by nothing that could be chosen; --by goes with {able}")
    expression = check_expression(by, ask=ask)
    sql = BY.sub(lambda line: f"{line[1]}{expression} AS slice,", asked.sql)
    return dataclasses.replace(asked, sql=sql)


def lacking(
    snapshot: Snapshot, asked: Question, *, labels: str | None = None, rounds: Sequence[int] | None = None
) -> str | None:
    """The first thing that ``asked`` needs and the store lacks, with a remedy; None if it can be asked.

    Raises:
        StoreMissingError: there is no label set ``labels``, or no round of ``rounds``.
    """
    if labels is not None:
        snapshot.one_label_set(labels)
    if rounds is not None:
        chosen_rounds(snapshot, rounds)
    checks: dict[str, Callable[[], str | None]] = {
        "labels": lambda: _lacking_labels(snapshot, labels),
        "tokens": lambda: _lacking_tokens(snapshot, labels),
        "two label sets": lambda: _lacking_second(snapshot),
        "gold": lambda: _lacking_gold(snapshot, rounds),
        "calibration": lambda: _lacking_calibration(snapshot, labels),
        "texts": lambda: None,
    }
    return next((lack for need in asked.needs if (lack := checks[need]())), None)


def _lacking_labels(snapshot: Snapshot, labels: str | None) -> str | None:
    names = snapshot.label_sets()
    if labels is None and len(names) > 1:
        return f"it is about one label set; choose it with --labels. {snapshot.location} has: {', '.join(names)}"
    if not names or not snapshot.label_set(labels or names[0]).records():
        whose = f"the label set {labels or names[0]!r}" if names else snapshot.location
        way = shlex.join(new_labels(snapshot.location))
        if names:
            way = label_command(snapshot.storage, snapshot.label_set(labels or names[0]).path)
        return f"{whose} has no labels yet; `{way}` makes them"
    return None


def _lacking_tokens(snapshot: Snapshot, labels: str | None) -> str | None:
    name = snapshot.one_label_set(labels)
    card = label_card(snapshot.label_set(name))
    if card is None or card.answers is None:
        return None
    way = shlex.join(["engine", "audit", snapshot.location, "slices", "--labels", name, "--by", _BY_CHARACTERS])
    return f"the label set {name!r} was made from answers, and no model counted tokens; `{way}` goes by characters"


def _lacking_second(snapshot: Snapshot) -> str | None:
    names = [name for name in snapshot.label_sets() if snapshot.label_set(name).records()]
    if len(names) > 1:
        return None
    return (
        f"it compares label sets, and {snapshot.location} has {'only ' + repr(names[0]) if names else 'none'}; "
        f"`{shlex.join([*new_labels(snapshot.location), '--name', 'NAME'])}` adds one of another teacher"
    )


def _lacking_calibration(snapshot: Snapshot, labels: str | None) -> str | None:
    name = snapshot.one_label_set(labels)
    try:
        usable_calibration(snapshot, name)
    except (StoreMissingError, MismatchError) as error:
        return str(error)
    return None


def _lacking_gold(snapshot: Snapshot, rounds: Sequence[int] | None) -> str | None:
    if has_gold(snapshot, rounds):
        return None
    where = f" in round {', '.join(map(str, rounds))}" if rounds is not None else ""
    return f"no row of {snapshot.location} has a gold label{where}; {way_to_gold(snapshot.location)}"
