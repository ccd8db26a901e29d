"""The name of a label column → the names that it gives to the numbers: ``label (0=positive, 1=negative)``."""

import re
from collections.abc import Collection, Mapping, Sequence

from engine.errors import InputError
from engine.inputs.labels.spelling import label_map_text, spell

_NUMBER, _NAME = r"(?<![\w.+-])[+-]?\d+(?![\w.])", r"[^\W\d][\w' -]*"
_CODES = (
    re.compile(rf"(?P<number>{_NUMBER})['\"]?\s*(?:=>?|:|->|→)\s*['\"]?(?P<name>{_NAME})"),
    re.compile(rf"(?P<name>{_NAME})['\"]?\s*(?:=>?|->|→)\s*(?P<number>{_NUMBER})"),
)
_LOOSE = re.compile(rf"(?P<number>{_NUMBER})['\")]*\s*[=:>→-]*\s*['\"]?(?P<name>{_NAME})")
_TOKENS = re.compile(r"[\w-]+")
_WORDS = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")
_BESIDE_CLASS = {
    *("is has was label labels class sentiment flag target y".split()),
    *("prob probability proba p score vote votes count counts n".split()),
}
_SHORTEST = 3  # letters of a class that is cut short
_LISTS = re.compile(r"(?P<numbers>[+-]?\d+(?:/[+-]?\d+)+)[^\w/]+(?P<names>[^\W\d]\w*(?:/[^\W\d]\w*)+)")


def names_in_name(column: str) -> tuple[str, ...]:
    """The names of 0, 1 and so on; empty if ``column`` does not name two or more, all of them from 0 on."""
    for codes in _CODES:
        found = [(int(code["number"]), code["name"].strip(" -'")) for code in codes.finditer(column)]
        numbers, names = [number for number, _ in found], [name for _, name in sorted(found)]
        if len(found) > 1 and sorted(numbers) == list(range(len(found))) and len(set(names)) == len(names):
            return tuple(names)
    return ()


def check_codes(labels: Sequence[str], classes: Sequence[str], *, columns: Collection[str], where: str) -> None:
    """Refuse numbers that would be read as other classes than the name of their column says.

    Args:
        labels: all of them, in their one spelling.
        classes: the names.
        columns: names of the columns that they are from.
        where: of the labels, for messages.

    Raises:
        InputError: they would be.
    """
    for column in columns:
        meant = {number: meant_class(name, classes) for number, name in _codes(column).items()}
        if not labels or not set(labels) <= meant.keys() or None in meant.values() or len(set(meant.values())) < 2:
            continue
        pairs = [(number, str(name)) for number, name in meant.items()]
        if any(not number.isdecimal() or list(classes).index(name) != int(number) for number, name in pairs):
            raise InputError(
                f"{where}: the column {column!r} says which class each number is. To read it so: --label-map "
                f"{label_map_text(pairs)}"
            )


def _codes(column: str) -> Mapping[str, str]:
    """Numbers and their names, in any form; those of one form alone."""
    for lists in _LISTS.finditer(column):
        numbers, names = lists["numbers"].split("/"), lists["names"].split("/")
        if len(numbers) == len(names):
            return {spell(number): name for number, name in zip(numbers, names, strict=True)}
    for codes in (*_CODES, _LOOSE):
        found = {spell(code["number"]): code["name"].strip(" -'") for code in codes.finditer(column)}
        if len(found) > 1:
            return found
    return {}


def meant_class(name: str, classes: Sequence[str]) -> str | None:
    """The class that ``name`` is, or the only one that begins with it, as ``pos`` for ``positive``."""
    plain = spell(name).casefold()
    same = [class_ for class_ in classes if spell(class_).casefold() == plain]
    found = same or [class_ for class_ in classes if plain and spell(class_).casefold().startswith(plain)]
    return found[0] if len(found) == 1 else None


def class_at_begin(label: str, classes: Sequence[str]) -> str | None:
    """As `meant_class`; or the class that ``label`` begins with, as ``positive, since …`` if it names no other one."""
    if (meant := meant_class(label, classes)) is not None:
        return meant
    named = {word for word in map(str.casefold, _TOKENS.findall(label)) if word in {*map(str.casefold, classes)}}
    begin = _TOKENS.match(label)
    return meant_class(begin[0], classes) if begin and named == {begin[0].casefold()} else None


def class_of_column(column: str, classes: Sequence[str]) -> str | None:
    """The class that a column is about, as ``negative``, ``is_negative``, ``labelNegative`` and ``neg`` are.

    None if its name says none, or is not that of a class alone, as ``not_negative``.
    """
    exact = [class_ for class_ in classes if spell(class_).casefold() == spell(column).casefold()]
    if exact:
        return exact[0]
    names = {" ".join(_words(class_)): class_ for class_ in classes}
    words = [word for word in _words(column) if word not in _BESIDE_CLASS]
    plain = " ".join(words)
    return names.get(plain) or (meant_class(plain, classes) if len(plain) >= _SHORTEST else None)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
