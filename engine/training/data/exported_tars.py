"""Tars that `engine export STORE --to webdataset` wrote → a store with their rows, for as long as a training needs it.

The rows have the numbers that they had, so that they come in the same order: a student learns the same from them, to
the last bit, as from the store or from the selection that was exported. Rows that were not exported are there without a
text, and count as failed. What is read is compared with the hashes in the card beside the tars.
"""

import heapq
import io
import json
import logging
import operator
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.errors import InputError
from engine.inputs.formats import expand
from engine.inputs.messages import listed
from engine.inputs.paths.file_kinds import EXPORT_CARD, TAR, kind_of_file
from engine.inputs.remote.mirror import file_here, name_of
from engine.inputs.remote.sources import is_url
from engine.inputs.tar_files.samples import JSON, TEXTS, samples_of
from store import Store
from store.families.corpus import add_statistics, corpus_batch, corpus_statistics
from store.families.labels import label_batch, label_statistics
from store.families.rejects import rejects_schema
from store.format.header import Header, create_header
from store.format.names import CORPUS, REJECTS
from store.format.shard import ShardWriter, write_shard
from store.storage import LocalStorage
from store.storage.file_hash import sha256_of

_ROWS_PER_SHARD = 32_768
_FORMAT, _VERSION = "webdataset", 1
_ABSENT = "not exported"
_log = logging.getLogger(__name__)


class ExportedRow(NamedTuple):
    """A row of an export.

    Attributes:
        row: its number in the store.
        text: the text.
        said: the other columns.
        logits: by label set, (classes,) float16.
    """

    row: int
    text: str
    said: dict[str, Any]
    logits: dict[str, npt.NDArray[np.float16]]


def is_export(place: str) -> bool:
    """Whether ``place`` is the folder of an export, or names tars; a path, or a URL, whose card is fetched."""
    if not is_url(place):
        return (Path(place) / EXPORT_CARD).is_file() or (kind_of_file(place) == TAR and not Path(place).is_dir())
    return kind_of_file(place) == TAR or _card_behind(place) is not None


def _card_behind(url: str) -> Path | None:
    """The card of the export that ``url`` names, fetched; None if there is none."""
    folder = url.rpartition("/")[0] if kind_of_file(url) == TAR else url.rstrip("/")
    try:
        return file_here(f"{folder}/{EXPORT_CARD}")
    except InputError:
        return None


@contextmanager
def store_of_tars(place: str) -> Iterator[Store]:
    """The rows of tars as a store, which is called ``place`` and goes with the block.

    Args:
        place: the folder of an export, or a path, a glob or a pattern with braces of some of its tars; or the URL of
            either.

    Raises:
        InputError: they are not what an export wrote.
    """
    files, card = _exported(place)
    with tempfile.TemporaryDirectory(prefix="engine-tars-") as folder:
        storage = _Unsynced(folder)
        storage.location = place
        _log.info("the rows of %s are read into %s, for as long as this run", place, folder)
        try:
            store = _written(storage, card, _rows_of(files, card))
        except (KeyError, pa.ArrowException, ValueError) as error:
            raise InputError(f"{place} is not what an export of this version wrote ({error}); export again") from error
        yield store


class _Unsynced(LocalStorage):
    """A folder that no power cut matters to."""

    def fsync(self, descriptor: int) -> None:
        """Wait for nothing."""


def _exported(place: str) -> tuple[list[Path], dict[str, Any]]:
    """The tars that ``place`` names, and the card beside them; each tar is as the card says."""
    files = [Path(file) for file in expand([place])]
    folders = {file.parent for file in files}
    behind = _card_behind(place) if is_url(place) else None
    card_path = behind or min(folders) / EXPORT_CARD
    try:
        card = json.loads(card_path.read_bytes())
    except (OSError, ValueError):
        card = None
    if len(folders) > 1 or not isinstance(card, dict):
        raise InputError(
            f"{place}: a training takes tars that `engine export STORE --to {_FORMAT}` wrote, with the {EXPORT_CARD} "
            "beside them. Label others first: `engine label TARS --store STORE --teacher MODEL`"
        )
    if (card.get("format"), card.get("version")) != (_FORMAT, _VERSION):
        raise InputError(
            f"{place} is an export as {card.get('format')}, version {card.get('version')}; a training takes stores, "
            f"and what `engine export STORE --to {_FORMAT}` of this version writes"
        )
    known = {file["file"]: file["sha256"] for file in card["files"]}
    for file in files:
        if sha256_of(file) != known.get(file.name):
            raise InputError(f"{name_of(str(file))} is not as its {EXPORT_CARD} says; fetch it again, or export again")
    _check_complete(place, known.keys() - {file.name for file in files}, of=len(known))
    return files, card


