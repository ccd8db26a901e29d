"""An id of a file of labels → what it may have been in the store, and why no row is meant by it. Reads nothing."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from itertools import islice

from engine.errors import InputError
from engine.inputs.messages import counted
from store.selections.csv_safe import plain_cell

NOT_THERE = "is not in the store"
REJECTED = "is that of a rejected row"
_WIDEST = 20  # digits
_EXPLAINED = 50
SHOWN_OF_AN_ID = 200  # characters
_THOUSANDS = re.compile(r"\d{1,3}(?:[,.' \u00a0\u2009\u202f’]\d{3})+", re.ASCII)
_ROUNDED = re.compile(r"[+-]?\d(?:\.\d+)?[eE]\+?\d+")


def exact(id_: str) -> list[str]:
    """An id, and what it was before its cell was made harmless for a spreadsheet."""
    plain = plain_cell(id_)
    return [id_] if plain is None else [id_, plain]


def loose(id_: str) -> list[str]:
    """What an id may have been before a program padded it, or took it for a number and wrote it as ``17.0``."""
    bare = id_.strip()
    return list(dict.fromkeys([bare, re.sub(r"(?<=\d)\.0+$", "", bare)]))


def meant_by(id_: str, known: Container[str]) -> list[str]:
    """Those of the ``known`` ids of a store that ``id_`` may be: itself, else what it was before it was padded."""
    return [other for other in exact(id_) if other in known] or [other for other in loose(id_) if other in known]


def asked_for(ids: Iterable[str]) -> set[str]:
    """The ids to look for in a store: ``ids``, what each may have been, and for some of them what explains a fault."""
    ids = set(ids)
    looked_for = ids.union(*map(exact, ids), *map(loose, ids), *map(_other_case, ids), *map(_unmarked, ids))
    return looked_for.union(*map(_zeros, islice(sorted(ids), _EXPLAINED)))


def check_other_ids(rows: Sequence[tuple[str | None, tuple[tuple[str, str], ...]]], known: Container[str]) -> None:
    """Refuse ids beside which another column has ids of the store, and not the same ones.

    Args:
        rows: the id of each, and those of other columns with the names of these.
        known: ids of the store.

    Raises:
        InputError: another column has them in at least half of the rows.
    """
    differ = Counter(name for id_, others in rows for name, other in others if other in known and other != id_)
    for name, times in differ.most_common(1):
        if 2 * times >= len(rows):
            raise InputError(
                f"the column {name!r} has ids of the store, and not the same ones as the column that is read: choose "
                "the column of ids with --id"
            )


def why_not(id_: str, found: list[str], known: dict[str, int]) -> str:
    """Why no row is meant by an id, or which ones could be.

    Args:
        id_: as it is written.
        found: ids of the store that could be meant.
        known: those of the ids that were asked for that the store has.
    """
    if found:
        return f"could be {' or '.join(map(repr, found))}, and the store has both"
    if near := [other for other in _other_case(id_) if other in known]:
        return f"{NOT_THERE}; {near[0]!r} is"
    if near := [other for other in _unmarked(id_) if other in known]:
        is_number = _THOUSANDS.fullmatch(id_.strip()) is not None
        way = r"str.replace(r'\D', '', regex=True)" if is_number else _way_of_braces(id_.strip(), near[0])
        words = "marks between thousands" if is_number else "braces around it"
        return f"{NOT_THERE}; {near[0]!r} is, without the {words}: take them away, as with {way} in pandas"
    if near := [other for other in _zeros(id_) if other in known]:
        words, way = "added", "str.lstrip('0')"
        if len(near[0]) > len(loose(id_)[-1]):
            words, way = "lost", f"str.zfill({len(near[0])})"
        return (
            f"{NOT_THERE}; {near[0]!r} is, and so zeros at the beginning were {words}: write ids as text, or mend "
            f"them, as with {way} on a column of strings in pandas"
        )
    if _ROUNDED.fullmatch(id_.strip()):
        return (
            f"{NOT_THERE}: it is a rounded number, and its last digits may be lost; write ids as whole numbers "
            "or as text, from where they are whole"
        )
    return NOT_THERE


def why_rejected(id_: str, reasons: Mapping[str, str]) -> str | None:
    """Why the row of an id was refused when its text was read; None if none had it.

    Args:
        id_: as it is written.
        reasons: of refused rows, by their ids, of those that ``id_`` may have been at least.
    """
    why = next((reasons[other] for other in (*exact(id_), *loose(id_)) if other in reasons), None)
    return None if why is None else f"{REJECTED}: {why}"


def absent(id_: str, why: str = NOT_THERE) -> str:
    """The reason to refuse an annotation whose id is that of no row."""
    return f"id {id_[:SHOWN_OF_AN_ID]!r} {why}"


def words_of_ids(
    labelled: Sequence[tuple[str, str]], reasons: Sequence[str], *, store: str, example: Callable[[], str]
) -> list[str]:
    """What is to be said of ids that are not in the store, of which ``reasons`` say no more, and of refused rows' ids.

    Args:
        labelled: place and id of each annotation that has a label.
        reasons: of all annotations that were refused, behind their places.
        store: its location.
        example: gives an id of it.
    """
    said = {reason for reason in reasons if reason.endswith(NOT_THERE)}
    lost = dict.fromkeys(id_ for place, id_ in labelled if f"{place}: {absent(id_)}" in said)
    of_rejected = {reason.partition(f" {REJECTED}: ")[0] for reason in reasons}
    rejected = len({id_ for place, id_ in labelled if f"{place}: {absent(id_, '').rstrip()}" in of_rejected})
    words = [words_of_rejected(rejected, store=store)] if rejected else []
    if lost:
        ids = {id_ for _, id_ in labelled}
        words.append(words_of_lost(ids, list(lost), rejected=rejected, store=store, example=example()))
    return words


def words_of_rejected(rejected: int, *, store: str) -> str:
    """What is to be said of so many ids of refused rows."""
    are = "1 id is that of a rejected row" if rejected == 1 else f"{rejected:,} ids are those of rejected rows"
    return f'{are}, whose texts the store does not have: `engine sql {shlex.quote(store)} "FROM rejects"` has them'


def words_of_lost(ids: Collection[str], lost: Sequence[str], *, rejected: int = 0, store: str, example: str) -> str:
    """What to do about ids of labels that a store lacks, and that are not near ids of it.

    Args:
        ids: all that have a label.
        lost: those of them.
        rejected: how many others are those of refused rows.
        store: its location.
        example: an id of it.
    """
    there = len(ids) - len(lost) - rejected
    share = f"{there:,}" if there else "none"
    verb = "are" if share not in ("none", "1") else "is"
    return (
        f"Of {counted(len(ids), 'labelled id')} of the files {share} {verb} in the store: "
        f"{lost[0][:SHOWN_OF_AN_ID]!r} is not there, and an id of the store is {example[:SHOWN_OF_AN_ID]!r}. If "
        "another column has the store's ids, choose it with --id; if the rows are of another store, give that one; a "
        "file to be labelled, with the ids of this one, is written by "
        f"`engine select {shlex.quote(store)} NAME --where SQL --out FILE.csv`"
    )


def _other_case(id_: str) -> list[str]:
    return [id_.lower(), id_.upper()]


def _unmarked(id_: str) -> list[str]:
    """A number without marks between its thousands, a GUID without braces around it; none if ``id_`` has neither."""
    bare = id_.strip()
    if _THOUSANDS.fullmatch(bare):
        return [re.sub(r"\D", "", bare)]
    inner = bare[1:-1] if bare.startswith("{") and bare.endswith("}") else ""
    return list(dict.fromkeys([inner, inner.lower(), inner.upper()])) if inner else []


def _way_of_braces(id_: str, near: str) -> str:
    case = "" if near in id_ else ".str.lower()" if near.lower() == near else ".str.upper()"
    return f"str.strip('{{}}'){case}"


def _zeros(id_: str) -> list[str]:
    """A number without zeros before it, and with as many as it may have had; none if ``id_`` is no number."""
    bare = loose(id_)[-1]
    if not (bare.isascii() and bare.isdigit()):
        return []
    plain = bare.lstrip("0") or "0"
    return [other for width in range(1, _WIDEST + 1) if (other := plain.zfill(width)) != bare]
