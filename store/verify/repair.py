"""Findings → small files that are whole again, and no litter. Needs no model: nothing is computed here.

A header, the file of a segment or a card comes back from its copy, a record from the manifest or from its data file, a
manifest from the records. Data files are made again from their sources by `engine.labelling.repair`.
"""

import dataclasses
import hashlib
from collections.abc import Iterable
from functools import partial

import pyarrow as pa

from store.errors import StoreError
from store.families.kind import Cut
from store.families.learned_texts import LEARNED_TEXTS
from store.families.registry import kind_of, shard_statistics
from store.format.family import Family
from store.format.findings import Finding, Kind
from store.format.header import HEADER, parse_header, read_header
from store.format.json_file import copy_name, from_json, to_json
from store.format.names import CARD, CORPUS, REJECTS, SEGMENTS
from store.format.record import Record, record_of, shard_of_data
from store.format.record_files import manifest_name, segment_of_manifest
from store.format.segments import GUARD, parse_segment, restore_guard, segment_name, segment_of
from store.format.shard import read_shard
from store.gold.calibration import calibration_of
from store.selections.card import SELECTIONS
from store.snapshot import Snapshot
from store.storage import Storage
from store.verify.gold import round_of_data
from store.verify.selections import may_be_needed, restore_card
from store.verify.shard import check_shard


def restore_header(storage: Storage, findings: Iterable[Finding]) -> list[str]:
    """Restore the header or its copy from the other, and so the files of segments; names of what was restored."""
    findings = list(findings)
    restored = [name for name in _files(findings, "") if _restore_twin(storage, name, HEADER)]
    for file in _files(findings, SEGMENTS):
        number = segment_of(file.rsplit("/", 1)[-1])
        if number is not None and _restore_twin(storage, file, segment_name(number)):
            restored.append(file)
    return restored


def restore_small_files(snapshot: Snapshot, findings: list[Finding]) -> list[str]:
    """Restore cards, records and manifests, in that order, and cards of selections; names of what was restored."""
    restored = []
    for family in snapshot.families():
        with snapshot.storage.kept(family.path):
            if snapshot.storage.list(family.path):  # unless it has been removed since
                restored += _restore_small_files_of(snapshot, family, _files(findings, family.path))
    if GUARD in _files(findings, CORPUS):
        restore_guard(snapshot.storage)
        restored.append(GUARD)
    return restored + [file for file in _files(findings, SELECTIONS) if restore_card(snapshot, file)]


def _restore_small_files_of(snapshot: Snapshot, family: Family, names: list[str]) -> list[str]:
    restored = [name for name in names if _restore_twin(snapshot.storage, name, f"{family.path}/{CARD}")]
    restored += [name for name in names if _restore_side_file(snapshot.storage, family, name)]
    restored += [name for name in names if _restore_record(snapshot, family, name.rsplit("/", 1)[-1])]
    return restored + [name for name in names if _restore_manifest(family, name)]


def remove_litter(snapshot: Snapshot, findings: Iterable[Finding]) -> list[str]:
    """Remove files that nothing needs and whose writers are provably dead; their names."""
    litter = [finding for finding in findings if finding.kind is Kind.LITTER]
    return [
        finding.file
        for finding in litter
        if snapshot.storage.remove_dead(finding.file, unless=partial(_may_be_needed, snapshot, finding))
    ]


def _may_be_needed(snapshot: Snapshot, litter: Finding) -> bool:
    """Whether the file is none to remove: its writer may have committed it after it was found.

    A data file whose shard has no record stays: the next run commits it. So does a file that no writer of a store made.
    """
    if litter.family in ("", REJECTS):
        return False
    if litter.family == SEGMENTS:
        return _is_rejects_of_segment(snapshot, litter.file)
    if litter.family == SELECTIONS:
        return may_be_needed(snapshot, litter.file)
    name = litter.file.rsplit("/", 1)[-1]
    if (shard := shard_of_data(name)) is None:
        return True
    try:
        record = snapshot.family(litter.family).record(shard)
    except StoreError:
        return True
    return record is None or record.file == name


