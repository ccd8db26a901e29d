"""The card of a selection: what its file of bits holds and how that came about, and how both files are called.

Its exclusive creation is what freezes the selection. This module opens no file of bits.
"""

import dataclasses
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from store.errors import DamageError, InvalidNameError
from store.format.decode import decode
from store.format.json_file import frozen
from store.format.names import CORPUS, GOLD, LABELS, check_name, is_name
from store.rows.row_set import WORD_ROWS
from store.snapshot import Snapshot
from store.storage import Storage

SELECTIONS = "selections"
_BITS = re.compile(r"(.+)-[0-9a-f]{16}\.bits")
_COPY = ".copy"


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """How rows were proposed for annotators.

    Attributes:
        method: one of `store.selections.methods.METHODS`.
        seed: of ``random``; None for the others.
        label_sets: those that ``disagreement`` compares; none for the others.
        rounds: of gold, whose rows were left out, 0 being the corpus's own. Rounds that come later change nothing.
    """

    method: str
    seed: int | None = None
    label_sets: list[str] = field(default_factory=list)
    rounds: list[int]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Name and origin of a selection.

    Attributes:
        name: of the selection.
        sql: the condition; None if there was none.
        order_by: what stood behind ORDER BY; equal rows came in the order of their numbers.
        limit: how many of the first rows were kept; None for all.
        labels: the label set that the SQL saw; None if it saw none.
        proposed: how the first rows were found that were kept, in place of an order; None if they were not proposed.
        algebra: names of other selections: ``and`` those that it lies inside of, ``or`` those that were added and
            ``not`` those that were taken out.
        sources: the fingerprint of each family that it was made from, by path.
    """

    name: str
    sql: str | None = None
    order_by: str | None = None
    limit: int | None = None
    labels: str | None = None
    proposed: Proposed | None = None
    algebra: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> dict[str, Any]:
        """These attributes alone."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(Origin)}


def select_command(location: str, origin: Origin, *, name: str | None = None) -> str:
    """The `engine select` that makes the selection of the store at ``location``, as a shell takes it.

    Args:
        location: of the store.
        origin: of the selection.
        name: another one for it; its own if None.
    """
    proposed = origin.proposed
    labels = ",".join(proposed.label_sets) if proposed is not None and proposed.label_sets else origin.labels
    flags: list[tuple[str, object]] = [
        ("--where", origin.sql),
        ("--order-by", origin.order_by),
        ("--propose", None if proposed is None else proposed.method),
        ("--seed", None if proposed is None else proposed.seed),
        ("--limit", origin.limit),
        ("--labels", labels),
        *((f"--{how}", other) for how, others in origin.algebra.items() for other in others),
    ]
    words = [str(word) for flag, value in flags if value is not None for word in (flag, value)]
    return shlex.join(["engine", "select", location, name or origin.name, *words])


@dataclass(frozen=True, kw_only=True)
class Card(Origin):
    """``selections/<name>.json``.

    Attributes:
        rows: rows of the store when the selection was made; it knows nothing of rows that were appended since.
        selected: how many of them are in the selection.
        file: name of the file of bits beside the card: ``<name>-<first 16 of sha256>.bits``.
        bytes: size of that file.
        sha256: of that file, hexadecimal.
    """

    rows: int
    selected: int
    file: str
    bytes: int
    sha256: str

    @property
    def value(self) -> dict[str, Any]:
        """What its file says, without its check."""
        value = dataclasses.asdict(self)
        return {name: one for name, one in value.items() if name != "proposed" or one is not None}

    def __post_init__(self) -> None:
        if not 0 <= self.selected <= self.rows:
            raise ValueError(f"it selects {self.selected} of {self.rows} rows")
        if self.file != bits_name(self.name, self.sha256):
            raise ValueError(f"file is {self.file!r}, and must be {bits_name(self.name, self.sha256)!r}")
        if self.bytes != -(-self.rows // WORD_ROWS) * 8:
            raise ValueError(f"bytes is {self.bytes}, which is not one bit for each of {self.rows} rows")
        if not all(map(_is_source, self.sources)):
            raise ValueError(f"sources are {self.sources}, and must be families and their fingerprints")


def _is_source(path: str) -> bool:
    kind, _, name = path.partition("/")
    return path in (CORPUS, GOLD) or (kind == LABELS and is_name(name))


def bits_name(name: str, sha256: str) -> str:
    """File name of a selection's bits."""
    return f"{name}-{sha256[:16]}.bits"


def selection_of_bits(file: str) -> str | None:
    """Name of the selection whose bits ``file`` holds; None if it is no such file. Inverse of `bits_name`."""
    match = _BITS.fullmatch(file)
    return match[1] if match is not None and is_name(match[1]) else None


def card_name(name: str) -> str:
    """Where the card of the selection ``name`` is, from the store's root.

    Raises:
        InvalidNameError: it cannot be the name of a selection.
    """
    if check_name(name, what="selection").endswith(_COPY):
        raise InvalidNameError(f"selection {name!r}: the copy of another one's card is called so; use another name")
    return f"{SELECTIONS}/{name}.json"


def begun_selections(storage: Storage) -> list[str]:
    """Names of the selections that have a card or its copy, also a torn one; sorted."""
    stems = (file.removesuffix(".json") for file in storage.list(SELECTIONS) if file.endswith(".json"))
    names = {stem.removesuffix(_COPY) for stem in stems}
    return sorted(name for name in names if is_name(name) and not name.endswith(_COPY))


def card_there(snapshot: Snapshot, name: str) -> Card | None:
    """The card of the selection ``name``, or its copy if that is lost; None if neither exists.

    Raises:
        DamageError: it is damaged, or that of another selection or store.
    """
    value = frozen(snapshot.storage, card_name(name))
    return None if value is None else parse_card(snapshot, name, value)


def parse_card(snapshot: Snapshot, name: str, value: dict[str, Any]) -> Card:
    """The card of the selection ``name`` that ``value`` is.

    Raises:
        DamageError: it is none, or that of another selection or store.
    """
    place = f"{snapshot.location}/{card_name(name)}"
    card = decode(Card, value, place=place)
    if card.name != name or card.rows not in {one.first_row + one.rows for one in snapshot.layout.segments}:
        raise DamageError(f"{place} is the card of {card.name!r}, in a store of {card.rows:,} rows")
    return card
