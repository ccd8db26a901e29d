"""First rows of a delimited file → whether the first of them is data, and names that its columns could have."""

import re
from collections.abc import Sequence

from engine.inputs.delimited_files.shape import is_number
from engine.inputs.shapes.likely_text import has_word_for_others, has_word_for_texts

_LONG_NAME, _SENTENCE_WORDS = 80, 5
LABEL_LENGTH = 40
_SHOWN_NAMES = 20
_DIGITS = 2
_NAME = re.compile(r"[^\W\d][\w.-]*( [\w.-]+){0,2}")
_MARKED_NAME = re.compile(r"#|[^\W\d][\w.-]*(?: [\w.()-]+){0,4}[?.:]?")
_SEEN, _WORDS = 3, 4
_DESCRIBING = 2
_OF_SURVEYS = ('{"ImportId":', "Open-Ended Response")
_TYPES = frozenset(("continuous", "c", "discrete", "d", "string", "s", "time", "t", "basket"))  # of Orange
_ROLES = frozenset(("", "class", "meta", "m", "ignore", "i", "weight", "w"))


def before_cut(rows: Sequence[list[str]], width: int) -> Sequence[list[str]]:
    """``rows`` without the lines of a text in whose midst the sample ends: none of them is like a row before it.

    Args:
        rows: of a sample; one that cannot be parsed is empty, as the one that is cut.
        width: number of fields of the header.
    """
    cut = next((number for number, row in enumerate(rows) if not row), len(rows))
    before, behind = rows[:cut], rows[cut + 1 :]
    most_fit = sum(len(row) == width for row in before) * 2 > len(before)
    return before if most_fit and not any(len(row) == width for row in behind) else rows


def names_for(rows: Sequence[list[str]], width: int) -> str:
    """Names that the columns of ``rows`` could have: the longest values are texts, the fewest different ones labels."""
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True)) or [("",)] * width
    text = max(range(width), key=lambda place: sum(map(len, columns[place])))
    labels = [place for place in range(width) if place != text and is_label(columns[place])]
    label = min(
        labels,
        key=lambda place: (_are_long_numbers(columns[place]), len(set(columns[place]))),
        default=1 - text if width == 2 else None,
    )
    names = [{text: "text", label: "label"}.get(place, f"column{place + 1}") for place in range(width)]
    return ",".join(names) if width <= _SHOWN_NAMES else f"{','.join(names[:_SHOWN_NAMES])},… ({width:,} names)"


def _are_long_numbers(values: Sequence[str]) -> bool:
    """Whether ``values`` are numbers as of ids or years, which come again and are no labels."""
    return all(is_number(value) and len(value.strip()) > _DIGITS for value in values)


def names_of_ids(rows: Sequence[Sequence[str]], width: int) -> str:
    """As `names_for`, of a file of labels, in which the texts do not count: ids are the words that differ the most."""
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True)) or [("",)] * width
    labels = [place for place in range(width) if is_label(columns[place])]
    label = min(labels, key=lambda place: len(set(columns[place])), default=width - 1)
    others = [place for place in range(width) if place != label]
    words = [place for place in others if not any(value.strip().count(" ") for value in columns[place])]
    id_ = max(words or others, key=lambda place: len(set(columns[place])), default=0)
    return ",".join({id_: "id", label: "label"}.get(place, f"column{place + 1}") for place in range(width))


def is_label(values: Sequence[str], *, most: int | None = None) -> bool:
    """Whether ``values`` look like labels: a few that are short and come again. No more than ``most``."""
    different = set(values)
    few = 1 < len(different) <= (most or len(values)) and len(different) * 2 <= len(values)
    return few and _are_short(different)


def _are_short(values: set[str]) -> bool:
    return all(len(value) <= LABEL_LENGTH and len(value.split()) < _SENTENCE_WORDS for value in values)


