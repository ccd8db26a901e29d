"""Labels as they are written → one spelling for all formats, before anybody asks which class a label is.

A file may write one label in several ways, and formats differ: ``1``, ``1.0`` and the decimal 1.00 are one label, and
so are ``True`` and ``true``. Words that stand for nothing are no label.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import InputError

NO_LABEL = ("", "-1", "nan", "null", "none", "na", "n/a", "#n/a", "<na>", "nil", "\\n")
"""Lower-case words for a missing value, as pandas, R, SQL dumps and Hugging Face (-1) write it."""

_WHOLE = r"^([+-]?[0-9]+)\.0*$"
_SCORED = (
    r"^([^:=|;,()\[\]]*\pL[^:=|;,()\[\]]*?)\s*(?:[(\[]\s*(?:0?\.\d+|[01]\.\d+|\d{1,3}(?:\.\d+)?\s?%)\s*[)\]]"
    r"|[:=|;,]\s*(?:0?\.\d+|[01]\.\d+))$"
)
_FRACTION = "[.%]"  # which each score has
_EQUALS = r"\="
_PAIR = re.compile(r"((?:\\=|[^=])*)(=)(.*)", re.DOTALL)
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_TRUTHS = ("true", "false")
_OF_CLASSES = re.compile(r"class|label|sentiment|polarity|categor|metadata|target", re.IGNORECASE)
_OF_A_PERSON = re.compile(r"gold|human|true|truth|correct|annotat", re.IGNORECASE)
_RESPONSES = ".responses.status"  # behind the name of a question, of one status or a list of them
JUDGED_AWAY = "it was rejected, skipped or discarded: there is no label"
LEFT_OUT = "label is none, as --label-map says"
"""Why a label does not count; the second of these is what a user wants, and is no fault."""
_JUDGED_AWAY = {
    "answer": "reject|ignore",
    "status": "discarded",
    _RESPONSES: "discarded|draft",
    "AssignmentStatus": "rejected",
}
"""Columns and their values by which annotation tools (Prodigy, Argilla, MTurk) say that a label does not count."""


def spelled(labels: pa.Array) -> pa.Array:
    """``labels``, strings, in their one spelling."""
    labels = pc.utf8_trim_whitespace(pc.utf8_trim(pc.utf8_trim_whitespace(labels), characters=_INVISIBLE))
    labels = pc.utf8_normalize(labels, "NFC")
    labels = pc.replace_substring_regex(labels, _WHOLE, r"\1")
    lower = pc.utf8_lower(labels)
    return pc.if_else(pc.is_in(lower, pa.array(_TRUTHS)), lower, labels)


def without_scores(labels: pa.Array, *, names: Collection[str]) -> pa.Array:
    """``labels`` without a score behind them, as ``positive (0.93)``; those of ``names`` as they are.

    A score is a fraction from 0 to 1, or a percentage in brackets.
    """
    if not pc.any(pc.match_substring_regex(labels, _FRACTION)).as_py():
        return labels  # which is most of the time, and the pattern of scores takes long to prepare
    plain = pc.replace_substring_regex(labels, _SCORED, r"\1")
    return pc.if_else(pc.is_in(labels, pa.array(list(names), pa.string())), labels, plain) if names else plain


def stand_for_nothing(labels: pa.Array, *, classes: Sequence[str] = ()) -> pa.Array:
    """Which of ``labels`` are words for a missing value; those of ``classes`` are not."""
    names = {name.strip().lower() for name in classes}
    return pc.is_in(pc.utf8_lower(labels), pa.array([word for word in NO_LABEL if word not in names], pa.string()))


def spell(label: str) -> str:
    """The spelling of one label, as `spelled`."""
    label = re.sub(_WHOLE, r"\1", unicodedata.normalize("NFC", label.strip().strip(_INVISIBLE).strip()))
    return label.lower() if label.lower() in _TRUTHS else label


def is_verdict(name: str) -> bool:
    """Whether an annotation tool says in a column of this ``name`` which labels count."""
    return name in _JUDGED_AWAY or name.endswith(_RESPONSES)


def may_name_classes(name: str) -> bool:
    """Whether a column of this ``name`` may hold the names of the classes that labels beside it are indices of."""
    return _OF_CLASSES.search(name) is not None or of_a_person(name)


def of_a_person(name: str) -> bool:
    """Whether a column of this ``name`` seems to hold what a person said, or what is right."""
    return _OF_A_PERSON.search(name) is not None


def judged_away(columns: dict[str, pa.Array]) -> pa.Array | None:
    """Which rows an annotation tool has rejected, skipped or ignored, by ``columns``; None if none of them says so."""
    for name, array in columns.items():
        if is_verdict(name) and (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            word = f'"?({_JUDGED_AWAY.get(name, _JUDGED_AWAY[_RESPONSES])})"?'
            found = pc.fill_null(pc.match_substring_regex(pc.utf8_lower(array), rf"^\[?{word}(, ?{word})*\]?$"), False)
            if pc.any(found).as_py():
                return found
    return None


def renamed(labels: pa.Array, names: dict[str, str]) -> pa.Array:
    """Each of ``labels`` under its name in ``names``, if it has one there; null if that name is empty."""
    if not names:
        return labels
    values = pa.array(list(names.values()), pa.string())
    places = pc.index_in(labels, pa.array(list(names), pa.string()))
    named = pc.if_else(pc.equal(values, ""), None, values).take(places)
    return pc.if_else(pc.is_valid(places), named, labels)


def parse_label_map(text: str) -> tuple[tuple[str, str], ...]:
    r"""``"1=negative,2=positive"`` → pairs of a label, in its one spelling, and the name of its class.

    It is one line of CSV: a pair with a comma stands in quotation marks. ``3=`` says that 3 is no label, and ``\=`` is
    an equals sign inside of a label.

    Raises:
        InputError: a pair has no ``=`` or no label, or a label comes twice.
    """
    parts = [_PAIR.fullmatch(part) for part in next(csv.reader([text], skipinitialspace=True), [])]
    pairs = [("", "", "") if part is None else part.group(1, 2, 3) for part in parts]
    for label, equals, _ in pairs:
        if not equals or not label.strip():
            raise InputError(f"--label-map is {text!r}; give pairs of a label and a class, as 1=negative,2=positive")
    labels = [spell(label.replace(r"\=", "=")) for label, _, _ in pairs]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        way = r"; an = inside of a label is written \=" if text.count("=") > len(pairs) else ""
        raise InputError(f"--label-map names the label {twice[0]!r} twice{way}")
    return tuple((label, name.strip()) for label, (_, _, name) in zip(labels, pairs, strict=True))


def label_map_text(pairs: Sequence[tuple[str, str]]) -> str:
    """Inverse of `parse_label_map`, as a shell takes it."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([f"{label.replace('=', _EQUALS)}={name}" for label, name in pairs])
    text = line.getvalue()
    return text if re.fullmatch(r"[\w=,.+-]*", text, re.ASCII) else "'" + text.replace("'", "'\\''") + "'"
