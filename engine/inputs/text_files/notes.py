"""First lines of a text file → notes on what is read as it stands, and may not be meant so."""

import itertools
import re
import shlex

from engine.inputs.text_files.sample import Sample

_AT_LEAST = 3
_NUMBERED = re.compile(r"\(?(\d{1,9})(?:[.)]| *-)\s+(?=\S)")
_STRIP_NUMBER = r"s/^\s*\(?[0-9]+([.)]| *-)\s+//"
_LOGGED = re.compile(r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_STRIP_TIME = (
    r"s/^\s*\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?\]?"
    r"[ |-]*(\[?(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\]?)?[ :|-]*//"
)
_LINES_EACH = 1.5
_JOIN_LINES = (
    r'import re, sys; print(*(" ".join(some.split()) for some in re.split(r"\n\s*\n", sys.stdin.read()) '
    r'if some.strip()), sep="\n")'
)


def notes_on(sample: Sample) -> list[str]:
    """Notes on numbers and times that are read as part of the texts, and on texts that are cut into their lines."""
    notes = (_numbers_note(sample), _times_note(sample), _paragraphs_note(sample))
    return [note for note in notes if note]


def _times_note(sample: Sample) -> str | None:
    """A note on lines as a program logs them, ``2024-03-01 10:22:31 INFO text``."""
    if len(sample.texts) < _AT_LEAST or not all(map(_LOGGED.match, sample.texts)):
        return None
    way = sample.command(f"sed -E {shlex.quote(_STRIP_TIME)}", "texts.txt")
    return f"its lines begin with times, which are read as part of the texts; GNU sed takes them away: {way}"


def _paragraphs_note(sample: Sample) -> str | None:
    """A note on paragraphs of several lines with blank ones between them."""
    numbers = sample.numbers
    begins = sum(other - one > 1 for one, other in itertools.pairwise(numbers)) + 1
    if begins < _AT_LEAST or len(numbers) < _LINES_EACH * begins:
        return None
    way = sample.command(f"python3 -c {shlex.quote(_JOIN_LINES)}", "texts.txt")
    return f"blank lines are between paragraphs, whose lines are read as texts; to make a text of each paragraph: {way}"


def _numbers_note(sample: Sample) -> str | None:
    """A note on a numbered list, ``1. text``, ``2. text``, whose numbers are read as part of the texts."""
    found = [pair for pair in map(_NUMBERED.match, sample.texts) if pair]
    numbers = [int(pair[1]) for pair in found]
    if len(found) < max(_AT_LEAST, len(sample.texts)) or numbers != [*range(numbers[0], numbers[0] + len(numbers))]:
        return None
    way = sample.command(f"sed -E {shlex.quote(_STRIP_NUMBER)}", "texts.txt")
    return f"its lines are numbered, and the numbers are read as part of the texts; GNU sed takes them away: {way}"
