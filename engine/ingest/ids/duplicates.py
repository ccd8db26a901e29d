"""Ids in order → the positions that repeat an earlier id. Exact, and in bounded memory.

Ids are partitioned on disk by hash. Small inputs never touch the disk.
"""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_PARTITIONS = 256
_SPILL_BYTES = 64 << 20
_SCHEMA = pa.schema([("id", pa.large_string()), ("position", pa.int64())])
_REPEATS = _SCHEMA.append(pa.field("first", pa.int64()))


class DuplicateFinder:
    """Collects ids; `repeats` tells which came again. Use as a context manager, so that its files go.

    Args:
        spill_bytes: ids held in memory before they go to disk.
    """

    def __init__(self, *, spill_bytes: int = _SPILL_BYTES) -> None:
        self._spill_bytes = spill_bytes
        self._held: list[pa.Table] = []
        self._bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, ids: pa.Array, positions: npt.NDArray[np.int64]) -> None:
        """Take in ``ids``, a string array without nulls, that stand at ``positions``."""
        table = pa.table([ids.cast(pa.large_string()), pa.array(positions)], schema=_SCHEMA)
        self._held.append(table)
        self._bytes += table.nbytes
        if self._bytes > self._spill_bytes:
            self._spill()

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="engine-ids-")
        ids = (
            id_ for held in self._held for id_ in held.column("id").to_pylist()
        )  # as objects they are three times as large
        partitions = np.fromiter((zlib.crc32(id_.encode()) for id_ in ids), np.uint32) % _PARTITIONS
        table = pa.concat_tables(self._held).combine_chunks()
        for partition in np.unique(partitions):
            part = table.take(pa.array(np.flatnonzero(partitions == partition)))
            path = Path(self._folder.name) / f"{partition:03d}"
            with path.open("ab") as file, pa.ipc.new_stream(file, _SCHEMA) as writer:
                writer.write_table(part)
        self._held, self._bytes = [], 0

    def repeats(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Positions that repeat an id seen at a smaller position, ascending, and their ids."""
        positions, ids, _ = self.repeats_of_firsts()
        return positions, ids

    def repeats_of_firsts(self) -> tuple[npt.NDArray[np.int64], list[str], npt.NDArray[np.int64]]:
        """As `repeats`, and the smallest position that has each id."""
        if self._folder is None:
            tables = iter([pa.concat_tables(self._held)] if self._held else [])
        else:
            if self._held:
                self._spill()
            tables = (_read_streams(path) for path in sorted(Path(self._folder.name).iterdir()))
        found = [_repeats_of(table) for table in tables]
        repeats = pa.concat_tables([*found, _REPEATS.empty_table()]).sort_by("position")
        firsts = repeats.column("first").to_numpy()
        return repeats.column("position").to_numpy(), repeats.column("id").to_pylist(), firsts

    def __enter__(self) -> "DuplicateFinder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()


def _read_streams(path: Path) -> pa.Table:
    """All the streams that were appended to one partition's file."""
    tables = []
    with pa.memory_map(str(path)) as file:
        while file.tell() < file.size():
            tables.append(pa.ipc.open_stream(file).read_all())
    return pa.concat_tables(tables)


def _repeats_of(table: pa.Table) -> pa.Table:
    if pc.count_distinct(table.column("id")).as_py() == len(table):  # four times as fast as to group them
        return _REPEATS.empty_table()  # no slice, which would keep the file mapped
    groups = table.group_by("id").aggregate([("position", "min")])
    firsts = groups.column("position_min").combine_chunks()
    repeats = table.filter(pc.invert(pc.is_in(table.column("position"), value_set=firsts)))
    places = pc.index_in(repeats.column("id"), value_set=groups.column("id").combine_chunks())
    return repeats.append_column(_REPEATS.field("first"), firsts.take(places.combine_chunks()))
