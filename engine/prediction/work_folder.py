"""The folder in which a prediction is made: a run that was killed goes on from what is there.

It lies beside the output or, if that is behind a URL, in the cache folder of the user (`engine.outputs.work`).

    lock                held by the run that works here
    plan.json           what is predicted with what; written when all texts are there
    texts/00000.arrow   id, text and, of a refused row, the reason: some rows of the input, in its order
    model/00000.arrow   row of that file, logits, truncated: what the model says of its rows
    deferred/…          the same of a second model, for rows of which the first is not sure

A file appears whole or not at all. When the output is written the folder goes.
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.outputs.remote import Remote
from engine.outputs.work import LOCK, locked_work
from store.storage.atomic_file import replaced, write_file

TEXTS, MODEL, DEFERRED = "texts", "model", "deferred"
_PLAN, _ENDING, _VERSION = "plan.json", "predicting", 1
TEXTS_SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string()), ("reason", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is predicted with what.

    Attributes:
        request: what decides the output: inputs, how they are read, models and choices.
        chunks: rows of each file of texts.
        rejected: how many of these rows are refused.
        reasons: of the first of them, with their places.
        characters: of all texts.
        settings: by stage, how it computes, as far as it is begun.
    """

    request: dict[str, Any]
    chunks: list[int]
    rejected: int
    reasons: list[str]
    characters: int
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a model says of rows of one file of texts.

    Attributes:
        rows: (n,) int64, their places in the file, ascending.
        logits: (n, classes) float32; not finite where the model gives nothing finite.
        truncated: (n,) whether a text had more tokens than the model saw.
    """

    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    truncated: npt.NDArray[np.bool_]

    @property
    def finite(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the model gives something finite."""
        return np.asarray(np.all(np.isfinite(self.logits), axis=1))


@dataclass(frozen=True)
class WorkFolder:
    """The folder. Can be pickled: workers write their parts here.

    Attributes:
        path: where it is.
    """

    path: Path

    def plan(self) -> Plan | None:
        """What an earlier run planned; None if it came not so far, or by another version."""
        try:
            value = json.loads((self.path / _PLAN).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(value, dict) or value.pop("version", None) != _VERSION:
            return None
        return Plan(**value)

    def write_plan(self, plan: Plan) -> None:
        """Keep ``plan``, as of now."""
        write_file(self.path / _PLAN, json.dumps({"version": _VERSION, **dataclasses.asdict(plan)}))

    def clear(self) -> None:
        """Remove all but the lock."""
        (self.path / _PLAN).unlink(missing_ok=True)  # first: what follows may be killed
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def write_texts(self, chunk: int, texts: pa.Table) -> None:
        """Write a file of texts; of `TEXTS_SCHEMA`."""
        self._write(TEXTS, chunk, texts.cast(TEXTS_SCHEMA))

    def texts(self, chunk: int) -> pa.Table:
        """A file of texts."""
        return self._read(TEXTS, chunk)

    def has_part(self, stage: str, chunk: int) -> bool:
        """Whether ``stage`` is done with the file of texts ``chunk``."""
        return self._place(stage, chunk).exists()

    def write_part(self, stage: str, chunk: int, part: Part) -> None:
        """Write what ``stage`` says of the file of texts ``chunk``."""
        classes = part.logits.shape[1]
        logits = pa.FixedSizeListArray.from_arrays(pa.array(part.logits.reshape(-1)), classes)
        columns = {"row": pa.array(part.rows), "logits": logits, "truncated": pa.array(part.truncated)}
        self._write(stage, chunk, pa.table(columns))

    def part(self, stage: str, chunk: int) -> Part:
        """What ``stage`` says of the file of texts ``chunk``."""
        table = self._read(stage, chunk).combine_chunks()
        width = table.schema.field("logits").type.list_size
        logits = table["logits"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return Part(
            rows=table["row"].to_numpy(),
            logits=np.asarray(logits, np.float32).reshape(-1, width),
            truncated=table["truncated"].to_numpy(),
        )

    def _place(self, what: str, chunk: int) -> Path:
        return self.path / what / f"{chunk:05}.arrow"

    def _write(self, what: str, chunk: int, table: pa.Table) -> None:
        place = self._place(what, chunk)
        place.parent.mkdir(exist_ok=True)
        with replaced(place) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
            writer.write_table(table)

    def _read(self, what: str, chunk: int) -> pa.Table:
        with pa.OSFile(str(self._place(what, chunk))) as file:  # not mapped: memory that is read is memory that counts
            return pa.ipc.open_file(file).read_all()


@contextlib.contextmanager
def work_folder(out: Path | Remote) -> Iterator[WorkFolder]:
    """The folder in which ``out`` is made, locked. It goes with the block, unless an error leaves work to go on from.

    Raises:
        InputError: another run makes the same output, or the folder cannot be made.
    """
    with locked_work(out, _ENDING) as path:
        folder = WorkFolder(path)
        try:
            yield folder
        except BaseException:
            if folder.plan() is None:  # nothing is done that another run could go on from
                shutil.rmtree(path)
            raise
        shutil.rmtree(path)
