"""First lines of a text file → whether each begins or ends with a label, and the command that sets it apart.

What also stands in prose (a first word, a dash) has to be plainer than what does not: a few values, each often.
"""

import csv
import re
import shlex
from collections.abc import Iterable, Sequence

from engine.errors import InputError
from engine.inputs.delimited_files.first_rows import LABEL_LENGTH, is_label, names_for, names_of_ids
from engine.inputs.text_files.sample import Sample

_ALMOST_ALL, _MOST_LABELS, _LOOKED_AT, _FEW = 0.95, 60, 100, 4
_LONG_MARKS = ("|||", "||", "###", "##", "==>", "=>", "-->", "->", ":::", "::", "---", "--", "~~", "\\t")
_SPACED_MARKS = (" - ", " – ", " — ", " | ", " = ", " > ", " ~ ", " # ", " / ", "  ")
_MARKS = (";", "|", "@", ",", " ", ":")
_NUMBER = r"[+-]?\d+(?:[./]\d+)?"
_IN_PROSE = {
    ",": re.compile(rf"\w+|{_NUMBER}"),
    " ": re.compile(rf"{_NUMBER}|[\w-]+:[\w-]+|[★☆⭐✩👍👎\ufe0f]+|\*+"),
    ":": re.compile(rf"[\w-]+|{_NUMBER}"),
    "  ": re.compile(rf"[\w-]+|{_NUMBER}"),
}
_ALONE = re.compile(_NUMBER)
_SPECIAL = re.compile(r"[\\|.*+?(){}\[\]^$/]")
_BRACKETS = re.compile(r"[\[({]([^\[\](){}]+)[\])}] *[:-]? *(?=\S)")
_BRACKETS_LAST = re.compile(r".*\S *[\[({]([^\[\](){}]+)[\])}]")
_WOWPAL = re.compile(r"([+-]?[\d.]+)(?: [\w.']+){0,2} \|(\w*) ")
_PLAIN = re.compile(r"[+-]?\w+(?:[./-]\w+)*")
_ONE_CLASS = re.compile(r"[+-]1")
LABEL_WORDS = frozenset(("positive", "negative", "neutral", "pos", "neg", "neu", "spam", "ham", "toxic", "non-toxic"))
ALSO_OF_PROSE = frozenset(("good", "bad", "yes", "no", "true", "false", "great", "poor", "happy", "sad", "mixed"))
_ENDS_OF_SENTENCES, _SENTENCES = tuple(".!?…\"')"), 0.25


def check_labels(sample: Sample) -> None:
    """Refuse a file whose lines begin or end with a label, as ``text;joy`` or ``[POS] text``.

    Raises:
        InputError: it is one.
    """
    if len(sample.texts) > 1 and all(map(_ALONE.fullmatch, sample.texts)) and is_label(sample.texts, most=_MOST_LABELS):
        raise sample.refused(
            "every line is a number, as in a file of labels; put them beside the texts, as with: "
            f"paste {shlex.quote(sample.file)} texts.txt > labelled.txt"
        )
    if sample.of_labels:
        _check_pairs(sample)
    _check_vowpal_wabbit(sample)
    for mark in (*_LONG_MARKS, *_SPACED_MARKS):
        _check_mark(sample, mark)
    _check_brackets(sample)
    for mark in _MARKS:
        _check_mark(sample, mark)
    _check_words(sample)


def _check_pairs(sample: Sample) -> None:
    """Refuse an id and a label with white space between them."""
    pairs = [text.split() for text in sample.texts]
    if not all(len(pair) == 2 for pair in pairs):
        return
    for begins, column in zip((True, False), zip(*pairs, strict=True), strict=True):
        if not all(map(_PLAIN.fullmatch, column)):
            continue
        if not is_label(column, most=_MOST_LABELS) and not all(label.lower() in LABEL_WORDS for label in column):
            continue
        single = all(text.count(" ") == 1 for text in sample.texts)
        way = f"pass --delimiter space --quote none --columns {'label,id' if begins else 'id,label'}"
        raise _carries(sample, column, way if single else _sed(sample, r"s/^\s*(\S+)\s+/\1\t/"), begins=begins)


