"""First lines of a text file → refused if they are blocks of ``key: value`` lines, a block for each text.

The same few keys come again in each block, in the same order; a colon here and there is prose.
"""

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.inputs.delimited_files.first_rows import is_label
from engine.inputs.text_files.labels_in_lines import LABEL_WORDS
from engine.inputs.text_files.sample import Sample

_KEY = r"[^\W\d][\w./-]*(?: [^\W\d][\w./-]*){0,2}"
_FORMS = (  # what stands before a key and behind it
    (r"(?:- )?", r"(?: #?\d+)?[ \t]*:(?!//)[ \t]*"),
    (r"\*\*", r":?\*\*:?[ \t]*"),
    (r"<", r">[ \t]*"),
    (r"\[", r"\]:?[ \t]*"),
    (r"", r"[ \t]*=[ \t]*"),
    (r"", r"\t+"),
)
_LAST_WORD = re.compile(r"[^\W_]+\Z")
_OF_TEXTS = ("text", "review", "title", "summary", "body", "content", "comment", "headline")
_OF_LABELS = ("label", "sentiment", "class", "category", "polarity", "rating", "score", "stars", "overall", "gold")
_OF_IDS = ("id", "reviewid", "docid", "uuid")
_CLOSES = re.compile(r"</[\w.-]+>$")
_RECORD = r"-\[ RECORD \d+ \][-+]*"
_RULE = re.compile(rf"(?:[-=*_#~]{{2,}}|{_RECORD}|\*{{3,}} \d+\. row \*{{3,}})")
_OF_PSQL = (r"", r"[ \t]*\|[ \t]?")
_LOOKED_AT, _MOST_ABOVE = 400, 3
_BLOCKS, _KEYS, _ALMOST_ALL, _MOST = 3, 2, 0.9, 0.8


@dataclass(frozen=True, kw_only=True)
class _Blocks:
    """Blocks of values by their keys.

    Attributes:
        values: of each block, in characters of lines that may go on; the last block may be cut.
        keys: those of most blocks, in their order.
        also: all that come again.
        places: of the first line of each block, among the lines of the sample.
        has_more: lines without a key go on with the value before them.
        has_rules: lines as ``---`` stand between blocks.
    """

    values: list[dict[str, str]]
    keys: list[str]
    also: list[str]
    places: list[int]
    has_more: bool
    has_rules: bool


def check_blocks(sample: Sample) -> None:
    """Refuse blocks of keys and values.

    Raises:
        InputError: the lines are such.
    """
    of_psql = any(re.match(_RECORD, text) for text in sample.texts[:1])
    for before, behind in (_OF_PSQL,) if of_psql else _FORMS:
        if before == "<" and any(map(_CLOSES.search, sample.texts[:_LOOKED_AT])):
            continue
        blocks = _blocks(sample.texts[:_LOOKED_AT], re.compile(rf"{before}({_KEY}){behind}"))
        if blocks is None or not _are_plain(blocks):
            continue
        begins = " and ".join(f"{sample.number(place):,}" for place in blocks.places[:2])
        command = sample.command(f"python3 -c {shlex.quote(_program(blocks, before, behind))}", "rows.jsonl")
        raise sample.refused(
            f"it has blocks of key: value, the first of them at the lines {begins} ({', '.join(blocks.keys[:5])}). "
            f"To make each a row, with all its keys: {command}; then read rows.jsonl with "
            f"{_flags(blocks, of_labels=sample.of_labels)}"
        )


def _blocks(texts: Sequence[str], form: re.Pattern[str]) -> _Blocks | None:
    """The blocks of ``texts`` with keys of this ``form``; None if no keys come again as they should."""
    found = [(place, pair[1], text[pair.end() :]) for place, text in enumerate(texts) if (pair := form.match(text))]
    if len(found) < _BLOCKS * _KEYS or found[0][0] > _MOST_ABOVE:
        return None
    first = found[0][1]
    places = [place for place, key, _ in found if key == first]
    if not _BLOCKS <= len(places) <= len(texts) // _KEYS:
        return None
    counts = Counter(key for _, key, _ in found)
    also = [key for key, times in counts.items() if times > 1]
    parts = [texts[start:end] for start, end in zip(places, [*places[1:], len(texts)], strict=True)]
    read = [_pairs(part, form, frozenset(also)) for part in parts]
    keys = _common([[key for key, _ in pairs] for pairs in read[:-1]])
    lines = [text for part in parts for text in part if not _RULE.fullmatch(text)]
    return (
        None
        if len(keys) < _KEYS
        else _Blocks(
            values=[dict(pairs) for pairs in read],
            keys=keys,
            also=also,
            places=places,
            has_more=any((pair := form.match(line)) is None or pair[1] not in also for line in lines),
            has_rules=any(map(_RULE.fullmatch, texts)),
        )
    )


