"""Refused rows → the shards of the family ``rejects``."""

from collections.abc import Sequence

import pyarrow as pa

from engine.errors import InputError
from engine.inputs.blocks import Reason, in_detail
from store.families.rejects import rejects_schema
from store.format.shard import ShardWriter

_REJECTS_AT_ONCE = 1 << 16


class RejectsWriter:
    """Takes refused rows: writes them, or raises at the first one where ``on_bad_row`` is ``fail``."""

    def __init__(self, writer: ShardWriter, *, on_bad_row: str) -> None:
        self._writer = writer
        self._fail = on_bad_row == "fail"

    def add(
        self, *, files: Sequence[str], rows: Sequence[int], ids: Sequence[str | None], reasons: Sequence[str]
    ) -> None:
        """Take in refused rows: their files, numbers in those, ids and reasons.

        Raises:
            InputError: a refused row ends the ingest.
        """
        if self._fail and rows:
            raise InputError(
                f"{files[0]} row {rows[0]:,}: {in_detail(reasons[0])}. Mend or drop the row, or pass "
                "--on-bad-row=reject"
            )
        for start in range(0, len(rows), _REJECTS_AT_ONCE):
            stop = start + _REJECTS_AT_ONCE
            said = [reason if isinstance(reason, Reason) else Reason(reason) for reason in reasons[start:stop]]
            columns = [list(column[start:stop]) for column in (files, rows, ids)]
            columns += [[str(reason) for reason in said], [reason.position for reason in said]]
            self._writer.write(pa.record_batch([*columns, [reason.lines for reason in said]], schema=rejects_schema()))