def _check_vowpal_wabbit(sample: Sample) -> None:
    """Refuse ``1 |w text``: a label, and the text behind a bar and the name of a namespace."""
    found = [pair for pair in map(_WOWPAL.match, sample.texts) if pair]
    if len(found) < max(2, _ALMOST_ALL * len(sample.texts)) or len({pair[2] for pair in found}) > 1:
        return
    if any(text.count("|") > 1 for text in sample.texts):
        raise sample.refused("its lines are those of Vowpal Wabbit; write them as CSV with the columns label,text")
    raise _carries(sample, [pair[1] for pair in found], _sed(sample, r"s/^ *([^ ]+)[^|]*\|[^ ]* */\1\t/"), begins=True)


def _check_brackets(sample: Sample) -> None:
    if _most(text[0] in "[({" for text in sample.texts[:_LOOKED_AT]):
        first = [pair[1] for pair in map(_BRACKETS.match, sample.texts) if pair]
        if len(first) >= _ALMOST_ALL * len(sample.texts) and _are_labels(first, "["):
            way = _sed(sample, r"s/^\s*[[({]([^])}]+)[])}] *[:-]? */\1\t/")
            raise _carries(sample, first, way, begins=True)
    if _most(text[-1] in "])}" for text in sample.texts[:_LOOKED_AT]):
        last = [pair[1] for pair in map(_BRACKETS_LAST.fullmatch, sample.texts) if pair]
        if len(last) >= _ALMOST_ALL * len(sample.texts) and _are_labels(last, "["):
            way = _sed(sample, r"s/^(.*[^ ]) *[[({]([^])}]+)[])}]\s*$/\1\t\2/")
            raise _carries(sample, last, way, begins=False)


def _most(values: Iterable[bool]) -> bool:
    """Whether at least half of ``values`` are true."""
    values = list(values)
    return sum(values) * 2 >= len(values)


def _check_mark(sample: Sample, mark: str) -> None:
    """Refuse lines with ``mark`` behind a label, or before one."""
    if not _most(mark in text for text in sample.texts[:_LOOKED_AT]):
        return
    some = [text for text in sample.texts[:_LOOKED_AT] if mark in text]
    for begins in (True, False):
        if max(map(len, _ends_of(some, mark, begins=begins))) > LABEL_LENGTH:
            continue
        texts = [text for text in sample.texts if mark in text]
        labels = _ends_of(texts, mark, begins=begins)
        if len(texts) >= _ALMOST_ALL * len(sample.texts) and _are_labels(labels, mark):
            raise _carries(sample, labels, _way(sample, texts, mark, begins=begins), begins=begins)


def _ends_of(texts: Sequence[str], mark: str, *, begins: bool) -> list[str]:
    """What stands before the first ``mark`` or behind the last one, without quotation marks around it."""
    if begins:
        return [text.partition(mark)[0].strip(' "') for text in texts]
    return [text.rpartition(mark)[2].strip(' "') for text in texts]


def _check_words(sample: Sample) -> None:
    """Refuse lines that begin or end with a word as ``positive``, and nothing shows where it ends."""
    known = LABEL_WORDS | ALSO_OF_PROSE
    if _most(text.partition(" ")[0].lower() in known for text in sample.texts[:_LOOKED_AT]):
        pairs = [text.partition(" ")[::2] for text in sample.texts]
        labels = [word for word, _ in pairs if word.lower() in known]
        almost_all = len(labels) >= _ALMOST_ALL * len(pairs)
        if almost_all and _most(_is_apart(word, rest) for word, rest in pairs) and _are_labels(labels, ""):
            raise _carries(sample, labels, _sed(sample, _script(" ", begins=True)), begins=True)
    if _most(text.rpartition(" ")[2].lower() in LABEL_WORDS for text in sample.texts[:_LOOKED_AT]):
        pairs = [text.rpartition(" ")[::2] for text in sample.texts]
        labels = [word for _, word in pairs if word.lower() in LABEL_WORDS]
        almost_all = len(labels) >= _ALMOST_ALL * len(pairs)
        apart = sum(text[-1:] in _ENDS_OF_SENTENCES for text, _ in pairs) >= _SENTENCES * len(pairs)
        if almost_all and apart and _are_labels(labels, ""):
            raise _carries(sample, labels, _sed(sample, _script(" ", begins=False)), begins=False)


