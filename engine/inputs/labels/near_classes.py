"""Rows of each class that labels made → warnings about those that may be another one misspelt, with the map for it."""

import re
from collections.abc import Mapping, Sequence

from engine.inputs.labels.spelling import label_map_text
from engine.inputs.messages import counted, listed

_FEWER = 10  # times fewer rows than the class that it is near
_SOME = 4  # rows
_RARE = 3  # rows
_MORE = 20  # times as many rows as a rare class
_LENGTHS = {1: 4, 2: 5}  # edits → characters of a name from which on these are few


def near_classes(counts: Mapping[str, int]) -> dict[str, str]:
    """Classes that may be another one misspelt, and that other one, which has more rows.

    A name is the same as another but for case, white space, ``_`` and ``-``, or its class has a tenth of the other's
    rows or fewer and it is one or two edits away: characters that are added, lost, changed, or two swapped. A single
    row that is one edit away may be one of four. Digits are never a mistake.

    Args:
        counts: class → rows.
    """
    by_rows = sorted(counts, key=lambda name: (-counts[name], name))
    near: dict[str, str] = {}
    for place, name in enumerate(by_rows):
        larger = [other for other in by_rows[:place] if other not in near]
        if (meant := _meant(name, larger, counts)) is not None:
            near[name] = meant
    return near


def near_name(label: str, classes: Sequence[str]) -> str | None:
    """The one of ``classes`` that ``label``, which is none of them, may be misspelt, by `near_classes`' edits."""
    plain = _plain(label)
    found = [(edits, name) for name in classes if (edits := _few_edits(plain, _plain(name))) is not None]
    alike = [name for name in classes if _plain(name) == plain]
    return alike[0] if alike else min(found, key=lambda one: one[0])[1] if found else None


def mended_map(near: Mapping[str, str], mapped: Sequence[tuple[str, str]]) -> str:
    """A label map, as a shell takes it: that of the user, ``mapped``, with each of ``near`` as what it may be."""
    followed = {label: near.get(name, name) for label, name in mapped}
    return label_map_text(list({**near, **followed}.items()))


def _meant(name: str, larger: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """That of ``larger``, most rows first, which ``name`` may be."""
    plain = _plain(name)
    for other in larger:
        if _plain(other) == plain:
            return other
    found = [
        (edits, other)
        for other in larger
        if (edits := _few_edits(plain, _plain(other))) is not None
        and (counts[name] * _FEWER <= counts[other] or _is_slip(counts[name], counts[other], edits))
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


def _is_slip(rows: int, others: int, edits: int) -> bool:
    """Whether a single row, one edit away from a class of some, is likelier a slip than a class of its own."""
    return rows == 1 and others >= _SOME and edits == 1


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold()) or name


def _few_edits(one: str, other: str) -> int | None:
    """The edits from one name to another, if they are so few that it may be a mistake."""
    if abs(len(one) - len(other)) > 2 or len({*one} ^ {*other}) > 4 or _digits(one) != _digits(other):
        return None
    count = _edits(one, other)
    return count if count in _LENGTHS and min(len(one), len(other)) >= _LENGTHS[count] else None


def _digits(name: str) -> list[str]:
    return re.findall(r"\d", name)


def _edits(one: str, other: str) -> int:
    """Characters to add, take away or change, or neighbours to swap."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, char in enumerate(one, 1):
        this = [row]
        for column, its in enumerate(other, 1):
            cost = min(last[column] + 1, this[column - 1] + 1, last[column - 1] + (char != its))
            if row > 1 and column > 1 and char == other[column - 2] and one[row - 2] == its:
                cost = min(cost, before[column - 2] + 1)
            this.append(cost)
        before, last = last, this
    return last[-1]


def near_warnings(
    counts: Mapping[str, int], near: Mapping[str, str], *, mapped: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """Warnings about `near_classes` and about classes that hardly have a row; a sentence each.

    Args:
        counts: class → rows.
        near: what `near_classes` found.
        mapped: the map that the user gave; the new one contains it.
    """
    return [
        *([_near_warning(counts, near, mapped)] if near else []),
        *([_rare_warning(counts, rare, mapped)] if (rare := _rare(counts, near)) else []),
    ]


def _near_warning(counts: Mapping[str, int], near: Mapping[str, str], mapped: Sequence[tuple[str, str]]) -> str:
    pairs = [
        f"{name!r} ({counted(counts[name], 'row')}) as {near[name]!r} ({counted(counts[near[name]], 'row')})"
        for name in near
    ]
    which = "one class of" if len(near) == 1 else f"{len(near):,} classes of"
    text = mended_map(near, mapped)
    return f"{which} {len(counts):,} may be another one misspelt: {listed(pairs)}; if so: --label-map {text}"


def _rare(counts: Mapping[str, int], near: Mapping[str, str]) -> list[str]:
    most = max(counts.values(), default=0)
    rare = [name for name in counts if name not in near and counts[name] < _RARE and counts[name] * _MORE <= most]
    return sorted(rare, key=lambda name: (counts[name], name))


def _rare_warning(counts: Mapping[str, int], rare: Sequence[str], mapped: Sequence[tuple[str, str]]) -> str:
    words = [f"{name!r} ({counted(counts[name], 'row')})" for name in rare]
    followed = {label: "" if name in rare else name for label, name in mapped}
    text = label_map_text(list({**dict.fromkeys(rare, ""), **followed}.items()))
    return (
        f"classes of which there is hardly a row to learn from: {listed(words)}, where the largest has "
        f"{max(counts.values()):,}; label more of them, or leave them out: --label-map {text}"
    )
