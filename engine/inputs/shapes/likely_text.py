"""Columns of a file none of which is called a text → the one that seems to hold texts, for a message to name."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from statistics import fmean

from engine.errors import InputError, MissingColumnError

_PART = re.compile(r"[^\W\d_]+")
_OF_TEXTS = frozenset((
    "text", "texts", "document", "doc", "review", "reviews", "sentence", "phrase", "tweet", "message", "utterance",
    "comment", "content", "body", "headline", "title", "post", "verbatim", "response",
))  # fmt: skip
_OF_OTHERS = frozenset((
    "id", "idx", "index", "label", "labels", "sentiment", "class", "category", "target", "polarity", "rating", "score",
    "stars", "gold", "intent", "emotion", "annotation", "annotator",
))  # fmt: skip
_LOOKED_AT, _WORDS, _LONGER, _FEW = 100, 3, 1.5, 2
_END = "name it with --text"


def has_word_for_texts(name: str) -> bool:
    """Whether a word of ``name`` says that texts are below it."""
    return not _OF_TEXTS.isdisjoint(_parts(name))


def has_word_for_others(name: str) -> bool:
    """Whether a word of ``name`` says that an id, a label or a number is below it."""
    return not _OF_OTHERS.isdisjoint(_parts(name))


def likely_text(columns: Mapping[str, Iterable[str | None]]) -> str | None:
    """The column that seems to hold texts: of those of several words, the one of a name for texts, or the longest.

    Args:
        columns: some rows of each; of no rows, the only name for texts counts.
    """
    values = {name: [value for value in islice(some, _LOOKED_AT) if value] for name, some in columns.items() if name}
    words = {name: fmean(map(_words, some)) for name, some in values.items() if some}
    texts = [name for name, mean in words.items() if mean >= _WORDS]
    texts = [name for name in texts if not _come_again(values[name])] or texts
    named = [name for name in texts or values if has_word_for_texts(name) and not has_word_for_others(name)]
    likely = sorted(named or texts, key=lambda name: -words.get(name, 0))
    if len(likely) > 1 and (not texts or words[likely[0]] < _LONGER * words[likely[1]]):
        return None
    return likely[0] if likely else None


def _come_again(values: list[str]) -> bool:
    """Whether many ``values`` are the same, as an instruction or an answer that stands beside each text."""
    return len(values) > _FEW and len(set(values)) * 2 <= len(values)


def with_example(error: InputError, columns: Mapping[str, Iterable[str | None]]) -> InputError:
    """``error``; if it is that no column looks like the text, with the one of ``columns`` that may be it."""
    if not (isinstance(error, MissingColumnError) and str(error).endswith(_END)):
        return error
    likely = likely_text(columns)
    return error if likely is None else MissingColumnError(f"{error}, for example --text {shlex.quote(likely)}")


def columns_of(names: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """``rows`` of as many fields as there are ``names`` → the values of each column; none of empty columns."""
    fit = [row for row in islice(rows, _LOOKED_AT) if len(row) == len(names)]
    return dict(zip(names, zip(*fit, strict=True) if fit else [()] * len(names), strict=True))


def _words(text: str) -> int:
    return len(text.split())


def _parts(name: str) -> set[str]:
    return set(_PART.findall(name.lower()))