def _check_complete(place: str, absent: Collection[str], *, of: int) -> None:
    """Refuse a folder that lacks tars, which would train on fewer rows; of a path or a pattern, say how many there are.

    Args:
        place: what was given.
        absent: names of the tars of the card that ``place`` does not name.
        of: how many the card has.

    Raises:
        InputError: it is a folder, and they are not there.
    """
    if absent and (Path(place).is_dir() or (is_url(place) and kind_of_file(place) != TAR)):
        raise InputError(
            f"{place} lacks {len(absent):,} of the {of:,} tars that {EXPORT_CARD} names: {listed(sorted(absent))}; "
            f"fetch them, or train on those that are there: {place.rstrip('/')}/*.tar"
        )
    if absent:
        _log.info("%s: %d of the %d tars of the export", place, of - len(absent), of)


def _rows_of(files: Sequence[Path], card: dict[str, Any]) -> Iterator[ExportedRow]:
    """The rows of ``files``, ascending: so they are in the tars of a split, one behind the other."""
    names = {name: of["columns"]["logits"] for name, of in card["label_sets"].items()}
    splits: dict[str, list[Path]] = {}
    for file in files:
        splits.setdefault(file.name.rpartition("-")[0], []).append(file)
    streams = [_rows_of_split(sorted(some), names) for some in splits.values()]
    return heapq.merge(*streams, key=operator.attrgetter("row"))


def _rows_of_split(files: Sequence[Path], names: dict[str, str]) -> Iterator[ExportedRow]:
    ending = {name: f"{column}.npy" for name, column in names.items()}
    for file in files:
        for sample in samples_of(str(file), read=(TEXTS[0], JSON, *ending.values())):
            members = sample.members
            text, said = members[TEXTS[0]], json.loads(members[JSON] or b"{}")
            found = {name: members[end] for name, end in ending.items() if end in members}
            logits = {name: np.load(io.BytesIO(data or b""), allow_pickle=False) for name, data in found.items()}
            yield ExportedRow(said["row"], (text or b"").decode(), said, logits)


def _written(storage: LocalStorage, card: dict[str, Any], rows: Iterator[ExportedRow]) -> Store:
    """The store with ``rows``."""
    with ShardWriter(storage, rejects_schema(), compressed=True) as rejects:
        file, size, sha256 = rejects.publish(REJECTS, 0)
    header = Header(
        classes=card["classes"],
        rows=card["rows"],
        shards=max(1, -(-card["rows"] // _ROWS_PER_SHARD)),
        extras={name: of["type"] for name, of in card["kept"].items()},
        inputs=[],
        rejects={"file": file, "rows": 0, "bytes": size, "sha256": sha256},
    )
    store = Store(storage, create_header(storage, header))
    for name, of in card["label_sets"].items():
        store.label_set(name).freeze_card(of["card"])
    following = next(rows, None)
    for shard, first, stop in store.layout:
        there: list[ExportedRow] = []
        while following is not None and following.row < stop:
            there.append(following)
            following = next(rows, None)
        _write_shard(store, card, shard, range(first, stop), {row.row: row for row in there})
    for family in store.families():
        family.seal()
    return store


def _write_shard(store: Store, card: dict[str, Any], shard: int, rows: range, there: dict[int, ExportedRow]) -> None:
    """Write a shard of every family."""
    some = [there.get(row) for row in rows]
    index = {name: number for number, name in enumerate(card["classes"])}
    kept = {
        name: pa.array([None if row is None else row.said[of["column"]] for row in some], pa.type_for_alias(of["type"]))
        for name, of in card["kept"].items()
    }
    corpus = corpus_batch(
        first_row=rows.start,
        ids=pa.array(
            [row.said["id"] if row else f"{_ABSENT}:{number}" for number, row in zip(rows, some, strict=True)]
        ),
        texts=pa.array([row.text if row else "" for row in some]),
        labels=pa.array([None if row is None else index.get(row.said["label"]) for row in some], pa.int16()),
        extras=kept,
    )
    statistics = corpus_statistics()
    add_statistics(statistics, corpus)
    write_shard(store.corpus, shard, rows.start, [corpus], schema=store.schema(CORPUS), statistics=statistics)
    for name, of in card["label_sets"].items():
        labels = _labels(some, name, of["columns"], classes=len(index), first_row=rows.start)
        statistics = label_statistics(labels)
        write_shard(store.label_set(name), shard, rows.start, [labels], schema=labels.schema, statistics=statistics)


def _labels(
    some: Sequence[ExportedRow | None], name: str, columns: dict[str, str], *, classes: int, first_row: int
) -> pa.RecordBatch:
    """The label set ``name`` of some rows; None stands for one that was not exported."""
    nothing = np.full(classes, np.nan, np.float16)
    logits = [nothing if row is None else row.logits.get(name, nothing) for row in some]
    failures = [_ABSENT if row is None else row.said[columns["failure"]] for row in some]
    return label_batch(
        first_row=first_row,
        logits=np.array(logits, np.float16).reshape(len(some), classes),
        n_tokens=np.array([row.said[columns["n_tokens"]] if row else 0 for row in some], np.uint16),
        truncated=np.array([bool(row and row.said[columns["truncated"]]) for row in some], np.bool_),
        failures=np.array(failures, np.object_),
    )