def is_data(rows: Sequence[list[str]]) -> bool:
    """Whether the first of ``rows`` is one like the others, and no header."""
    first, others = rows[0], rows[1:]
    for place, value in enumerate(map(str.strip, first)):
        sentence = len(value.split()) >= _SENTENCE_WORDS and value[-1] in '.!"…'
        again = value and any(place < len(row) and row[place].strip() == value for row in others)
        if again or sentence or len(value) > _LONG_NAME or is_number(value):
            return True
    return False


def is_form_header(rows: Sequence[list[str]]) -> bool:
    """Whether the first of ``rows`` may have questions of a form as names: sentences, beside plain names."""
    names, others = [name.strip() for name in rows[0]], rows[1:]
    plain = [name for name in names if len(name.split()) < _SENTENCE_WORDS and len(name) <= _LONG_NAME]
    if not plain or len(plain) == len(names) or len({*names}) < len(names) or any(map(is_number, names)):
        return False
    seen = {(place, value.strip()) for row in others for place, value in enumerate(row)}
    return others != [] and seen.isdisjoint(enumerate(names)) and all(map(_MARKED_NAME.fullmatch, plain))


def is_header(rows: Sequence[list[str]]) -> bool:
    """Whether the first of ``rows`` is plainly a header: names, few of them twice, unlike what a column has below."""
    names, others = [name.strip() for name in rows[0]], rows[1:]
    if len(others) < _SEEN or len(set(names)) * 2 < len(names) or not all(map(_NAME.fullmatch, names)):
        return False
    columns = zip(*(row for row in others if len(row) == len(names)), strict=True)
    return not is_data(rows) and any(map(_is_unlike_names, columns))


def has_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of ``rows`` has words that name columns, as ``id``, ``document`` and ``sentiment``."""
    names = [name.strip(" \"'") for name in rows[0]]
    if len(names) < 2 or not all(map(_NAME.fullmatch, names)) or is_data([list(row) for row in rows]):
        return False
    lengths = [sum(len(row[place]) for row in rows if len(row) == len(names)) for place in range(len(names))]
    text = lengths.index(max(lengths))
    others = (name for place, name in enumerate(names) if place != text)
    return has_word_for_texts(names[text]) or any(map(has_word_for_others, others))


def without_names(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[int, float]:
    """Columns without a name and the share of rows that have a value there; the first one may be an index."""
    places = [place for place, name in enumerate(names) if place and not name.strip()]
    known = [row for row in rows if row]
    return {place: sum(len(row) > place and row[place] != "" for row in known) / max(1, len(known)) for place in places}


def has_index(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first column has no name, as an index of pandas or R, and its values are not 0, 1, 2 or 1, 2, 3."""
    values = [row[0].strip() for row in rows if row]
    numbered = any(values == [str(first + place) for place in range(len(values))] for first in (0, 1))
    return len(names) > 0 and not names[0].strip() and any(values) and not numbered


def _is_unlike_names(values: Sequence[str]) -> bool:
    """Whether ``values`` are numbers, or texts of several words."""
    words = sum(len(value.split()) for value in values)
    return len(values) >= _SEEN and (all(map(is_number, values)) or words >= _WORDS * len(values))


def describing_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many rows below the first of ``rows``, a header, describe its columns.

    Qualtrics and SurveyMonkey write the questions and codes of a form there, Orange the types and roles of columns.
    """
    below = rows[1 : _DESCRIBING + 1]
    for number, row in enumerate(below, start=1):
        if any(field.startswith(_OF_SURVEYS) for field in row):
            return number
    return _DESCRIBING if len(below) == _DESCRIBING and _are_of_orange(*below) else 0


def _are_of_orange(types: Sequence[str], roles: Sequence[str]) -> bool:
    """Whether rows are a type and a role for each column. For a type may stand all values of the column."""
    known = [type_.strip().lower() in _TYPES or not type_.strip() for type_ in types]
    said = {role.strip().lower() for role in roles}
    return bool(said) and said <= _ROLES and said != {""} and sum(known) * 2 > len(known)
