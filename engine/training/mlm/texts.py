"""What ``--mlm`` names → a store of its texts: files are read into one beside the training. No torch."""

import fcntl
import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.columns import NO_COLUMN, TextColumns
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig
from engine.inputs.messages import SHOWN
from engine.progress import Tick, silent
from engine.training.mlm.config import MlmConfig
from engine.training.output.run_folder import TEXTS, TEXTS_LOCK
from store import Store
from store.format.header import is_store
from store.format.names import CORPUS
from store.gold.fingerprint import fingerprint
from store.storage import open_storage
from store.storage.file_hash import sha256_of
from store.store import open_store


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """What is asked for, looked at.

    Attributes:
        config: the texts, as the user named them, and the hyperparameters.
        read: how files are read.
        texts_sha256: of what decides the texts.
        stored: the store, if they are in one already; else None.
    """

    config: MlmConfig
    read: IngestConfig
    texts_sha256: str
    stored: str | None

    def settings(self) -> dict[str, Any]:
        """Those that decide the result."""
        loop = {name: getattr(self.config, name) for name in ("epochs", "batch_size", "learning_rate")}
        return {"texts_sha256": self.texts_sha256, **loop}


def look_for_texts(
    config: MlmConfig, gold: GoldConfig, *, classes: list[str], before: ColumnsBefore | None
) -> Pretraining:
    """Find what ``config`` names.

    Args:
        config: files, globs, folders or URLs, or one store.
        gold: how the labelled files are read; those of texts are read alike.
        classes: of the labelled rows.
        before: their columns, if they are of files or a store.

    Raises:
        InputError: there are no such files, or a store is named beside others.
        StoreError: the store lacks texts.
    """
    inputs = config.inputs
    alike = None if before is None else replace(before, id=(), label=())
    columns = TextColumns(text=gold.columns.text, id=NO_COLUMN, label=NO_COLUMN, before=alike)
    read = IngestConfig(
        files=inputs, columns=columns, options=gold.options, classes=tuple(classes), on_bad_row=gold.on_bad_row
    )
    stores = [place for place in inputs if is_store(open_storage(place))]
    if stores and len(inputs) > 1:
        raise InputError(f"--mlm names {stores[0]}, a store, beside other inputs; name one store, or files alone")
    said: list[Any]
    if stores:
        said = [fingerprint(open_store(stores[0]), CORPUS)]
    else:
        said = [columns.text, gold.options.to_json(), *(sha256_of(Path(file)) for file in expand(inputs))]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return Pretraining(config=config, read=read, texts_sha256=digest, stored=next(iter(stores), None))


def read_texts(asked: Pretraining, out: Path, *, tick: Tick = silent) -> Store:
    """The store of the texts; files are read into `TEXTS` in ``out``, by the first process that comes.

    Raises:
        InputError: as `engine.ingest.ingest.ingest`.
    """
    if asked.stored is not None:
        return open_store(asked.stored)
    out.mkdir(parents=True, exist_ok=True)
    with (out / TEXTS_LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, as long as it takes
        storage = open_storage(str(out / TEXTS))
        if is_store(storage) and not (made := open_store(storage)).corpus.missing():
            return made
        shutil.rmtree(out / TEXTS, ignore_errors=True)
        return ingest(storage, asked.read, known=asked.read.classes, tick=tick)


def first_rejected(store: Store) -> list[str]:
    """The first rows that were refused when the store was made, with their places and reasons."""
    rows = store.rejects().head(SHOWN).to_pylist()
    return [f"{row['file']}:{row['source_row']}: {row['reason']}" for row in rows]


def remove_texts(out: Path) -> None:
    """Remove what `read_texts` made in ``out``: nobody needs it any more."""
    shutil.rmtree(out / TEXTS, ignore_errors=True)
    (out / TEXTS_LOCK).unlink(missing_ok=True)
