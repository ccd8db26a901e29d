"""The card of a label set that is made from answers, and whether a run has the answers that it was begun with."""

import dataclasses
import shlex
from collections import Counter
from typing import Any

from engine.ingest.ids.near_ids import NOT_THERE, REJECTED
from store.errors import MismatchError
from store.families.label_card import AnswersCard, AnswersFile, LabelCard, label_card, parse_label_card
from store.format.family import Family
from store.format.names import CARD

_OTHER_NAME = "Give the new labels another --name"
_MOST_FILES = 6


def check_is_of_answers(labels: Family) -> None:
    """Refuse a label set that a teacher made.

    Raises:
        MismatchError: one did.
        DamageError: the card is damaged.
    """
    held = label_card(labels)
    if held is not None and held.answers is None:
        raise MismatchError(
            f"the label set {labels.name!r} was made by a teacher ({held.model}), and this run has answers. "
            f"{_OTHER_NAME}"
        )


def freeze_card(labels: Family, card: AnswersCard) -> None:
    """Write ``card`` as that of ``labels``, or check it against the one that there is.

    Raises:
        MismatchError: the label set was made from other answers, or from the same in another way, or by a teacher.
        DamageError: its card is damaged.
    """
    place = f"{labels.location}/{CARD}"
    held = parse_label_card(labels.freeze_card(LabelCard(answers=card).to_dict()), place=place)
    check_is_of_answers(labels)
    if held.answers is not None and (problem := _difference(held.answers, card)):
        way = _way_of_files(labels.name, held.answers, card) if _contents(held.answers) != _contents(card) else ""
        raise MismatchError(f"the label set {labels.name!r} {problem}. {_OTHER_NAME}{way}")


def _difference(held: AnswersCard, card: AnswersCard) -> str:
    """In which way other answers were read, in words; empty if they are the same, wherever their files are now."""
    if _contents(held) != _contents(card):
        return f"was made from {_files(held.files)}, and this run has {_files(card.files)}"
    if held.hard != card.hard:
        return f"was made with --hard {held.hard:g}, and this run has {card.hard:g}"
    if held.scores != card.scores:
        return f"was made from {held.scores}, and this run reads {card.scores} (--scores, --label)"
    for ours, theirs in zip(held.files, card.files, strict=True):
        for what in ("columns", "options"):
            if ours.get(what) != theirs.get(what):
                return f"was made with {what} {_only(ours, theirs, what)}, and this run has {_only(theirs, ours, what)}"
    if _rows(held) < _rows(card):
        return ""  # rows were appended: the counts are of the store as it was, and its new shards are made now
    if _counts(held) != _counts(card):
        return (
            f"was made from the same files, in which {held.used:,} answers counted, and now {card.used:,} do: another "
            "version read them then"
        )
    return ""


def _contents(card: AnswersCard) -> list[tuple[int, str]]:
    return [_content(file) for file in card.files]


def _content(file: AnswersFile) -> tuple[int, str]:
    return file["size"], file["sha256"]


def _way_of_files(path: str, held: AnswersCard, card: AnswersCard) -> str:
    """How one label set gets the answers of before, and those of this run."""
    every = {_content(file): file["path"] for file in (*held.files, *card.files)}
    if len(every) > _MOST_FILES:
        return ", with every file of before whose answers are to count as well"
    options = " ".join(f"--from {shlex.quote(file)}" for file in every.values())
    name = shlex.quote(f"{path.rpartition('/')[2]}-2")
    return f", with every file whose answers are to count, as {options} --name {name}"


def _files(files: list[AnswersFile]) -> str:
    shown = ", ".join(f"{file['path']} ({file['sha256'][:16]})" for file in files[:3])
    return shown + (f" and {len(files) - 3:,} more" if len(files) > 3 else "")


def _only(one: AnswersFile, other: AnswersFile, what: str) -> dict[str, Any]:
    """What ``one`` says and ``other`` does not."""
    mine: dict[str, Any] = one.get(what) or {}  # type: ignore[assignment]
    theirs: dict[str, Any] = other.get(what) or {}  # type: ignore[assignment]
    return {name: value for name, value in mine.items() if theirs.get(name) != value}


def _rows(card: AnswersCard) -> int:
    """Of the store, when the label set was begun."""
    return card.answered + sum(card.unanswered.values())


def _counts(card: AnswersCard) -> dict[str, Any]:
    """What must be the same; earlier versions did not count ids of refused rows apart."""
    refused = Counter(card.refused)
    refused[f"id {NOT_THERE}"] += refused.pop(f"id {REJECTED}", 0)
    return {**dataclasses.asdict(card), "files": None, "refused": refused}