def _pairs(lines: Sequence[str], form: re.Pattern[str], known: frozenset[str]) -> list[tuple[str, str]]:
    """The keys and values of a block."""
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if (pair := form.match(line)) and pair[1] in known:
            pairs.append((pair[1], line[pair.end() :]))
        elif pairs and not _RULE.fullmatch(line):
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}\n{line}")
    return pairs


def _common(blocks: Sequence[Sequence[str]]) -> list[str]:
    """The keys of most ``blocks``, if they stand there once and in the same order; none otherwise."""
    counts = Counter(key for keys in blocks for key in set(keys))
    common = [
        key for key in dict.fromkeys(key for keys in blocks for key in keys) if counts[key] >= _MOST * len(blocks)
    ]
    known = frozenset(common)
    in_order = sum(_is_part(keys, common) for keys in ([key for key in keys if key in known] for keys in blocks))
    return common if in_order >= _ALMOST_ALL * len(blocks) else []


def _is_part(keys: Sequence[str], common: Sequence[str]) -> bool:
    """Whether ``keys`` are those of ``common`` in their order, of which some may be missing."""
    return list(keys) == [key for key in common if key in keys]


def _are_plain(blocks: _Blocks) -> bool:
    """Whether the keys are those of data, and not labels of lines, or the names of those who talk."""
    named = {_last_word(key) for key in blocks.keys}
    if not named.isdisjoint((*_OF_TEXTS, *_OF_LABELS)):
        return True
    label = _label(blocks)
    return label is not None and not {key.lower() for key in blocks.keys} & LABEL_WORDS


def _last_word(key: str) -> str:
    found = _LAST_WORD.search(key)
    return found[0].lower() if found else ""


def _text(blocks: _Blocks) -> str:
    """The key of the longest values; of a label or an id only if there is no other."""
    others = [key for key in blocks.keys if _last_word(key) not in (*_OF_LABELS, *_OF_IDS)]
    return max(others or blocks.keys, key=lambda key: sum(len(block.get(key, "")) for block in blocks.values))


def _label(blocks: _Blocks) -> str | None:
    """The key of the labels: one of a plain name, or that with the fewest values of those that come again."""
    plain = {_last_word(key): key for key in reversed(blocks.keys)}
    if named := [plain[name] for name in _OF_LABELS if name in plain]:
        return named[0]
    others = [key for key in blocks.keys if key != _text(blocks) and _last_word(key) not in _OF_IDS]
    columns = {key: [block.get(key, "") for block in blocks.values] for key in others}
    few = [key for key, column in columns.items() if is_label(column)]
    return min(few, key=lambda key: len(set(columns[key])), default=None)


def _flags(blocks: _Blocks, *, of_labels: bool) -> str:
    ids = [key for key in blocks.keys if _last_word(key) in _OF_IDS]
    chosen = {"id": ids[0] if ids else "KEY_OF_THE_IDS"} if of_labels else {"text": _text(blocks)}
    if (label := _label(blocks)) is not None:
        chosen["label"] = label
    return " ".join(f"--{name} {shlex.quote(key)}" for name, key in chosen.items())


def _program(blocks: _Blocks, before: str, behind: str) -> str:
    """In Python: the blocks as JSON, a line each. What looks like a new key is none where values have more lines."""
    keys = "|".join(map(re.escape, sorted(blocks.also, key=len, reverse=True))) if blocks.has_more else _KEY
    lines = rf"(?m)^[ \t]*{before}({keys}){behind}"
    rules = f're.sub(r"(?m)^{_RULE.pattern}[ \\t]*$", "", s)' if blocks.has_rules else "s"
    return (
        'import json, re; s = open(0, encoding="utf-8-sig", errors="replace").read(); '
        f"p = re.split({json.dumps(lines)}, {rules})[1:]; r = []; "
        f"[(r.append({{}}) if k == {json.dumps(blocks.keys[0])} or not r else 0, r[-1].update({{k: v.strip()}})) "
        "for k, v in zip(p[::2], p[1::2])]; print(*map(json.dumps, r), sep=chr(10))"
    )
