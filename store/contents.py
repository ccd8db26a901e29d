"""A store's header and families: what is committed in it. The ground of the SQL side and of the stream side alike."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from store.checked_json import copy_name, freeze, from_json, frozen, is_there
from store.errors import DamageError, FormatError, MismatchError, StoreExistsError, StoreMissingError
from store.manifest import CARD, Family
from store.schema import (
    CORPUS,
    FORMAT_VERSION,
    GOLD,
    LABELS,
    REJECTS,
    TOKENS,
    check_name,
    corpus_schema,
    gold_schema,
    is_name,
    labels_schema,
    rejects_schema,
    shard_range,
    tokens_schema,
)
from store.storage import Storage

HEADER = "store.json"


@dataclass(frozen=True, kw_only=True)
class Header:
    """``store.json``: what was frozen when the inputs had been read for the first time.

    Attributes:
        format_version: of the layout.
        classes: class names; a label is an index into them.
        rows: rows of the corpus.
        shards: shards of every family (`store.schema.shard_range` cuts the rows).
        extras: kept input columns: name → Arrow type in words.
        inputs: one entry a file: path as given, size in bytes, sha256, rows, rejected.
        rejects: name, rows, bytes and sha256 of the file of refused rows.
    """

    format_version: int = FORMAT_VERSION
    classes: list[str]
    rows: int
    shards: int
    extras: dict[str, str]
    inputs: list[dict[str, Any]]
    rejects: dict[str, Any]


class Contents:
    """The families of one store, as they are committed at the moment of asking."""

    def __init__(self, storage: Storage, header: Header) -> None:
        self.storage = storage
        self.header = header

    @property
    def location(self) -> str:
        """Where the store is, as the user said it."""
        return self.storage.location

    def shard_range(self, shard: int) -> tuple[int, int]:
        """First row of ``shard`` and the row after its last."""
        return shard_range(shard, rows=self.header.rows, shards=self.header.shards)

    @property
    def corpus(self) -> Family:
        """The family of texts."""
        return self.family(CORPUS)

    def family(self, path: str) -> Family:
        """The family at ``path``, whether or not anything is committed in it."""
        return Family(self.storage, path, self.header.shards)

    def label_set(self, name: str) -> Family:
        """The label set ``name``, whether or not it exists yet."""
        return self.family(f"{LABELS}/{check_name(name, what='label set')}")

    def tokens(self, encoding: str) -> Family:
        """The token family of ``encoding``, whether or not it exists yet."""
        return self.family(f"{TOKENS}/{check_name(encoding, what='encoding')}")

    def label_sets(self) -> list[str]:
        """Names of the label sets that have been begun, sorted."""
        return [name for name in self.storage.list(LABELS) if is_name(name) and self.storage.list(f"{LABELS}/{name}")]

    def encodings(self) -> list[str]:
        """Names of the encodings whose tokens are kept, sorted."""
        return [name for name in self.storage.list(TOKENS) if is_name(name) and self.storage.list(f"{TOKENS}/{name}")]

    def one_label_set(self, name: str | None) -> str:
        """``name``, or the only label set there is.

        Raises:
            StoreMissingError: there is none, none of that name, or a choice is needed.
        """
        names = self.label_sets()
        if name is not None:
            if name not in names:
                raise StoreMissingError(f"{self.location} has no label set {name!r}; it has: {_listed(names)}")
            return name
        if not names:
            raise StoreMissingError(f"{self.location} has no label set yet; `engine label` makes one")
        if len(names) > 1:
            raise StoreMissingError(
                f"{self.location} has {len(names)} label sets: {_listed(names)}; choose one with --labels (labels=…)"
            )
        return names[0]

    def families(self) -> list[Family]:
        """Every family that has been begun."""
        paths = [CORPUS, *(f"{TOKENS}/{name}" for name in self.encodings())]
        paths += [f"{LABELS}/{name}" for name in self.label_sets()]
        return [self.family(path) for path in [*paths, GOLD]]

    def extras(self) -> dict[str, pa.DataType]:
        """Kept input columns and their Arrow types."""
        return {name: pa.type_for_alias(alias) for name, alias in self.header.extras.items()}

    def schema(self, path: str, *, logit: pa.DataType | None = None) -> pa.Schema:
        """Columns of the family at ``path``; ``logit`` as in `store.schema.labels_schema`."""
        if path == CORPUS:
            return corpus_schema(self.extras())
        if path == GOLD:
            return gold_schema()
        if path.startswith(f"{LABELS}/"):
            return labels_schema(len(self.header.classes), logit=logit)
        card = self.family(path).card() if path.startswith(f"{TOKENS}/") else None
        if card is None:
            raise StoreMissingError(f"{self.location} has no family {path!r}")
        if type(card.get("vocab_size")) is not int:
            raise DamageError(f"{self.location}/{path}/{CARD} is damaged: it says no vocab_size")
        return tokens_schema(card["vocab_size"])

    def dataset(self, path: str, *, logit: pa.DataType | None = None) -> pads.Dataset:
        """The committed rows of the family at ``path``, as an Arrow data set.

        Args:
            path: such as ``corpus`` or ``labels/bert``.
            logit: float32 where the reader is DuckDB.
        """
        files = [f"{path}/{record.file}" for record in self.family(path).records().values()]
        return self._dataset(files, self.schema(path, logit=logit))

    def rejects(self) -> pads.Dataset:
        """The rows that were refused at ingest."""
        return self._dataset([f"{REJECTS}/{self.header.rejects['file']}"], rejects_schema())

    def _dataset(self, files: list[str], schema: pa.Schema) -> pads.Dataset:
        if not files:
            return pads.dataset(schema.empty_table())
        filesystem, paths = self.storage.arrow_files(files)
        return pads.FileSystemDataset.from_paths(paths, schema, pads.IpcFileFormat(), filesystem=filesystem)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def read_header(storage: Storage) -> Header:
    """The header of the store at ``storage``.

    Raises:
        StoreMissingError: there is no store.
        FormatError: it has a format that this program does not know.
        DamageError: it is not JSON, or fields are missing or too many.
    """
    try:
        return parse_header(storage, frozen(storage, HEADER) or from_json(storage, HEADER))
    except StoreMissingError:
        raise StoreMissingError(
            f"{storage.location} is not a store: it has no {HEADER}. `engine label INPUT… --store …` makes one"
        ) from None


def parse_header(storage: Storage, raw: dict[str, Any]) -> Header:
    """The header that ``raw`` is.

    Raises:
        FormatError: it has a format that this program does not know.
        DamageError: fields are missing or too many.
    """
    version = raw.get("format_version")
    if version is None:
        raise DamageError(f"{storage.location}/{HEADER} is damaged: it says no format version")
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{storage.location} has format version {version}, and this program knows {FORMAT_VERSION}; update it"
        )
    try:
        return Header(**raw)
    except TypeError as error:
        raise DamageError(f"{storage.location}/{HEADER} is damaged: {error}") from None


def is_store(storage: Storage) -> bool:
    """Whether the header of a store is at ``storage``."""
    return any(is_there(storage, name) for name in (HEADER, copy_name(HEADER)))


def create(storage: Storage, header: Header) -> Header:
    """Freeze ``header`` as the store's; the header that holds, where an equal one was first.

    Raises:
        StoreExistsError: the first one is different.
    """
    freeze(storage, HEADER, dataclasses.asdict(header))
    first = read_header(storage)
    if first != header:
        raise StoreExistsError(f"{storage.location}: another run made this store from other inputs; use another folder")
    return first


def check_classes(contents: Contents, classes: list[str], *, whose: str) -> list[int]:
    """For each of the store's classes, its index in ``classes``: the permutation that puts logits in the store's order.

    Raises:
        MismatchError: the names differ as sets.
    """
    ours = contents.header.classes
    if sorted(classes) != sorted(ours) or len(set(classes)) != len(classes):
        raise MismatchError(
            f"{whose} has the classes {', '.join(classes)}, and {contents.location} has {', '.join(ours)}; "
            "rename them in the model's id2label, or label into a new store"
        )
    return [classes.index(name) for name in ours]
