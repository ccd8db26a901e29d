"""Human labels that came after the corpus, in rounds; and the gold label of a row: the latest round's, else its own.

Round N, from 1, is one shard of the family ``gold``, whose rows have ascending numbers, each once; round 0 is what the
corpus was made with. The SQL side and the stream side both read gold here, and `store.gold.add_round` adds a round.
"""

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.errors import DamageError, StoreMissingError
from store.families.gold import gold_schema
from store.format.names import GOLD
from store.format.record import Record
from store.format.shard import check_bytes, read_shard
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot

OWN = 0
"""The round of the labels that the corpus was made with."""
OWN_SOURCE = "corpus"
GOLD_COLUMNS = pa.schema([("gold", pa.int16()), ("gold_round", pa.int32()), ("gold_source", pa.string())])
ROUND_REMEDY = (
    "a round is made again from nothing but its own input: `engine audit STORE --gold` with that and the same --source "
    "writes it again; else restore the file from a backup"
)


@dataclass(frozen=True, kw_only=True)
class HeldGold:
    """The human label that holds, for each row that a round labels.

    Attributes:
        rows: (n,) int64 their numbers, ascending.
        labels: (n,) int16.
        rounds: (n,) int32 the round that each is from.
        sources: (n,) strings, where each is from.
        own: whether the corpus's own label holds for the other rows.
    """

    rows: RowNumbers
    labels: npt.NDArray[np.int16]
    rounds: npt.NDArray[np.int32]
    sources: pa.Array
    own: bool

    def column(self, name: str, numbers: RowNumbers, own: pa.Array) -> pa.Array:
        """(m,) the column ``name`` of `GOLD_COLUMNS`; null for a row without gold.

        Args:
            name: ``gold``, ``gold_round`` or ``gold_source``.
            numbers: (m,) of rows, ascending.
            own: (m,) int16, the labels that the corpus has for them.
        """
        begin, end = np.searchsorted(self.rows, [numbers[0], numbers[-1] + 1]) if len(numbers) else (0, 0)
        if name == "gold" and self.own and begin == end:
            return own
        places = np.searchsorted(numbers, self.rows[begin:end])
        is_here = numbers[places] == self.rows[begin:end]
        ours, places = np.flatnonzero(is_here) + begin, places[is_here]
        has_gold = (
            own.is_valid().to_numpy(zero_copy_only=False).copy() if self.own else np.zeros(len(numbers), np.bool_)
        )
        if name == "gold":
            values = own.fill_null(-1).to_numpy().copy()
            values[places] = self.labels[ours]
        elif name == "gold_round":
            values = np.full(len(numbers), OWN, np.int32)
            values[places] = self.rounds[ours]
        else:
            values = np.full(len(numbers), OWN_SOURCE, np.object_)
            values[places] = self.sources.take(pa.array(ours)).to_numpy(zero_copy_only=False)
        has_gold[places] = True
        return pa.array(values, GOLD_COLUMNS.field(name).type, mask=~has_gold)


def chosen_rounds(
    snapshot: Snapshot, rounds: Iterable[int] | None = None, *, there: Mapping[int, Record] | None = None
) -> tuple[int, ...]:
    """Numbers of the rounds that are asked, ascending; 0 and all that there are if None.

    Args:
        snapshot: the store.
        rounds: the numbers; 0 is the corpus's own.
        there: the records of the family, if they are known.

    Raises:
        StoreMissingError: one of them is not there.
    """
    known = {OWN, *(snapshot.family(GOLD).records() if there is None else there)}
    asked = known if rounds is None else set(rounds)
    if unknown := sorted(asked - known):
        listed = ", ".join(map(str, sorted(known)))
        raise StoreMissingError(
            f"{snapshot.location} has no gold round {unknown[0]}; it has: {listed} (0 is the corpus's own)"
        )
    return tuple(sorted(asked))


def way_to_gold(location: str) -> str:
    """How the finished store at ``location`` gets gold: its corpus takes none any more."""
    command = f"engine audit {shlex.quote(location)} --gold FILE"
    return f"`{command}` adds some by id, from a table with the columns id and label"


def has_gold(snapshot: Snapshot, rounds: Iterable[int] | None = None) -> bool:
    """Whether any row has a gold label in ``rounds``, of which all count if None.

    Raises:
        StoreMissingError: one of them is not there.
    """
    chosen = chosen_rounds(snapshot, rounds)
    if any(number != OWN for number in chosen):
        return True
    return OWN in chosen and any(record.statistics.get("gold") for record in snapshot.corpus.records().values())


def rounds_sha256(snapshot: Snapshot, rounds: Iterable[int]) -> str:
    """Hash of the labels of ``rounds``: of the hashes in their records, in order, then of the corpus's for round 0."""
    there = snapshot.family(GOLD).records()
    chosen = chosen_rounds(snapshot, rounds, there=there)
    hashes = [there[number].sha256 for number in chosen if number != OWN]
    if OWN in chosen:
        hashes += [record.sha256 for record in snapshot.corpus.records().values()]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def read_rounds(snapshot: Snapshot, records: Iterable[Record]) -> pa.Table:
    """The rows of some rounds, one round after the other. They are few enough to be hashed each time.

    Raises:
        DamageError: a file is missing or not what its record says.
    """
    family = snapshot.family(GOLD)
    tables = [gold_schema().empty_table()]
    for record in records:
        problem = check_bytes(snapshot.storage, f"{GOLD}/{record.file}", size=record.bytes, sha256=record.sha256)
        if problem is not None:
            raise DamageError(f"{family.location}/{record.file} {problem.text}; {ROUND_REMEDY}")
        tables.append(read_shard(family, record).cast(gold_schema()))
    return pa.concat_tables(tables)


def held_gold(
    snapshot: Snapshot, rounds: Sequence[int] | None = None, *, there: Mapping[int, Record] | None = None
) -> HeldGold:
    """The gold that holds if only ``rounds`` count.

    Args:
        snapshot: the store.
        rounds: as in `chosen_rounds`.
        there: the records of the family, if they are known.

    Raises:
        StoreMissingError: one of them is not there.
        DamageError: the file of one is damaged.
    """
    there = snapshot.family(GOLD).records() if there is None else there
    chosen = chosen_rounds(snapshot, rounds, there=there)
    table = read_rounds(snapshot, (there[number] for number in chosen if number != OWN))
    rows, of = table.column("row").to_numpy(), table.column("round").to_numpy()
    order = np.lexsort((of, rows))
    is_last = np.ones(len(order), np.bool_)
    is_last[:-1] = rows[order][1:] != rows[order][:-1]
    last = order[is_last]
    return HeldGold(
        rows=rows[last],
        labels=table.column("label").to_numpy()[last],
        rounds=of[last],
        sources=pa.concat_arrays(table.column("source").chunks).take(pa.array(last)),
        own=OWN in chosen,
    )