def _is_apart(word: str, rest: str) -> bool:
    """Whether ``word`` is no part of the sentence behind it, as it would be in ``Good food``."""
    if word.isupper():
        return not rest.isupper()
    if word.islower() and word in LABEL_WORDS:
        return True
    return not rest[:1].islower() and (word.islower() or word.lower() in LABEL_WORDS)


def _are_labels(values: Sequence[str], mark: str) -> bool:
    """Whether what stands before or behind each ``mark`` is a label. What also stands in prose has to be plainer."""
    if not all(values) or (mark in _IN_PROSE and not all(map(_IN_PROSE[mark].fullmatch, values))):
        return False
    if set("".join(values)) == {"*"} and max(map(len, values)) < _FEW:  # levels of a list
        return False
    return is_label(values, most=_MOST_LABELS) or _are_of_one_class(values)


def _are_of_one_class(values: Sequence[str]) -> bool:
    """Whether all ``values`` are the same, and plainly a label, as where each class has a file of its own."""
    (first, *others) = set(values)
    return not others and len(values) >= _FEW and bool(first.lower() in LABEL_WORDS or _ONE_CLASS.fullmatch(first))


def _way(sample: Sample, texts: Sequence[str], mark: str, *, begins: bool) -> str:
    """How lines with ``mark`` are read: as a delimited file if the mark stands only before or behind the label."""
    if mark in _MARKS and mark != " " and not any(f" {mark}" in text for text in texts):
        spaces = {text[place + 1 : place + 2] == " " for text in texts for place in [text.index(mark)]}
        delimiter = f"{mark} " if spaces == {True} else mark
        rows = _fields(texts, delimiter)
        widths = set(map(len, rows))
        if widths == {2} and len(spaces) == 1:
            what = "id" if sample.of_labels else "text"
            return f"pass --delimiter '{delimiter}' --columns {f'label,{what}' if begins else f'{what},label'}"
        if len(widths) == 1 and any('"' + mark in text or mark + '"' in text for text in texts):
            names = (names_of_ids if sample.of_labels else names_for)(rows, widths.pop())
            return f"pass --delimiter '{delimiter}' --columns {names}"
    return _sed(sample, _script(mark, begins=begins))


def _fields(texts: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of a delimited file; none if its quotation marks are not around fields."""
    reader = csv.reader(texts, delimiter=delimiter[0], skipinitialspace=len(delimiter) > 1, strict=True)
    try:
        return [*reader]
    except csv.Error:
        return []


def _script(mark: str, *, begins: bool) -> str:
    """What sed is told to make a tab of ``mark``, and of the spaces around it."""
    if mark.isspace():
        spaces = mark + "+"
        return rf"s/^\s*([^ ]+){spaces}/\1\t/" if begins else rf"s/^(.*[^ ]){spaces}([^ ]+)\s*$/\1\t\2/"
    plain, spaces = _SPECIAL.sub(r"\\\g<0>", mark.strip()), " +" if mark in _SPACED_MARKS else " *"
    return rf"s/{spaces}{plain} */\t/" if begins else rf"s/^(.*[^ ]){spaces}{plain} */\1\t/"


def _sed(sample: Sample, script: str) -> str:
    command = sample.command(f"sed -E {shlex.quote(script)}", "labelled.txt")
    return f"put a tab between label and {'id' if sample.of_labels else 'text'}, with GNU sed: {command}"


def _carries(sample: Sample, labels: Sequence[str], way: str, *, begins: bool) -> InputError:
    some, where = ", ".join(sorted(set(labels))[:3]), "begins" if begins else "ends"
    return sample.refused(f"every line {where} with what looks like a label ({some}). To read it, {way}")