def _is_rejects_of_segment(snapshot: Snapshot, file: str) -> bool:
    """Whether a file beside those of segments may be needed: only refused rows that no segment names are not."""
    if shard_of_data(file.rsplit("/", 1)[-1]) is None:
        return True
    try:
        return any(segment.rejects_file == file for segment in read_header(snapshot.storage).segments)
    except StoreError:
        return True


def _files(findings: Iterable[Finding], family: str) -> list[str]:
    """Files of a family that are damaged or not there yet, each once."""
    return list(dict.fromkeys(found.file for found in findings if found.family == family and found.kind != Kind.LITTER))


def _restore_twin(storage: Storage, name: str, main: str) -> bool:
    """Restore a file that is kept twice from its twin; the first one holds if they differ."""
    if name not in (main, copy_name(main)):
        return False
    try:
        value = from_json(storage, copy_name(main) if name == main else main)
        if main == HEADER:
            parse_header(storage, value)
        elif main.startswith(f"{SEGMENTS}/"):
            parse_segment(storage, segment_of(main.rsplit("/", 1)[-1]) or 0, value)
    except StoreError:
        return False
    storage.put(name, to_json(value))
    return True


def _restore_side_file(storage: Storage, family: Family, name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    main = LEARNED_TEXTS if last in (LEARNED_TEXTS, copy_name(LEARNED_TEXTS)) else calibration_of(last)
    return main is not None and _restore_twin(storage, name, f"{family.path}/{main}")


def _restore_record(snapshot: Snapshot, family: Family, name: str) -> bool:
    numbers = record_of(name)
    if numbers is None:
        return False
    shard, generation = numbers
    segment = family.segment_of(shard)
    record = family.record_files.listed_record(shard, segment) if generation == 0 else None
    if record is None or record.file not in snapshot.storage.list(family.path):  # a manifest may be another family's
        record = _record_of_data(snapshot, family, shard) or record
    if record is None:
        return False
    snapshot.storage.put(f"{family.path}/{name}", to_json(dataclasses.asdict(record)))
    return True


def _record_of_data(snapshot: Snapshot, family: Family, shard: int) -> Record | None:
    """A record made from the only data file of ``shard`` that is named after its bytes; None if none or several are."""
    if kind_of(family.path).cut is Cut.ROUNDS:
        return round_of_data(snapshot, family, shard)
    if shard >= snapshot.layout.shards:
        return None
    first, stop = snapshot.layout.range_of(shard)
    made = []
    for name in snapshot.storage.list(family.path):
        if shard_of_data(name) != shard:
            continue
        try:
            data = snapshot.storage.read(f"{family.path}/{name}")
            sha256 = hashlib.sha256(data).hexdigest()
            record = Record(shard=shard, first_row=first, rows=stop - first, file=name, bytes=data.size, sha256=sha256)
            rows = read_shard(family, record)
            record = dataclasses.replace(record, statistics=shard_statistics(family.path, rows))
        except (TypeError, ValueError, KeyError, OSError, StoreError, pa.ArrowException):
            continue  # a file of another kind, whoever put it there
        if check_shard(snapshot, family, record) is None:
            made.append(record)
    return made[0] if len(made) == 1 else None


def _restore_manifest(family: Family, name: str) -> bool:
    number = segment_of_manifest(name.rsplit("/", 1)[-1])
    if number is None or number >= len(family.segments):
        return False
    try:
        records, card = family.records(manifest=False), family.card()
    except StoreError:
        return False
    held = {shard: records[shard] for shard in family.segments[number] if shard in records}
    if len(held) < len(family.segments[number]) or (card is None and family.has_card):
        return False
    family.storage.put(f"{family.path}/{manifest_name(number)}", to_json(family.manifest(held)))
    return True
