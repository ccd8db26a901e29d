"""A store's header and families: what is committed in it. The ground of the SQL side and of the stream side alike."""

from functools import cached_property

import pyarrow as pa
import pyarrow.dataset as pads

from store.errors import DamageError, MismatchError, StoreMissingError
from store.families.corpus import corpus_schema
from store.families.gold import gold_schema
from store.families.labels import labels_schema
from store.families.rejects import rejects_schema
from store.families.tokens import tokens_schema
from store.format.family import CARD, Family
from store.format.header import Header
from store.format.layout import Layout
from store.format.names import CORPUS, GOLD, LABELS, REJECTS, TOKENS, check_name, is_name
from store.storage import Storage


class Snapshot:
    """The families of one store, as they are committed at the moment of asking."""

    def __init__(self, storage: Storage, header: Header) -> None:
        self.storage = storage
        self.header = header

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
        return Family(self.storage, path, self.layout.shards)

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
        """Columns of the family at ``path``; ``logit`` as in `store.families.labels.labels_schema`."""
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
