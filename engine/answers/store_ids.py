"""Ids that a file of answers has → the rows of the store that they are of, and of the others why there is none."""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.answers.id_index import ABSENT, IdIndex
from engine.ingest.ids.near_ids import asked_for, check_other_ids, exact, loose, meant_by, why_not, why_rejected
from engine.inputs.labels.annotations import LabelRows
from store.rows.rejected_ids import RejectedIds
from store.rows.row_set import RowNumbers
from store.snapshot import Snapshot

_LONGEST_ID = 200  # characters that are shown
_MARK = "'"


class StoreIds:
    """The ids of a store, those of its refused rows among them.

    Args:
        store: the store.
        index: of the ids of its rows.

    Attributes:
        store: the same.
    """

    def __init__(self, store: Snapshot, index: IdIndex) -> None:
        self.store = store
        self._index = index

    def rows(self, ids: pa.Array) -> tuple[RowNumbers, int]:
        """(n,) the row of each of ``ids``, `ABSENT` where it has none, or is null; and how many ids were padded."""
        valid = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False))
        there = ids.drop_null()
        found = np.full(len(ids), ABSENT, np.int64)
        found[valid] = self._index.rows(there)
        is_marked = pc.starts_with(there, _MARK).to_numpy(zero_copy_only=False)
        doubtful = valid[is_marked | (found[valid] == ABSENT)]
        names: list[str] = ids.take(pa.array(doubtful)).to_pylist()
        known = self._index.known({other for name in names for other in (*exact(name), *loose(name))})
        padded = 0
        for at, name in zip(doubtful.tolist(), names, strict=True):
            meant = meant_by(name, known)
            found[at] = known[meant[0]] if len(meant) == 1 else ABSENT
            padded += len(meant) == 1 and known.keys().isdisjoint(exact(name))
        return found, padded

    def rejected(self, ids: pa.Array, lost: npt.NDArray[np.int64]) -> dict[int, str]:
        """Of rows whose ids the store lacks, the places of those that are of refused rows, and what is wrong there."""
        if not len(lost):
            return {}
        names = dict(zip(lost.tolist(), ids.take(pa.array(lost)).to_pylist(), strict=True))
        reasons = self._refused_ids.reasons(other for name in names.values() for other in (*exact(name), *loose(name)))
        found = {at: why_rejected(name, reasons) for at, name in names.items()}
        return {at: f"id {names[at][:_LONGEST_ID]!r} {why}" for at, why in found.items() if why is not None}

    @cached_property
    def _refused_ids(self) -> RejectedIds:
        return RejectedIds(self.store)

    def why_not(self, id_: str) -> str:
        """Why the store has no row of ``id_``, or which ones could be meant."""
        known = self._index.known(asked_for([id_]))
        return f"id {id_[:_LONGEST_ID]!r} {why_not(id_, meant_by(id_, known), known)}"

    def check_others(self, rows: LabelRows) -> None:
        """Refuse ids if another column has those of the store.

        Raises:
            InputError: one has.
        """
        columns = list(rows.other_ids.items())
        others: list[tuple[tuple[str, str], ...]] = [
            tuple((name, value) for name, values in columns if (value := values[at])) for at in range(len(rows.id))
        ]
        known = self._index.known({value for pairs in others for _, value in pairs})
        check_other_ids(list(zip(rows.id.to_pylist(), others, strict=True)), known)
