"""A store's header and families. SQL, streams and verification all read a store through it."""

import shlex
from functools import cached_property
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from store.errors import MismatchError, StoreMissingError
from store.families.kind import Cut, FamilyKind
from store.families.registry import KINDS, kind_of
from store.format.family import Family
from store.format.header import Header
from store.format.label_command import new_labels
from store.format.layout import Layout
from store.format.names import CORPUS, LABELS, REJECTS, TOKENS, check_name, is_name
from store.format.record_files import Memo
from store.storage import Storage
from store.storage.arrow_files import arrow_files

if TYPE_CHECKING:
    import pyarrow.dataset as pads  # imported late: it imports pandas, if that is installed, for 0.3 s


class Snapshot:
    """The families of one store, as they are committed at the moment of asking."""

    def __init__(self, storage: Storage, header: Header) -> None:
        self.storage = storage
        self.header = header
        self._memos: dict[str, Memo] | None = None

    def memoised(self) -> Self:
        """The same store for one operation: each card and record is read once.

        Shards and families that others commit meanwhile are seen; a small file that was read is not looked at again, so
        that a repair, or damage that comes later, is not. So it is for one question or one run, and not for a process
        that keeps a store open.
        """
        if self._memos is not None:
            return self
        view = type(self)(self.storage, self.header)
        view._memos = {}
        return view

    def as_of(self, rows: int) -> Self:
        """The same store as it was when it had ``rows`` rows: before what was appended later.

        Raises:
            ValueError: it never had so many.
        """
        if rows == self.layout.rows:
            return self
        view = type(self)(self.storage, self.header.as_of(rows))
        view._memos = self._memos
        return view

    @property
    def location(self) -> str:
        """Where the store is, as the user said it."""
        return self.storage.location

    @cached_property
    def layout(self) -> Layout:
        """Which rows are in which shard."""
        return self.header.layout

    @property
    def corpus(self) -> Family:
        """The family of texts."""
        return self.family(CORPUS)

    def family(self, path: str) -> Family:
        """The family at ``path``, whether or not anything is committed in it."""
        memo = None if self._memos is None else self._memos.setdefault(path, Memo())
        return kind_of(path).family(self.storage, path, layout=self.layout, memo=memo)

    def label_set(self, name: str) -> Family:
        """The label set ``name``, whether or not it exists yet."""
        return self.family(f"{LABELS}/{check_name(name, what='label set')}")

    def tokens(self, encoding: str) -> Family:
        """The token family of ``encoding``, whether or not it exists yet."""
        return self.family(f"{TOKENS}/{check_name(encoding, what='encoding')}")

    def label_sets(self) -> list[str]:
        """Names of the label sets that have been begun, sorted."""
        return self._names(LABELS)

    def encodings(self) -> list[str]:
        """Names of the encodings whose tokens are kept, sorted."""
        return self._names(TOKENS)

    def _names(self, kind: str) -> list[str]:
        """Names of the families of one kind that have been begun, sorted."""
        return [name for name in self.storage.list(kind) if is_name(name) and self.storage.list(f"{kind}/{name}")]

    def one_label_set(self, name: str | None) -> str:
        """``name``, or the only label set there is.

        Raises:
            StoreMissingError: there is none, none of that name, or a choice is needed.
        """
        names = self.label_sets()
        if name is not None:
            if name not in names:
                one = "; name one here" if "," in name and set(name.split(",")) <= set(names) else ""
                raise StoreMissingError(f"{self.location} has no label set {name!r}; it has: {_listed(names)}{one}")
            return name
        if not names:
            raise StoreMissingError(
                f"{self.location} has no label set yet; `{shlex.join(new_labels(self.location))}` makes one"
            )
        if len(names) > 1:
            raise StoreMissingError(
                f"{self.location} has {len(names)} label sets: {_listed(names)}; choose one with --labels"
            )
        return names[0]

    def families(self) -> list[Family]:
        """Every family that has been begun; those of a kind of which there is one always."""
        return [self.family(path) for kind in KINDS.values() for path in self._paths(kind)]

    def _paths(self, kind: FamilyKind) -> list[str]:
        if kind.cut is Cut.ONE_FILE:
            return []
        return [f"{kind.name}/{name}" for name in self._names(kind.name)] if kind.is_named else [kind.name]

    def extras(self) -> dict[str, pa.DataType]:
        """Kept input columns and their Arrow types."""
        return {name: pa.type_for_alias(alias) for name, alias in self.header.kept.items()}

    def schema(self, path: str, *, logit: pa.DataType | None = None) -> pa.Schema:
        """Columns of the family at ``path``.

        Args:
            path: such as ``corpus`` or ``labels/bert``.
            logit: type in which float16 numbers are shown; float32 to read with DuckDB, whose Arrow scan refuses
                float16. As stored if None.

        Raises:
            StoreMissingError: there is no such family.
            DamageError: its card is damaged.
        """
        schema = kind_of(path).schema(self.header, self.family(path))
        return schema if logit is None else pa.schema([_with_halves_as(field, logit) for field in schema])

    def stored_schema(self, path: str, shard: int) -> pa.Schema:
        """Columns of the file of ``shard``: those of `schema`, but for kept ones that the shard's segment has not."""
        schema, lacking = self.schema(path), self.lacking(path, shard)
        return pa.schema([field for field in schema if field.name not in lacking])

    def lacking(self, path: str, shard: int) -> set[str]:
        """Names of the columns that the file of ``shard`` does not have: its rows have null there."""
        if not (kind_of(path).has_extras and self.header.appended):
            return set()
        return self.header.kept.keys() - self.header.segments[self.layout.segment_of(shard)].extras.keys()

    def dataset(self, path: str, *, logit: pa.DataType | None = None) -> "pads.Dataset":
        """The committed rows of the family at ``path``, as an Arrow data set; arguments as in `schema`.

        A column that a file does not have is null there.
        """
        import pyarrow.dataset as pads

        schema = self.schema(path, logit=logit)
        files = self._files(path)
        if not files:
            return pads.dataset(schema.empty_table())
        filesystem = arrow_files(self.storage)
        return pads.FileSystemDataset.from_paths(files, schema, pads.IpcFileFormat(), filesystem=filesystem)

    def _files(self, path: str) -> list[str]:
        """The data files that hold, from the store's root."""
        if kind_of(path).cut is Cut.ONE_FILE:
            return [segment.rejects_file for segment in self.header.segments]
        return [f"{path}/{record.file}" for record in self.family(path).records().values()]

    def rejects(self) -> "pads.Dataset":
        """The input rows that were refused, of all segments."""
        return self.dataset(REJECTS)


def _with_halves_as(field: pa.Field, type_: pa.DataType) -> pa.Field:
    """``field``, with ``type_`` for float16 numbers and for lists of them."""
    if pa.types.is_float16(field.type):
        return field.with_type(type_)
    if pa.types.is_fixed_size_list(field.type):
        return field.with_type(pa.list_(_with_halves_as(field.type.value_field, type_), field.type.list_size))
    if pa.types.is_list(field.type):
        return field.with_type(pa.list_(_with_halves_as(field.type.value_field, type_)))
    return field


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def check_classes(snapshot: Snapshot, classes: list[str], *, whose: str) -> list[int]:
    """For each of the store's classes, its index in ``classes``: the permutation that puts logits in the store's order.

    Raises:
        MismatchError: the names differ as sets.
    """
    ours = snapshot.header.classes
    if sorted(classes) != sorted(ours) or len(set(classes)) != len(classes):
        raise MismatchError(
            f"{whose} has the classes {', '.join(classes)}, and {snapshot.location} has {', '.join(ours)}; "
            "rename them in the model's id2label, or label into a new store"
        )
    return [classes.index(name) for name in ours]
