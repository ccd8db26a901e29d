"""What ``--mlm`` names → a store of its texts: files are read into one beside the training. No torch."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.by_name.before import ColumnsBefore
from engine.inputs.columns import NO_COLUMN, ColumnNames
from engine.inputs.formats import expand
from engine.inputs.labels.labelled import GoldConfig
from engine.inputs.paths.file_kinds import kind_of_file
from engine.inputs.remote.sources import is_url
from engine.inputs.texts_alone import TextCounts, good_texts, reading_of_texts
from engine.progress import Tick, silent
from engine.training.mlm.config import MlmConfig
from engine.training.output.run_folder import MLM, TEXTS, RunFolder
from store import Store
from store.errors import StoreMissingError
from store.format.header import is_store
from store.format.names import CORPUS
from store.gold.fingerprint import fingerprint, rows_then
from store.storage import SCHEMES, open_storage
from store.storage.atomic_file import replaced, write_file
from store.storage.file_hash import sha256_of
from store.store import open_store

_LOCK, _STORE, _FILE, _COUNTS = ".lock", "texts.store", "texts.parquet", "rows.json"
_SCHEMA = pa.schema([("text", pa.string())])


@dataclass(frozen=True, kw_only=True)
class MlmRequest:
    """What is asked for, looked at.

    Attributes:
        config: the texts, as the user named them, and the hyperparameters.
        gold: how labelled files are read; those of texts are read alike.
        columns: which are the texts: as the user named it for these files, or as the labelled ones have it.
        classes: of the labelled rows.
        sha256: of what decides the texts.
        stored: the store, if they are in one already; else None.
    """

    config: MlmConfig
    gold: GoldConfig
    columns: ColumnNames
    classes: tuple[str, ...]
    sha256: str
    stored: Store | None

    def settings(self) -> dict[str, Any]:
        """Those that decide the result, beside the ones of the fine-tuning behind it."""
        return {"texts_sha256": self.sha256, **self.config.loop()}


def look_for_texts(
    config: MlmConfig, gold: GoldConfig, *, classes: list[str], before: ColumnsBefore | None, out: Path
) -> MlmRequest:
    """Find what ``config`` names.

    Args:
        config: files, globs, folders or URLs, or one store.
        gold: how the labelled files are read.
        classes: of the labelled rows.
        before: their columns, if they are of files or a store.
        out: folder of the fine-tuning. A run that was begun in it goes on with the rows that its store had then.

    Raises:
        InputError: there are no such files, or a store is named beside others.
        StoreError: the store lacks texts.
    """
    alike = None if before is None else replace(before, id=(), label=())
    columns = ColumnNames(text=config.text, before=alike)
    stores = [place for place in config.inputs if _may_be_store(place) and is_store(open_storage(place))]
    if stores and len(config.inputs) > 1:
        raise InputError(f"--mlm names {stores[0]}, a store, beside other inputs; name one store, or files alone")
    if stores:
        store, sha256 = _as_begun(open_store(stores[0]), out)
    else:
        store, sha256 = None, _files_sha256(config, columns, gold)
    return MlmRequest(config=config, gold=gold, columns=columns, classes=tuple(classes), sha256=sha256, stored=store)


def read_texts(asked: MlmRequest, out: Path, *, tick: Tick = silent) -> tuple[Store, TextCounts]:
    """The store of the texts, and what became of the rows; files are read into ``out`` by the first process that comes.

    Raises:
        InputError: as `engine.inputs.texts_alone.good_texts`.
    """
    if asked.stored is not None:
        return asked.stored, TextCounts(rows=asked.stored.layout.rows)
    place = out / TEXTS / asked.sha256[:16]
    place.mkdir(parents=True, exist_ok=True)
    with (out / TEXTS / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, as long as it takes
        _remove_others(place)
        if not (place / _COUNTS).exists():
            counts = _write_texts(asked, place / _FILE, tick)
            write_file(place / _COUNTS, json.dumps(asdict(counts)))
        storage = open_storage(str(place / _STORE))
        if not (is_store(storage) and not open_store(storage).corpus.missing()):
            shutil.rmtree(place / _STORE, ignore_errors=True)
            config = IngestConfig(
                files=(str(place / _FILE),),
                columns=ColumnNames(text="text", id=NO_COLUMN, label=NO_COLUMN),
                classes=asked.classes,
            )
            ingest(storage, config, known=asked.classes, tick=tick)
        (place / _FILE).unlink(missing_ok=True)
        return open_store(storage), TextCounts(**json.loads((place / _COUNTS).read_text("utf-8")))


def remove_texts(out: Path) -> None:
    """Remove what `read_texts` made in ``out``: nobody needs it any more."""
    shutil.rmtree(out / TEXTS, ignore_errors=True)


def _may_be_store(place: str) -> bool:
    """Whether it may be a store, and is no file of a name that says so, nor a place where there are none."""
    return kind_of_file(place) is None and (not is_url(place) or place.partition("://")[0] in SCHEMES)


def _as_begun(store: Store, out: Path) -> tuple[Store, str]:
    """The store as it was when the run in ``out`` began, if rows came later, and the fingerprint of its texts."""
    if missing := store.corpus.missing():
        raise StoreMissingError(store.corpus.lacking(missing))
    folder = RunFolder(str(out / MLM))
    begun = folder.settings.get("texts_sha256")
    rows = rows_then(store, CORPUS, begun)
    if begun is not None and rows is not None:
        return store.as_of(rows), begun
    return store, fingerprint(store, CORPUS)


def _files_sha256(config: MlmConfig, columns: ColumnNames, gold: GoldConfig) -> str:
    """Hash of the bytes of all files, and of how each is read."""
    said: list[Any] = [gold.on_bad_row]
    for file in expand(config.inputs):
        wanted, options = reading_of_texts(file, columns, gold.options)
        before = [] if wanted.before is None else [*wanted.before.text]
        said.append([kind_of_file(file), wanted.text, before, options.to_json(), sha256_of(Path(file))])
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _write_texts(asked: MlmRequest, file: Path, tick: Tick) -> TextCounts:
    """Write all good texts into a Parquet ``file``."""
    counts = TextCounts()
    with replaced(file) as temporary, pq.ParquetWriter(temporary, _SCHEMA) as writer:
        for texts in _texts(asked, counts):
            writer.write_batch(pa.record_batch([pa.array(texts, pa.string())], schema=_SCHEMA))
            tick("reading the texts of --mlm", counts.rows, None)
    return counts


def _texts(asked: MlmRequest, counts: TextCounts) -> Iterator[list[str]]:
    files, gold = expand(asked.config.inputs), asked.gold
    try:
        yield from good_texts(files, asked.columns, gold.options, counts, on_bad_row=gold.on_bad_row)
    except InputError as error:
        said = str(error).replace("--text", "--mlm-text")
        raise InputError(
            f"{said}. (It is a file of --mlm. How files are read is said of all of a command; where labelled ones are "
            "read otherwise, write these texts as Parquet, JSON Lines or plain text)"
        ) from None


def _remove_others(place: Path) -> None:
    """Remove texts of other inputs, which a run that was stopped has left beside ``place``."""
    for other in place.parent.iterdir():
        if other.is_dir() and other != place:
            shutil.rmtree(other)
