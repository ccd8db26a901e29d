"""The user's files → the rows of the experiment in files of its own, none of them the same as a test row.

    gold.parquet     id, text, label (a class name): those of the arms with few labels first, then the extra ones
    pool.parquet     id, text
    test.parquet     id, text, label, in the order of the user's files
    removed.jsonl    a line for each row that was taken away: what it was for, its id, which test row it is like
    rows.json        `Rows`; it comes last

They are written once: an experiment that goes on reads these, and checks that the user's files are the same.
"""

import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.comparison.experiment.choices import CompareConfig
from engine.comparison.experiment.data.gold import read_gold_sets, some
from engine.comparison.experiment.data.leaks import Leak, TestTexts
from engine.comparison.experiment.data.pool import UNLABELLED, write_pool
from engine.errors import InputError, TrainingError
from engine.inputs.labels.labelled import Gold
from engine.inputs.messages import SHOWN, counted
from engine.progress import Tick, silent
from store.storage.atomic_file import replaced, write_file
from store.storage.file_hash import sha256_of

GOLD, POOL, TEST, REMOVED, ROWS = "gold.parquet", "pool.parquet", "test.parquet", "removed.jsonl", "rows.json"
_COMPARED = 1_024  # rows at once
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How many rows the experiment has, and what became of the others.

    Attributes:
        classes: class names, in order.
        labels: n, gold rows of the arms with few labels.
        extra: further gold rows, of the arm that has them.
        pool: unlabelled rows.
        test: test rows.
        near: the similarity from which rows were taken away; 0 if only equal ones were.
        removed: rows that were taken away, by what they were for and how they are like a test row.
        rejected: rows that were refused when the files were read.
        reasons: of the first of them.
        sha256: of the files that hold the rows, by name; empty in an experiment that an earlier state began.
    """

    classes: list[str]
    labels: int
    extra: int
    pool: int
    test: int
    near: float
    removed: dict[str, dict[str, int]]
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)

    def removed_by_set(self) -> dict[str, int]:
        """Rows that were taken away, by what they were for."""
        return {name: sum(how.values()) for name, how in self.removed.items() if how}


def read_rows(folder: Path) -> Rows | None:
    """What `prepare_rows` wrote; None if it has not come to its end.

    Raises:
        TrainingError: the file, or one of those that hold the rows, is damaged.
    """
    again = f"remove the folder {folder}, and run the same command again: what was trained stays"
    try:
        rows = Rows(**json.loads((folder / ROWS).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise TrainingError(f"{folder / ROWS} is damaged ({error}); {again}") from None
    for name, sha256 in rows.sha256.items():
        if not (folder / name).exists() or sha256_of(folder / name) != sha256:
            raise TrainingError(f"{folder / name} is damaged (it has other bytes than were written); {again}")
    return rows


def prepare_rows(config: CompareConfig, folder: Path, *, near: float, tick: Tick = silent) -> Rows:
    """Read the user's files, take away what is in the test, and write the rest into ``folder``.

    Args:
        config: which files, and how they are read.
        folder: of the rows.
        near: similarity from which a row is taken away; 0 if only equal ones are.
        tick: told of progress.

    Raises:
        InputError: a file cannot be read, too few rows are left, or a row is bad and ``on_bad_row`` is ``fail``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sets = read_gold_sets(config)
    test = TestTexts(sets.test.texts, sets.test.ids, near=near)
    removed = Removed()
    labelled, extra = (
        _without_leaks(gold, name, test, removed, tick)
        for name, gold in (("labelled", sets.labelled), ("extra", sets.extra))
    )
    pool = write_pool(config, folder / POOL, test, removed.add, tick=tick)
    labels = _labels(config, len(labelled.texts), len(extra.texts))
    write_gold(folder / GOLD, labelled, extra)
    write_gold(folder / TEST, sets.test)
    write_file(folder / REMOVED, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in removed.lines))
    rows = Rows(
        classes=sets.test.classes,
        labels=labels,
        extra=len(labelled.texts) + len(extra.texts) - labels,
        pool=pool.rows,
        test=len(sets.test.texts),
        near=near,
        removed=removed.counts(),
        rejected=sets.rejected + pool.rejected,
        reasons=[*sets.reasons, *pool.reasons][:SHOWN],
        sha256={name: sha256_of(folder / name) for name in (GOLD, POOL, TEST)},
    )
    write_file(folder / ROWS, json.dumps(asdict(rows), ensure_ascii=False, indent=1) + "\n")
    return rows


class Removed:
    """The rows that were taken away.

    Attributes:
        lines: one a row.
    """

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def add(self, name: str, id_: str, leak: Leak) -> None:
        """Note a row of the set ``name``, and what it has in common with a test row."""
        self.lines.append({"set": name, "id": id_, **asdict(leak)})

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by set and way."""
        counts = {name: Counter[str]() for name in ("labelled", "extra", UNLABELLED)}
        for line in self.lines:
            counts[line["set"]][line["how"]] += 1
        return {name: dict(sorted(how.items())) for name, how in counts.items()}


def write_gold(out: Path, *parts: Gold) -> None:
    """Write labelled rows with the names of their classes, one part behind the other."""
    table = {
        "id": [id_ for part in parts for id_ in part.ids],
        "text": [text for part in parts for text in part.texts],
        "label": [part.classes[label] for part in parts for label in part.labels],
    }
    with replaced(out) as temporary:
        pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in table.items()}), temporary)


def read_gold_rows(file: Path, classes: list[str]) -> Gold:
    """The inverse of `write_gold`."""
    table = pq.read_table(file)
    of_name = {name: index for index, name in enumerate(classes)}
    labels = [of_name[name] for name in table.column("label").to_pylist()]
    ids, texts = (table.column(name).to_pylist() for name in ("id", "text"))
    return Gold(texts=texts, labels=np.array(labels, np.int64), classes=classes, ids=ids)


def _without_leaks(gold: Gold, name: str, test: TestTexts, removed: Removed, tick: Tick) -> Gold:
    kept = []
    for first in range(0, len(gold.texts), _COMPARED):
        leaks = test.leaks(gold.texts[first : first + _COMPARED])
        for row, leak in enumerate(leaks, start=first):
            if leak is None:
                kept.append(row)
            else:
                removed.add(name, gold.ids[row], leak)
        tick(f"comparing the {name} rows with the test", first + len(leaks), len(gold.texts))
    return some(gold, np.array(kept, np.int64))


def _labels(config: CompareConfig, labelled: int, extra: int) -> int:
    """How many gold rows the arms with few labels have.

    Raises:
        InputError: there are too few.
    """
    labels = config.labels or (labelled if config.extra else labelled // 2)
    if not labelled:
        raise InputError("every row of --labelled is a test row, too; give others, or other rows with --test")
    if not 1 <= labels <= labelled + extra:
        asked = f"--label-count is {labels:,}, and " if config.labels else ""
        raise InputError(
            f"{asked}{counted(labelled + extra, 'labelled row')} are left beside the test; give more of them with "
            "--labelled"
        )
    return labels
