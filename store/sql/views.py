"""The views of a store, over its committed rows: ``corpus labels reviews gold rejects shards calibrations``.

A family's records are read when a query scans it for the first time, once for all of the connection's queries.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from store.errors import DamageError
from store.families.gold import gold_schema
from store.families.rejects import check_rejects, rejects_schema
from store.format.family import Family
from store.format.layout import Segment
from store.format.names import CORPUS, GOLD, LABELS
from store.format.record import Record
from store.gold.calibration import calibrations
from store.gold.held import GOLD_COLUMNS, OWN, OWN_SOURCE, HeldGold, chosen_rounds, held_gold, read_rounds
from store.snapshot import Snapshot
from store.sql.lazy_table import Failure, LazyTable, side_by_side
from store.sql.scan import FamilyRows
from store.sql.shards_view import SHARDS, ShardTable

_CORPUS_COLUMNS = "row, id, text, label, {class_} AS class, n_chars, text_hash, {shard} AS shard{extras}"
_LABEL_COLUMNS = (
    "row, {name} AS label_set, {shard} AS shard, prediction, {class_} AS class, confidence, margin, entropy, "
    "n_tokens, truncated, failure, logits::FLOAT[] AS logits"
)
_REVIEW_COLUMNS = (
    "row, id, text, gold, {gold} AS gold_class, gold_round, gold_source, n_chars, text_hash, {shard} AS shard, "
    "{name} AS label_set, prediction, {class_} AS class, confidence, margin, entropy, n_tokens, truncated, failure, "
    "logits::FLOAT[] AS logits{extras}"
)

CALIBRATIONS = pa.schema(
    [
        ("label_set", pa.string()),
        ("number", pa.int32()),
        ("temperature", pa.float64()),
        ("standard_error", pa.float64()),
        ("rows", pa.int64()),
        ("left_out", pa.int64()),
    ]
)


class Views:
    """The views of one connection.

    Attributes:
        failure: the error that a query met in the store's files.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        labels: str | None,
        rounds: Sequence[int] | None = None,
    ) -> None:
        """Create them; ``reviews`` only if ``labels`` names a label set or there is just one.

        Of gold, ``gold`` and ``reviews`` show the ``rounds`` alone, 0 being the corpus's own; all if None.
        """
        self.failure = Failure()
        self._connection = connection
        self._snapshot = snapshot
        self._rounds = None if rounds is None else chosen_rounds(snapshot, rounds)
        self._records = cache(lambda path: _committed(snapshot.family(path)))
        self._tables: list[LazyTable] = []
        names = snapshot.label_sets()
        self._make_plain_views()
        self._make_labels(names)
        if labels is not None or len(names) == 1:
            self._make_reviews(snapshot.one_label_set(labels))

    def forget(self) -> None:
        """Let the next query read again what is committed. The views stay: those of a new label set are not made."""
        self._records.cache_clear()
        for table in self._tables:
            table.forget()

    def columns(self) -> dict[str, list[str]]:
        """The columns of each view, by its name."""
        made = self._connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND view_name[1] <> '_' ORDER BY view_oid"
        )
        names = [name for (name,) in made.fetchall()]
        return {
            name: [column for column, *_ in self._connection.execute(f"DESCRIBE {name}").fetchall()] for name in names
        }

    def _make_plain_views(self) -> None:
        snapshot, records = self._snapshot, self._records
        self._register_families("_corpus", CORPUS)
        self._register("_gold", gold_schema(), self._gold_rows())
        self._register("_rejects", rejects_schema(), lambda: _sound_rejects(snapshot))
        self._register("_shards", SHARDS, lambda: ShardTable(snapshot, records))
        self._register("_calibrations", CALIBRATIONS, lambda: _calibrations(snapshot))
        columns = _CORPUS_COLUMNS.format(class_=self._class_of("label"), shard=self._shard, extras=self._extras())
        self._view("corpus", f"SELECT {columns} FROM _corpus")
        self._view("gold", " UNION ALL ".join(self._gold_selects()))
        self._view("rejects", "SELECT file, source_row, id, reason, position, lines FROM _rejects")
        self._view("shards", "SELECT * FROM _shards")
        self._view("calibrations", "SELECT * FROM _calibrations")

    def _gold_selects(self) -> list[str]:
        """Every label of the rounds that are shown, the corpus's own first; of a row, that of the last round holds."""
        columns = f"row, label, {self._class_of('label')} AS class"
        own = f"SELECT {columns}, {_literal(OWN_SOURCE)} AS source, {OWN}::INTEGER AS round FROM _corpus"
        later = f"SELECT {columns}, source, round FROM _gold"
        is_own_shown = self._rounds is None or OWN in self._rounds
        return [*([f"{own} WHERE label IS NOT NULL"] if is_own_shown else []), later]

    def _make_labels(self, names: list[str]) -> None:
        selects = []
        for number, name in enumerate(names):
            self._register_families(f"_labels_{number}", f"{LABELS}/{name}")
            selects.append(f"SELECT {self._label_columns(name)} FROM _labels_{number}")
        if not selects:
            self._connection.register("_labels_none", self._schema(f"{LABELS}/none").empty_table())
            selects.append(f"SELECT {self._label_columns('')} FROM _labels_none")
        self._view("labels", " UNION ALL ".join(selects))

    def _make_reviews(self, name: str) -> None:
        self._register_families("_reviews", f"{LABELS}/{name}", CORPUS, gold=True)
        columns = _REVIEW_COLUMNS.format(
            gold=self._class_of("gold"),
            shard=self._shard,
            name=_literal(name),
            class_=self._class_of("prediction"),
            extras=self._extras(without=GOLD_COLUMNS.names),  # a store may be older than these columns
        )
        self._view("reviews", f"SELECT {columns} FROM _reviews")

    def _register(self, table: str, schema: pa.Schema, make: Callable[[], Any]) -> None:
        """Give the connection a table, which ``make`` makes when a query scans it."""
        lazy = LazyTable(schema, make, self.failure)
        self._tables.append(lazy)
        self._connection.register(table, lazy)

    def _register_families(self, table: str, *paths: str, gold: bool = False) -> None:
        """Make the families at ``paths``, side by side, a table; with the gold that holds if ``gold``."""
        snapshot, records, failure = self._snapshot, self._records, self.failure  # not self, which has the connection
        sides = {**({GOLD: GOLD_COLUMNS} if gold else {}), **{path: self._schema(path) for path in paths}}
        held = self._held() if gold else None

        def make() -> FamilyRows:
            there = {path: records(path) for path in paths}
            return FamilyRows(snapshot, sides, records=there, failure=failure, gold=held)

        columns = sorted(side_by_side(sides), key=lambda column: column[1] == GOLD)  # to count, DuckDB reads the first
        self._register(table, pa.schema([field for field, _ in columns]), make)

    def _gold_rows(self) -> Callable[[], pads.Dataset]:
        """A function that gives the rows of the rounds that are shown."""
        snapshot, records, rounds = self._snapshot, self._records, self._rounds

        def make() -> pads.Dataset:
            there = records(GOLD)
            shown = [record for number, record in there.items() if rounds is None or number in rounds]
            return pads.dataset(read_rounds(snapshot, shown))

        return make

    def _held(self) -> Callable[[], HeldGold]:
        """A function that gives the gold that holds."""
        snapshot, records, rounds = self._snapshot, self._records, self._rounds
        return lambda: held_gold(snapshot, rounds, there=records(GOLD))

    def _view(self, name: str, select: str) -> None:
        self._connection.execute(f"CREATE VIEW {name} AS {select}")

    def _schema(self, path: str) -> pa.Schema:
        """DuckDB's scan of Arrow refuses float16: it is shown float32."""
        return self._snapshot.schema(path, logit=pa.float32())

    def _label_columns(self, name: str) -> str:
        return _LABEL_COLUMNS.format(name=_literal(name), shard=self._shard, class_=self._class_of("prediction"))

    @property
    def _shard(self) -> str:
        """`store.format.layout.Layout.shard_of`, in SQL."""
        *others, last = self._snapshot.layout.segments
        cases = "".join(f"WHEN row < {one.first_row + one.rows} THEN {_shard_in(one)} " for one in others)
        return f"CASE {cases}ELSE {_shard_in(last)} END" if others else _shard_in(last)

    def _extras(self, *, without: Sequence[str] = ()) -> str:
        """The kept columns, but those of the names ``without``."""
        names = (name for name in self._snapshot.header.kept if name.lower() not in without)
        return "".join(f", {_identifier(name)}" for name in names)

    def _class_of(self, index: str) -> str:
        return f"([{', '.join(map(_literal, self._snapshot.header.classes))}]::VARCHAR[])[{index} + 1]"


