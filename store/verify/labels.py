"""A label set → everything that is wrong in it: as in any family, and its card, tokens and side files besides."""

from collections.abc import Iterator
from functools import cached_property, partial

from store.errors import DamageError
from store.families.label_card import LabelCard, parse_label_card
from store.families.learned_texts import LEARNED_TEXTS, parse_learned_texts
from store.format.findings import Finding, Kind, Problem
from store.format.json_file import Value, copy_name, read_small
from store.format.names import CARD, TOKENS
from store.format.record import Record
from store.gold.calibration import calibration_name, calibration_of, numbers_begun, parse_calibration
from store.snapshot import Snapshot
from store.verify.copies import check_twice
from store.verify.family import FamilyCheck
from store.verify.shard import check_alignment, check_shard


class LabelSetCheck(FamilyCheck):
    """The checks of one label set."""

    def _check_card(self) -> Iterator[Finding]:
        """The classes are the store's, and the encoding is that of the tokens that are kept."""
        try:
            card = self._label_card
        except DamageError as error:
            yield self._found(Kind.DAMAGED, CARD, str(error))
            return
        classes = self.snapshot.header.classes
        if card.classes is not None and sorted(card.classes) != sorted(classes):
            yield self._found(Kind.MISMATCH, CARD, f"has the classes {', '.join(card.classes)}")
        tokens, _ = read_small(self.snapshot.storage, f"{TOKENS}/{card.encoding}/{CARD}")
        if tokens is not None and tokens.get("encoding_sha256") != card.encoding_sha256:
            yield self._found(Kind.MISMATCH, CARD, f"has another fingerprint than {TOKENS}/{card.encoding}/{CARD}")

    @cached_property
    def _label_card(self) -> LabelCard:
        return parse_label_card(self._card, place=CARD)

    def _shard_problem(self, record: Record) -> Problem | None:
        problem = check_shard(self.snapshot, self.family, record)
        try:
            card = self._label_card
        except DamageError:
            return problem  # said where the card is checked
        return problem or check_alignment(self.snapshot, self.family, record, card)

    def _check_side_files(self) -> Iterator[Finding]:
        """The calibrations, the texts that the teacher learned, and their copies."""
        for number in numbers_begun(self.snapshot.storage, self.family.path):
            is_right = partial(_is_calibration, self.snapshot, self.family.name, number)
            yield from check_twice(self.snapshot.storage, calibration_name(number), self.family.path, is_right)
        yield from check_twice(self.snapshot.storage, LEARNED_TEXTS, self.family.path, _is_learned_texts)

    def _is_side_file(self, name: str) -> bool:
        return calibration_of(name) is not None or name in (LEARNED_TEXTS, copy_name(LEARNED_TEXTS))


def _is_calibration(snapshot: Snapshot, label_set: str, number: int, value: Value) -> bool:
    try:
        return parse_calibration(snapshot, label_set, value).number == number
    except DamageError:
        return False


def _is_learned_texts(value: Value) -> bool:
    try:
        parse_learned_texts(value, place=LEARNED_TEXTS)
    except DamageError:
        return False
    return True