def _shard_in(segment: Segment) -> str:
    """`Segment.shard_of`, in SQL."""
    row = f"(row - {segment.first_row})" if segment.first_row else "row"
    place = f"(({row} + 1) * {segment.shards} - 1) // {max(1, segment.rows)}"
    return f"({segment.first_shard} + {place})" if segment.first_shard else place


def _committed(family: Family) -> dict[int, Record]:
    """The records of a family that there was when the views were made.

    Raises:
        StoreMissingError: it has been removed since.
    """
    records = family.records()
    if not records:
        family.check_there()
    return records


def _sound_rejects(snapshot: Snapshot) -> pads.Dataset:
    """The refused rows, of files that are as the header says: they are small enough to be hashed each time.

    Raises:
        DamageError: one is not.
    """
    for segment in snapshot.header.segments:
        if (problem := check_rejects(snapshot.storage, segment)) is not None:
            file = f"{snapshot.location}/{segment.rejects_file}"
            raise DamageError(f"{file} {problem.text}; `engine verify STORE --repair` makes it again")
    return snapshot.rejects()


def _calibrations(snapshot: Snapshot) -> pads.Dataset:
    """All calibrations of all label sets."""
    held = [one for name in snapshot.label_sets() for one in calibrations(snapshot, name)]
    rows = [{name: getattr(one, name) for name in CALIBRATIONS.names} for one in held]
    return pads.dataset(pa.Table.from_pylist(rows, schema=CALIBRATIONS))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
